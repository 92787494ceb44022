#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "controller/fleet.h"

static struct fleet *parsed(const char *text)
{
    struct err err = {0};
    struct fleet *fleet = NULL;
    if (!fleet_parse("etc/hosts", text, strlen(text), &fleet, &err))
        print_error("%s\n", err.text);
    assert_non_null(fleet);
    return fleet;
}

/* The names, each followed by a blank. */
static const char *names(const struct fleet *fleet)
{
    static char text[4096];
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < fleet->n_hosts; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s ", fleet->hosts[i].name);
    return text;
}

static const char *text_of(const struct fleet *fleet, const char *host, enum option_id id)
{
    int64_t found = fleet_find_host(fleet, host);
    assert_true(found >= 0);
    const char *text = fleet_text(fleet, (uint32_t)found, id);
    return text ? text : "(none)";
}

static const struct fleet_host *host_of(const struct fleet *fleet, const char *name)
{
    int64_t found = fleet_find_host(fleet, name);
    assert_true(found >= 0);
    return &fleet->hosts[found];
}

static const struct listing {
    const char *text, *names;
} listings[] = {
    {"web1\n", "web1 "},
    {"web1 # why\nweb2#why\n", "web1 web2 "},
    {"web[1:3]\n", "web1 web2 web3 "},
    {"web[08:11]\n", "web08 web09 web10 web11 "},
    {"web[1:9:2]\n", "web1 web3 web5 web7 web9 "},
    {"web[0:9:4].x\n", "web0.x web4.x web8.x "},
    {"web[:2]\n", "web0 web1 web2 "},
    {"db-[a:c].example.org\n", "db-a.example.org db-b.example.org db-c.example.org "},
    {"[g]\nr[A:B][1:2]\n", "rA1 rA2 rB1 rB2 "},
    {"web1:22\nweb[2:3]:2222\n", "web1 web2 web3 "},
    {"2001:db8::1\n10.0.0.[1:2]\n", "2001:db8::1 10.0.0.1 10.0.0.2 "},
    {"[a]\nx\ny\n[b]\ny\nx\nz\n", "x y z "},
    {"[a]\nx\n[b]\ny\n[a]\nz\n", "x y z "},
    {"[all]\nx\n[all:vars]\nfoo=1\n", "x "},
};

static void hosts_are_listed_as_ansible_lists_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof listings / sizeof *listings; i++) {
        struct fleet *fleet = parsed(listings[i].text);
        assert_string_equal(names(fleet), listings[i].names);
        fleet_free(&fleet);
        assert_null(fleet);
    }
}

