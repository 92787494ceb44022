/* agent.c - the agents: agent/wire.h, as far as a restart or an upgrade needs it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/wire.h"
#include "common/mem.h"
#include "fleet.h"
#include "judge.h"

#define SERVICE "/v1/services/app"
#define BOOT    "11111111-2222-3333-4444-555555555555"

static void add_ident(const struct fleet_node *n)
{
    page_add("{\"pid\":%u,\"start_ticks\":%llu,\"boot_id\":\"" BOOT "\",\"sha256\":\"%s\"}", n->pid,
             (unsigned long long)n->start_ticks, n->release);
}

static void add_job(const struct fleet_node *n)
{
    static const char *const states[] = {"", "running", "done"};

    page_add("{\"id\":\"%s\",\"rollout\":\"%s\",\"fence\":%llu,\"action\":\"%s\",\"release\":%s%s%s,\"state\":\"%s\","
             "\"code\":\"ok\",\"text\":\"\",\"touched\":%s,\"restored\":false,\"before\":%s,\"after\":",
             n->job_id, n->rollout, (unsigned long long)n->fence, n->action, n->job_release[0] != '\0' ? "\"" : "",
             n->job_release[0] != '\0' ? n->job_release : "null", n->job_release[0] != '\0' ? "\"" : "", states[n->job],
             n->job == JOB_DONE ? "true" : "false", n->job_before);
    if (n->job == JOB_DONE)
        add_ident(n);
    else
        page_add("null");
    page_add(",\"started\":1764097200.125,\"elapsed_ms\":100}");
}

static uint32_t left_s(const struct fleet_node *n)
{
    int64_t left = n->claim_end_ns - timer_now_ns();

    return left > 0 ? (uint32_t)(left / 1000000000 + 1) : 0;
}

static void add_status(uint32_t id)
{
    const struct fleet_node *n = &fleet.nodes[id];
    char address[32];

    page_add("{\"service\":\"app\",\"node\":\"n%05u.fleet.test\",\"boot_id\":\"" BOOT "\",\"running\":true,\"ident\":",
             id + 1);
    add_ident(n);
    page_add(",\"installed\":\"%s\",\"version\":\"1\",\"listening\":[\"%s\"],\"connections\":2,\"releases\":[",
             n->release, fleet_address(id, address));
    if (n->staged[0] != '\0')
        page_add("{\"sha256\":\"%s\",\"size\":1000}", n->staged);
    page_add("],\"claim\":");
    if (n->claimed)
        page_add("{\"rollout\":\"%s\",\"fence\":%llu,\"ttl\":%u,\"left\":%u,\"holder\":\"%s\",%s}", n->rollout,
                 (unsigned long long)n->fence, n->ttl_s, left_s(n), n->holder, n->claim_rest);
    else
        page_add("null");
    page_add(",\"fence\":%llu,\"job\":", (unsigned long long)n->highest);
    if (n->job == JOB_NONE)
        page_add("null");
    else
        add_job(n);
    page_add("}");
}

/* ---- the claim */
static void claim_put(struct conn *c, uint32_t id, const struct request *q)
{
    struct fleet_node *n = &fleet.nodes[id];
    uint64_t fence = text_number(text_member(q->body, "fence")), expect = text_number(text_member(q->body, "expect"));
    struct slice before = text_member(q->body, "before"), target = text_member(q->body, "target"),
                 took_out = text_member(q->body, "took_out");
    char rollout[129];
    bool own;

    text_copy(text_member(q->body, "rollout"), rollout, sizeof rollout);
    own = n->claimed && strcmp(n->rollout, rollout) == 0 && n->fence == fence;
    if (fence == 0 || before.n == 0 || took_out.n == 0) {
        page_error(c, 400, "bad_request", "a claim needs a fence, before and took_out");
        return;
    }
    if (n->claimed && left_s(n) > 0 && strcmp(n->rollout, rollout) != 0) {
        page_error(c, 409, "claim_held", "another rollout holds it");
        return;
    }
    if (fence < n->highest || (!own && n->claimed && n->fence != expect)) {
        page_error(c, fence < n->highest ? 412 : 409, fence < n->highest ? "fence_stale" : "claim_changed", "no");
        return;
    }
    fleet_changed();
    n->claimed = true;
    n->fence = n->highest = fence;
    memcpy(n->rollout, rollout, sizeof n->rollout);
    text_copy(text_member(q->body, "holder"), n->holder, sizeof n->holder);
    n->ttl_s = (uint32_t)text_number(text_member(q->body, "ttl"));
    n->claim_end_ns = timer_now_ns() + (int64_t)n->ttl_s * 1000000000;
    free(n->claim_rest);
    n->claim_rest =
        mem_format("\"target\":%.*s,\"before\":%.*s,\"took_out\":%.*s", target.n > 0 ? (int)target.n : 4,
                   target.n > 0 ? target.at : "null", (int)before.n, before.at, (int)took_out.n, took_out.at);
    judge_claim(id, true);
    add_status(id);
    page_send(c, 200, "");
}

static void claim_drop(struct conn *c, uint32_t id)
{
    fleet_changed();
    fleet.nodes[id].claimed = false;
    judge_claim(id, false);
    add_status(id);
    page_send(c, 200, "");
}

/* ---- jobs */
static void answer_job(struct conn *c, const struct fleet_node *n, int status)
{
    page_begin();
    add_job(n);
    page_send(c, status, "");
}

