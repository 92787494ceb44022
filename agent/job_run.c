#include "job_run.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "install.h"
#include "judge.h"
#include "log.h"
#include "release.h"
#include "service.h"
#include "stray.h"

#define WATCH_EVERY_MS 20
#define REASON_MAX     200 /* bytes of a service's sentence in a job's text */
#define BUSY_LIMIT_MS  3000

static void watch(void *ctx);

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

/* The file from before the swap back in its place. */
static void restore(struct service *service, struct job *job)
{
    char from[PATH_MAX];
    uint8_t sha256[SHA256_BYTES];
    struct err err = {""};
    struct log_quoted quoted;
    bool swapped;

    if (job->previous[0] == '\0' || !sha256_parse(job->previous, sha256))
        return;
    release_path(service->releases, job->previous, from);
    job->restored = install_put(service->config->executable, from, sha256, &swapped, &err);
    if (job->restored)
        return;
    log_event("restore_failed", "service=%s job=%s text=%s", service->config->name, job->id,
              log_quote(&quoted, err.text));
    size_t used = strlen(job->text);
    (void)snprintf(job->text + used, sizeof job->text - used, "; THE OLD FILE COULD NOT BE PUT BACK: %s", err.text);
}

static void end_job(struct service *service, enum code code)
{
    struct job_run *run = &service->run;
    struct job *job = run->job;
    struct log_quoted quoted;
    struct err err = {""};

    if (run->pidfd >= 0)
        (void)close(run->pidfd);
    run->pidfd = -1;
    job->code = code;
    job->state = code == CODE_JOB_OK ? JOB_DONE : JOB_FAILED;
    if (job->state == JOB_FAILED) {
        restore(service, job);
        stray_end(service, &job->before, run->wanted);
    }
    (void)service_ident(service, &job->after, NULL);
    if (job->state == JOB_DONE)
        history_note(&service->jobs.history, job);
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
    waiter_wake(&run->waiters);
}

static void fail_job(struct service *service, enum code code, const struct err *err)
{
    (void)snprintf(service->run.job->text, sizeof service->run.job->text, "%s", err->text);
    end_job(service, code);
}

/* ---- watch */

static bool has_ended(int pidfd)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

static void look_at_successor(struct service *service, const struct ident *now, uint64_t now_ms,
                              struct judge_facts *facts)
{
    struct job_run *run = &service->run;
    struct sockets sockets = {0};

    facts->new_alive = now->pid != 0 && !ident_same_process(now, &run->job->before);
    if (!facts->new_alive) {
        run->seen = (struct ident){0};
        return;
    }
    if (!ident_same_process(now, &run->seen))
        run->seen_ms = now_ms;
    run->seen = *now;
    facts->new_ms = now_ms - run->seen_ms;
    facts->new_wanted = memcmp(now->sha256, run->wanted, SHA256_BYTES) == 0;
    facts->new_listens =
        facts->new_wanted && sockets_read(now->pid, &sockets, NULL) && sockets_cover(&sockets, &run->before);
}

static void look_at_note(struct service *service, uint64_t now_ms, struct judge_facts *facts)
{
    struct job_run *run = &service->run;
    char reason[REASON_MAX];
    enum upgrade_note says;
    struct note note;

    note_read(service->config->pidfile, &note);
    if (!note_same(&note, &run->note))
        run->note_ms = now_ms;
    run->note = note;
    says = upgrade_note_parse(note.bytes, note.count, reason, sizeof reason);
    facts->says_no = (says == UPGRADE_FAILED || says == UPGRADE_REFUSED) && !note_same(&note, &run->note_before);
    facts->no_ms = now_ms - run->note_ms;
}

static void look(struct service *service, struct judge_facts *facts)
{
    struct job_run *run = &service->run;
    uint64_t now_ms = loop_now_ms();
    struct sockets sockets = {0};
    struct ident now;

    *facts = (struct judge_facts){.old_alive = !has_ended(run->pidfd), .late = now_ms >= run->limit_at_ms};
    (void)service_ident(service, &now, NULL);
    look_at_successor(service, &now, now_ms, facts);
    if (facts->new_listens && facts->old_alive)
        facts->old_listens = sockets_read(run->job->before.pid, &sockets, NULL) && sockets.count > 0;
    if (facts->old_alive || facts->new_alive)
        run->gone_ms = 0;
    else if (run->gone_ms == 0)
        run->gone_ms = now_ms;
    facts->gone_ms = run->gone_ms != 0 ? now_ms - run->gone_ms : 0;
    look_at_note(service, now_ms, facts);
}

/* The service's own reason. */
static void tell_no(const struct job_run *run, struct err *err)
{
    char reason[REASON_MAX];
    enum upgrade_note says = upgrade_note_parse(run->note.bytes, run->note.count, reason, sizeof reason);

    err_set(err, "process %u goes on; it says that the restart %s: %s", run->job->before.pid,
            says == UPGRADE_REFUSED ? "was refused" : "failed", reason);
}

