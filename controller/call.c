#include "call.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "call_profile.h"
#include "call_setup.h"
#include "clock.h"
#include "common/mem.h"

#define EVENTS_AT_ONCE 128
#define KEPT_MAX       (2L * CALLS_ACTIVE_MAX) /* connections */

struct calls {
    CURLM *multi;
    int wake_fd, epoll_fd, watched_fd; /* the last: somebody else's; -1 = none */
    bool woken;
    bool stirred;     /* something happened at watched_fd */
    int64_t timer_ms; /* when curl wants to be called without an event; INT64_MAX = not */
    uint32_t connect_limit_ms;
    size_t n_active, n_all;
    struct call *waiting, **waiting_end;
    struct call *active;
    struct call *ended, **ended_end;
    struct profiles profiles;
    struct handles handles;
};

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

/* ---- the ends */
static void end(struct calls *calls, struct call *c, enum call_failure failure, const char *why)
{
    struct call_result *r = &c->result;

    r->failure = failure;
    r->took_ms = c->left_at_ms != 0 ? (uint32_t)(clock_ms() - c->left_at_ms) : 0;
    if (failure != CALL_FINE)
        (void)snprintf(r->text, sizeof r->text, "%s: %.150s", c->who, why);
    if (r->body == NULL)
        r->body = mem_zero(1, 1);
    put(c, &calls->ended, &calls->ended_end);
}

/* Where curl's own words leave an operator alone: what to look at. */
static const char *why_of(const struct call *c, CURLcode rc)
{
    const char *why = c->error[0] != '\0' ? c->error : curl_easy_strerror(rc), *scheme = NULL;

    (void)curl_easy_getinfo(c->easy, CURLINFO_SCHEME, &scheme);
    if (rc == CURLE_PEER_FAILED_VERIFICATION && strstr(why, "verification failed") != NULL)
        return "its certificate is not trusted: it has run out, or --cacert is not the authority that signed it";
    if (rc == CURLE_SSL_CONNECT_ERROR && strstr(why, "unexpected TLS packet") != NULL)
        return "what listens there speaks no TLS; is it another port, or http://?";
    if (rc == CURLE_GOT_NOTHING && scheme != NULL && strcasecmp(scheme, "http") == 0)
        return "it closed the connection without an answer; is it another port, or https://?";
    return why;
}

/* By the words too: what a peer says of our certificate comes when it likes, as an alert. */
static bool is_lasting(const struct call *c, CURLcode rc)
{
    switch ((int)rc) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return true;
    default:
        return c->over_cap || strstr(c->error, "alert") != NULL || strstr(c->error, "unexpected TLS packet") != NULL ||
               strstr(c->error, "wrong version number") != NULL;
    }
}

/* The end of the first certificate of the chain, which is the peer's own. -1 is no time either. */
static int64_t cert_ends_s(CURL *easy)
{
    struct curl_certinfo *info = NULL;

    if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &info) != CURLE_OK || info == NULL || info->num_of_certs < 1)
        return 0;
    for (const struct curl_slist *row = info->certinfo[0]; row != NULL; row = row->next)
        if (strncasecmp(row->data, "Expire date:", 12) == 0) {
            struct tm tm = {0};
            return strptime(row->data + 12, "%Y-%m-%d %H:%M:%S", &tm) != NULL
                       ? (int64_t)timegm(&tm)
                       : (int64_t)curl_getdate(row->data + 12, NULL); /* as libcurl with OpenSSL writes it */
        }
    return 0;
}

/* Of the answer's header Date. */
static void read_clock(struct call *c)
{
    struct curl_header *date;
    time_t there = -1;

    if (c->show_peer && curl_easy_header(c->easy, "Date", 0, CURLH_HEADER, -1, &date) == CURLHE_OK)
        there = curl_getdate(date->value, NULL);
    c->result.has_clock = there != -1;
    if (c->result.has_clock)
        c->result.ahead_s = (int64_t)there - (int64_t)time(NULL);
}

static void end_by_curl(struct calls *calls, struct call *c, CURLcode rc)
{
    long sent_bytes = 0, status = 0;
    char over[64];
    const char *why = why_of(c, rc);

    (void)curl_easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &sent_bytes);
    (void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    c->result.lasting = rc != CURLE_OK && is_lasting(c, rc);
    c->result.cert_ends_s = cert_ends_s(c->easy);
    read_clock(c);
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
        c->left_at_ms = clock_ms();
        put(c, &calls->active, NULL);
        calls->n_active++;
        CURLMcode rc = curl_multi_add_handle(calls->multi, c->easy);
        if (rc != CURLM_OK)
            abort(); /* out of memory, or a bug */
    }
}

