/* lb.c - the load balancers: what the controller and its rivals need of NGINX Plus' API, and of our module's additions.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet.h"
#include "judge.h"

#define VERSION_PATH "/api/9/"
#define UPSTREAMS    VERSION_PATH "http/upstreams"

static bool is_out(const struct fleet_peer *p)
{
    return p->down || p->drain;
}

static uint32_t active(const struct fleet_peer *p)
{
    return is_out(p) && timer_now_ns() >= p->quiet_ns ? 0 : 2;
}

static const char *word(const struct fleet_peer *p)
{
    return p->down ? "down" : p->drain ? "draining" : "up";
}

static void told(uint32_t lb, uint32_t node)
{
    const struct fleet_peer *p = fleet_peer(lb, node);

    if (p->down && active(p) == 0)
        judge_told(lb, node);
}

/* ---- what is shown */
static void add_peer(uint32_t lb, uint32_t node)
{
    const struct fleet_peer *p = fleet_peer(lb, node);
    char address[32];

    (void)fleet_address(node, address);
    page_add("%s{\"id\":%u,\"server\":\"%s\",\"name\":\"%s\",\"backup\":false,\"weight\":1,\"state\":\"%s\","
             "\"active\":%u,",
             node == 0 ? "" : ",", node, address, address, word(p), active(p));
    static const char rest[] =
        "\"requests\":12345,\"header_time\":12,\"response_time\":13,\"responses\":{\"1xx\":0,\"2xx\":12340,\"3xx\":0,"
        "\"4xx\":5,\"5xx\":0,\"codes\":{\"200\":12340,\"404\":5},\"total\":12345},\"sent\":1234567,"
        "\"received\":7654321,\"fails\":0,\"unavail\":0,\"health_checks\":{\"checks\":0,\"fails\":0,\"unhealthy\":0},"
        "\"downtime\":0,\"selected\":\"2026-11-25T18:00:00.000Z\"}";
    page_raw(rest, sizeof rest - 1);
    told(lb, node);
}

static void add_upstream(uint32_t lb)
{
    const struct fleet_lb *l = &fleet.lbs[lb];
    int64_t left = l->lease_end_ns - timer_now_ns();

    page_add("{\"peers\":[");
    for (uint32_t i = 0; i < fleet.n_nodes; i++)
        add_peer(lb, i);
    page_add("],\"keepalive\":0,\"zombies\":0,\"zone\":\"app\",\"rollout\":{\"fence\":%llu,\"id\":\"%s\","
             "\"holder\":\"%s\",\"ttl\":%lld,\"active_exact\":true}}",
             (unsigned long long)l->fence, l->id, l->holder, left > 0 ? (long long)(left / 1000000000 + 1) : 0);
}

static void show_server(struct conn *c, uint32_t lb, uint32_t node, const struct request *q)
{
    const struct fleet_peer *p = fleet_peer(lb, node);
    char address[32], header[64] = "";

    page_begin();
    page_add("{\"id\":%u,\"server\":\"%s\",\"weight\":1,\"max_conns\":0,\"max_fails\":1,\"fail_timeout\":\"10s\","
             "\"slow_start\":\"0s\",\"route\":\"\",\"backup\":false,\"down\":%s%s",
             node, fleet_address(node, address), p->down ? "true" : "false",
             !p->down && p->drain ? ",\"drain\":true" : "");
    if (q == NULL || (q->waits && fleet.prefer)) {
        (void)snprintf(header, sizeof header, "Preference-Applied: wait=%u\r\n", q == NULL ? 0 : q->wait_s);
        page_add(",\"rollout\":{\"active\":%u,\"quiet\":%s,\"state\":\"%s\"}", active(p),
                 is_out(p) && active(p) == 0 ? "true" : "false", word(p));
        told(lb, node);
    }
    page_add("}");
    page_send(c, 200, header);
}

/* ---- waiting until it is quiet */
static void let_go(struct wait *w)
{
    wait_unlink(w);
    show_server(w->conn, w->lb, w->node, NULL);
}

static void wait_is_over(struct timer *t)
{
    let_go((struct wait *)(void *)((char *)t - offsetof(struct wait, timer)));
}

static void now_quiet(struct timer *t)
{
    struct fleet_peer *p = (struct fleet_peer *)(void *)((char *)t - offsetof(struct fleet_peer, quiet));
    size_t place = (size_t)(p - fleet.peers);

    judge_silent((uint32_t)(place / fleet.n_nodes), (uint32_t)(place % fleet.n_nodes));
    while (p->waits != NULL)
        let_go(p->waits);
}

