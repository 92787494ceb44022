#include "job_run.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "admit.h"
#include "agent.h"
#include "claim_store.h"
#include "log.h"
#include "service.h"
#include "start.h"
#include "stray.h"
#include "swap.h"

#define WATCH_EVERY_MS 20
#define REASON_MAX     200 /* bytes of a service's sentence in a job's text */
#define BUSY_LIMIT_MS  3000
#define HELD_LIMIT_MS  5000

static void watch(void *ctx);
static void mend(struct service *service);

uint64_t job_run_elapsed_ms(const struct service *service)
{
    return loop_now_ms() - service->run.started_ms;
}

static double unix_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool save(struct service *service, struct err *err)
{
    return jobs_save(service->jobs_path, &service->jobs, err);
}

/* ---- the end */

static void end_job(struct service *service, enum code code)
{
    struct job_run *run = &service->run;
    struct job *job = run->job;
    struct log_quoted quoted;
    struct err err = {""};

    watch_close(&run->watch);
    job->code = code;
    job->state = code == CODE_JOB_OK ? JOB_DONE : JOB_FAILED;
    service->job_ends[code]++;
    if (job->state == JOB_FAILED) {
        swap_back(service, job);
        stray_end(service, &job->before, run->watch.wanted);
    }
    (void)service_ident(service, &job->after, NULL);
    if (job->state == JOB_DONE) {
        history_note(&service->jobs.history, job);
        admit_note(service, job);
    }
    job->elapsed_ms = job_run_elapsed_ms(service);
    log_event("job_ended",
              "service=%s job=%s action=%s code=%s touched=%d restored=%d pid_before=%u pid_after=%u "
              "elapsed_ms=%" PRIu64 " text=%s",
              service->config->name, job->id, job_action_text(job->action), code_text(code), job->touched,
              job->restored, job->before.pid, job->after.pid, job->elapsed_ms, log_quote(&quoted, job->text));
    if (!save(service, &err)) /* it stays known until the agent ends, and is then "interrupted" */
        log_event("job_not_saved", "service=%s job=%s text=%s", service->config->name, job->id,
                  log_quote(&quoted, err.text));
    run->job = NULL;
    swap_sweep(service);
    admit_prune(service);
    waiter_wake(&run->waiters);
}

static void say(struct service *service, const struct err *err)
{
    (void)snprintf(service->run.job->text, sizeof service->run.job->text, "%s", err->text);
}

static void end_saying(struct service *service, enum code code, const struct err *err)
{
    say(service, err);
    end_job(service, code);
}

/* The process before is gone, and we know how to start the one that was there. A successor by handover that is no good
 * is not ended for it, which could cost requests: it can hand over once more. */
static bool can_mend(const struct service *service)
{
    const struct watch *w = &service->run.watch;

    return config_can_start(service->config) && watch_old_is_gone(w) &&
           (service->config->restart != RESTART_SIGNAL || w->seen.pid == 0);
}

/* The failure is known; what can be done about it is done before it is told. */
static void conclude(struct service *service, enum code code, const struct err *err)
{
    service->run.code = code;
    say(service, err);
    if (can_mend(service))
        mend(service);
    else
        end_job(service, code);
}

/* ---- mend: the release before is brought back */

static void mend_failed(struct service *service, const char *why)
{
    struct job *job = service->run.job;
    size_t used = strlen(job->text);

    (void)snprintf(job->text + used, sizeof job->text - used, "; THE RELEASE BEFORE DID NOT COME BACK: %s", why);
    end_job(service, service->run.code);
}

static void mended(struct service *service)
{
    struct job *job = service->run.job;
    size_t used = strlen(job->text);

    (void)snprintf(job->text + used, sizeof job->text - used, "; the release before was started, process %u",
                   service->run.watch.seen.pid);
    end_job(service, service->run.code);
}

static void start_service(struct service *service);

static void on_leftover_stopped(void *ctx, bool gone)
{
    struct service *service = ctx;
    struct job_run *run = &service->run;

    (void)close(run->stop_fd);
    run->stop_fd = -1;
    if (gone)
        start_service(service);
    else
        mend_failed(service, "the process that failed cannot be ended");
}

