# FENCE in every encoding with funct3 = 0 retires and does nothing.
# clauses: ISA-4
# kernel: both
#include "own.h"

        START
        CHECK   1
        li      a0, 0x1234
        fence
        fence   r, w
        fence   iorw, iorw
        fence.tso
        .word   0x0100000f              # PAUSE
        .word   0x0000000f              # no predecessor, no successor
        .word   0x0000050f              # rd = a0
        .word   0x0005050f              # rs1 = a0, rd = a0
        .word   0xf005050f              # every fm
        .word   0x8ff0050f
        .word   0xffff8f8f              # everything but funct3
        EXPECT  a0, 0x1234
        PASS
