# Encodings that are no row of the table are illegal instructions, in user mode and (by its absence) with no effect.
# clauses: ISA-2 ISA-3 ISA-5 MODE-5 TRAP-2 TRAP-3
#include "own.h"

.macro ILLEGAL n, words:vararg
        .irp    word, \words
        TRAPS   \n, .word \word
        .endr
.endm

        START_USER
        li      a0, 0x1111
        li      a1, 0x2222
        ILLEGAL 1, 0, 0xffffffff, 0xc0001073
        # CSRRW, CSRRS, CSRRC and their immediate forms; rdcycle
        ILLEGAL 2, 0x30051573, 0x30052573, 0x30053573, 0x3000d573, 0x3000e573, 0x3000f573, 0xc0002573
        # FENCE.I; other funct3 of MISC-MEM
        ILLEGAL 3, 0x0000100f, 0x0000200f, 0x0000700f
        # WFI, SRET, URET, SFENCE.VMA
        ILLEGAL 4, 0x10500073, 0x10200073, 0x00200073, 0x12000073
        # MRET is for machine mode; EBREAK traps too
        ILLEGAL 5, 0x30200073, 0x00100073
        # ECALL, EBREAK, MRET with rd or rs1 set
        ILLEGAL 6, 0x000000f3, 0x00008073, 0x001000f3, 0x00108073, 0x302000f3, 0x30208073
        # lr.w, sc.w, amoadd.w, amoswap.w
        ILLEGAL 7, 0x1005a52f, 0x18b5a52f, 0x00b5a52f, 0x08b5a52f
        # flw, fsw, fadd.s
        ILLEGAL 8, 0x0005a507, 0x00a5a027, 0x00b57553
        # compressed: c.li a0, 1 twice; c.ebreak twice
        ILLEGAL 9, 0x45054505, 0x90029002
        # JALR with funct3 of 1 to 7
        ILLEGAL 10, 0x00059567, 0x0005a567, 0x0005b567, 0x0005c567, 0x0005d567, 0x0005e567, 0x0005f567
        # SLLI, SRLI, SRAI with a bad funct7: shift amount bit 5, bit 30 of SLLI, bit 25
        ILLEGAL 11, 0x02059513, 0x40059513, 0x0205d513, 0x4205d513, 0x8005d513
        # OP with a bad funct7: SUB forms of SLL, SLT, XOR; 0x03, 0x40
        ILLEGAL 12, 0x40b51533, 0x40b52533, 0x40b54533, 0x06b50533, 0x80b50533, 0x42b50533
        # loads 3, 6, 7; stores 3 to 7; branches 2, 3
        ILLEGAL 13, 0x0005b503, 0x0005e503, 0x0005f503
        ILLEGAL 14, 0x00a5b023, 0x00a5c023, 0x00a5d023, 0x00a5e023, 0x00a5f023
        ILLEGAL 15, 0x00b52063, 0x00b53063
        # RV64: lwu, ld, sd, addiw, addw; custom-0; opcode bits 1..0 not 11
        ILLEGAL 16, 0x0005e503, 0x0015051b, 0x00b5053b, 0x0000000b, 0x00b50530, 0x00b50531, 0x00b50532
        # vector: vadd.vv
        ILLEGAL 17, 0x02000057
        EXPECT  a0, 0x1111
        EXPECT  a1, 0x2222
        USER_PASS
