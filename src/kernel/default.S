/*
 * The default kernel of Lockstep: the clauses KERN-1 to KERN-6 of spec/SPEC.md.
 *
 * It starts the user program as a Unix process finds itself, and serves the ECALLs of the newlib
 * ABI with the two machine ECALLs read and write. `make kernel` builds default.elf from it.
 *
 * Each mode has its own registers (MODE-3), so entering the kernel saves nothing: the program's
 * registers stay where they are, and the kernel reads and writes them as memory (MAP-6).
 * For the same reason the kernel's own registers survive from one ECALL to the next:
 *
 *   s0       address of the program's registers
 *   s1       end of the heap (the "break")
 *   s2-s7    the transfer in progress: descriptor, pointer, bytes left, bytes done, chunk, service
 *   s10      return address of functions that call others; there is no stack
 */

/* Machine ECALLs (ECALL-2 to ECALL-4). */
#define TERMINATE       0
#define READ            1
#define WRITE           2
#define MAX_IO_BYTES    1024            /* ECALL-7 */

/* File descriptors (ECALL-10). */
#define STDERR          2
#define JOURNAL         3
#define ARGUMENTS       4

/* The address map (MAP-2, MAP-6, MAP-8, MAP-11, MAP-13). */
#define USER_START      0x00010000
#define USER_END        0xC0000000
#define USER_REGISTERS  0xFFFF0080
#define MEPC            0xFFFF0200
#define OUTPUT_DIGEST   0xFFFF0240
#define ECALL_VECTOR    0xFFFF1000

/* User ECALLs (KERN-3): the numbers of newlib, which are those of Linux. */
#define SYS_CLOSE       57
#define SYS_LSEEK       62
#define SYS_READ        63
#define SYS_WRITE       64
#define SYS_FSTAT       80
#define SYS_EXIT        93
#define SYS_EXIT_GROUP  94
#define SYS_BRK         214

/* errno (KERN-3, KERN-4). */
#define EBADF           9
#define EFAULT          14
#define ESPIPE          29
#define ENOSYS          38

/*
 * The program's arguments lie in the last MiB of user memory, its stack ends below them.
 * The heap stops 8 MiB below that, so that it does not grow into the stack: 8 MiB is what Linux
 * gives a stack.
 */
#define ARGUMENTS_START 0xBFF00000
#define ARGUMENTS_END   USER_END
#define HEAP_END        0xBF700000

/* What a shell says of a program that cannot start. */
#define EXIT_NO_START   126

/* The program's register x_i. */
#define USER(i)         (4 * (i))(s0)
#define USER_SP         USER(2)
#define USER_A0         USER(10)
#define USER_A1         USER(11)
#define USER_A2         USER(12)
#define USER_A7         USER(17)

/* A function or table that debuggers know by name. */
.macro BEGIN name
    .balign 4
    .global \name
\name:
.endm
.macro END name, type=@function
    .type \name, \type
    .size \name, . - \name
.endm

/* ---- Start ------------------------------------------------------------------------------- */

    .section .start, "ax"

BEGIN _start
    li      s0, USER_REGISTERS
    la      t0, __lockstep_boot
    lw      s1, 4(t0)                   /* The heap begins after the program. */
    lw      t0, 0(t0)
    li      t1, HEAP_END
    bgtu    s1, t1, program_too_high
    addi    t0, t0, -4                  /* MODE-4: MRET goes to MEPC + 4. */
    li      t1, MEPC
    sw      t0, 0(t1)
    la      t0, on_ecall                /* KERN-5: this vector only. */
    li      t1, ECALL_VECTOR
    sw      t0, 0(t1)

    /* The arguments, each ended by a zero byte; s3 becomes the end of the last one. */
    li      s2, ARGUMENTS_START
    mv      s3, s2
    li      s4, ARGUMENTS_END - MAX_IO_BYTES
