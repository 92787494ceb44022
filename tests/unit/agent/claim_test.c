#include "agent/claim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/claim_store.h"
#include "common/json.h"

#define NOW 1000000

/* A state: the claim there (fence 0: none; left 0: run out), and the highest fence and whose it is. */
struct there {
    const char *rollout;
    uint64_t fence;
    uint32_t left_ms;
    uint64_t highest;
    const char *highest_of;
};

static struct claim_state state_of(const struct there *there)
{
    struct claim_state state = {.fence = there->highest};

    strcpy(state.fence_rollout, there->highest_of);
    if (there->fence > 0) {
        state.claim = (struct claim){.held = true, .fence = there->fence, .due_ms = NOW + there->left_ms};
        strcpy(state.claim.rollout, there->rollout);
    }
    return state;
}

static void a_claim_is_put_only_over_the_one_that_was_seen_and_by_a_fence_that_is_not_stale(void **unused)
{
    static const struct there none = {"", 0, 0, 0, ""}, live = {"a", 5, 100, 5, "a"}, over = {"a", 5, 0, 5, "a"},
                              gone = {"", 0, 0, 5, "a"};
    static const struct {
        const struct there *there;
        const char *rollout;
        uint64_t fence, expect;
        enum code code;
    } table[] = {
        {&none, "a", 1, 0, CODE_JOB_OK},        {&none, "a", 1, 1, CODE_CLAIM_CHANGED},
        {&live, "a", 5, 5, CODE_JOB_OK}, /* renewed */
        {&live, "a", 6, 5, CODE_JOB_OK}, /* resumed from another machine */
        {&live, "a", 6, 0, CODE_CLAIM_CHANGED}, {&live, "a", 4, 5, CODE_FENCE_STALE},
        {&live, "b", 6, 5, CODE_CLAIM_HELD},    {&live, "b", 4, 5, CODE_CLAIM_HELD},
        {&over, "b", 6, 5, CODE_JOB_OK}, /* taken over */
        {&over, "b", 5, 5, CODE_FENCE_STALE},   {&over, "b", 4, 5, CODE_FENCE_STALE},
        {&over, "b", 6, 0, CODE_CLAIM_CHANGED}, {&over, "a", 5, 5, CODE_JOB_OK},
        {&gone, "b", 5, 0, CODE_FENCE_STALE},   {&gone, "a", 4, 0, CODE_FENCE_STALE},
        {&gone, "a", 5, 0, CODE_JOB_OK},        {&gone, "b", 6, 0, CODE_JOB_OK},
        {&gone, "b", 6, 5, CODE_CLAIM_CHANGED},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct claim_state state = state_of(table[i].there);
        struct claim wanted = {.fence = table[i].fence};
        strcpy(wanted.rollout, table[i].rollout);
        enum code code = claim_may_put(&state, &wanted, table[i].expect, NOW);
        if (code != table[i].code)
            fail_msg("row %zu: %s instead of %s", i, code_text(code), code_text(table[i].code));
    }
}

/* Two runs of one rollout that found the same fence, since whatever knew of a higher one has lost its state. */
static void of_two_runs_with_the_same_fence_one_has_the_claim(void **unused)
{
    static const struct there live = {"a", 5, 100, 5, "a"}, over = {"a", 5, 0, 5, "a"};
    struct claim_state state = state_of(&live), late = state_of(&over);
    struct claim first = {.fence = 5, .rollout = "a", .holder = "ann"},
                 second = {.fence = 5, .rollout = "a", .holder = "bob"},
                 later = {.fence = 6, .rollout = "a", .holder = "bob"};

    (void)unused;
    strcpy(state.claim.holder, "ann");
    strcpy(late.claim.holder, "ann");
    assert_int_equal(claim_may_put(&state, &first, 5, NOW), CODE_JOB_OK);
    assert_int_equal(claim_may_put(&state, &second, 5, NOW), CODE_CLAIM_HELD);
    assert_int_equal(claim_may_put(&late, &second, 5, NOW), CODE_FENCE_STALE);
    assert_int_equal(claim_may_put(&late, &later, 5, NOW), CODE_JOB_OK); /* a resume */
    assert_int_equal(claim_may_drop(&state, &(struct owner){"a", "ann", 5}), CODE_JOB_OK);
    assert_int_equal(claim_may_drop(&state, &(struct owner){"a", "bob", 5}), CODE_FENCE_STALE);
}

static void only_the_holder_with_the_very_fence_may_work_or_drop(void **unused)
{
    static const struct there none = {"", 0, 0, 5, "a"}, live = {"a", 5, 100, 5, "a"}, over = {"a", 5, 0, 5, "a"};
    static const struct {
        const struct there *there;
        const char *rollout;
        uint64_t fence;
        enum code work, drop;
    } table[] = {
        {&none, "a", 5, CODE_NO_CLAIM, CODE_JOB_OK},         {&live, "a", 5, CODE_JOB_OK, CODE_JOB_OK},
        {&live, "a", 4, CODE_FENCE_STALE, CODE_FENCE_STALE}, {&live, "a", 6, CODE_FENCE_STALE, CODE_FENCE_STALE},
        {&live, "b", 5, CODE_FENCE_STALE, CODE_FENCE_STALE}, {&over, "a", 5, CODE_NO_CLAIM, CODE_JOB_OK},
        {&over, "b", 6, CODE_NO_CLAIM, CODE_FENCE_STALE},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct claim_state state = state_of(table[i].there);
        if (claim_may_work(&state, table[i].rollout, table[i].fence, NOW) != table[i].work ||
            claim_may_drop(&state, &(struct owner){table[i].rollout, NULL, table[i].fence}) != table[i].drop)
            fail_msg("row %zu", i);
    }
}