/* What was started and failed must be out of the way. systemctl does that itself. */
static bool stop_leftover(struct service *service)
{
    struct job_run *run = &service->run;
    struct ident left = run->watch.seen;
    uint64_t start_ticks;

    if (service->config->restart == RESTART_SYSTEMD)
        return false;
    if (left.pid == 0 && service->started != NULL && ident_start((uint32_t)child_pid(service->started), &start_ticks))
        left = (struct ident){.pid = (uint32_t)child_pid(service->started), .start_ticks = start_ticks};
    run->stop_fd = left.pid != 0 ? ident_open(&left, NULL) : -1;
    if (run->stop_fd < 0)
        return false;
    stop_begin(&run->stop, service->agent->loop, run->stop_fd, service->config->drain_timeout_ms, on_leftover_stopped,
               service);
    return true;
}

static void mend(struct service *service)
{
    struct job_run *run = &service->run;

    run->mending = true;
    log_event("mending", "service=%s job=%s code=%s", service->config->name, run->job->id, code_text(run->code));
    swap_back(service, run->job);
    if (!stop_leftover(service))
        start_service(service);
}

/* ---- watch */

/* The service's own reason. */
static void tell_no(const struct watch *w, struct err *err)
{
    char reason[REASON_MAX];
    enum upgrade_note says = upgrade_note_parse(w->note.bytes, w->note.count, reason, sizeof reason);

    err_set(err, "process %u goes on; it says that the restart %s: %s", w->before.pid,
            says == UPGRADE_REFUSED ? "was refused" : "failed", reason);
}

static void tell_no_successor(const struct service *service, const struct judge_facts *facts, struct err *err)
{
    const struct watch *w = &service->run.watch;
    uint32_t limit_ms = service->config->ready_timeout_ms;

    if (facts->says_no)
        tell_no(w, err);
    else if (facts->new_alive)
        err_set(err, "neither process %u nor %u listens where %u did after %u ms", w->before.pid, w->seen.pid,
                w->before.pid, limit_ms);
    else if (service->config->pidfile[0] != '\0')
        err_set(err, "no new process wrote the pid file within %u ms; %u goes on", limit_ms, w->before.pid);
    else
        err_set(err, "no new process came within %u ms; %u goes on", limit_ms, w->before.pid);
}

static void tell_end(const struct service *service, enum code code, const struct judge_facts *facts, struct err *err)
{
    const struct watch *w = &service->run.watch;
    uint32_t old = w->before.pid, new = w->seen.pid, limit_ms = service->config->ready_timeout_ms;

    if (code == CODE_JOB_OK)
        err_set(err, "process %u took over from %u%s", new, old,
                facts->old_alive ? ", which ends its last requests" : "");
    else if (code == CODE_JOB_WRONG_EXECUTABLE)
        err_set(err, "process %u took over from %u, but does not run the wanted executable", new, old);
    else if (code == CODE_JOB_TWO_SERVERS)
        err_set(err, "process %u serves, but %u still accepts connections after %u ms", new, old, limit_ms);
    else if (code == CODE_JOB_OLD_STAYS)
        err_set(err, "process %u does not listen where %u does after %u ms; both are there", new, old, limit_ms);
    else if (code == CODE_JOB_NOT_HEALTHY)
        err_set(err, "process %u took over from %u, but answers nothing at http://%s%s after %u ms", new, old,
                service->config->health.host, service->config->health.path, limit_ms);
    else if (code == CODE_JOB_DIED_LATER)
        err_set(err, "a new process took over from %u, but ended before it answered", old);
    else if (code == CODE_JOB_NO_SUCCESSOR)
        tell_no_successor(service, facts, err);
    else if (facts->new_alive)
        err_set(err, "process %u is gone, and %u does not listen where it did", old, new);
    else if (service->run.started)
        err_set(err, "process %u was ended, and no new one is there after %u ms", old, limit_ms);
    else
        err_set(err, "process %u is gone, and no new one is there", old);
}

static void on_deaf_stopped(void *ctx, bool gone)
{
    struct service *service = ctx;
    struct job *job = service->run.job;
    size_t used = strlen(job->text);

    (void)snprintf(job->text + used, sizeof job->text - used, gone ? "; it was ended" : "; nor SIGKILL");
    if (gone)
        mend(service);
    else
        end_job(service, CODE_JOB_OLD_STAYS);
}

static bool node_is_out(const struct service *service)
{
    const struct claim *claim = &service->claim.claim;

    return claim_left_ms(claim, claim_store_now_ms()) > 0 && json_array_size(claim->took_out) > 0;
}

/* A process that no signal of a handover reaches: on a node without requests it is ended, so that the release before
 * can be started; where we could not start it, or requests may come, it goes on. */
