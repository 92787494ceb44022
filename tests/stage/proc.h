/* proc.h - the processes of a stage: start, look, signal, wait, and run to the end with a limit.
 *
 * Each has /dev/null as stdin, every other descriptor closed, the stage's process group, and its output in files of the
 * stage's folder. A status is kept once the process is reaped, adopted ones (handed over to us) included. */
#ifndef STAGE_PROC_H
#define STAGE_PROC_H

#include <sys/types.h>

#include "tests/stage/stage.h"

struct stage_spawn {
    const char *name;        /* names the output files: NAME.log, or NAME.out and NAME.err when `split` */
    const char *const *argv; /* argv[0] is the path */
    const char *const *env;  /* "K=V" added to ours, NULL-terminated; or NULL */
    const char *cwd;         /* NULL: the stage's folder */
    bool split;
    bool may_end; /* it may end by itself before the stage does, with any exit code (no sanitizer report though) */
    bool no_leak_check; /* of a program that is not ours */
};

struct stage_proc {
    const char *name;
    const char *command; /* as a person would type it */
    pid_t pid;
    bool running;  /* kept by every call below and by every wait */
    int exit_code; /* once ended: 0..255, or 128 + the signal */
    bool may_end;
    const char *out_path, *err_path; /* the same file unless split; grows over restarts of the same name */
    struct stage_proc *next;
};

struct stage_proc *stage_start(struct stage *s, const struct stage_spawn *spawn);
/* A descendant that another part has started, as a part of its own: it will be our child. log: an absolute path. */
struct stage_proc *stage_adopt(struct stage *s, const char *name, pid_t pid, const char *log);
bool stage_proc_ended(struct stage *s, struct stage_proc *p); /* looks, never waits */
/* Wait for the end, return its exit code; past the limit kill it and fail. */
int stage_proc_wait(struct stage *s, struct stage_proc *p, uint32_t limit_ms);
/* Send a signal; the way it ends from now on is no problem. */
void stage_proc_signal(struct stage *s, struct stage_proc *p, int signal);
/* Signal and wait until it and all its descendants are gone. */
void stage_proc_stop(struct stage *s, struct stage_proc *p, int signal, uint32_t limit_ms);

/* Run to the end: what it said and how it ended. */
struct stage_run {
    int exit_code; /* as above */
    const char *out, *err;
};
struct stage_run stage_run(struct stage *s, uint32_t limit_ms, const char *const *argv);

/* ---- descendants of this process, found in /proc (the watchdog apart) */
#define STAGE_KIN_MAX 256
struct stage_kin {
    pid_t pid, ppid;
    bool zombie;   /* ended, and its parent (not us) has not reaped it */
    char exe[512]; /* target of /proc/PID/exe, without " (deleted)"; "" for one that is ending */
};
unsigned stage_kin(struct stage *s, struct stage_kin *kin, unsigned capacity); /* how many */
bool stage_pid_is_kin(struct stage *s, pid_t pid);
void stage_reap(struct stage *s); /* collect every child that ended */

#endif
