/* Greets whom it is told to: lockstep run hello.elf --arg world */

#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc < 2)
        printf("Hello!\n");
    for (int i = 1; i < argc; i++)
        printf("Hello, %s!\n", argv[i]);
    return 0;
}
