#include "agent/config.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define AGENT            "[agent]\nnode = n1\nlisten = 127.0.0.1:7000\n"
#define SERVICE          "[service app]\nexecutable = /opt/app\npidfile = /run/app.pid\nhealth = http://127.0.0.1:80/h\n"
#define NOWHERE_AS(name) "[service " name "]\nexecutable = /opt/app\nhealth = http://127.0.0.1:80/h\n"
#define NOWHERE          NOWHERE_AS("app") /* no way to its process */
#define TLS              "tls-cert = /c\ntls-key = /k\ntls-ca = /a\nallow = ctl\n"

static void a_good_file_is_read_with_its_defaults(void **state)
{
    const char *text = AGENT "max-release = 1m\n" SERVICE "ready-timeout = 1m30s\n\n# second\n[service b]\n"
                             "executable=/opt/b\npidfile=/run/b\nhealth=http://[::1]:81\nsignal = USR1\n";
    struct config config;
    struct err err = {""};

    (void)state;
    if (!config_parse("f", text, strlen(text), &config, &err))
        fail_msg("%s", err.text);
    assert_string_equal(config.node, "n1");
    assert_string_equal(config.state, "/var/lib/rollout-agent");
    assert_int_equal(config.max_release_bytes, 1024 * 1024);
    assert_false(config_uses_tls(&config));
    assert_int_equal(config.service_count, 2);
    assert_string_equal(config.services[0].name, "app");
    assert_string_equal(config.services[0].health.path, "/h");
    assert_int_equal(config.services[0].ready_timeout_ms, 90000);
    assert_int_equal(config.services[0].health_timeout_ms, 2000);
    assert_int_equal(config.services[0].signal, SIGUSR2);
    assert_true(config.services[0].require_signature);
    assert_int_equal(config.services[0].sign_keys.count, 0);
    assert_int_equal(config.services[0].kind, KIND_BINARY);
    assert_int_equal(config.services[0].keep, 3);
    assert_int_equal(config.services[0].version.addr_size, 0);
    assert_string_equal(config.services[1].health.host, "[::1]:81");
    assert_string_equal(config.services[1].health.path, "/");
    assert_int_equal(config.services[1].signal, SIGUSR1);
    config_free(&config);
}

static void a_service_is_found_and_restarted_as_its_section_says(void **state)
{
    const char *text =
        AGENT NOWHERE "listen-on = :8080\n" NOWHERE_AS("b") "unit = app@1\nrestart = systemd\n" NOWHERE_AS(
            "c") "listen-on = [::1]:81\nrestart = exec\nexec-args = -p 81 'a b'\ndrain-timeout = 3s\n";
    struct config config;
    struct err err = {""};

    (void)state;
    if (!config_parse("f", text, strlen(text), &config, &err))
        fail_msg("%s", err.text);
    assert_int_equal(config.services[0].listen_on.port, 8080);
    assert_true(tcp_addr_is_any(&config.services[0].listen_on));
    assert_int_equal(config.services[0].restart, RESTART_SIGNAL);
    assert_false(config_can_start(&config.services[0]));
    assert_string_equal(config.services[1].unit, "app@1.service");
    assert_int_equal(config.services[1].restart, RESTART_SYSTEMD);
    assert_true(config_can_start(&config.services[1]));
    assert_true(config.services[2].listen_on.v6);
    assert_int_equal(config.services[2].restart, RESTART_EXEC);
    assert_int_equal(config.services[2].drain_timeout_ms, 3000);
    assert_string_equal(config.services[2].exec_args, "-p 81 'a b'");
    assert_string_equal(config.services[2].exec_dir, "/");
    assert_true(config_can_start(&config.services[2]));
    config_free(&config);
}

