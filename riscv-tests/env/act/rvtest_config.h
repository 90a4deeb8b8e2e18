/* The machine for the sources of today's riscv-arch-test: RV32IM, no CSRs, one mode.
 * The framework generates this file from a description of the machine; this is what it says of ours. */
#ifndef LOCKSTEP_RVTEST_CONFIG_H
#define LOCKSTEP_RVTEST_CONFIG_H

#define UDB_MXLEN               32
#define UDB_NUM_PMP_ENTRIES     0
#define I_SUPPORTED
#define M_SUPPORTED

#endif
