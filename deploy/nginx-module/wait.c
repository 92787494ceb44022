#include "wait.h"

#include "answer.h"
#include "prefer.h"
#include "render.h"
#include "workers.h"

#define LOOK_MS       25
#define LOOKS_TO_REAP 20 /* between two searches for workers that have died */

struct waiter {
    ngx_queue_t link; /* of `waiting`, or of those to be answered now */
    ngx_http_request_t *r;
    struct handler_target target;
    uint32_t wait_s;
    uint64_t until_ms;
};

static ngx_queue_t waiting; /* of this worker; unset before the first */
static ngx_event_t timer;
static ngx_connection_t timer_ident = {.fd = -1}; /* nginx's debug log reads it of every timer's data */
static unsigned looks;

/* Under the shared lock. settled: of this turn; unknown at its begin. */
enum settled { SETTLED_UNKNOWN, SETTLED_NO, SETTLED_YES };

static bool is_quiet(const struct handler_target *target, enum settled *settled)
{
    ngx_shm_zone_t *zone = target->view->zone;
    const struct shared_upstream *upstream = target->upstream->shared;
    const struct shared_peer *peer = target->upstream->peers[target->server_id].shared;

    if (workers_sum(zone, peer) != 0 || !workers_sum_is_exact(zone, upstream)) {
        return false;
    }
    if (*settled == SETTLED_UNKNOWN) {
        *settled = workers_settle(zone) ? SETTLED_YES : SETTLED_NO;
    }
    return *settled == SETTLED_YES && workers_sum(zone, peer) == 0;
}

/* Under the shared lock: whether there is nothing to wait for. A peer that our zone had no room for is never quiet, and
 * never changes. */
static bool is_over(const struct handler_target *target, enum settled *settled)
{
    const struct shared_peer *peer = target->upstream->peers[target->server_id].shared;

    return peer == NULL || shared_peer_down(peer) == 0 || is_quiet(target, settled);
}

static bool is_over_now(const struct handler_target *target)
{
    enum settled settled = SETTLED_UNKNOWN;

    workers_reap(target->view->zone);
    shared_lock(target->view->zone);
    bool over = is_over(target, &settled);
    shared_unlock(target->view->zone);
    return over;
}

