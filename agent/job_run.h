/* job_run.h - a job at work: restart, upgrade, rollback. Advanced by the loop's timer, never waiting in place.
 *
 *   open     pidfd_open, then the start time once more: a pid that was reused cannot be hit
 *   swap     (upgrade, rollback) keep the old executable in the store, put the wanted one in place
 *   signal   pidfd_send_signal
 *   watch    look every WATCH_EVERY_MS until judge.h decides, at most ready-timeout; a service that says itself that it
 *            failed (note.h) ends it at once, with its reason
 *   end      on failure after a swap the old file goes back first, and a successor that hangs is ended (stray.h); then
 *            the job is durable, then it is told */
#ifndef AGENT_JOB_RUN_H
#define AGENT_JOB_RUN_H

#include "job.h"
#include "loop.h"
#include "note.h"
#include "sockets.h"

struct service;

struct job_run {
    struct job *job; /* NULL: none runs */
    struct loop_timer timer;
    uint64_t started_ms, limit_at_ms;
    int pidfd; /* of the process before; -1: none */
    uint8_t wanted[SHA256_BYTES];
    struct sockets before; /* what the old process listened on */
    struct ident seen;     /* the successor, as last seen; pid 0: none */
    uint64_t seen_ms, gone_ms;
    struct note note_before, note; /* beside the pid file: before the signal, and as last seen */
    uint64_t note_ms;
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