static const struct bad {
    const char *text, *says;
} bads[] = {
    {"", "h: the file names no host"},
    {"[web]\n", "h: the file names no host"},
    {"web1 rollout_zonne=a\n", "h:1: there is no key rollout_zonne; did you mean rollout_zone?"},
    {"web1\n[all:vars]\nrollout_max_unavailble = 2\n",
     "h:3: there is no key rollout_max_unavailble; did you mean rollout_max_unavailable?"},
    {"web1 rollout_quux=1\n", "h:1: there is no key rollout_quux; `rollout help options`"},
    {"web1 rollout-zone=1\n", "h:1: there is no key rollout-zone; did you mean rollout_zone?"},
    {"all:\n  hosts:\n",
     "h:1: \"all:\" is no host name: letters, digits, . _ - or an IPv6 address; an inventory in INI"},
    {"web1 rollout_peer=foo\n", "h:1: rollout_peer of web1: \"foo\" is no address: the port is missing"},
    {"web1 rollout_peer=a:1,{host}\n", "h:1: rollout_peer of web1: \"web1\" is no address: the port is missing"},
    {"web1 rollout_batch=0\n", "h:1: rollout_batch: \"0\" is neither a number from 1"},
    {"web1\n[ungrouped:vars]\nrollout_bake=soon\n", "h:3: rollout_bake: \"soon\" is no duration"},
    {"web1 rollout_service={{x}}\n", "h:1: rollout_service: Ansible's templates are not filled in here"},
    {"web1 rollout_agent=https://{name}:1\n", "h:1: rollout_agent: \"https://{name}:1\": only {host} and {address}"},
    {"web1 rollout_agent=ftp://{host}:1\n", "h:1: rollout_agent of web1: \"ftp://web1:1\" is no URL"},
    {"lb rollout_api=https://u:secret@lb/api\n", "h:1: rollout_api of lb: an URL must not hold a user or a password"},
    {"[web]\na\nb\na\n", "h:4: duplicate host: a is in [web] already, since line 2"},
    {"[web]\nw[1:9]\nw[9:12]\n", "h:3: duplicate host: w9 is in [web] already, since line 2"},
    {"a\na\n", "h:2: duplicate host: a is in [ungrouped] already, since line 1"},
    {"[a]\nx rollout_zone=1\n[b]\nx rollout_zone=2\n", "h:4: rollout_zone of x is \"2\" here and \"1\" in line 2"},
    {"x rollout_zone=1 rollout_zone=2\n", "h:1: rollout_zone of x is \"2\" here and \"1\" in line 1"},
    {"[a]\nx ansible_host=h1\n[b]\nx ansible_host=h2\n", "h:4: ansible_host of x is \"h2\" here and \"h1\" in line 2"},
    {"[a]\nx\n[a:vars]\nrollout_zone=1\nrollout_zone=2\n", "h:5: rollout_zone of a is \"2\" here and \"1\" in line 4"},
    {"w[1]\n", "h:1: the range [1] is not FROM:TO"},
    {"w[3:1]\n", "h:1: the range [3:1] runs backwards"},
    {"w[01:100]\n", "h:1: the range [01:100] begins with a zero, so both ends need the same number of digits"},
    {"w[1:x]\n", "h:1: the range [1:x] is not two numbers or two letters"},
    {"w[1:]\n", "h:1: the range [1:] is not two numbers"},
    {"w[1:3:0]\n", "h:1: the range [1:3:0] is not two numbers or two letters, and a step of at least 1"},
    {"w[1:3\n", "h:1: \"w[1:3\" has a bracket without its partner"},
    {"w1]\n", "h:1: \"w1]\" has a bracket without its partner"},
    {"w[1:100001]\n", "h:1: \"w[1:100001]\" makes the fleet larger than 100000 hosts"},
    {"w[0:999999999][0:999999999][0:999999999]\n", "makes the fleet larger than 100000 hosts"},
    {"w[1:60000]\nx[1:60000]\n", "h:2: the fleet is larger than 100000 hosts"},
    {"[web:children]\nnope # x\n[a]\nb\n", "h:2: there is no group nope: a child group needs a section [nope]"},
    {"[web]\nb\n[wbe:vars]\nx=1\n",
     "h:3: there is no group wbe: these variables need a section [wbe]; did you mean web?"},
    {"[a]\nb\n[web:vars]\nx=1\n", "h:3: there is no group web: these variables need a section [web]"},
    {"[a:children]\nb\n[b:children]\nc\n[c:children]\na\n[d]\nx\n", "a group contains itself: "},
    {"[a:children]\na\n[a]\nx\n", "h:2: a group contains itself: a is in a"},
    {"[a:children]\nall\n[a]\nx\n", "a group contains itself: "},
    {"[web:variables]\n", "h:1: a section is [GROUP], [GROUP:vars] or [GROUP:children], not [web:variables]"},
    {"[a b]\n", "h:1: \"a b\" is no group name"},
    {"[a]\nx\n[a:vars]\nrollout_zone\n", "h:4: a section of variables has lines KEY=VALUE"},
    {"[a:children]\nb c\n", "h:2: a section of children has one group a line"},
    {"x y\n", "h:1: behind a host come values as KEY=VALUE"},
    {"x rollout_zone = a\n", "h:1: behind a host come values as KEY=VALUE without blanks around the ="},
    {"x rollout_zone=\"a\n", "h:1: a \" is not closed"},
    {"x foo='a\n", "h:1: a ' is not closed"},
    {"x rollout_version=\"'a' b\"\n", "h:1: rollout_version: something follows the closing quote"},
    {"x rollout_version=\"r'a'\"\n", "h:1: rollout_version: a letter stands before the quote"},
    {"x\n[all:vars]\nrollout_version=u'a'\n", "h:3: rollout_version: a letter stands before the quote"},
    {"x\n[all:vars]\nrollout_version='a' b\n", "h:3: rollout_version: something follows the closing quote"},
    {"x\n[all:vars]\nrollout_version=\"a\\tb\"\n", "h:3: rollout_version: between quotes, a backslash may only stand"},
    {"h1 # h3\rh2\n", "h:1: a character within ends the line for Ansible"},
    {"h1 # h3\xe2\x80\xa8h2\n", "h:1: a character within ends the line for Ansible"},
    {"h-:22\n", "h:1: behind \"h-\" Ansible sees no port; leave out the :22"},
    {"h[:2]:22\n", "h:1: behind \"h[:2]\" Ansible sees no port"},
    {"[a:children]\nb#x\n[b]\nh\n", "h:2: there is no group b#x"},
    {"-x\n", "h:1: \"-x\" is no host name"},
    {"a/b\n", "h:1: \"a/b\" is no host name"},
    {"a:\n", "h:1: \"a:\" is no host name"},
    {"---\n", "h:1: \"---\" is no host name"},
    {"x ansible_host=a/b\n", "h:1: ansible_host: \"a/b\" is no host name or address"},
    {"x ansible_host='{{ y }}'\n", "Ansible's templates are not filled in here"},
    {"[a]\nx\n[a:vars]\nansible_group_priority=high\n", "h:4: ansible_group_priority: \"high\" is no whole number"},
    {"a rollout_api=http://l/api\nb rollout_api=http://l/api/\n",
     "h:2: a and b have the same rollout_api, http://l/api"},
    {"a\nb rollout_agent=https://a:9443\n", "h:2: a and b have the same rollout_agent"},
};

