/* demo-server - the seed's program in C: three listeners that sleep on demand, restarted without losing a request. */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "common/err.h"
#include "handover.h"
#include "handover_init.h"
#include "log.h"
#include "options.h"
#include "routes.h"
#include "server.h"
#include "version.h"

#define EXIT_USAGE 64

/* A socket must never become somebody's stdout. */
static void standard_fds_open(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        (void)close(fd);
}

static bool serve(char **argv, const struct options *o, struct err *err)
{
    struct handover_options options = {.argv = argv,
                                       .pidfile = o->pidfile[0] != '\0' ? o->pidfile : NULL,
                                       .upgrade_timeout_ms = o->upgrade_timeout_ms,
                                       .drain_timeout_ms = o->drain_timeout_ms};
    const struct {
        const char *flag, *name;
        const struct addr *addr;
    } listeners[] = {{"a0", "Zero  ", &o->a0}, {"a1", "First ", &o->a1}, {"a2", "Second", &o->a2}};
    struct timespec started;
    struct server *server;
    struct handover *handover = NULL;
    char counts[512];
    bool rc = false;

    (void)clock_gettime(CLOCK_REALTIME, &started);
    server = server_new(&started, o->linger_ms, sizeof listeners / sizeof listeners[0], err);
    if (server == NULL)
        return false;
    options.adopt_ahead = server_adopt_ahead(server);
    handover = handover_new(&options, &server_handover_ops, server, err);
    if (handover == NULL)
        goto out;
    for (size_t i = 0; i < sizeof listeners / sizeof listeners[0]; i++) {
        int fd = handover_listen(handover, listeners[i].flag, listeners[i].addr, err);

        if (fd < 0) {
            err_context(err, "-%s", listeners[i].flag);
            goto out;
        }
        if (!server_add(server, fd, listeners[i].flag, listeners[i].name, err))
            goto out;
    }
    if (!handover_ready(handover, err))
        goto out;
    log_event("ready", "version=%s", version_text);
    rc = server_run(server, handover, err);
    log_event("exit", "%s", counts_line(server_counts(server), counts, sizeof counts));
out:
    server_free(&server);
    handover_free(&handover);
    return rc;
}

int main(int argc, char **argv)
{
    struct options options;
    enum options_wish wish;
    struct err err = {""};

    handover_begin();
    standard_fds_open();
    if (!options_read(argc, argv, &options, &wish, &err)) {
        (void)fprintf(stderr, "demo-server: %s\n", err.text);
        return EXIT_USAGE;
    }
    if (wish == OPTIONS_HELP) {
        options_help();
        return 0;
    }
    if (wish == OPTIONS_VERSION) {
        printf("%s\n", version_text);
        return 0;
    }
    handover_init_begin();
    version_start();
    if (!serve(argv, &options, &err)) {
        (void)fprintf(stderr, "demo-server: %s\n", err.text);
        return 1;
    }
    return 0;
}
