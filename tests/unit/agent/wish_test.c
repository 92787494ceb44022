/* The rules of wishes: which holds, what is forgotten, what a body may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/wish.h"
#include "common/json.h"

#define HOUR_MS (3600 * 1000)

static enum code put(struct wishes *w, const char *rollout, uint64_t id, enum wish_kind kind, uint64_t now_ms)
{
    struct wish wish = {.id = id, .kind = kind, .holder = "ann"};

    (void)snprintf(wish.rollout, sizeof wish.rollout, "%s", rollout);
    return wishes_put(w, &wish, now_ms);
}

static enum code take(struct wishes *w, const char *rollout, uint64_t id, bool effect, const char *taker)
{
    struct wish wish = {.id = id, .effect = effect};

    (void)snprintf(wish.rollout, sizeof wish.rollout, "%s", rollout);
    (void)snprintf(wish.taker, sizeof wish.taker, "%s", taker);
    return wishes_take(w, &wish, 10);
}

static uint64_t id_of(const struct wish *w)
{
    return w == NULL ? 0 : w->id;
}

static void the_newer_wish_of_a_rollout_holds(void **state)
{
    struct wishes w = {0};

    (void)state;
    assert_null(wishes_find(&w, "one", 0));
    assert_null(wishes_latest(&w, 0));
    assert_int_equal(put(&w, "one", 7, WISH_PAUSE, 10), CODE_JOB_OK);
    assert_int_equal(put(&w, "one", 8, WISH_ABORT, 20), CODE_JOB_OK);
    assert_int_equal(put(&w, "two", 3, WISH_PROMOTE, 30), CODE_JOB_OK);
    assert_int_equal(id_of(wishes_find(&w, "one", 40)), 8);
    assert_int_equal(wishes_find(&w, "one", 40)->kind, WISH_ABORT);
    assert_int_equal(id_of(wishes_find(&w, "two", 40)), 3);
    assert_int_equal(id_of(wishes_latest(&w, 40)), 3);
}

/* Of two who wish at the same moment, who wants less to happen is not lost. */
static void who_wants_less_goes_first_until_it_is_heard(void **state)
{
    struct wishes w = {0};

    (void)state;
    assert_int_equal(put(&w, "one", 7, WISH_ABORT, 10), CODE_JOB_OK);
    assert_int_equal(put(&w, "one", 8, WISH_PROMOTE, 20), CODE_WISH_STANDS);
    assert_int_equal(put(&w, "one", 8, WISH_PAUSE, 20), CODE_WISH_STANDS);
    assert_int_equal(put(&w, "one", 9, WISH_ABORT, 30), CODE_JOB_OK);
    assert_int_equal(put(&w, "two", 8, WISH_PAUSE, 30), CODE_JOB_OK);
    assert_int_equal(put(&w, "two", 9, WISH_PROMOTE, 40), CODE_WISH_STANDS);
    assert_int_equal(put(&w, "two", 9, WISH_ABORT, 40), CODE_JOB_OK);
    assert_int_equal(id_of(wishes_find(&w, "one", 50)), 9);
    /* Nobody is at work, and its author has given up. */
    assert_int_equal(put(&w, "one", 10, WISH_PROMOTE, 30 + 9999), CODE_WISH_STANDS);
    assert_int_equal(put(&w, "one", 10, WISH_PROMOTE, 30 + 10000), CODE_JOB_OK);
    /* It was heard, and its author has seen that. */
    assert_int_equal(put(&w, "three", 7, WISH_PAUSE, 0), CODE_JOB_OK);
    assert_int_equal(take(&w, "three", 7, true, "bob"), CODE_JOB_OK); /* at 10 */
    assert_int_equal(put(&w, "three", 8, WISH_PROMOTE, 1009), CODE_WISH_STANDS);
    assert_int_equal(put(&w, "three", 8, WISH_PROMOTE, 1010), CODE_JOB_OK);
}

static void the_same_id_again_changes_nothing(void **state)
{
    struct wishes w = {0};

    (void)state;
    assert_int_equal(put(&w, "one", 7, WISH_PAUSE, 10), CODE_JOB_OK);
    assert_int_equal(take(&w, "one", 7, true, "bob"), CODE_JOB_OK);
    assert_int_equal(put(&w, "one", 7, WISH_PAUSE, 500), CODE_JOB_OK);
    assert_int_equal(wishes_find(&w, "one", 500)->put_ms, 10);
    assert_true(wishes_find(&w, "one", 500)->taken);
    assert_int_equal(put(&w, "one", 7, WISH_ABORT, 500), CODE_BAD_REQUEST);
    assert_int_equal(wishes_find(&w, "one", 500)->kind, WISH_PAUSE);
}

static void the_first_who_takes_it_counts(void **state)
{
    struct wishes w = {0};

    (void)state;
    assert_int_equal(take(&w, "one", 7, true, "bob"), CODE_NOT_FOUND);
    assert_int_equal(put(&w, "one", 7, WISH_PAUSE, 0), CODE_JOB_OK);
    assert_int_equal(take(&w, "one", 8, true, "bob"), CODE_NOT_FOUND);
    assert_int_equal(take(&w, "one", 7, true, "bob"), CODE_JOB_OK);
    assert_int_equal(take(&w, "one", 7, false, "eve"), CODE_JOB_OK);
    assert_true(wishes_find(&w, "one", 10)->effect);
    assert_string_equal(wishes_find(&w, "one", 10)->taker, "bob");
    assert_int_equal(put(&w, "one", 9, WISH_PAUSE, 0), CODE_JOB_OK);
    assert_false(wishes_find(&w, "one", 10)->taken); /* a new one is nobody's yet */
}

