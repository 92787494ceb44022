#include "call_setup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"

#define IDLE_CONNECTION_MAX_S 30 /* below the servers' keep-alive limits, so that a reused one is hardly ever dead */

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

#define LARGE_CAP_BYTES    (1024 * 1024) /* answers that may be longer are read in larger pieces; */
#define LARGE_BUFFER_BYTES (64 * 1024L)  /* one such buffer for each small answer would be most of the work */
#define SMALL_BUFFER_BYTES (4 * 1024L)

#define SET(c, option, value)                                                                                          \
    do {                                                                                                               \
        if (curl_easy_setopt((c)->easy, option, value) != CURLE_OK)                                                    \
            abort(); /* out of memory: a request without one of its options is another one */                          \
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

    SET(c, CURLOPT_HTTPGET, 1L); /* also takes back what an earlier call of the handle had */
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

static void set_peer(struct call *c, const struct call_request *q)
{
    if (q->connect_to != NULL && q->connect_to[0] != '\0') {
        bool bare6 = strchr(q->connect_to, ':') != NULL && q->connect_to[0] != '[';
        char *to = mem_format(bare6 ? "::[%s]:" : "::%s:", q->connect_to);
        c->connect_to = listed(NULL, to);
        free(to);
    }
    SET(c, CURLOPT_CONNECT_TO, c->connect_to);
}

/* Once a handle. */
static void set_profile(struct call *c, const struct profile *p)
{
    SET(c, CURLOPT_SSL_VERIFYPEER, 1L);
    SET(c, CURLOPT_SSL_VERIFYHOST, 2L);
    SET(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (p->ca_file != NULL) {
        SET(c, CURLOPT_CAINFO, p->ca_file);
        SET(c, CURLOPT_CAPATH, NULL); /* Debian's libcurl would trust, and read each time, the system's as well */
    }
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
    SET(c, CURLOPT_BUFFERSIZE, q->cap_bytes > LARGE_CAP_BYTES ? LARGE_BUFFER_BYTES : SMALL_BUFFER_BYTES);
    SET(c, CURLOPT_WRITEDATA, c);
    SET(c, CURLOPT_ERRORBUFFER, c->error);
    SET(c, CURLOPT_PRIVATE, c);
}

/* Once a handle. */
static void set_manners(struct call *c)
{
    SET(c, CURLOPT_NOSIGNAL, 1L);
    SET(c, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(c, CURLOPT_PROXY, "");
    SET(c, CURLOPT_NOPROXY, "*");
    SET(c, CURLOPT_FOLLOWLOCATION, 0L);
    SET(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(c, CURLOPT_MAXAGE_CONN, (long)IDLE_CONNECTION_MAX_S);
    SET(c, CURLOPT_TCP_KEEPALIVE, 1L);
    SET(c, CURLOPT_DNS_CACHE_TIMEOUT, 0L); /* curl walks over all it has kept at the end of each call */
    SET(c, CURLOPT_USERAGENT, "rollout/" ROLLOUT_VERSION);
    SET(c, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    SET(c, CURLOPT_WRITEFUNCTION, on_body);
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

static void take_handle(struct handles *h, struct call *c, const struct profile *p)
{
    c->profile = p;
    for (size_t i = h->n; i > 0; i--)
        if (h->spare[i - 1].profile == p) {
            c->easy = h->spare[i - 1].easy;
            h->spare[i - 1] = h->spare[--h->n];
            return;
        }
    c->easy = mem_must(curl_easy_init());
    set_manners(c);
    set_profile(c, p);
}

static void give_handle(struct handles *h, struct call *c)
{
    if (h->n == HANDLES_MAX || c->file >= 0) {
        curl_easy_cleanup(c->easy);
        return;
    }
    (void)curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, NULL);
    (void)curl_easy_setopt(c->easy, CURLOPT_CONNECT_TO, NULL);
    (void)curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, NULL);
    (void)curl_easy_setopt(c->easy, CURLOPT_ERRORBUFFER, NULL);
    h->spare[h->n++] = (struct handle){c->easy, c->profile};
}

void handles_clear(struct handles *h)
{
    while (h->n > 0)
        curl_easy_cleanup(h->spare[--h->n].easy);
}

struct call *call_new(struct handles *h, const struct call_request *q, const struct profile *p,
                      uint32_t connect_limit_ms, bool *good)
{
    struct call *c = mem_zero(1, sizeof *c);

    assert(q->limit_ms > 0 && q->cap_bytes > 0 && (q->body == NULL || q->body_file == NULL));
    take_handle(h, c, p);
    c->file = -1;
    c->cap_bytes = q->cap_bytes;
    c->show_peer = q->show_peer;
    c->result.tag = q->tag;
    set_who(c, q);
    set_limits(c, q, connect_limit_ms);
    set_peer(c, q);
    set_headers(c, q);
    SET(c, CURLOPT_URL, q->url);
    SET(c, CURLOPT_FRESH_CONNECT, q->fresh ? 1L : 0L);
    SET(c, CURLOPT_FORBID_REUSE, q->fresh || q->last ? 1L : 0L);
    SET(c, CURLOPT_CERTINFO, q->show_peer ? 1L : 0L);
    *good = set_body(c, q);
    return c;
}

void call_free(struct handles *h, struct call *c)
{
    give_handle(h, c);
    curl_slist_free_all(c->headers);
    curl_slist_free_all(c->connect_to);
    if (c->file >= 0)
        (void)close(c->file);
    free(c->body);
    free(c->result.body);
    free(c);
}
