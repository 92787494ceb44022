#include "signals.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t last, seen;
static struct calls *volatile woken;

static volatile sig_atomic_t wished[2]; /* by SIGUSR1, by SIGUSR2 */

static void on_wish(int number)
{
    wished[number == SIGUSR2] = 1;
}

static void on_signal(int number)
{
    struct calls *calls = woken;

    if (number == SIGHUP && last == SIGHUP)
        return; /* a terminal that goes sends it twice, by the kernel and by the shell: one wish */
    last = number;
    seen = seen + 1;
    if (calls != NULL)
        calls_wake(calls);
}

/* SQLite maps the journal's -shm file. Nothing can be gone on with behind this; only words that are ready are left. */
static void on_bus(int number)
{
    static const char said[] =
        "\nrollout: somebody has made the journal's files shorter while they were in use, and this is the end of it. A "
        "node may be out of rotation. Act now: rollout repair --hosts FILE\n";
    ssize_t n = write(STDERR_FILENO, said, sizeof said - 1);

    (void)n;
    (void)number;
    _exit(3);
}

void signals_attach(struct calls *calls)
{
    struct sigaction act = {.sa_handler = on_signal}, wish = {.sa_handler = on_wish}, ignore = {.sa_handler = SIG_IGN},
                     bus = {.sa_handler = on_bus, .sa_flags = (int)SA_RESETHAND}, before;

    woken = calls;
    (void)sigemptyset(&act.sa_mask);
    (void)sigaction(SIGINT, &act, NULL);
    (void)sigaction(SIGTERM, &act, NULL);
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) /* else nohup's */
        (void)sigaction(SIGHUP, &act, NULL);
    (void)sigaction(SIGUSR1, &wish, NULL);
    (void)sigaction(SIGUSR2, &wish, NULL);
    (void)sigaction(SIGBUS, &bus, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
    (void)sigaction(SIGXFSZ, &ignore, NULL);
}

void signals_detach(void)
{
    woken = NULL;
}

int signals_seen(int *count)
{
    if (count != NULL)
        *count = seen;
    return last;
}

bool signals_wished(enum wish wish)
{
    bool promote = wish == WISH_PROMOTE, there = wished[promote] != 0;

    wished[promote] = 0;
    return there;
}
