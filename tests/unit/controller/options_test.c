#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/fleet.h"
#include "controller/options.h"

#define WORDS_MAX 32

/* A command line and an environment as text, words parted by blanks (a ~ stands for a blank in a word). */
struct words {
    char text[1024];
    char *list[WORDS_MAX + 1];
    int count;
};

static void words_split(struct words *w, const char *first, const char *text)
{
    snprintf(w->text, sizeof w->text, "%s %s", first, text);
    w->count = 0;
    for (char *p = strtok(w->text, " "); p; p = strtok(NULL, " ")) {
        assert_true(w->count < WORDS_MAX);
        w->list[w->count++] = p;
        for (; (p = strchr(p, '~')); *p = ' ')
            ;
    }
    w->list[w->count] = NULL;
}

struct line {
    struct words argv, env;
    struct options o;
    struct err err;
};

static bool parse(struct line *l, const char *args, const char *env)
{
    memset(l, 0, sizeof *l);
    words_split(&l->argv, "rollout", args);
    words_split(&l->env, "HOME=/home/ann", env);
    return options_parse(l->argv.count, l->argv.list, l->env.list, &l->o, &l->err);
}

static void the_defaults_are_those_of_the_table(void **state)
{
    (void)state;
    struct line l;
    assert_true(parse(&l, "--hosts h", ""));
    assert_int_equal(l.o.command, COMMAND_ROLL);
    assert_string_equal(l.o.hosts, "h");
    assert_null(l.o.release);
    assert_int_equal(l.o.drain_timeout_ms, 60000);
    assert_int_equal(l.o.healthy_deadline_ms, 300000);
    assert_int_equal(l.o.lb_poll_ms, 250);
    assert_int_equal(l.o.bake_ms, 0);
    assert_int_equal(l.o.success_threshold, 3);
    assert_int_equal(l.o.canary, 1);
    assert_int_equal(l.o.pause_after, 0);
    assert_int_equal(l.o.max_unavailable.value, 1);
    assert_false(l.o.max_unavailable.percent);
    assert_int_equal(l.o.batch.count, 1);
    assert_int_equal(l.o.on_drain_timeout, ON_DRAIN_TIMEOUT_FAIL);
    assert_int_equal(l.o.failure_action, FAILURE_ACTION_STOP);
    assert_false(l.o.detailed_exitcode);
    assert_int_equal(l.o.source[OPT_batch], SOURCE_DEFAULT);
    assert_string_equal(l.o.state, "/home/ann/.local/state/rollout");
    options_free(&l.o);
    assert_true(parse(&l, "--hosts h", "XDG_STATE_HOME=/x"));
    assert_string_equal(l.o.state, "/x/rollout");
    options_free(&l.o);
}

static void each_type_is_read_with_its_unit(void **state)
{
    (void)state;
    struct line l;
    assert_true(parse(&l,
                      "plan --hosts=h --batch 1,5,20% --max-unavailable 25% --drain-timeout 1m30s "
                      "--on-drain-timeout proceed --version 2.0~beta --detailed-exitcode --success-threshold 5 "
                      "--lb https://a:1/api --lb http://b/api,http://c/api --limit all:!b --state /s "
                      "--canary 0 --pause-after canary",
                      ""));
    assert_int_equal(l.o.command, COMMAND_PLAN);
    assert_int_equal(l.o.batch.count, 3);
    assert_int_equal(l.o.batch.items[1].value, 5);
    assert_int_equal(l.o.batch.items[2].value, 20);
    assert_true(l.o.batch.items[2].percent);
    assert_true(l.o.max_unavailable.percent);
    assert_int_equal(l.o.drain_timeout_ms, 90000);
    assert_int_equal(l.o.on_drain_timeout, ON_DRAIN_TIMEOUT_PROCEED);
    assert_string_equal(l.o.version, "2.0 beta");
    assert_true(l.o.detailed_exitcode);
    assert_int_equal(l.o.success_threshold, 5);
    assert_int_equal(l.o.lb.count, 3);
    assert_string_equal(l.o.lb.items[2], "http://c/api");
    assert_string_equal(l.o.limit, "all:!b");
    assert_string_equal(l.o.state, "/s");
    assert_int_equal(l.o.canary, 0);
    assert_int_equal(l.o.pause_after, MARK_WORD);
    options_free(&l.o);
}

