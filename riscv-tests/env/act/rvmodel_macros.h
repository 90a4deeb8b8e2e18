/* Our model for the sources of today's riscv-arch-test. Where a signature is to be written, the framework's own
 * sail_macros.h replaces most of this. */
#ifndef LOCKSTEP_RVMODEL_MACROS_H
#define LOCKSTEP_RVMODEL_MACROS_H

#define RVMODEL_DATA_SECTION                    \
        .pushsection .data;                     \
        .balign 8; .globl tohost;               \
tohost: .dword  0;                              \
        .balign 8; .globl fromhost;             \
fromhost: .dword 0;                             \
        .popsection

/* No CSRs to set up. */
#define RVMODEL_BOOT_TO_MMODE

/* terminate (ECALL-2). */
#define RVMODEL_HALT_PASS                       \
        li      a7, 0;                          \
        li      a0, 0;                          \
        ecall;                                  \
        .word   0;

#define RVMODEL_HALT_FAIL                       \
        li      a7, 0;                          \
        li      a0, 0x10000;                    \
        ecall;                                  \
        .word   0;

#define RVMODEL_IO_WRITE_STR(_R1, _R2, _R3, _STR_PTR)

#define RVMODEL_INTERRUPT_LATENCY               1
#define RVMODEL_TIMER_INT_SOON_DELAY            1
#define RVMODEL_MAX_CYCLES_PER_TIMER_TICK       1

#define RVMODEL_SET_MEXT_INT(_R1, _R2)
#define RVMODEL_CLR_MEXT_INT(_R1, _R2)
#define RVMODEL_SET_MSW_INT(_R1, _R2)
#define RVMODEL_CLR_MSW_INT(_R1, _R2)
#define RVMODEL_SET_SEXT_INT(_R1, _R2)
#define RVMODEL_CLR_SEXT_INT(_R1, _R2)
#define RVMODEL_SET_SSW_INT(_R1, _R2)
#define RVMODEL_CLR_SSW_INT(_R1, _R2)

#endif
