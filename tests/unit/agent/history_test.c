/* Which release was before the one that runs: what jobs brought, told as rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/job.h"

static void hex_of(char release, char hex[SHA256_DIGITS + 1])
{
    uint8_t sha256[SHA256_BYTES] = {(uint8_t)release};

    sha256_hex(sha256, hex);
}

/* "AB>" an upgrade from A to B, "BA<" a rollback, "AA=" a restart. */
static void tell(struct history *h, const char *story)
{
    for (; *story != '\0'; story += 3) {
        struct job job = {.action = story[2] == '>' ? JOB_UPGRADE : story[2] == '<' ? JOB_ROLLBACK : JOB_RESTART};

        job.before.pid = 1;
        job.after.pid = 2;
        job.before.sha256[0] = (uint8_t)story[0];
        job.after.sha256[0] = (uint8_t)story[1];
        history_note(h, &job);
    }
}

static char before(const struct history *h, char runs)
{
    char hex[SHA256_DIGITS + 1];
    uint8_t sha256[SHA256_BYTES];
    const char *found;

    hex_of(runs, hex);
    found = history_before(h, hex);
    return found != NULL && sha256_parse(found, sha256) ? (char)sha256[0] : '-';
}

static const struct {
    const char *story;
    char runs, before;
} rows[] = {
    {"", 'A', '-'},             /* nothing was brought by a job */
    {"AA=", 'A', '-'},          /* a restart brings nothing */
    {"AB>", 'B', 'A'},          /* the common case */
    {"AB>BB=BB=", 'B', 'A'},    /* and restarts since */
    {"AB>BC>", 'C', 'B'},       /* the last of several */
    {"AB>BC>CB<", 'B', 'A'},    /* taken back: C is nowhere to go back to, A is */
    {"AB>BC>CB<BA<", 'A', '-'}, /* and once more: the end */
    {"AB>BA<", 'A', '-'},       /* the first one that is known */
    {"AB>BA<AC>", 'C', 'A'},    /* and on from there */
    {"AB>BA>", 'A', 'B'},       /* A brought by an upload is an upgrade like any other */
    {"AB>XC>", 'C', 'X'},       /* X came by hand; the job that replaced it kept it */
    {"AB>", 'X', '-'},          /* X came by hand and runs: nobody knows what was before it */
    {"AB>BC>", 'B', 'A'},       /* B came back by hand: its own before counts */
    {"AB>BX<", 'X', '-'},       /* a rollback to one that never ran here */
    {"AB>BX<XB>", 'B', 'X'},
};

static void what_was_before_is_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct history h = {.count = 0};

        tell(&h, rows[i].story);
        if (before(&h, rows[i].runs) != rows[i].before)
            fail_msg("%s, %c runs: before was %c, not %c", rows[i].story, rows[i].runs, rows[i].before,
                     before(&h, rows[i].runs));
    }
}

static void only_the_latest_are_kept(void **state)
{
    struct history h = {.count = 0};
    char story[4] = "  >";

    (void)state;
    for (int i = 0; i < 100; i++) {
        story[0] = (char)(1 + i);
        story[1] = (char)(2 + i);
        tell(&h, story);
    }
    assert_int_equal(h.count, HISTORY_KEPT);
    assert_int_equal(before(&h, 101), 100);
    assert_int_equal(before(&h, 101 - HISTORY_KEPT + 2), 101 - HISTORY_KEPT + 1);
    assert_int_equal(before(&h, 101 - HISTORY_KEPT + 1), '-');
}

static void it_comes_back_from_json(void **state)
{
    struct history h = {.count = 0}, back = {.count = 3};
    json_t *list;

    (void)state;
    tell(&h, "AB>BC>");
    list = history_to_json(&h);
    assert_true(history_from_json(list, &back));
    assert_int_equal(back.count, 3);
    assert_int_equal(before(&back, 'C'), 'B');
    (void)json_array_append_new(list, json_string("no digest"));
    assert_false(history_from_json(list, &back));
    json_decref(list);
    assert_false(history_from_json(json_null(), &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_before_is_known),
        cmocka_unit_test(only_the_latest_are_kept),
        cmocka_unit_test(it_comes_back_from_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
