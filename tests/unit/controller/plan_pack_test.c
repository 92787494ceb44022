/* The plan in the journal's first event is the whole plan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/plan_pack.h"
#include "tests/sim/fake_plan.h"

/* Every member another value, the large ones beyond what a signed number holds. */
static struct plan *full_plan(void)
{
    struct plan *p = fake_plan((struct fake_shape){.nodes = 3, .lbs = 2, .upstreams = 2, .ports = 2});

    p->fence = UINT64_MAX;
    p->release_size = 5000000000;
    p->lease_wait_ms = 17;
    p->drain_proceed = true;
    p->max_unavailable_percent = true;
    p->canary = 3;
    p->pause_after = 9;
    p->by_zone = true;
    p->max_failures = UINT32_MAX;
    p->rolls_back = p->goes_back = true;
    p->n_batches = 3;
    p->batches[1] = 5;
    p->batches[2] = 1000000;
    p->gate = (struct plan_gate){
        .max_5xx_bp = 1, .max_fails_bp = 22, .max_slower_bp = 333, .min_requests = 4444, .pause = true};
    p->health = (struct plan_health){.status = {201, 599}, .body = "\"fine\""};
    p->nodes[2].health = "http://c/healthz";
    p->nodes[1].listens = "10.0.0.2:80,[::1]:80";
    p->version = "1.2 \"quoted\" \\ \xc3\xa4";
    for (uint32_t i = 0; i < WAIT_COUNT; i++)
        p->wait_ms[i] = 1000 + i;
    for (int i = 0; i < 32; i++)
        p->release_sha256[i] = (uint8_t)(255 - i);
    p->nodes[0].at_target = true;
    p->nodes[2].in_place = true;
    p->nodes[1].zone = "z1";
    p->nodes[1].out_mask = UINT64_MAX;
    p->nodes[1].prior_drain_mask = UINT64_C(1) << 63;
    p->nodes[1].claim_fence = UINT64_MAX - 1;
    p->nodes[1].surveyed.start_ticks = UINT64_MAX;
    p->nodes[1].surveyed.pid = UINT32_MAX;
    p->nodes[1].before.boot[15] = 255;
    p->nodes[1].has_target = true;
    p->nodes[1].target_sha256[31] = 9;
    return p;
}

static void assert_same_ident(const struct ident *a, const struct ident *b)
{
    assert_int_equal(a->pid, b->pid);
    assert_true(a->start_ticks == b->start_ticks);
    assert_memory_equal(a->boot, b->boot, sizeof a->boot);
    assert_memory_equal(a->sha256, b->sha256, sizeof a->sha256);
}

static void assert_same_head(const struct plan *a, const struct plan *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_string_equal(a->rollout, b->rollout);
    assert_string_equal(a->holder, b->holder);
    assert_string_equal(a->service, b->service);
    assert_true(a->fence == b->fence);
    assert_int_equal(a->lease_ttl_ms, b->lease_ttl_ms);
    assert_int_equal(a->lease_wait_ms, b->lease_wait_ms);
    assert_int_equal(a->has_release, b->has_release);
    assert_string_equal(a->release_file, b->release_file);
    assert_memory_equal(a->release_sha256, b->release_sha256, 32);
    assert_true(a->release_size == b->release_size);
    assert_string_equal(a->version, b->version);
    assert_memory_equal(a->wait_ms, b->wait_ms, sizeof a->wait_ms);
    assert_int_equal(a->connect_timeout_ms, b->connect_timeout_ms);
    assert_int_equal(a->drain_proceed, b->drain_proceed);
    assert_int_equal(a->success_threshold, b->success_threshold);
    assert_int_equal(a->min_healthy_ms, b->min_healthy_ms);
    assert_int_equal(a->n_batches, b->n_batches);
    assert_memory_equal(a->batches, b->batches, sizeof a->batches);
    assert_int_equal(a->max_unavailable, b->max_unavailable);
    assert_int_equal(a->max_unavailable_percent, b->max_unavailable_percent);
    assert_int_equal(a->canary, b->canary);
    assert_int_equal(a->pause_after, b->pause_after);
    assert_int_equal(a->by_zone, b->by_zone);
    assert_int_equal(a->max_failures, b->max_failures);
    assert_int_equal(a->rolls_back, b->rolls_back);
    assert_int_equal(a->goes_back, b->goes_back);
    assert_int_equal(a->gate.max_5xx_bp, b->gate.max_5xx_bp);
    assert_int_equal(a->gate.max_fails_bp, b->gate.max_fails_bp);
    assert_int_equal(a->gate.max_slower_bp, b->gate.max_slower_bp);
    assert_int_equal(a->gate.min_requests, b->gate.min_requests);
    assert_int_equal(a->gate.pause, b->gate.pause);
    assert_int_equal(a->health.status.low, b->health.status.low);
    assert_int_equal(a->health.status.high, b->health.status.high);
    assert_string_equal(a->health.body, b->health.body);
}

