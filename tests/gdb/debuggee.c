/* The program that the debugger's tests debug. Tests name its lines: add at the end, or fix the scripts. */
volatile unsigned counter;
unsigned table[16];

static int call(int number, int a0, int a1, int a2) {
    register int r7 __asm__("a7") = number;
    register int r0 __asm__("a0") = a0;
    register int r1 __asm__("a1") = a1;
    register int r2 __asm__("a2") = a2;
    __asm__ volatile("ecall" : "+r"(r0) : "r"(r7), "r"(r1), "r"(r2) : "memory");
    return r0;
}

int fib(int n) {
    if (n < 2)
        return n;
    return fib(n - 1) + fib(n - 2);
}

void fill(int factor) {
    for (int i = 0; i < 16; i++)
        table[i] = i * factor;
}

void fault(int kind) {
    volatile int *null = (int *)4;
    if (kind == 1)
        *null = 1;
    if (kind == 2)
        *(volatile int *)((char *)table + 2);
    if (kind == 3)
        __asm__ volatile(".insn r 0x0b, 0, 0, x0, x0, x0");
    if (kind == 4)
        __asm__ volatile("ebreak");
    if (kind == 5)
        for (;;)
            counter++;
    if (kind == 6)
        ((void (*)(void))8)();
}

int main(void) {
    fill(3);
    int r = fib(10);
    counter = r;
    call(64, 1, (int)"hello\n", 6);
    counter += 1;
    fault(FAULT);
    counter += 2;
    return 7;
}

void _start(void) {
    call(93, main(), 0, 0);
}

/* Returned by an address that the caller gives. */
struct triple {
    int a, b, c;
};

__attribute__((used)) struct triple triple(int n) {
    return (struct triple){n, 2 * n, 3 * n};
}
