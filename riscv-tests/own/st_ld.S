# A store of one width is seen by loads of every other width, and leaves its neighbours alone.
# Same intent as the official st_ld, own text.
# clauses: MEM-1 MEM-6 ISA-14
# kernel: both
#include "own.h"

# the word at a0 must hold value, as a word, as half-words and as bytes, signed and unsigned
.macro HOLDS value
        lw      a1, 0(a0)
        EXPECT  a1, \value
        lhu     a1, 0(a0)
        EXPECT  a1, (\value) & 0xffff
        lhu     a1, 2(a0)
        EXPECT  a1, ((\value) >> 16) & 0xffff
        lh      a1, 0(a0)
        EXPECT  a1, (((\value) & 0xffff) ^ 0x8000) - 0x8000
        lh      a1, 2(a0)
        EXPECT  a1, ((((\value) >> 16) & 0xffff) ^ 0x8000) - 0x8000
        lbu     a1, 0(a0)
        EXPECT  a1, (\value) & 0xff
        lbu     a1, 1(a0)
        EXPECT  a1, ((\value) >> 8) & 0xff
        lbu     a1, 2(a0)
        EXPECT  a1, ((\value) >> 16) & 0xff
        lbu     a1, 3(a0)
        EXPECT  a1, ((\value) >> 24) & 0xff
        lb      a1, 0(a0)
        EXPECT  a1, (((\value) & 0xff) ^ 0x80) - 0x80
        lb      a1, 1(a0)
        EXPECT  a1, ((((\value) >> 8) & 0xff) ^ 0x80) - 0x80
        lb      a1, 2(a0)
        EXPECT  a1, ((((\value) >> 16) & 0xff) ^ 0x80) - 0x80
        lb      a1, 3(a0)
        EXPECT  a1, ((((\value) >> 24) & 0xff) ^ 0x80) - 0x80
.endm

.macro STLD n, store, offset, value, after
        CHECK   \n
        li      a2, \value
        \store  a2, \offset(a0)
        HOLDS   \after
        lw      a1, -4(a0)              # the neighbours
        EXPECT  a1, 0x5a5a5a5a
        lw      a1, 4(a0)
        EXPECT  a1, 0xa5a5a5a5
.endm

        START
        la      a0, word
        STLD    1, sw, 0, 0x8091a2b3, 0x8091a2b3
        STLD    2, sb, 0, 0x11223344, 0x8091a244
        STLD    3, sb, 1, 0xffffff7f, 0x80917f44
        STLD    4, sb, 2, 0x00000080, 0x80807f44
        STLD    5, sb, 3, 0x12345601, 0x01807f44
        STLD    6, sh, 0, 0xabcd8001, 0x01808001
        STLD    7, sh, 2, 0x1234fffe, 0xfffe8001
        STLD    8, sw, 0, 0, 0
        STLD    9, sb, 3, -1, 0xff000000
        STLD    10, sh, 0, -1, 0xff00ffff
        PASS

        .data
        .balign 16
        .word   0x5a5a5a5a
word:   .word   0
        .word   0xa5a5a5a5
