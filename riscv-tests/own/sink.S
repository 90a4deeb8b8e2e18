# A value written to x0 goes to the sink cell of the mode; x0 reads 0 ever after.
# clauses: ISA-6 MAP-7 MODE-3
#include "own.h"

        START
        CHECK   1
        EXPECT_WORD USER_SINK, 0
        li      a0, 0x1111
        li      a1, 0x2222
        add     zero, a0, a1
        EXPECT_WORD MACHINE_SINK, 0x3333
        bnez    zero, fail
        CHECK   2                       # every family: LUI, AUIPC, JAL, JALR, a load, MUL, DIV, SLT
        lui     zero, 0xabcde
        EXPECT_WORD MACHINE_SINK, 0xabcde000
1:      auipc   zero, 0
        la      a2, 1b
        li      a3, MACHINE_SINK
        lw      a4, 0(a3)
        bne     a2, a4, fail
2:      j       3f                      # JAL x0: the link goes to the sink
3:      la      a2, 2b + 4
        lw      a4, 0(a3)
        bne     a2, a4, fail
        la      a0, 4f
        jr      a0
4:      la      a2, 4b
        lw      a4, 0(a3)
        bne     a2, a4, fail
        la      a0, data
        lw      zero, 0(a0)
        EXPECT_WORD MACHINE_SINK, 0x600df00d
        lb      zero, 0(a0)
        EXPECT_WORD MACHINE_SINK, 0x0000000d
        li      a1, 7
        mul     zero, a1, a1
        EXPECT_WORD MACHINE_SINK, 49
        div     zero, a1, zero
        EXPECT_WORD MACHINE_SINK, -1
        sltu    zero, zero, a1
        EXPECT_WORD MACHINE_SINK, 1
        CHECK   3                       # stores and branches do not write it
        li      a2, 0x44
        sw      a2, 4(a0)
        beq     a2, a2, 5f
        j       fail
5:      EXPECT_WORD MACHINE_SINK, 1
        CHECK   4                       # the sink is memory, of every width
        sb      a2, 3(a3)
        EXPECT_WORD MACHINE_SINK, 0x44000001
        CHECK   5                       # user mode has its own
        STORE_LABEL ECALL_VECTOR, on_ecall
        ENTER_USER user

        .section .kernel, "ax"
on_ecall:
        la      t6, checked             # still in machine mode, which may execute user memory
        jalr    t5, 0(t6)               # not jr, whose link would go to the sink
        .text
checked:
        EXPECT_WORD USER_SINK, 0x5678
        EXPECT_WORD MACHINE_SINK, 0x44000001
        PASS
        nop
user:   li      a0, 0x5678
        mv      zero, a0
        ecall
        .word   0
        .data
        .balign 4
data:   .word   0x600df00d, 0
