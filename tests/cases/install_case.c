/* install_case.c - make install puts each file where Debian's programs look for it, and make uninstall takes it away.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/stage/proc.h"
#include "tests/stage/test.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
    const char *path; /* below PREFIX */
    mode_t mode;
} FILES[] = {
    {"bin/rollout", 0755},
    {"sbin/rollout-agent", 0755},
    {"bin/demo-server", 0755},
    {"bin/rollout-pki", 0755},
    {"lib/nginx/modules/ngx_http_upstream_api_module.so", 0644},
    {"lib/nginx/modules/ngx_stream_upstream_api_module.so", 0644},
    {"share/nginx/modules-available/mod-http-upstream-api.conf", 0644},
    {"share/nginx/modules-available/mod-stream-upstream-api.conf", 0644},
    {"share/doc/rollout/nginx.conf", 0644},
    {"share/doc/rollout/upstream_api_state.conf", 0644},
    {"lib/systemd/system/rollout-agent.service", 0644},
    {"lib/systemd/system/rollout-agent-helper@.service", 0644},
    {"lib/systemd/system/rollout-agent-helper@.socket", 0644},
    {"lib/sysusers.d/rollout-agent.conf", 0644},
    {"lib/systemd/system/demo-server.service", 0644},
    {"share/doc/rollout/rollout-agent.conf", 0644},
    {"share/bash-completion/completions/rollout", 0644},
    {"share/zsh/vendor-completions/_rollout", 0644},
    {"share/fish/vendor_completions.d/rollout.fish", 0644},
    {"share/man/man1/rollout.1", 0644},
    {"share/man/man1/rollout-pki.1", 0644},
    {"share/man/man1/demo-server.1", 0644},
    {"share/man/man5/rollout-hosts.5", 0644},
    {"share/man/man8/rollout-agent.8", 0644},
};

/* With what the caller of this program gave to make set aside. */
static void make(struct stage *s, const char *target, const char *prefix, const char *destdir)
{
    const char *flavour = stage_text(s, "FLAVOUR=%s", strrchr(s->build, '/') + 1);
    const char *const argv[] = {"/usr/bin/env", "-u",    "MAKEFLAGS", "-u",    "MAKELEVEL", "make",  "-s",
                                "-C",           s->root, target,      flavour, prefix,      destdir, NULL};
    struct stage_run r = stage_run(s, 120000, argv);

    if (r.exit_code != 0)
        stage_fail(s, "make %s ended with %d: %s", target, r.exit_code, r.err);
}

/* What is left below the folder where it all went. */
static unsigned count_files(struct stage *s)
{
    const char *const argv[] = {"/usr/bin/find", stage_text(s, "%s/root", s->dir), "!", "-type", "d", NULL};
    struct stage_run r = stage_run(s, 10000, argv);
    unsigned lines = 0;

    assert_int_equal(r.exit_code, 0);
    for (const char *c = r.out; *c != '\0'; c++)
        lines += *c == '\n';
    return lines;
}

static void check(struct stage *s, const char *prefix)
{
    const char *destdir = stage_text(s, "DESTDIR=%s/root", s->dir), *give = stage_text(s, "PREFIX=%s", prefix);
    struct stat what;

    make(s, "install", give, destdir);
    for (size_t i = 0; i < COUNT(FILES); i++) {
        const char *path = stage_text(s, "%s/root%s/%s", s->dir, prefix, FILES[i].path);

        if (stat(path, &what) != 0)
            fail_msg("%s is not there", path);
        assert_int_equal(what.st_mode & 07777, FILES[i].mode);
        assert_true(what.st_size > 0);
    }
    assert_int_equal(count_files(s), COUNT(FILES)); /* and nothing else */
    make(s, "uninstall", give, destdir);
    assert_int_equal(count_files(s), 0);
    for (size_t i = 0; i < COUNT(FILES); i++)
        assert_int_not_equal(stat(stage_text(s, "%s/root%s/%s", s->dir, prefix, FILES[i].path), &what), 0);
}

static void install_puts_files_where_they_belong_and_uninstall_removes_them(struct stage *s)
{
    check(s, "/usr");
}