static void end_deaf(struct service *service)
{
    struct job_run *run = &service->run;
    const char *name = sigabbrev_np(service->config->signal);
    struct err err = {""};

    run->code = CODE_JOB_SIGNAL_IGNORED;
    if (!config_can_start(service->config) || !node_is_out(service)) {
        err_set(&err, "process %u does not heed SIG%s and goes on: %s", run->watch.before.pid, name,
                config_can_start(service->config) ? "the node may have requests, so it is not ended"
                                                  : "without exec-args it is not ended, nobody could start it again");
        end_saying(service, run->code, &err);
        return;
    }
    err_set(&err, "process %u does not heed SIG%s", run->watch.before.pid, name);
    say(service, &err);
    stop_begin(&run->stop, service->agent->loop, run->watch.pidfd, service->config->drain_timeout_ms, on_deaf_stopped,
               service);
}

static void decide(struct service *service, enum code code, const struct judge_facts *facts)
{
    struct job_run *run = &service->run;
    struct err err = {""};

    tell_end(service, code, facts, &err);
    if (run->mending && code == CODE_JOB_OK)
        mended(service);
    else if (run->mending)
        mend_failed(service, err.text);
    else if (code == CODE_JOB_OK)
        end_saying(service, code, &err);
    else if (code == CODE_JOB_NO_SUCCESSOR && !facts->says_no && service->config->restart == RESTART_SIGNAL &&
             watch_old_is_deaf(&run->watch, service->config->signal))
        end_deaf(service);
    else
        conclude(service, code, &err);
}

static void watch(void *ctx)
{
    struct service *service = ctx;
    uint64_t from_ms = loop_now_ms();
    struct judge_facts facts;
    enum code code;

    watch_look(service, &facts);
    facts.coming = service->run.started;
    code = judge_restart(&facts);
    if (code == JUDGE_WAIT) /* among thousands of processes a look takes its time */
        loop_timer_start(service->agent->loop, &service->run.timer, WATCH_EVERY_MS + 4 * (loop_now_ms() - from_ms),
                         watch, service);
    else
        decide(service, code, &facts);
}

static void begin_watch(struct service *service, const uint8_t wanted[SHA256_BYTES])
{
    watch_begin(service, wanted, service->config->ready_timeout_ms);
    loop_timer_start(service->agent->loop, &service->run.timer, WATCH_EVERY_MS, watch, service);
}

/* ---- starting: exec and systemd */

static void not_started(struct service *service, const struct err *err)
{
    loop_timer_stop(service->agent->loop, &service->run.timer);
    if (service->run.mending)
        mend_failed(service, err->text);
    else
        conclude(service, CODE_JOB_NOT_STARTED, err);
}

/* One that ends well may have left its work to another process, a daemon; that one is watched for. */
static void on_service_ended(void *ctx, int exit_code)
{
    struct service *service = ctx;
    struct job_run *run = &service->run;
    struct err err = {""};

    service->started = NULL;
    log_event("started_process_ended", "service=%s exit_code=%d", service->config->name, exit_code);
    if (run->job == NULL || !run->started || run->stop.at_work || exit_code == 0 || run->watch.took_over)
        return;
    err_set(&err, "the new process ended with exit code %d before it served%s", exit_code,
            run->held ? "; what the one before left behind still listens in its place" : "");
    not_started(service, &err);
}

static void on_systemctl_late(void *ctx)
{
    struct service *service = ctx;

    child_signal(service->run.command, SIGKILL); /* its end is told */
}

static void on_systemctl_ended(void *ctx, int exit_code)
{
    struct service *service = ctx;
    struct job_run *run = &service->run;
    struct err err = {""};

    run->command = NULL;
    if (exit_code == 0) {
        begin_watch(service, run->watch.wanted);
        return;
    }
    err_set(&err,
            "systemctl restart %s ended with exit code %d; may user %u do that? rollout-agent(8), restart = systemd",
            service->config->unit, exit_code, (unsigned)geteuid());
    not_started(service, &err);
}

static bool start_by_config(struct service *service, struct err *err)
{
    struct job_run *run = &service->run;

    if (service->config->restart != RESTART_SYSTEMD) {
        child_forget(&service->started);
        service->started = start_executable(service, on_service_ended, service, err);
        if (service->started != NULL)
            begin_watch(service, run->watch.wanted);
        return service->started != NULL;
    }
    run->command = start_systemctl(service, on_systemctl_ended, service, err);
    if (run->command != NULL) /* it stops the one before and, of some units, waits until the new one is ready */
        loop_timer_start(service->agent->loop, &run->timer,
                         (uint64_t)service->config->drain_timeout_ms + service->config->ready_timeout_ms,
                         on_systemctl_late, service);
    return run->command != NULL;
}