static void each_mistake_is_told_with_file_and_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        struct err err = {0};
        struct fleet *fleet = NULL;
        assert_false(fleet_parse("h", bads[i].text, strlen(bads[i].text), &fleet, &err));
        assert_null(fleet);
        if (!strstr(err.text, bads[i].says)) {
            print_error("%zu: %s\n", i, err.text);
            assert_string_equal(err.text, bads[i].says);
        }
    }
}

static void the_deeper_group_wins_and_the_host_wins_over_all(void **state)
{
    (void)state;
    struct fleet *fleet = parsed("[all:vars]\nrollout_service=all\nrollout_zone=all\nrollout_bake=1s\n"
                                 "[site:children]\nweb\n"
                                 "[site:vars]\nrollout_service=site\nrollout_zone=site\n"
                                 "[web]\nw1\nw2 rollout_zone=host\n"
                                 "[web:vars]\nrollout_zone=web\n");
    assert_string_equal(text_of(fleet, "w1", OPT_zone), "web");
    assert_string_equal(text_of(fleet, "w2", OPT_zone), "host");
    assert_string_equal(text_of(fleet, "w1", OPT_service), "site");
    assert_string_equal(text_of(fleet, "w1", OPT_bake), "1s");
    assert_string_equal(text_of(fleet, "w1", OPT_batch), "(none)");
    assert_string_equal(host_of(fleet, "w2")->zone, "host");
    fleet_free(&fleet);
}

static void among_equals_priority_then_the_alphabet_decides(void **state)
{
    (void)state;
    struct fleet *fleet = parsed("[b]\nx\ny\n[a]\nx\ny\n[c]\ny\n"
                                 "[a:vars]\nrollout_zone=a\n[b:vars]\nrollout_zone=b\n"
                                 "[c:vars]\nrollout_bake=3s\nrollout_service=c\nansible_group_priority=0\n"
                                 "[b:vars]\nrollout_service=b\n");
    assert_string_equal(text_of(fleet, "x", OPT_zone), "b");
    assert_string_equal(text_of(fleet, "y", OPT_service), "b");
    assert_string_equal(text_of(fleet, "y", OPT_bake), "3s");
    fleet_free(&fleet);
}

static void a_group_that_is_deep_by_one_way_is_deep_by_all(void **state)
{
    (void)state;
    struct fleet *fleet = parsed("[z:children]\nweb\n[a:children]\nb\n[b:children]\nweb\n[web]\nx\n"
                                 "[z:vars]\nrollout_zone=z\n[b:vars]\nrollout_zone=b\n");
    assert_string_equal(text_of(fleet, "x", OPT_zone), "b"); /* z 1, b 2 */
    fleet_free(&fleet);
}

