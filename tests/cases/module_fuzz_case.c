/* module_fuzz_case.c - any request to the API: an answer that is JSON and no 5xx, a connection that goes on, no crash.
 *
 * Most requests are well framed (the length of the body is right), whatever they say: each gets its answer, and the
 * connection takes the next unless the answer closes it. Some have bytes changed anywhere: nothing is asked of their
 * answer. FUZZ_SECONDS: how long. With FLAVOUR=asan a sanitizer looks on. FUZZ_SEED: where the random numbers begin. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>

#include "tests/stage/nginx.h"
#include "tests/stage/quick.h"
#include "tests/stage/raw.h"
#include "tests/stage/test.h"

#define THREADS     4
#define LIMIT_MS    20000
#define REQUEST_MAX 65536

struct fuzz {
    uint16_t port;
    atomic_bool over;
    atomic_ulong requests, changed, connections, findings, status[6]; /* status: by hundreds */
    atomic_flag told;
    char what[2 * REQUEST_MAX + 1024]; /* the first finding */
};

struct text {
    char bytes[REQUEST_MAX];
    size_t size;
};

struct hand {
    struct fuzz *fuzz;
    unsigned random;
    int fd; /* -1: none is open */
    struct text request, path, body, header;
    struct text before; /* the request before it on this connection, and the answer to that */
    struct stage_quick quick;
};

static unsigned draw(struct hand *h, unsigned below)
{
    h->random = h->random * 1664525 + 1013904223;
    return below > 0 ? (h->random >> 8) % below : 0;
}

#define pick(h, list) ((list)[draw(h, sizeof(list) / sizeof *(list))])

static void put_bytes(struct text *t, const char *bytes, size_t size)
{
    size_t room = sizeof t->bytes - 1 - t->size;

    size = size < room ? size : room;
    memcpy(t->bytes + t->size, bytes, size);
    t->size += size;
    t->bytes[t->size] = '\0';
}

static void put(struct text *t, const char *string)
{
    put_bytes(t, string, strlen(string));
}

__attribute__((format(printf, 2, 3))) static void put_format(struct text *t, const char *format, ...)
{
    char text[64];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put(t, text);
}

/* ---- what a request is made of */

static void make_path(struct hand *h)
{
    static const char *const whole[] = {"/api/9/http/upstreams/app/servers/0",
                                        "/api/9/http/upstreams/app/servers/1",
                                        "/api/4/http/upstreams/back/servers/1/",
                                        "/api/9/http/upstreams/app",
                                        "/api/9/http/upstreams",
                                        "/api/9/nginx",
                                        "/api/9/slabs",
                                        "/api/8/ssl",
                                        "/ro/9/http/upstreams/app/servers/0"};
    static const char *const parts[] = {
        "api",       "ro",      "9",      "4",       "10",  "nginx",  "http", "stream",
        "upstreams", "app",     "back",   "servers", "0",   "1",      "-1",   "18446744073709551616",
        "slabs",     "keyvals", "",       ".",       "..",  "%2e%2e", "%2f",  "%00",
        "%61pp",     "*",       "%c3%a9", "%ff",     "a b", "\"",     "\\",   "%22",
        "%0d%0a"};
    static const char *const ends[] = {"",   "",   "/", "?fields=peers", "?fields=", "?", "?version=9&fields=,,",
                                       "//", "#x", "?%"};

    h->path.size = 0;
    if (draw(h, 3) > 0) {
        put(&h->path, pick(h, whole));
    } else {
        unsigned n = draw(h, 9);

        put(&h->path, draw(h, 4) > 0 ? "/api" : "");
        for (unsigned i = 0; i < n; i++) {
            put(&h->path, "/");
            put(&h->path, pick(h, parts));
        }
        if (n == 0)
            put(&h->path, "/");
    }
    put(&h->path, pick(h, ends));
    for (size_t i = 0; i < h->path.size; i++)
        if (h->path.bytes[i] == ' ')
            h->path.bytes[i] = '+'; /* a space would end it */
}

static void change_bytes(struct hand *h, struct text *t)
{
    static const char odd[] = {'\0', '"', '\\', '{', '}', '[', ',', ':', '\n', ' ', '\x7f', '\xff', '\xc3', '-', '0'};

    for (unsigned n = draw(h, 4) + 1; n > 0 && t->size > 0; n--) {
        unsigned at = draw(h, (unsigned)t->size);

        if (draw(h, 4) == 0)
            t->size = at; /* cut */
        else
            t->bytes[at] = draw(h, 2) == 0 ? pick(h, odd) : (char)draw(h, 256);
    }
}