static void tell_end(struct service *service, enum code code, const struct judge_facts *facts)
{
    struct job_run *run = &service->run;
    uint32_t old = run->job->before.pid, new = run->seen.pid, limit_ms = service->config->ready_timeout_ms;
    struct err err = {""};

    if (code == CODE_JOB_OK)
        err_set(&err, "process %u took over from %u", new, old);
    else if (code == CODE_JOB_WRONG_EXECUTABLE)
        err_set(&err, "process %u took over from %u, but does not run the wanted executable", new, old);
    else if (code == CODE_JOB_TWO_SERVERS)
        err_set(&err, "process %u serves, but %u still accepts connections after %u ms", new, old, limit_ms);
    else if (code == CODE_JOB_NO_SUCCESSOR && facts->new_alive)
        err_set(&err, "process %u does not listen where %u does after %u ms; both are there", new, old, limit_ms);
    else if (code == CODE_JOB_NO_SUCCESSOR && facts->says_no)
        tell_no(run, &err);
    else if (code == CODE_JOB_NO_SUCCESSOR)
        err_set(&err, "no new process wrote the pid file within %u ms; %u goes on", limit_ms, old);
    else if (facts->new_alive)
        err_set(&err, "process %u is gone, and %u does not listen where it did", old, new);
    else
        err_set(&err, "process %u is gone, and no new one is there", old);
    fail_job(service, code, &err);
}

static void watch(void *ctx)
{
    struct service *service = ctx;
    struct judge_facts facts;
    enum code code;

    look(service, &facts);
    code = judge_restart(&facts);
    if (code == JUDGE_WAIT)
        loop_timer_start(service->agent->loop, &service->run.timer, WATCH_EVERY_MS, watch, service);
    else
        tell_end(service, code, &facts);
}

/* ---- the effects */

/* Before anything is touched: from here on the pid cannot come to mean another process. */
static enum code open_process(struct service *service, struct err *err)
{
    struct job_run *run = &service->run;
    struct job *job = run->job;
    uint64_t start_ticks;

    if (!service_ident(service, &job->before, err))
        return CODE_JOB_NOT_RUNNING;
    run->pidfd = (int)syscall(SYS_pidfd_open, job->before.pid, 0);
    if (run->pidfd < 0) {
        err_set(err, "process %u cannot be opened: %s", job->before.pid, strerror(errno));
        return errno == ESRCH ? CODE_JOB_NOT_RUNNING : CODE_INTERNAL;
    }
    if (!ident_start(job->before.pid, &start_ticks) || start_ticks != job->before.start_ticks) {
        err_set(err, "process %u ended just now", job->before.pid);
        return CODE_JOB_NOT_RUNNING;
    }
    return sockets_read(job->before.pid, &run->before, err) ? CODE_JOB_OK : CODE_INTERNAL;
}

static enum code signal_process(struct service *service, struct err *err)
{
    struct job_run *run = &service->run;
    struct job *job = run->job;

    job->touched = true;
    if (job->previous[0] == '\0' && !save(service, err)) /* a swap is on record already */
        return CODE_INTERNAL;
    note_read(service->config->pidfile, &run->note_before);
    run->note = run->note_before;
    if (syscall(SYS_pidfd_send_signal, run->pidfd, service->config->signal, NULL, 0) == 0)
        return CODE_JOB_OK;
    err_set(err, "process %u cannot be signalled: %s", job->before.pid, strerror(errno));
    return errno == ESRCH ? CODE_JOB_DIED : CODE_INTERNAL;
}

/* Where somebody replaced the file under the process, what runs is in no file: it is kept before an upgrade, so that
 * there is a way back, and a restart, which would change the release, is refused. */
static enum code keep_what_runs(struct service *service, struct err *err)
{
    const struct job *job = service->run.job;
    uint8_t installed[SHA256_BYTES];
    char hex[SHA256_DIGITS + 1], from[32];

    if (!service_installed(service, installed, err))
        return CODE_JOB_SWAP_FAILED;
    if (memcmp(installed, job->before.sha256, sizeof installed) == 0 || job->action == JOB_ROLLBACK)
        return CODE_JOB_OK;
    if (job->action == JOB_RESTART) {
        err_set(err, "%s is not the executable that process %u runs; a restart would change the release",
                service->config->executable, job->before.pid);
        return CODE_JOB_WRONG_EXECUTABLE;
    }
    sha256_hex(job->before.sha256, hex);
    (void)snprintf(from, sizeof from, "/proc/%u/exe", job->before.pid);
    if (release_keep(service->releases, from, hex, &service->hashes, err))
        return CODE_JOB_OK;
    (void)err_context(err, "the running executable cannot be kept");
    return CODE_JOB_SWAP_FAILED;
}

