/* unit_test.c - which units a handover survives, and how a unit's file and its drop-ins come together. */
#include "agent/unit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SIMPLE "[Service]\nType=simple\n"

static struct unit parsed(const char *text)
{
    struct unit unit = {0};
    struct err err = {""};

    if (!unit_parse("u", text, strlen(text), &unit, &err))
        fail_msg("%s", err.text);
    return unit;
}

static void a_unit_that_a_handover_does_not_survive_is_refused_with_what_mends_it(void **state)
{
    static const struct {
        const char *text;
        enum restart restart;
        const char *pidfile;
        const char *why, *drop_in; /* why NULL: it is fine */
    } rows[] = {
        {SIMPLE, RESTART_SIGNAL, "/run/app.pid", "app.service has Type=simple: when the process before leaves",
         "[Service]\nPIDFile=/run/app.pid\n"},
        {"[Service]\nExecStart=/x\n", RESTART_SIGNAL, "/run/app.pid", "app.service has Type=simple",
         "PIDFile=/run/app.pid"},
        {"[Service]\nType=exec\n", RESTART_SIGNAL, "", "app.service has Type=exec", "Type=notify\nNotifyAccess=all\n"},
        {"[Service]\nType=exec\n", RESTART_SIGNAL, "", "kills the successor", "restart = systemd"},
        {SIMPLE "KillMode=process\n", RESTART_SIGNAL, "", "knows nothing of the successor any more", "Type=notify"},
        {"[Service]\nBusName=org.x\n", RESTART_SIGNAL, "", "app.service has Type=dbus", "NotifyAccess=all"},
        {"[Service]\nType=forking\n", RESTART_SIGNAL, "/p", "app.service has Type=forking", "PIDFile=/p"},
        {"[Service]\nType=notify\n", RESTART_SIGNAL, "/p", "Type=notify and NotifyAccess=main", "NotifyAccess=all"},
        {"[Service]\nType=notify\nNotifyAccess=exec\n", RESTART_SIGNAL, "/p", "NotifyAccess=exec", "NotifyAccess=all"},
        {"[Service]\nType=forking\nPIDFile=/run/other.pid\n", RESTART_SIGNAL, "/run/app.pid",
         "PIDFile=/run/other.pid, and pidfile is /run/app.pid", "PIDFile=/run/app.pid"},
        {"[Service]\nKillMode=none\n", RESTART_SYSTEMD, "/p", "app.service has KillMode=none", "KillMode=mixed"},

        {"[Service]\nType=notify\nNotifyAccess=all\n", RESTART_SIGNAL, "/p", NULL, NULL},
        {"[Service]\nType=notify-reload\nNotifyAccess = all\n", RESTART_SIGNAL, "", NULL, NULL},
        {"[Service]\nType=forking\nPIDFile=/run/app.pid\n", RESTART_SIGNAL, "/run/app.pid", NULL, NULL},
        {SIMPLE "PIDFile=app.pid\n", RESTART_SIGNAL, "/run/app.pid", NULL, NULL},
        {SIMPLE "PIDFile=/var/run/app.pid\n", RESTART_SIGNAL, "/run/app.pid", NULL, NULL},
        {SIMPLE "PIDFile=%t/app.pid\n", RESTART_SIGNAL, "/run/app.pid", NULL, NULL},
        {"[Service]\nType=notify\nPIDFile=/run/app.pid\n", RESTART_SIGNAL, "/run/app.pid", NULL, NULL},
        {SIMPLE, RESTART_SYSTEMD, "/p", NULL, NULL},
        {SIMPLE "Type=notify\nNotifyAccess=all\n", RESTART_SIGNAL, "", NULL, NULL}, /* the last one counts */
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct service_config service = {.unit = "app.service", .restart = rows[i].restart};
        struct unit unit = parsed(rows[i].text);
        struct unit_fault fault;
        bool fine;

        (void)snprintf(service.pidfile, sizeof service.pidfile, "%s", rows[i].pidfile);
        fine = unit_check(&unit, &service, &fault);
        if (fine != (rows[i].why == NULL))
            fail_msg("row %zu: %s", i, fault.err.text);
        if (!fine && (strstr(fault.err.text, rows[i].why) == NULL || strstr(fault.drop_in, rows[i].drop_in) == NULL))
            fail_msg("row %zu: %s: %s", i, fault.err.text, fault.drop_in);
    }
}

