#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent.h"
#include "file.h"
#include "proc.h"
#include "service.h"
#include "tcp_table.h"

#define RETIRE_MS   300 /* so long must a successor be seen listening: its workers may just be starting */
#define NUDGE_MS    500 /* so long may the one before take to close its sockets by itself; then each time anew */
#define STATUS_TEXT 8192

bool watch_old_is_gone(const struct watch *watch)
{
    struct pollfd p = {.fd = watch->pidfd, .events = POLLIN};

    return watch->pidfd < 0 || poll(&p, 1, 0) == 1;
}

bool watch_old_is_deaf(const struct watch *watch, int signal)
{
    char path[64], text[STATUS_TEXT];

    (void)snprintf(path, sizeof path, "/proc/%u/status", watch->before.pid);
    return !watch_old_is_gone(watch) && file_read_small(path, text, sizeof text, NULL) &&
           proc_signal_unheard(text, signal) && !watch_old_is_gone(watch);
}

enum code watch_open(struct service *service, struct err *err)
{
    struct watch *watch = &service->run.watch;
    struct ident again;

    watch->pidfd = -1;
    if (!service_ident(service, &watch->before, err))
        return CODE_JOB_NOT_RUNNING;
    watch->pidfd = ident_open(&watch->before, err);
    if (watch->pidfd < 0)
        return errno == ESRCH ? CODE_JOB_NOT_RUNNING : CODE_INTERNAL;
    /* Once more with the pidfd in hand: it may have become another program meanwhile. */
    if (!service_ident(service, &again, err))
        return CODE_JOB_NOT_RUNNING;
    if (!ident_same_process(&again, &watch->before) || memcmp(again.sha256, watch->before.sha256, SHA256_BYTES) != 0) {
        err_set(err, "another process took over from %u just now", watch->before.pid);
        return CODE_JOB_NOT_RUNNING;
    }
    if (service->config->pidfile[0] == '\0' && !find_all(service->config, &watch->kin, err))
        return CODE_JOB_NOT_RUNNING;
    return sockets_read(watch->before.pid, &watch->ports, err) ? CODE_JOB_OK : CODE_INTERNAL;
}

void watch_begin(struct service *service, const uint8_t wanted[SHA256_BYTES], uint32_t limit_ms)
{
    struct watch *watch = &service->run.watch;

    probe_cancel(&watch->probe);
    memcpy(watch->wanted, wanted, SHA256_BYTES);
    watch->limit_at_ms = loop_now_ms() + limit_ms;
    watch->seen = (struct ident){0};
    watch->seen_ms = watch->gone_ms = 0;
    watch->took_over = watch->answers = false;
    note_read(service->config->pidfile, &watch->note_before);
    watch->note = watch->note_before;
}

/* ---- the successor */

static void on_answer(void *ctx, const struct probe_result *result)
{
    struct service *service = ctx;
    struct watch *watch = &service->run.watch;

    watch->probe = NULL;
    if (result->status != 0 && ident_same_process(&watch->asked, &watch->seen))
        watch->answers = true;
}

/* Not before the old one is silent: it would answer in its successor's place. */
static void ask_health(struct service *service)
{
    struct watch *watch = &service->run.watch;

    if (watch->answers || watch->probe != NULL)
        return;
    watch->asked = watch->seen;
    watch->probe = probe_start(service->agent->loop, &service->config->health, service->config->health_timeout_ms,
                               on_answer, service);
}

/* nginx, unicorn and others leave it to who sent the signal to end the process before. */
static void retire_old(struct service *service, const struct judge_facts *facts)
{
    struct watch *watch = &service->run.watch;

    if (service->config->retire == 0 || watch->retired || !facts->new_listens || !facts->old_listens ||
        facts->new_ms < RETIRE_MS)
        return;
    watch->retired = syscall(SYS_pidfd_send_signal, watch->pidfd, service->config->retire, NULL, 0) == 0;
}

