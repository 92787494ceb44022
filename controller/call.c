#include "call.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "call_profile.h"
#include "common/mem.h"

#define IDLE_CONNECTION_MAX_S 30 /* below the servers' keep-alive limits, so that a reused one is hardly ever dead */

/* One call: waiting, on the wire, or ended. */
struct call {
    struct call *next, **back; /* of the list it is in */
    CURL *easy;
    struct curl_slist *headers, *connect_to;
    char *body; /* what is sent */
    int file;   /* or this; -1 = none */
    uint32_t limit_ms;
    size_t cap_bytes, room_bytes;
    bool over_cap;
    int64_t left_at_ms;
    char who[160]; /* "GET lb1 (127.0.0.1:8080)" */
    char error[CURL_ERROR_SIZE];
    struct call_result result;
};

struct calls {
    CURLM *multi;
    int wake_fd;
    uint32_t connect_limit_ms;
    size_t n_active, n_all;
    struct call *waiting, **waiting_end;
    struct call *active;
    struct call *ended, **ended_end;
    struct profiles profiles;
};

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- lists: `end` NULL puts it in front */
static void put(struct call *c, struct call **head, struct call ***end)
{
    struct call **at = end != NULL ? *end : head;

    c->next = *at;
    c->back = at;
    if (c->next != NULL)
        c->next->back = &c->next;
    *at = c;
    if (end != NULL)
        *end = &c->next;
}

static void take(struct call *c, struct call ***end)
{
    *c->back = c->next;
    if (c->next != NULL)
        c->next->back = c->back;
    else if (end != NULL)
        *end = c->back;
}

static void call_free(struct call *c)
{
    curl_easy_cleanup(c->easy);
    curl_slist_free_all(c->headers);
    curl_slist_free_all(c->connect_to);
    if (c->file >= 0)
        (void)close(c->file);
    free(c->body);
    free(c->result.body);
    free(c);
}

/* ---- curl's callbacks */
static size_t on_body(char *bytes, size_t one, size_t n, void *ctx)
{
    struct call *c = ctx;
    struct call_result *r = &c->result;

    n *= one;
    if (n > c->cap_bytes - r->body_bytes) {
        c->over_cap = true;
        return 0; /* breaks the call off */
    }
    if (r->body_bytes + n + 1 > c->room_bytes) {
        c->room_bytes = (r->body_bytes + n + 1) * 2;
        r->body = mem_grow(r->body, c->room_bytes, 1);
    }
    memcpy(r->body + r->body_bytes, bytes, n);
    r->body_bytes += n;
    r->body[r->body_bytes] = '\0';
    return n;
}

static size_t on_upload(char *bytes, size_t one, size_t n, void *ctx)
{
    const struct call *c = ctx;
    ssize_t got;

    do
        got = read(c->file, bytes, one * n);
    while (got < 0 && errno == EINTR);
    return got < 0 ? CURL_READFUNC_ABORT : (size_t)got;
}

/* Curl sends again where a kept connection turns out to be dead. */
static int on_rewind(void *ctx, curl_off_t offset, int origin)
{
    const struct call *c = ctx;
    return lseek(c->file, offset, origin) < 0 ? CURL_SEEKFUNC_FAIL : CURL_SEEKFUNC_OK;
}

static curl_socket_t on_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
    (void)ctx;
    (void)purpose;
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

#define SET(c, option, value)                                                                                          \
    do {                                                                                                               \
        CURLcode set_rc = curl_easy_setopt((c)->easy, option, value);                                                  \
        assert(set_rc == CURLE_OK);                                                                                    \
        (void)set_rc;                                                                                                  \
    } while (0)

static struct curl_slist *listed(struct curl_slist *list, const char *text)
{
    return mem_must(curl_slist_append(list, text));
}

