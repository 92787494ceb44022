/* stage.h - a stage: one temp folder, its processes and ports, and what its helpers return.
 *
 * Real parts are started on a stage (nginx.h, server.h, agent.h, rollout.h, load.h; fleet.h builds the whole). A case
 * gets a fresh stage from test.h. Everything a stage function returns lives until the stage is closed: nothing to free.
 *
 * A stage function that cannot do its work FAILS the stage: it prints the sentence, and where it helps the end of a
 * log, and does not come back (a cmocka test fails there; a plain program tears down and exits 1).
 *
 * Closing ends every descendant by pid and reaps it, also those that were handed over and whose parent is gone (the
 * process is their subreaper). If the process itself dies, whatever the way, a watchdog child kills the stage's process
 * group. It is a problem, and fails the test, when a part ended by itself, died of a fatal signal or of a sanitizer's
 * report, or was still there after SIGTERM and 30 s.
 *
 * Limits are for a release build; under ASan they are four times as long. */
#ifndef STAGE_STAGE_H
#define STAGE_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stage_state; /* the stage's own */

struct stage {
    const char *name;  /* the test's or program's */
    const char *root;  /* the top of the tree; all paths are absolute */
    const char *build; /* root/build/FLAVOUR, the flavour this program was built with */
    const char *dir;   /* the stage's folder, removed when all went well, else kept and named */
    bool asan;         /* FLAVOUR is asan */
    struct stage_state *state;
};

typedef void stage_fail_fn(struct stage *s); /* must not return */
typedef bool stage_pred_fn(void *ctx);

/* on_fail NULL: close the stage, exit 1. One stage at a time a process. */
struct stage *stage_open(const char *name, stage_fail_fn *on_fail);

/* Tear down; *s becomes NULL. False: problems, printed to stderr. The folder stays if `keep` or on problems. */
bool stage_close(struct stage **s, bool keep);

/* Say what went wrong, and do not come back. */
void stage_fail(struct stage *s, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));

/* Until pred(ctx) is true, asked every 10 ms; past the limit the stage fails: "waited N ms for WHAT". */
void stage_wait_until(struct stage *s, stage_pred_fn *pred, void *ctx, uint32_t limit_ms, const char *what);
/* The same, but false past the limit. */
bool stage_comes_true(struct stage *s, stage_pred_fn *pred, void *ctx, uint32_t limit_ms);

uint64_t stage_now_ms(void);                                       /* CLOCK_MONOTONIC */
uint32_t stage_limit_ms(const struct stage *s, uint32_t limit_ms); /* stretched under ASan */

/* ---- text, files and memory of the stage */
const char *stage_text(struct stage *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void *stage_alloc(struct stage *s, size_t size_bytes);                        /* zeroed */
void *stage_keep(struct stage *s, void *what, void (*free_it)(void *));       /* freed at close; returns what */
const char *stage_write(struct stage *s, const char *path, const char *text); /* relative to dir; returns the path */
const char *stage_read(struct stage *s, const char *path);                    /* whole text; fails where unreadable */
const char *stage_copy(struct stage *s, const char *from, const char *to); /* with its mode, via a new inode + rename */
const char *stage_mkdir(struct stage *s, const char *name);                /* below dir; may exist; returns the path */

/* ---- ports
 * A TCP port of 127.0.0.1 below 32768 (the kernel gives none of those to a client), free now and not given to any other
 * stage of this network namespace until this one closes. */
uint16_t stage_port(struct stage *s);

#endif
