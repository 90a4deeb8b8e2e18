# The guest of `make bench-gdb`: 20 million rounds of five instructions, two of them memory accesses.
    .globl _start
_start:
    la s0, hot
    li s1, 20000000
    li s2, 0
round:
    lw t0, 0(s0)
    addi t0, t0, 1
    sw t0, 0(s0)
    addi s1, s1, -1
    bnez s1, round
done:
    j _start

    .data
    .balign 4096
hot:
    .word 0
other_word_of_the_page:
    .word 0
    .balign 4096
other_page:
    .word 0
