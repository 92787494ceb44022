/* port.c - free ports. The lock is an abstract unix socket named after the port: of the network namespace, as the ports
 * are, seen by every tree's tests, gone with the process, and no file. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/stage/state.h"

#define PORT_FIRST 20000
#define PORT_LAST  31999

static int lock_port(uint16_t port)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int n = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "rollout-stage-port-%u", port);

    if (fd >= 0 && bind(fd, (struct sockaddr *)&name, (socklen_t)(sizeof(sa_family_t) + 1 + (size_t)n)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool port_is_free(uint16_t port)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    bool is_free = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
                   bind(fd, (struct sockaddr *)&any, sizeof any) == 0;

    if (fd >= 0)
        close(fd);
    return is_free;
}

uint16_t stage_port(struct stage *s)
{
    static unsigned next;

    if (next == 0) /* programs that run side by side begin in different places */
        next = (unsigned)getpid() * 37 % (PORT_LAST - PORT_FIRST);
    for (unsigned tries = 0; tries <= PORT_LAST - PORT_FIRST && s->state->n_ports < STAGE_PORTS_MAX; tries++) {
        uint16_t port = (uint16_t)(PORT_FIRST + next++ % (PORT_LAST - PORT_FIRST + 1));
        int fd = lock_port(port);

        if (fd < 0)
            continue;
        if (port_is_free(port)) {
            s->state->port_lock[s->state->n_ports++] = fd;
            return port;
        }
        close(fd);
    }
    stage_fail(s, "no free port between %d and %d (this stage holds %u)", PORT_FIRST, PORT_LAST, s->state->n_ports);
}
