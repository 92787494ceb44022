#include "tests/stage/raw.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX 65536

static int connected(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static void close_kept(void *fd)
{
    (void)close((int)(intptr_t)fd);
}

int stage_raw_open(struct stage *s, uint16_t port)
{
    int fd = connected(port);

    if (fd < 0)
        stage_fail(s, "cannot connect to port %u: %s", port, strerror(errno));
    (void)stage_keep(s, (void *)(intptr_t)fd, close_kept);
    return fd;
}

bool stage_raw_refused(uint16_t port)
{
    int fd = connected(port);

    if (fd >= 0)
        (void)close(fd);
    return fd < 0;
}

void stage_raw_send(struct stage *s, int fd, const char *bytes)
{
    size_t size = strlen(bytes);

    if (send(fd, bytes, size, MSG_NOSIGNAL) != (ssize_t)size)
        stage_fail(s, "cannot send %zu bytes: %s", size, strerror(errno));
}

/* Whether the answer in `text` is whole. */
static bool is_whole(const char *text, size_t size)
{
    const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "\r\nContent-Length:");
    size_t body = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;

    return end != NULL && size >= (size_t)(end + 4 - text) + body;
}

const char *stage_raw_answer(struct stage *s, int fd, uint32_t limit_ms)
{
    return stage_raw_read(s, fd, limit_ms, stage_alloc(s, ANSWER_MAX), ANSWER_MAX);
}

const char *stage_raw_read(struct stage *s, int fd, uint32_t limit_ms, char *text, size_t capacity)
{
    uint64_t until_ms = stage_now_ms() + stage_limit_ms(s, limit_ms);
    size_t size = 0;

    memset(text, 0, capacity);
    while (!is_whole(text, size)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        uint64_t now_ms = stage_now_ms();
        ssize_t n;

        if (now_ms >= until_ms || poll(&p, 1, (int)(until_ms - now_ms)) == 0)
            stage_fail(s, "waited %u ms for a whole answer, got %zu bytes: %s", limit_ms, size, text);
        n = recv(fd, text + size, 1, 0); /* byte by byte: what follows belongs to the next answer */
        if (n <= 0 && size == 0)
            return "";
        if (n <= 0 || size + 2 > capacity)
            stage_fail(s, "the answer broke off after %zu bytes: %s", size, text);
        size += (size_t)n;
    }
    return text;
}

bool stage_raw_closes(struct stage *s, int fd, uint32_t limit_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char byte;

    return poll(&p, 1, (int)stage_limit_ms(s, limit_ms)) == 1 && recv(fd, &byte, 1, 0) <= 0;
}
