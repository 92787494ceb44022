/* Releases, installs and jobs on the disk. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/file.h"
#include "agent/install.h"
#include "agent/job.h"
#include "agent/release.h"
#include "common/json.h"

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

struct place {
    char dir[64], path[192];
    int store;
};

static int make_place(void **state)
{
    struct place *place = calloc(1, sizeof *place);

    strcpy(place->dir, "/tmp/store_test.XXXXXX");
    *state = place;
    if (mkdtemp(place->dir) == NULL)
        return -1;
    place->store = open(place->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return place->store < 0;
}

static int drop_place(void **state)
{
    struct place *place = *state;
    char command[128];

    (void)close(place->store);
    (void)snprintf(command, sizeof command, "rm -r %s", place->dir);
    int rc = system(command);
    free(place);
    return rc;
}

static const char *at(struct place *place, const char *name)
{
    (void)snprintf(place->path, sizeof place->path, "%s/%s", place->dir, name);
    return place->path;
}

static void write_text(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    assert_true(fd >= 0 && file_write_all(fd, text, strlen(text), NULL) && fchmod(fd, mode) == 0);
    (void)close(fd);
}

static void assert_text(const char *path, const char *wanted)
{
    struct err err = {""};
    char text[16];

    assert_true(file_read_small(path, text, sizeof text, &err));
    assert_string_equal(text, wanted);
}

static enum code upload(struct place *place, const char *hex, const char *text, uint64_t max_bytes, struct err *err)
{
    struct release_upload *up = release_begin(place->store, hex, max_bytes, err);
    struct exe_look look;
    uint64_t size_bytes;
    enum code code;

    assert_non_null(up);
    code = release_add(up, text, strlen(text), err);
    if (code == CODE_JOB_OK)
        code = release_check(up, &look, err);
    if (code == CODE_JOB_OK)
        return release_end(&up, &size_bytes, err);
    release_abandon(&up);
    return code;
}

static void a_release_is_kept_only_under_its_own_hash(void **state)
{
    struct place *place = *state;
    struct err err = {""};
    uint64_t size_bytes = 0;
    json_t *list;

    assert_int_equal(upload(place, ABC, "abd", 100, &err), CODE_HASH_MISMATCH);
    assert_int_equal(upload(place, ABC, "", 100, &err), CODE_EMPTY_RELEASE);
    assert_int_equal(upload(place, ABC, "abc", 2, &err), CODE_TOO_LARGE);
    assert_false(release_exists(place->store, ABC, NULL));
    list = release_list(place->store);
    assert_int_equal(json_array_size(list), 0);
    json_decref(list);

    assert_int_equal(upload(place, ABC, "abc", 3, &err), CODE_JOB_OK);
    assert_true(release_exists(place->store, ABC, &size_bytes));
    assert_int_equal(size_bytes, 3);
    list = release_list(place->store);
    assert_int_equal(json_array_size(list), 1);
    json_decref(list);
}

#define OTHER "cb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34" /* of "def" */

static void what_a_dead_agent_left_half_done_is_swept_away(void **state)
{
    struct place *place = *state;
    struct err err = {""};
    char text[MINISIGN_FILE_MAX];

    assert_int_equal(upload(place, ABC, "abc", 3, &err), CODE_JOB_OK);
    assert_int_equal(release_put_signature(place->store, ABC, "signature", 9, &err), CODE_JOB_OK);
    assert_int_equal(release_put_signature(place->store, OTHER, "of nothing", 10, &err), CODE_JOB_OK);
    write_text(at(place, ".upload-dead"), "half", 0600);
    release_sweep(place->store);
    assert_int_not_equal(access(at(place, ".upload-dead"), F_OK), 0);
    assert_int_equal(release_signature(place->store, ABC, text), 9);
    assert_int_equal(release_signature(place->store, OTHER, text), 0);
    assert_true(release_exists(place->store, ABC, NULL));
}

/* Planted where the agent would read or write: what it leads to is neither read nor written. */
static void a_link_in_the_store_is_not_followed(void **state)
{
    struct place *place = *state;
    struct hash_cache hashes = {0};
    struct err err = {""};
    char text[MINISIGN_FILE_MAX];

    write_text(at(place, "elsewhere"), "abc", 0600);
    assert_int_equal(symlink("elsewhere", at(place, ABC)), 0);
    assert_int_equal(symlink("elsewhere", at(place, ABC ".minisig")), 0);
    assert_false(release_exists(place->store, ABC, NULL));
    assert_false(release_is_whole(place->store, ABC, &hashes));
    assert_int_equal(release_open(place->store, ABC, &err), -1);
    assert_non_null(strstr(err.text, "it is a link"));
    assert_int_equal(release_signature(place->store, ABC, text), 0);
    assert_int_equal(upload(place, ABC, "abc", 3, &err), CODE_JOB_OK);
    assert_int_equal(release_put_signature(place->store, ABC, "new", 3, &err), CODE_JOB_OK);
    assert_text(at(place, "elsewhere"), "abc");
    assert_true(release_is_whole(place->store, ABC, &hashes));
}

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static const char *hex_of(int digit)
{
    static char hex[SHA256_DIGITS + 1];

    memset(hex, digit, SHA256_DIGITS);
    return hex;
}

