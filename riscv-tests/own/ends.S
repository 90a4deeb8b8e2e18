# How a run ends: each case is one program that ends in one way.
# clauses: ECALL-2 ECALL-5 ECALL-6 ECALL-7 ECALL-9 TRAP-1 TRAP-4 TRAP-5 TRAP-6 TRAP-7 MODE-6 MAP-1 MAP-5 MEM-3 MEM-4 ISA-5 ISA-13 MODE-4
#
# case halt_0: exit 0
# case halt_65535: exit 65535
# case pause_7: pause 7
# case halt_type_2: fault environment-call-from-machine-mode 0x00050002 machine
# case unknown_number: fault environment-call-from-machine-mode 6 machine
# case number_93: fault environment-call-from-machine-mode 93 machine
# case number_minus_1: fault environment-call-from-machine-mode 0xffffffff machine
# case read_1025: fault environment-call-from-machine-mode 1025 machine
# case write_1025: fault environment-call-from-machine-mode 1025 machine
# case write_from_null: fault environment-call-from-machine-mode 0 machine
# case write_below_user: fault environment-call-from-machine-mode 0x0000ffff machine
# case write_into_system: fault environment-call-from-machine-mode 0xfffefffd machine
# case read_into_registers: fault environment-call-from-machine-mode 0xffff0000 machine
# case read_wraps: fault environment-call-from-machine-mode 0xfffffffe machine
# case load_null: fault load-access-fault 0 machine
# case load_last_invalid: fault load-access-fault 0x0000ffff machine
# case load_region_before_alignment: fault load-access-fault 0x00000001 machine
# case load_straddles_first: fault load-access-fault 0x0000fffe machine
# case load_misaligned: fault load-address-misaligned 0x00020002 machine
# case load_half_misaligned: fault load-address-misaligned 0x00020003 machine
# case load_registers_misaligned: fault load-address-misaligned 0xffff0006 machine
# case store_null: fault store-access-fault 0 machine
# case store_region_before_alignment: fault store-access-fault 0x0000fff1 machine
# case store_misaligned: fault store-address-misaligned 0xc0000001 machine
# case store_half_misaligned: fault store-address-misaligned 0x00020001 machine
# case illegal: fault illegal-instruction 0x00000000 machine
# case csr: fault illegal-instruction 0x30051573 machine
# case fence_i: fault illegal-instruction 0x0000100f machine
# case ebreak: fault breakpoint here machine
# case jump_misaligned: fault instruction-address-misaligned 0x00030002 machine
# case mret_misaligned: fault instruction-address-misaligned 0x00020003 machine
# case fetch_null: fault instruction-access-fault 0 machine
# case fetch_wraps: fault instruction-access-fault 0 machine
# case user_ecall_no_vector: fault environment-call-from-user-mode here user
# case user_ecall_bad_vectors: fault environment-call-from-user-mode here user
# case user_load_kernel: fault load-access-fault 0xc0000000 user
# case user_store_registers: fault store-access-fault 0xffff0080 user
# case user_load_straddles: fault load-address-misaligned 0xbffffffe user
# case user_mret: fault illegal-instruction 0x30200073 user
# case user_fetch_kernel: fault instruction-access-fault 0xc0000000 user
# case user_bad_trap_vector: fault illegal-instruction 0xffffffff user
# case kernel_faults_for_user: fault load-access-fault 0x00000004 machine
#include "own.h"

# machine ECALL a7 with a0, a1, a2, at the label here
.macro SERVICE number, x, y=0, z=0
        li      a7, \number
        li      a0, \x
        li      a1, \y
        li      a2, \z
here:   ecall
.endm

# insn at the label here, with a0 = x
.macro AT x, insn:vararg
        li      a0, \x
here:   \insn
.endm

.macro USER
        ENTER_USER user
        .text
        nop
user:
.endm

        START
#if defined(CASE_halt_0)
        SERVICE TERMINATE, 0
#elif defined(CASE_halt_65535)
        SERVICE TERMINATE, 0xffff0000
#elif defined(CASE_pause_7)
        SERVICE TERMINATE, 0x00070001
#elif defined(CASE_halt_type_2)
        SERVICE TERMINATE, 0x00050002
#elif defined(CASE_unknown_number)
        SERVICE 6, 0
