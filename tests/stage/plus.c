#include "tests/stage/plus.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX    8192
#define WAIT_S      30
#define THREADS_MAX 16 /* as many requests at once */

struct stage_plus_threads {
    pthread_t thread[THREADS_MAX];
    int listener;
};

struct bytes {
    char *at;
    size_t n;
};

static void limit(int fd)
{
    const struct timeval t = {.tv_sec = WAIT_S};

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
}

static int opened(uint16_t port, bool listens)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    bool good;

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (!listens)
        limit(fd);
    good = listens ? bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 64) == 0
                   : connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    if (good)
        return fd;
    (void)close(fd);
    return -1;
}

static bool send_all(int fd, const char *bytes, size_t n)
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

/* More of it; false at its end. */
static bool receive(int fd, struct bytes *b)
{
    ssize_t got;

    b->at = realloc(b->at, b->n + HEAD_MAX + 1);
    if (b->at == NULL)
        abort();
    got = recv(fd, b->at + b->n, HEAD_MAX, 0);
    b->n += got > 0 ? (size_t)got : 0;
    b->at[b->n] = '\0';
    return got > 0;
}

/* A whole request: head and body. */
static bool receive_request(int fd, struct bytes *b, const char **body)
{
    const char *end = NULL, *length;

    while (end == NULL && receive(fd, b))
        end = strstr(b->at, "\r\n\r\n");
    if (end == NULL)
        return false;
    length = strcasestr(b->at, "\r\nContent-Length:");
    size_t head = (size_t)(end + 4 - b->at), wanted = length != NULL ? strtoul(length + 17, NULL, 10) : 0;
    while (b->n < head + wanted)
        if (!receive(fd, b))
            return false;
    *body = b->at + head;
    return true;
}

/* As Plus would write it: nothing of our module's, but members that a client of today does not know. */
static void strip(json_t *json)
{
    json_t *member;
    const char *key;
    size_t i;

    json_array_foreach(json, i, member) strip(member);
    if (!json_is_object(json))
        return;
    (void)json_object_del(json, "rollout");
    json_object_foreach(json, key, member) strip(member);
}

static void add_unknown(json_t *json)
{
    json_t *member;
    const char *key;
    size_t i;

    json_array_foreach(json, i, member) add_unknown(member);
    json_object_foreach(json, key, member) add_unknown(member);
    if (json_is_object(json) && json_object_get(json, "server") != NULL)
        (void)json_object_set_new(json, "of_a_later_version", json_pack("{s:[i,n,s]}", "a", 1, "b"));
}

static void answer(int fd, int status, const char *body)
{
    char head[256];
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %d Plus\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: "
                     "close\r\n\r\n",
                     status, strlen(body));

    (void)(send_all(fd, head, (size_t)n) && send_all(fd, body, strlen(body)));
}

static void answer_error(int fd, int status, const char *code, const char *text)
{
    char body[512];

    (void)snprintf(body, sizeof body,
                   "{\"error\":{\"status\":%d,\"text\":\"%s\",\"code\":\"%s\"},\"request_id\":\"f00\",\"href\":"
                   "\"https://nginx.org/en/docs/http/ngx_http_api_module.html\"}",
                   status, text, code);
    answer(fd, status, body);
}

/* What nginx says to it. */
static void pass_on(struct stage_plus *p, int fd, const char *method, const char *path, const char *body)
{
    struct bytes b = {0};
    char head[HEAD_MAX];
    int to = opened(p->to, false), status = 0;
    int n = snprintf(head, sizeof head, "%s %s HTTP/1.0\r\nHost: plus\r\nContent-Length: %zu\r\n\r\n", method, path,
                     strlen(body));
    const char *rest;
    json_t *json;

    if (to >= 0 && send_all(to, head, (size_t)n) && send_all(to, body, strlen(body)))
        while (receive(to, &b)) {
        }
    if (to >= 0)
        (void)close(to);
    rest = b.at != NULL ? strstr(b.at, "\r\n\r\n") : NULL;
    if (rest != NULL && sscanf(b.at, "HTTP/1.%*d %d", &status) == 1) {
        json = json_loads(rest + 4, JSON_DECODE_ANY, NULL);
        strip(json);
        add_unknown(json);
        char *text = json != NULL ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
        answer(fd, status, text != NULL ? text : rest + 4);
        free(text);
        json_decref(json);
    }
    free(b.at);
}

static void serve(struct stage_plus *p, int fd)
{
    char method[16], path[1024];
    struct bytes b = {0};
    const char *body;
    bool good = receive_request(fd, &b, &body) && sscanf(b.at, "%15s %1023s", method, path) == 2;
    bool patch = good && strcmp(method, "PATCH") == 0;
    unsigned left = atomic_load(&p->refuse);

    if (good && strcmp(path, "/api/") == 0) {
        answer(fd, 200, p->versions);
    } else if (patch && atomic_load(&p->read_only)) {
        answer_error(fd, 405, "MethodDisabled", "method disabled");
    } else if (patch && left > 0) {
        atomic_store(&p->refuse, left - 1);
        atomic_fetch_add(&p->refused, 1);
        answer_error(fd, 503, "Unavailable", "not just now");
    } else if (good) {
        atomic_fetch_add(&p->patches, patch && strcmp(body, "{}") != 0 ? 1 : 0);
        atomic_fetch_add(&p->wrong_paths, strncmp(path, "/api/8/", 7) != 0 ? 1 : 0);
        pass_on(p, fd, method, path, body);
    }
    free(b.at);
}

static void *serve_all(void *ctx)
{
    struct stage_plus *p = ctx;
    int fd;

    while ((fd = accept4(p->threads->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        limit(fd);
        serve(p, fd);
        (void)close(fd);
    }
    return NULL;
}

static void end(void *ctx)
{
    struct stage_plus_threads *t = ctx;

    (void)shutdown(t->listener, SHUT_RDWR);
    for (unsigned i = 0; i < THREADS_MAX; i++)
        (void)pthread_join(t->thread[i], NULL);
    (void)close(t->listener);
    free(t);
}

struct stage_plus *stage_plus_start(struct stage_fleet *f, unsigned lb)
{
    struct stage_plus *p = stage_alloc(f->stage, sizeof *p);

    p->stage = f->stage;
    p->to = f->lb[lb]->api_port;
    p->port = stage_port(f->stage);
    p->api = stage_text(f->stage, "http://127.0.0.1:%u/api", p->port);
    p->versions = "[1,2,3,4,5,6,7,8]";
    p->threads = calloc(1, sizeof *p->threads);
    if (p->threads == NULL)
        abort();
    p->threads->listener = opened(p->port, true);
    if (p->threads->listener < 0)
        stage_fail(f->stage, "nobody can listen on port %u", p->port);
    for (unsigned i = 0; i < THREADS_MAX; i++)
        if (pthread_create(&p->threads->thread[i], NULL, serve_all, p) != 0)
            abort();
    (void)stage_keep(f->stage, p->threads, end);
    f->api[lb] = p->api;
    (void)stage_fleet_hosts(f, NULL);
    return p;
}