/* More members than there are parameters. */
static const char too_many[] = "{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"j\":1,"
                               "\"k\":1,\"l\":1,\"m\":1,\"n\":1,\"o\":1,\"p\":1,\"q\":1,\"r\":1}";

static void make_body(struct hand *h)
{
    static const char *const whole[] = {"{\"down\":true}",
                                        "{\"down\":false}",
                                        "{\"drain\":true}",
                                        "{\"drain\":false,\"down\":false}",
                                        "",
                                        " ",
                                        "{}",
                                        "{\"weight\":1}",
                                        "{\"weight\":2,\"drain\":true}",
                                        "{\"max_conns\":0,\"max_fails\":1,\"fail_timeout\":\"10s\"}",
                                        "{\"server\":\"127.0.0.1:9\"}",
                                        "{\"backup\":false,\"id\":0}",
                                        "[]",
                                        "{\"down\":{\"down\":[[[[]]]]}}",
                                        "{\"down\":true,\"d\\u006fwn\":true}",
                                        "{\"fail_timeout\":\"9999999999999999999999s\"}",
                                        "{\"weight\":-1e999}",
                                        "{\"server\":\"\\ud83d\\ude00\"}",
                                        too_many,
                                        "{\"\\u0000\":1}"};

    h->body.size = 0;
    put(&h->body, pick(h, whole));
    if (draw(h, 3) == 0)
        change_bytes(h, &h->body);
    if (draw(h, 40) == 0)
        for (unsigned n = draw(h, 30000); n > 0; n--)
            put(&h->body, draw(h, 2) == 0 ? " " : "[");
}

static void make_headers(struct hand *h)
{
    static const char *const lines[] = {"Rollout-Fence: 1\r\n",
                                        "Rollout-Fence: 9223372036854775807\r\n",
                                        "Rollout-Fence: -1\r\n",
                                        "Rollout-Fence: \r\n",
                                        "Rollout-Id: a/1\r\n",
                                        "Rollout-Id: \xc3\xa9\r\n",
                                        "Rollout-Ttl: 1\r\n",
                                        "Rollout-Ttl: 3601\r\n",
                                        "Rollout-Holder: \r\n",
                                        "Rollout-Holder: me \"\\\r\n",
                                        "Rollout-Holder: \x01\r\n",
                                        "Prefer: wait=0\r\n",
                                        "Prefer: wait=\r\n",
                                        "Prefer: wait=1\r\n",
                                        "Prefer: wait=18446744073709551616\r\n",
                                        "Accept: */*\r\n",
                                        "Content-Type: text/plain\r\n",
                                        "Range: bytes=0-1\r\n",
                                        "If-Modified-Since: x\r\n",
                                        "If-Match: \"x\"\r\n"};

    h->header.size = 0;
    if (draw(h, 3) == 0) /* a whole lease */
        put(&h->header, "Rollout-Fence: 2\r\nRollout-Id: b\r\nRollout-Ttl: 0\r\n");
    for (unsigned n = draw(h, 4); n > 0; n--)
        put(&h->header, pick(h, lines));
    if (draw(h, 20) == 0)
        put(&h->header, "Expect: 100-continue\r\n");
}

static void put_chunks(struct hand *h)
{
    for (size_t at = 0; at < h->body.size;) {
        size_t size = draw(h, 4) == 0 ? h->body.size - at : draw(h, 20) + 1;

        size = size < h->body.size - at ? size : h->body.size - at;
        put_format(&h->request, "%zX\r\n", size);
        put_bytes(&h->request, h->body.bytes + at, size);
        put(&h->request, "\r\n");
        at += size;
    }
    put(&h->request, "0\r\n\r\n");
}

/* The body is a GET's, too, at times. */
static void make_request(struct hand *h)
{
    static const char *const methods[] = {"GET",  "GET",    "HEAD", "PATCH",   "PATCH",    "PATCH", "PATCH",
                                          "POST", "DELETE", "PUT",  "OPTIONS", "PROPFIND", "TRACE", "X_Y"};
    const char *method = pick(h, methods);
    bool with_body = method[0] == 'P' || draw(h, 6) == 0;

    make_path(h);
    make_headers(h);
    make_body(h);
    h->quick.is_head = strcmp(method, "HEAD") == 0;
    h->request.size = 0;
    put(&h->request, method);
    put(&h->request, " ");
    put_bytes(&h->request, h->path.bytes, h->path.size);
    put(&h->request, " HTTP/1.1\r\nHost: a\r\n");
    put_bytes(&h->request, h->header.bytes, h->header.size);
    if (!with_body) {
        put(&h->request, "\r\n");
    } else if (draw(h, 3) == 0 && h->body.size < 4096) {
        put(&h->request, "Transfer-Encoding: chunked\r\n\r\n");
        put_chunks(h);
    } else {
        put_format(&h->request, "Content-Length: %zu\r\n\r\n", h->body.size);
        put_bytes(&h->request, h->body.bytes, h->body.size);
    }
}