static void a_flag_beats_the_environment(void **state)
{
    (void)state;
    struct line l;
    assert_true(parse(&l, "--bake 3s --bake 4s --lb http://f/api",
                      "ROLLOUT_HOSTS=e ROLLOUT_BAKE=9s ROLLOUT_LB=http://x/api ROLLOUT_BATCH= ROLLOUT_BATCHES=9 "
                      "ROLLOUT_ID=ci-7 ROLLOUT_DETAILED_EXITCODE=yes"));
    assert_int_equal(l.o.bake_ms, 4000);
    assert_int_equal(l.o.source[OPT_bake], SOURCE_FLAG);
    assert_string_equal(l.o.hosts, "e");
    assert_int_equal(l.o.source[OPT_hosts], SOURCE_ENV);
    assert_int_equal(l.o.lb.count, 1);
    assert_string_equal(l.o.lb.items[0], "http://f/api");
    assert_int_equal(l.o.source[OPT_batch], SOURCE_DEFAULT);
    assert_string_equal(l.o.rollout_id, "ci-7");
    assert_true(l.o.detailed_exitcode);
    options_free(&l.o);
}

static void help_and_version_need_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *args;
        enum command command, help_on;
    } rows[] = {
        {"help", COMMAND_HELP, COMMAND_HELP},
        {"--help", COMMAND_HELP, COMMAND_HELP},
        {"-h", COMMAND_HELP, COMMAND_HELP},
        {"plan --help", COMMAND_HELP, COMMAND_PLAN},
        {"--help repair", COMMAND_HELP, COMMAND_REPAIR},
        {"help roll", COMMAND_HELP, COMMAND_ROLL},
        {"help options", COMMAND_HELP, COMMAND_COUNT},
        {"version", COMMAND_VERSION, COMMAND_HELP},
    };
    struct line l;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(parse(&l, rows[i].args, "ROLLOUT_BATCH=no"));
        assert_int_equal(l.o.command, rows[i].command);
        assert_int_equal(l.o.help_on, rows[i].help_on);
        options_free(&l.o);
    }
    assert_true(parse(&l, "--explain", ""));
    assert_true(l.o.explain);
    options_free(&l.o);
}

