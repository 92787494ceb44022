#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/lb_api.h"
#include "controller/lb_list.h"
#include "controller/lb_view.h"
#include "small_plan.h"

static struct small_plan sp;

static int make_plan(void **state)
{
    const int ports[2] = {8081, 8082};

    (void)state;
    small_plan(&sp, ports, ports);
    return 0;
}

static bool fill(struct lb_view *v, uint16_t lb, const char *list, struct err *err)
{
    return lb_view_fill(v, lb, list, strlen(list), err);
}

#define PEER(id, server, state, active)                                                                                \
    "{\"id\":" #id ",\"server\":\"" server "\",\"name\":\"n\",\"backup\":false,\"weight\":1,\"state\":\"" state        \
    "\",\"active\":" #active ",\"requests\":5,\"responses\":{\"2xx\":5,\"codes\":{\"200\":5}}}"

/* ---- requests */
static void urls_name_version_upstream_and_id(void **state)
{
    (void)state;
    char *url = lb_api_url_server("https://lb1:8443/api", 9, "a b/c\xc3\xa4", 12);
    assert_string_equal(url, "https://lb1:8443/api/9/http/upstreams/a%20b%2Fc%C3%A4/servers/12");
    free(url);
    url = lb_api_url_upstreams("http://h/api", 6);
    assert_string_equal(url, "http://h/api/6/http/upstreams/");
    free(url);
    url = lb_api_url_versions("http://h/api");
    assert_string_equal(url, "http://h/api/");
    free(url);
}

static void lease_headers_carry_the_rollout_and_no_line_ends(void **state)
{
    struct lb_lease_headers h;

    (void)state;
    sp.plan.holder = "ann\r\nX-Evil: 1";
    lb_api_lease_headers(&h, &sp.plan, 30500);
    assert_string_equal(h.list[0], "Rollout-Fence: 7");
    assert_string_equal(h.list[1], "Rollout-Id: r-1");
    assert_string_equal(h.list[2], "Rollout-Ttl: 31");
    assert_string_equal(h.list[3], "Rollout-Holder: ann??X-Evil: 1");
    lb_api_lease_headers(&h, &sp.plan, 0);
    assert_string_equal(h.list[2], "Rollout-Ttl: 0");
}

static void a_peer_that_drained_before_us_goes_back_draining(void **state)
{
    (void)state;
    assert_string_equal(lb_api_body_back(true), "{\"down\":false,\"drain\":true}");
    assert_string_equal(lb_api_body_back(false), "{\"down\":false,\"drain\":false}");
}

/* ---- small answers */
static void the_highest_version_that_both_know_is_taken(void **state)
{
    static const struct {
        const char *list;
        uint8_t version; /* 0 = refused */
    } cases[] = {{"[1,2,3,4,5,6,7,8,9]", 9},
                 {"[4,5,6,7,8,9,10,11]", 9},
                 {"[4]", 4},
                 {"[6,5]", 6},
                 {"[1,2,3]", 0},
                 {"[10]", 0},
                 {"[]", 0},
                 {"{}", 0},
                 {"[\"9\"]", 0},
                 {"[9", 0},
                 {"", 0}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t version = 0;
        struct err err = {""};
        bool good = lb_api_read_versions(cases[i].list, strlen(cases[i].list), &version, &err);
        assert_int_equal(good, cases[i].version != 0);
        assert_int_equal(version, cases[i].version);
        assert_int_equal(err.text[0] == '\0', good);
    }
}

static uint64_t generation(const char *body)
{
    uint64_t g = 0;

    assert_true(lb_api_read_nginx(body, strlen(body), &g, NULL));
    return g;
}

