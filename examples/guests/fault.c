/* Does what its argument says, and ends in a fault each time. */

#include <stdio.h>
#include <string.h>

struct node {
    struct node *next;
    int value;
};

static unsigned data[2];

/* The compiler must not see what becomes of these. */
#define OPAQUE __attribute__((noipa)) static

OPAQUE int overflow_stack(const int *depth)
{
    int here = *depth + 1;
    return here < 0 ? 0 : overflow_stack(&here) + here;
}

OPAQUE int load_null(volatile struct node *node)
{
    return node->value;
}

OPAQUE void store_null(volatile struct node *node)
{
    node->value = 1;
}

OPAQUE void jump_to(void (*function)(void))
{
    function();
}

OPAQUE void store_to_kernel(volatile int *word)
{
    *word = 1;
}

OPAQUE int load_misaligned(volatile int *word)
{
    return *word;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    int depth = 0;
    printf("before\n");
    if (strcmp(what, "overflow") == 0)
        return overflow_stack(&depth);
    if (strcmp(what, "load-null") == 0)
        return load_null(NULL);
    if (strcmp(what, "store-null") == 0)
        store_null(NULL);
    if (strcmp(what, "jump-data") == 0)
        jump_to((void (*)(void))data);
    if (strcmp(what, "store-kernel") == 0)
        store_to_kernel((int *)0xC0000000);
    if (strcmp(what, "load-misaligned") == 0)
        return load_misaligned((int *)((char *)data + 2));
    printf("which fault?\n");
    return 2;
}
