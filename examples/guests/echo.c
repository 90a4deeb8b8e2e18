/* Copies standard input to standard output, byte by byte. */

#include <stdio.h>

int main(void)
{
    int byte;
    while ((byte = getchar()) != EOF)
        putchar(byte);
    return ferror(stdin) || ferror(stdout);
}
