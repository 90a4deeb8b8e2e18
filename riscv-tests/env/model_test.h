/* Our model for the sources of riscv-arch-test and riscv-ctg: no CSRs, no output, an ECALL at the end.
 * The signature lies between begin_signature and end_signature; the harness compares all of memory.
 */
#ifndef LOCKSTEP_MODEL_TEST_H
#define LOCKSTEP_MODEL_TEST_H

#define RVMODEL_BOOT

/* terminate (ECALL-2). */
#define RVMODEL_HALT                    \
        .option push;                   \
        .option norvc;                  \
        li      a7, 0;                  \
        li      a0, 0;                  \
        ecall;                          \
        .word   0;                      \
        .option pop;

#define RVMODEL_DATA_BEGIN              \
        .data;                          \
        .align  4;                      \
        .globl  begin_signature;        \
begin_signature:

#define RVMODEL_DATA_END                \
        .align  4;                      \
        .globl  end_signature;          \
end_signature:

#define RVMODEL_IO_INIT
#define RVMODEL_IO_WRITE_STR(_R, _STR)
#define RVMODEL_IO_CHECK()
#define RVMODEL_IO_ASSERT_GPR_EQ(_S, _R, _I)
#define RVMODEL_IO_ASSERT_SFPR_EQ(_F, _R, _I)
#define RVMODEL_IO_ASSERT_DFPR_EQ(_D, _R, _I)

#define RVMODEL_SET_MSW_INT
#define RVMODEL_CLEAR_MSW_INT
#define RVMODEL_CLEAR_MTIMER_INT
#define RVMODEL_CLEAR_MEXT_INT

#endif
