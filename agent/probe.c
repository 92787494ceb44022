#include "probe.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ANSWER_MAX (16 * 1024) /* bytes of head and body */

struct probe {
    struct loop *loop;
    const struct url *url;
    probe_fn *fn;
    void *ctx;
    struct loop_slot slot;
    struct loop_timer timer;
    uint32_t limit_ms;
    int failed; /* errno of what went wrong at the start */
    size_t sent, received;
    char request[1024];
    char answer[ANSWER_MAX + 1];
};

/* The value of a header in a head that ends at `end`, or NULL. */
static const char *find_header(const char *head, const char *end, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = head; at != NULL && at < end; at = strstr(at, "\r\n")) {
        at += strncmp(at, "\r\n", 2) == 0 ? 2 : 0;
        if (strncasecmp(at, name, length) == 0 && at[length] == ':')
            return at + length + 1 + strspn(at + length + 1, " \t");
    }
    return NULL;
}

/* Join chunks; true when the last one is there. */
static bool join_chunks(const char *at, const char *end, char *body, size_t *used)
{
    while (at < end) {
        const char *data = strstr(at, "\r\n");
        unsigned long size;

        if (!isxdigit((unsigned char)*at) || data == NULL)
            return false;
        size = strtoul(at, NULL, 16);
        if (size == 0)
            return true;
        data += 2;
        size_t have = (size_t)(end - data), take = size < have ? size : have;
        take = take < PROBE_BODY_MAX - *used ? take : PROBE_BODY_MAX - *used;
        memcpy(body + *used, data, take);
        *used += take;
        if (*used == PROBE_BODY_MAX || have < 2 || size > have - 2)
            return *used == PROBE_BODY_MAX;
        at = data + size + 2;
    }
    return false;
}

bool probe_parse_answer(const char *bytes, size_t size, bool ended, struct probe_result *result)
{
    const char *head_end = strstr(bytes, "\r\n\r\n"), *body, *header;
    size_t have, used = 0;
    bool whole = ended;
    char digits[4], after;
    unsigned status = 0;

    result->status = 0;
    result->body[0] = '\0';
    if (head_end != NULL && sscanf(bytes, "HTTP/1.%*1[01] %3[0-9]%c", digits, &after) == 2 &&
        (after == ' ' || after == '\r'))
        status = (unsigned)strtoul(digits, NULL, 10);
    if (status < 100)
        return ended || size >= ANSWER_MAX;
    body = head_end + 4;
    have = (size_t)(bytes + size - body);
    header = find_header(bytes, head_end, "Transfer-Encoding");
    if (header != NULL && strncasecmp(header, "chunked", 7) == 0) {
        whole = join_chunks(body, bytes + size, result->body, &used) || ended;
    } else {
        used = have < PROBE_BODY_MAX ? have : PROBE_BODY_MAX;
        header = find_header(bytes, head_end, "Content-Length");
        if (header != NULL) {
            unsigned long length = strtoul(header, NULL, 10);
            whole = have >= length || ended;
            used = used < length ? used : (size_t)length;
        }
        memcpy(result->body, body, used);
    }
    result->body[used] = '\0';
    result->status = status;
    return whole || used == PROBE_BODY_MAX || size >= ANSWER_MAX;
}

static void free_probe(struct probe *p)
{
    loop_timer_stop(p->loop, &p->timer);
    if (p->slot.fd >= 0) {
        loop_remove(p->loop, &p->slot);
        (void)close(p->slot.fd);
    }
    free(p);
}

static void finish(struct probe *p, struct probe_result *result)
{
    probe_fn *fn = p->fn;
    void *ctx = p->ctx;

    free_probe(p);
    fn(ctx, result);
}

static void finish_failed(struct probe *p, const char *what)
{
    struct probe_result result = {0};

    (void)snprintf(result.text, sizeof result.text, "http://%.64s%.100s: %.64s", p->url->host, p->url->path, what);
    finish(p, &result);
}

static void on_time_out(void *ctx)
{
    struct probe *p = ctx;
    char what[64];

    if (p->failed != 0) {
        finish_failed(p, strerror(p->failed));
        return;
    }
    (void)snprintf(what, sizeof what, "no whole answer within %u ms", p->limit_ms);
    finish_failed(p, what);
}

static void on_ready(void *ctx)
{
    struct probe *p = ctx;
    struct probe_result result = {0};
    size_t length = strlen(p->request);
    ssize_t n;

    if (p->sent < length) {
        n = send(p->slot.fd, p->request + p->sent, length - p->sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            finish_failed(p, strerror(errno));
            return;
        }
        p->sent += n > 0 ? (size_t)n : 0;
        if (p->sent == length)
            loop_change(p->loop, &p->slot, EPOLLIN);
        return;
    }
    n = recv(p->slot.fd, p->answer + p->received, ANSWER_MAX - p->received, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        finish_failed(p, strerror(errno));
        return;
    }
    p->received += (size_t)n;
    p->answer[p->received] = '\0';
    if (!probe_parse_answer(p->answer, p->received, n == 0, &result))
        return;
    if (result.status == 0) {
        finish_failed(p, p->received == 0 ? "the connection was closed without an answer" : "the answer is no HTTP/1");
        return;
    }
    (void)snprintf(result.text, sizeof result.text, "http://%.64s%.100s answered %u", p->url->host, p->url->path,
                   result.status);
    finish(p, &result);
}

struct probe *probe_start(struct loop *loop, const struct url *url, uint32_t limit_ms, probe_fn *fn, void *ctx)
{
    struct probe *p = calloc(1, sizeof *p);

    if (p == NULL)
        abort();
    p->loop = loop;
    p->url = url;
    p->fn = fn;
    p->ctx = ctx;
    p->limit_ms = limit_ms;
    (void)snprintf(p->request, sizeof p->request,
                   "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: rollout-agent/" ROLLOUT_VERSION
                   "\r\nAccept: */*\r\nConnection: close\r\n\r\n",
                   url->path, url->host);
    p->slot = (struct loop_slot){.fn = on_ready, .ctx = p};
    p->slot.fd = socket(url->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (p->slot.fd < 0 || !loop_add(loop, &p->slot, EPOLLOUT))
        p->failed = errno;
    else if (connect(p->slot.fd, (const struct sockaddr *)(const void *)&url->addr, url->addr_size) != 0 &&
             errno != EINPROGRESS)
        p->failed = errno;
    loop_timer_start(loop, &p->timer, p->failed != 0 ? 0 : limit_ms, on_time_out, p);
    return p;
}

void probe_cancel(struct probe **probe)
{
    if (*probe != NULL)
        free_probe(*probe);
    *probe = NULL;
}