static json_t *body(const char *format, ...)
{
    struct err err = {""};
    char text[2048];
    va_list args;
    json_t *json;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json = json_read(text, strlen(text), &err);
    if (json == NULL)
        fail_msg("%s", err.text);
    return json;
}

#define GOOD                                                                                                           \
    "{\"rollout\":\"r/1\",\"fence\":7,\"expect\":3,\"ttl\":60,\"holder\":\"me@here\","                                 \
    "\"target\":{\"sha256\":null,\"version\":\"2\"},\"took_out\":[{\"lb\":\"lb1\",\"upstream\":\"u\","                 \
    "\"server\":\"1.2.3.4:80\",\"prior\":{\"down\":false,\"drain\":true},\"later\":1}],\"before\":null}"

static void a_claim_that_is_not_whole_is_refused_and_the_member_is_named(void **unused)
{
    static const struct {
        const char *member, *value, *why;
    } table[] = {
        {"rollout", NULL, "\"rollout\" is missing"},
        {"rollout", "\"a b\"", "\"rollout\""},
        {"rollout", "\"\"", "\"rollout\""},
        {"fence", "0", "\"fence\""},
        {"fence", "-1", "\"fence\""},
        {"fence", "\"7\"", "\"fence\""},
        {"expect", NULL, "\"expect\""},
        {"ttl", "0", "\"ttl\""},
        {"ttl", "9999999", "\"ttl\""},
        {"holder", "\"a\\nb\"", "\"holder\""},
        {"target", "{\"sha256\":\"abc\"}", "target.sha256"},
        {"target", "{\"sha256\":5}", "target.sha256"},
        {"target", "{\"version\":[]}", "target.version"},
        {"target", "5", "\"target\""},
        {"before", "{\"pid\":0}", "\"before\""},
        {"before", "[]", "\"before\""},
        /* what was kept within deeper JSON could not be read back */
        {"took_out",
         "[{\"lb\":\"l\",\"upstream\":\"u\",\"server\":\"s\",\"prior\":{\"down\":false,\"drain\":false},"
         "\"later\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}]",
         "\"took_out\""},
        {"took_out", NULL, "\"took_out\""},
        {"took_out", "[{}]", "\"took_out\"[0]"},
        {"took_out", "[{\"lb\":\"l\",\"upstream\":\"u\",\"server\":\"s\"}]", "\"prior\""},
        {"took_out", "[{\"lb\":\"l\",\"upstream\":\"u\",\"server\":\"s\",\"prior\":{\"down\":1}}]", "\"down\""},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        json_t *json = body(GOOD), *value;
        struct err err = {""};
        struct claim claim;
        uint64_t expect;

        json_object_del(json, table[i].member);
        if (table[i].value != NULL) {
            value = json_loads(table[i].value, JSON_DECODE_ANY, NULL);
            json_object_set_new(json, table[i].member, value);
        }
        if (claim_from_json(json, &claim, &expect, &err) || strstr(err.text, table[i].why) == NULL)
            fail_msg("row %zu: %s", i, err.text);
        json_decref(json);
    }
}

static void what_was_put_comes_back_from_the_disk_also_what_we_do_not_know(void **unused)
{
    static const char boot[] = "00000000-0000-0000-0000-000000000001", later[] = "00000000-0000-0000-0000-000000000002";
    char dir[] = "/tmp/claim_test.XXXXXX", path[64];
    struct claim_state empty = {0}, put, back;
    struct err err = {""};
    struct claim claim;
    uint64_t expect;
    json_t *json = body(GOOD), *took_out;

    (void)unused;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/claim.json", dir);
    assert_true(claim_store_load(path, boot, &back, &err)); /* no file: nothing was ever claimed */
    assert_int_equal(back.fence, 0);
    assert_true(claim_from_json(json, &claim, &expect, &err));
    assert_int_equal(expect, 3);
    claim_put(&empty, &claim, claim_store_now_ms(), &put);
    claim_clear(&claim);
    assert_true(claim_store_save(path, boot, &put, &err));

    const char *boots[] = {boot, later};
    for (int i = 0; i < 2; i++) { /* the time to live goes on over a reboot */
        assert_true(claim_store_load(path, boots[i], &back, &err));
        assert_string_equal(back.claim.rollout, "r/1");
        assert_string_equal(back.fence_rollout, "r/1");
        assert_int_equal(back.fence, 7);
        assert_string_equal(back.claim.target_version, "2");
        assert_in_range(claim_left_ms(&back.claim, claim_store_now_ms()), 50000, 60000);
        took_out = claim_to_json(&back.claim, claim_store_now_ms());
        assert_true(json_equal(json_object_get(took_out, "took_out"), json_object_get(json, "took_out")));
        json_decref(took_out);
        claim_state_clear(&back);
    }
    claim_clear(&put.claim); /* dropped: the fence stays */
    assert_true(claim_store_save(path, boot, &put, &err));
    assert_true(claim_store_load(path, boot, &back, &err));
    assert_false(back.claim.held);
    assert_int_equal(back.fence, 7);

    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs("{\"fence\":", file);
    (void)fclose(file);
    assert_false(claim_store_load(path, boot, &back, &err)); /* never "no claim" */
    assert_non_null(strstr(err.text, path));
    (void)unlink(path);
    (void)rmdir(dir);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_claim_is_put_only_over_the_one_that_was_seen_and_by_a_fence_that_is_not_stale),
        cmocka_unit_test(of_two_runs_with_the_same_fence_one_has_the_claim),
        cmocka_unit_test(only_the_holder_with_the_very_fence_may_work_or_drop),
        cmocka_unit_test(a_claim_that_is_not_whole_is_refused_and_the_member_is_named),
        cmocka_unit_test(what_was_put_comes_back_from_the_disk_also_what_we_do_not_know),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