static void keys_of_other_sections_and_lines_that_go_on_are_none(void **state)
{
    struct unit unit =
        parsed("[Unit]\nType=forking\n[Service]\n# Type=idle\nExecStart=/x \\\nType=oneshot\nTypes=dbus\n"
               "KillMode = mixed \n[Install]\nType=exec\n");

    (void)state;
    assert_string_equal(unit.type, "");
    assert_string_equal(unit.kill_mode, "mixed");
}

static void the_drop_in_that_mends_a_unit_does(void **state)
{
    struct service_config service = {.unit = "app.service", .pidfile = "/run/app.pid"};
    struct unit unit = parsed(SIMPLE);
    struct unit_fault fault;
    struct err err = {""};

    (void)state;
    assert_false(unit_check(&unit, &service, &fault));
    assert_true(unit_parse("d", fault.drop_in, strlen(fault.drop_in), &unit, &err));
    assert_true(unit_check(&unit, &service, &fault));
    service.pidfile[0] = '\0';
    unit = parsed(SIMPLE);
    assert_false(unit_check(&unit, &service, &fault));
    assert_true(unit_parse("d", fault.drop_in, strlen(fault.drop_in), &unit, &err));
    assert_true(unit_check(&unit, &service, &fault));
}

static void an_agent_that_starts_services_must_not_take_them_along(void **state)
{
    struct unit unit = parsed("[Service]\n");
    struct unit_fault fault;

    (void)state;
    assert_false(unit_check_own(&unit, &fault));
    assert_non_null(strstr(fault.err.text, "KillMode=control-group"));
    assert_string_equal(fault.drop_in, "[Service]\nKillMode=process\n");
    unit = parsed("[Service]\nKillMode=process\n");
    assert_true(unit_check_own(&unit, &fault));
}

static void the_unit_of_a_control_group_is_its_last_part(void **state)
{
    char name[CONFIG_UNIT_MAX + 1];

    (void)state;
    assert_true(unit_of_cgroup("0::/system.slice/rollout-agent.service\n", name));
    assert_string_equal(name, "rollout-agent.service");
    assert_true(unit_of_cgroup("4:memory:/\n1:name=systemd:/system.slice/a.service\n", name));
    assert_string_equal(name, "a.service");
    assert_false(unit_of_cgroup("0::/\n4:memory:/user.slice/session-1.scope\n", name));
    assert_false(unit_of_cgroup("0::/system.slice/.service", name));
    assert_false(unit_of_cgroup("", name));
}

/* ---- folders */

struct place {
    char root[64];
};

static int make_place(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    assert_non_null(p);
    (void)strcpy(p->root, "/tmp/unit_test.XXXXXX");
    assert_non_null(mkdtemp(p->root));
    *state = p;
    return 0;
}

static int remove_place(void **state)
{
    struct place *p = *state;
    char command[96];

    (void)snprintf(command, sizeof command, "rm -r %s", p->root);
    assert_int_equal(system(command), 0);
    free(p);
    return 0;
}

