# Every misaligned load and store traps; no register and no byte changes. The official ma_data asks for
# the opposite: misaligned accesses that work.
# clauses: MEM-3 TRAP-2 TRAP-3
#include "own.h"

# a load at every offset that is not a multiple of its width
.macro LOADS n, load, offsets:vararg
        .irp    offset, \offsets
        li      a1, 0x600dcafe
        TRAPS   \n, \load a1, \offset(a0)
        EXPECT  a1, 0x600dcafe
        .endr
.endm

.macro STORES n, store, offsets:vararg
        .irp    offset, \offsets
        li      a1, 0xdeadbeef
        TRAPS   \n, \store a1, \offset(a0)
        jal     ra, unchanged
        .endr
.endm

        START_USER
        la      a0, words
        LOADS   1, lh, 1, 3, 5, 7, -1
        LOADS   2, lhu, 1, 3, 5, 7, -1
        LOADS   3, lw, 1, 2, 3, 5, 6, 7, -1, -2
        STORES  4, sh, 1, 3, 5, 7, -1
        STORES  5, sw, 1, 2, 3, 5, 6, 7, -1, -2

        CHECK   6                       # the aligned ones do not trap
        lh      a1, 2(a0)
        EXPECT  a1, 0x3344
        lw      a1, 4(a0)
        EXPECT  a1, 0x55667788
        lb      a1, 3(a0)
        EXPECT  a1, 0x33
        USER_PASS

unchanged:
        lw      a2, -4(a0)
        EXPECT  a2, 0x0f0f0f0f
        lw      a2, 0(a0)
        EXPECT  a2, 0x33441122
        lw      a2, 4(a0)
        EXPECT  a2, 0x55667788
        ret

        .data
        .balign 16
        .word   0x0f0f0f0f
words:  .word   0x33441122, 0x55667788, 0
