/* Prints a table of as many rows as it is told to, with most of what printf can. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    int rows = argc > 1 ? atoi(argv[1]) : 10;
    for (int i = 0; i < rows; i++) {
        int64_t wide = (int64_t)i * i * i * 1000003 - 5000000000;
        printf("%d|%5d|%-5d|%05d|%+d|%x|%#o|%c|%s|%.3s|%%|", i, i, i, i, i, i, i, 'a' + i % 26, "text", "abcdef");
        printf("%lld|%" PRIu64 "|%.3f|%8.2e|%g\n", (long long)wide, (uint64_t)i << 33, i / 8.0, i * 1e10, i / 4.0);
    }
    return 0;
}
