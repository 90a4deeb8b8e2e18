/* What every bench program shares: one number in (how much work), one number out (what came of it). */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>

/* Does `scale` units of work and returns a value that depends on all of it. */
uint32_t bench(uint32_t scale);

/* The next value of a xorshift generator. */
static inline uint32_t next_random(uint32_t *state) {
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

#endif