static void a_reload_and_a_restart_change_the_generation(void **state)
{
    uint64_t g;

    (void)state;
    uint64_t one = generation("{\"generation\":1,\"load_timestamp\":\"2026-11-22T11:15:44.467Z\",\"timestamp\":\"a\"}");
    assert_true(one ==
                generation("{\"load_timestamp\":\"2026-11-22T11:15:44.467Z\",\"generation\":1,\"timestamp\":\"b\"}"));
    assert_true(one != generation("{\"generation\":2,\"load_timestamp\":\"2026-11-22T11:15:44.467Z\"}"));
    assert_true(one != generation("{\"generation\":1,\"load_timestamp\":\"2026-11-22T11:15:44.468Z\"}"));
    assert_false(lb_api_read_nginx("{}", 2, &g, NULL));
}

static void a_patch_is_done_only_when_the_server_meant_answers(void **state)
{
    static const struct {
        int status;
        const char *body, *server;
        enum answer_kind kind;
        const char *text;
    } cases[] = {
        {200, "{\"id\":1,\"server\":\"10.0.0.1:80\",\"down\":true}", "10.0.0.1:80", ANS_OK, ""},
        {200, "{\"id\":1,\"server\":\"[::1]:80\"}", "[0:0::1]:80", ANS_OK, ""},
        {200, "{\"id\":1,\"server\":\"10.0.0.9:80\"}", NULL, ANS_OK, ""},
        {200, "{\"id\":1,\"server\":\"10.0.0.2:80\"}", "10.0.0.1:80", ANS_BAD,
         "meant 10.0.0.1:80, changed 10.0.0.2:80"},
        {200, "<html>", "10.0.0.1:80", ANS_BAD, "makes no sense"},
        {200, "{}", "10.0.0.1:80", ANS_BAD, "\"server\""},
        {412, "{\"error\":{\"status\":412,\"text\":\"held by bob\",\"code\":\"LeaseHeld\"}}", "a:1", ANS_FENCED,
         "held by bob (412 LeaseHeld)"},
        {404, "{\"error\":{\"status\":404,\"text\":\"no\",\"code\":\"UpstreamServerNotFound\"}}", "a:1", ANS_REFUSED,
         "no"},
        {403, "<html>", "a:1", ANS_REFUSED, "HTTP status 403"},
        {502, "", "a:1", ANS_LOST, "HTTP status 502"},
        {302, "", "a:1", ANS_BAD, "HTTP status 302"},
    };
    char text[ANSWER_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum answer_kind kind = lb_api_patch_answer(cases[i].status, cases[i].body, strlen(cases[i].body),
                                                    cases[i].server, text, sizeof text);
        assert_int_equal(kind, cases[i].kind);
        assert_non_null(strstr(text, cases[i].text));
        assert_int_equal(text[0] == '\0', kind == ANS_OK);
    }
}

/* ---- the list */
struct heard {
    char text[512];
    bool stop;
};

static bool hear_begin(void *ctx, const char *upstream, struct err *err)
{
    struct heard *h = ctx;
    (void)err;
    strcat(h->text, upstream);
    strcat(h->text, "(");
    return true;
}

static bool hear_peer(void *ctx, const struct lb_peer *p, struct err *err)
{
    struct heard *h = ctx;
    char row[100];
    snprintf(row, sizeof row, "%d:%s:%d%s ", (int)p->id, p->server, (int)p->state, p->backup ? "b" : "");
    strcat(h->text, row);
    return !h->stop || err_set(err, "stopped");
}

static bool hear_end(void *ctx, const struct lb_lease *l, struct err *err)
{
    struct heard *h = ctx;
    char row[400];
    (void)err;
    snprintf(row, sizeof row, "%d %d %s %s %u)", l->known, (int)l->fence, l->id, l->holder, l->ttl_s);
    strcat(h->text, row);
    return true;
}

static bool hear(const char *list, struct heard *h, struct err *err)
{
    struct lb_walk walk = {.begin = hear_begin, .peer = hear_peer, .end = hear_end, .ctx = h};
    char *copy = malloc(strlen(list)); /* no terminator, so that reading beyond is found */
    memcpy(copy, list, strlen(list));
    bool good = lb_list_walk(copy, strlen(list), &walk, err);
    free(copy);
    return good;
}

