/* load - steady mixed load over base URLs of /sleep/; counts everything that is not the right answer. See load.def.
 *
 * SIGTERM or SIGINT: finishes what is in flight. Exit code 0: no failure, 1: failures, 2: no report, 64: usage. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "common/addr.h"
#include "common/duration.h"
#include "lane.h"

#define URLS_MAX    16
#define EVENTS_MAX  256
#define TELL_MS     250
#define LIMIT_MS    30000
#define DURATION_MS 60000
#define EXIT_USAGE  64

struct load {
    struct target targets[URLS_MAX];
    unsigned n_targets, n_lanes;
    struct lane *lanes;
    struct report *report;
    const char *report_path;
    uint32_t duration_ms, limit_ms;
    uint32_t longest_ms;   /* classes that sleep for longer are left out */
    uint64_t requests_max; /* 0: no bound but the duration */
    int epoll_fd, signal_fd;
    bool stopping;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool add_target(struct load *l, const char *url, struct err *err)
{
    struct target *t = &l->targets[l->n_targets];
    struct addr addr;

    if (l->n_targets == URLS_MAX)
        return err_set(err, "more than %d URLs", URLS_MAX);
    if (strncmp(url, "http://", 7) != 0 || !addr_parse(url + 7, &addr, err))
        return err_set(err, "%s is not http://ADDRESS:PORT", url);
    t->url = url;
    t->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(addr.port)};
    if (inet_pton(AF_INET, addr.host, &t->address.sin_addr) != 1)
        return err_set(err, "%s: the host must be an IPv4 address", url);
    if (ntohl(t->address.sin_addr.s_addr) >> 24 != 127)
        return err_set(err, "%s is not on loopback: this client loads nobody else", url);
    l->n_targets++;
    return true;
}

static bool read_options(struct load *l, int argc, char **argv, struct err *err)
{
    static const struct option options[] = {
        {"report", required_argument, NULL, 'r'},   {"duration", required_argument, NULL, 'd'},
        {"requests", required_argument, NULL, 'n'}, {"timeout", required_argument, NULL, 't'},
        {"longest", required_argument, NULL, 'l'},  {0}};
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'r')
            l->report_path = optarg;
        else if (c == 'n')
            l->requests_max = strtoull(optarg, NULL, 10);
        else if ((c != 'd' && c != 't' && c != 'l') || !duration_parse_ms(optarg,
                                                                          c == 'd'   ? &l->duration_ms
                                                                          : c == 't' ? &l->limit_ms
                                                                                     : &l->longest_ms,
                                                                          err))
            return err->text[0] == '\0' ? err_set(err, "unknown option") : false;
    }
    for (; optind < argc; optind++)
        if (!add_target(l, argv[optind], err))
            return false;
    return (l->n_targets > 0 && l->report_path != NULL) || err_set(err, "a URL and --report are needed");
}

static bool set_up(struct load *l, struct err *err)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    uint64_t now = now_ms();
    unsigned per_url = 0;
    sigset_t stops;

    for (int i = 0; i < CLASS_COUNT; i++)
        per_url += load_classes[i].lanes;
    l->lanes = calloc((size_t)per_url * l->n_targets, sizeof *l->lanes);
    l->report = report_new();
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    (void)sigemptyset(&stops);
    (void)sigaddset(&stops, SIGTERM);
    (void)sigaddset(&stops, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &stops, NULL);
    l->signal_fd = signalfd(-1, &stops, SFD_CLOEXEC | SFD_NONBLOCK);
    if (l->lanes == NULL || l->epoll_fd < 0 || l->signal_fd < 0 ||
        epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->signal_fd, &e) != 0)
        return err_set(err, "cannot set up: %s", strerror(errno));
    for (unsigned t = 0; t < l->n_targets; t++)
        for (int c = 0; c < CLASS_COUNT; c++)
            for (unsigned i = 0; i < load_classes[c].lanes && load_classes[c].sleep_ms <= l->longest_ms; i++) {
                struct lane *lane = &l->lanes[l->n_lanes++];

                lane_init(lane, (enum load_class)c, &l->targets[t], l->report, l->epoll_fd, l->limit_ms, l->n_lanes);
                lane->deadline_ms = now + l->n_lanes * 3; /* not all at once */
            }
    return true;
}

static void stop(struct load *l)
{
    l->stopping = true;
    for (unsigned i = 0; i < l->n_lanes; i++)
        lane_stop(&l->lanes[i]);
}

static void stop_by_signal(struct load *l)
{
    struct signalfd_siginfo info;

    (void)!read(l->signal_fd, &info, sizeof info);
    stop(l);
}

/* How long until the next deadline; calls those that have come. */
static int turn_lanes(struct load *l, uint64_t now, unsigned *busy)
{
    uint64_t next = now + TELL_MS;

    *busy = 0;
    for (unsigned i = 0; i < l->n_lanes; i++) {
        struct lane *lane = &l->lanes[i];

        if (l->requests_max != 0 && report_sent_count(l->report) >= l->requests_max && !l->stopping)
            stop(l);
        if (lane->state != LANE_DONE && lane->deadline_ms <= now)
            lane_late(lane, now);
        if (lane->state == LANE_DONE)
            continue;
        (*busy)++;
        if (lane->deadline_ms < next)
            next = lane->deadline_ms;
    }
    return next > now ? (int)(next - now) : 0;
}

static void tell(const struct load *l)
{
    printf("load: %llu sent, %llu answered, %llu failed\n", (unsigned long long)report_sent_count(l->report),
           (unsigned long long)report_answered_count(l->report), (unsigned long long)report_failed_count(l->report));
    (void)fflush(stdout);
}

static void run(struct load *l)
{
    uint64_t began = now_ms(), told = began;
    struct epoll_event events[EVENTS_MAX];
    unsigned busy;

    for (;;) {
        uint64_t now = now_ms();
        int wait_ms, n;

        if (now - began >= l->duration_ms && !l->stopping)
            stop(l);
        wait_ms = turn_lanes(l, now, &busy);
        if (busy == 0)
            return;
        n = epoll_wait(l->epoll_fd, events, EVENTS_MAX, wait_ms);
        now = now_ms();
        for (int i = 0; i < n; i++) {
            struct lane *lane = events[i].data.ptr;

            if (lane == NULL)
                stop_by_signal(l);
            else if (lane->fd >= 0)
                lane_ready(lane, events[i].events, now);
        }
        if (now - told >= TELL_MS) {
            tell(l);
            told = now;
        }
    }
}

int main(int argc, char **argv)
{
    struct load l = {.duration_ms = DURATION_MS, .limit_ms = LIMIT_MS, .longest_ms = UINT32_MAX};
    struct err err = {""};
    bool good = false;
    int rc = 2;

    if (!read_options(&l, argc, argv, &err)) {
        (void)fprintf(
            stderr,
            "load: %s\nusage: load --report FILE [--duration 60s] [--requests N] [--timeout 30s] [--longest TIME] "
            "http://127.0.0.1:PORT...\n",
            err.text);
        return EXIT_USAGE;
    }
    if (set_up(&l, &err)) {
        run(&l);
        tell(&l);
        good = report_write(l.report, l.report_path, &err);
        rc = !good ? 2 : report_failed_count(l.report) != 0;
    }
    if (!good)
        (void)fprintf(stderr, "load: %s\n", err.text);
    for (unsigned i = 0; i < l.n_lanes; i++)
        lane_free(&l.lanes[i]);
    free(l.lanes);
    if (l.report != NULL)
        report_free(&l.report);
    return rc;
}