static void quotes_and_comments_are_read_as_ansible_reads_them(void **state)
{
    (void)state;
    struct fleet *fleet = parsed("a rollout_version=\"two words\" foo='x y' rollout_zone='z'# rollout_nope=1\n"
                                 "b rollout_version=x\\ y rollout_zone=\"'q'\"\n"
                                 "c rollout_version=\"a\\\"b\"\n"
                                 "d rollout_version=\"'it\\\\'s'\" rollout_health_body=\"'it\"\n"
                                 "e\n[e]\ne\n[e:vars]\nrollout_version = 'it\\'s \\\\ \\d'\n"
                                 "[all:vars]\n  rollout_service  =  app   # the app\n"
                                 "rollout_release='/a # b' # c\n"
                                 "foo = 'unfinished\nrollout_version = it's 1.10\n");
    assert_string_equal(text_of(fleet, "a", OPT_version), "two words");
    assert_string_equal(text_of(fleet, "a", OPT_zone), "z");
    assert_string_equal(text_of(fleet, "b", OPT_version), "x y");
    assert_string_equal(text_of(fleet, "b", OPT_zone), "q");
    assert_string_equal(text_of(fleet, "c", OPT_version), "a\"b");
    assert_string_equal(text_of(fleet, "c", OPT_service), "app");
    assert_string_equal(text_of(fleet, "d", OPT_version), "it's");
    assert_string_equal(text_of(fleet, "d", OPT_health_body), "'it");
    assert_string_equal(text_of(fleet, "e", OPT_version), "it's \\ \\d");
    assert_string_equal(text_of(fleet, "c", OPT_release), "/a # b");
    fleet_free(&fleet);
}

static void tls_names_the_host_and_the_connection_goes_to_its_address(void **state)
{
    (void)state;
    struct fleet *fleet = parsed("[lb]\nlb1 ansible_host=10.0.0.1 rollout_api=https://{host}:8443/api/\n"
                                 "lb2 ansible_host=10.0.0.2 rollout_api=http://127.0.0.1:81/api\n"
                                 "[web]\nw1 ansible_host=10.0.1.1 rollout_peer={address}:80,a:81\nw2\n"
                                 "w3 rollout_agent=https://{address}:1 ansible_host=fd00::1\nfd00::2\n");
    assert_int_equal(fleet->n_lbs, 2);
    const struct fleet_host *h = host_of(fleet, "lb1");
    assert_string_equal(h->api_url, "https://lb1:8443/api");
    assert_string_equal(h->api_address, "10.0.0.1");
    assert_null(h->agent_url);
    h = host_of(fleet, "lb2");
    assert_string_equal(h->api_url, "http://127.0.0.1:81/api");
    assert_string_equal(h->api_address, "127.0.0.1");
    h = host_of(fleet, "w1");
    assert_null(h->api_url);
    assert_string_equal(h->agent_url, "https://w1:9443");
    assert_string_equal(h->agent_address, "10.0.1.1");
    assert_string_equal(h->peer, "10.0.1.1:80,a:81");
    assert_int_equal(h->line, 5);
    h = host_of(fleet, "w2");
    assert_string_equal(h->agent_address, "w2");
    assert_null(h->peer);
    h = host_of(fleet, "w3");
    assert_string_equal(h->agent_url, "https://[fd00::1]:1");
    assert_string_equal(h->agent_address, "fd00::1");
    h = host_of(fleet, "fd00::2");
    assert_string_equal(h->agent_url, "https://[fd00::2]:9443");
    fleet_free(&fleet);
}

static void a_load_balancer_of_the_command_line_is_one_more(void **state)
{
    (void)state;
    struct err err = {0};
    struct fleet *fleet = parsed("lb1 rollout_api=http://lb1/api\nw1\n");
    assert_true(fleet_add_lb(fleet, "https://10.0.0.9:8443/api/", &err));
    assert_true(fleet_add_lb(fleet, "https://10.0.0.9:8443/api", &err));
    assert_true(fleet_add_lb(fleet, "http://lb1/api", &err));
    assert_true(fleet_add_lb(fleet, "http://w1/api", &err));
    assert_int_equal(fleet->n_lbs, 3);
    assert_int_equal(fleet->n_hosts, 4);
    assert_string_equal(fleet->hosts[2].name, "10.0.0.9:8443");
    assert_string_equal(fleet->hosts[2].api_url, "https://10.0.0.9:8443/api");
    assert_string_equal(fleet->hosts[2].api_address, "10.0.0.9");
    assert_null(fleet_text(fleet, 2, OPT_cert));
    assert_string_equal(fleet->hosts[3].name, "http://w1/api");
    assert_false(fleet_add_lb(fleet, "10.0.0.9", &err));
    assert_string_equal(err.text, "--lb: \"10.0.0.9\" is no URL that begins with https:// or http://");
    fleet_free(&fleet);
}