read_arguments:
    bgtu    s3, s4, arguments_too_long
    li      a0, ARGUMENTS
    mv      a1, s3
    li      a2, MAX_IO_BYTES
    li      a7, READ
    ecall
    add     s3, s3, a0
    bnez    a0, read_arguments

    beq     s2, s3, count_arguments
    lbu     t0, -1(s3)
    beqz    t0, count_arguments
    sb      zero, 0(s3)                 /* A host may forget the last zero byte. */
    addi    s3, s3, 1

    /* t0 = argc: the number of zero bytes. */
count_arguments:
    li      t0, 0
    mv      t1, s2
1:  beq     t1, s3, build_stack
    lbu     t2, 0(t1)
    addi    t1, t1, 1
    seqz    t2, t2
    add     t0, t0, t2
    j       1b

    /* KERN-1: sp -> argc, argv[0] .. argv[argc - 1], 0, 0 (the empty environment). */
build_stack:
    slli    t1, t0, 2
    addi    t1, t1, 3 * 4
    sub     t1, s2, t1
    andi    t1, t1, -16
    sw      t1, USER_SP
    sw      t0, 0(t1)
1:  addi    t1, t1, 4
    beq     s2, s3, start_program
    sw      s2, 0(t1)
2:  lbu     t2, 0(s2)                   /* On to the next argument. */
    addi    s2, s2, 1
    bnez    t2, 2b
    j       1b

start_program:
    sw      zero, 0(t1)
    sw      zero, 4(t1)
    mret

program_too_high:
    la      a1, too_high_message
    la      a2, too_high_message_end
    j       no_start
arguments_too_long:
    la      a1, too_long_message
    la      a2, too_long_message_end
no_start:
    sub     a2, a2, a1
    li      a0, STDERR
    li      a7, WRITE
    ecall
    li      s2, EXIT_NO_START
    j       exit
END _start

/* ---- User ECALLs ------------------------------------------------------------------------- */

    .text

/* KERN-2: the number is in a7, the result goes to a0. */
BEGIN on_ecall
    lw      t0, USER_A7
    lw      a0, USER_A0
    lw      a1, USER_A1
    lw      a2, USER_A2
    li      t1, SYS_WRITE
    beq     t0, t1, sys_write
    li      t1, SYS_READ
    beq     t0, t1, sys_read
    li      t1, SYS_BRK
    beq     t0, t1, sys_brk
    li      t1, SYS_EXIT
    beq     t0, t1, sys_exit
    li      t1, SYS_EXIT_GROUP
    beq     t0, t1, sys_exit
    li      t1, SYS_FSTAT
    beq     t0, t1, sys_fstat
    li      t1, SYS_LSEEK
    beq     t0, t1, sys_lseek
    li      t1, SYS_CLOSE
    beq     t0, t1, sys_close
    li      a0, -ENOSYS
return:
    sw      a0, USER_A0
    mret
bad_descriptor:
    li      a0, -EBADF
    j       return
bad_address:
    li      a0, -EFAULT
    j       return
END on_ecall

/* write(fd, pointer, length): descriptors 1 to 3. */
BEGIN sys_write
    addi    t0, a0, -1
    li      t1, 3
    bgeu    t0, t1, bad_descriptor
    li      s7, WRITE
    j       transfer
END sys_write

/* read(fd, pointer, length): descriptor 0. */
BEGIN sys_read
    bnez    a0, bad_descriptor
    li      s7, READ
    /* Falls into transfer. */
END sys_read

/*
 * Moves a2 bytes at a1 through descriptor a0 by the machine ECALL s7, in chunks of at most
 * MAX_IO_BYTES, until all are moved or the host moves fewer than it was asked for.
 */
BEGIN transfer
    jal     s10, check_buffer
    mv      s2, a0
    mv      s3, a1
    mv      s4, a2
    li      s5, 0
1:  beqz    s4, 3f
    li      s6, MAX_IO_BYTES
    bgeu    s4, s6, 2f
    mv      s6, s4
2:  mv      a0, s2
    mv      a1, s3
    mv      a2, s6
    mv      a7, s7
    ecall
    sub     s4, s4, a0
    add     s3, s3, a0
    add     s5, s5, a0
    bne     a0, s6, 3f
    j       1b
