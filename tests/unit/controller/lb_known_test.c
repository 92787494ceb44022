#include "controller/lb_known.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "small_plan.h"

/* The nodes, one digit each. */
static const char *owners(const struct small_plan *s, uint16_t lb, const char *server)
{
    static char text[8];
    struct lb_known *k = lb_known_new(&s->plan);
    uint32_t next = 0, n = 0;
    int32_t node;

    while ((node = lb_known_next(k, lb, server, &next)) >= 0 && n < sizeof text - 1)
        text[n++] = (char)('0' + node);
    text[n] = '\0';
    lb_known_free(&k);
    return text;
}

static void plan(struct small_plan *s, const char *first, const char *second)
{
    static const int ports[2] = {1, 2};

    small_plan(s, ports, ports);
    s->nodes[0].listens = first;
    s->nodes[1].listens = second;
}

static void an_address_is_known_however_it_is_spelled(void **state)
{
    static const struct {
        const char *server, *owners;
    } rows[] = {
        {"10.0.0.1:80", "0"},           {"10.0.0.1:81", "0"}, {"10.0.0.1:82", ""}, {"[::ffff:10.0.0.1]:81", "0"},
        {"[2001:db8:0::2]:80", "1"},    {"unix:/run/a", "1"}, {"10.0.0.2:80", ""}, {"10.0.0.1", ""},
        {"10.0.0.1:80,10.0.0.1:81", ""}};
    struct small_plan s;

    (void)state;
    plan(&s, "10.0.0.1:80,10.0.0.1:81", "[2001:db8::2]:80,unix:/run/a");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(owners(&s, 0, rows[i].server), rows[i].owners) != 0)
            fail_msg("%s: '%s'", rows[i].server, owners(&s, 0, rows[i].server));
}

/* Several nodes behind one address, and an address of the loopback that is another machine's. */
static void an_address_of_the_loopback_means_the_machine_that_says_it(void **state)
{
    struct small_plan s;

    (void)state;
    plan(&s, "127.0.0.1:80,10.0.0.9:80", "127.0.0.1:80,10.0.0.9:80");
    assert_string_equal(owners(&s, 0, "10.0.0.9:80"), "01");
    assert_string_equal(owners(&s, 0, "127.0.0.1:80"), "01");
    s.nodes[0].address = "10.0.0.1";
    assert_string_equal(owners(&s, 0, "127.0.0.1:80"), "1");
    s.lbs[0].address = "10.0.0.1";
    assert_string_equal(owners(&s, 0, "127.0.0.1:80"), "0");
    assert_string_equal(owners(&s, 1, "127.0.0.1:80"), "1");
}

static void where_nobody_is_known_nobody_is_found(void **state)
{
    struct small_plan s;

    (void)state;
    plan(&s, NULL, "");
    assert_string_equal(owners(&s, 0, "127.0.0.1:80"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_known_however_it_is_spelled),
        cmocka_unit_test(an_address_of_the_loopback_means_the_machine_that_says_it),
        cmocka_unit_test(where_nobody_is_known_nobody_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
