# User mode may load, store and fetch in user memory only; every edge of the map, in every width.
# Region is checked before alignment.
# clauses: MAP-1 MAP-2 MAP-3 MAP-4 MAP-5 MEM-4 TRAP-2 TRAP-3 TRAP-7
#include "own.h"

.macro FORBIDDEN n, addresses:vararg
        .irp    address, \addresses
        li      a0, \address
        li      a1, 0x7e57
        TRAPS   \n, lb a1, 0(a0)
        TRAPS   \n, lbu a1, 0(a0)
        TRAPS   \n, sb a1, 0(a0)
        TRAPS   \n, lh a1, 0(a0)
        TRAPS   \n, lhu a1, 0(a0)
        TRAPS   \n, sh a1, 0(a0)
        TRAPS   \n, lw a1, 0(a0)
        TRAPS   \n, sw a1, 0(a0)
        EXPECT  a1, 0x7e57
        .endr
.endm

# the fetch at address traps, with MEPC = address
.macro NO_FETCH n, addresses:vararg
        .irp    address, \addresses
        li      s11, \n
        li      t6, \address
        la      t5, 77003f
        jr      t6
77003:  bnez    t6, fail
        .endr
.endm

        START_USER
        FORBIDDEN 1, 0, 4, 0x0000fffc, 0x0000ffff
        FORBIDDEN 2, 0xC0000000, 0xC0000001, 0xFEFFFFFC, 0xFEFFFFFF
        FORBIDDEN 3, 0xFF000000, 0xFFFF0000, 0xFFFF0004, 0xFFFF0080, 0xFFFF0200, 0xFFFF1000, 0xFFFF2000, 0xFFFFFFFC, 0xFFFFFFFF

        CHECK   4                       # the first and the last word of user memory
        li      a0, 0x00010000
        lw      a1, 0(a0)
        lw      a2, _start
        bne     a1, a2, fail
        li      a0, 0xBFFFFFFC
        li      a1, 0x01020384
        sw      a1, 0(a0)
        lb      a2, 0(a0)
        EXPECT  a2, -0x7c
        lbu     a2, 3(a0)
        EXPECT  a2, 1
        lh      a2, 2(a0)
        EXPECT  a2, 0x0102
        TRAPS   5, lw a2, 4(a0)
        TRAPS   6, lb a2, 4(a0)

        CHECK   7                       # wrapping addresses
        li      a0, -4
        TRAPS   7, lw a1, 4(a0)
        li      a0, 0x0000fffc
        lw      a1, 4(a0)
        NO_FETCH 8, 0, 0x0000fffc, 0xC0000000, 0xFEFFFFFC, 0xFF000000, 0xFFFF0000, 0xFFFFFFFC

        CHECK   9                       # the last word of user memory is executed, the fetch behind it traps
        li      a0, 0xBFFFFFFC
        li      a1, 0x00150513          # addi a0, a0, 1
        sw      a1, 0(a0)
        li      t6, 0xC0000000
        la      t5, 1f
        jr      a0
1:      bnez    t6, fail
        EXPECT  a0, 0xBFFFFFFD
        USER_PASS
