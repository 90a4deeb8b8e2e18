/* An interpreter of a small stack machine: a switch in a loop, the branchy program that engines dislike. */
#include "bench.h"

enum { PUSH, ADD, XOR, DUP, SWAP, SHIFT, DEC_JUMP, SKIP_ODD, LOAD, STORE, END };

/* Code is pairs of operation and operand; it counts cell 0 down from `scale` * 10,000. */
static const int8_t program[][2] = {
    {LOAD, 1}, {PUSH, 7},  {ADD, 0},    {DUP, 0},      {SHIFT, 3},  {XOR, 0},  {SKIP_ODD, 2}, {PUSH, 91},
    {XOR, 0},  {DUP, 0},   {LOAD, 2},   {ADD, 0},      {STORE, 2},  {STORE, 1}, {LOAD, 2},    {SHIFT, 1},
    {LOAD, 1}, {SWAP, 0},  {XOR, 0},    {STORE, 3},    {DEC_JUMP, 0}, {END, 0},
};

uint32_t bench(uint32_t scale) {
    uint32_t cells[4] = {10000 * scale, 12345, 0, 0}, stack[16], *top = stack;
    for (int pc = 0;; pc++) {
        int8_t operand = program[pc][1];
        switch (program[pc][0]) {
        case PUSH: *top++ = (uint32_t)operand; break;
        case ADD: top--, top[-1] += top[0]; break;
        case XOR: top--, top[-1] ^= top[0]; break;
        case DUP: top[0] = top[-1], top++; break;
        case SWAP: { uint32_t under = top[-2]; top[-2] = top[-1], top[-1] = under; break; }
        case SHIFT: top[-1] = top[-1] >> operand | top[-1] << (32 - operand); break;
        case DEC_JUMP: if (--cells[0]) pc = operand - 1; break;
        case SKIP_ODD: if (top[-1] & 1) pc += operand; break;
        case LOAD: *top++ = cells[operand]; break;
        case STORE: cells[operand] = *--top; break;
        case END: return cells[1] ^ cells[2] ^ cells[3];
        }
    }
}