static void a_list_is_walked_in_order_with_its_leases(void **state)
{
    struct heard h = {.stop = false};

    (void)state;
    assert_true(hear(" { \"a\" : {\"zone\":\"z\",\"peers\":[" PEER(0, "1.1.1.1:1", "up", 0) " , " PEER(
                         7, "2.2.2.2:2", "draining", 3) "],\"keepalive\":0,\"rollout\":{\"fence\":4,\"id\":\"r\","
                                                        "\"holder\":\"h\",\"ttl\":9}},\n\"b\":{\"peers\":[]},"
                                                        "\"c\":{\"rollout\":null}} ",
                     &h, NULL));
    assert_string_equal(h.text, "a(0:1.1.1.1:1:1 7:2.2.2.2:2:2 1 4 r h 9)b(0 0   0)c(1 0   0)");
}

static void what_is_no_list_is_refused_with_the_byte(void **state)
{
    static const char *const lists[] = {
        "",
        "[]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":{\"peers\":[",
        "{\"a\":{\"peers\":[{}]}}",
        "{\"a\":{\"peers\":[1]}}",
        "{\"a\":{\"peers\":{}}}",
        "{\"a\":{\"peers\":[" PEER(0, "1.1.1.1:1", "up", 0) "}",
        "{\"a\":{\"peers\":[" PEER(0, "1.1.1.1:1", "up", 0) ",]}}",
        "{\"a\":{\"peers\":[{\"id\":1,\"server\":\"s\",\"state\":\"up\",\"active\":-1}]}}",
        "{\"a\":{\"peers\":[{\"id\":1,\"id\":2,\"server\":\"s\",\"state\":\"up\",\"active\":1}]}}",
        "{\"a\":{\"peers\":[]},}",
        "{\"a\":{\"peers\":[]}} x",
        "{a:{}}",
        "{\"a\":{\"peers\":[]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct heard h = {.stop = false};
        struct err err = {""};
        assert_false(hear(lists[i], &h, &err));
        assert_true(err.text[0] != '\0');
    }
}

static void a_walk_ends_where_its_reader_says(void **state)
{
    struct heard h = {.stop = true};
    struct err err = {""};

    (void)state;
    assert_false(
        hear("{\"a\":{\"peers\":[" PEER(0, "1.1.1.1:1", "up", 0) "," PEER(1, "1.1.1.1:2", "up", 0) "]}}", &h, &err));
    assert_string_equal(h.text, "a(0:1.1.1.1:1:1 ");
    assert_string_equal(err.text, "stopped");
}

/* ---- the view */
static const char list_lb1[] = "{\"other\":{\"peers\":[" PEER(
    0, "10.0.0.1:80", "down",
    9) "]},"
       "\"app\":{\"peers\":[" PEER(3, "10.0.0.2:80", "draining", 2) "," PEER(4, "10.0.0.1:80", "up", 5) "," PEER(
           5, "10.0.0.3:80", "unhealthy",
           0) ",{\"id\":6,\"server\":\"10.0.0.4:80\",\"backup\":true,\"state\":\"up\",\"active\":0}],"
              "\"rollout\":{\"fence\":7,\"id\":\"r-1\",\"holder\":\"h\",\"ttl\":5}},"
              "\"extra\":{\"peers\":[" PEER(0, "[0:0:0::1]:80", "down", 0) "]}}";

static void a_view_has_the_plans_peers_by_address(void **state)
{
    struct lb_view *v = lb_view_new(&sp.plan);
    struct err err = {""};

    (void)state;
    assert_true(fill(v, 0, list_lb1, &err));
    assert_true(v->upstreams[0].there);
    assert_int_equal(v->upstreams[0].configured, 3);
    assert_int_equal(v->upstreams[0].up, 1);
    assert_int_equal(v->peers[0].state, PEER_UP);
    assert_int_equal(v->peers[0].active, 5);
    assert_true(v->ids[0] == 4);
    assert_int_equal(v->peers[3].state, PEER_DRAINING);
    assert_true(v->ids[3] == 3);
    assert_int_equal(v->peers[1].state, PEER_DOWN); /* spelled in another way */
    assert_true(v->ids[1] == 0);
    assert_true(v->first_ids[0] == 3);
    assert_false(v->exact[0]);
    assert_false(lb_view_active_exact(v, 0));          /* `extra` shows no lease */
    assert_int_equal(v->peers[2].state, PEER_UNKNOWN); /* the other load balancer was not read */
    assert_true(v->ids[2] == LB_NO_ID);
    assert_false(v->upstreams[2].there);
    assert_int_equal(lb_view_was(v, 0, "10.0.0.2:80"), PEER_DRAINING);
    assert_int_equal(lb_view_was(v, 0, "10.0.0.3:80"), PEER_UP);
    assert_int_equal(lb_view_was(v, 1, "[0:0:0::1]:80"), PEER_DOWN);
    lb_view_free(&v);
}

static void an_address_twice_in_an_upstream_is_nobody(void **state)
{
    struct lb_view *v = lb_view_new(&sp.plan);

    (void)state;
    assert_true(
        fill(v, 1,
             "{\"app\":{\"peers\":[" PEER(0, "10.0.0.1:80", "up", 0) "," PEER(1, "10.0.0.1:80", "up", 0) "," PEER(
                 2, "10.0.0.2:80", "up", 0) "],\"rollout\":{\"active_exact\":true}}}",
             NULL));
    assert_int_equal(v->peers[2].state, PEER_UNKNOWN);
    assert_true(v->ids[2] == LB_NO_ID);
    assert_int_equal(v->peers[4].state, PEER_UP);
    assert_true(lb_view_active_exact(v, 1));
    lb_view_free(&v);
}

static void a_new_list_replaces_the_old_ids(void **state)
{
    struct lb_view *v = lb_view_new(&sp.plan);

    (void)state;
    assert_true(fill(v, 0, list_lb1, NULL));
    assert_true(fill(v, 0, "{\"app\":{\"peers\":[" PEER(9, "10.0.0.1:80", "down", 0) "]}}", NULL));
    assert_true(v->ids[0] == 9);
    assert_int_equal(v->peers[0].state, PEER_DOWN);
    assert_int_equal(v->peers[3].state, PEER_UNKNOWN); /* gone from the list */
    assert_true(v->ids[3] == LB_NO_ID);
    assert_false(v->upstreams[1].there);
    lb_view_free(&v);
}

static void a_broken_list_leaves_nothing_known(void **state)
{
    struct lb_view *v = lb_view_new(&sp.plan);
    struct err err = {""};

    (void)state;
    assert_true(fill(v, 0, list_lb1, NULL));
    assert_false(fill(v, 0, "{\"app\":{\"peers\":[" PEER(9, "10.0.0.1:80", "down", 0) ",{}]}}", &err));
    assert_int_equal(v->peers[0].state, PEER_UNKNOWN);
    assert_true(v->ids[0] == LB_NO_ID);
    assert_false(v->upstreams[0].there);
    assert_false(fill(v, 0, "{\"app\":{\"peers\":[]},\"app\":{\"peers\":[]}}", &err));
    assert_non_null(strstr(err.text, "twice"));
    lb_view_free(&v);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, make_plan)
    const struct CMUnitTest tests[] = {
        T(urls_name_version_upstream_and_id),
        T(lease_headers_carry_the_rollout_and_no_line_ends),
        T(a_peer_that_drained_before_us_goes_back_draining),
        T(the_highest_version_that_both_know_is_taken),
        T(a_reload_and_a_restart_change_the_generation),
        T(a_patch_is_done_only_when_the_server_meant_answers),
        T(a_list_is_walked_in_order_with_its_leases),
        T(what_is_no_list_is_refused_with_the_byte),
        T(a_walk_ends_where_its_reader_says),
        T(a_view_has_the_plans_peers_by_address),
        T(an_address_twice_in_an_upstream_is_nobody),
        T(a_new_list_replaces_the_old_ids),
        T(a_broken_list_leaves_nothing_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
