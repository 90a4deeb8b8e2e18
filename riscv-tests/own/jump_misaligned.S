# A jump or taken branch to an address with bit 1 set traps at the jump and writes no rd; JALR clears bit 0;
# a branch that is not taken never traps.
# clauses: ISA-11 ISA-12 ISA-13 TRAP-2 MODE-4
#include "own.h"

        START_USER
        li      ra, 0x1234
        TRAPS   1, .word 0x002000ef     # jal ra, . + 2
        EXPECT  ra, 0x1234
        TRAPS   2, .word 0x0020006f     # j . + 2
        TRAPS   3, .word 0xffffe0ef     # jal ra, far away, bit 1 set in the target
        EXPECT  ra, 0x1234

        la      a0, over
        TRAPS   4, jalr ra, 2(a0)
        EXPECT  ra, 0x1234
        TRAPS   5, jalr ra, 3(a0)
        TRAPS   6, jalr a0, 2(a0)       # rd = rs1
        la      a1, over
        bne     a0, a1, fail
        TRAPS   7, jalr zero, -2(a0)

        CHECK   8                       # bit 0 is cleared: this one goes to over
        jalr    ra, 1(a0)
        j       fail
over:   la      a1, over
        addi    a1, a1, -4
        bne     ra, a1, fail

        li      a0, 5
        li      a1, -5
        TRAPS   9,  .word 0x00a50163    # beq a0, a0, . + 2
        TRAPS   10, .word 0x00b51163    # bne a0, a1, . + 2
        TRAPS   11, .word 0x00a5c163    # blt a1, a0, . + 2
        TRAPS   12, .word 0x00b55163    # bge a0, a1, . + 2
        TRAPS   13, .word 0x00b56163    # bltu a0, a1, . + 2
        TRAPS   14, .word 0x00a5f163    # bgeu a1, a0, . + 2

        CHECK   15                      # not taken
        .word   0x00b50163              # beq a0, a1, . + 2
        .word   0x00a51163              # bne a0, a0, . + 2
        .word   0x00b54163              # blt a0, a1, . + 2
        .word   0x00a5d163              # bge a1, a0, . + 2
        .word   0x00a5e163              # bltu a1, a0, . + 2
        .word   0x00b57163              # bgeu a0, a1, . + 2
        USER_PASS