static void old_releases_go_but_none_that_is_needed(void **state)
{
    struct place *place = *state;
    const char *needed[] = {NULL, "", ZEROS};

    for (int c = '0'; c <= '5'; c++) {
        const struct timespec times[2] = {{.tv_sec = 1000 + c}, {.tv_sec = 1000 + c}};
        char signature[SHA256_DIGITS + 9];
        write_text(at(place, hex_of(c)), "x", 0600);
        assert_int_equal(utimensat(AT_FDCWD, place->path, times, 0), 0);
        (void)snprintf(signature, sizeof signature, "%s.minisig", hex_of(c));
        write_text(at(place, signature), "x", 0600);
    }
    release_prune(place->store, 3, needed, 3);
    for (int c = '0'; c <= '5'; c++) {
        char signature[SHA256_DIGITS + 9];
        bool stays = c == '0' || c >= '3';
        (void)snprintf(signature, sizeof signature, "%s.minisig", hex_of(c));
        if (release_exists(place->store, hex_of(c), NULL) != stays ||
            (access(at(place, signature), F_OK) == 0) != stays)
            fail_msg("%c", c);
    }
}

static struct install what(struct place *place, const char *executable)
{
    return (struct install){.executable = executable, .store = place->store, .hex = ABC, .any_kind = true};
}

static void an_install_keeps_mode_and_link_and_replaces_the_file_whole(void **state)
{
    struct place *place = *state;
    struct err err = {""};
    char exe[192], link[192];
    struct install install = what(place, link);
    struct stat st;
    bool swapped;

    (void)snprintf(exe, sizeof exe, "%s/exe", place->dir);
    (void)snprintf(link, sizeof link, "%s/link", place->dir);
    write_text(exe, "old", 0750);
    assert_int_equal(symlink("exe", link), 0);
    write_text(at(place, ABC), "abc", 0600);
    assert_true(install_put(&install, &swapped, &err));
    assert_true(swapped);
    assert_text(exe, "abc");
    assert_text(at(place, ".exe.rollout-old"), "old");
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat(exe, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0750);
    install_sweep(link);
    assert_int_not_equal(access(at(place, ".exe.rollout-old"), F_OK), 0);
}

