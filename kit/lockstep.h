/* What a Lockstep program can do beyond standard C. */

#ifndef LOCKSTEP_H
#define LOCKSTEP_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The journal: the public output of a run. A receipt proves its SHA-256. */
#define LOCKSTEP_JOURNAL_FILENO 3

/*
 * Appends `count` bytes to the journal.
 * Returns 0, or -1 with errno set if the host did not take all of them.
 */
int lockstep_journal_write(const void *bytes, size_t count);

#ifdef __cplusplus
}
#endif

#endif