static const struct bad {
    const char *args, *env, *text;
} bads[] = {
    {"", "", "--hosts FILE is needed: the Ansible INI inventory with the nodes and load balancers"},
    {"plam --hosts h", "", "there is no command \"plam\"; did you mean plan?"},
    {"fleet.ini", "", "there is no command \"fleet.ini\"; a hosts file is given as --hosts fleet.ini"},
    {"--hosts h --release r --version 2\xff", "",
     "--version: \"2\xff\" is not printable ASCII, which is all that agents take here"},
    {"--hosts h --release r --version gr\xc3\xbcn", "",
     "--version: \"gr\xc3\xbcn\" is not printable ASCII, which is all that agents take here"},
    {"--hosts h --health-body a\xff", "", "--health-body: the value is no UTF-8"},
    {"--hosts h --hook at-end=a\xff", "", "--hook: the value is no UTF-8"},
    {"frobnicate", "", "there is no command \"frobnicate\"; `rollout help` names them"},
    {"help optoins", "", "help is for a command or for \"options\", not for \"optoins\"; did you mean options?"},
    {"help frobnicate", "",
     "help is for a command or for \"options\", not for \"frobnicate\"; `rollout help` names the commands"},
    {"plan roll --hosts h", "",
     "one command at a time: \"roll\" is one too many; files are given by flags, as --hosts FILE"},
    {"help plan roll", "",
     "one command at a time: \"roll\" is one too many; files are given by flags, as --hosts FILE"},
    {"resume", "", "`rollout resume` needs the id of a rollout; `rollout history` lists them"},
    {"resume r1 --rollout-id r2", "",
     "--rollout-id is not for `rollout resume`, only for: roll, plan, repair, rollback"},
    {"show", "", "`rollout show` needs the id of a rollout; `rollout history` lists them"},
    {"show a b", "", "one rollout at a time: \"b\" is one too many"},
    {"status a/b", "", "rollout status: \"a/b\" is no name: letters, digits, . _ - and first a letter or digit"},
    {"history a", "", "one command at a time: \"a\" is one too many; files are given by flags, as --hosts FILE"},
    {"status --detailed-exitcode", "", "--detailed-exitcode is not for `rollout status`, only for: plan"},
    {"repair --hosts h --output json", "",
     "--output is not for `rollout repair`, only for: plan, status, history, show, agents, doctor, hosts, pause, "
     "abort, "
     "promote, version"},
    {"pause one", "", "--hosts FILE is needed: the Ansible INI inventory with the nodes and load balancers"},
    {"abort --hosts h", "", "`rollout abort` needs the id of a rollout; `rollout history` lists them"},
    {"--host h", "", "there is no option --host; did you mean --hosts?"},
    {"--hosts h --drain-timeuot=3s", "", "there is no option --drain-timeuot; did you mean --drain-timeout?"},
    {"--hosts h --max-unavail 3", "", "there is no option --max-unavail; did you mean --max-unavailable?"},
    {"--hosts h --frobnicate 1", "", "there is no option --frobnicate; `rollout help options` names them"},
    {"--hosts h --pause-after canaries", "",
     "--pause-after: \"canaries\" is neither \"canary\" nor a number from 1 to 1000000"},
    {"--hosts h --pause-after 0", "", "--pause-after: \"0\" is neither \"canary\" nor a number from 1 to 1000000"},
    {"-hosts h", "", "there is no option -hosts; did you mean --hosts?"},
    {"--hosts h -x", "", "there is no option -x; `rollout help options` names them"},
    {"--hosts h --c x", "", "there is no option --c; `rollout help options` names them"},
    {"--hosts", "", "--hosts needs a value"},
    {"--version", "",
     "--version needs a value, the label of the release; this program's own version is told by "
     "`rollout version`"},
    {"--hosts h --explain=1", "", "--explain takes no value"},
    {"--hosts h --detailed-exitcode", "", "--detailed-exitcode is not for `rollout roll`, only for: plan"},
    {"repair --hosts h --release r", "", "--release is not for `rollout repair`, only for: roll, plan, resume, doctor"},
    {"--hosts h --batch 0", "",
     "--batch: \"0\" is neither a number from 1 to 1000000 nor a percentage from 1% to 100%"},
    {"--hosts h --batch 1,,2", "",
     "--batch: \"\" is neither a number from 1 to 1000000 nor a percentage from 1% to 100%"},
    {"--hosts h --batch 101%", "",
     "--batch: \"101%\" is neither a number from 1 to 1000000 nor a percentage from 1% to 100%"},
    {"--hosts h --max-unavailable -1", "",
     "--max-unavailable: \"-1\" is neither a number from 1 to 1000000 nor a percentage from 1% to 100%"},
    {"--hosts h --success-threshold 256", "", "--success-threshold: \"256\" is no number from 1 to 255"},
    {"--hosts h --success-threshold 4294967297", "", "--success-threshold: \"4294967297\" is no number from 1 to 255"},
    {"--hosts h --lb-poll 2s", "", "--lb-poll: \"2s\" is not from 10ms to 1s"},
    {"--hosts h --on-drain-timeout wait", "", "--on-drain-timeout: \"wait\" is not one of: fail, proceed"},
    {"--hosts h --on-drain-timeout procede", "",
     "--on-drain-timeout: \"procede\" is not one of: fail, proceed; did you mean proceed?"},
    {"--hosts h --log-format jsno", "",
     "--log-format: \"jsno\" is not one of: auto, plain, github, gitlab, json; did you mean json?"},
    {"--hosts h", "ROLLOUT_FAILURE_ACTION=rolback",
     "environment variable ROLLOUT_FAILURE_ACTION: \"rolback\" is not one of: stop, continue, rollback; did you mean "
     "rollback?"},
    {"--hosts h --service a/b", "",
     "--service: \"a/b\" is no name: letters, digits, . _ - and first a letter or digit"},
    {"--hosts h --lb lb1", "", "--lb: \"lb1\" is no URL that begins with https:// or http://"},
    {"--hosts h --lb http://ann:secret@lb1/api", "",
     "--lb: an URL must not hold a user or a password; see --lb-auth-file"},
    {"--hosts h --lb http://lb1:99999/api", "",
     "--lb: \"http://lb1:99999/api\" has no port from 1 to 65535 behind the colon"},
    {"--hosts h --lb http://[::1/api", "",
     "--lb: \"http://[::1/api\" has no valid host: a name, an address, or an IPv6 address as [ADDR]"},
    {"--hosts h", "ROLLOUT_BATCH=many",
     "environment variable ROLLOUT_BATCH: \"many\" is neither a number from 1 to 1000000 nor a percentage from 1% to "
     "100%"},
};