static void where_anybody_could_come_in_mutual_tls_is_needed(void **state)
{
    static const struct {
        const char *listen;
        bool plain_ok, tls_ok;
    } table[] = {
        {"127.0.0.1:1", true, true}, {"127.8.0.1:1", true, true},  {"[::1]:1", true, true},
        {"0.0.0.0:1", false, true},  {"10.0.0.1:1", false, true},  {":1", false, true},
        {"[::]:1", false, true},     {"unix:/run/a", true, false}, {"128.0.0.1:1", false, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        for (int tls = 0; tls < 2; tls++) {
            struct config config;
            struct err err = {""};
            char text[1024];

            (void)snprintf(text, sizeof text, "[agent]\nnode = n1\nlisten = %s\n%s" SERVICE, table[i].listen,
                           tls ? TLS : "");
            if (config_parse("f", text, strlen(text), &config, &err) != (tls ? table[i].tls_ok : table[i].plain_ok))
                fail_msg("%s, tls %d: %s", table[i].listen, tls, err.text);
            config_free(&config);
        }
    }
}

static void an_error_names_file_line_and_what_to_do(void **state)
{
    static const struct {
        const char *text, *why;
    } table[] = {
        {"", "f: [agent]: node is missing"},
        {"node = x\n", "f:1: "},
        {"[agnet]\n", "f:1: the section [agnet]"},
        {"[service]\n", "f:1: the section [service]"},
        {"[service a/b]\n", "f:1: the service's name"},
        {AGENT "lisen = 1\n", "f:4: the key \"lisen\" is unknown here; did you mean \"listen\"?"},
        {AGENT "health = x\n", "f:4: the key \"health\" is unknown here"},
        {AGENT "node = n2\n", "f:4: node is given twice"},
        {AGENT "nonsense\n", "f:4: neither"},
        {AGENT "= 1\n", "f:4: no key"},
        {AGENT "state = var\n", "f:4: state: \"var\" is no absolute path"},
        {AGENT "max-release = 12q\n", "f:4: max-release: \"12q\""},
        {AGENT "max-release = 0\n", "f:4: max-release"},
        {AGENT "max-release = 9999999999g\n", "f:4: max-release"},
        {AGENT, "f: there is no [service NAME]"},
        {AGENT SERVICE "require-signature = yes\n", "f:8: require-signature: \"yes\" is neither on nor off"},
        {AGENT SERVICE "sign-key = release.pub\n", "f:8: sign-key: neither an absolute path nor a key"},
        {AGENT SERVICE "sign-key = /1\nsign-key = /2\nsign-key = /3\nsign-key = /4\nsign-key = /5\n",
         "f:12: sign-key: more"},
        {AGENT SERVICE "kind = elf\n", "f:8: kind: \"elf\" is none of binary, script, any"},
        {AGENT SERVICE "keep = 1\n", "f:8: keep: \"1\" is no number from 2 to 100"},
        {AGENT SERVICE "keep = 1e1\n", "f:8: keep:"},
        {AGENT "tls-cert = /c\n" SERVICE, "f: [agent]: tls-cert, tls-key and tls-ca"},
        {AGENT "allow = x\n" SERVICE, "f: [agent]: allow needs TLS"},
        {AGENT "tls-cert = /c\ntls-key = /k\ntls-ca = /a\n" SERVICE, "f: [agent]: with TLS, allow"},
        {AGENT SERVICE "[service app]\n", "f:8: the service app is there twice"},
        {AGENT "[service app]\npidfile = /p\n", "f: [service app]: executable is missing"},
        {AGENT SERVICE "version-url = https://127.0.0.1/\n", "f:8: version-url: \"https://127.0.0.1/\" does not begin"},
        {AGENT SERVICE "version-url = http://name:1/\n", "f:8: version-url: \"name:1\" is no numeric"},
        {AGENT SERVICE "version-url = http://127.0.0.1:80/a b\n", "f:8: version-url: the path holds a blank"},
        {AGENT SERVICE "restart = reload\n", "f:8: restart: \"reload\" is none of signal, systemd, exec"},
        {AGENT SERVICE "listen-on = :80\n", "f: [service app]: pidfile and listen-on are two ways"},
        {AGENT NOWHERE, "f: [service app]: how is its process found? Give one of pidfile, listen-on and unit"},
        {AGENT NOWHERE "listen-on = :0\n", "f:7: listen-on: \":0\" is no numeric"},
        {AGENT NOWHERE "listen-on = name:80\n", "f:7: listen-on"},
        {AGENT NOWHERE "unit = ../app\n", "f:7: unit: \"../app\" is no name"},
        {AGENT NOWHERE "unit = a b\n", "f:7: unit: \"a b\" is no name"},
        {AGENT NOWHERE "unit = app\nrestart = exec\n", "f: [service app]: restart = exec and unit"},
        {AGENT SERVICE "restart = systemd\n", "f: [service app]: restart = systemd needs unit"},
        {AGENT SERVICE "restart = exec\nretire = QUIT\n", "f: [service app]: retire belongs to restart = signal"},
        {AGENT SERVICE "restart = systemd\nunit = a\nexec-args = -v\n", "f: [service app]: exec-args and unit"},
        {AGENT SERVICE "retire = KILL\n", "f:8: retire: \"KILL\" is none of SIGQUIT, SIGTERM"},
        {AGENT SERVICE "exec-args = -x 'a\n", "f:8: exec-args: a quote that never ends"},
        {AGENT SERVICE "signal = SIGKILL\n", "f:8: signal: \"SIGKILL\""},
        {AGENT SERVICE "ready-timeout = 0s\n", "f:8: ready-timeout"},
        {AGENT SERVICE "ready-timeout = soon\n", "f:8: ready-timeout"},
        {"[agent]\nnode = n 1\n", "f:2: node: \"n 1\""},
        {"[agent]\nlisten = 1.2.3.4\n", "f:2: listen"},
        {"[agent]\nlisten = unix:sock\n", "f:2: listen: unix:"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct config config;
        struct err err = {""};

        if (config_parse("f", table[i].text, strlen(table[i].text), &config, &err) ||
            strncmp(err.text, table[i].why, strlen(table[i].why)) != 0)
            fail_msg("row %zu: \"%s\" instead of \"%s\"", i, err.text, table[i].why);
        config_free(&config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_file_is_read_with_its_defaults),
        cmocka_unit_test(a_service_is_found_and_restarted_as_its_section_says),
        cmocka_unit_test(where_anybody_could_come_in_mutual_tls_is_needed),
        cmocka_unit_test(an_error_names_file_line_and_what_to_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
