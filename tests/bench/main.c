/* hammer - the measurements of `make bench-handover`, each a line of key=value pairs:
 *
 *   hammer load PORT [--connections 32] [--close] [--duration 2s] [--requests N] [--think 10ms] [--cpu PID]
 *               [--every 1s [--signal USR2|HUP] [--to PID]]
 *   hammer sleepers PORT PID N     kB of PID for each of N requests that sleep 3 s
 *   hammer swap PORT N             us from SIGUSR2 to the first answer of another pid, median of N
 *   hammer exec N COMMAND...       us of a fork, an exec and the end of COMMAND, median of N
 *   hammer start N PORT COMMAND... us from fork to the first answer of COMMAND, which is then ended; median of N */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/duration.h"
#include "hammer.h"

#define TIMES_MAX 1000
#define WAIT_NS   10000000000U

static int load(int argc, char **argv)
{
    static const struct option options[] = {
        {"connections", required_argument, NULL, 'c'}, {"close", no_argument, NULL, 'x'},
        {"duration", required_argument, NULL, 'd'},    {"requests", required_argument, NULL, 'n'},
        {"think", required_argument, NULL, 't'},       {"cpu", required_argument, NULL, 'p'},
        {"every", required_argument, NULL, 'e'},       {"signal", required_argument, NULL, 's'},
        {"to", required_argument, NULL, 'o'},          {0}};
    struct hammer_options o = {.connections = 32, .duration_ms = 2000, .signal = SIGUSR2};
    struct hammer_result r;
    struct err err = {""};
    int c;

    o.port = (uint16_t)strtoul(argv[0], NULL, 10);
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'c')
            o.connections = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'x')
            o.close = true;
        else if (c == 'n')
            o.requests_min = strtoull(optarg, NULL, 10);
        else if (c == 'p')
            o.cpu_pid = (pid_t)strtol(optarg, NULL, 10);
        else if (c == 'o')
            o.signal_pid = (pid_t)strtol(optarg, NULL, 10);
        else if (c == 's')
            o.signal = strcmp(optarg, "HUP") == 0 ? SIGHUP : SIGUSR2;
        else if ((c != 'd' && c != 't' && c != 'e') || !duration_parse_ms(optarg,
                                                                          c == 'd'   ? &o.duration_ms
                                                                          : c == 't' ? &o.think_ms
                                                                                     : &o.signal_every_ms,
                                                                          &err))
            return 64;
    }
    if (!hammer_run(&o, &r, &err))
        (void)fprintf(stderr, "hammer: %s\n", err.text);
    printf("answered=%llu failed=%llu refused=%llu reset=%llu cut=%llu odd=%llu rps=%.0f cpu_us=%.2f p50_us=%.0f "
           "p99_us=%.0f max_us=%.0f signals=%llu generations=%llu pid=%d\n",
           (unsigned long long)r.answered, (unsigned long long)r.failed, (unsigned long long)r.refused,
           (unsigned long long)r.reset, (unsigned long long)r.cut, (unsigned long long)r.odd,
           (double)r.answered / r.seconds, r.cpu_seconds * 1e6 / (double)(r.answered > 0 ? r.answered : 1),
           (double)hammer_quantile_ns(&r, 0.5) / 1e3, (double)hammer_quantile_ns(&r, 0.99) / 1e3,
           (double)r.max_ns / 1e3, (unsigned long long)r.signals, (unsigned long long)r.generations, r.last_pid);
    return r.failed != 0;
}

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static int tell_median(uint64_t *times, size_t n)
{
    uint64_t median;

    if (n == 0)
        return 1;
    qsort(times, n, sizeof times[0], compare);
    median = times[n / 2];
    printf("median_us=%.0f best_us=%.0f times=%zu\n", (double)median / 1e3, (double)times[0] / 1e3, n);
    return 0;
}

static size_t times_of(const char *text)
{
    size_t n = strtoul(text, NULL, 10);

    return n < TIMES_MAX ? n : TIMES_MAX;
}

