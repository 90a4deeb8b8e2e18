/* Writes all over 4 MiB for ever, in machine mode, stirring in a byte of input now and then. */
static unsigned state = 1;
static unsigned area[1 << 20];

static unsigned next(void) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static unsigned input(void) {
    static unsigned char byte;
    register unsigned a7 __asm__("a7") = 1, a0 __asm__("a0") = 0, a2 __asm__("a2") = 1;
    register unsigned a1 __asm__("a1") = (unsigned)&byte;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2) : "memory");
    return a0 ? byte : 0;
}

void _start(void) {
    __asm__ volatile("lui sp, 0x1000");
    for (unsigned i = 0;; i++) {
        area[next() % SPREAD] += i;
        if (i % 1000 == 999)
            state += input();
    }
}