/* ---- a request becomes a handle */
static void set_headers(struct call *c, const struct call_request *q)
{
    for (size_t i = 0; i < q->n_headers; i++)
        c->headers = listed(c->headers, q->headers[i]);
    c->headers = listed(c->headers, "Accept: application/json");
    if (q->body != NULL)
        c->headers = listed(c->headers, "Content-Type: application/json");
    if (q->body_file != NULL)
        c->headers = listed(c->headers, "Content-Type: application/octet-stream");
    else
        c->headers = listed(c->headers, "Expect:"); /* never wait for a 100 with a small body */
    SET(c, CURLOPT_HTTPHEADER, c->headers);
}

static bool set_body(struct call *c, const struct call_request *q)
{
    struct stat st;

    if (q->body != NULL) {
        c->body = mem_zero(q->body_bytes + 1, 1);
        memcpy(c->body, q->body, q->body_bytes);
        SET(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body_bytes);
        SET(c, CURLOPT_POSTFIELDS, c->body);
    } else if (q->body_file != NULL) {
        c->file = open(q->body_file, O_RDONLY | O_CLOEXEC);
        if (c->file < 0 || fstat(c->file, &st) != 0) {
            (void)snprintf(c->error, sizeof c->error, "cannot read %s: %s", q->body_file, strerror(errno));
            return false;
        }
        SET(c, CURLOPT_UPLOAD, 1L);
        SET(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)st.st_size);
        SET(c, CURLOPT_READFUNCTION, on_upload);
        SET(c, CURLOPT_READDATA, c);
        SET(c, CURLOPT_SEEKFUNCTION, on_rewind);
        SET(c, CURLOPT_SEEKDATA, c);
    }
    SET(c, CURLOPT_CUSTOMREQUEST, q->method);
    return true;
}