static int sleepers(char **argv)
{
    static const char request[] = "GET /sleep/?duration=3s HTTP/1.1\r\nHost: localhost\r\n\r\n";
    uint16_t port = (uint16_t)strtoul(argv[0], NULL, 10);
    pid_t pid = (pid_t)strtol(argv[1], NULL, 10);
    unsigned n = (unsigned)strtoul(argv[2], NULL, 10), answered = 0;
    unsigned long before = bench_rss_kb(pid), with;
    struct rlimit files;
    int *fd = calloc(n, sizeof *fd);

    if (fd == NULL)
        return 1;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    for (unsigned i = 0; i < n; i++)
        fd[i] = bench_connect(port);
    for (unsigned i = 0; i < n; i++)
        (void)!send(fd[i], request, sizeof request - 1, MSG_NOSIGNAL);
    (void)usleep(1500000); /* half of their sleep: all have come, none is awake */
    with = bench_rss_kb(pid);
    for (unsigned i = 0; i < n; i++) {
        char answer[1024];
        ssize_t size = recv(fd[i], answer, sizeof answer, 0);

        answered += size > 12 && strncmp(answer, "HTTP/1.1 200", 12) == 0;
        (void)close(fd[i]);
    }
    free(fd);
    printf("idle_kb=%lu each_kb=%.2f answered=%u of %u\n", before, (double)(with - before) / n, answered, n);
    return answered != n;
}

static int swap(char **argv)
{
    uint16_t port = (uint16_t)strtoul(argv[0], NULL, 10);
    size_t n = times_of(argv[1]), done = 0;
    uint64_t times[TIMES_MAX];

    for (; done < n; done++) {
        pid_t old = bench_ask_pid(port), pid = old;
        uint64_t began = bench_now_ns();

        if (old <= 1 || kill(old, SIGUSR2) != 0)
            break;
        while ((pid == old || pid == 0) && bench_now_ns() - began < WAIT_NS)
            pid = bench_ask_pid(port);
        times[done] = bench_now_ns() - began;
        while (kill(old, 0) == 0 && bench_now_ns() - began < WAIT_NS) /* an upgrade at a time */
            (void)usleep(2000);
    }
    return tell_median(times, done);
}

static void __attribute__((noreturn)) become(char **argv)
{
    int null = open("/dev/null", O_WRONLY);

    (void)dup2(null, STDOUT_FILENO);
    (void)dup2(null, STDERR_FILENO);
    (void)execv(argv[0], argv);
    _exit(127);
}

static int exec_or_start(char **argv, bool starts)
{
    size_t n = times_of(argv[0]);
    uint16_t port = starts ? (uint16_t)strtoul(argv[1], NULL, 10) : 0;
    uint64_t times[TIMES_MAX];

    for (size_t i = 0; i < n; i++) {
        uint64_t began = bench_now_ns();
        pid_t pid = fork();

        if (pid == 0)
            become(argv + 1 + starts);
        while (starts && bench_ask_pid(port) == 0 && bench_now_ns() - began < WAIT_NS)
            ;
        if (starts)
            times[i] = bench_now_ns() - began;
        if (starts)
            (void)kill(pid, SIGTERM);
        (void)waitpid(pid, NULL, 0);
        if (!starts)
            times[i] = bench_now_ns() - began;
    }
    return tell_median(times, n);
}

int main(int argc, char **argv)
{
    if (argc >= 3 && strcmp(argv[1], "load") == 0)
        return load(argc - 2, argv + 2);
    if (argc == 5 && strcmp(argv[1], "sleepers") == 0)
        return sleepers(argv + 2);
    if (argc == 4 && strcmp(argv[1], "swap") == 0)
        return swap(argv + 2);
    if (argc >= 4 && strcmp(argv[1], "exec") == 0)
        return exec_or_start(argv + 2, false);
    if (argc >= 5 && strcmp(argv[1], "start") == 0)
        return exec_or_start(argv + 2, true);
    (void)fprintf(stderr, "usage: hammer load|sleepers|swap|exec|start ...; see tests/bench/main.c\n");
    return 64;
}
