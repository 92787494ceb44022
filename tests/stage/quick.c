#include "tests/stage/quick.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/stage/stage.h"

static bool broke(struct stage_quick *q, const char *why)
{
    q->status = 0;
    q->why = why;
    return false;
}

int stage_quick_open(struct stage_quick *q, uint16_t port, const char *from)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in ours = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* else the second piece of a request waits for the other side to acknowledge the first */
    bool good = fd >= 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) == 0;

    q->status = 0;
    q->why = q->body = "";
    q->body_size = q->size = 0;
    q->refused = false;
    if (good && from != NULL)
        good = inet_pton(AF_INET, from, &ours.sin_addr) == 1 &&
               setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int)) == 0 &&
               bind(fd, (const struct sockaddr *)&ours, sizeof ours) == 0;
    if (good && connect(fd, (const struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    q->refused = true;
    (void)broke(q, "no connection");
    return -1;
}

/* A 100 Continue and the like in front of the answer. */
static void skip_interim(struct stage_quick *q)
{
    const char *end;

    while (strncmp(q->bytes, "HTTP/1.1 1", 10) == 0 && (end = strstr(q->bytes, "\r\n\r\n")) != NULL) {
        q->size -= (size_t)(end + 4 - q->bytes);
        memmove(q->bytes, end + 4, q->size + 1);
    }
}

/* Whether a whole answer has come; sets what is known of it. */
static bool is_whole(struct stage_quick *q)
{
    const char *end, *length;
    size_t whole;

    skip_interim(q);
    end = strstr(q->bytes, "\r\n\r\n");
    if (end == NULL || strncmp(q->bytes, "HTTP/1.1 ", 9) != 0)
        return false;
    length = strcasestr(q->bytes, "\r\nContent-Length:");
    q->body = end + 4;
    q->body_size = !q->is_head && length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
    whole = (size_t)(q->body - q->bytes) + q->body_size;
    if (q->size < whole)
        return false;
    q->status = (int)strtol(q->bytes + 9, NULL, 10);
    q->more = q->size - whole;
    return true;
}

bool stage_quick_take(struct stage_quick *q, int fd, uint32_t limit_ms)
{
    uint64_t until_ms = stage_now_ms() + limit_ms, now_ms;
    const char *why = "";

    q->size = 0;
    q->bytes[0] = '\0';
    while (!is_whole(q) && why[0] == '\0') {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;

        now_ms = stage_now_ms();
        if (now_ms >= until_ms || poll(&p, 1, (int)(until_ms - now_ms)) == 0) {
            why = "no whole answer within the limit";
            break;
        }
        n = recv(fd, q->bytes + q->size, sizeof q->bytes - 1 - q->size, 0);
        if (n > 0)
            q->size += (size_t)n;
        else if (n < 0)
            why = q->size > 0 ? "reset in mid-answer" : "reset without a byte of an answer";
        else
            why = q->size == sizeof q->bytes - 1 ? "an answer too large"
                  : q->size > 0                  ? "closed in mid-answer"
                                                 : "closed without a byte of an answer";
        q->bytes[q->size] = '\0';
    }
    return why[0] == '\0' || broke(q, why);
}

bool stage_quick_answer(struct stage_quick *q, int fd, uint32_t limit_ms)
{
    bool good = stage_quick_take(q, fd, limit_ms);

    (void)close(fd);
    return good;
}

bool stage_quick_send(struct stage_quick *q, uint16_t port, const char *from, const char *request, uint32_t limit_ms)
{
    int fd = stage_quick_open(q, port, from);
    size_t size = strlen(request);

    if (fd < 0)
        return false;
    if (send(fd, request, size, MSG_NOSIGNAL) != (ssize_t)size) {
        (void)close(fd);
        return broke(q, "the connection broke while the request was sent");
    }
    return stage_quick_answer(q, fd, limit_ms);
}

bool stage_quick(struct stage_quick *q, uint16_t port, const char *from, const char *method, const char *path,
                 const char *body, uint32_t limit_ms)
{
    char request[2048], length[64] = "";
    int n;

    if (body != NULL)
        (void)snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(body));
    n = snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n%s", method, path,
                 length, body != NULL ? body : "");
    if (n < 0 || (size_t)n >= sizeof request)
        abort();
    return stage_quick_send(q, port, from, request, limit_ms);
}
