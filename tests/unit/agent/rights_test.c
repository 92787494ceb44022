/* Whether a release could be put in place is known before a job needs it. */
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/rights.h"

#define OTHER 65534 /* who owns nothing here */

static void who_we_are_is_read_from_the_status(void **state)
{
    static const char text[] = "Name:\tx\nUid:\t1\t2\t3\t1000\nGid:\t5\t6\t7\t1001\nGroups:\t4 27 \nCapEff:\t%s\n";
    static const struct {
        const char *caps;
        uid_t owner;
        gid_t group;
        bool may;
    } rows[] = {
        {"0000000000000000", 1000, 1001, true}, {"0000000000000000", 1000, 27, true},
        {"0000000000000000", 1000, 7, false},   {"0000000000000000", 1000, 2, false},
        {"0000000000000000", 0, 1001, false},   {"0000000000000002", 0, 0, false},
        {"0000000000000001", 0, 0, true},
    };
    struct rights_who who;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char status[256], *at;
        (void)snprintf(status, sizeof status, "%s", text);
        at = strstr(status, "%s");
        (void)snprintf(at, sizeof status - (size_t)(at - status), "%s\n", rows[i].caps);
        assert_true(rights_read(status, &who, NULL));
        assert_int_equal(rights_to_give(&who, rows[i].owner, rows[i].group), rows[i].may);
    }
    assert_false(rights_read("Uid:\t1\n", &who, NULL));
}

struct bench {
    char folder[64], path[96];
    struct service_config service;
};

static struct bench bench(mode_t mode, uid_t owner)
{
    struct bench b = {.folder = "/tmp/rollout-rights-XXXXXX"};
    int fd;

    assert_non_null(mkdtemp(b.folder));
    assert_int_equal(chmod(b.folder, mode), 0);
    (void)snprintf(b.path, sizeof b.path, "%s/app", b.folder);
    fd = open(b.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    if (owner != 0)
        assert_int_equal(chown(b.path, owner, owner), 0);
    (void)snprintf(b.service.name, sizeof b.service.name, "app");
    (void)snprintf(b.service.executable, sizeof b.service.executable, "%s", b.path);
    return b;
}

static void clear(const struct bench *b)
{
    assert_int_equal(unlink(b->path), 0);
    assert_int_equal(rmdir(b->folder), 0);
}

/* What another user, without capabilities, would be warned of. */
static void as_another(struct bench *b, char *text, size_t size)
{
    int ends[2], status;
    ssize_t n;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        const struct config config = {.services = &b->service, .service_count = 1};
        FILE *to = fdopen(ends[1], "w");
        if (to == NULL || setgroups(0, NULL) != 0 || setresgid(OTHER, OTHER, OTHER) != 0 ||
            setresuid(OTHER, OTHER, OTHER) != 0)
            _exit(1);
        rights_warn(&config, to);
        _exit(fclose(to) == 0 ? 0 : 1);
    }
    (void)close(ends[1]);
    n = read(ends[0], text, size - 1);
    text[n > 0 ? n : 0] = '\0';
    (void)close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void expect(mode_t mode, uid_t owner, bool signed_only, const char *part)
{
    struct bench b = bench(mode, owner);
    char text[1024];

    b.service.require_signature = signed_only;
    as_another(&b, text, sizeof text);
    clear(&b);
    if (part == NULL ? text[0] != '\0' : strstr(text, part) == NULL)
        fail_msg("mode %o, owner %u: %s", mode, owner, text);
}

static void a_folder_or_a_file_that_is_not_ours_is_told_with_what_mends_it(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip(); /* nobody to become */
    expect(0777, OTHER, false, NULL);
    expect(0755, OTHER, false,
           "rollout-agent: warning: [service app]: it takes no release, only restarts: user 65534, "
           "who the agent is, cannot write in /tmp/rollout-rights-");
    expect(0755, OTHER, false, "(Permission denied): chown 65534 /tmp/rollout-rights-");
    expect(0777, 0, false, "belongs to user 0 and group 0, and user 65534");
    expect(0777, 0, false, ": chown 65534: /tmp/rollout-rights-");
    expect(0755, 0, true, NULL); /* it takes none anyway, for want of a key */
}

static void our_own_are_no_fault(void **state)
{
    struct bench b = bench(0700, 0);
    struct err err = {""};

    (void)state;
    if (!rights_check(&b.service, &err))
        fail_msg("%s", err.text);
    clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_we_are_is_read_from_the_status),
        cmocka_unit_test(a_folder_or_a_file_that_is_not_ours_is_told_with_what_mends_it),
        cmocka_unit_test(our_own_are_no_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
