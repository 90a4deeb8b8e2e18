# Machine mode may load, store and fetch everywhere from 0x00010000 on.
# clauses: MAP-2 MAP-3 MAP-4 MAP-5 MAP-12 MEM-1 MEM-2
#include "own.h"

# a word, half-words and bytes at address
.macro ALLOWED n, addresses:vararg
        .irp    address, \addresses
        CHECK   \n
        li      a0, \address
        lw      a1, 0(a0)
        EXPECT  a1, 0
        li      a1, 0x8899aabb
        sw      a1, 0(a0)
        lh      a2, 2(a0)
        EXPECT  a2, -0x7767
        lbu     a2, 1(a0)
        EXPECT  a2, 0xaa
        sb      zero, 3(a0)
        sh      zero, 0(a0)
        lw      a2, 0(a0)
        EXPECT  a2, 0x00990000
        .endr
.endm

# addi a0, a0, 1 and ret, executed at address
.macro EXECUTES n, addresses:vararg
        .irp    address, \addresses
        CHECK   \n
        li      a1, \address
        li      a2, 0x00150513
        sw      a2, 0(a1)
        li      a2, 0x00008067
        sw      a2, 4(a1)
        li      a0, 6
        jalr    ra, 0(a1)
        EXPECT  a0, 7
        .endr
.endm

        START
        ALLOWED 1, 0x00020000, 0x3FFFFFFC, 0x80000000, 0xBFFFFFFC
        ALLOWED 2, 0xC0000000, 0xFEFFFFFC
        ALLOWED 3, 0xFF000000, 0xFFFEFFFC, 0xFFFF0104, 0xFFFF0208, 0xFFFF0220, 0xFFFF0240, 0xFFFF027C, 0xFFFF0304, 0xFFFFFFFC
        CHECK   4
        EXPECT_WORD VERSION_WORD, 0
        CHECK   5
        EXPECT_WORD INPUT_DIGEST, 0
        EXECUTES 6, 0x00030000, 0xBFFFFFF8, 0xC0001000, 0xFEFFFFF8, 0xFF000000, 0xFFFF3000, 0xFFFFFFF8

        CHECK   7                       # a kernel word and its user neighbour are different words
        li      a0, 0xC0000000
        li      a1, 0x11
        sw      a1, -4(a0)
        li      a1, 0x22
        sw      a1, 0(a0)
        lw      a2, -4(a0)
        EXPECT  a2, 0x11
        PASS
