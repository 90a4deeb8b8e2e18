# What RISC Zero's library does around `main`, and its call to panic.
        # gp is not set.
        .option norelax
        .globl _start
_start: li      sp, 0x00200400
        call    main
        li      t0, 0
        li      a0, 0
        la      a1, digest
        ecall

        .globl sys_panic
        .type sys_panic, @function
sys_panic:
        mv      a3, a0
        mv      a4, a1
        li      t0, 2
        li      t6, 9
        li      a0, 0
        li      a1, 0
        la      a2, name
        ecall
        .size sys_panic, . - sys_panic

        .data
        .balign 4
digest: .zero   32
name:   .asciz  "risc0_zkvm_platform::syscall::nr::SYS_PANIC"