/* Where the wanted executable is there already nothing is swapped. */
static bool swap(struct service *service, struct err *err)
{
    struct job_run *run = &service->run;
    struct job *job = run->job;
    uint8_t installed[SHA256_BYTES];
    char hex[SHA256_DIGITS + 1], from[PATH_MAX];
    bool swapped;

    if (!service_installed(service, installed, err))
        return false;
    memcpy(run->wanted, installed, sizeof installed);
    if (job->action == JOB_RESTART)
        return true;
    (void)sha256_parse(job->release, run->wanted);
    if (memcmp(run->wanted, installed, sizeof installed) == 0)
        return true;
    sha256_hex(installed, hex);
    if (!release_keep(service->releases, service->config->executable, hex, &service->hashes, err))
        return err_context(err, "the old executable cannot be kept");
    (void)snprintf(job->previous, sizeof job->previous, "%s", hex);
    if (!save(service, err)) {
        job->previous[0] = '\0';
        return false;
    }
    release_path(service->releases, job->release, from);
    if (install_put(service->config->executable, from, run->wanted, &swapped, err)) {
        job->touched = true;
        return true;
    }
    job->touched = swapped;
    if (!swapped)
        job->previous[0] = '\0'; /* nothing to put back */
    return false;
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
    struct job_run *run = &service->run;
    struct err err = {""};
    enum code code;

    if (is_busy(service)) {
        loop_timer_start(service->agent->loop, &run->timer, WATCH_EVERY_MS, begin, service);
        return;
    }
    code = open_process(service, &err);
    if (code == CODE_JOB_OK)
        code = keep_what_runs(service, &err);
    if (code == CODE_JOB_OK && !swap(service, &err))
        code = CODE_JOB_SWAP_FAILED;
    if (code == CODE_JOB_OK)
        code = signal_process(service, &err);
    if (code != CODE_JOB_OK) {
        fail_job(service, code, &err);
        return;
    }
    run->limit_at_ms = loop_now_ms() + service->config->ready_timeout_ms;
    loop_timer_start(service->agent->loop, &run->timer, WATCH_EVERY_MS, watch, service);
}

bool job_run_start(struct service *service, const struct job *ask, struct err *err)
{
    struct job_run *run = &service->run;
    struct job *job = jobs_add(&service->jobs, ask);

    job->state = JOB_RUNNING;
    job->started_unix_s = unix_s();
    if (!save(service, err)) {
        service->jobs.count--;
        return false;
    }
    *run = (struct job_run){.job = job, .pidfd = -1, .started_ms = loop_now_ms(), .waiters = run->waiters};
    log_event("job_started", "service=%s job=%s action=%s fence=%" PRIu64 " release=%s", service->config->name, job->id,
              job_action_text(job->action), job->fence, job->release[0] != '\0' ? job->release : "-");
    loop_timer_start(service->agent->loop, &run->timer, 0, begin, service);
    return true;
}

bool job_run_recover(struct service *service, struct err *err)
{
    struct job *job = jobs_last(&service->jobs);
    uint8_t installed[SHA256_BYTES], wanted[SHA256_BYTES], previous[SHA256_BYTES];
    struct ident now;
    bool runs_wanted;

    if (job == NULL || job->state != JOB_RUNNING)
        return true;
    job->state = JOB_FAILED;
    job->code = CODE_JOB_INTERRUPTED;
    (void)snprintf(job->text, sizeof job->text, "the agent was stopped in the middle of this job; look at the status");
    (void)service_ident(service, &now, NULL);
    runs_wanted = now.pid != 0 && sha256_parse(job->release, wanted) && memcmp(now.sha256, wanted, sizeof wanted) == 0;
    if (sha256_parse(job->previous, previous) && service_installed(service, installed, NULL) &&
        memcmp(installed, previous, sizeof installed) != 0) {
        job->touched = true;
        if (!runs_wanted) {
            restore(service, job);
            (void)sha256_parse(job->release, wanted);
            stray_end(service, &job->before, wanted);
        }
    }
    job->after = now;
    if (runs_wanted)
        history_note(&service->jobs.history, job);
    job->elapsed_ms = (uint64_t)(unix_s() > job->started_unix_s ? (unix_s() - job->started_unix_s) * 1000 : 0);
    log_event("job_interrupted", "service=%s job=%s touched=%d restored=%d", service->config->name, job->id,
              job->touched, job->restored);
    return save(service, err);
}

void job_run_close(struct service *service)
{
    loop_timer_stop(service->agent->loop, &service->run.timer);
    if (service->run.job != NULL && service->run.pidfd >= 0)
        (void)close(service->run.pidfd);
}