/* The second name first, since it needs no space; the store where that is not what it should be. */
static void the_old_file_comes_back_without_a_copy_or_from_the_store(void **state)
{
    struct place *place = *state;
    struct err err = {""};
    char exe[192];
    struct install install = what(place, exe);
    struct stat before, after;
    bool swapped;

    (void)snprintf(exe, sizeof exe, "%s/exe", place->dir);
    write_text(exe, "def", 0750);
    write_text(at(place, OTHER), "def", 0600);
    write_text(at(place, ABC), "abc", 0600);
    assert_int_equal(stat(exe, &before), 0);
    assert_true(install_put(&install, &swapped, &err));
    assert_true(install_back(exe, place->store, OTHER, &err));
    assert_int_equal(stat(exe, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_text(exe, "def");
    assert_true(install_put(&install, &swapped, &err));
    write_text(at(place, ".exe.rollout-old"), "evil", 0755);
    assert_true(install_back(exe, place->store, OTHER, &err));
    assert_text(exe, "def");
}

static void a_file_that_is_not_what_its_name_says_is_never_installed(void **state)
{
    struct place *place = *state;
    struct err err = {""};
    char exe[192];
    struct install install = what(place, exe);
    bool swapped;

    (void)snprintf(exe, sizeof exe, "%s/exe", place->dir);
    write_text(exe, "old", 0755);
    write_text(at(place, ABC), "evil", 0600);
    assert_false(install_put(&install, &swapped, &err));
    assert_false(swapped);
    assert_non_null(strstr(err.text, "hash"));
    assert_text(exe, "old");
    assert_int_not_equal(access(at(place, ".exe.rollout-new"), F_OK), 0);
    install.executable = at(place, "none");
    assert_false(install_put(&install, &swapped, &err));
}

static void jobs_come_back_from_the_disk_as_they_were(void **state)
{
    struct place *place = *state;
    struct job job = {.id = "r/n/up/1",
                      .rollout = "r",
                      .fence = 3,
                      .action = JOB_UPGRADE,
                      .release = ABC,
                      .state = JOB_FAILED,
                      .code = CODE_JOB_DIED,
                      .text = "why",
                      .touched = true,
                      .previous = ABC,
                      .before = {.pid = 7, .start_ticks = 8, .boot_id = "00000000-0000-0000-0000-000000000001"}};
    struct jobs *jobs = calloc(2, sizeof *jobs);
    struct err err = {""};

    assert_true(jobs_load(at(place, "jobs.json"), &jobs[0], &err));
    assert_null(jobs_last(&jobs[0]));
    (void)jobs_add(&jobs[0], &job);
    assert_true(jobs_save(place->path, &jobs[0], &err));
    assert_true(jobs_load(place->path, &jobs[1], &err));
    assert_int_equal(jobs[1].count, 1);
    assert_memory_equal(&jobs[1].list[0], &jobs[0].list[0], sizeof job);
    for (int i = 0; i < JOBS_KEPT; i++) { /* the oldest is forgotten, the newest stays */
        (void)snprintf(job.id, sizeof job.id, "%d", i);
        (void)jobs_add(&jobs[0], &job);
    }
    assert_null(jobs_find(&jobs[0], "r/n/up/1"));
    assert_non_null(jobs_find(&jobs[0], "0"));
    assert_string_equal(jobs_last(&jobs[0])->id, job.id);
    write_text(place->path, "{\"jobs\":[{}]}", 0600);
    assert_false(jobs_load(place->path, &jobs[1], &err));
    assert_non_null(strstr(err.text, "jobs.json"));
    free(jobs);
}

/* Its text names a path, and paths are bytes. */
static void a_job_whose_text_is_no_utf8_is_kept_too(void **state)
{
    struct place *place = *state;
    struct job job = {.id = "1", .rollout = "r", .fence = 3, .text = "caf\xe9 is gone"};
    struct jobs *jobs = calloc(2, sizeof *jobs);
    struct err err = {""};

    (void)jobs_add(&jobs[0], &job);
    assert_true(jobs_save(at(place, "jobs.json"), &jobs[0], &err));
    assert_true(jobs_load(place->path, &jobs[1], &err));
    assert_non_null(jobs_find(&jobs[1], "1"));
    assert_string_equal(jobs_last(&jobs[1])->text, "caf? is gone");
    free(jobs);
}

static void an_ask_that_makes_no_sense_is_refused(void **state)
{
    static const struct {
        const char *body, *why;
    } table[] = {
        {"{}", "\"id\" is missing"},
        {"{\"id\":\"a b\",\"rollout\":\"r\",\"fence\":1,\"action\":\"restart\"}", "\"id\""},
        {"{\"id\":\"a\",\"rollout\":\"\",\"fence\":1,\"action\":\"restart\"}", "\"rollout\""},
        {"{\"id\":\"a\",\"rollout\":\"r\",\"fence\":1,\"action\":\"stop\"}", "\"action\""},
        {"{\"id\":\"a\",\"rollout\":\"r\",\"fence\":1,\"action\":\"upgrade\"}", "\"release\""},
        {"{\"id\":\"a\",\"rollout\":\"r\",\"fence\":1,\"action\":\"upgrade\",\"release\":\"../x\"}", "\"release\""},
        {"{\"id\":\"a\",\"rollout\":\"r\",\"fence\":1,\"action\":\"restart\",\"release\":\"" ABC "\"}", "\"release\""},
        {"{\"id\":\"a\",\"rollout\":\"r\",\"fence\":1,\"action\":\"restart\",\"release\":5}", "\"release\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        json_t *body = json_read(table[i].body, strlen(table[i].body), NULL);
        struct err err = {""};
        struct job job;

        if (job_from_ask(body, &job, &err) || strstr(err.text, table[i].why) == NULL)
            fail_msg("row %zu: %s", i, err.text);
        json_decref(body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_release_is_kept_only_under_its_own_hash, make_place, drop_place),
        cmocka_unit_test_setup_teardown(what_a_dead_agent_left_half_done_is_swept_away, make_place, drop_place),
        cmocka_unit_test_setup_teardown(a_link_in_the_store_is_not_followed, make_place, drop_place),
        cmocka_unit_test_setup_teardown(old_releases_go_but_none_that_is_needed, make_place, drop_place),
        cmocka_unit_test_setup_teardown(the_old_file_comes_back_without_a_copy_or_from_the_store, make_place,
                                        drop_place),
        cmocka_unit_test_setup_teardown(an_install_keeps_mode_and_link_and_replaces_the_file_whole, make_place,
                                        drop_place),
        cmocka_unit_test_setup_teardown(a_file_that_is_not_what_its_name_says_is_never_installed, make_place,
                                        drop_place),
        cmocka_unit_test_setup_teardown(jobs_come_back_from_the_disk_as_they_were, make_place, drop_place),
        cmocka_unit_test_setup_teardown(a_job_whose_text_is_no_utf8_is_kept_too, make_place, drop_place),
        cmocka_unit_test(an_ask_that_makes_no_sense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
