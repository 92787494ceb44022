#include "agent/lock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/claim.h"
#include "agent/claim_store.h"

#define NOW 1000000

struct held {
    const char *rollout, *holder; /* NULL: nothing is there */
    uint64_t fence;
    uint32_t left_ms;
};

static struct claim_state state_of(const struct held *lock, const struct held *claim, uint64_t highest, const char *of)
{
    struct claim_state state = {.fence = highest};

    strcpy(state.fence_rollout, of);
    if (lock->rollout != NULL) {
        state.lock = (struct lock){.held = true, .fence = lock->fence, .due_ms = NOW + lock->left_ms};
        strcpy(state.lock.rollout, lock->rollout);
        strcpy(state.lock.holder, lock->holder);
    }
    if (claim->rollout != NULL) {
        state.claim = (struct claim){.held = true, .fence = claim->fence, .due_ms = NOW + claim->left_ms};
        strcpy(state.claim.rollout, claim->rollout);
    }
    return state;
}

static const struct held none = {NULL, NULL, 0, 0}, live = {"a", "x", 5, 100}, over = {"a", "x", 5, 0},
                         claim_live = {"a", "", 5, 100}, claim_over = {"a", "", 5, 0};

static void a_vote_goes_to_another_only_when_it_has_run_out_and_by_a_fence_that_is_not_stale(void **unused)
{
    static const struct {
        const struct held *lock, *claim;
        uint64_t highest;
        const char *of, *rollout, *holder;
        uint64_t fence;
        enum code code;
    } table[] = {
        {&none, &none, 0, "", "a", "x", 1, CODE_JOB_OK},
        {&none, &none, 5, "a", "b", "y", 5, CODE_FENCE_STALE},
        {&none, &none, 5, "a", "b", "y", 6, CODE_JOB_OK},
        {&live, &none, 5, "a", "a", "x", 5, CODE_JOB_OK}, /* renewed */
        {&live, &none, 5, "a", "a", "x", 4, CODE_FENCE_STALE},
        {&live, &none, 5, "a", "b", "y", 6, CODE_CLAIM_HELD},
        {&live, &none, 5, "a", "a", "y", 6, CODE_CLAIM_HELD}, /* the other job of a pipeline */
        {&live, &none, 7, "b", "a", "x", 5, CODE_FENCE_STALE},
        {&over, &none, 5, "a", "a", "x", 5, CODE_JOB_OK},
        {&over, &none, 5, "a", "a", "y", 5, CODE_FENCE_STALE},
        {&over, &none, 5, "a", "a", "y", 6, CODE_JOB_OK},
        {&over, &none, 5, "a", "b", "y", 5, CODE_FENCE_STALE},
        {&over, &none, 5, "a", "b", "y", 6, CODE_JOB_OK},
        {&none, &claim_live, 5, "a", "b", "y", 6, CODE_CLAIM_HELD}, /* it moves the node */
        {&none, &claim_live, 5, "a", "a", "x", 5, CODE_JOB_OK},
        {&none, &claim_over, 5, "a", "b", "y", 6, CODE_JOB_OK},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct claim_state state = state_of(table[i].lock, table[i].claim, table[i].highest, table[i].of);
        struct lock wanted = {.held = true, .fence = table[i].fence};
        enum code code;

        strcpy(wanted.rollout, table[i].rollout);
        strcpy(wanted.holder, table[i].holder);
        code = lock_may_put(&state, &wanted, NOW);
        if (code != table[i].code)
            fail_msg("row %zu: %s instead of %s", i, code_text(code), code_text(table[i].code));
    }
}

static void a_node_is_not_claimed_while_its_vote_is_anothers(void **unused)
{
    struct claim_state living = state_of(&live, &none, 5, "a"), dead = state_of(&over, &none, 5, "a");
    struct claim wanted = {.fence = 6, .rollout = "b"}, own = {.fence = 5, .rollout = "a"};

    (void)unused;
    assert_int_equal(claim_may_put(&living, &wanted, 0, NOW), CODE_CLAIM_HELD);
    assert_int_equal(claim_may_put(&dead, &wanted, 0, NOW), CODE_JOB_OK);
    assert_int_equal(claim_may_put(&living, &own, 0, NOW), CODE_JOB_OK);
}

