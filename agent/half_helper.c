#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "file.h"
#include "half.h"
#include "helper.h"
#include "log.h"
#include "ready.h"
#include "reload.h"
#include "sandbox.h"
#include "service.h"

/* A helper half whose agent was killed a moment ago still ends: its last write may be on its way to the disk. */
#define LOCK_WAIT_MS  5000
#define LOCK_EVERY_MS 10

/* Two agents on one state folder would each believe to be the only one. */
static bool lock_state(struct agent *agent, struct err *err)
{
    const struct timespec pause = {.tv_nsec = LOCK_EVERY_MS * 1000000L};
    uint64_t limit_ms = loop_now_ms() + LOCK_WAIT_MS;
    char path[PATH_MAX + 8];

    if (!file_make_folder(agent->config.state, err))
        return false;
    (void)snprintf(path, sizeof path, "%s/lock", agent->config.state);
    agent->state_lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (agent->state_lock_fd < 0)
        return err_set(err, "cannot make %s: %s", path, strerror(errno));
    while (flock(agent->state_lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (loop_now_ms() >= limit_ms)
            return err_set(err, "another rollout-agent works with %s, and has not ended within %d s",
                           agent->config.state, LOCK_WAIT_MS / 1000);
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

static bool open_services(struct agent *agent, struct err *err)
{
    agent->services = calloc(agent->config.service_count, sizeof *agent->services);
    if (agent->services == NULL)
        abort();
    for (unsigned i = 0; i < agent->config.service_count; i++) {
        if (!service_open(&agent->services[i], agent, &agent->config.services[i], err))
            return false;
        service_check(&agent->services[i]);
    }
    return true;
}

static void on_reload(void *ctx)
{
    reload_helper(ctx);
}

bool half_run_helper(struct agent *agent, int fd, struct err *err)
{
    struct half_signals signals = {.slot.fd = -1};
    struct helper *helper = NULL;
    bool ok = false;

    agent->loop = loop_new();
    if (agent->loop == NULL)
        return err_set(err, "cannot make an epoll: %s", strerror(errno));
    if (ident_boot_id(agent->boot_id, err) && half_watch_signals(&signals, agent, fd >= 0, err) &&
        lock_state(agent, err) && open_services(agent, err) && (helper = helper_start(agent, fd, err)) != NULL &&
        sandbox_helper(config_starts_programs(&agent->config), err)) {
        signals.reload = on_reload;
        signals.reload_ctx = agent;
        if (fd < 0) /* else the other half speaks for both */
            ready_tell();
        loop_run(agent->loop);
        ok = true;
    }
    loop_timer_stop(agent->loop, &agent->reload_timer);
    helper_stop(&helper);
    for (unsigned i = 0; agent->services != NULL && i < agent->config.service_count; i++)
        service_close(&agent->services[i]);
    free(agent->services);
    if (agent->state_lock_fd >= 0)
        (void)close(agent->state_lock_fd);
    half_forget_signals(&signals);
    loop_free(&agent->loop);
    return ok;
}
