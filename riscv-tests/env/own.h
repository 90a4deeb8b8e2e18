/* The environment of our own test programs: numbered checks, a small kernel, traps that must happen.
 *
 * A program begins with START, in machine mode under kernel `none` or in user mode under the default
 * kernel (-DLOCKSTEP_USER), and ends with PASS or FAIL as riscv_test.h describes.
 * s11 holds the number of the current check; t6 and t5 are the macros' own.
 *
 * START_USER installs a kernel of the program's own and continues in user mode:
 *   TRAPS n, insn     insn must trap: MEPC must be its address, and only then the program goes on
 *   ecall             ends the run with user a0 (the low bits of user_exit)
 */
#ifndef LOCKSTEP_OWN_H
#define LOCKSTEP_OWN_H

#define MACHINE_REGS    0xFFFF0000
#define USER_REGS       0xFFFF0080
#define MACHINE_SINK    0xFFFF0100
#define USER_SINK       0xFFFF0180
#define MEPC            0xFFFF0200
#define SUSPEND_PC      0xFFFF0210
#define SUSPEND_MODE    0xFFFF0214
#define OUTPUT_DIGEST   0xFFFF0240
#define INPUT_DIGEST    0xFFFF0260
#define VERSION_WORD    0xFFFF0300
#define ECALL_VECTOR    0xFFFF1000
#define TRAP_VECTOR     0xFFFF2000

#define TERMINATE       0
#define READ            1
#define WRITE           2

.macro START
        .section .text.init
        .globl  _start
_start:
        li      s11, 0
.endm

/* Ends the run with the code in a0. */
.macro EXIT
#ifdef LOCKSTEP_USER
        li      a7, 93
#else
        slli    a0, a0, 16
        li      a7, TERMINATE
#endif
        ecall
        .word   0
.endm

.macro PASS
        li      a0, 0
        EXIT
        FAILS
.endm

/* Where a failed check goes: code 2 * check + 1. */
.macro FAILS
        .globl  fail
fail:
        slli    a0, s11, 1
        ori     a0, a0, 1
        EXIT
.endm

/* Begins check n. */
.macro CHECK n
        li      s11, \n
.endm

/* reg must hold value. */
.macro EXPECT reg, value
        li      t6, \value
        bne     \reg, t6, fail
.endm

/* mem[addr] must hold the word value. */
.macro EXPECT_WORD addr, value
        li      t6, \addr
        lw      t6, 0(t6)
        li      t5, \value
        bne     t6, t5, fail
.endm

/* The word at label must be value. */
.macro EXPECT_AT label, value
        la      t6, \label
        lw      t6, 0(t6)
        li      t5, \value
        bne     t6, t5, fail
.endm

.macro STORE_WORD addr, value
        li      t6, \addr
        li      t5, \value
        sw      t5, 0(t6)
.endm

/* mem[addr] = the address of label. */
.macro STORE_LABEL addr, label
        li      t6, \addr
        la      t5, \label
        sw      t5, 0(t6)
.endm

/* Machine mode: continue in user mode at label (MODE-4: MRET goes to MEPC + 4). */
.macro ENTER_USER label
        li      t6, MEPC
        la      t5, \label - 4
        sw      t5, 0(t6)
        mret
.endm

/* START, the kernel below, and on in user mode behind this macro. */
.macro START_USER
        START
        STORE_LABEL ECALL_VECTOR, kernel_ecall
        STORE_LABEL TRAP_VECTOR, kernel_trap
        ENTER_USER user_start

        .section .kernel, "ax"
        .balign 4
kernel_ecall:                                   /* user a0 becomes the exit code */
        li      t6, USER_REGS
        lw      a0, 10*4(t6)
        slli    a0, a0, 16
        li      a7, TERMINATE
        ecall
        .word   0
kernel_trap:                                    /* user t6: where the trap is expected; t5: where to go on */
        li      t0, USER_REGS
        li      t1, MEPC
        lw      t2, 0(t1)
        lw      t3, 31*4(t0)
        bne     t2, t3, kernel_fail
        sw      zero, 31*4(t0)
        lw      t3, 30*4(t0)
        addi    t3, t3, -4
        sw      t3, 0(t1)
        mret
kernel_fail:                                    /* a trap that nobody expected */
        lw      a0, 27*4(t0)
        slli    a0, a0, 1
        ori     a0, a0, 1
        slli    a0, a0, 16
        li      a7, TERMINATE
        ecall
        .word   0
        .text
user_start:
        li      s11, 0
        li      t6, 0
.endm

/* User mode under START_USER: insn must trap, and the kernel must find it at MEPC. */
.macro TRAPS n, insn:vararg
        li      s11, \n
        la      t6, 77001f
        la      t5, 77002f
77001:  \insn
        j       fail
77002:  bnez    t6, fail
.endm

/* PASS and FAILS of a program that ends in user mode under START_USER. */
.macro USER_PASS
        li      a0, 0
        ecall
        .word   0
        .globl  fail
fail:
        slli    a0, s11, 1
        ori     a0, a0, 1
        ecall
        .word   0
.endm

#endif