static void a_usage_error_says_what_would_be_right(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        struct line l;
        assert_false(parse(&l, bads[i].args, bads[i].env));
        assert_string_equal(l.err.text, bads[i].text);
        options_free(&l.o);
    }
    char *argv[] = {"rollout", "--hosts=~/hosts", NULL};
    struct options o;
    struct err err = {0};
    assert_false(options_parse(2, argv, NULL, &o, &err));
    assert_string_equal(err.text, "--hosts: \"~/hosts\": a path that begins with ~ is not expanded; write it out");
    options_free(&o);
    argv[1] = "--hosts=h";
    assert_false(options_parse(2, argv, NULL, &o, &err));
    assert_string_equal(err.text, "--state DIR is needed where neither HOME nor XDG_STATE_HOME is set");
    options_free(&o);
    char *plan[] = {"rollout", "plan", "--hosts=h", NULL};
    assert_true(options_parse(3, plan, NULL, &o, &err)); /* it writes nothing */
    options_free(&o);
}

static bool merge(struct line *l, const char *args, const char *hosts, struct fleet **fleet)
{
    uint32_t nodes[16];
    size_t n = 0;
    assert_true(parse(l, args, ""));
    assert_true(fleet_parse("h", hosts, strlen(hosts), fleet, &l->err));
    for (uint32_t i = 0; i < (*fleet)->n_hosts; i++)
        if (!(*fleet)->hosts[i].api_url)
            nodes[n++] = i;
    return options_merge_fleet(&l->o, *fleet, nodes, n, &l->err);
}

static void the_hosts_file_stands_between_flag_and_default(void **state)
{
    (void)state;
    struct line l;
    struct fleet *fleet;
    assert_true(merge(&l, "--hosts h --bake 7s --key mine",
                      "[lb]\nlb1 rollout_api=http://lb1/api\n[lb:vars]\nrollout_batch=9\nrollout_cacert=lb.pem\n"
                      "[web]\na rollout_cert=a.pem rollout_key=a.key\nb\n"
                      "[web:vars]\nrollout_service=app\nrollout_batch=2\nrollout_bake=1s\nrollout_cert=all.pem\n"
                      "[all:vars]\nrollout_lb_poll=100ms\n",
                      &fleet));
    assert_string_equal(l.o.service, "app");
    assert_int_equal(l.o.batch.items[0].value, 2);
    assert_int_equal(l.o.source[OPT_batch], SOURCE_HOSTS);
    assert_int_equal(l.o.bake_ms, 7000);
    assert_int_equal(l.o.lb_poll_ms, 100);
    assert_string_equal(options_host_text(&l.o, fleet, 1, OPT_cert), "a.pem");
    assert_string_equal(options_host_text(&l.o, fleet, 2, OPT_cert), "all.pem");
    assert_null(options_host_text(&l.o, fleet, 0, OPT_cert));
    assert_string_equal(options_host_text(&l.o, fleet, 1, OPT_key), "mine");
    assert_string_equal(options_host_text(&l.o, fleet, 0, OPT_cacert), "lb.pem");
    assert_null(options_host_text(&l.o, fleet, 1, OPT_cacert));
    fleet_free(&fleet);
    options_free(&l.o);
}

static const struct {
    const char *args, *hosts, *text;
} disagreements[] = {
    {"--hosts h --service s", "[w]\na rollout_batch=2\nb\n",
     "h: rollout_batch must be the same for all: a (line 2) has \"2\", b (line 3) has none; set it below [all:vars], "
     "or take those that agree: --limit GROUP, or give --batch"},
    {"--hosts h", "[w]\na rollout_service=x\nb rollout_service=y\n",
     "h: rollout_service must be the same for all: a (line 2) has \"x\", b (line 3) has \"y\"; set it below "
     "[all:vars], or take those that agree: --limit GROUP, or give --service"},
    {"--hosts h --service s", "l rollout_api=http://l/api\na\n[w]\na\n[w:vars]\nrollout_lb_poll=1s\n",
     "h: rollout_lb_poll must be the same for all: l (line 1) has none, a (line 2) has \"1s\"; set it below "
     "[all:vars]"},
    {"--hosts h", "a\n", "h: which service? Set rollout_service below [all:vars], or give --service NAME"},
    {"--hosts h --service s", "a rollout_failure_action=rollback\n",
     "--failure-action rollback: a restart without --release FILE changes no release, so there is nothing to roll "
     "back; "
     "leave it out, or say stop or continue"},
    {"--hosts h --service s --version 2", "a\n", "--version labels a release, and there is no --release FILE"},
};

