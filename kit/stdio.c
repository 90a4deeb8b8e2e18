/*
 * The standard streams: picolibc leaves them to the system.
 *
 * Output is collected and written when a line ends, when the buffer is full, before the program
 * waits for input, and at exit. A write of one byte costs about as much as one of a line.
 */

#include <stdio.h>
#include <unistd.h>

/* What the machine moves at once (ECALL-7). */
enum { BUFFER_BYTES = 1024 };

struct output {
    FILE file;
    int fd;
    size_t used;
    char bytes[BUFFER_BYTES];
};

struct input {
    FILE file;
    size_t next;
    size_t end;
    unsigned char bytes[BUFFER_BYTES];
};

static int flush_output(FILE *file)
{
    struct output *out = (struct output *)file;
    size_t used = out->used;
    out->used = 0;
    return write(out->fd, out->bytes, used) == (ssize_t)used ? 0 : EOF;
}

static int put(char byte, FILE *file)
{
    struct output *out = (struct output *)file;
    out->bytes[out->used++] = byte;
    if (byte == '\n' || out->used == BUFFER_BYTES)
        return flush_output(file) == 0 ? (unsigned char)byte : _FDEV_ERR;
    return (unsigned char)byte;
}

static struct output out = { .file = FDEV_SETUP_STREAM(put, NULL, flush_output, _FDEV_SETUP_WRITE), .fd = STDOUT_FILENO };
static struct output err = { .file = FDEV_SETUP_STREAM(put, NULL, flush_output, _FDEV_SETUP_WRITE), .fd = STDERR_FILENO };

static int get(FILE *file)
{
    struct input *in = (struct input *)file;
    if (in->next == in->end) {
        flush_output(&out.file);
        ssize_t count = read(STDIN_FILENO, in->bytes, BUFFER_BYTES);
        if (count <= 0)
            return count == 0 ? _FDEV_EOF : _FDEV_ERR;
        in->next = 0;
        in->end = (size_t)count;
    }
    return in->bytes[in->next++];
}

static struct input in = { .file = FDEV_SETUP_STREAM(NULL, get, NULL, _FDEV_SETUP_READ) };

FILE *const stdin = &in.file;
FILE *const stdout = &out.file;
FILE *const stderr = &err.file;

/* 101 is the lowest priority that programs may use: what is lowest is destroyed last. */
__attribute__((destructor(101))) static void flush_at_exit(void)
{
    flush_output(&out.file);
    flush_output(&err.file);
}