static void put(const struct place *p, const char *path, const char *text)
{
    char full[512];
    FILE *file;

    (void)snprintf(full, sizeof full, "%s%s", p->root, path);
    for (char *slash = full + strlen(p->root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        (void)mkdir(full, 0700);
        *slash = '/';
    }
    file = fopen(full, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static struct unit found(const struct place *p, const char *name)
{
    struct unit unit;
    struct err err = {""};

    if (!unit_read(p->root, name, "", &unit, &err))
        fail_msg("%s", err.text);
    return unit;
}

static void the_file_of_the_first_folder_and_all_drop_ins_in_the_order_of_their_names_count(void **state)
{
    const struct place *p = *state;

    put(p, "/usr/lib/systemd/system/a-b.service", "[Service]\nType=forking\nKillMode=none\n");
    assert_string_equal(found(p, "a-b.service").type, "forking");
    put(p, "/etc/systemd/system/a-b.service", "[Service]\nType=exec\nRestart=no\n");
    assert_string_equal(found(p, "a-b.service").type, "exec");
    assert_string_equal(found(p, "a-b.service").kill_mode, "");
    put(p, "/usr/lib/systemd/system/a-b.service.d/20.conf", "[Service]\nType=notify\nRestart=always\n");
    assert_string_equal(found(p, "a-b.service").type, "notify");
    put(p, "/etc/systemd/system/a-b.service.d/10.conf", "[Service]\nType=oneshot\nKillMode=mixed\n");
    assert_string_equal(found(p, "a-b.service").type, "notify");
    assert_string_equal(found(p, "a-b.service").kill_mode, "mixed");
    put(p, "/etc/systemd/system/a-b.service.d/20.conf", "[Service]\nNotifyAccess=all\n"); /* hides the other 20.conf */
    assert_string_equal(found(p, "a-b.service").type, "oneshot");
    assert_string_equal(found(p, "a-b.service").restart, "no");
    put(p, "/run/systemd/system/service.d/30.conf", "[Service]\nType=idle\n");
    assert_string_equal(found(p, "a-b.service").type, "idle");
    put(p, "/run/systemd/system/a-.service.d/40.conf", "[Service]\nType=dbus\n");
    assert_string_equal(found(p, "a-b.service").type, "dbus");
    put(p, "/run/systemd/system/a-b.service.d/50.notconf", "[Service]\nType=simple\n");
    assert_string_equal(found(p, "a-b.service").type, "dbus");
}

static void an_instance_is_of_its_template(void **state)
{
    const struct place *p = *state;

    put(p, "/etc/systemd/system/app@.service", "[Service]\nType=notify\n");
    put(p, "/etc/systemd/system/app@.service.d/1.conf", "[Service]\nNotifyAccess=all\n");
    assert_string_equal(found(p, "app@one.service").type, "notify");
    assert_string_equal(found(p, "app@one.service").notify_access, "all");
}

static void a_unit_that_is_not_there_or_masked_is_an_error_that_says_so(void **state)
{
    const struct place *p = *state;
    char path[256];
    struct unit unit;
    struct err err = {""};

    assert_false(unit_read(p->root, "app.service", "", &unit, &err));
    assert_non_null(strstr(err.text, "the unit app.service is in none of systemd's folders"));
    put(p, "/etc/systemd/system/other", "");
    (void)snprintf(path, sizeof path, "%s/etc/systemd/system/app.service", p->root);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_false(unit_read(p->root, "app.service", "", &unit, &err));
    assert_non_null(strstr(err.text, "the unit app.service is masked"));
}

static void a_file_that_was_named_is_taken_with_the_drop_ins_beside_it(void **state)
{
    const struct place *p = *state;
    char path[256];
    struct unit unit;
    struct err err = {""};

    put(p, "/x/app.service", "[Service]\nType=exec\n");
    put(p, "/x/app.service.d/a.conf", "[Service]\nPIDFile=/run/a\n");
    (void)snprintf(path, sizeof path, "%s/x/app.service", p->root);
    assert_true(unit_read(p->root, "app.service", path, &unit, &err));
    assert_string_equal(unit.type, "exec");
    assert_string_equal(unit.pid_file, "/run/a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unit_that_a_handover_does_not_survive_is_refused_with_what_mends_it),
        cmocka_unit_test(keys_of_other_sections_and_lines_that_go_on_are_none),
        cmocka_unit_test(the_drop_in_that_mends_a_unit_does),
        cmocka_unit_test(an_agent_that_starts_services_must_not_take_them_along),
        cmocka_unit_test(the_unit_of_a_control_group_is_its_last_part),
        cmocka_unit_test_setup_teardown(the_file_of_the_first_folder_and_all_drop_ins_in_the_order_of_their_names_count,
                                        make_place, remove_place),
        cmocka_unit_test_setup_teardown(an_instance_is_of_its_template, make_place, remove_place),
        cmocka_unit_test_setup_teardown(a_unit_that_is_not_there_or_masked_is_an_error_that_says_so, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(a_file_that_was_named_is_taken_with_the_drop_ins_beside_it, make_place,
                                        remove_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
