#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "half.h"
#include "link.h"
#include "log.h"
#include "ready.h"
#include "sandbox.h"
#include "server.h"

#define HELPER_START_MS 60000 /* it may have to hash what an interrupted job left */
#define HELPER_END_MS   5000

/* The child was told to end, or has ended. The kernel ends one that does not, when this process does. */
static bool await_helper(pid_t helper, int pidfd, struct err *err)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    int status = 0;

    if (poll(&p, 1, HELPER_END_MS) != 1 || waitpid(helper, &status, WNOHANG) != helper)
        return err_set(err, "the helper half, process %d, does not end", helper);
    if (WIFSIGNALED(status))
        return err_set(err, "the helper half, process %d, was ended by SIG%s", helper, sigabbrev_np(WTERMSIG(status)));
    return WEXITSTATUS(status) == 0; /* else it has said why */
}

/* So that nobody is refused at the start: a helper half of our own is awaited before the door opens. */
static bool await_start(struct agent *agent, const struct link *link, const struct half_signals *signals,
                        struct err *err)
{
    uint64_t limit_ms = loop_now_ms() + HELPER_START_MS;

    while (!link_is_ready(link) && !link_is_lost(link) && !signals->came && loop_now_ms() < limit_ms)
        loop_turn(agent->loop, 1000);
    if (link_is_ready(link) || signals->came || link_is_lost(link))
        return link_is_ready(link);
    return err_set(err, "the helper half is not ready after %d s", HELPER_START_MS / 1000);
}

static void on_reload(void *ctx)
{
    server_reload(ctx);
}

static bool serve(struct agent *agent, int fd, struct half_signals *signals, struct err *err)
{
    struct link *link = link_open(agent, fd);
    struct server *server = NULL;
    bool ok = fd < 0 || await_start(agent, link, signals, err);

    if (ok)
        server = server_start(agent, link, err);
    ok = server != NULL && sandbox_network(err);
    if (ok) {
        signals->reload = on_reload;
        signals->reload_ctx = server;
        ready_tell();
        loop_run(agent->loop);
        signals->reload = NULL;
    }
    ok = ok || signals->came;
    server_stop(&server);
    ok = ok && !link_is_lost(link);
    link_close(&link);
    return ok;
}

bool half_run_network(struct agent *agent, int fd, pid_t helper, struct err *err)
{
    int pidfd = helper > 0 ? (int)syscall(SYS_pidfd_open, helper, 0) : -1;
    struct half_signals signals = {.slot.fd = -1};
    bool ok = false;

    agent->loop = loop_new();
    if (agent->loop == NULL)
        return err_set(err, "cannot make an epoll: %s", strerror(errno));
    if (half_watch_signals(&signals, agent, false, err))
        ok = serve(agent, fd, &signals, err);
    half_forget_signals(&signals);
    loop_free(&agent->loop);
    if (helper > 0 && !await_helper(helper, pidfd, err->text[0] == '\0' ? err : NULL))
        ok = false;
    if (pidfd >= 0)
        (void)close(pidfd);
    return ok;
}