static void get_server(struct conn *c, uint32_t lb, uint32_t node, const struct request *q)
{
    struct fleet_peer *p = fleet_peer(lb, node);

    if (fleet.prefer && q->waits && q->wait_s > 0 && is_out(p) && active(p) > 0) {
        struct wait *w = conn_wait(c);

        w->lb = lb;
        w->node = node;
        wait_link(w, &p->waits);
        timer_set(&w->timer, timer_now_ns() + (int64_t)q->wait_s * 1000000000, wait_is_over);
        return;
    }
    show_server(c, lb, node, q);
}

/* ---- changes */
static bool lease_allows(struct fleet_lb *l, const struct request *q)
{
    char id[129], holder[129];
    uint64_t fence = text_number(q->lease[LEASE_FENCE]), ttl_s = text_number(q->lease[LEASE_TTL]);
    bool same;

    if (q->lease[LEASE_FENCE].n == 0)
        return true;
    text_copy(q->lease[LEASE_ID], id, sizeof id);
    text_copy(q->lease[LEASE_HOLDER], holder, sizeof holder);
    same = strcmp(id, l->id) == 0 && strcmp(holder, l->holder) == 0;
    if (fence < l->fence || (!same && (fence == l->fence || l->lease_end_ns > timer_now_ns())))
        return false;
    l->fence = fence;
    memcpy(l->id, id, sizeof l->id);
    memcpy(l->holder, holder, sizeof l->holder);
    l->lease_end_ns = timer_now_ns() + (int64_t)ttl_s * 1000000000;
    return true;
}

static void change(uint32_t lb, uint32_t node, struct slice down, struct slice drain)
{
    struct fleet_peer *p = fleet_peer(lb, node);
    bool was_out = is_out(p);

    if (down.n > 0)
        p->down = text_is(down, "true");
    if (drain.n > 0 || text_is(down, "false"))
        p->drain = text_is(drain, "true");
    if (is_out(p) && !was_out) {
        p->quiet_ns = timer_now_ns() + fleet.drain_ns;
        judge_taken_out(lb, node);
        timer_set(&p->quiet, p->quiet_ns, now_quiet);
    }
    if (p->down)
        judge_down(lb, node);
    if (!is_out(p) && was_out) {
        timer_stop(&p->quiet);
        judge_put_back(lb, node);
        while (p->waits != NULL)
            let_go(p->waits);
    }
}

static void patch_server(struct conn *c, uint32_t lb, uint32_t node, const struct request *q)
{
    if (!lease_allows(&fleet.lbs[lb], q)) {
        page_error(c, 412, "LeaseHeld", "another rollout holds the upstream, or the fence is old");
        return;
    }
    fleet_changed();
    change(lb, node, text_member(q->body, "down"), text_member(q->body, "drain"));
    show_server(c, lb, node, q);
}

static void at_server(struct conn *c, uint32_t lb, struct slice id, const struct request *q)
{
    uint64_t node = text_number(id);

    if (id.n == 0 || node >= fleet.n_nodes)
        page_error(c, 404, "UpstreamServerNotFound", "there is no such server");
    else if (text_is(q->method, "GET"))
        get_server(c, lb, (uint32_t)node, q);
    else if (text_is(q->method, "PATCH"))
        patch_server(c, lb, (uint32_t)node, q);
    else
        page_error(c, 405, "MethodDisabled", "GET and PATCH alone");
}

static bool below(struct slice *path, const char *start)
{
    size_t n = strlen(start);

    if (path->n < n || memcmp(path->at, start, n) != 0)
        return false;
    path->at += n;
    path->n -= n;
    return true;
}

void lb_handle(struct conn *c, const struct request *q)
{
    uint32_t lb = q->address - FLEET_LB_BASE;
    struct slice path = q->path;

    page_begin();
    if (lb >= fleet.n_lbs) {
        page_error(c, 404, "PathNotFound", "there is no load balancer at this address");
        return;
    }
    while (path.n > 1 && path.at[path.n - 1] == '/')
        path.n--;
    if (below(&path, UPSTREAMS "/app/servers/")) {
        at_server(c, lb, path, q);
        return;
    }
    if (text_is(path, "/api"))
        page_add("[4,5,6,7,8,9]");
    else if (text_is(path, VERSION_PATH "nginx"))
        page_add("{\"version\":\"1.22.1\",\"build\":\"fake\",\"address\":\"127.0.0.1\",\"generation\":1,"
                 "\"load_timestamp\":\"2026-11-25T00:00:00.000Z\",\"timestamp\":\"2026-11-25T00:00:00.000Z\","
                 "\"pid\":1,\"ppid\":1}");
    else if (text_is(path, UPSTREAMS)) {
        page_add("{\"app\":");
        add_upstream(lb);
        page_add("}");
    } else if (text_is(path, UPSTREAMS "/app"))
        add_upstream(lb);
    else {
        page_error(c, 404, "PathNotFound", "there is nothing here");
        return;
    }
    page_send(c, 200, "");
}
