#include "handover_notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "common/notify.h"

void handover_notify(const char *lines)
{
    notify_send(lines, false);
}

void handover_notify_ready(bool main_pid)
{
    char lines[64] = "READY=1";

    if (main_pid)
        (void)snprintf(lines, sizeof lines, "READY=1\nMAINPID=%ld", (long)getpid());
    notify_send(lines, true);
}

void handover_notify_reloading(void)
{
    char lines[80];
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)snprintf(lines, sizeof lines, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                   (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
    handover_notify(lines);
}
