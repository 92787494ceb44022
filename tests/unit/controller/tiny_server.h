/* tiny_server.h - an HTTP server for unit tests: a thread a connection, answers from a function. 127.0.0.1 only. */
#ifndef TESTS_TINY_SERVER_H
#define TESTS_TINY_SERVER_H

#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TINY_CONNECTIONS_MAX 1024

struct tiny_request {
    char method[16], path[512];
    char head[8192]; /* all header lines */
    char *body;
    size_t body_bytes;
    int connection; /* counts up: the same number, the same connection */
};

struct tiny_answer {
    int status; /* 200 unless set; 0 = close without a word */
    char body[8192];
    const char *date; /* the header Date; NULL = none */
    bool hang;        /* say nothing until the server stops */
    bool endless;     /* a chunked body without an end */
};

typedef void tiny_fn(void *ctx, const struct tiny_request *, struct tiny_answer *); /* under the server's lock */

struct tiny_server {
    int fd, port, n;
    tiny_fn *fn;
    void *ctx;
    pthread_t thread, threads[TINY_CONNECTIONS_MAX];
    int fds[TINY_CONNECTIONS_MAX];
    bool stopping;
    pthread_mutex_t lock;
};

struct tiny_connection {
    struct tiny_server *server;
    int fd, number;
};

static int tiny_listen(int *port)
{
    static unsigned seed;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};

    assert(fd >= 0);
    if (seed == 0)
        seed = (unsigned)getpid();
    for (int i = 0; i < 1000; i++) { /* below the ephemeral range */
        *port = 20000 + rand_r(&seed) % 12000;
        a.sin_port = htons((uint16_t)*port);
        if (bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 512) == 0)
            return fd;
    }
    abort();
}

static bool tiny_send(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        n -= (size_t)sent;
    }
    return true;
}

static bool tiny_body(int fd, struct tiny_request *q, char *rest, size_t n)
{
    const char *length = strcasestr(q->head, "Content-Length:");

    q->body_bytes = length != NULL ? strtoul(length + 15, NULL, 10) : 0;
    q->body = calloc(q->body_bytes + 1, 1);
    if (strcasestr(q->head, "100-continue") != NULL && n == 0)
        tiny_send(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    memcpy(q->body, rest, n < q->body_bytes ? n : q->body_bytes);
    while (n < q->body_bytes) {
        ssize_t got = recv(fd, q->body + n, q->body_bytes - n, 0);
        if (got <= 0)
            return false;
        n += (size_t)got;
    }
    return true;
}

static bool tiny_read(int fd, struct tiny_request *q)
{
    size_t n = 0;
    char *end = NULL;

    while (end == NULL && n + 1 < sizeof q->head) {
        ssize_t got = recv(fd, q->head + n, sizeof q->head - 1 - n, 0);
        if (got <= 0)
            return false;
        n += (size_t)got;
        q->head[n] = '\0';
        end = strstr(q->head, "\r\n\r\n");
    }
    if (end == NULL || sscanf(q->head, "%15s %511s", q->method, q->path) != 2)
        return false;
    *end = '\0';
    return tiny_body(fd, q, end + 4, n - (size_t)(end + 4 - q->head));
}

static bool tiny_answer(struct tiny_connection *c, const struct tiny_answer *a)
{
    char head[256], wait;
    int n = snprintf(head, sizeof head, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s%s\r\n\r\n", a->status,
                     strlen(a->body), a->date != NULL ? "Date: " : "X: ", a->date != NULL ? a->date : "");

    if (a->hang)
        return recv(c->fd, &wait, 1, 0) > 0; /* until the other end or the server's stop closes it */
    if (a->status == 0)
        return false;
    if (!a->endless)
        return tiny_send(c->fd, head, (size_t)n) && tiny_send(c->fd, a->body, strlen(a->body));
    n = snprintf(head, sizeof head, "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n");
    if (!tiny_send(c->fd, head, (size_t)n))
        return false;
    while (tiny_send(c->fd, "10\r\n0123456789abcdef\r\n", 22)) {
    }
    return false;
}

static void *tiny_serve(void *arg)
{
    struct tiny_connection *c = arg;
    struct tiny_server *s = c->server;
    bool more = true;

    while (more) {
        struct tiny_request q = {.connection = c->number};
        struct tiny_answer a = {.status = 200};
        more = tiny_read(c->fd, &q);
        if (more) {
            pthread_mutex_lock(&s->lock);
            s->fn(s->ctx, &q, &a);
            pthread_mutex_unlock(&s->lock);
            more = tiny_answer(c, &a);
        }
        free(q.body);
    }
    shutdown(c->fd, SHUT_RDWR); /* closed by tiny_stop, so that the number is not used again */
    free(c);
    return NULL;
}

static void *tiny_accept(void *arg)
{
    struct tiny_server *s = arg;

    for (;;) {
        int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            return NULL;
        pthread_mutex_lock(&s->lock);
        struct tiny_connection *c = calloc(1, sizeof *c);
        *c = (struct tiny_connection){.server = s, .fd = fd, .number = s->n};
        assert(s->n < TINY_CONNECTIONS_MAX);
        s->fds[s->n] = fd;
        pthread_create(&s->threads[s->n++], NULL, tiny_serve, c);
        pthread_mutex_unlock(&s->lock);
    }
}

static inline struct tiny_server *tiny_start(tiny_fn *fn, void *ctx)
{
    struct tiny_server *s = calloc(1, sizeof *s);

    s->fn = fn;
    s->ctx = ctx;
    s->fd = tiny_listen(&s->port);
    pthread_mutex_init(&s->lock, NULL);
    pthread_create(&s->thread, NULL, tiny_accept, s);
    return s;
}

static inline void tiny_stop(struct tiny_server *s)
{
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
    for (int i = 0; i < s->n; i++)
        shutdown(s->fds[i], SHUT_RDWR);
    for (int i = 0; i < s->n; i++) {
        pthread_join(s->threads[i], NULL);
        close(s->fds[i]);
    }
    pthread_mutex_destroy(&s->lock);
    free(s);
}

#endif
