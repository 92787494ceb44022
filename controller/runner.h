/* runner.h - commands run beside the loop: started without waiting, watched by one descriptor, ended for certain.
 *
 * A command is /bin/sh -c TEXT in a session of its own, without a terminal: its input is a file that holds what it was
 * given, its output and errors are lines that come back (RUNNER_LINES at most, RUNNER_LINE bytes each, nothing in them
 * that could move a cursor; what is beyond is read and dropped). It inherits no other descriptor, no ignored signal and
 * no mask.
 *
 * It is over when its first process is, whoever else still holds its output. At its limit, or when it is cut, its whole
 * group gets SIGTERM, and RUNNER_KILL_MS later, if anybody is left, SIGKILL. What it leaves behind when it ends by
 * itself is left alone. */
#ifndef CONTROLLER_RUNNER_H
#define CONTROLLER_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define RUNNER_LINES   50
#define RUNNER_LINE    240
#define RUNNER_KILL_MS 2000

struct runner;

struct runner_order {
    const char *command;
    char *const *env;  /* "NAME=value", NULL at the end; all that it gets */
    const char *input; /* copied */
    size_t input_bytes;
    uint32_t limit_ms; /* never 0 */
    uint64_t tag;      /* comes back; of those under way no two are the same */
};

enum runner_end {
    RUNNER_WELL,   /* exit code 0, and in time */
    RUNNER_FAILED, /* another exit code, or a signal of somebody else's; or it could not be started at all */
    RUNNER_LATE,   /* ended at its limit */
    RUNNER_CUT     /* ended by runner_cut */
};

struct runner_news {
    void *ctx;
    void (*said)(void *ctx, uint64_t tag, const char *line);
    /* After its last line. text: how, with its last words: "exit code 3: no such host". */
    void (*ended)(void *ctx, uint64_t tag, enum runner_end, const char *text);
};

/* NULL with the reason where there are no descriptors left. */
struct runner *runner_open(const struct runner_news *, struct err *);

/* Readable when runner_move has something to do. */
int runner_fd(const struct runner *);

/* Every order ends in exactly one `ended`, of a later runner_move. */
void runner_start(struct runner *, const struct runner_order *);
void runner_cut(struct runner *, uint64_t tag); /* unknown: nothing */

/* Tell what has come; never waits. */
void runner_move(struct runner *);

/* Ends and reaps all that is left: SIGTERM, half a second, SIGKILL; nothing is told any more. */
void runner_close(struct runner **);

#endif
