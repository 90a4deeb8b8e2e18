/* What Dhrystone 2.1 needs around it. The program itself comes from the package pythondata-cpu-picorv32 at run time;
   `Number_Of_Runs = 100` becomes `Number_Of_Runs = dhrystone_runs` and main becomes dhrystone_main on the way. */
#include "bench.h"

int dhrystone_runs;
int dhrystone_main(void);
extern int Int_Glob, Bool_Glob, Arr_2_Glob[50][50];

uint32_t bench(uint32_t scale) {
    dhrystone_runs = (int)(1000 * scale);
    dhrystone_main();
    return (uint32_t)(Int_Glob * 31 + Bool_Glob * 7 + Arr_2_Glob[8][7]);
}

/* Clocks that tick once a look: the program divides by their differences. */
long time(void) {
    static long ticks;
    return ++ticks;
}

long insn(void) {
    static long ticks;
    return ++ticks;
}

#ifdef __riscv
static char heap[1024];
static __SIZE_TYPE__ heap_used;

void *malloc(__SIZE_TYPE__ bytes) {
    void *start = heap + heap_used;
    heap_used += (bytes + 7) / 8 * 8;
    return heap_used <= sizeof heap ? start : 0;
}

char *strcpy(char *to, const char *from) {
    char *start = to;
    while ((*to++ = *from++)) {}
    return start;
}

int strcmp(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return *(const unsigned char *)a - *(const unsigned char *)b;
}

void *memcpy(void *to, const void *from, __SIZE_TYPE__ count) {
    volatile char *d = to;
    const char *s = from;
    while (count--) *d++ = *s++;
    return to;
}
#endif
