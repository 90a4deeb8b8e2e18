/* Copies standard input to the journal, and says on standard output how much it was. */

#include <stdio.h>

#include <lockstep.h>

int main(void)
{
    static char bytes[100];
    size_t total = 0, count;
    while ((count = fread(bytes, 1, sizeof bytes, stdin)) > 0) {
        if (lockstep_journal_write(bytes, count) != 0)
            return 1;
        total += count;
    }
    printf("%zu\n", total);
    return 0;
}
