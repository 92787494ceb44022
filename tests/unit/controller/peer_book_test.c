/* peer_book_test.c - whose peer is it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/peer_book.h"

/* lb1 is far away, lb2 stands on the machine of node a, lb3 and node c on ours. Node b's peers are named. */
#define HOSTS                                                                                                          \
    "lb1 rollout_api=http://10.0.0.9:8080/api\n"                                                                       \
    "lb2 rollout_api=http://10.0.0.1:8080/api\n"                                                                       \
    "lb3 rollout_api=http://127.0.0.1:8080/api\n"                                                                      \
    "a ansible_host=10.0.0.1\n"                                                                                        \
    "b ansible_host=10.0.0.2 rollout_peer=192.0.2.7:80,127.0.0.1:81,192.0.2.7:8080\n"                                  \
    "c ansible_host=127.0.0.1\n"

struct scene {
    struct fleet *fleet;
    struct survey survey;
    struct survey_lb lbs[3];
    struct survey_node nodes[3];
    struct peer_book *book;
};

static int set_up(void **state)
{
    static const char *wildcard_a[] = {"127.0.0.1:80", "10.0.0.1:80", "[::1]:80"};
    static const char *wildcard_c[] = {"127.0.0.1:80", "10.0.0.3:80"};
    static const char *const lbs[] = {"lb1", "lb2", "lb3"}, *const nodes[] = {"a", "b", "c"};
    struct scene *s = calloc(1, sizeof *s);
    struct err err = {""};

    assert_non_null(s);
    if (!fleet_parse("fleet.ini", HOSTS, strlen(HOSTS), &s->fleet, &err))
        fail_msg("%s", err.text);
    for (int i = 0; i < 3; i++) {
        s->lbs[i].host = (uint32_t)fleet_find_host(s->fleet, lbs[i]);
        s->nodes[i].host = (uint32_t)fleet_find_host(s->fleet, nodes[i]);
    }
    s->nodes[0].status.listening = wildcard_a;
    s->nodes[0].status.n_listening = 3;
    s->nodes[2].status.listening = wildcard_c;
    s->nodes[2].status.n_listening = 2;
    s->survey = (struct survey){.n_lbs = 3, .n_nodes = 3, .lbs = s->lbs, .nodes = s->nodes};
    s->book = peer_book_new(s->fleet, &s->survey);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;

    peer_book_free(&s->book);
    fleet_free(&s->fleet);
    free(s);
    return 0;
}

static const struct {
    uint32_t lb;
    const char *server, *name;
    int32_t node;
} rows[] = {
    {0, "10.0.0.1:80", "10.0.0.1:80", 0},
    {0, "[::ffff:10.0.0.1]:80", "a.example:80", 0}, /* however it is spelled */
    {0, "10.0.0.1:81", "10.0.0.1:81", -1},
    {0, "127.0.0.1:80", "127.0.0.1:80", -1}, /* lb1's own, whoever listens on a wildcard */
    {1, "127.0.0.1:80", "127.0.0.1:80", 0},  /* lb2 and a are one machine */
    {1, "[::1]:80", "[::1]:80", 0},
    {2, "127.0.0.1:80", "127.0.0.1:80", 2}, /* lb3 and c are ours */
    {0, "192.0.2.7:80", "192.0.2.7:80", 1}, /* named */
    {0, "127.0.0.1:81", "127.0.0.1:81", 1},
    {0, "10.0.0.2:80", "10.0.0.2:80", -1}, /* and only what is named */
    {0, "10.9.9.9:80", "10.0.0.3:80", 2},  /* as nginx is configured */
    {0, "unix:/run/x", "unix:/run/x", -1},
};

static void a_peer_is_the_node_that_listens_there_and_loopback_means_the_same_machine(void **state)
{
    struct scene *s = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint16_t twice;
        int32_t node = peer_book_owner(s->book, rows[i].lb, rows[i].server, rows[i].name, &twice);

        if (node != rows[i].node || twice != UINT16_MAX)
            fail_msg("row %zu: %s at lb%u is node %d, twice %u", i, rows[i].server, rows[i].lb + 1, node, twice);
    }
}

static void a_named_peer_that_nobody_has_is_told(void **state)
{
    struct scene *s = *state;
    uint16_t twice;
    char *unmet = peer_book_unmet(s->book, 1);

    assert_string_equal(unmet, "192.0.2.7:80");
    free(unmet);
    assert_int_equal(peer_book_owner(s->book, 0, "192.0.2.7:80", "", &twice), 1);
    assert_int_equal(peer_book_owner(s->book, 0, "127.0.0.1:81", "", &twice), 1);
    unmet = peer_book_unmet(s->book, 1);
    assert_string_equal(unmet, "192.0.2.7:8080");
    free(unmet);
    assert_null(peer_book_unmet(s->book, 0)); /* names none */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_peer_is_the_node_that_listens_there_and_loopback_means_the_same_machine,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_named_peer_that_nobody_has_is_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