static void hosts_that_do_not_agree_are_both_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof disagreements / sizeof *disagreements; i++) {
        struct line l;
        struct fleet *fleet;
        assert_false(merge(&l, disagreements[i].args, disagreements[i].hosts, &fleet));
        assert_string_equal(l.err.text, disagreements[i].text);
        fleet_free(&fleet);
        options_free(&l.o);
    }
}

static void only_the_nodes_of_the_rollout_must_agree(void **state)
{
    (void)state;
    const char *hosts = "a rollout_service=x\nb rollout_service=y\n";
    struct line l;
    struct fleet *fleet;
    uint32_t node = 1;
    assert_true(parse(&l, "--hosts h", ""));
    assert_true(fleet_parse("h", hosts, strlen(hosts), &fleet, &l.err));
    assert_true(options_merge_fleet(&l.o, fleet, &node, 1, &l.err));
    assert_string_equal(l.o.service, "y");
    fleet_free(&fleet);
    options_free(&l.o);
}

static void shares_are_rounded_down_but_never_to_none(void **state)
{
    (void)state;
    static const struct {
        struct share share;
        uint32_t total, of;
    } rows[] = {
        {{1, false}, 10, 1}, {{3, false}, 2, 2},  {{20, true}, 10, 2}, {{20, true}, 14, 2},
        {{20, true}, 4, 1},  {{100, true}, 7, 7}, {{1, false}, 0, 0},  {{99, true}, UINT32_MAX, 4252017622u},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(share_of(rows[i].share, rows[i].total), rows[i].of);
}

/* A page: how many lines, none wider than a terminal of old. */
static unsigned lines_of(const char *text)
{
    unsigned n = 0;
    for (const char *line = text; *line; n++) {
        size_t size = strcspn(line, "\n");
        if (size > 80)
            fail_msg("wider than 80 columns: %.*s", (int)size, line);
        line += size + (line[size] == '\n');
    }
    return n;
}

static void every_option_has_its_lines_in_the_help_of_its_commands(void **state)
{
    (void)state;
    for (enum command c = 0; c <= COMMAND_COUNT; c++) {
        char *text = options_help(c), flag[80];
        for (size_t i = 0; i < OPT_COUNT; i++) {
            if (!option_rows[i].flag)
                continue;
            snprintf(flag, sizeof flag, "\n  --%s%c", option_rows[i].flag, option_rows[i].argument ? ' ' : '\0');
            bool there = strstr(text, flag) != NULL || !strncmp(text, flag + 1, strlen(flag + 1));
            assert_int_equal(there, c == COMMAND_COUNT || (c != COMMAND_HELP && option_rows[i].commands >> c & 1));
        }
        (void)lines_of(text);
        free(text);
    }
}

static void the_first_page_of_the_help_is_a_screen_with_every_command(void **state)
{
    (void)state;
    char *text = options_help(COMMAND_HELP), word[80];
    for (enum command c = 0; c < COMMAND_COUNT; c++) {
        snprintf(word, sizeof word, "\n  %s ", command_words[c]);
        if (!strstr(text, word))
            fail_msg("no line of %s", command_words[c]);
    }
    assert_in_range(lines_of(text), 1, 40);
    assert_non_null(strstr(text, "\n  rollout --hosts fleet.ini --release ./app-2 "));
    free(text);
}

static void a_line_not_understood_still_tells_in_which_form_to_answer(void **state)
{
    (void)state;
    static const struct {
        const char *args, *env;
        enum command command;
        uint32_t output, log_format;
    } rows[] = {
        {"plan --frobnicate --output json", "", COMMAND_PLAN, OUTPUT_JSON, LOG_FORMAT_AUTO},
        {"--output=json plan --frobnicate", "", COMMAND_PLAN, OUTPUT_JSON, LOG_FORMAT_AUTO},
        {"repair --frobnicate --log-format json", "", COMMAND_REPAIR, OUTPUT_TEXT, LOG_FORMAT_JSON},
        {"--batch 0", "ROLLOUT_LOG_FORMAT=json", COMMAND_ROLL, OUTPUT_TEXT, LOG_FORMAT_JSON},
        {"--batch 0 --log-format=plain", "ROLLOUT_LOG_FORMAT=json", COMMAND_ROLL, OUTPUT_TEXT, LOG_FORMAT_AUTO},
        {"--frobnicate", "", COMMAND_ROLL, OUTPUT_TEXT, LOG_FORMAT_AUTO},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct line l;
        assert_false(parse(&l, rows[i].args, rows[i].env));
        assert_int_equal(l.o.command, rows[i].command);
        assert_int_equal(l.o.output, rows[i].output);
        assert_int_equal(l.o.log_format, rows[i].log_format);
        options_free(&l.o);
    }
}

/* What is written out in options.def is what the flag's name says: nobody has to look a spelling up. */
static void names_of_one_option_are_spelled_alike(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPT_COUNT; i++) {
        const struct option_row *row = &option_rows[i];
        char key[80], env[80];
        if (!row->flag || row->id == OPT_rollout_id)
            continue;
        snprintf(key, sizeof key, "rollout_%s", row->flag);
        snprintf(env, sizeof env, "ROLLOUT_%s", row->flag);
        for (char *p = key; *p; p++)
            *p = *p == '-' ? '_' : *p;
        for (char *p = env; *p; p++)
            *p = (char)(*p == '-' ? '_' : *p >= 'a' && *p <= 'z' ? *p - 32 : *p);
        if (row->key)
            assert_string_equal(row->key, key);
        if (row->env)
            assert_string_equal(row->env, env);
        assert_int_equal(row->key == NULL, row->scope == SCOPE_NOT_HOSTS);
    }
}

