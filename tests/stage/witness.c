#include "tests/stage/witness.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/stage/http.h"
#include "tests/stage/raw.h"

#define HOLD_READY_MS 15000
#define HOLD_LATE_MS  30000

/* ---- processes */

struct stage_pids stage_fleet_pids(struct stage_fleet *f)
{
    struct stage_pids now = {{0}};

    for (unsigned i = 0; i < f->n_nodes; i++)
        now.pid[i] = stage_server_pid(f->node[i].server);
    return now;
}

unsigned stage_fleet_same_pids(struct stage_fleet *f, const struct stage_pids *then)
{
    struct stage_pids now = stage_fleet_pids(f);
    unsigned same = 0;

    for (unsigned i = 0; i < f->n_nodes; i++)
        same += now.pid[i] != 0 && now.pid[i] == then->pid[i];
    return same;
}

/* ---- claims and leases */

static json_t *status_member(struct stage_fleet *f, unsigned node, const char *member)
{
    struct stage_answer *a = stage_agent_http(f->node[node].agent, "GET", "/v1/services/app", NULL);

    if (a->status != 200)
        stage_fail(f->stage, "the agent of %s answered %d: %s%s", f->node[node].name, a->status, a->error, a->body);
    return stage_json(f->stage, a->json, member);
}

json_t *stage_fleet_claim(struct stage_fleet *f, unsigned node)
{
    return status_member(f, node, "claim");
}

json_t *stage_fleet_vote(struct stage_fleet *f, unsigned node)
{
    return status_member(f, node, "lock");
}

static struct stage_answer *get_upstream(struct stage_fleet *f, unsigned lb)
{
    struct stage *s = f->stage;
    struct stage_answer *a = stage_http(s, "GET", stage_text(s, "%s/9/http/upstreams/app", f->lb[lb]->api), NULL, NULL);

    if (a->status != 200)
        stage_fail(s, "%s answered %d to a GET of the upstream: %s%s", f->lb[lb]->name, a->status, a->error, a->body);
    return a;
}

json_t *stage_fleet_lease(struct stage_fleet *f, unsigned lb)
{
    return stage_json(f->stage, get_upstream(f, lb)->json, "rollout");
}

bool stage_fleet_is_free(struct stage_fleet *f)
{
    for (unsigned i = 0; i < f->n_nodes; i++)
        if (!json_is_null(stage_fleet_claim(f, i)) || !json_is_null(stage_fleet_vote(f, i)))
            return false;
    for (unsigned i = 0; i < f->n_lbs; i++)
        if (stage_json_int(f->stage, stage_fleet_lease(f, i), "ttl") != 0)
            return false;
    return true;
}

static bool has_lapsed(void *ctx)
{
    struct stage_fleet *f = ctx;

    for (unsigned i = 0; i < f->n_nodes; i++) {
        if (json_integer_value(stage_json_find(stage_fleet_claim(f, i), "left")) != 0 ||
            json_integer_value(stage_json_find(stage_fleet_vote(f, i), "left")) != 0)
            return false;
    }
    for (unsigned i = 0; i < f->n_lbs; i++)
        if (stage_json_int(f->stage, stage_fleet_lease(f, i), "ttl") != 0)
            return false;
    return true;
}

void stage_fleet_wait_lapse(struct stage_fleet *f, uint32_t limit_ms)
{
    stage_wait_until(f->stage, has_lapsed, f, limit_ms, "all claims and leases to run out");
}

struct peer_wait {
    struct stage_fleet *fleet;
    unsigned lb, node;
    const char *state;
};

static bool has_state(void *ctx)
{
    const struct peer_wait *w = ctx;

    return strcmp(stage_fleet_peer_state(w->fleet, w->lb, w->node), w->state) == 0;
}

void stage_fleet_wait_state(struct stage_fleet *f, unsigned lb, unsigned node, const char *state, uint32_t limit_ms)
{
    struct peer_wait w = {f, lb, node, state};

    stage_wait_until(f->stage, has_state, &w, limit_ms,
                     stage_text(f->stage, "%s to be %s at %s", f->node[node].name, state, f->lb[lb]->name));
}

