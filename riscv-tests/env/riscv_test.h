/* Our environment for the sources of the official riscv-tests.
 *
 * The tests are plain RV32IM; only the environment they come with needs CSRs. This one starts at the
 * first instruction of the test and ends with an ECALL:
 *   machine mode (kernel `none`)      a7 = 0 terminate, a0 = code * 2^16      (ECALL-2)
 *   user mode (-DLOCKSTEP_USER)       a7 = 93 exit,     a0 = code             (KERN-3)
 * code = 0 for pass, 2 * (number of the failing test) + 1 for fail.
 */
#ifndef LOCKSTEP_RISCV_TEST_H
#define LOCKSTEP_RISCV_TEST_H

/* Old releases use x3 for values, today's leave x28 and x3 alone. */
#ifndef TESTNUM
#define TESTNUM x28
#endif

#define RVTEST_RV32U
#define RVTEST_RV64U
#define RVTEST_RV32M
#define RVTEST_RV64M

#ifdef LOCKSTEP_USER
#define LOCKSTEP_EXIT                   \
        li      a7, 93;                 \
        ecall;
#else
#define LOCKSTEP_EXIT                   \
        slli    a0, a0, 16;             \
        li      a7, 0;                  \
        ecall;
#endif

#define RVTEST_CODE_BEGIN               \
        .section .text.init;            \
        .globl  _start;                 \
_start:                                 \
        li      TESTNUM, 0;

/* Nothing follows an exit: an illegal instruction stops a machine that runs on. */
#define RVTEST_CODE_END                 \
        .word   0

#define RVTEST_PASS                     \
        li      a0, 0;                  \
        LOCKSTEP_EXIT

#define RVTEST_FAIL                     \
        slli    a0, TESTNUM, 1;         \
        ori     a0, a0, 1;              \
        LOCKSTEP_EXIT

#define EXTRA_DATA
#define RVTEST_DATA_BEGIN               \
        .balign 16;                     \
        .globl  begin_signature;        \
begin_signature:

#define RVTEST_DATA_END                 \
        .balign 16;                     \
        .globl  end_signature;          \
end_signature:

#endif