3:  li      t0, JOURNAL
    bne     s2, t0, 4f
    sub     a1, s3, s5
    mv      a2, s5
    jal     s10, journal_append
4:  mv      a0, s5
    j       return
END transfer

/*
 * Returns to s10 if the a2 bytes at a1 are user memory, else fails with EFAULT (KERN-4).
 * An empty buffer may be anywhere, as on Linux.
 */
BEGIN check_buffer
    beqz    a2, 1f
    li      t0, USER_START
    bltu    a1, t0, bad_address
    li      t0, USER_END
    bgeu    a1, t0, bad_address
    sub     t0, t0, a1
    bgtu    a2, t0, bad_address
1:  jr      s10
END check_buffer

/* brk(address): moves the end of the heap if it can, and returns where it is. */
BEGIN sys_brk
    la      t0, __lockstep_boot
    lw      t0, 4(t0)
    bltu    a0, t0, 1f
    li      t0, HEAP_END
    bgtu    a0, t0, 1f
    mv      s1, a0
1:  mv      a0, s1
    j       return
END sys_brk

/*
 * fstat(fd, pointer): descriptors 0 to 3 are character devices. The structure is libgloss's
 * `struct kernel_stat`; it is written in bytes, because the pointer may be misaligned.
 */
#define STAT_BYTES      128
#define STAT_MODE       16
#define STAT_NLINK      20
#define STAT_BLKSIZE    56
#define MODE_CHARACTER_DEVICE 0x2190    /* S_IFCHR | 0620 */
BEGIN sys_fstat
    li      t0, JOURNAL
    bgtu    a0, t0, bad_descriptor
    li      a2, STAT_BYTES
    jal     s10, check_buffer
    add     t0, a1, a2
1:  addi    t0, t0, -1
    sb      zero, 0(t0)
    bne     t0, a1, 1b
    li      t0, MODE_CHARACTER_DEVICE & 0xff
    sb      t0, STAT_MODE(a1)
    li      t0, MODE_CHARACTER_DEVICE >> 8
    sb      t0, STAT_MODE + 1(a1)
    li      t0, 1
    sb      t0, STAT_NLINK(a1)
    li      t0, MAX_IO_BYTES >> 8
    sb      t0, STAT_BLKSIZE + 1(a1)
    li      a0, 0
    j       return
END sys_fstat

/* lseek(fd, offset, whence): no descriptor can seek. */
BEGIN sys_lseek
    li      t0, JOURNAL
    bgtu    a0, t0, bad_descriptor
    li      a0, -ESPIPE
    j       return
END sys_lseek

/* close(fd): allowed, and without effect. */
BEGIN sys_close
    li      t0, JOURNAL
    bgtu    a0, t0, bad_descriptor
    li      a0, 0
    j       return
END sys_close

/* exit(code): KERN-6, ECALL-2. */
BEGIN sys_exit
    andi    s2, a0, 0xff
exit:
    jal     s10, journal_finish
    slli    a0, s2, 16
    li      a1, 0
    li      a7, TERMINATE
    ecall
END sys_exit

/* ---- The journal: SHA-256 (FIPS 180-4) of what was written to descriptor 3 ------------------ */

/*
 * SHA-256 reads its message as big-endian words. Byte k of a block is therefore kept at
 * journal_block + (k ^ 3), where a little-endian load of the word finds it in place.
 */

/* Appends the a2 bytes at a1; returns to s10. Changes a0 to a7 and t0 to t6. */
BEGIN journal_append
    la      t0, journal_count           /* The count of bytes has 64 bits. */
    lw      t1, 0(t0)
    lw      t2, 4(t0)
    add     t3, t1, a2
    sltu    t4, t3, t1
    add     t2, t2, t4
    sw      t3, 0(t0)
    sw      t2, 4(t0)
    mv      s8, a1
    add     s9, a1, a2