static void assert_same_node(const struct plan_node *a, const struct plan_node *b)
{
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->agent, b->agent);
    assert_string_equal(a->address, b->address);
    assert_string_equal(a->zone, b->zone);
    assert_string_equal(a->health, b->health);
    assert_string_equal(a->listens != NULL ? a->listens : "", b->listens != NULL ? b->listens : "");
    assert_int_equal(a->first_peer, b->first_peer);
    assert_int_equal(a->n_peers, b->n_peers);
    assert_int_equal(a->at_target, b->at_target);
    assert_int_equal(a->in_place, b->in_place);
    assert_same_ident(&a->surveyed, &b->surveyed);
    assert_true(a->out_mask == b->out_mask);
    assert_true(a->prior_drain_mask == b->prior_drain_mask);
    assert_true(a->claim_fence == b->claim_fence);
    assert_same_ident(&a->before, &b->before);
    assert_int_equal(a->has_target, b->has_target);
    assert_memory_equal(a->target_sha256, b->target_sha256, 32);
}

static void assert_same(const struct plan *a, const struct plan *b)
{
    assert_same_head(a, b);
    assert_int_equal(a->n_lbs, b->n_lbs);
    for (uint32_t i = 0; i < a->n_lbs; i++) {
        assert_string_equal(a->lbs[i].name, b->lbs[i].name);
        assert_string_equal(a->lbs[i].api, b->lbs[i].api);
        assert_string_equal(a->lbs[i].address, b->lbs[i].address);
        assert_int_equal(a->lbs[i].api_version, b->lbs[i].api_version);
    }
    assert_int_equal(a->n_upstreams, b->n_upstreams);
    for (uint32_t i = 0; i < a->n_upstreams; i++) {
        assert_int_equal(a->upstreams[i].lb, b->upstreams[i].lb);
        assert_string_equal(a->upstreams[i].name, b->upstreams[i].name);
    }
    assert_int_equal(a->n_peers, b->n_peers);
    for (uint32_t i = 0; i < a->n_peers; i++) {
        assert_int_equal(a->peers[i].node, b->peers[i].node);
        assert_int_equal(a->peers[i].upstream, b->peers[i].upstream);
        assert_string_equal(a->peers[i].server, b->peers[i].server);
    }
    assert_int_equal(a->n_nodes, b->n_nodes);
    for (uint32_t i = 0; i < a->n_nodes; i++)
        assert_same_node(&a->nodes[i], &b->nodes[i]);
}

static void unpacked_it_is_the_same(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        struct plan *p = full_plan(), *q;
        struct err err = {""};
        char *text, *again;

        p->kind = kind == 0 ? PLAN_ROLL : PLAN_REPAIR;
        text = plan_pack(p);
        q = plan_unpack(text, &err);
        if (q == NULL)
            fail_msg("%s", err.text);
        assert_same(p, q);
        again = plan_pack(q); /* what assert_same does not know of */
        assert_string_equal(text, again);
        free(again);
        free(text);
        plan_free(&p);
        plan_free(&q);
    }
}

/* What stands in the text, by replacing one piece of it. */
static void what_does_not_hold_together_is_refused(void **state)
{
    static const struct {
        const char *piece, *by, *says;
    } rows[] = {
        {"\"plan\":2", "\"plan\":1", "by another version of rollout"},
        {"{\"plan\":2", "[{\"plan\":2", "packed plan"},
        {"\"upstream\":3", "\"upstream\":9", "does not hold together"},
        {"\"upstream\":3", "\"upstream\":-1", "does not hold together"},
        {"\"lb\":1", "\"lb\":7", "does not hold together"},
        {"\"success_threshold\":3", "\"success_threshold\":0", "does not hold together"},
        {"\"batches\":[1,", "\"batches\":[0,", "does not hold together"},
        {"\"batches\":[1,5,1000000]", "\"batches\":[]", "does not hold together"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct plan *p = full_plan(), *q;
        char *text = plan_pack(p), *at = strstr(text, rows[i].piece), *spoilt = calloc(1, strlen(text) + 64);
        struct err err = {""};

        assert_non_null(at);
        assert_non_null(spoilt);
        memcpy(spoilt, text, (size_t)(at - text));
        strcat(strcat(spoilt, rows[i].by), at + strlen(rows[i].piece));
        q = plan_unpack(spoilt, &err);
        if (q != NULL || strstr(err.text, rows[i].says) == NULL)
            fail_msg("%s: %s '%s'", rows[i].by, q != NULL ? "taken" : "refused", err.text);
        free(spoilt);
        free(text);
        plan_free(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unpacked_it_is_the_same),
        cmocka_unit_test(what_does_not_hold_together_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