/* Curl says what it waits for at a socket, and for how long at all. */
static int on_watch(CURL *easy, curl_socket_t fd, int what, void *ctx, void *watched)
{
    struct calls *calls = ctx;
    struct epoll_event e = {.data.fd = fd};

    (void)easy;
    e.events = (what == CURL_POLL_IN || what == CURL_POLL_INOUT ? EPOLLIN : 0u) |
               (what == CURL_POLL_OUT || what == CURL_POLL_INOUT ? EPOLLOUT : 0u);
    if (what == CURL_POLL_REMOVE)
        (void)epoll_ctl(calls->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    else if (epoll_ctl(calls->epoll_fd, watched != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e) != 0)
        (void)epoll_ctl(calls->epoll_fd, watched != NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &e);
    (void)curl_multi_assign(calls->multi, fd, what == CURL_POLL_REMOVE ? NULL : calls);
    return 0;
}

static int on_timer(CURLM *multi, long wait_ms, void *ctx)
{
    struct calls *calls = ctx;

    (void)multi;
    calls->timer_ms = wait_ms < 0 ? INT64_MAX : clock_awake_ms() + wait_ms;
    return 0;
}

static bool take_wake(struct calls *calls)
{
    uint64_t times;
    return read(calls->wake_fd, &times, sizeof times) == (ssize_t)sizeof times;
}

/* What curl could not do, for want of memory, nobody would ever wait for: that call would never end. */
static void move_on(struct calls *calls, curl_socket_t fd, int bits)
{
    int running;

    if (curl_multi_socket_action(calls->multi, fd, bits, &running) != CURLM_OK)
        abort();
}

/* Wait at most so long for something to happen at a socket, or for the wake-up, and let curl have it. */
static void wait_for(struct calls *calls, int64_t wait_ms)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int64_t timer_ms = calls->timer_ms == INT64_MAX ? wait_ms : calls->timer_ms - clock_awake_ms();
    int n;

    wait_ms = timer_ms < wait_ms ? timer_ms : wait_ms;
    wait_ms = wait_ms < 0 ? 0 : wait_ms > INT_MAX ? INT_MAX : wait_ms;
    n = epoll_wait(calls->epoll_fd, events, EVENTS_AT_ONCE, (int)wait_ms);
    for (int i = 0; i < n; i++) {
        uint32_t e = events[i].events;
        int bits = ((e & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) | ((e & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                   ((e & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);

        if (events[i].data.fd == calls->watched_fd)
            calls->stirred = true;
        else if (events[i].data.fd == calls->wake_fd)
            calls->woken = take_wake(calls) || calls->woken;
        else
            move_on(calls, events[i].data.fd, bits);
    }
}

/* Move everything on as far as it goes without waiting. */
static void work(struct calls *calls)
{
    int left;
    CURLMsg *m;

    let_out(calls);
    if (calls->timer_ms <= clock_awake_ms()) {
        calls->timer_ms = INT64_MAX;
        move_on(calls, CURL_SOCKET_TIMEOUT, 0);
    }
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
    calls->timer_ms = INT64_MAX;
    calls->watched_fd = -1;
    calls->multi = mem_must(curl_multi_init());
    (void)curl_multi_setopt(calls->multi, CURLMOPT_SOCKETFUNCTION, on_watch);
    (void)curl_multi_setopt(calls->multi, CURLMOPT_SOCKETDATA, calls);
    (void)curl_multi_setopt(calls->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    (void)curl_multi_setopt(calls->multi, CURLMOPT_TIMERDATA, calls);
    (void)curl_multi_setopt(calls->multi, CURLMOPT_MAXCONNECTS, KEPT_MAX);
    calls->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    calls->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (calls->wake_fd < 0 || calls->epoll_fd < 0 ||
        epoll_ctl(calls->epoll_fd, EPOLL_CTL_ADD, calls->wake_fd,
                  &(struct epoll_event){.events = EPOLLIN, .data.fd = calls->wake_fd}) != 0) {
        (void)err_set(err, "cannot make an eventfd and an epoll: %s", strerror(errno));
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
    bool good;
    struct call *c =
        call_new(&calls->handles, q, profiles_find(&calls->profiles, q->peer), calls->connect_limit_ms, &good);

    calls->n_all++;
    c->result.lasting = !good;
    if (!good)
        end(calls, c, CALL_NOT_SENT, c->error);
    else
        put(c, &calls->waiting, &calls->waiting_end);
    let_out(calls); /* at once: who starts it may have other work to do before it collects */
}

size_t calls_collect(struct calls *calls, uint32_t wait_ms, struct call_result *results, size_t capacity, bool *woken)
{
    int64_t until_ms = clock_ms() + wait_ms;
    bool looked = false; /* at the sockets */
    size_t n = 0;

    for (;;) {
        work(calls);
        int64_t left_ms = until_ms - clock_ms();
        bool over = calls->ended != NULL || calls->woken || calls->stirred || left_ms <= 0;
        if (over && looked)
            break;
        wait_for(calls, over ? 0 : left_ms);
        looked = true;
    }
    if (woken != NULL)
        *woken = calls->woken;
    calls->woken = calls->stirred = false;
    while (calls->ended != NULL && n < capacity) {
        struct call *c = calls->ended;
        take(c, &calls->ended_end);
        calls->n_all--;
        c->result.age_ms = c->left_at_ms != 0 ? (uint32_t)(clock_ms() - c->left_at_ms) : 0;
        results[n++] = c->result;
        c->result.body = NULL;
        call_free(&calls->handles, c);
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

bool calls_watch(struct calls *calls, int fd)
{
    if (fd == calls->watched_fd)
        return true;
    if (calls->watched_fd >= 0)
        (void)epoll_ctl(calls->epoll_fd, EPOLL_CTL_DEL, calls->watched_fd, NULL);
    calls->watched_fd = fd;
    return fd < 0 ||
           epoll_ctl(calls->epoll_fd, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.fd = fd}) == 0;
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
            call_free(&calls->handles, c);
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
    handles_clear(&(*calls)->handles);
    (void)curl_multi_cleanup((*calls)->multi);
    if ((*calls)->wake_fd >= 0)
        (void)close((*calls)->wake_fd);
    if ((*calls)->epoll_fd >= 0)
        (void)close((*calls)->epoll_fd);
    profiles_clear(&(*calls)->profiles);
    free(*calls);
    *calls = NULL;
    curl_global_cleanup();
}