1:  beq     s8, s9, 2f
    lbu     a0, 0(s8)
    addi    s8, s8, 1
    jal     ra, journal_byte
    j       1b
2:  jr      s10
END journal_append

/* Appends the byte a0 to the block, and hashes the block when it is full; returns to ra. */
BEGIN journal_byte
    la      t0, journal_used
    lw      t1, 0(t0)
    la      t2, journal_block
    xori    t3, t1, 3
    add     t3, t3, t2
    sb      a0, 0(t3)
    addi    t1, t1, 1
    andi    t1, t1, 63
    sw      t1, 0(t0)
    beqz    t1, sha256_block
    ret
END journal_byte

/* Pads the message, hashes what is left, and stores the digest; returns to s10. */
BEGIN journal_finish
    la      t0, journal_count
    lw      t1, 0(t0)
    lw      t2, 4(t0)
    or      t1, t1, t2
    la      t0, empty_digest            /* Most programs have no journal: spares them the hashing. */
    beqz    t1, store_digest

    li      a0, 0x80
1:  jal     ra, journal_byte
    la      t0, journal_used
    lw      t0, 0(t0)
    li      a0, 0
    li      t1, 56                      /* The last 8 bytes of the last block are the length. */
    bne     t0, t1, 1b

    la      t0, journal_count           /* The length of the message in bits. */
    lw      t1, 0(t0)
    lw      t2, 4(t0)
    slli    t2, t2, 3
    srli    t3, t1, 29
    or      t2, t2, t3
    slli    t1, t1, 3
    la      t0, journal_block
    sw      t2, 56(t0)
    sw      t1, 60(t0)
    jal     ra, sha256_block

    la      t0, journal_state
    /* KERN-6: big-endian words, so that the bytes in memory are the digest as usually written. */
store_digest:
    li      t1, OUTPUT_DIGEST
    addi    t2, t0, 8 * 4
2:  lbu     t3, 3(t0)
    sb      t3, 0(t1)
    lbu     t3, 2(t0)
    sb      t3, 1(t1)
    lbu     t3, 1(t0)
    sb      t3, 2(t1)
    lbu     t3, 0(t0)
    sb      t3, 3(t1)
    addi    t0, t0, 4
    addi    t1, t1, 4
    bne     t0, t2, 2b
    jr      s10
END journal_finish

/* rd = rs rotated right by n; uses t4. */
.macro rotr rd, rs, n
    srli    t4, \rs, \n
    slli    \rd, \rs, 32 - \n
    or      \rd, \rd, t4
.endm

/* One round of section 6.2.2, step 3, with K and W from t6 and t5; h and d are replaced. */
.macro round a, b, c, d, e, f, g, h
    lw      t0, 0(t6)
    lw      t1, 0(t5)
    add     \h, \h, t0
    add     \h, \h, t1
    rotr    t0, \e, 6
    rotr    t1, \e, 11
    xor     t0, t0, t1
    rotr    t1, \e, 25
    xor     t0, t0, t1
    add     \h, \h, t0                  /* Sigma1(e) */
    xor     t0, \f, \g
    and     t0, t0, \e
    xor     t0, t0, \g
    add     \h, \h, t0                  /* Ch(e, f, g); h is T1 now */
    add     \d, \d, \h
    rotr    t0, \a, 2
    rotr    t1, \a, 13
    xor     t0, t0, t1
    rotr    t1, \a, 22
    xor     t0, t0, t1
    add     \h, \h, t0                  /* Sigma0(a) */
    or      t0, \a, \b
    and     t0, t0, \c
    and     t1, \a, \b
    or      t0, t0, t1
    add     \h, \h, t0                  /* Maj(a, b, c) */
    addi    t5, t5, 4
    addi    t6, t6, 4
.endm

/* Hashes journal_block into journal_state; returns to ra. */
BEGIN sha256_block
    /* The message schedule: W[i] = W[i-16] + sigma0(W[i-15]) + W[i-7] + sigma1(W[i-2]). */
    la      t5, journal_block
    addi    t6, t5, (64 - 16) * 4