static void a_variable_that_sets_nothing_is_named_with_the_one_that_was_meant(void **state)
{
    (void)state;
    static const struct {
        const char *env, *says; /* NULL: nothing */
    } rows[] = {
        {"", NULL},
        {"ROLLOUT_BATCH=3 ROLLOUT_ID=r XROLLOUT_BACTH=3 ROLLOUTS=3", NULL},
        {"ROLLOUT_BACTH=3", "ROLLOUT_BACTH (did you mean ROLLOUT_BATCH?)"},
        {"ROLLOUT_COLOUR=red ROLLOUT_DRAIN_TIMOUT=", "ROLLOUT_COLOUR, ROLLOUT_DRAIN_TIMOUT (did you mean "
                                                     "ROLLOUT_DRAIN_TIMEOUT?)"},
        {"ROLLOUT_ZONE=a", "ROLLOUT_ZONE (only in the hosts file, as rollout_zone)"},
        {"ROLLOUT_POINT=at-end ROLLOUT_ZONE=a ROLLOUT_PEERS=a,b ROLLOUT_EXIT_CODE=0", NULL}, /* a hook's facts */
        {"ROLLOUT_POINT=at-end ROLLOUT_NODES=a", NULL},
        {"ROLLOUT_POINT=at-end ROLLOUT_BACTH=3", "ROLLOUT_BACTH (did you mean ROLLOUT_BATCH?)"},
        {"ROLLOUT_1=1 ROLLOUT_2=1 ROLLOUT_3=1 ROLLOUT_4=1 ROLLOUT_5=1 ROLLOUT_6=1 ROLLOUT_7=1 ROLLOUT_8=1 ROLLOUT_9=1",
         "ROLLOUT_1, ROLLOUT_2, ROLLOUT_3, ROLLOUT_4, ROLLOUT_5, ROLLOUT_6, ROLLOUT_7, ROLLOUT_8 and 1 more"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct words env;
        words_split(&env, "HOME=/h", rows[i].env);
        char *said = options_env_unknown(env.list);
        if ((said == NULL) != (rows[i].says == NULL) || (said != NULL && strcmp(said, rows[i].says) != 0))
            fail_msg("%s: \"%s\"", rows[i].env, said != NULL ? said : "");
        free(said);
    }
    assert_null(options_env_unknown(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_are_those_of_the_table),
        cmocka_unit_test(each_type_is_read_with_its_unit),
        cmocka_unit_test(a_flag_beats_the_environment),
        cmocka_unit_test(help_and_version_need_nothing_else),
        cmocka_unit_test(a_usage_error_says_what_would_be_right),
        cmocka_unit_test(the_hosts_file_stands_between_flag_and_default),
        cmocka_unit_test(hosts_that_do_not_agree_are_both_named),
        cmocka_unit_test(only_the_nodes_of_the_rollout_must_agree),
        cmocka_unit_test(shares_are_rounded_down_but_never_to_none),
        cmocka_unit_test(every_option_has_its_lines_in_the_help_of_its_commands),
        cmocka_unit_test(the_first_page_of_the_help_is_a_screen_with_every_command),
        cmocka_unit_test(a_line_not_understood_still_tells_in_which_form_to_answer),
        cmocka_unit_test(names_of_one_option_are_spelled_alike),
        cmocka_unit_test(a_variable_that_sets_nothing_is_named_with_the_one_that_was_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
