/* note.h - the note that a service left beside its pid file (common/upgrade_note.h), and whether it is another one than
 * before. It is the service's, which need not be a friend: no link is followed, nothing is waited for, and a file that
 * is too large or no plain file counts as none. */
#ifndef AGENT_NOTE_H
#define AGENT_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include "common/upgrade_note.h"

struct note { /* {0}: there is none */
    dev_t device;
    ino_t inode;
    struct timespec written;
    size_t count;
    char bytes[UPGRADE_NOTE_MAX];
};

/* pidfile "": there is no note. */
void note_read(const char *pidfile, struct note *note);

/* Not written between the two looks. A file's number may be given out again, and a sentence be said twice: all counts.
 */
bool note_same(const struct note *a, const struct note *b);

#endif
