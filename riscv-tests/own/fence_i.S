# Code that is stored is executed by the next fetch of it, with no fence and with a FENCE between.
# Same intent as the official fence_i; the instruction FENCE.I itself does not exist here (illegal.S).
# clauses: MEM-5 MEM-7 ISA-4
# kernel: both
#include "own.h"

        START
        CHECK 1                         # patched before it was ever executed
        la      t0, slot
        lw      t1, addi_22
        sw      t1, 0(t0)
        li      a0, 0
        jal     ra, slot
        EXPECT  a0, 22

        CHECK 2                         # patched after it was executed
        lw      t1, addi_33
        sw      t1, 0(t0)
        li      a0, 0
        jal     ra, slot
        EXPECT  a0, 33

        CHECK 3                         # with a FENCE
        lw      t1, addi_44
        sw      t1, 0(t0)
        fence
        li      a0, 0
        jal     ra, slot
        EXPECT  a0, 44

        CHECK 4                         # the very next instruction
        lw      t1, addi_55
        la      t0, next
        li      a0, 0
        sw      t1, 0(t0)
next:   addi    a0, a0, 1
        EXPECT  a0, 55

        CHECK 5                         # one byte of it: the immediate 55 becomes 0x3ff
        la      t0, slot
        li      t1, 0x3f
        sb      t1, 3(t0)
        li      t1, 0xf5
        lbu     t2, 2(t0)
        or      t2, t2, t1
        sb      t2, 2(t0)
        li      a0, 0
        jal     ra, slot
        EXPECT  a0, 0x3ff

        CHECK 6                         # a half-word at a time, in a loop: the code changes in every turn
        la      t0, slot
        lw      t1, addi_22
        sw      t1, 0(t0)
        li      a0, 0
        li      a1, 22
        li      s0, 100
        li      s1, 0
1:      jal     ra, slot
        add     s1, s1, a1
        bne     a0, s1, fail
        addi    a1, a1, 1
        slli    t2, a1, 4               # bits 31..20: the immediate
        ori     t2, t2, 5               # bits 19..16: of rs1 = x10 = 01010 the upper four
        sh      t2, 2(t0)
        addi    s0, s0, -1
        bnez    s0, 1b
        PASS

slot:   addi    a0, a0, 11
        ret
addi_22: addi   a0, a0, 22
addi_33: addi   a0, a0, 33
addi_44: addi   a0, a0, 44
addi_55: addi   a0, a0, 55