static ngx_int_t answer(ngx_http_request_t *r, const struct handler_target *target, uint32_t wait_s)
{
    ngx_table_elt_t *applied = ngx_list_push(&r->headers_out.headers);
    u_char *value = ngx_pnalloc(r->pool, sizeof("wait=") + NGX_INT32_LEN);
    struct json_out out;

    if (applied == NULL || value == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    *applied = (ngx_table_elt_t){.hash = 1};
    ngx_str_set(&applied->key, "Preference-Applied");
    applied->value.data = value;
    applied->value.len = (size_t)(ngx_sprintf(value, "wait=%uD", wait_s) - value);
    view_follow(target->view);
    json_begin(&out, r->pool);
    return render_server_quiet(&out, target->view, target->upstream, target->server_id)
               ? answer_json(r, NGX_HTTP_OK, &out)
               : NGX_HTTP_INTERNAL_SERVER_ERROR;
}

/* ---- the turns of those who wait */

static void timer_set(void)
{
    if (!timer.timer_set && !ngx_queue_empty(&waiting)) {
        ngx_add_timer(&timer, LOOK_MS);
    }
}

/* Moves those whose wait is over to `now`. */
static void collect(ngx_queue_t *now)
{
    uint64_t now_ms = view_now_ms();
    struct waiter *first = ngx_queue_data(ngx_queue_head(&waiting), struct waiter, link);
    ngx_shm_zone_t *zone = first->target.view->zone; /* one a configuration */
    enum settled settled = SETTLED_UNKNOWN;
    ngx_queue_t *q = ngx_queue_head(&waiting);

    if (++looks % LOOKS_TO_REAP == 0) {
        workers_reap(zone);
    }
    shared_lock(zone);
    while (q != ngx_queue_sentinel(&waiting)) {
        struct waiter *waiter = ngx_queue_data(q, struct waiter, link);

        q = ngx_queue_next(q);
        if (ngx_exiting || now_ms >= waiter->until_ms || is_over(&waiter->target, &settled)) {
            ngx_queue_remove(&waiter->link);
            ngx_queue_insert_tail(now, &waiter->link);
        }
    }
    shared_unlock(zone);
}

static void waiter_answer(struct waiter *waiter)
{
    ngx_http_request_t *r = waiter->r;
    ngx_connection_t *c = r->connection;

    ngx_queue_remove(&waiter->link);
    ngx_queue_init(&waiter->link);
    ngx_http_finalize_request(r, answer(r, &waiter->target, waiter->wait_s));
    ngx_http_run_posted_requests(c);
}

static void timer_over(ngx_event_t *event)
{
    ngx_queue_t now;

    (void)event;
    ngx_queue_init(&now);
    if (!ngx_queue_empty(&waiting)) {
        collect(&now);
    }
    while (!ngx_queue_empty(&now)) { /* an answer may end others' requests, too: they leave this queue themselves */
        waiter_answer(ngx_queue_data(ngx_queue_head(&now), struct waiter, link));
    }
    timer_set();
}

/* nginx's cleanup of the request: the client has gone, or the answer was given. */
static void waiter_leave(void *data)
{
    struct waiter *waiter = data;

    ngx_queue_remove(&waiter->link);
    ngx_queue_init(&waiter->link);
}

static ngx_int_t waiter_join(ngx_http_request_t *r, const struct handler_target *target, uint32_t wait_s)
{
    ngx_http_cleanup_t *cleanup = ngx_http_cleanup_add(r, sizeof(struct waiter));

    if (cleanup == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    /* From now on a client that goes away is noticed, also one that has gone already. */
    if (r->connection->read->ready) {
        ngx_post_event(r->connection->read, &ngx_posted_events);
    } else if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    r->read_event_handler = ngx_http_test_reading;
    if (waiting.next == NULL) {
        ngx_queue_init(&waiting);
        timer.handler = timer_over;
        timer.data = &timer_ident;
        timer.log = ngx_cycle->log;
    }
    struct waiter *waiter = cleanup->data;
    *waiter = (struct waiter){
        .r = r, .target = *target, .wait_s = wait_s, .until_ms = view_now_ms() + (uint64_t)wait_s * 1000};
    ngx_queue_insert_tail(&waiting, &waiter->link);
    cleanup->handler = waiter_leave;
    timer_set();
    r->main->count++;
    return NGX_DONE;
}

/* ---- what is asked for */

static bool asks_to_wait(ngx_http_request_t *r, uint32_t *wait_s)
{
    static const ngx_str_t name = ngx_string("Prefer");

    for (ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        const ngx_table_elt_t *header = part->elts;

        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (header[i].key.len == name.len && ngx_strncasecmp(header[i].key.data, name.data, name.len) == 0 &&
                prefer_wait((const char *)header[i].value.data, header[i].value.len, wait_s)) {
                return true;
            }
        }
    }
    return false;
}

/* A body would have to be read while the client waits, and a subrequest would hold its parent. */
static bool may_wait(const ngx_http_request_t *r)
{
    return r == r->main && r->headers_in.content_length_n <= 0 && !r->headers_in.chunked;
}

ngx_int_t wait_start(ngx_http_request_t *r, const struct handler_target *target)
{
    uint32_t wait_s;

    if (!may_wait(r) || !asks_to_wait(r, &wait_s)) {
        return NGX_DECLINED;
    }
    if (wait_s == 0 || ngx_exiting || is_over_now(target)) {
        return answer(r, target, wait_s);
    }
    return waiter_join(r, target, wait_s);
}
