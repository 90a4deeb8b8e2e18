/* A little of everything, for the prover: each unit of work hashes, sorts, multiplies matrices, divides, copies bytes and recurses. */
#include "bench.h"

#define WORDS 24
#define SIDE 5
#define BYTES 96

static uint32_t words[WORDS];
static uint32_t left[SIDE][SIDE], right[SIDE][SIDE];
static uint8_t from[BYTES], to[BYTES];

static uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

/* Additions, rotations and xors. */
static uint32_t mix(uint32_t hash) {
    uint32_t a = hash, b = hash ^ 0x9e3779b9, c = ~hash;
    for (int round = 0; round < 48; round++) {
        a += rotate(b, 7) ^ (c & a);
        b = rotate(b ^ a, 13) + c;
        c ^= (a >> 3) + (b << 5);
    }
    return a ^ b ^ c;
}

/* Loads, stores and branches nobody can predict. */
static uint32_t sort(uint32_t *random) {
    for (int i = 0; i < WORDS; i++) words[i] = next_random(random);
    for (int i = 1; i < WORDS; i++) {
        uint32_t word = words[i];
        int j = i;
        for (; j > 0 && words[j - 1] > word; j--) words[j] = words[j - 1];
        words[j] = word;
    }
    return words[WORDS / 2];
}

static uint32_t multiply(uint32_t *random) {
    uint32_t trace = 0;
    for (int i = 0; i < SIDE; i++) {
        for (int j = 0; j < SIDE; j++) left[i][j] = next_random(random), right[i][j] = i + j;
    }
    for (int i = 0; i < SIDE; i++) {
        for (int j = 0; j < SIDE; j++) {
            uint32_t sum = 0;
            for (int k = 0; k < SIDE; k++) sum += left[i][k] * right[k][j];
            trace ^= sum;
        }
    }
    return trace;
}

static uint32_t divide(uint32_t a, uint32_t b) {
    while (b) {
        uint32_t rest = a % b;
        a = b, b = rest;
    }
    return a;
}

static uint32_t copy(uint32_t seed) {
    uint32_t sum = 0;
    for (int i = 0; i < BYTES; i++) from[i] = (uint8_t)(seed >> (i & 15));
    for (int i = 0; i < BYTES; i++) {
        if (from[i] & 1) to[i] = from[i];
        sum += to[i];
    }
    return sum;
}

static uint32_t fibonacci(uint32_t n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

uint32_t bench(uint32_t scale) {
    uint32_t random = 2463534242u, hash = 1;
    for (uint32_t i = 0; i < scale; i++) {
        hash = mix(hash ^ i);
        hash += sort(&random) ^ multiply(&random);
        hash ^= divide(next_random(&random), next_random(&random) | 1);
        hash += copy(hash) + fibonacci(7 + (hash & 1));
    }
    return hash;
}
