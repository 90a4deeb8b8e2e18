/*
 * What the guest kit promises beyond main: constructors, thread-local variables, the heap, and
 * honest answers about what the machine does not have. Prints `ok` a line, or what is wrong.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int constructed;
static _Thread_local int initialised = 42;
static _Thread_local int zeroed;
static char bss[100000];
extern char end[];

__attribute__((constructor(200))) static void first(void)
{
    constructed = 1;
}

__attribute__((constructor)) static void second(void)
{
    constructed = constructed * 10 + 2;
}

__attribute__((destructor)) static void last(void)
{
    puts("destroyed");
}

static int failures;

static void check(const char *what, int is_right)
{
    printf("%s: %s\n", what, is_right ? "ok" : "WRONG");
    failures += !is_right;
}

static int is_zero(const char *bytes, size_t count)
{
    while (count > 0 && bytes[count - 1] == 0)
        count--;
    return count == 0;
}

static void check_heap(void)
{
    char *start = sbrk(0);
    check("the heap begins behind the program", start >= end && start < end + 4096);
    char *blocks[100];
    int is_kept = 1;
    for (int i = 0; i < 100; i++) {
        blocks[i] = malloc(1000 + i);
        memset(blocks[i], i, 1000 + i);
    }
    for (int i = 0; i < 100; i++) {
        is_kept &= blocks[i][0] == i && blocks[i][999 + i] == i && (uintptr_t)blocks[i] % 8 == 0;
        free(blocks[i]);
    }
    check("blocks keep what is written", is_kept);
    errno = 0;
    volatile size_t too_much = 0xC0000000;
    check("too much memory is NULL", malloc(too_much) == NULL && errno == ENOMEM);
    check("64 MiB are there", sbrk(64 << 20) != (void *)-1 && is_zero((char *)sbrk(0) - 1000, 1000));
    check("two times 2 GiB are not", sbrk(0x7fffffff) != (void *)-1 && sbrk(0x7fffffff) == (void *)-1 && errno == ENOMEM);
}

static void check_files(void)
{
    struct stat stat;
    check("stdout is a terminal", isatty(1) && fstat(1, &stat) == 0 && S_ISCHR(stat.st_mode));
    errno = 0;
    check("descriptor 9 is none", fstat(9, &stat) == -1 && errno == EBADF);
    errno = 0;
    check("stdin cannot seek", lseek(0, 0, SEEK_SET) == -1 && errno == ESPIPE);
    errno = 0;
    check("no file opens", fopen("/etc/passwd", "r") == NULL && errno == ENOENT);
    errno = 0;
    check("a bad buffer is refused", write(1, (void *)0x100, 4) == -1 && errno == EFAULT);
    errno = 0;
    check("descriptor 7 is not written", write(7, "x", 1) == -1 && errno == EBADF);
}

int main(void)
{
    check("constructors ran in order", constructed == 12);
    check("thread-local variables", initialised == 42 && zeroed == 0 && &initialised != &zeroed);
    zeroed = 7;
    errno = EDOM;
    check("errno is apart from them", zeroed == 7 && initialised == 42 && errno == EDOM);
    check("bss is zero", is_zero(bss, sizeof bss));
    check_heap();
    check_files();
    check("there is no clock", time(NULL) == (time_t)-1 && clock() == (clock_t)-1);
    return failures;
}