static void set_peer(struct call *c, const struct call_request *q, const struct profile *p)
{
    if (q->connect_to != NULL && q->connect_to[0] != '\0') {
        bool bare6 = strchr(q->connect_to, ':') != NULL && q->connect_to[0] != '[';
        char *to = mem_format(bare6 ? "::[%s]:" : "::%s:", q->connect_to);
        c->connect_to = listed(NULL, to);
        free(to);
        SET(c, CURLOPT_CONNECT_TO, c->connect_to);
    }
    SET(c, CURLOPT_SSL_VERIFYPEER, 1L);
    SET(c, CURLOPT_SSL_VERIFYHOST, 2L);
    SET(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (p->ca_file != NULL)
        SET(c, CURLOPT_CAINFO, p->ca_file);
    if (p->cert_file != NULL) {
        SET(c, CURLOPT_SSLCERT, p->cert_file);
        SET(c, CURLOPT_SSLKEY, p->key_file != NULL ? p->key_file : p->cert_file);
    }
    if (p->auth != NULL) {
        SET(c, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        SET(c, CURLOPT_USERPWD, p->auth);
    }
}

static void set_limits(struct call *c, const struct call_request *q, uint32_t connect_limit_ms)
{
    uint32_t connect_ms = connect_limit_ms < q->limit_ms ? connect_limit_ms : q->limit_ms;

    SET(c, CURLOPT_TIMEOUT_MS, (long)q->limit_ms);
    SET(c, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    SET(c, CURLOPT_NOSIGNAL, 1L);
    SET(c, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(c, CURLOPT_PROXY, "");
    SET(c, CURLOPT_NOPROXY, "*");
    SET(c, CURLOPT_FOLLOWLOCATION, 0L);
    SET(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(c, CURLOPT_MAXAGE_CONN, (long)IDLE_CONNECTION_MAX_S);
    SET(c, CURLOPT_TCP_KEEPALIVE, 1L);
    SET(c, CURLOPT_USERAGENT, "rollout/" ROLLOUT_VERSION);
    SET(c, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    SET(c, CURLOPT_WRITEFUNCTION, on_body);
    SET(c, CURLOPT_WRITEDATA, c);
    SET(c, CURLOPT_ERRORBUFFER, c->error);
    SET(c, CURLOPT_PRIVATE, c);
}

/* "GET lb1 (127.0.0.1:8080)": the URL's host and port, no password, no path. */
static void set_who(struct call *c, const struct call_request *q)
{
    const char *host = strstr(q->url, "://");

    host = host != NULL ? host + 3 : q->url;
    size_t length = strcspn(host, "/?#");
    const char *at = memrchr(host, '@', length);
    if (at != NULL) {
        length -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    int n = length < 80 ? (int)length : 80;
    if (q->peer != NULL)
        (void)snprintf(c->who, sizeof c->who, "%s %.60s (%.*s)", q->method, q->peer, n, host);
    else
        (void)snprintf(c->who, sizeof c->who, "%s %.*s", q->method, n, host);
}

/* ---- the ends */
static void end(struct calls *calls, struct call *c, enum call_failure failure, const char *why)
{
    struct call_result *r = &c->result;

    r->failure = failure;
    r->took_ms = c->left_at_ms != 0 ? (uint32_t)(now_ms() - c->left_at_ms) : 0;
    if (failure != CALL_FINE)
        (void)snprintf(r->text, sizeof r->text, "%s: %.90s", c->who, why);
    if (r->body == NULL)
        r->body = mem_zero(1, 1);
    put(c, &calls->ended, &calls->ended_end);
}

static void end_by_curl(struct calls *calls, struct call *c, CURLcode rc)
{
    long sent_bytes = 0, status = 0;
    char over[64];
    const char *why = c->error[0] != '\0' ? c->error : curl_easy_strerror(rc);

    (void)curl_easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &sent_bytes);
    (void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    if (c->over_cap) {
        (void)snprintf(over, sizeof over, "the answer is longer than %zu bytes", c->cap_bytes);
        why = over;
    }
    if (rc == CURLE_OK) {
        c->result.status = (int)status;
        end(calls, c, CALL_FINE, "");
    } else if (sent_bytes == 0) {
        end(calls, c, CALL_NOT_SENT, why);
    } else {
        end(calls, c, rc == CURLE_OPERATION_TIMEDOUT ? CALL_TIMEOUT : CALL_LOST, why);
    }
}

/* Let the waiting ones out as far as there is room. */
static void let_out(struct calls *calls)
{
    while (calls->waiting != NULL && calls->n_active < CALLS_ACTIVE_MAX) {
        struct call *c = calls->waiting;
        take(c, &calls->waiting_end);
        c->left_at_ms = now_ms();
        put(c, &calls->active, NULL);
        calls->n_active++;
        CURLMcode rc = curl_multi_add_handle(calls->multi, c->easy);
        if (rc != CURLM_OK)
            abort(); /* out of memory, or a bug */
    }
}

/* Move everything on as far as it goes without waiting. */
static void work(struct calls *calls)
{
    int running, left;
    CURLMsg *m;

    let_out(calls);
    (void)curl_multi_perform(calls->multi, &running);
    while ((m = curl_multi_info_read(calls->multi, &left)) != NULL) {
        struct call *c = NULL;
        CURLcode rc = m->data.result;
        if (m->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&c);
        (void)curl_multi_remove_handle(calls->multi, c->easy);
        take(c, NULL);
        calls->n_active--;
        end_by_curl(calls, c, rc);
    }
}

/* ---- what the header promises */
struct calls *calls_open(uint32_t connect_limit_ms, struct err *err)
{
    struct calls *calls;

    assert(connect_limit_ms > 0);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        (void)err_set(err, "cannot start libcurl");
        return NULL;
    }
    calls = mem_zero(1, sizeof *calls);
    calls->connect_limit_ms = connect_limit_ms;
    calls->waiting_end = &calls->waiting;
    calls->ended_end = &calls->ended;
    calls->multi = mem_must(curl_multi_init());
    calls->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (calls->wake_fd < 0) {
        (void)err_set(err, "cannot make an eventfd: %s", strerror(errno));
        calls_close(&calls);
        return NULL;
    }
    /* Curl's own wake-up pair is the one descriptor of this program that would be inherited. */
    (void)close_range(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC);
    return calls;
}

bool calls_set_profile(struct calls *calls, const char *peer, const struct call_profile *p, struct err *err)
{
    return profiles_set(&calls->profiles, peer, p, err);
}

void calls_start(struct calls *calls, const struct call_request *q)
{
    struct call *c = mem_zero(1, sizeof *c);

    assert(q->limit_ms > 0 && q->cap_bytes > 0 && (q->body == NULL || q->body_file == NULL));
    c->easy = mem_must(curl_easy_init());
    c->file = -1;
    c->cap_bytes = q->cap_bytes;
    c->result.tag = q->tag;
    calls->n_all++;
    set_who(c, q);
    set_limits(c, q, calls->connect_limit_ms);
    set_peer(c, q, profiles_find(&calls->profiles, q->peer));
    set_headers(c, q);
    SET(c, CURLOPT_URL, q->url);
    if (!set_body(c, q))
        end(calls, c, CALL_NOT_SENT, c->error);
    else
        put(c, &calls->waiting, &calls->waiting_end);
}

static bool take_wake(struct calls *calls)
{
    uint64_t times;
    return read(calls->wake_fd, &times, sizeof times) == (ssize_t)sizeof times;
}

size_t calls_collect(struct calls *calls, uint32_t wait_ms, struct call_result *results, size_t capacity, bool *woken)
{
    int64_t until_ms = now_ms() + wait_ms;
    struct curl_waitfd wake = {.fd = calls->wake_fd, .events = CURL_WAIT_POLLIN};
    bool was_woken;
    size_t n = 0;

    for (;;) {
        work(calls);
        int64_t left_ms = until_ms - now_ms();
        was_woken = take_wake(calls);
        if (calls->ended != NULL || was_woken || left_ms <= 0)
            break;
        (void)curl_multi_poll(calls->multi, &wake, 1, left_ms < INT_MAX ? (int)left_ms : INT_MAX, NULL);
    }
    if (woken != NULL)
        *woken = was_woken;
    while (calls->ended != NULL && n < capacity) {
        struct call *c = calls->ended;
        take(c, &calls->ended_end);
        calls->n_all--;
        c->result.age_ms = c->left_at_ms != 0 ? (uint32_t)(now_ms() - c->left_at_ms) : 0;
        results[n++] = c->result;
        c->result.body = NULL;
        call_free(c);
    }
    return n;
}

void call_result_free(struct call_result *r)
{
    free(r->body);
    r->body = NULL;
}

void calls_wake(struct calls *calls)
{
    const uint64_t once = 1;
    int kept = errno;
    ssize_t n = write(calls->wake_fd, &once, sizeof once);
    (void)n; /* full = woken already */
    errno = kept;
}

size_t calls_under_way(const struct calls *calls)
{
    return calls->n_all;
}

void calls_drop(struct calls *calls)
{
    struct call **lists[] = {&calls->waiting, &calls->active, &calls->ended};

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        while (*lists[i] != NULL) {
            struct call *c = *lists[i];
            if (lists[i] == &calls->active)
                (void)curl_multi_remove_handle(calls->multi, c->easy);
            take(c, NULL);
            call_free(c);
        }
    }
    calls->waiting_end = &calls->waiting;
    calls->ended_end = &calls->ended;
    calls->n_active = calls->n_all = 0;
}

void calls_close(struct calls **calls)
{
    if (*calls == NULL)
        return;
    calls_drop(*calls);
    (void)curl_multi_cleanup((*calls)->multi);
    if ((*calls)->wake_fd >= 0)
        (void)close((*calls)->wake_fd);
    profiles_clear(&(*calls)->profiles);
    free(*calls);
    *calls = NULL;
    curl_global_cleanup();
}
