/*
 * fgets as C11 7.21.7.2 has it. That of picolibc 1.8 returns NULL at the end of the input even
 * when it has read characters, and so loses a last line that does not end with a newline.
 */

#include <stdio.h>

char *fgets(char *restrict line, int size, FILE *restrict file)
{
    int used = 0;
    while (used < size - 1) {
        int byte = getc(file);
        if (byte == EOF && (used == 0 || ferror(file)))
            return NULL;
        if (byte == EOF)
            break;
        line[used++] = (char)byte;
        if (byte == '\n')
            break;
    }
    if (size < 1)
        return NULL;
    line[used] = '\0';
    return line;
}