static void start_now(struct service *service)
{
    struct job_run *run = &service->run;
    struct err err = {""};

    run->started = true;
    run->watch.seen = (struct ident){0};
    run->watch.took_over = false;
    if (!service_installed(service, run->watch.wanted, &err) || !start_by_config(service, &err))
        not_started(service, &err);
}

static void start_when_free(void *ctx)
{
    struct service *service = ctx;
    struct job_run *run = &service->run;

    run->held = service->config->restart != RESTART_SYSTEMD && sockets_held(&run->watch.ports);
    if (run->held && loop_now_ms() < run->free_by_ms)
        loop_timer_start(service->agent->loop, &run->timer, WATCH_EVERY_MS, start_when_free, service);
    else
        start_now(service);
}

/* What is installed now, after a swap or after the way back. A worker may outlive its master for a moment, and a new
 * process that finds its addresses taken gives up at once. */
static void start_service(struct service *service)
{
    child_forget(&service->started);
    service->run.free_by_ms = loop_now_ms() + HELD_LIMIT_MS;
    start_when_free(service);
}

static void on_old_stopped(void *ctx, bool gone)
{
    struct service *service = ctx;
    struct err err = {""};

    if (gone) {
        start_service(service);
        return;
    }
    err_set(&err, "process %u is still there, though it was sent SIGKILL", service->run.watch.before.pid);
    end_saying(service, CODE_JOB_OLD_STAYS, &err);
}

/* ---- the effects */

static enum code signal_process(struct service *service, const uint8_t wanted[SHA256_BYTES], struct err *err)
{
    struct job_run *run = &service->run;

    begin_watch(service, wanted);
    if (syscall(SYS_pidfd_send_signal, run->watch.pidfd, service->config->signal, NULL, 0) == 0)
        return CODE_JOB_OK;
    loop_timer_stop(service->agent->loop, &run->timer);
    err_set(err, "process %u cannot be signalled: %s", run->watch.before.pid, strerror(errno));
    return errno == ESRCH ? CODE_JOB_DIED : CODE_INTERNAL;
}

static enum code act(struct service *service, struct err *err)
{
    struct job_run *run = &service->run;
    struct job *job = run->job;
    uint8_t wanted[SHA256_BYTES];
    enum code code = watch_open(service, err);

    job->before = run->watch.before;
    if (code == CODE_JOB_OK)
        code = swap_keep(service, err);
    if (code != CODE_JOB_OK)
        return code;
    if (service->config->restart == RESTART_EXEC && !config_check_start(service->config, err))
        return CODE_JOB_NOT_STARTED;
    if (!swap_in(service, wanted, err))
        return CODE_JOB_SWAP_FAILED;
    memcpy(run->watch.wanted, wanted, sizeof wanted);
    job->touched = true;
    /* A signal that was sent and forgotten does no harm, and a swap is on record already. */
    if ((job->previous[0] == '\0' || service->config->restart != RESTART_SIGNAL) && !save(service, err))
        return CODE_INTERNAL;
    if (service->config->restart == RESTART_SIGNAL)
        return signal_process(service, wanted, err);
    if (service->config->restart == RESTART_SYSTEMD)
        start_service(service);
    else
        stop_begin(&run->stop, service->agent->loop, run->watch.pidfd, service->config->drain_timeout_ms,
                   on_old_stopped, service);
    return CODE_JOB_OK;
}

/* It says that a new process of its own is on its way, maybe one that was ended just now: until it has seen to that it
 * refuses a signal, and what it says of it would be taken for ours. Whoever says so for ever is signalled all the same.
 */
static bool is_busy(const struct service *service)
{
    char pid[REASON_MAX];
    struct note note;

    note_read(service->config->pidfile, &note);
    return upgrade_note_parse(note.bytes, note.count, pid, sizeof pid) == UPGRADE_RUNNING &&
           job_run_elapsed_ms(service) < BUSY_LIMIT_MS;
}

static void begin(void *ctx)
{
    struct service *service = ctx;
    struct err err = {""};
    enum code code;

    if (service->config->restart == RESTART_SIGNAL && is_busy(service)) {
        loop_timer_start(service->agent->loop, &service->run.timer, WATCH_EVERY_MS, begin, service);
        return;
    }
    code = act(service, &err);
    if (code != CODE_JOB_OK)
        end_saying(service, code, &err);
}