static void a_wish_is_forgotten_after_an_hour(void **state)
{
    struct wishes w = {0};

    (void)state;
    assert_int_equal(put(&w, "one", 7, WISH_PAUSE, 1000), CODE_JOB_OK);
    assert_non_null(wishes_find(&w, "one", 1000 + HOUR_MS - 1));
    assert_null(wishes_find(&w, "one", 1000 + HOUR_MS));
    assert_null(wishes_latest(&w, 1000 + HOUR_MS));
}

static void there_is_room_for_a_few_rollouts_and_the_oldest_goes(void **state)
{
    struct wishes w = {0};
    char rollout[8];

    (void)state;
    for (uint64_t i = 0; i < WIRE_WISH_KEPT + 2; i++) {
        (void)snprintf(rollout, sizeof rollout, "r%u", (unsigned)i);
        assert_int_equal(put(&w, rollout, 1, WISH_PAUSE, i), CODE_JOB_OK);
    }
    assert_null(wishes_find(&w, "r0", 20));
    assert_null(wishes_find(&w, "r1", 20));
    for (unsigned i = 2; i < WIRE_WISH_KEPT + 2; i++) {
        (void)snprintf(rollout, sizeof rollout, "r%u", i);
        assert_non_null(wishes_find(&w, rollout, 20));
    }
}

static const struct {
    const char *body, *sentence; /* "" = good */
} bodies[] = {
    {"{\"rollout\":\"one\",\"id\":1,\"wish\":\"pause\",\"holder\":\"ann@ci\"}", ""},
    {"{\"rollout\":\"one\",\"id\":1,\"wish\":\"pause\",\"holder\":\"\",\"more\":[1]}", ""},
    {"{\"rollout\":\"one\",\"id\":9223372036854775807,\"wish\":\"promote\",\"holder\":\"ann\"}", ""},
    {"{\"id\":1,\"wish\":\"pause\",\"holder\":\"ann\"}", "rollout"},
    {"{\"rollout\":\"o ne\",\"id\":1,\"wish\":\"pause\",\"holder\":\"ann\"}", "\"rollout\" is not 1 to"},
    {"{\"rollout\":\"\",\"id\":1,\"wish\":\"pause\",\"holder\":\"ann\"}", "\"rollout\" is not 1 to"},
    {"{\"rollout\":\"one\",\"id\":0,\"wish\":\"pause\",\"holder\":\"ann\"}", "\"id\" is 0"},
    {"{\"rollout\":\"one\",\"id\":-1,\"wish\":\"pause\",\"holder\":\"ann\"}", "id"},
    {"{\"rollout\":\"one\",\"id\":\"1\",\"wish\":\"pause\",\"holder\":\"ann\"}", "id"},
    {"{\"rollout\":\"one\",\"id\":1,\"wish\":\"stop\",\"holder\":\"ann\"}", "none of pause, abort, promote"},
    {"{\"rollout\":\"one\",\"id\":1,\"wish\":null,\"holder\":\"ann\"}", "wish"},
    {"{\"rollout\":\"one\",\"id\":1,\"wish\":\"pause\"}", "holder"},
    {"{\"rollout\":\"one\",\"id\":1,\"wish\":\"pause\",\"holder\":\"a\\nb\"}", "not printable"},
    {"[1]", "rollout"},
};

static void a_body_is_checked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        json_t *body = json_loads(bodies[i].body, 0, NULL);
        struct wish wish;
        struct err err = {""};
        bool good;

        assert_non_null(body);
        good = wish_from_json(body, &wish, &err);
        json_decref(body);
        if (good != (bodies[i].sentence[0] == '\0') || strstr(err.text, bodies[i].sentence) == NULL)
            fail_msg("%s: \"%s\"", bodies[i].body, err.text);
    }
}

static void a_holder_may_not_be_too_long(void **state)
{
    char text[400];
    struct wish wish;
    struct err err = {""};
    json_t *body;

    (void)state;
    (void)snprintf(text, sizeof text, "{\"rollout\":\"one\",\"id\":1,\"wish\":\"pause\",\"holder\":\"%0129d\"}", 0);
    body = json_loads(text, 0, NULL);
    assert_false(wish_from_json(body, &wish, &err));
    assert_string_equal(err.text, "\"holder\" has more than 128 characters");
    json_decref(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newer_wish_of_a_rollout_holds),
        cmocka_unit_test(who_wants_less_goes_first_until_it_is_heard),
        cmocka_unit_test(the_same_id_again_changes_nothing),
        cmocka_unit_test(the_first_who_takes_it_counts),
        cmocka_unit_test(a_wish_is_forgotten_after_an_hour),
        cmocka_unit_test(there_is_room_for_a_few_rollouts_and_the_oldest_goes),
        cmocka_unit_test(a_body_is_checked),
        cmocka_unit_test(a_holder_may_not_be_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
