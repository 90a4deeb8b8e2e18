# A load sees the store before it, and a store may use what a load has just delivered, in all widths
# and at all distances. Same intent as the official ld_st, own text.
# clauses: MEM-1 MEM-2 MEM-6 ISA-14
# kernel: both
#include "own.h"

# load, change, store, load again
.macro LDST n, load, store, offset, first, second
        CHECK   \n
        la      a0, area
        li      a1, \first
        \store  a1, \offset(a0)
        \load   a2, \offset(a0)
        EXPECT  a2, \first
        li      a3, \second - \first
        add     a2, a2, a3
        \store  a2, \offset(a0)
        \load   a4, \offset(a0)
        EXPECT  a4, \second
.endm

        START
        LDST    1, lb, sb, 0, 0x11, 0x22
        LDST    2, lb, sb, 1, 0x12, -0x22
        LDST    3, lbu, sb, 2, 0x13, 0xfe
        LDST    4, lbu, sb, 3, 0x80, 0xff
        LDST    5, lh, sh, 4, 0x1234, -0x1234
        LDST    6, lhu, sh, 6, 0x8000, 0xfffe
        LDST    7, lw, sw, 8, 0x12345678, -0x12345678
        LDST    8, lw, sw, -4, 0x7fffffff, -0x7fffffff
        LDST    9, lw, sw, -2048, 0x01020304, 0x05060708
        LDST    10, lb, sb, 2047, 0x55, 0x2a

        CHECK   11                      # a chain: each store takes the load before it
        la      a0, area
        li      a1, 0x0badcafe
        sw      a1, 16(a0)
        li      a2, 64
1:      lw      a3, 16(a0)
        sw      a3, 20(a0)
        lw      a4, 20(a0)
        sw      a4, 24(a0)
        lw      a5, 24(a0)
        addi    a5, a5, 1
        sw      a5, 16(a0)
        addi    a2, a2, -1
        bnez    a2, 1b
        lw      a3, 16(a0)
        EXPECT  a3, 0x0badcb3e

        CHECK   12                      # the loaded word is the next address
        la      a1, area+32
        sw      a1, 28(a0)
        lw      a2, 28(a0)
        sw      a2, 0(a2)
        lw      a3, 32(a0)
        bne     a3, a1, fail

        CHECK   13                      # untouched memory reads 0
        lw      a2, 400(a0)
        EXPECT  a2, 0
        li      a1, 0xBFFF0000
        lw      a2, 0(a1)
        EXPECT  a2, 0
        PASS

        .bss
        .balign 16
        .space 2048
area:   .space 2064