/* ---- what is asked of the answers */

static void found(struct hand *h, const char *what)
{
    struct fuzz *f = h->fuzz;

    atomic_fetch_add(&f->findings, 1);
    if (!atomic_flag_test_and_set(&f->told))
        (void)snprintf(f->what, sizeof f->what,
                       "%s\n---- request:\n%s\n---- answer (%d %s):\n%.400s\n---- before it:\n%s", what,
                       h->request.bytes, h->quick.status, h->quick.why, h->quick.bytes, h->before.bytes);
}

static void drop(struct hand *h)
{
    if (h->fd >= 0)
        (void)close(h->fd);
    h->fd = -1;
    h->before.size = 0;
    put(&h->before, "(nothing)");
}

static bool connection(struct hand *h)
{
    if (h->fd >= 0)
        return true;
    h->fd = stage_quick_open(&h->quick, h->fuzz->port, NULL);
    atomic_fetch_add(&h->fuzz->connections, 1);
    if (h->fd < 0)
        found(h, "no connection");
    return h->fd >= 0;
}

/* In pieces at times, so that a body comes late. */
static void send_request(struct hand *h)
{
    size_t first = draw(h, 4) == 0 ? draw(h, (unsigned)h->request.size) : h->request.size;

    (void)send(h->fd, h->request.bytes, first, MSG_NOSIGNAL);
    if (first == h->request.size)
        return;
    (void)usleep(draw(h, 2000));
    (void)send(h->fd, h->request.bytes + first, h->request.size - first, MSG_NOSIGNAL);
}

