/*
 * Where a program built with `lockstep cc` starts.
 *
 * The kernel starts it as a Unix process (KERN-1): sp points to argc, argv[0] .. argv[argc - 1], 0.
 * Memory is as the file says and zero elsewhere (ELF-8), so there is nothing to copy or to clear.
 */

    .cfi_sections .debug_frame          /* For debuggers only, not for memory. */
    .section .text.start, "ax"
    .globl  _start
    .type   _start, @function
_start:
    .cfi_startproc
    .cfi_undefined ra                   /* Backtraces end here. */
    .option push
    .option norelax                     /* gp is what relaxation relies on. */
    la      gp, __global_pointer$
    .option pop
    la      tp, __tls_base              /* errno and other thread-local variables. */
    lw      s0, 0(sp)                   /* argc */
    addi    s1, sp, 4                   /* argv */
    la      sp, __stack_top             /* See lockstep.ld: a stack whose overflow is a fault. */
    call    __libc_init_array           /* Static constructors. */
    mv      a0, s0
    mv      a1, s1
    slli    a2, s0, 2
    add     a2, a2, s1
    addi    a2, a2, 4                   /* envp follows the 0 that ends argv. */
    call    main
    tail    exit
    .cfi_endproc
    .size   _start, . - _start
