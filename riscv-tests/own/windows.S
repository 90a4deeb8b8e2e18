# The registers are memory: each x_i of each mode is a word of its window, for loads and stores of every width.
# clauses: MAP-6 MAP-7 MODE-3 ISA-6
#include "own.h"

        START
        CHECK   1                       # what an instruction writes is seen by a load
        li      s0, 0x11223344
        EXPECT_WORD MACHINE_REGS+4*8, 0x11223344
        li      a0, MACHINE_REGS
        lbu     a1, 4*8+3(a0)
        EXPECT  a1, 0x11
        lhu     a1, 4*8+0(a0)
        EXPECT  a1, 0x3344

        CHECK   2                       # what a store writes is seen by an instruction
        STORE_WORD MACHINE_REGS+4*9, 0x8badf00d
        EXPECT  s1, -0x74520ff3
        li      a1, 0x80
        sb      a1, 4*9+0(a0)
        EXPECT  s1, -0x74520f80
        li      a1, 0x1234
        sh      a1, 4*9+2(a0)
        EXPECT  s1, 0x1234f080

        CHECK   3                       # a load into the register it loads from
        lw      s1, 4*9(a0)
        EXPECT  s1, 0x1234f080
        lb      s1, 4*9(a0)
        EXPECT  s1, -0x80

        CHECK   4                       # a store of the register into its own cell
        sw      s1, 4*9(a0)
        EXPECT  s1, -0x80

        CHECK   5                       # every user register, written and read through the window
        li      a0, USER_REGS
        li      a1, 1
1:      slli    a2, a1, 2
        add     a2, a2, a0
        slli    a3, a1, 24
        or      a3, a3, a1
        sw      a3, 0(a2)
        lw      a4, 0(a2)
        bne     a3, a4, fail
        addi    a1, a1, 1
        li      a5, 32
        bne     a1, a5, 1b
        EXPECT  s0, 0x11223344          # and ours have not moved

        CHECK   6                       # user mode finds them
        STORE_LABEL ECALL_VECTOR, on_ecall
        ENTER_USER user

        .section .kernel, "ax"
on_ecall:
        la      t6, checked             # still in machine mode, which may execute user memory
        jr      t6
        .text
checked:
        EXPECT_WORD USER_REGS+4*10, 0xcb0001cb      # 459 * (2^24 + 1)
        CHECK   7                       # the words of x0 are plain memory, and x0 still reads 0
        STORE_WORD MACHINE_REGS, 0x77777777
        STORE_WORD USER_REGS, 0x66666666
        EXPECT_WORD MACHINE_REGS, 0x77777777
        EXPECT_WORD USER_REGS, 0x66666666
        bnez    zero, fail
        add     a0, zero, zero
        bnez    a0, fail
        li      a0, MACHINE_REGS
        lb      a1, 1(a0)
        EXPECT  a1, 0x77
        CHECK   8                       # a store of x0 stores 0, not that word
        li      a2, -1
        sw      a2, 0(a0)
        sw      zero, 4*11(a0)
        bnez    a1, fail
        PASS
        nop
user:   li      s11, 0                  # x_i is i * 2^24 + i: the sum of all but s11 and a0 is known
        mv      a0, ra
        .irp    reg, sp, gp, tp, t0, t1, t2, s0, s1, a1, a2, a3, a4, a5, a6, a7
        add     a0, a0, \reg
        .endr
        .irp    reg, s2, s3, s4, s5, s6, s7, s8, s9, s10, t3, t4, t5, t6
        add     a0, a0, \reg
        .endr
        ecall
        .word   0
