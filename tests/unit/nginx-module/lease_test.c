/* lease_test.c - the rule of lease and fence, with the clock in hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "deploy/nginx-module/lease.h"

static enum lease_verdict ask_as(struct lease *lease, const char *holder, uint64_t fence, const char *id,
                                 uint32_t ttl_s, uint64_t now_ms)
{
    struct lease_ask a = {.fence = fence, .ttl_s = ttl_s};
    enum lease_verdict verdict;

    assert_true(lease_read_id(&a, id, strlen(id)));
    assert_true(lease_read_holder(&a, holder, strlen(holder)));
    verdict = lease_judge(lease, &a, now_ms);
    if (verdict == LEASE_GRANTED)
        lease_store(lease, &a, now_ms);
    return verdict;
}

static enum lease_verdict ask(struct lease *lease, uint64_t fence, const char *id, uint32_t ttl_s, uint64_t now_ms)
{
    return ask_as(lease, "ann", fence, id, ttl_s, now_ms);
}

static void another_waits_until_the_time_has_run_out_to_the_millisecond(void **state)
{
    struct lease lease = {0};

    (void)state;
    assert_int_equal(ask(&lease, 1, "a", 10, 1000), LEASE_GRANTED);
    assert_int_equal(lease_left_s(&lease, 1000), 10);
    assert_int_equal(lease_left_s(&lease, 1001), 10);
    assert_int_equal(lease_left_s(&lease, 10999), 1);
    assert_int_equal(ask(&lease, 2, "b", 10, 10999), LEASE_HELD);
    assert_int_equal(lease_left_s(&lease, 11000), 0);
    assert_int_equal(ask(&lease, 2, "b", 10, 11000), LEASE_GRANTED);
    assert_string_equal(lease.id, "b");
}

static void a_fence_never_falls_and_belongs_to_one_id(void **state)
{
    struct lease lease = {0};

    (void)state;
    assert_int_equal(ask(&lease, 5, "a", 0, 1), LEASE_GRANTED);
    assert_int_equal(ask(&lease, 5, "b", 9, 1), LEASE_STALE);
    assert_int_equal(ask(&lease, 4, "a", 9, 1), LEASE_STALE);
    assert_int_equal(ask(&lease, 5, "a", 9, 1), LEASE_GRANTED);
    assert_int_equal(ask(&lease, 9, "a", 9, 2), LEASE_GRANTED);
    assert_int_equal(ask(&lease, 8, "a", 0, 2), LEASE_STALE);
    assert_int_equal(lease.fence, 9);
    assert_int_equal(lease_left_s(&lease, 2), 9);
}

/* Two jobs of a pipeline with its id, at the same moment: both have seen the same fences. */
static void one_id_at_two_holders_is_two(void **state)
{
    struct lease lease = {0};

    (void)state;
    assert_int_equal(ask_as(&lease, "job 1", 5, "ci", 10, 0), LEASE_GRANTED);
    assert_int_equal(ask_as(&lease, "job 2", 5, "ci", 10, 1), LEASE_HELD);
    assert_int_equal(ask_as(&lease, "job 2", 6, "ci", 10, 1), LEASE_HELD);
    assert_int_equal(ask_as(&lease, "job 1", 5, "ci", 10, 2), LEASE_GRANTED);
    assert_int_equal(ask_as(&lease, "job 2", 5, "ci", 10, 20000), LEASE_STALE);
    assert_int_equal(ask_as(&lease, "job 2", 6, "ci", 10, 20000), LEASE_GRANTED);
    assert_int_equal(ask_as(&lease, "job 1", 5, "ci", 10, 20001), LEASE_HELD);
}

static void given_back_is_free_at_once(void **state)
{
    struct lease lease = {0};

    (void)state;
    assert_int_equal(ask(&lease, 1, "a", 3600, 5), LEASE_GRANTED);
    assert_int_equal(ask(&lease, 1, "a", 0, 6), LEASE_GRANTED);
    assert_int_equal(ask(&lease, 2, "b", 1, 6), LEASE_GRANTED);
}

static void texts_are_read_strictly(void **state)
{
    static const struct {
        bool (*read)(struct lease_ask *a, const char *text, size_t size);
        const char *text;
        bool good;
    } rows[] = {
        {lease_read_fence, "1", true},
        {lease_read_fence, "007", true},
        {lease_read_fence, "9223372036854775807", true},
        {lease_read_fence, "9223372036854775808", false},
        {lease_read_fence, "99999999999999999999999", false},
        {lease_read_fence, "0", false},
        {lease_read_fence, "", false},
        {lease_read_fence, "+1", false},
        {lease_read_fence, "1 ", false},
        {lease_read_ttl, "0", true},
        {lease_read_ttl, "3600", true},
        {lease_read_ttl, "3601", false},
        {lease_read_ttl, "18446744073709551617", false},
        {lease_read_id, "A-z.0_9/x", true},
        {lease_read_id, "", false},
        {lease_read_id, "a b", false},
        {lease_read_id, "a\"", false},
        {lease_read_holder, "", true},
        {lease_read_holder, "amy \"ci\" ~", true},
        {lease_read_holder, "tab\t", false},
        {lease_read_holder, "\x7f", false},
        {lease_read_holder, "\xc3\xa9", false},
    };
    char text[LEASE_ID_MAX + 1];
    struct lease_ask a;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].read(&a, rows[i].text, strlen(rows[i].text)) != rows[i].good)
            fail_msg("%zu: %s", i, rows[i].text);
    memset(text, 'a', sizeof text);
    assert_true(lease_read_id(&a, text, LEASE_ID_MAX));
    assert_false(lease_read_id(&a, text, LEASE_ID_MAX + 1));
    assert_true(lease_read_holder(&a, text, LEASE_HOLDER_MAX));
    assert_false(lease_read_holder(&a, text, LEASE_HOLDER_MAX + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_waits_until_the_time_has_run_out_to_the_millisecond),
        cmocka_unit_test(a_fence_never_falls_and_belongs_to_one_id),
        cmocka_unit_test(one_id_at_two_holders_is_two),
        cmocka_unit_test(given_back_is_free_at_once),
        cmocka_unit_test(texts_are_read_strictly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