/* Our answers are JSON, and an error tells its own status; nginx's own pages say that they are HTML. */
static void check_body(struct hand *h)
{
    json_t *json, *status;

    if (h->quick.is_head || strstr(h->quick.bytes, "Content-Type: application/json\r\n") == NULL)
        return;
    json = json_loadb(h->quick.body, h->quick.body_size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    status = json_object_get(json_object_get(json, "error"), "status");
    if (json == NULL)
        found(h, "the answer is no JSON");
    else if (h->quick.status >= 400 && json_integer_value(status) != h->quick.status)
        found(h, "the error does not tell the answer's status");
    json_decref(json);
}

/* A request with its body whole: one answer and no more, below 500 unless nginx itself does not know the coding. */
static void send_framed(struct hand *h)
{
    if (!connection(h))
        return;
    send_request(h);
    atomic_fetch_add(&h->fuzz->requests, 1);
    if (!stage_quick_take(&h->quick, h->fd, LIMIT_MS)) {
        found(h, "no answer");
        drop(h);
        return;
    }
    atomic_fetch_add(&h->fuzz->status[h->quick.status / 100 % 6], 1);
    if (h->quick.status >= 500)
        found(h, "the server's fault");
    if (h->quick.more != 0)
        found(h, "more than one answer");
    check_body(h);
    h->before.size = 0;
    put_bytes(&h->before, h->request.bytes, h->request.size);
    put(&h->before, "\n---- answer to that:\n");
    put(&h->before, h->quick.bytes);
    if (strstr(h->quick.bytes, "\r\nConnection: close\r\n") != NULL)
        drop(h);
}

static void send_changed(struct hand *h)
{
    change_bytes(h, &h->request);
    drop(h);
    if (!connection(h))
        return;
    atomic_fetch_add(&h->fuzz->changed, 1);
    send_request(h);
    (void)shutdown(h->fd, SHUT_WR);
    (void)stage_quick_take(&h->quick, h->fd, LIMIT_MS);
    drop(h);
}

static void send_plain(struct hand *h)
{
    h->request.size = 0;
    put(&h->request, "GET /api/9/http/upstreams/app HTTP/1.1\r\nHost: a\r\n\r\n");
    h->quick.is_head = false;
    send_framed(h);
    if (h->quick.status != 200)
        found(h, "a plain request was not answered with 200");
}

static void *run(void *ctx)
{
    struct hand *h = ctx;

    while (!atomic_load(&h->fuzz->over)) {
        make_request(h);
        if (draw(h, 6) == 0)
            send_changed(h);
        else
            send_framed(h);
        if (draw(h, 4) == 0)
            send_plain(h);
    }
    drop(h);
    free(h);
    return NULL;
}

static struct stage_nginx *start(struct stage *s)
{
    static const char *const app[] = {"127.0.0.1:9", "127.0.0.1:10 weight=2", "127.0.0.1:9", NULL};
    static const char *const back[] = {"127.0.0.1:9", "127.0.0.1:10 backup", NULL};
    static const struct stage_upstream upstreams[] = {{.name = "app", .peers = app},
                                                      {.name = "back", .peers = back},
                                                      {.name = "plain", .peers = back, .no_zone = true},
                                                      {.name = NULL}};

    return stage_nginx_start(s, "lb", &(struct stage_nginx_conf){.upstreams = upstreams});
}

static void any_request_gets_an_answer_and_harms_nothing(struct stage *s)
{
    unsigned seconds = stage_setting("FUZZ_SECONDS", 3), seed = stage_setting("FUZZ_SEED", (unsigned)getpid());
    struct fuzz *f = stage_alloc(s, sizeof *f);
    struct stage_nginx *lb = start(s);
    pthread_t thread[THREADS];
    pid_t before[16], after[16];
    unsigned n = stage_nginx_workers(lb, before, 16);

    f->port = lb->api_port;
    for (unsigned i = 0; i < THREADS; i++) {
        struct hand *h = calloc(1, sizeof *h);

        if (h == NULL)
            abort();
        h->fuzz = f;
        h->fd = -1;
        h->random = seed * THREADS + i;
        if (pthread_create(&thread[i], NULL, run, h) != 0)
            abort();
    }
    for (unsigned i = 0; i < seconds * 10 && atomic_load(&f->findings) == 0; i++)
        (void)usleep(100000);
    atomic_store(&f->over, true);
    for (unsigned i = 0; i < THREADS; i++)
        (void)pthread_join(thread[i], NULL);
    print_message(
        "count: FUZZ_SEED=%u: %lu requests over %lu connections (2xx %lu, 3xx %lu, 4xx %lu), %lu changed ones: "
        "%lu findings\n",
        seed, f->requests, f->connections, f->status[2], f->status[3], f->status[4], f->changed, f->findings);
    if (f->findings > 0)
        print_error("%s\n", f->what);
    assert_int_equal(f->findings, 0);
    assert_true(f->requests > 100 && f->status[2] > 10 && f->status[4] > 10);
    assert_int_equal(stage_nginx_workers(lb, after, 16), n);
    assert_memory_equal(before, after, n * sizeof before[0]); /* none died */
    assert_null(strstr(stage_read(s, lb->error_log), "[alert]"));
    assert_null(strstr(stage_read(s, lb->error_log), "[crit]"));
}

/* They would be judged when the change is made: 412, and the connection cut. */
static void a_condition_does_not_turn_a_change_into_an_error(struct stage *s)
{
    static const char *const conditions[] = {"If-Match: \"x\"", "If-None-Match: *",
                                             "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:01 GMT",
                                             "If-Modified-Since: Thu, 01 Jan 2037 00:00:01 GMT", "Range: bytes=0-1"};
    struct stage_nginx *lb = start(s);

    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++) {
        int fd = stage_raw_open(s, lb->api_port);
        const char *body = i % 2 == 0 ? "{\"down\":true}" : "{\"down\":false}", *answer;

        for (int twice = 0; twice < 2; twice++) {
            stage_raw_send(s, fd,
                           stage_text(s,
                                      "PATCH /api/9/http/upstreams/app/servers/0 HTTP/1.1\r\nHost: a\r\n%s\r\n"
                                      "Content-Length: %zu\r\n\r\n%s",
                                      conditions[i], strlen(body), body));
            answer = stage_raw_answer(s, fd, LIMIT_MS);
            if (strncmp(answer, "HTTP/1.1 200 ", 13) != 0 || strstr(answer, i % 2 == 0 ? "true" : "false") == NULL)
                stage_fail(s, "%s: %s", conditions[i], answer);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_condition_does_not_turn_a_change_into_an_error),
        stage_test(any_request_gets_an_answer_and_harms_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
