/* fleet - runs a command against a fake fleet (fleet.h), then says what it took and what the judge (judge.h) says of
 * it:
 *
 *   fleet [options] --hosts FILE -- COMMAND ARGUMENT...
 *
 *   --name TEXT        stands first in the result
 *   --nodes N  --lbs M                  100 and 1
 *   --drain TIME  --restart TIME        100ms each
 *   --max-out N        the floor is N servers of an upstream below all (1)
 *   --told-twice       judge too that each node was shown quiet twice within the last second before its job
 *   --no-prefer        load balancers that do not know `Prefer: wait`
 *   --tls FOLDER       with ca.pem, server.pem, client.pem; both sides show certificates
 *   --limit TIME       then the command is killed (10m)
 *   --output FILE      of the command; else its standard output is thrown away
 *
 * FILE becomes a hosts file for rollout. The command finds FLEET_NODES, FLEET_LBS, FLEET_LB_PORT, FLEET_AGENT_PORT,
 * FLEET_HOSTS and FLEET_TLS in its environment. The result is one line of key=value pairs: wall_ms of the whole
 * command, roll_ms from the first change at the fleet to the last one, cpu_ms and rss_kb of the command, breaches. Exit
 * 0: the command did, and nothing was breached. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/duration.h"
#include "fleet.h"
#include "judge.h"

#define PORT_LOW   20000
#define PORT_HIGH  32000
#define PORT_TRIES 200

struct settings {
    const char *name, *hosts, *tls, *output;
    uint32_t max_out;
    uint32_t drain_ms, restart_ms, limit_ms;
    bool told_twice, no_prefer;
    uint16_t lb_port, agent_port;
    char **command;
};

static int usage(const char *why)
{
    (void)fprintf(stderr, "fleet: %s; see tests/bench/fake/main.c\n", why);
    return 64;
}

static bool read_options(int argc, char **argv, struct settings *s, struct err *err)
{
    static const struct option options[] = {{"name", required_argument, NULL, 'n'},
                                            {"nodes", required_argument, NULL, 'N'},
                                            {"lbs", required_argument, NULL, 'L'},
                                            {"drain", required_argument, NULL, 'd'},
                                            {"restart", required_argument, NULL, 'r'},
                                            {"max-out", required_argument, NULL, 'm'},
                                            {"told-twice", no_argument, NULL, 't'},
                                            {"no-prefer", no_argument, NULL, 'p'},
                                            {"tls", required_argument, NULL, 's'},
                                            {"limit", required_argument, NULL, 'l'},
                                            {"hosts", required_argument, NULL, 'h'},
                                            {"output", required_argument, NULL, 'o'},
                                            {0}};
    int c;

    while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        if (c == 'n')
            s->name = optarg;
        else if (c == 'N')
            fleet.n_nodes = (uint32_t)strtoul(optarg, NULL, 10);
        else if (c == 'L')
            fleet.n_lbs = (uint32_t)strtoul(optarg, NULL, 10);
        else if (c == 'm')
            s->max_out = (uint32_t)strtoul(optarg, NULL, 10);
        else if (c == 't')
            s->told_twice = true;
        else if (c == 'p')
            s->no_prefer = true;
        else if (c == 's')
            s->tls = optarg;
        else if (c == 'h')
            s->hosts = optarg;
        else if (c == 'o')
            s->output = optarg;
        else if ((c != 'd' && c != 'r' && c != 'l') || !duration_parse_ms(optarg,
                                                                          c == 'd'   ? &s->drain_ms
                                                                          : c == 'r' ? &s->restart_ms
                                                                                     : &s->limit_ms,
                                                                          err))
            return err->text[0] == '\0' ? err_set(err, "an unknown option") : false;
    }
    s->command = argv + optind;
    if (s->command[0] == NULL || s->hosts == NULL)
        return err_set(err, "--hosts FILE and a command are needed");
    if (fleet.n_nodes < 1 || fleet.n_nodes > FLEET_NODES_MAX || fleet.n_lbs < 1 || fleet.n_lbs > FLEET_LBS_MAX)
        return err_set(err, "1 to %d nodes, 1 to %d load balancers", FLEET_NODES_MAX, FLEET_LBS_MAX);
    return true;
}

static bool is_free(uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_ANY)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = bind(fd, (struct sockaddr *)&at, sizeof at) == 0;

    (void)close(fd);
    return good;
}

static uint16_t free_port(uint16_t but)
{
    for (int i = 0; i < PORT_TRIES; i++) {
        uint16_t port = (uint16_t)(PORT_LOW + (unsigned)rand() % (PORT_HIGH - PORT_LOW));

        if (port != but && is_free(port))
            return port;
    }
    return 0;
}

static void put_address(FILE *f, uint32_t a)
{
    (void)fprintf(f, " ansible_host=%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
}

static bool write_hosts(const struct settings *s, struct err *err)
{
    const char *scheme = s->tls != NULL ? "https" : "http";
    FILE *f = fopen(s->hosts, "we");

    if (f == NULL)
        return err_set(err, "cannot write %s: %s", s->hosts, strerror(errno));
    (void)fprintf(f, "[lb]\n");
    for (uint32_t i = 0; i < fleet.n_lbs; i++) {
        (void)fprintf(f, "lb%u.fleet.test", i + 1);
        put_address(f, FLEET_LB_BASE + i);
        (void)fprintf(f, " rollout_api=%s://{host}:%u/api\n", scheme, s->lb_port);
    }
    (void)fprintf(f, "[web]\n");
    for (uint32_t i = 0; i < fleet.n_nodes; i++) {
        (void)fprintf(f, "n%05u.fleet.test", i + 1);
        put_address(f, FLEET_NODE_BASE + i);
        (void)fputc('\n', f);
    }
    (void)fprintf(f, "[web:vars]\nrollout_service=app\nrollout_agent=%s://{host}:%u\n", scheme, s->agent_port);
    if (s->tls != NULL)
        (void)fprintf(f, "[all:vars]\nrollout_cert=%s/client.pem\nrollout_cacert=%s/ca.pem\n", s->tls, s->tls);
    return fclose(f) == 0 || err_set(err, "cannot write %s: %s", s->hosts, strerror(errno));
}

static void put_number(const char *name, unsigned long value)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%lu", value);
    (void)setenv(name, text, 1);
}

static pid_t start(const struct settings *s, int *pidfd)
{
    pid_t pid = fork();

    if (pid == 0) {
        int out = open(s->output != NULL ? s->output : "/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0600);

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        put_number("FLEET_NODES", fleet.n_nodes);
        put_number("FLEET_LBS", fleet.n_lbs);
        put_number("FLEET_LB_PORT", s->lb_port);
        put_number("FLEET_AGENT_PORT", s->agent_port);
        (void)setenv("FLEET_HOSTS", s->hosts, 1);
        (void)setenv("FLEET_TLS", s->tls != NULL ? s->tls : "", 1);
        (void)dup2(out, STDOUT_FILENO);
        (void)execvp(s->command[0], s->command);
        (void)fprintf(stderr, "fleet: cannot run %s: %s\n", s->command[0], strerror(errno));
        _exit(127);
    }
    *pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    return pid;
}

static double ms_of(struct timeval t)
{
    return (double)t.tv_sec * 1000 + (double)t.tv_usec / 1000;
}

static int run(const struct settings *s)
{
    int64_t began_ns = timer_now_ns();
    struct rusage used, own;
    int pidfd, status;
    pid_t pid = start(s, &pidfd);
    uint32_t breaches;

    if (pid < 0 || pidfd < 0)
        return usage("cannot start the command");
    if (!server_run_until(pidfd, (uint32_t)(s->limit_ms / 1000)))
        (void)kill(pid, SIGKILL);
    (void)wait4(pid, &status, 0, &used);
    double wall_ms = (double)(timer_now_ns() - began_ns) / 1e6;
    (void)getrusage(RUSAGE_SELF, &own);
    breaches = judge_end();
    (void)printf("name=%s nodes=%u lbs=%u exit=%d wall_ms=%.1f roll_ms=%.1f cpu_ms=%.1f user_ms=%.1f rss_kb=%ld "
                 "requests=%llu lb_connections=%llu agent_connections=%llu fleet_cpu_ms=%.1f breaches=%u\n",
                 s->name, fleet.n_nodes, fleet.n_lbs, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
                 wall_ms, (double)(fleet.last_ns - fleet.first_ns) / 1e6, ms_of(used.ru_utime) + ms_of(used.ru_stime),
                 ms_of(used.ru_utime), used.ru_maxrss, (unsigned long long)server_counts.requests,
                 (unsigned long long)server_counts.connections[0], (unsigned long long)server_counts.connections[1],
                 ms_of(own.ru_utime) + ms_of(own.ru_stime), breaches);
    (void)close(pidfd);
    return status == 0 && breaches == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct settings s = {.name = "rollout", .max_out = 1, .drain_ms = 100, .restart_ms = 100, .limit_ms = 600000};
    struct rlimit files;
    struct err err = {""};
    int code = 1;

    fleet.n_nodes = 100;
    fleet.n_lbs = 1;
    if (!read_options(argc, argv, &s, &err))
        return usage(err.text);
    (void)getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    (void)prctl(PR_SET_TIMERSLACK, 1000);
    srand((unsigned)getpid());
    fleet.drain_ns = (int64_t)s.drain_ms * 1000000;
    fleet.restart_ns = (int64_t)s.restart_ms * 1000000;
    fleet.prefer = !s.no_prefer;
    s.lb_port = free_port(0);
    s.agent_port = free_port(s.lb_port);
    fleet_new();
    judge_begin(&(struct judge_rules){.n_nodes = fleet.n_nodes,
                                      .n_lbs = fleet.n_lbs,
                                      .floor = fleet.n_nodes > s.max_out + 1 ? fleet.n_nodes - s.max_out : 1,
                                      .told_twice = s.told_twice});
    if (server_open(s.lb_port, lb_handle, s.agent_port, agent_handle, s.tls, &err) && write_hosts(&s, &err))
        code = run(&s);
    else
        (void)fprintf(stderr, "fleet: %s\n", err.text);
    server_close();
    fleet_free();
    return code;
}
