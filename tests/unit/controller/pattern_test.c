#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/pattern.h"

static const char inventory[] = "lone\n"
                                "2001:db8::7\n"
                                "[lb]\nlb1 rollout_api=http://lb1/api\nlb2 rollout_api=http://lb2/api\n"
                                "[web]\nweb[1:5]\n"
                                "[api]\napi1.example.org\napi2.example.org\nweb5\n"
                                "[mixed]\nlb1\nweb2\nweb3\n"
                                "[site:children]\nweb\napi\n"
                                "[web1]\nweb4\n";
#define EVERY "lone 2001:db8::7 web1 web2 web3 web4 web5 api1.example.org api2.example.org "

static const struct row {
    const char *pattern, *names;
} rows[] = {
    {NULL, EVERY},
    {"all", EVERY},
    {"*", EVERY},
    {"web2", "web2 "},
    {"web", "web1 web2 web3 web4 web5 "},
    {"web1", "web1 "}, /* the host, not the group */
    {"site", "web1 web2 web3 web4 web5 api1.example.org api2.example.org "},
    {"ungrouped", "lone 2001:db8::7 "},
    {"2001:db8::7", "2001:db8::7 "},
    {"2001:db8::?", "2001:db8::7 "},
    {"2001:db8::7:web1", NULL}, /* one word for Ansible, too */
    {"2001:db8::7,web1", "2001:db8::7 web1 "},
    {"api*", "web5 api1.example.org api2.example.org "},
    {"api?.example.org", "api1.example.org api2.example.org "},
    {"web[24]x:web[2-3]", NULL},
    {"web[2-3]", NULL}, /* would be positions for Ansible */
    {"web[2-3]*", "web2 web3 "},
    {"web[^2]*", NULL}, /* Ansible: one of ^ and 2 */
    {"web[[:digit:]]*", NULL},
    {"web\\1", NULL}, /* a backslash is one */
    {"~web[\\d]$", "web1 web2 web3 web4 web5 "},
    {"~web[^\\d]", NULL},
    {"~\\w+1$", "web1 web4 "},
    {"~web[\\w.]+?$", "web1 web2 web3 web4 web5 "},
    {"~web\\D", NULL},
    {"~lon\\x65", NULL},
    {"~(?i)LONE", NULL},
    {"~w**", NULL},
    {"~web1)|x", NULL},
    {"~web1]|x", NULL},
    {"web1 web2", NULL},
    {"web:& api", NULL},
    {"~w*+", NULL},
    {"~+", NULL},
    {"~web[[:digit:]]", NULL},
    {"all:!web1", NULL},              /* which one? */
    {"web[!2-4]", "web1 web4 web5 "}, /* the group web1 fits too */
    {"web2,web1", "web1 web2 "},
    {"web2:lone", "lone web2 "},
    {"web2 , web2", "web2 "},
    {"all:!web", "lone 2001:db8::7 api1.example.org api2.example.org "},
    {"!web,all", "lone 2001:db8::7 api1.example.org api2.example.org "},
    {"!web", "lone 2001:db8::7 api1.example.org api2.example.org "},
    {"web:&api", "web5 "},
    {"&api:web:!web5:lone", NULL},
    {"web:&mixed:!web2", "web3 "},
    {"web:!lb", "web1 web2 web3 web4 web5 "},
    {"mixed", "web2 web3 "},
    {"mixed[0]", "web2 "},
    {"web[0]", "web1 "},
    {"web[-1]", "web5 "},
    {"web[1:2]", "web2 web3 "},
    {"web[3:]", "web4 web5 "},
    {"web[3:99]", "web4 web5 "},
    {"web[0:0]:api[0]", "web1 web5 "},
    {"all[0]", "lone "},
    {"~web\\d", "web1 web2 web3 web4 web5 "},
    {"~(lone|web[12])$", "lone web1 web2 web4 "}, /* the group web1 fits too */
    {"~eb1", NULL},
    {"lb", NULL},
    {"lb1", NULL},
    {"web6", NULL},
    {"web:!wbe", NULL},
    {"web[9]", NULL},
    {"web[-9]", NULL},
    {"web[2:1]", NULL},
    {"web2[1]", NULL},
    {"~(", NULL},
    {"", NULL},
    {" , ", NULL},
    {"web:!", NULL},
    {"web:!all", NULL},
};

static struct fleet *loaded(const char *text)
{
    struct fleet *fleet = NULL;
    struct err err = {0};
    if (!fleet_parse("h", text, strlen(text), &fleet, &err))
        print_error("%s\n", err.text);
    assert_non_null(fleet);
    return fleet;
}

static void patterns_mean_what_they_mean_in_ansible(void **state)
{
    (void)state;
    struct fleet *fleet = loaded(inventory);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char names[512] = "";
        uint32_t *nodes;
        size_t n;
        struct err err = {0};
        bool ok = pattern_match(fleet, rows[i].pattern, &nodes, &n, &err);
        for (size_t k = 0; k < n; k++)
            snprintf(names + strlen(names), sizeof names - strlen(names), "%s ", fleet->hosts[nodes[k]].name);
        free(nodes);
        if (ok != (rows[i].names != NULL))
            print_error("%s: %s%s\n", rows[i].pattern, names, err.text);
        assert_int_equal(ok, rows[i].names != NULL);
        assert_string_equal(names, rows[i].names ? rows[i].names : "");
        assert_int_equal(ok, err.text[0] == '\0');
    }
    fleet_free(&fleet);
}

static const struct {
    const char *hosts, *pattern, *text;
} sentences[] = {
    {inventory, "wbe1", "--limit \"wbe1\": no host and no group is called \"wbe1\"; did you mean web1?"},
    {inventory, "lb", "--limit \"lb\": there is no node left"},
    {inventory, "web[7]", "--limit \"web[7]\": web has 5 nodes, at 0 to 4: no such position"},
    {inventory, "web[2-3]",
     "--limit \"web[2-3]\": \"web[2-3]\" would be positions for Ansible; write [2:3] for those, web[2-3]* for a "
     "wildcard"},
    {inventory, "all:!web1",
     "--limit \"all:!web1\": web1 is a host and a group; behind !, Ansible means the group: rename one"},
    {inventory, "~web(?i)", "--limit \"~web(?i)\": ~web(?i): in a regular expression here, \"b(?i)\" is not taken"},
    {inventory, "web:&", "--limit \"web:&\": there is nothing behind a &"},
    {inventory, ":", "--limit \":\": the pattern is empty"},
    {"lb rollout_api=http://lb/api\n", NULL, "h: there is no node, only load balancers"},
};

static void a_pattern_that_means_nobody_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++) {
        struct fleet *fleet = loaded(sentences[i].hosts);
        uint32_t *nodes;
        size_t n;
        struct err err = {0};
        assert_false(pattern_match(fleet, sentences[i].pattern, &nodes, &n, &err));
        assert_string_equal(err.text, sentences[i].text);
        fleet_free(&fleet);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_mean_what_they_mean_in_ansible),
        cmocka_unit_test(a_pattern_that_means_nobody_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