static void job_over(struct timer *t)
{
    struct fleet_node *n = (struct fleet_node *)(void *)((char *)t - offsetof(struct fleet_node, job_end));

    n->job = JOB_DONE;
    n->pid += FLEET_NODES_MAX;
    n->start_ticks += 100000;
    if (n->job_release[0] != '\0')
        memcpy(n->release, n->job_release, sizeof n->release);
    judge_job_end((uint32_t)(n - fleet.nodes));
    while (n->waits != NULL) {
        struct wait *w = n->waits;

        wait_unlink(w);
        answer_job(w->conn, n, 200);
    }
}

static void job_post(struct conn *c, uint32_t id, const struct request *q)
{
    struct fleet_node *n = &fleet.nodes[id];
    char job[449], rollout[129];

    text_copy(text_member(q->body, "id"), job, sizeof job);
    text_copy(text_member(q->body, "rollout"), rollout, sizeof rollout);
    if (n->job != JOB_NONE && strcmp(job, n->job_id) == 0) {
        answer_job(c, n, 200);
        return;
    }
    if (!n->claimed || left_s(n) == 0 || strcmp(n->rollout, rollout) != 0) {
        page_error(c, 409, "no_claim", "the rollout has no claim here");
        return;
    }
    if (n->job == JOB_RUNNING) {
        page_error(c, 409, "busy", "another job runs");
        return;
    }
    fleet_changed();
    memcpy(n->job_id, job, sizeof n->job_id);
    text_copy(text_member(q->body, "action"), n->action, sizeof n->action);
    text_copy(text_member(q->body, "release"), n->job_release, sizeof n->job_release);
    if (strcmp(n->job_release, "null") == 0)
        n->job_release[0] = '\0';
    n->job = JOB_RUNNING;
    page_begin();
    add_ident(n);
    free(n->job_before);
    n->job_before = mem_format("%.*s", (int)page.n, page.text);
    judge_job(id);
    timer_set(&n->job_end, timer_now_ns() + fleet.restart_ns, job_over);
    answer_job(c, n, 202);
}

static void wait_is_over(struct timer *t)
{
    struct wait *w = (struct wait *)(void *)((char *)t - offsetof(struct wait, timer));

    wait_unlink(w);
    answer_job(w->conn, &fleet.nodes[w->node], 200);
}

/* wait=25000ms or wait=25s */
static int64_t wait_ns(struct slice query)
{
    const char *at = query.n > 5 && memcmp(query.at, "wait=", 5) == 0 ? query.at + 5 : NULL;

    if (at == NULL)
        return 0;
    uint64_t n = text_number((struct slice){at, query.n - 5});
    bool ms = query.n > 7 && memcmp(query.at + query.n - 2, "ms", 2) == 0;
    return (int64_t)n * (ms ? 1000000 : 1000000000);
}

static void job_get(struct conn *c, uint32_t id, struct slice job, const struct request *q)
{
    struct fleet_node *n = &fleet.nodes[id];
    int64_t for_ns = wait_ns(q->query);

    if (n->job == JOB_NONE || !text_is(job, n->job_id)) {
        page_error(c, 404, "not_found", "there is no such job");
    } else if (n->job == JOB_RUNNING && for_ns > 0) {
        struct wait *w = conn_wait(c);

        w->node = id;
        wait_link(w, &n->waits);
        timer_set(&w->timer, timer_now_ns() + for_ns, wait_is_over);
    } else {
        answer_job(c, n, 200);
    }
}

/* ---- the rest */
static void health(struct conn *c, uint32_t id)
{
    const struct fleet_node *n = &fleet.nodes[id];
    bool good = n->job != JOB_RUNNING;

    judge_health(id, good);
    page_add("{\"healthy\":%s,\"status\":%d,\"text\":\"%s\",\"ident\":", good ? "true" : "false", good ? 200 : 0,
             good ? "" : "it restarts");
    add_ident(n);
    page_add(",\"elapsed_ms\":1}");
    page_send(c, 200, "");
}

static void release_put(struct conn *c, uint32_t id, struct slice hex)
{
    struct fleet_node *n = &fleet.nodes[id];
    bool there = text_is(hex, n->staged);

    text_copy(hex, n->staged, sizeof n->staged);
    page_add("{\"sha256\":\"%s\",\"size\":1000}", n->staged);
    page_send(c, there ? 200 : 201, "");
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

void agent_handle(struct conn *c, const struct request *q)
{
    uint32_t id = q->address - FLEET_NODE_BASE;
    struct slice rest = q->path;
    bool get = text_is(q->method, "GET"), put = text_is(q->method, "PUT");

    page_begin();
    if (id >= fleet.n_nodes) {
        page_error(c, 404, "not_found", "there is no node at this address");
    } else if (get && text_is(q->path, "/v1")) {
        page_add("{\"version\":%d,\"agent\":\"fake\",\"node\":\"n%05u.fleet.test\",\"features\":[\"claim\",\"restart\","
                 "\"upgrade\",\"rollback\",\"health\",\"release\"]}",
                 WIRE_VERSION, id + 1);
        page_send(c, 200, "");
    } else if (get && text_is(q->path, SERVICE)) {
        add_status(id);
        page_send(c, 200, "");
    } else if (put && text_is(q->path, SERVICE "/claim")) {
        claim_put(c, id, q);
    } else if (text_is(q->method, "DELETE") && text_is(q->path, SERVICE "/claim")) {
        claim_drop(c, id);
    } else if (text_is(q->method, "POST") && text_is(q->path, SERVICE "/jobs")) {
        job_post(c, id, q);
    } else if (get && text_is(q->path, SERVICE "/health")) {
        health(c, id);
    } else if (get && below(&rest, SERVICE "/jobs/")) {
        job_get(c, id, rest, q);
    } else if (put && below(&rest, SERVICE "/releases/")) {
        release_put(c, id, rest);
    } else {
        page_error(c, 404, "not_found", "there is nothing here");
    }
}
