/* The product of two 96 by 96 matrices of words, over and over: multiplication and addressing. */
#include "bench.h"

#define SIZE 96

static uint32_t a[SIZE][SIZE], b[SIZE][SIZE], product[SIZE][SIZE];

uint32_t bench(uint32_t scale) {
    uint32_t random = 88172645u;
    for (int i = 0; i < SIZE; i++) {
        for (int j = 0; j < SIZE; j++) a[i][j] = next_random(&random), b[i][j] = next_random(&random);
    }
    for (uint32_t round = 0; round < scale; round++) {
        for (int i = 0; i < SIZE; i++) {
            for (int j = 0; j < SIZE; j++) {
                uint32_t sum = 0;
                for (int k = 0; k < SIZE; k++) sum += a[i][k] * b[k][j];
                product[i][j] = sum;
            }
        }
        a[round % SIZE][0] ^= product[round % SIZE][round % 7];
    }
    return product[3][5] ^ product[SIZE - 1][SIZE - 1];
}