static void another_prefix_goes_into_what_names_the_files(struct stage *s)
{
    const char *unit;

    make(s, "install", "PREFIX=/opt/x", stage_text(s, "DESTDIR=%s/root", s->dir));
    unit = stage_read(s, "root/opt/x/lib/systemd/system/rollout-agent.service");
    assert_non_null(strstr(unit, "ExecStart=/opt/x/sbin/rollout-agent"));
    assert_null(strstr(unit, "=/usr/sbin"));
    unit = stage_read(s, "root/opt/x/lib/systemd/system/rollout-agent-helper@.service");
    assert_non_null(strstr(unit, "ExecStart=/opt/x/sbin/rollout-agent --helper"));
    unit = stage_read(s, "root/opt/x/lib/systemd/system/demo-server.service");
    assert_non_null(strstr(unit, "ExecStart=/opt/x/bin/demo-server"));
    assert_string_equal(stage_read(s, "root/opt/x/share/nginx/modules-available/mod-http-upstream-api.conf"),
                        "load_module /opt/x/lib/nginx/modules/ngx_http_upstream_api_module.so;\n");
    assert_string_equal(stage_read(s, "root/opt/x/share/nginx/modules-available/mod-stream-upstream-api.conf"),
                        "load_module /opt/x/lib/nginx/modules/ngx_stream_upstream_api_module.so;\n");
    make(s, "uninstall", "PREFIX=/opt/x", stage_text(s, "DESTDIR=%s/root", s->dir));
    check(s, "/usr/local");
}

/* What systemd itself says of the units, where it is installed: as they are below the prefix, with its programs. */
static struct stage_run analyze(struct stage *s, const char *prefix, const char *const *args)
{
    const char *argv[16] = {"/usr/bin/env", stage_text(s, "SYSTEMD_UNIT_PATH=%s/lib/systemd/system:", prefix),
                            "/usr/bin/systemd-analyze"};
    size_t n = 3;

    for (; *args != NULL; args++)
        argv[n++] = *args;
    return stage_run(s, 30000, argv);
}

static const char *install_below(struct stage *s)
{
    const char *prefix = stage_text(s, "%s/root", s->dir);

    if (access("/usr/bin/systemd-analyze", X_OK) != 0) {
        (void)fprintf(stderr, "skipped: systemd-analyze is not installed\n");
        skip();
    }
    make(s, "install", stage_text(s, "PREFIX=%s", prefix), "DESTDIR=");
    return prefix;
}

static void systemd_finds_no_fault_in_the_units(struct stage *s)
{
    static const char *const units[] = {"rollout-agent.service", "rollout-agent-helper@daemon.service",
                                        "rollout-agent-helper@daemon.socket", "demo-server.service"};
    const char *prefix = install_below(s);

    for (size_t i = 0; i < COUNT(units); i++) {
        struct stage_run r = analyze(s, prefix, (const char *const[]){"verify", "--man=no", units[i], NULL});
        if (r.exit_code != 0 || strstr(r.err, "rollout") != NULL || strstr(r.err, "demo-server") != NULL)
            fail_msg("%s: exit code %d: %s%s", units[i], r.exit_code, r.out, r.err);
    }
    make(s, "uninstall", stage_text(s, "PREFIX=%s", prefix), "DESTDIR=");
}

/* The threshold is in tenths of what it prints. */
static void the_network_half_is_exposed_by_1_5_at_most(struct stage *s)
{
    const char *prefix = install_below(s);
    const char *unit = stage_text(s, "%s/lib/systemd/system/rollout-agent.service", prefix);
    struct stage_run r = analyze(
        s, prefix, (const char *const[]){"security", "--offline=true", "--no-pager", "--threshold=15", unit, NULL});

    if (r.exit_code != 0 || strstr(r.out, "Overall exposure level") == NULL)
        fail_msg("exit code %d: %s%s", r.exit_code, r.out, r.err);
    make(s, "uninstall", stage_text(s, "PREFIX=%s", prefix), "DESTDIR=");
}

/* systemd's answer to openat2(2) is ENOSYS where it keeps set-user-ID files away: it cannot look into what is asked.
 * The helper opens all that is beneath its folders by it. Seen with a real systemd by `make readme`. */
static void the_helpers_unit_leaves_it_openat2(struct stage *s)
{
    const char *unit = stage_read(s, stage_text(s, "%s/deploy/systemd/rollout-agent-helper@.service", s->root));

    assert_null(strstr(unit, "\nRestrictSUIDSGID=yes"));
    assert_non_null(strstr(unit, "\nSystemCallFilter=@system-service"));
}

/* `systemctl restart` returns when it may be used. The services that the helper starts do not speak for it. */
static void the_agents_units_have_started_when_the_agent_says_so(struct stage *s)
{
    static const char *const units[] = {"rollout-agent.service", "rollout-agent-helper@.service"};

    for (size_t i = 0; i < COUNT(units); i++) {
        const char *unit = stage_read(s, stage_text(s, "%s/deploy/systemd/%s", s->root, units[i]));
        assert_non_null(strstr(unit, "\nType=notify\nNotifyAccess=main\n"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(install_puts_files_where_they_belong_and_uninstall_removes_them),
        stage_test(another_prefix_goes_into_what_names_the_files),
        stage_test(systemd_finds_no_fault_in_the_units),
        stage_test(the_network_half_is_exposed_by_1_5_at_most),
        stage_test(the_helpers_unit_leaves_it_openat2),
        stage_test(the_agents_units_have_started_when_the_agent_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
