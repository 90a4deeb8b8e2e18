# User ECALL, machine mode, MRET and back: pc, MEPC, mode, and two sets of registers.
# clauses: MODE-2 MODE-3 MODE-4 MAP-6 MAP-8 MAP-13 MAP-14 TRAP-3
#include "own.h"

        START
        STORE_LABEL ECALL_VECTOR, on_ecall
        STORE_LABEL TRAP_VECTOR, on_trap
        CHECK   1                       # registers of machine mode, which user mode must not see
        li      ra, 0x101
        li      a0, 0x110
        li      t4, 0x129
        ENTER_USER user

        .section .kernel, "ax"
on_ecall:
        EXPECT  ra, 0x101               # machine registers are as they were
        EXPECT  a0, 0x110
        EXPECT  t4, 0x129
        CHECK   2                       # MEPC is the address of the ECALL
        li      t0, MEPC
        lw      t1, 0(t0)
        la      t2, first_ecall
        bne     t1, t2, fail
        CHECK   3                       # the user's registers are in its window
        EXPECT_WORD USER_REGS+4*1, 0x201
        EXPECT_WORD USER_REGS+4*10, 0x210
        EXPECT_WORD USER_REGS+4*31, 0x231
        CHECK   4                       # and in ours are ours
        EXPECT_WORD MACHINE_REGS+4*1, 0x101
        STORE_LABEL ECALL_VECTOR, on_second_ecall
        STORE_WORD USER_REGS+4*10, 0x555
        mret

on_second_ecall:
        CHECK   6
        li      t0, MEPC
        lw      t1, 0(t0)
        la      t2, second_ecall
        bne     t1, t2, fail
        EXPECT  a0, 0x110
        EXPECT_WORD USER_REGS+4*27, 5
        li      t0, MEPC                # retry: MRET goes to MEPC + 4
        lw      t1, 0(t0)
        addi    t1, t1, -4
        sw      t1, 0(t0)
        STORE_LABEL ECALL_VECTOR, on_retried_ecall
        mret

on_retried_ecall:
        CHECK   7
        li      t0, MEPC
        lw      t1, 0(t0)
        la      t2, second_ecall
        bne     t1, t2, fail
        mret

on_trap:
        CHECK   8                       # the trap came from user mode, at the EBREAK
        li      t0, MEPC
        lw      t1, 0(t0)
        la      t2, user_ebreak
        bne     t1, t2, fail
        EXPECT_WORD USER_REGS+4*27, 7
        PASS

        .text
        nop                             # MEPC + 4 = user
user:   bnez    ra, user_fail           # user registers start as 0
        bnez    a0, user_fail
        bnez    t4, user_fail
        li      ra, 0x201
        li      a0, 0x210
        li      t6, 0x231
first_ecall:
        ecall
        li      s11, 5
        li      t5, 0x555               # the kernel wrote a0 through the window
        bne     a0, t5, user_fail
        li      t5, 0x201
        bne     ra, t5, user_fail
second_ecall:
        ecall
        li      s11, 7
user_ebreak:
        ebreak
user_fail:
        .word   0                       # a trap at another address: check 8 fails
