/* rollout-agent - may install the executables of its configured services, and restart them. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent.h"
#include "file.h"
#include "log.h"
#include "server.h"
#include "service.h"
#include "tls.h"

#define EXIT_USAGE  64
#define EXIT_CONFIG 78
#define CONFIG_PATH "/etc/rollout-agent.conf"

static void print_help(FILE *to)
{
    (void)fprintf(to, "usage: rollout-agent [--config FILE] [--check]\n"
                      "\n"
                      "  --config FILE  what to read (default " CONFIG_PATH ")\n"
                      "  --check        read and check everything, print a summary, touch nothing\n"
                      "  --version      print the version\n"
                      "  --help         print this\n"
                      "\n"
                      "Keys of the file:\n");
    config_print_help(to);
}

struct options {
    const char *config_path;
    bool check;
};

/* Exits on --help, --version and misuse. */
static struct options read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    struct options options = {.config_path = CONFIG_PATH};
    int c;

    while ((c = getopt_long(argc, argv, "h", names, NULL)) != -1) {
        if (c == 'c') {
            options.config_path = optarg;
        } else if (c == 'k') {
            options.check = true;
        } else if (c == 'h') {
            print_help(stdout);
            exit(0);
        } else if (c == 'v') {
            (void)printf("rollout-agent " ROLLOUT_VERSION "\n");
            exit(0);
        } else {
            (void)fprintf(stderr, "rollout-agent: see --help\n");
            exit(EXIT_USAGE);
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr, "rollout-agent: \"%s\" is too much; see --help\n", argv[optind]);
        exit(EXIT_USAGE);
    }
    return options;
}

static bool check_world(const struct config *config, struct err *err)
{
    struct tls tls = {0};
    bool ok = config_check_world(config, err) && (!config_uses_tls(config) || tls_load(config, &tls, err));

    tls_free(&tls);
    return ok;
}

/* Two agents on one state folder would each believe to be the only one. */
static bool lock_state(struct agent *agent, struct err *err)
{
    char path[PATH_MAX + 8];

    if (!file_make_folder(agent->config.state, err))
        return false;
    (void)snprintf(path, sizeof path, "%s/lock", agent->config.state);
    agent->state_lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (agent->state_lock_fd < 0)
        return err_set(err, "cannot make %s: %s", path, strerror(errno));
    return flock(agent->state_lock_fd, LOCK_EX | LOCK_NB) == 0 ||
           err_set(err, "another rollout-agent works with %s", agent->config.state);
}

static bool open_services(struct agent *agent, struct err *err)
{
    agent->services = calloc(agent->config.service_count, sizeof *agent->services);
    if (agent->services == NULL)
        abort();
    for (unsigned i = 0; i < agent->config.service_count; i++) {
        if (!service_open(&agent->services[i], agent, &agent->config.services[i], err))
            return false;
    }
    return true;
}

struct signals {
    struct agent *agent;
    struct loop_slot slot;
};

static void on_signal(void *ctx)
{
    struct signals *signals = ctx;
    struct signalfd_siginfo info;

    if (read(signals->slot.fd, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    log_event("stopping", "signal=%u", info.ssi_signo);
    loop_stop(signals->agent->loop);
}

static bool watch_signals(struct signals *signals, struct err *err)
{
    sigset_t set;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    signals->slot = (struct loop_slot){.fn = on_signal, .ctx = signals};
    signals->slot.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return (signals->slot.fd >= 0 && loop_add(signals->agent->loop, &signals->slot, EPOLLIN)) ||
           err_set(err, "cannot watch signals: %s", strerror(errno));
}

static bool run(struct agent *agent, struct err *err)
{
    struct signals signals = {.agent = agent, .slot = {.fd = -1}};
    bool rc = false;

    agent->loop = loop_new();
    if (agent->loop == NULL)
        return err_set(err, "cannot make an epoll: %s", strerror(errno));
    if (ident_boot_id(agent->boot_id, err) && watch_signals(&signals, err) && lock_state(agent, err) &&
        open_services(agent, err) && (agent->server = server_start(agent, err)) != NULL) {
        loop_run(agent->loop);
        rc = true;
    }
    server_stop(&agent->server);
    for (unsigned i = 0; agent->services != NULL && i < agent->config.service_count; i++)
        service_close(&agent->services[i]);
    free(agent->services);
    if (agent->state_lock_fd >= 0)
        (void)close(agent->state_lock_fd);
    if (signals.slot.fd >= 0)
        (void)close(signals.slot.fd);
    loop_free(&agent->loop);
    return rc;
}

int main(int argc, char **argv)
{
    struct options options = read_options(argc, argv);
    struct agent agent = {.state_lock_fd = -1};
    struct err err = {""};
    int rc = 0;

    if (!config_read(options.config_path, &agent.config, &err) || !check_world(&agent.config, &err)) {
        rc = EXIT_CONFIG;
    } else if (options.check) {
        config_print_summary(&agent.config, stdout);
    } else if (!run(&agent, &err)) {
        rc = 1;
    }
    if (rc != 0)
        (void)fprintf(stderr, "rollout-agent: %s\n", err.text);
    config_free(&agent.config);
    return rc;
}
