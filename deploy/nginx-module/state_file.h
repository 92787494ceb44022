/* state_file.h - the state file and its lock on the disk. Free of nginx.
 *
 * FILE is replaced as a whole: FILE.new is written and synced, renamed, and the folder synced. So a reader sees one
 * state or the next, and what was written is there after a loss of power. FILE.bad is a file that could not be read.
 *
 * FILE.lock is held (flock) while FILE is written or changes hands; the kernel gives it back when its holder dies. In
 * it stands the owner: the nginx master whose workers may write FILE, and which of its shared zones they have.
 *
 * why: a sentence of at most STATE_WHY_MAX bytes, set where a function fails. */
#ifndef API_STATE_FILE_H
#define API_STATE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "process.h"

#define STATE_WHY_MAX 512

struct state_owner {
    struct process master; /* pid 0 = nobody's */
    uint64_t zone;         /* shared.born_ns; 0 = unknown */
};

enum state_file_found {
    STATE_FILE_READ, /* *bytes is the caller's to free */
    STATE_FILE_NONE, /* there is no such file */
    STATE_FILE_BAD,  /* not a regular file, too large, unreadable */
};

enum state_file_found state_file_read(const char *path, size_t max_bytes, char **bytes, size_t *size_bytes, char *why);
bool state_file_write(const char *path, const char *bytes, size_t size_bytes, char *why);
bool state_file_put_aside(const char *path, char *why); /* as FILE.bad; an older one goes */

/* Which FILE it is: another writing gives another mark. All 0 = there is none. */
struct state_mark {
    uint64_t inode;
    int64_t size_bytes, mtime_s, mtime_ns;
};
struct state_mark state_file_mark(const char *path);
bool state_mark_is(const struct state_mark *one, const struct state_mark *other);

/* A descriptor, or one of the two below 0. Waits for others at most limit_ms. Makes FILE.lock where there is none. */
#define STATE_LOCK_FAILED (-1)
#define STATE_LOCK_BUSY   (-2) /* others have held it all the time */
int state_file_lock(const char *path, uint32_t limit_ms, char *why);
void state_file_unlock(int *lock);

/* The first two need the lock; the third is a look without it. */
void state_file_owner(int lock, struct state_owner *owner);
bool state_file_own(int lock, const struct state_owner *owner, char *why);
void state_file_look(const char *path, struct state_owner *owner);

#endif
