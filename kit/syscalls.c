/*
 * What picolibc asks of the system, by the default kernel's ECALLs (KERN-2, KERN-3).
 */

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/types.h>
#include <unistd.h>

#include "lockstep.h"

enum {
    NUMBER_CLOSE = 57,
    NUMBER_LSEEK = 62,
    NUMBER_READ = 63,
    NUMBER_WRITE = 64,
    NUMBER_FSTAT = 80,
    NUMBER_EXIT = 93,
    NUMBER_BRK = 214,
};

/* The ECALL `number`: its result, or a negative errno. */
static long raw_ecall(long number, long first, long second, long third)
{
    register long a0 __asm__("a0") = first;
    register long a1 __asm__("a1") = second;
    register long a2 __asm__("a2") = third;
    register long a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
    return a0;
}

/* -1 with errno set. */
static int fail(int error)
{
    errno = error;
    return -1;
}

/* What C makes of the result of an ECALL (KERN-2). */
static long checked(long result)
{
    return result < 0 && result >= -4095 ? fail((int)-result) : result;
}

void _exit(int code)
{
    for (;;)
        raw_ecall(NUMBER_EXIT, code, 0, 0);
}

ssize_t read(int fd, void *bytes, size_t count)
{
    return checked(raw_ecall(NUMBER_READ, fd, (long)bytes, (long)count));
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    return checked(raw_ecall(NUMBER_WRITE, fd, (long)bytes, (long)count));
}

int close(int fd)
{
    return (int)checked(raw_ecall(NUMBER_CLOSE, fd, 0, 0));
}

off_t lseek(int fd, off_t offset, int whence)
{
    return checked(raw_ecall(NUMBER_LSEEK, fd, (long)offset, whence));
}

/* The structure that the kernel fills; C's own has other types. */
struct kernel_stat {
    uint64_t dev, ino;
    uint32_t mode, nlink, uid, gid;
    uint64_t rdev, unused;
    int64_t size;
    int32_t blksize, unused2;
    int64_t blocks;
    int64_t times[6], unused3;
};
_Static_assert(sizeof(struct kernel_stat) == 128, "KERN-3: 128 bytes");

int fstat(int fd, struct stat *stat)
{
    struct kernel_stat from;
    if (checked(raw_ecall(NUMBER_FSTAT, fd, (long)&from, 0)) < 0)
        return -1;
    *stat = (struct stat){
        .st_mode = from.mode,
        .st_nlink = (nlink_t)from.nlink,
        .st_size = (off_t)from.size,
        .st_blksize = from.blksize,
        .st_blocks = (blkcnt_t)from.blocks,
    };
    return 0;
}

int isatty(int fd)
{
    struct stat stat;
    if (fstat(fd, &stat) < 0)
        return 0;
    if (S_ISCHR(stat.st_mode))
        return 1;
    errno = ENOTTY;
    return 0;
}

/* Moves the end of the heap, and returns where it was. */
void *sbrk(ptrdiff_t increment)
{
    static uintptr_t end;
    if (end == 0)
        end = (uintptr_t)raw_ecall(NUMBER_BRK, 0, 0, 0);
    uintptr_t start = end, wanted = start + (uintptr_t)increment;
    int wraps = increment > 0 && wanted < start;
    if (wraps || (uintptr_t)raw_ecall(NUMBER_BRK, (long)wanted, 0, 0) != wanted) {
        errno = ENOMEM;
        return (void *)-1;
    }
    end = wanted;
    return (void *)start;
}

int lockstep_journal_write(const void *bytes, size_t count)
{
    ssize_t written = write(LOCKSTEP_JOURNAL_FILENO, bytes, count);
    if (written < 0)
        return -1;
    return (size_t)written == count ? 0 : fail(EIO);
}

/* ---- What the machine does not have: files, processes, a clock ------------------------------ */

int open(const char *path, int flags, ...)
{
    (void)path;
    (void)flags;
    return fail(ENOENT);
}

int stat(const char *path, struct stat *stat)
{
    (void)path;
    (void)stat;
    return fail(ENOENT);
}

int unlink(const char *path)
{
    (void)path;
    return fail(ENOENT);
}

pid_t getpid(void)
{
    return 1;
}

/* abort() and raise() end here; the exit code is what a shell shows for the signal. */
int kill(pid_t pid, int signal)
{
    if (pid != getpid())
        return fail(ESRCH);
    _exit(128 + signal);
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    (void)now;
    (void)zone;
    return fail(ENOSYS);
}

clock_t times(struct tms *times)
{
    (void)times;
    return (clock_t)fail(ENOSYS);
}