/* The two come and go apart: what a node's claim says of what was taken out is never lost by a vote. */
static void claim_and_vote_leave_each_other_as_they_are(void **unused)
{
    struct claim_state empty = {0}, claimed, both, dropped;
    struct claim claim = {.held = true, .rollout = "a", .fence = 5, .ttl_s = 60, .took_out = json_pack("[s]", "web1")};
    struct lock lock = {.held = true, .rollout = "a", .holder = "x", .fence = 5, .ttl_s = 60};

    (void)unused;
    claim_put(&empty, &claim, NOW, &claimed);
    lock_put(&claimed, &lock, NOW, &both);
    assert_int_equal(json_array_size(both.claim.took_out), 1);
    assert_int_equal(lock_left_ms(&both.lock, NOW), 60000);
    assert_int_equal(lock_may_drop(&both, &(struct owner){"a", "y", 5}), CODE_FENCE_STALE); /* its other run */
    assert_int_equal(lock_may_drop(&both, &(struct owner){"a", "x", 5}), CODE_JOB_OK);
    claim_state_clear(&claimed);
    claim_put(&both, &claim, NOW + 10, &claimed);
    assert_int_equal(lock_left_ms(&claimed.lock, NOW), 60000);
    lock_drop(&claimed, &dropped);
    assert_false(dropped.lock.held);
    assert_int_equal(dropped.fence, 5);
    assert_int_equal(json_array_size(dropped.claim.took_out), 1);
    claim_state_clear(&claimed);
    claim_state_clear(&both);
    claim_state_clear(&dropped);
    claim_clear(&claim);
}

static void a_vote_comes_back_from_the_disk(void **unused)
{
    static const char *const boots[] = {"00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"};
    char dir[] = "/tmp/lock_test.XXXXXX", path[64];
    struct claim_state empty = {0}, put, back;
    struct lock lock = {.held = true, .rollout = "a/1", .holder = "me@here", .fence = 5, .ttl_s = 60};
    struct err err = {""};

    (void)unused;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/claim.json", dir);
    lock_put(&empty, &lock, claim_store_now_ms(), &put);
    assert_true(claim_store_save(path, boots[0], &put, &err));
    for (size_t i = 0; i < 2; i++) {
        assert_true(claim_store_load(path, boots[i], &back, &err));
        assert_true(lock_same(&back.lock, &lock));
        assert_int_equal(back.fence, 5);
        assert_in_range(lock_left_ms(&back.lock, claim_store_now_ms()), 50000, 60000);
        claim_state_clear(&back);
    }
    claim_state_clear(&put);
    (void)unlink(path);
    (void)rmdir(dir);
}

static void a_body_that_is_not_whole_is_refused(void **unused)
{
    static const char *const bad[] = {
        "{}",
        "{\"rollout\":\"a b\",\"holder\":\"x\",\"fence\":1,\"ttl\":1}",
        "{\"rollout\":\"a\",\"holder\":\"x\",\"fence\":0,\"ttl\":1}",
        "{\"rollout\":\"a\",\"holder\":\"x\",\"fence\":1,\"ttl\":0}",
        "{\"rollout\":\"a\",\"holder\":\"x\\n\",\"fence\":1,\"ttl\":1}",
        "{\"rollout\":\"a\",\"fence\":1,\"ttl\":1}",
    };

    (void)unused;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *body = json_loads(bad[i], 0, NULL);
        struct err err = {""};
        struct lock lock;

        assert_non_null(body);
        if (lock_from_json(body, &lock, &err) || err.text[0] == '\0')
            fail_msg("row %zu", i);
        json_decref(body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vote_goes_to_another_only_when_it_has_run_out_and_by_a_fence_that_is_not_stale),
        cmocka_unit_test(a_node_is_not_claimed_while_its_vote_is_anothers),
        cmocka_unit_test(claim_and_vote_leave_each_other_as_they_are),
        cmocka_unit_test(a_vote_comes_back_from_the_disk),
        cmocka_unit_test(a_body_that_is_not_whole_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