1:  lw      a0, 0(t5)
    lw      a1, 1 * 4(t5)
    lw      a2, 9 * 4(t5)
    lw      a3, 14 * 4(t5)
    rotr    t0, a1, 7
    rotr    t1, a1, 18
    xor     t0, t0, t1
    srli    t1, a1, 3
    xor     t0, t0, t1
    rotr    t1, a3, 17
    rotr    t2, a3, 19
    xor     t1, t1, t2
    srli    t2, a3, 10
    xor     t1, t1, t2
    add     a0, a0, t0
    add     a0, a0, a2
    add     a0, a0, t1
    sw      a0, 16 * 4(t5)
    addi    t5, t5, 4
    bne     t5, t6, 1b

    /* The working variables a to h are a0 to a7. Eight rounds bring each back to its place. */
    la      t3, journal_state
    lw      a0, 0 * 4(t3)
    lw      a1, 1 * 4(t3)
    lw      a2, 2 * 4(t3)
    lw      a3, 3 * 4(t3)
    lw      a4, 4 * 4(t3)
    lw      a5, 5 * 4(t3)
    lw      a6, 6 * 4(t3)
    lw      a7, 7 * 4(t3)
    la      t5, journal_block
    la      t6, sha256_constants
    addi    t2, t6, 64 * 4
2:  round   a0, a1, a2, a3, a4, a5, a6, a7
    round   a7, a0, a1, a2, a3, a4, a5, a6
    round   a6, a7, a0, a1, a2, a3, a4, a5
    round   a5, a6, a7, a0, a1, a2, a3, a4
    round   a4, a5, a6, a7, a0, a1, a2, a3
    round   a3, a4, a5, a6, a7, a0, a1, a2
    round   a2, a3, a4, a5, a6, a7, a0, a1
    round   a1, a2, a3, a4, a5, a6, a7, a0
    bne     t6, t2, 2b

.macro accumulate i, register
    lw      t0, 4 * \i(t3)
    add     t0, t0, \register
    sw      t0, 4 * \i(t3)
.endm
    accumulate 0, a0
    accumulate 1, a1
    accumulate 2, a2
    accumulate 3, a3
    accumulate 4, a4
    accumulate 5, a5
    accumulate 6, a6
    accumulate 7, a7
    ret
END sha256_block

/* ---- Tables and state -------------------------------------------------------------------- */

    .section .rodata

/* FIPS 180-4, section 4.2.2. */
BEGIN sha256_constants
    .word 0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5
    .word 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174
    .word 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da
    .word 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967
    .word 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85
    .word 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070
    .word 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3
    .word 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
END sha256_constants, @object

/* SHA-256 of nothing. */
BEGIN empty_digest
    .word 0xe3b0c442, 0x98fc1c14, 0x9afbf4c8, 0x996fb924, 0x27ae41e4, 0x649b934c, 0xa495991b, 0x7852b855
END empty_digest, @object

BEGIN too_high_message
    .ascii "kernel: the program reaches above 0xbf700000, where its stack is; link it below (KERN-1)\n"
too_high_message_end:
END too_high_message, @object

BEGIN too_long_message
    .ascii "kernel: the program's arguments are longer than 1 MiB (KERN-1)\n"
too_long_message_end:
END too_long_message, @object

    .data

/* ELF-9: the loader stores the program's entry and the first address after the program here. */
BEGIN __lockstep_boot
    .word 0, 0
END __lockstep_boot, @object

/* The intermediate hash value; FIPS 180-4, section 5.3.3, is where it starts. */
BEGIN journal_state
    .word 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19
END journal_state, @object

    .bss

/* The bytes of the journal so far. */
BEGIN journal_count
    .zero 8
END journal_count, @object

/* The bytes of journal_block in use, 0 to 63. */
BEGIN journal_used
    .zero 4
END journal_used, @object

/* The block being filled, and behind it the rest of the message schedule. */
BEGIN journal_block
    .zero 64 * 4
END journal_block, @object
