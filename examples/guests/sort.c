/*
 * Sorts numbers from standard input, one a line, and prints them: malloc, realloc, strtol, qsort.
 */

#include <stdio.h>
#include <stdlib.h>

static int by_value(const void *left, const void *right)
{
    long a = *(const long *)left, b = *(const long *)right;
    return (a > b) - (a < b);
}

int main(void)
{
    long *numbers = NULL;
    size_t used = 0, room = 0;
    char line[32];
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (used == room) {
            room = room == 0 ? 4 : 2 * room;
            numbers = realloc(numbers, room * sizeof *numbers);
            if (numbers == NULL)
                return 1;
        }
        numbers[used++] = strtol(line, NULL, 10);
    }
    qsort(numbers, used, sizeof *numbers, by_value);
    for (size_t i = 0; i < used; i++)
        printf("%ld\n", numbers[i]);
    free(numbers);
    return 0;
}
