/* What the journal keeps of hosts file and options, and that it comes back as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/given.h"
#include "controller/pattern.h"

static const char HOSTS[] = "[lb]\n"
                            "lb[1:2] rollout_api=https://{host}:8443/api rollout_lb_auth_file=secrets/lb\n"
                            "[web]\n"
                            "web1 ansible_host=10.0.0.1 ansible_password=hunter2 rollout_zone=a\n"
                            "web2 rollout_peer=10.9.0.1:80,10.9.0.2:80 rollout_cert='/etc/it is'\n"
                            "web3\n"
                            "[all:vars]\n"
                            "rollout_service=app\n"
                            "rollout_batch=1,5,20%\n"
                            "db_password=hunter3\n";

static struct fleet *parsed(const char *path, const char *text)
{
    struct err err = {""};
    struct fleet *f = NULL;

    if (!fleet_parse(path, text, strlen(text), &f, &err))
        fail_msg("%s", err.text);
    return f;
}

/* Who was limited out is there, since it has a vote, but is not rolled. */
static void assert_who_is_rolled(const struct fleet *f, const char *limit, const char *names)
{
    char *pattern = given_limit(f, limit), text[256] = "";
    struct err err = {""};
    uint32_t *nodes;
    size_t n;

    if (!pattern_match(f, pattern, &nodes, &n, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < n; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s ", f->hosts[nodes[i]].name);
    assert_string_equal(text, names);
    free(nodes);
    free(pattern);
}

/* Every host that was asked for, with all that our keys set for it; no word of anybody else's. */
static void a_hosts_file_comes_back_with_our_keys_alone(void **state)
{
    struct fleet *before = parsed("conf/fleet.ini", HOSTS), *after;
    const uint32_t nodes[] = {(uint32_t)fleet_find_host(before, "web3"), (uint32_t)fleet_find_host(before, "web2")};
    char *text = given_hosts(before, nodes, 2, "/srv/ci");

    (void)state;
    assert_null(strstr(text, "hunter"));
    after = parsed("the journal's", text);
    assert_int_equal(after->n_hosts, 5);
    assert_int_equal(after->n_lbs, 2);
    assert_who_is_rolled(after, NULL, "web3 web2 ");
    assert_who_is_rolled(after, "web2", "web2 ");
    assert_who_is_rolled(after, "web1,web3", "web3 ");
    assert_who_is_rolled(after, "web1:web3", "web3 ");
    for (uint32_t i = 0; i < after->n_hosts; i++) {
        const struct fleet_host *a = &after->hosts[i], *b = &before->hosts[fleet_find_host(before, a->name)];

        assert_string_equal(a->address, b->address);
        assert_true((a->api_url == NULL) == (b->api_url == NULL));
        assert_string_equal(a->api_url != NULL ? a->api_url : a->agent_url,
                            b->api_url != NULL ? b->api_url : b->agent_url);
        assert_string_equal(a->zone, b->zone);
        assert_string_equal(a->peer != NULL ? a->peer : "", b->peer != NULL ? b->peer : "");
        assert_string_equal(fleet_text(after, i, OPT_batch), "1,5,20%");
        assert_string_equal(fleet_text(after, i, OPT_service), "app");
    }
    assert_string_equal(fleet_text(after, (uint32_t)fleet_find_host(after, "lb1"), OPT_lb_auth_file),
                        "/srv/ci/conf/secrets/lb");
    assert_string_equal(fleet_text(after, (uint32_t)fleet_find_host(after, "web2"), OPT_cert), "/etc/it is");
    free(text);
    fleet_free(&before);
    fleet_free(&after);
}

static void parse(struct options *o, char **argv, int argc)
{
    char *env[] = {"HOME=/home/ann", "ROLLOUT_DRAIN_TIMEOUT=1m30s", NULL};
    struct err err = {""};

    if (!options_parse(argc, argv, env, o, &err))
        fail_msg("%s", err.text);
}

/* Each type of option, by flag or environment; what is given now is not overridden. */
static void options_come_back_where_nothing_is_said_now(void **state)
{
    char *first[] = {"rollout",
                     "--hosts",
                     "fleet.ini",
                     "--rollout-id",
                     "r1",
                     "--batch",
                     "1,5,20%",
                     "--max-unavailable",
                     "10%",
                     "--release",
                     "app-2",
                     "--version",
                     "2 \"b\"",
                     "--lb",
                     "http://lb1:80/api",
                     "--lb",
                     "http://lb2:80/api",
                     "--on-drain-timeout",
                     "proceed",
                     "--success-threshold",
                     "7",
                     "--limit",
                     "web",
                     "--bake-max-5xx",
                     "0.25%",
                     NULL};
    char *second[] = {"rollout", "resume", "r1", "--success-threshold", "2", NULL};
    struct options o, again;
    struct err err = {""};
    char *given;

    (void)state;
    parse(&o, first, 25);
    given = given_options(&o, "/srv/ci");
    assert_null(strstr(given, "rollout-id"));
    for (int hosts = 0; hosts < 2; hosts++) {
        char *env[] = {"HOME=/home/ann", NULL};
        char *argv[] = {second[0], second[1], second[2], second[3], second[4], NULL};

        assert_true(options_parse(5, argv, env, &again, &err));
        assert_string_equal(again.rollout_id, "r1");
        assert_null(again.hosts);
        if (!given_options_again(&again, given, hosts == 1, &err))
            fail_msg("%s", err.text);
        assert_int_equal(again.success_threshold, 2);
        assert_int_equal(again.drain_timeout_ms, 90000);
        assert_int_equal(again.on_drain_timeout, ON_DRAIN_TIMEOUT_PROCEED);
        assert_int_equal(again.batch.count, 3);
        assert_int_equal(again.batch.items[1].value, 5);
        assert_true(again.batch.items[2].percent && again.max_unavailable.percent);
        assert_int_equal(again.max_unavailable.value, 10);
        assert_int_equal(again.bake_max_5xx_bp, 25);
        assert_string_equal(again.release, "/srv/ci/app-2");
        assert_string_equal(again.version, "2 \"b\"");
        assert_int_equal(again.lb.count, 2);
        assert_string_equal(again.lb.items[1], "http://lb2:80/api");
        assert_string_equal(again.hosts, "/srv/ci/fleet.ini");
        assert_true(hosts == 1 ? strcmp(again.limit, "web") == 0 : again.limit == NULL);
        assert_int_equal(again.source[OPT_batch], SOURCE_ENV);
        assert_int_equal(again.source[OPT_min_healthy_time], SOURCE_DEFAULT);
        options_free(&again);
    }
    free(given);
    options_free(&o);
}

/* Another version's journal, or a damaged one. */
static void what_makes_no_sense_is_refused_with_its_name(void **state)
{
    struct err err = {""};
    struct options o;
    char *argv[] = {"rollout", "resume", "r1", NULL};

    (void)state;
    parse(&o, argv, 3);
    assert_false(given_options_again(&o, "{\"batch\":\"none\"}", false, &err));
    assert_non_null(strstr(err.text, "the journal's --batch"));
    assert_false(given_options_again(&o, "{", false, &err));
    assert_true(given_options_again(&o, "{\"of-the-future\":\"1\"}", false, &err));
    options_free(&o);
}

/* A path is bytes, the journal text. */
static void a_path_that_is_no_text_ends_nothing(void **state)
{
    char *argv[] = {"rollout", "--hosts", "fl\xff.ini", "--release", "app-2", "--junit", "r\xff.xml", NULL};
    struct options o;
    char *given;

    (void)state;
    parse(&o, argv, 7);
    given = given_options(&o, "/srv/\xfe");
    assert_non_null(strstr(given, "\"release\":\"/srv/?/app-2\""));
    assert_non_null(strstr(given, "r?.xml"));
    free(given);
    options_free(&o);
}

/* The flag's word behind the index that a program has. */
static void words_have_their_index(void **state)
{
    const struct option_row *row = &option_rows[OPT_on_drain_timeout];
    union option_value v;
    struct err err = {""};

    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        char *word = option_word(row, i);

        assert_true(option_read(row, word, &v, &err));
        assert_int_equal(v.number, i);
        free(word);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hosts_file_comes_back_with_our_keys_alone),
        cmocka_unit_test(options_come_back_where_nothing_is_said_now),
        cmocka_unit_test(what_makes_no_sense_is_refused_with_its_name),
        cmocka_unit_test(a_path_that_is_no_text_ends_nothing),
        cmocka_unit_test(words_have_their_index),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
