#include "signals.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t last, seen;
static struct calls *volatile woken;

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

void signals_attach(struct calls *calls)
{
    struct sigaction act = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN}, before;

    woken = calls;
    (void)sigemptyset(&act.sa_mask);
    (void)sigaction(SIGINT, &act, NULL);
    (void)sigaction(SIGTERM, &act, NULL);
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) /* else nohup's */
        (void)sigaction(SIGHUP, &act, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
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
