# A dispatch vector counts only if it is word aligned and in kernel memory; an ECALL with no ECALL vector goes
# to the trap vector.
# clauses: MAP-13 MAP-14 MAP-15 MODE-2 MODE-6 TRAP-3
#include "own.h"

# a user ECALL with this ECALL vector arrives at the trap vector
.macro REJECTED n, vectors:vararg
        .irp    vector, \vectors
        CHECK   \n
        STORE_WORD ECALL_VECTOR, \vector
        la      s0, 77005f
        ENTER_USER user
77005:
        .endr
.endm

        START
        STORE_LABEL TRAP_VECTOR, on_trap
        REJECTED 1, 0, 0x00010000, 0x00020000, 0xBFFFFFFC, 0xFF000000, 0xFFFF1000, 0xFFFFFFFC
        REJECTED 2, 0xC0000001, 0xC0000002, 0xC0000003
        la      a0, on_ecall
        addi    a0, a0, 2
        li      a1, ECALL_VECTOR
        sw      a0, 0(a1)
        la      s0, 1f
        ENTER_USER user
1:      CHECK   3                       # a valid one wins
        STORE_LABEL ECALL_VECTOR, on_ecall
        ENTER_USER user

        .section .kernel, "ax"
        .balign 4
on_trap:
        li      t0, MEPC
        lw      t1, 0(t0)
        la      t2, user
        bne     t1, t2, fail
        li      t2, 3
        beq     s11, t2, fail
        jr      s0
        .balign 4
on_ecall:
        li      t2, 3
        bne     s11, t2, fail
        CHECK   4                       # the last words of kernel memory are valid targets
        li      a0, 0xFEFFFFF8
        li      a1, 0x00040067          # jr s0
        sw      a1, 0(a0)
        sw      a1, 4(a0)
        STORE_WORD ECALL_VECTOR, 0xFEFFFFFC
        la      s0, 1f
        ENTER_USER user
1:      CHECK   5
        STORE_WORD ECALL_VECTOR, 0
        STORE_WORD TRAP_VECTOR, 0xFEFFFFF8
        la      s0, 2f
        ENTER_USER user
2:      PASS

        .text
        nop
user:   ecall
        .word   0