static void make_run(struct service *service, struct job *job)
{
    struct job_run *run = &service->run;

    *run = (struct job_run){
        .job = job, .watch = {.pidfd = -1}, .stop_fd = -1, .started_ms = loop_now_ms(), .waiters = run->waiters};
}

bool job_run_start(struct service *service, const struct job *ask, struct err *err)
{
    struct job *job = jobs_add(&service->jobs, ask);

    job->state = JOB_RUNNING;
    job->started_unix_s = unix_s();
    if (!save(service, err)) {
        service->jobs.count--;
        return false;
    }
    make_run(service, job);
    log_event("job_started", "service=%s job=%s action=%s fence=%" PRIu64 " release=%s", service->config->name, job->id,
              job_action_text(job->action), job->fence, job->release[0] != '\0' ? job->release : "-");
    loop_timer_start(service->agent->loop, &service->run.timer, 0, begin, service);
    return true;
}

/* ---- after the agent was stopped in the middle of a job */

static void resume_mending(void *ctx)
{
    struct service *service = ctx;
    struct job_run *run = &service->run;

    run->watch.before = run->job->before;
    run->watch.pidfd = ident_open(&run->job->before, NULL); /* it may have been sent SIGTERM: it is not to stay */
    if (run->watch.pidfd < 0 || service->config->restart == RESTART_SYSTEMD)
        mend(service);
    else
        stop_begin(&run->stop, service->agent->loop, run->watch.pidfd, service->config->drain_timeout_ms,
                   on_deaf_stopped, service);
}

/* A process that we ended, or were about to, is started again. What is of another boot, somebody else starts. */
static bool must_mend(const struct service *service, const struct job *job, const struct ident *now)
{
    return service->config->restart != RESTART_SIGNAL && job->touched && job->before.pid != 0 &&
           strcmp(job->before.boot_id, service->agent->boot_id) == 0 &&
           (now->pid == 0 || ident_same_process(now, &job->before));
}

static void end_interrupted(struct service *service, struct job *job, const struct ident *now, bool runs_wanted)
{
    uint8_t installed[SHA256_BYTES], wanted[SHA256_BYTES], previous[SHA256_BYTES];

    if (sha256_parse(job->previous, previous) && service_installed(service, installed, NULL) &&
        memcmp(installed, previous, sizeof installed) != 0) {
        job->touched = true;
        if (!runs_wanted) {
            swap_back(service, job);
            (void)sha256_parse(job->release, wanted);
            stray_end(service, &job->before, wanted);
        }
    }
    job->state = JOB_FAILED;
    service->job_ends[job->code]++;
    job->after = *now;
    if (runs_wanted) {
        history_note(&service->jobs.history, job);
        admit_note(service, job);
    }
    job->elapsed_ms = (uint64_t)(unix_s() > job->started_unix_s ? (unix_s() - job->started_unix_s) * 1000 : 0);
    log_event("job_interrupted", "service=%s job=%s touched=%d restored=%d", service->config->name, job->id,
              job->touched, job->restored);
}

bool job_run_recover(struct service *service, struct err *err)
{
    struct job *job = jobs_last(&service->jobs);
    uint8_t wanted[SHA256_BYTES];
    struct ident now;
    bool runs_wanted;

    if (job == NULL || job->state != JOB_RUNNING) {
        swap_sweep(service);
        return true;
    }
    job->code = CODE_JOB_INTERRUPTED;
    (void)snprintf(job->text, sizeof job->text, "the agent was stopped in the middle of this job; look at the status");
    (void)service_ident(service, &now, NULL);
    runs_wanted = now.pid != 0 && sha256_parse(job->release, wanted) && memcmp(now.sha256, wanted, sizeof wanted) == 0;
    if (must_mend(service, job, &now)) {
        make_run(service, job);
        service->run.code = CODE_JOB_INTERRUPTED;
        loop_timer_start(service->agent->loop, &service->run.timer, 0, resume_mending, service);
        return true;
    }
    end_interrupted(service, job, &now, runs_wanted);
    if (!save(service, err))
        return false;
    swap_sweep(service);
    return true;
}

void job_run_close(struct service *service)
{
    struct job_run *run = &service->run;

    child_leave(&service->started);
    if (run->job == NULL)
        return;
    loop_timer_stop(service->agent->loop, &run->timer);
    stop_cancel(&run->stop);
    child_leave(&run->command);
    if (run->stop_fd >= 0)
        (void)close(run->stop_fd);
    watch_close(&run->watch);
}