#elif defined(CASE_number_93)
        SERVICE 93, 0
#elif defined(CASE_number_minus_1)
        SERVICE -1, 0
#elif defined(CASE_read_1025)
        SERVICE READ, 0, 0x00020000, 1025
#elif defined(CASE_write_1025)
        SERVICE WRITE, 1, 0x00020000, 1025
#elif defined(CASE_write_from_null)
        SERVICE WRITE, 1, 0, 1
#elif defined(CASE_write_below_user)
        SERVICE WRITE, 1, 0x0000ffff, 2
#elif defined(CASE_write_into_system)
        SERVICE WRITE, 1, 0xfffefffd, 4
#elif defined(CASE_read_into_registers)
        SERVICE READ, 0, 0xffff0000, 4
#elif defined(CASE_read_wraps)
        SERVICE READ, 0, 0xfffffffe, 1024
#elif defined(CASE_load_null)
        AT      0, lw a0, 0(a0)
#elif defined(CASE_load_last_invalid)
        AT      0x0000ffff, lb a0, 0(a0)
#elif defined(CASE_load_region_before_alignment)
        AT      0, lw a0, 1(a0)
#elif defined(CASE_load_straddles_first)
        AT      0x0000fffe, lw a0, 0(a0)
#elif defined(CASE_load_misaligned)
        AT      0x00020000, lw a0, 2(a0)
#elif defined(CASE_load_half_misaligned)
        AT      0x00020000, lhu a0, 3(a0)
#elif defined(CASE_load_registers_misaligned)
        AT      0xffff0006, lw a0, 0(a0)
#elif defined(CASE_store_null)
        AT      0, sb a0, 0(a0)
#elif defined(CASE_store_region_before_alignment)
        AT      0x0000fff0, sh a0, 1(a0)
#elif defined(CASE_store_misaligned)
        AT      0xc0000000, sw a0, 1(a0)
#elif defined(CASE_store_half_misaligned)
        AT      0x00020000, sh a0, 1(a0)
#elif defined(CASE_illegal)
        AT      0, .word 0
#elif defined(CASE_csr)
        AT      0, .word 0x30051573
#elif defined(CASE_fence_i)
        AT      0, .word 0x0000100f
#elif defined(CASE_ebreak)
        AT      0, ebreak
#elif defined(CASE_jump_misaligned)
        AT      0x00030000, jalr ra, 3(a0)
#elif defined(CASE_mret_misaligned)
        STORE_WORD MEPC, 0x0001ffff
        AT      0, mret
#elif defined(CASE_fetch_null)
        # pc of the report is the target itself
        .set    here, 0
        jr      zero
#elif defined(CASE_fetch_wraps)
        .set    here, 0
        li      a0, 0xfffffffc
        li      a1, 0x00000013
        sw      a1, 0(a0)
        jr      a0
#elif defined(CASE_user_ecall_no_vector)
        USER
        AT      0, ecall
#elif defined(CASE_user_ecall_bad_vectors)
        STORE_WORD ECALL_VECTOR, 0x00010000
        STORE_WORD TRAP_VECTOR, 0xC0000002
        USER
        AT      0, ecall
#elif defined(CASE_user_load_kernel)
        USER
        AT      0xc0000000, lw a0, 0(a0)
#elif defined(CASE_user_store_registers)
        USER
        AT      0xffff0080, sw a0, 0(a0)
#elif defined(CASE_user_load_straddles)
        USER
        AT      0xbffffffe, lw a0, 0(a0)
#elif defined(CASE_user_mret)
        USER
        AT      0, mret
#elif defined(CASE_user_fetch_kernel)
        .set    here, 0xc0000000
        USER
        li      a0, 0xc0000000
        jr      a0
#elif defined(CASE_user_bad_trap_vector)
        STORE_WORD TRAP_VECTOR, 0xBFFFFFFC
        USER
        AT      0, .word 0xffffffff
#elif defined(CASE_kernel_faults_for_user)
        # user-pc: culprit
        STORE_LABEL TRAP_VECTOR, on_trap
        USER
culprit:
        ebreak
        .section .kernel, "ax"
        .balign 4
on_trap:
        AT      0, lw a0, 4(a0)
#else
#error "a case of the list above, please: -DCASE_name"
#endif
        .word   0
        .globl  here
