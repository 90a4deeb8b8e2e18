# The machine ECALLs read and write, their results, their limits that succeed.
# clauses: ECALL-1 ECALL-3 ECALL-4 ECALL-7 ECALL-8 ECALL-10
# stdin: lockstep
# stdout: lockLOCK
#include "own.h"

.macro CALL number, fd, pointer, length
        li      a7, \number
        li      a0, \fd
        la      a1, \pointer
        li      a2, \length
        ecall
.endm

        START
        CHECK   1                       # four bytes of the input; the byte behind them stays
        CALL    READ, 0, buffer, 4
        EXPECT  a0, 4
        EXPECT_AT buffer, 0x6b636f6c
        EXPECT_AT buffer+4, -1
        CHECK   2                       # other registers stay
        EXPECT  a7, READ
        EXPECT  a2, 4
        la      t0, buffer
        bne     t0, a1, fail
        CHECK   3                       # an unaligned buffer
        CALL    READ, 0, buffer+5, 2
        EXPECT  a0, 2
        EXPECT_AT buffer+4, 0xff7473ff
        CHECK   4                       # more than there is: the count says so
        CALL    READ, 0, buffer+8, 1024
        EXPECT  a0, 2
        EXPECT_AT buffer+8, 0xffff7065
        CHECK   5                       # the end of the input
        CALL    READ, 0, buffer+8, 4
        EXPECT  a0, 0
        EXPECT_AT buffer+8, 0xffff7065
        CHECK   6                       # a length of 0 looks at no pointer
        CALL    READ, 0, 0, 0
        EXPECT  a0, 0
        CALL    WRITE, 1, 0, 0
        EXPECT  a0, 0
        CALL    WRITE, 1, -1, 0
        EXPECT  a0, 0
        CHECK   7
        CALL    WRITE, 1, buffer, 4
        EXPECT  a0, 4
        CALL    WRITE, 1, upper+1, 4
        EXPECT  a0, 4
        CHECK   8                       # the last bytes of kernel memory, 1024 of them, to the journal
        CALL    WRITE, 3, 0xFEFFFC00, 1024
        EXPECT  a0, 1024
        CALL    READ, 0, 0x00010000 - 0, 0
        EXPECT  a0, 0
        PASS

        .data
        .balign 4
buffer: .word   -1, -1, -1, -1
        .space  1024
upper:  .ascii  " LOCK "
