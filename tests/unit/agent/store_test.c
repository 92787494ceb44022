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
};

static int make_place(void **state)
{
    struct place *place = calloc(1, sizeof *place);

    strcpy(place->dir, "/tmp/store_test.XXXXXX");
    *state = place;
    return mkdtemp(place->dir) == NULL ? -1 : 0;
}

static int drop_place(void **state)
{
    struct place *place = *state;
    char command[128];

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

static enum code upload(struct place *place, const char *hex, const char *text, uint64_t max_bytes, struct err *err)
{
    struct release_upload *up = release_begin(place->dir, hex, max_bytes, err);
    uint64_t size_bytes;
    enum code code;

    assert_non_null(up);
    code = release_add(up, text, strlen(text), err);
    if (code != CODE_JOB_OK) {
        release_abandon(&up);
        return code;
    }
    return release_end(&up, &size_bytes, err);
}

static void a_release_is_kept_only_under_its_own_hash(void **state)
{
    struct place *place = *state;
    struct err err = {""};
    uint64_t size_bytes = 0;
    json_t *list;

    assert_int_equal(upload(place, ABC, "abd", 100, &err), CODE_HASH_MISMATCH);
    assert_int_equal(upload(place, ABC, "", 100, &err), CODE_BAD_REQUEST);
    assert_int_equal(upload(place, ABC, "abc", 2, &err), CODE_TOO_LARGE);
    assert_false(release_exists(place->dir, ABC, NULL));
    list = release_list(place->dir);
    assert_int_equal(json_array_size(list), 0);
    json_decref(list);

    assert_int_equal(upload(place, ABC, "abc", 3, &err), CODE_JOB_OK);
    assert_true(release_exists(place->dir, ABC, &size_bytes));
    assert_int_equal(size_bytes, 3);
    write_text(at(place, ".upload-dead"), "half", 0600);
    release_sweep(place->dir);
    assert_int_not_equal(access(at(place, ".upload-dead"), F_OK), 0);
    list = release_list(place->dir);
    assert_int_equal(json_array_size(list), 1);
    json_decref(list);
}

static void an_install_keeps_mode_and_link_and_replaces_the_file_whole(void **state)
{
    struct place *place = *state;
    struct err err = {""};
    char exe[192], link[192], text[16];
    uint8_t sha256[SHA256_BYTES];
    struct stat st;
    bool swapped;

    (void)snprintf(exe, sizeof exe, "%s/exe", place->dir);
    (void)snprintf(link, sizeof link, "%s/link", place->dir);
    write_text(exe, "old", 0750);
    assert_int_equal(symlink("exe", link), 0);
    write_text(at(place, ABC), "abc", 0600);
    (void)sha256_parse(ABC, sha256);
    assert_true(install_put(link, place->path, sha256, &swapped, &err));
    assert_true(swapped);
    assert_true(file_read_small(exe, text, sizeof text, &err));
    assert_string_equal(text, "abc");
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat(exe, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0750);
}

static void a_file_that_is_not_what_its_name_says_is_never_installed(void **state)
{
    struct place *place = *state;
    struct err err = {""};
    char exe[192], text[16];
    uint8_t sha256[SHA256_BYTES];
    bool swapped;

    (void)snprintf(exe, sizeof exe, "%s/exe", place->dir);
    write_text(exe, "old", 0755);
    write_text(at(place, ABC), "evil", 0600);
    (void)sha256_parse(ABC, sha256);
    assert_false(install_put(exe, place->path, sha256, &swapped, &err));
    assert_false(swapped);
    assert_non_null(strstr(err.text, "hash"));
    assert_true(file_read_small(exe, text, sizeof text, &err));
    assert_string_equal(text, "old");
    assert_int_not_equal(access(at(place, ".exe.rollout-new"), F_OK), 0);
    assert_false(install_put(at(place, "none"), exe, sha256, &swapped, &err));
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