static void files_named_in_the_hosts_file_stand_beside_it(void **state)
{
    (void)state;
    struct fleet *fleet = parsed("a rollout_cert=pki/a.pem rollout_key=/k.pem\n");
    assert_string_equal(text_of(fleet, "a", OPT_cert), "etc/pki/a.pem");
    assert_string_equal(text_of(fleet, "a", OPT_key), "/k.pem");
    fleet_free(&fleet);
    struct err err = {0};
    const char *line = "a rollout_cert=a.pem\n";
    assert_true(fleet_parse("hosts", line, strlen(line), &fleet, &err));
    assert_string_equal(text_of(fleet, "a", OPT_cert), "a.pem");
    fleet_free(&fleet);
    assert_true(fleet_parse("/dev/fd/63", line, strlen(line), &fleet, &err));
    assert_string_equal(text_of(fleet, "a", OPT_cert), "a.pem");
    fleet_free(&fleet);
}

static void members_of_a_group_are_those_of_its_children_too(void **state)
{
    (void)state;
    struct fleet *fleet = parsed("lone\n[web]\na\nb\n[db]\nc\n[site:children]\nweb\n");
    bool groups[8] = {0}, hosts[8] = {0};
    groups[fleet_find_group(fleet, "site")] = true;
    fleet_mark_members(fleet, groups, hosts);
    assert_false(hosts[0]);
    assert_true(hosts[1] && hosts[2]);
    assert_false(hosts[3]);
    memset(groups, 0, sizeof groups);
    memset(hosts, 0, sizeof hosts);
    groups[fleet_find_group(fleet, "ungrouped")] = true;
    fleet_mark_members(fleet, groups, hosts);
    assert_true(hosts[0] && !hosts[1] && !hosts[2] && !hosts[3]);
    groups[fleet_find_group(fleet, "all")] = true;
    fleet_mark_members(fleet, groups, hosts);
    assert_true(hosts[0] && hosts[1] && hosts[2] && hosts[3]);
    assert_int_equal(fleet_find_group(fleet, "nope"), -1);
    fleet_free(&fleet);
}

static void a_hundred_thousand_hosts_load(void **state)
{
    (void)state;
    char path[] = "/tmp/fleet_test.XXXXXX";
    FILE *f = fdopen(mkstemp(path), "w");
    assert_non_null(f);
    fputs("[all:vars]\nrollout_service=app\n[web]\n", f);
    for (int i = 0; i < FLEET_HOSTS_MAX; i++)
        fprintf(f, "web%06d.example.org ansible_host=10.%d.%d.%d rollout_zone=z%d\n", i, i >> 16, i >> 8 & 255, i & 255,
                i % 3);
    fclose(f);
    struct err err = {0};
    struct fleet *fleet;
    assert_true(fleet_load(path, &fleet, &err));
    unlink(path);
    assert_int_equal(fleet->n_hosts, FLEET_HOSTS_MAX);
    assert_string_equal(fleet->hosts[99999].agent_address, "10.1.134.159");
    fleet_free(&fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_listed_as_ansible_lists_them),
        cmocka_unit_test(each_mistake_is_told_with_file_and_line),
        cmocka_unit_test(the_deeper_group_wins_and_the_host_wins_over_all),
        cmocka_unit_test(among_equals_priority_then_the_alphabet_decides),
        cmocka_unit_test(a_group_that_is_deep_by_one_way_is_deep_by_all),
        cmocka_unit_test(quotes_and_comments_are_read_as_ansible_reads_them),
        cmocka_unit_test(tls_names_the_host_and_the_connection_goes_to_its_address),
        cmocka_unit_test(a_load_balancer_of_the_command_line_is_one_more),
        cmocka_unit_test(files_named_in_the_hosts_file_stand_beside_it),
        cmocka_unit_test(members_of_a_group_are_those_of_its_children_too),
        cmocka_unit_test(a_hundred_thousand_hosts_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
