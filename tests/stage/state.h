/* state.h - what the files of the stage share among themselves; not for cases. */
#ifndef STAGE_STATE_H
#define STAGE_STATE_H

#include <sys/types.h>

#include "tests/stage/proc.h"

#define STAGE_PORTS_MAX  128
#define STAGE_CLOSE_MS   30000 /* how long a part may take to end after SIGTERM */
#define STAGE_SAN_EXIT   99    /* exit code of a sanitizer's report */
#define STAGE_POLL_US    10000
#define STAGE_TAIL_LINES 20

struct stage_kept {
    struct stage_kept *next;
    void *what;
    void (*free_it)(void *);
};

struct stage_state {
    struct stage_kept *kept;
    struct stage_proc *procs; /* newest first */
    stage_fail_fn *on_fail;
    pid_t watchdog; /* leader of the process group of all that is started */
    int watchdog_fd, dir_fd;
    int port_lock[STAGE_PORTS_MAX];
    unsigned n_ports;
    unsigned n_problems; /* found in reaping and closing; each is printed at once */
    unsigned n_runs;     /* numbers the outputs of stage_run */
    bool closing;
};

void stage_problem(struct stage *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Print the end of a log to stderr. */
void stage_tail(struct stage *s, const char *path);
/* stage_fail with the end of a log in front. */
void stage_fail_log(struct stage *s, const char *log, const char *format, ...)
    __attribute__((format(printf, 3, 4), noreturn));

/* watchdog.c */
void stage_watchdog_start(struct stage *s);
void stage_watchdog_end(struct stage *s);
/* proc.c: fail when a part ended by itself; end every descendant, false when one had to be killed. */
void stage_proc_check(struct stage *s);
bool stage_proc_end_all(struct stage *s);
/* kin.c */
unsigned stage_kin_of(struct stage *s, pid_t root, struct stage_kin *kin, unsigned capacity);
void stage_proc_kill_kin(struct stage *s, pid_t root, int signal); /* a process and its descendants, each by pid */

#endif
