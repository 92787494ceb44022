#include "half.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"

static void on_signal(void *ctx)
{
    struct half_signals *signals = ctx;
    struct signalfd_siginfo info;

    if (read(signals->slot.fd, &info, sizeof info) != (ssize_t)sizeof info || signals->deaf)
        return;
    if (info.ssi_signo == SIGHUP) {
        if (signals->reload != NULL) /* at the very start there is nothing that could be read again */
            signals->reload(signals->reload_ctx);
        return;
    }
    log_event("stopping", "signal=%u", info.ssi_signo);
    signals->came = true;
    loop_stop(signals->agent->loop);
}

bool half_watch_signals(struct half_signals *signals, struct agent *agent, bool deaf, struct err *err)
{
    sigset_t set;

    *signals = (struct half_signals){.agent = agent, .deaf = deaf};
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    signals->slot = (struct loop_slot){.fn = on_signal, .ctx = signals};
    signals->slot.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return (signals->slot.fd >= 0 && loop_add(agent->loop, &signals->slot, EPOLLIN)) ||
           err_set(err, "cannot watch signals: %s", strerror(errno));
}

void half_forget_signals(struct half_signals *signals)
{
    if (signals->slot.fd >= 0)
        (void)close(signals->slot.fd);
    signals->slot.fd = -1;
}

/* Ends by itself when the connection does; the kernel's signal is for a parent that was killed: whoever starts the
 * agent anew then must not wait for this one to notice. */
static bool be_the_helper(struct agent *agent, int fd, pid_t parent, struct err *err)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return err_set(err, "the helper half cannot be bound to its parent: %s", strerror(errno));
    return getppid() == parent && half_run_helper(agent, fd, err);
}

bool half_run_both(struct agent *agent, struct err *err)
{
    pid_t parent = getpid(), child;
    int fds[2];
    bool ok;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
        return err_set(err, "cannot make a socket between the halves: %s", strerror(errno));
    child = fork();
    if (child < 0) {
        (void)close(fds[0]);
        (void)close(fds[1]);
        return err_set(err, "cannot start the helper half: %s", strerror(errno));
    }
    (void)close(fds[child == 0 ? 0 : 1]);
    ok = child == 0 ? be_the_helper(agent, fds[1], parent, err) : half_run_network(agent, fds[0], child, err);
    return ok;
}
