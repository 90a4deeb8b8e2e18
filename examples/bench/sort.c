/* Quicksort of 4 MiB of random words, checked afterwards: loads, stores and branches nobody can predict. */
#include "bench.h"

#define COUNT (1u << 20)

static uint32_t words[COUNT];

static void sort(uint32_t *low, uint32_t *high) {
    while (high - low > 1) {
        uint32_t pivot = low[(high - low) / 2], *left = low, *right = high - 1;
        for (;;) {
            while (*left < pivot) left++;
            while (*right > pivot) right--;
            if (left >= right) break;
            uint32_t swapped = *left;
            *left++ = *right;
            *right-- = swapped;
        }
        uint32_t *middle = left == right && *left == pivot ? left + 1 : left;
        if (middle == high) middle = high - 1;
        sort(low, middle);
        low = middle;
    }
}

uint32_t bench(uint32_t scale) {
    uint32_t random = 2463534242u, sum = 0;
    for (uint32_t round = 0; round < scale; round++) {
        for (uint32_t i = 0; i < COUNT; i++) words[i] = next_random(&random);
        sort(words, words + COUNT);
        for (uint32_t i = 1; i < COUNT; i++) {
            if (words[i - 1] > words[i]) return 0xbad;
        }
        sum += words[COUNT / 2];
    }
    return sum;
}
