/* Ackermann's function and naive Fibonacci numbers: calls, returns and the stack. */
#include "bench.h"

static uint32_t __attribute__((noinline)) fibonacci(uint32_t n) {
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static uint32_t __attribute__((noinline)) ackermann(uint32_t m, uint32_t n) {
    if (m == 0) return n + 1;
    return ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}

uint32_t bench(uint32_t scale) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < scale; i++) sum += fibonacci(20 + i % 4) ^ ackermann(2, 60 + i % 8);
    return sum;
}
