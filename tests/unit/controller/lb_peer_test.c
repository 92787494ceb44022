/* The short way to read a peer takes what the long one takes, and says the same; what it does not take, it leaves as it
 * was. And the answer to a look at one server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/json.h"
#include "controller/lb_api.h"
#include "controller/lb_peer.h"

static const struct {
    const char *text;
    bool taken;
} rows[] = {
    {"{\"id\":7,\"server\":\"10.0.0.1:80\",\"name\":\"a:80\",\"backup\":true,\"state\":\"draining\",\"active\":3}",
     true},
    {"{ \"id\" : 0 ,\n\"active\":0, \"state\":\"up\",\"server\":\"[::1]:80\" }", true},
    {"{\"id\":1,\"server\":\"a\",\"state\":\"up\",\"active\":9999999999,\"responses\":{\"codes\":{\"200\":1},\"x\":[1,-"
     "2.5e3,"
     "true,null,\"t\"]}}",
     true},
    {"{\"id\":1,\"server\":\"a\",\"state\":\"rebooting\",\"active\":1,\"empty\":{},\"none\":[]}", true},
    {"{\"id\":1,\"server\":\"a\\/b\",\"state\":\"up\",\"active\":1}", false}, /* escapes are the long way's */
    {"{\"id\":1,\"server\":\"a\",\"state\":\"up\"}", false},
    {"{\"id\":1,\"id\":2,\"server\":\"a\",\"state\":\"up\",\"active\":1}", false},
    {"{\"id\":01,\"server\":\"a\",\"state\":\"up\",\"active\":1}", false},
    {"{\"id\":-1,\"server\":\"a\",\"state\":\"up\",\"active\":1}", false},
    {"{\"id\":1.5,\"server\":\"a\",\"state\":\"up\",\"active\":1}", false},
    {"{\"id\":\"1\",\"server\":\"a\",\"state\":\"up\",\"active\":1}", false},
    {"{\"id\":1,\"server\":5,\"state\":\"up\",\"active\":1}", false},
    {"{\"id\":1,\"server\":\"a\",\"state\":\"up\",\"active\":1,\"x\":{]}", false},
    {"{\"id\":1,\"server\":\"a\",\"state\":\"up\",\"active\":1,\"x\":tru}", false},
    {"{\"id\":1,\"server\":\"a\",\"state\":\"up\",\"active\":1,\"x\":00}", false},
    {"{\"id\":1,\"server\":\"a\",\"state\":\"up\",\"active\":1,}", false},
    {"{\"id\":1,\"server\":\"a\",\"state\":\"up\",\"active\":1", false},
    {"{\"id\":1,\"server\":\"\xc3\xa4\",\"state\":\"up\",\"active\":1}", false},
    {"[]", false},
    {"", false},
};

static void the_short_way_says_what_the_long_one_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *at = rows[i].text, *end = at + strlen(at);
        struct lb_peer_texts texts;
        struct lb_peer p;

        if (lb_peer_read(&at, end, &p, &texts) != rows[i].taken)
            fail_msg("%s", rows[i].text);
        if (!rows[i].taken) {
            assert_ptr_equal(at, rows[i].text);
            continue;
        }
        json_t *o = json_read(rows[i].text, strlen(rows[i].text), NULL);
        uint64_t active = json_opt_uint(o, "active", 0);
        const char *name = json_opt_string(o, "name");

        assert_non_null(o);
        assert_ptr_equal(at, end);
        assert_int_equal(p.id, json_opt_uint(o, "id", 99));
        assert_string_equal(p.server, json_opt_string(o, "server"));
        assert_string_equal(p.name, name != NULL ? name : p.server);
        assert_int_equal(p.state, lb_api_state(json_opt_string(o, "state")));
        assert_int_equal(p.backup, json_opt_bool(o, "backup", false));
        assert_int_equal(p.active, active < UINT32_MAX ? active : UINT32_MAX);
        json_decref(o);
    }
}

/* However it is cut off, nothing behind its end is looked at, and nothing half is taken. */
static void a_cut_peer_is_not_taken(void **state)
{
    (void)state;
    for (size_t n = 0; n < strlen(rows[2].text); n++) {
        char *part = test_malloc(n + 1);
        const char *at = part;
        struct lb_peer_texts texts;
        struct lb_peer p;

        memcpy(part, rows[2].text, n);
        assert_false(lb_peer_read(&at, part + n, &p, &texts));
        test_free(part);
    }
}

static void a_look_at_one_server(void **state)
{
    static const struct {
        const char *text;
        enum answer_kind kind;
        struct seen_peer seen;
    } looks[] = {
        {"{\"id\":1,\"server\":\"10.0.0.1:80\",\"down\":true,\"rollout\":{\"active\":0,\"quiet\":true,\"state\":"
         "\"down\"}}",
         ANS_OK,
         {.state = PEER_DOWN, .exact = true}},
        {"{\"id\":1,\"server\":\"10.0.0.1:80\",\"rollout\":{\"active\":2,\"quiet\":false,\"state\":\"draining\"}}",
         ANS_OK,
         {.state = PEER_DRAINING, .exact = true, .active = 2}},
        {"{\"id\":1,\"server\":\"10.0.0.1:80\",\"rollout\":{\"active\":0,\"quiet\":false,\"state\":\"draining\"}}",
         ANS_OK,
         {.state = PEER_DRAINING, .exact = false}}, /* out, nothing active, and yet not quiet: it cannot be known */
        {"{\"id\":1,\"server\":\"10.0.0.1:80\",\"backup\":true,\"rollout\":{\"active\":0,\"quiet\":false,\"state\":"
         "\"unavail\"}}",
         ANS_OK,
         {.state = PEER_UNAVAIL, .exact = true, .backup = true}},
        {"{\"id\":1,\"server\":\"10.0.0.1:80\",\"down\":true}", ANS_OK, {.state = PEER_UNKNOWN}}, /* no Prefer there */
        {"{\"id\":1,\"server\":\"10.0.0.1:80\",\"rollout\":{\"active\":0,\"quiet\":true}}",
         ANS_OK,
         {.state = PEER_UNKNOWN}},
        {"{\"id\":1,\"server\":\"10.0.0.2:80\",\"rollout\":{\"active\":0,\"quiet\":true,\"state\":\"down\"}}",
         ANS_BAD,
         {.state = PEER_UNKNOWN}},
        {"{\"id\":1,\"server\":\"10.0.0.1:80\",\"rollout\":{\"quiet\":true,\"state\":\"down\"}}",
         ANS_BAD,
         {.state = PEER_UNKNOWN}},
        {"[]", ANS_BAD, {.state = PEER_UNKNOWN}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        struct seen_peer seen;
        struct err err = {""};

        assert_int_equal(lb_api_read_server(looks[i].text, strlen(looks[i].text), "10.0.0.1:80", &seen, &err),
                         looks[i].kind);
        assert_int_equal(seen.state, looks[i].seen.state);
        assert_int_equal(seen.exact, looks[i].seen.exact);
        assert_int_equal(seen.backup, looks[i].seen.backup);
        assert_int_equal(seen.active, looks[i].seen.active);
        assert_true((err.text[0] != '\0') == (looks[i].kind != ANS_OK));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_short_way_says_what_the_long_one_says),
        cmocka_unit_test(a_cut_peer_is_not_taken),
        cmocka_unit_test(a_look_at_one_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
