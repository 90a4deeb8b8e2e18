# MRET goes to MEPC + 4, wherever that is, and into user mode.
# clauses: MODE-4 MODE-5 MAP-5 TRAP-3
#include "own.h"

        START
        STORE_LABEL TRAP_VECTOR, on_trap
        CHECK   1                       # MEPC + 4 in kernel memory: the fetch traps, at that address
        STORE_WORD MEPC, 0xC0000FFC
        mret

        .section .kernel, "ax"
on_trap:
        li      t0, MEPC
        lw      t1, 0(t0)
        li      t2, 1
        beq     s11, t2, after_kernel
        li      t2, 2
        beq     s11, t2, after_invalid
        li      t2, 3
        beq     s11, t2, after_wrap
        la      t2, user_mret           # 4: MRET in user mode is illegal
        bne     t1, t2, fail
        PASS

after_kernel:
        EXPECT  t1, 0xC0001000
        CHECK   2                       # in the invalid page
        STORE_WORD MEPC, 0x0000FFF0
        mret
after_invalid:
        EXPECT  t1, 0x0000FFF4
        CHECK   3                       # MEPC + 4 wraps to 0
        STORE_WORD MEPC, 0xFFFFFFFC
        mret
after_wrap:
        EXPECT  t1, 0
        CHECK   4
        ENTER_USER user_mret

        .text
        nop
user_mret:
        mret
        .word   0