const char *stage_fleet_picture(struct stage_fleet *f)
{
    struct stage *s = f->stage;
    const char *text = "";

    for (unsigned i = 0; i < f->n_nodes; i++) {
        char *claim = json_dumps(stage_fleet_claim(f, i), JSON_ENCODE_ANY | JSON_SORT_KEYS);

        text = stage_text(s, "%s%s: pid %d, claim %s\n", text, f->node[i].name, stage_server_pid(f->node[i].server),
                          claim);
        free(claim);
    }
    for (unsigned i = 0; i < f->n_lbs; i++) {
        char *lease = json_dumps(stage_fleet_lease(f, i), JSON_SORT_KEYS);

        text = stage_text(s, "%s%s: lease %s", text, f->lb[i]->name, lease);
        free(lease);
        for (unsigned node = 0; node < f->n_nodes; node++)
            text = stage_text(s, "%s, %s %s", text, f->node[node].name, stage_fleet_peer_state(f, i, node));
        text = stage_text(s, "%s\n", text);
    }
    return text;
}

/* ---- a request that is held */

/* Peers with equal weights are asked in turn: once the node before has answered, the wanted one is next. */
static void turn_to(struct stage_fleet *f, unsigned lb, unsigned node)
{
    struct stage *s = f->stage;
    unsigned before = (node + f->n_nodes - 1) % f->n_nodes;
    const char *pid = stage_text(s, "from pid %d.", stage_server_pid(f->node[before].server));

    for (unsigned i = 0; i < 4 * f->n_nodes; i++) {
        struct stage_answer *a =
            stage_http(s, "GET", stage_text(s, "%s/sleep/?duration=0s", f->lb[lb]->url), NULL, NULL);

        if (a->status == 200 && strstr(a->body, pid) != NULL)
            return;
    }
    stage_fail(s, "%s sends no request to %s", f->lb[lb]->name, f->node[before].name);
}

static bool is_held(void *ctx)
{
    const struct peer_wait *w = ctx;

    return stage_json_int(w->fleet->stage, stage_fleet_peer(w->fleet, w->lb, w->node), "active") > 0;
}

struct stage_hold *stage_hold_start(struct stage_fleet *f, unsigned lb, unsigned node, uint32_t sleep_ms)
{
    struct stage *s = f->stage;
    struct stage_hold *h = stage_alloc(s, sizeof *h);
    struct peer_wait w = {f, lb, node, NULL};

    if (f->n_nodes > 1)
        turn_to(f, lb, node);
    h->stage = s;
    h->fd = stage_raw_open(s, f->lb[lb]->port);
    h->sleep_ms = sleep_ms;
    stage_raw_send(s, h->fd,
                   stage_text(s,
                              "POST /hold/?duration=%ums HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
                              "Content-Length: 1\r\n\r\n",
                              sleep_ms));
    stage_wait_until(s, is_held, &w, HOLD_READY_MS,
                     stage_text(s, "a request to reach %s through %s", f->node[node].name, f->lb[lb]->name));
    return h;
}

void stage_hold_release(struct stage_hold *h)
{
    if (h->released)
        return;
    h->released = true;
    h->until_ms = stage_now_ms() + h->sleep_ms;
    stage_raw_send(h->stage, h->fd, "x");
}

bool stage_hold_answered(const struct stage_hold *h)
{
    struct pollfd p = {.fd = h->fd, .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

const char *stage_hold_end(struct stage_hold *h)
{
    uint64_t now_ms, left_ms;

    stage_hold_release(h);
    now_ms = stage_now_ms();
    left_ms = h->until_ms > now_ms ? h->until_ms - now_ms : 0;
    return stage_raw_answer(h->stage, h->fd, (uint32_t)left_ms + HOLD_LATE_MS);
}

/* ---- the end of a rollout */

void stage_rollout_expect(struct stage *s, const struct stage_rollout *r, int exit_code, const char *const *texts)
{
    if (r->exit_code != exit_code)
        stage_fail(s, "rollout ended with exit code %d, not %d, and said:\n%s%s", r->exit_code, exit_code, r->out,
                   r->err);
    for (; texts != NULL && *texts != NULL; texts++)
        if (strstr(r->out, *texts) == NULL && strstr(r->err, *texts) == NULL)
            stage_fail(s, "rollout did not say \"%s\", but:\n%s%s", *texts, r->out, r->err);
}