/* A process that hangs in accept() does not close its sockets before somebody comes. gracehttp's do: to pass a socket
 * on it makes it a blocking one, for both, and on a node without requests nobody comes. */
static void nudge_old(struct service *service, uint64_t now_ms, const struct judge_facts *facts)
{
    struct watch *watch = &service->run.watch;

    if (!facts->new_listens || !facts->old_listens || facts->new_ms < NUDGE_MS ||
        now_ms - watch->nudged_ms < NUDGE_MS || !tcp_table_is_ours(watch->before.pid))
        return;
    watch->nudged_ms = now_ms;
    sockets_nudge(&watch->ports);
}

static void look_at_successor(struct service *service, uint64_t now_ms, struct judge_facts *facts)
{
    struct watch *watch = &service->run.watch;
    struct sockets sockets = {0};
    struct ident now;

    (void)find_main(service->config, &watch->kin, &service->hashes, &now, NULL);
    facts->new_alive = now.pid != 0 && !ident_same_process(&now, &watch->before);
    if (!facts->new_alive) {
        watch->seen = (struct ident){0};
        watch->answers = false;
        return;
    }
    if (!ident_same_process(&now, &watch->seen)) {
        watch->seen_ms = now_ms;
        watch->answers = false;
    }
    watch->seen = now;
    facts->new_ms = now_ms - watch->seen_ms;
    facts->new_wanted = memcmp(now.sha256, watch->wanted, SHA256_BYTES) == 0;
    facts->new_listens =
        facts->new_wanted && sockets_read(now.pid, &sockets, NULL) && sockets_cover(&sockets, &watch->ports);
}

/* ---- the service's own word */

static void look_at_note(struct service *service, uint64_t now_ms, struct judge_facts *facts)
{
    struct watch *watch = &service->run.watch;
    char reason[UPGRADE_NOTE_MAX];
    enum upgrade_note says;
    struct note note;

    note_read(service->config->pidfile, &note);
    if (!note_same(&note, &watch->note))
        watch->note_ms = now_ms;
    watch->note = note;
    says = upgrade_note_parse(note.bytes, note.count, reason, sizeof reason);
    facts->says_no = (says == UPGRADE_FAILED || says == UPGRADE_REFUSED) && !note_same(&note, &watch->note_before);
    facts->no_ms = now_ms - watch->note_ms;
}

static bool nobody_is_there(const struct judge_facts *facts)
{
    return !facts->new_alive && (facts->took_over ? !(facts->old_alive && facts->old_listens) : !facts->old_alive);
}

void watch_look(struct service *service, struct judge_facts *facts)
{
    struct watch *watch = &service->run.watch;
    uint64_t now_ms = loop_now_ms();
    struct sockets sockets = {0};

    *facts = (struct judge_facts){.old_alive = !watch_old_is_gone(watch), .late = now_ms >= watch->limit_at_ms};
    look_at_successor(service, now_ms, facts);
    if (facts->old_alive && (facts->new_alive || watch->took_over))
        facts->old_listens = sockets_read(watch->before.pid, &sockets, NULL) && sockets.count > 0;
    retire_old(service, facts);
    nudge_old(service, now_ms, facts);
    watch->took_over |= judge_took_over(facts);
    if (judge_took_over(facts))
        ask_health(service);
    facts->took_over = watch->took_over;
    facts->new_answers = watch->answers;
    if (!nobody_is_there(facts))
        watch->gone_ms = 0;
    else if (watch->gone_ms == 0)
        watch->gone_ms = now_ms;
    facts->gone_ms = watch->gone_ms != 0 ? now_ms - watch->gone_ms : 0;
    look_at_note(service, now_ms, facts);
}

void watch_close(struct watch *watch)
{
    probe_cancel(&watch->probe);
    if (watch->pidfd >= 0)
        (void)close(watch->pidfd);
    watch->pidfd = -1;
}
