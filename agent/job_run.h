/* job_run.h - a job at work: restart, upgrade, rollback. Advanced by the loop, never waiting in place.
 *
 *   open      who serves, with a pidfd; what runs is kept, the wanted executable is put in place (swap.h)
 *   act       signal    the signal of a handover
 *             exec      the process is ended (stop.h), the executable is started (child.h)
 *             systemd   systemctl restart UNIT
 *   watch     look every WATCH_EVERY_MS until judge.h decides, at most ready-timeout; a service that says itself that
 * it failed (note.h) ends it at once, with its reason mend      (after a failure) where the process before is gone and
 * the config says how to start one: the old file goes back, what was started is ended, and the release before is
 * started. So also, on a node that its claim says is out, with a process that does not heed its signal: it is ended
 * first end       on failure after a swap the old file goes back, and a successor that hangs is ended (stray.h); then
 * the job is durable, then it is told
 *
 * An agent that is started again in the middle of an exec or a systemctl begins at mend. */
#ifndef AGENT_JOB_RUN_H
#define AGENT_JOB_RUN_H

#include "child.h"
#include "job.h"
#include "loop.h"
#include "stop.h"
#include "watch.h"

struct service;

struct job_run {
    struct job *job; /* NULL: none runs */
    struct loop_timer timer;
    uint64_t started_ms;
    struct watch watch;
    struct stop stop;
    int stop_fd;           /* of what is being ended in `mend`, or -1 */
    struct child *command; /* systemctl at work */
    bool started;          /* the agent has begun to start the service: it may take until the limit */
    uint64_t free_by_ms;   /* so long its start waits for the addresses of the one before */
    bool held;             /* in vain: somebody still listens there */
    bool mending;
    enum code code;         /* of the failure that is being mended */
    struct waiter *waiters; /* woken when the job ends */
};

/* The ask has been checked (claim, fence, release). Durable when it returns true; then it runs by itself. */
bool job_run_start(struct service *service, const struct job *ask, struct err *err);

/* At the agent's start: a job that was running is failed/interrupted; its old file goes back, unless the process that
 * runs now is of the wanted release (then the handover has happened, and the file is right). */
bool job_run_recover(struct service *service, struct err *err);
void job_run_close(struct service *service);

uint64_t job_run_elapsed_ms(const struct service *service);

#endif
