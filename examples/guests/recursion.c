/* Ackermann's function: deep recursion that ends. Prints A(2, n), which is 2n + 3. */

#include <stdio.h>
#include <stdlib.h>

static unsigned ackermann(unsigned m, unsigned n)
{
    if (m == 0)
        return n + 1;
    return n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

int main(int argc, char **argv)
{
    unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 10;
    printf("%u\n", ackermann(2, n));
    return 0;
}
