/* agent_job_case.c - restart, upgrade, rollback: what they do, and how each failure ends. */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/cases/agent_client.h"

#define QUICK "ready-timeout = 2s\n" /* for releases that never get ready */

static struct stage_agent *claimed_agent(struct stage *s, struct stage_server **server, const char *extra)
{
    struct stage_agent *a;

    *server = stage_server_start(s, "n1", "v1");
    a = stage_agent_start(s, "n1", *server, true, extra);
    assert_status(put_claim(a, "r", 1, 0, 600), 200);
    return a;
}

static struct stage_answer *run_job(struct stage_agent *a, const char *id, const char *action, const char *release)
{
    assert_status(post_job(a, id, "r", 1, action, release), 202);
    return wait_job(a, id);
}

static void assert_end(struct stage *s, struct stage_answer *r, const char *state, const char *code, bool touched,
                       bool restored)
{
    if (strcmp(stage_json_string(s, r->json, "state"), state) != 0 ||
        strcmp(stage_json_string(s, r->json, "code"), code) != 0 || stage_json_bool(s, r->json, "touched") != touched ||
        stage_json_bool(s, r->json, "restored") != restored)
        fail_msg("not %s %s, touched %d, restored %d: %s", state, code, touched, restored, r->body);
}

static void a_restart_ends_with_another_process_of_the_same_executable(struct stage *s)
{
    struct stage_server *v;
    struct stage_agent *a = claimed_agent(s, &v, NULL);
    pid_t before = stage_server_pid(v);
    struct stage_answer *r = run_job(a, "r/n1/restart/1", "restart", NULL);

    assert_end(s, r, "done", "ok", true, false);
    assert_int_equal(stage_json_int(s, r->json, "before.pid"), before);
    assert_int_equal(stage_json_int(s, r->json, "after.pid"), stage_server_pid(v));
    assert_int_not_equal(stage_server_pid(v), before);
    assert_string_equal(stage_json_string(s, r->json, "after.sha256"), stage_sha256(s, v->exe));
}

static void the_same_id_has_one_effect_also_after_the_agent_was_killed(struct stage *s)
{
    struct stage_server *v;
    struct stage_agent *a = claimed_agent(s, &v, NULL);
    struct stage_answer *first = run_job(a, "r/n1/restart/1", "restart", NULL), *again;
    pid_t pid = stage_server_pid(v);

    again = post_job(a, "r/n1/restart/1", "r", 1, "restart", NULL);
    assert_status(again, 200);
    assert_true(json_equal(first->json, again->json));
    assert_refused(post_job(a, "r/n1/restart/1", "r", 1, "upgrade", stage_sha256(s, v->exe)), 400, "bad_request");
    stage_agent_stop(a, SIGKILL);
    stage_agent_again(a);
    assert_status(post_job(a, "r/n1/restart/1", "r", 1, "restart", NULL), 200);
    assert_int_equal(stage_server_pid(v), pid);
}

static void an_upgrade_installs_runs_and_keeps_the_way_back(struct stage *s)
{
    struct stage_server *v;
    struct stage_agent *a = claimed_agent(s, &v, NULL);
    const char *old = stage_sha256(s, v->exe), *file = stage_server_variant(s, "v2"), *new = stage_sha256(s, file);
    struct stage_answer *r;

    assert_status(put_release(a, new, file), 201);
    assert_status(put_release(a, new, file), 200);
    r = run_job(a, "r/n1/upgrade/1", "upgrade", new);
    assert_end(s, r, "done", "ok", true, false);
    assert_string_equal(stage_json_string(s, r->json, "after.sha256"), new);
    assert_string_equal(stage_sha256(s, v->exe), new);
    assert_string_equal(stage_server_version(v), "2");
    wait_version(a, "2");
    r = run_job(a, "r/n1/rollback/1", "rollback", old);
    assert_end(s, r, "done", "ok", true, false);
    assert_string_equal(stage_sha256(s, v->exe), old);
    assert_string_equal(stage_server_version(v), "1");
}

/* A release that does not come up: the old process goes on, and the old file is back before the job is told. */
static void assert_old_one_goes_on(struct stage *s, const char *variant, const char *extra, const char *why)
{
    struct stage_server *v;
    struct stage_agent *a = claimed_agent(s, &v, extra);
    const char *old = stage_sha256(s, v->exe), *file = stage_server_variant(s, variant), *new = stage_sha256(s, file);
    pid_t pid = stage_server_pid(v);
    struct stage_answer *r;

    assert_status(put_release(a, new, file), 201);
    r = run_job(a, "r/n1/upgrade/1", "upgrade", new);
    assert_end(s, r, "failed", "no_successor", true, true);
    assert_non_null(strstr(stage_json_string(s, r->json, "text"), why));
    assert_int_equal(stage_json_int(s, r->json, "after.pid"), pid);
    assert_string_equal(stage_sha256(s, v->exe), old);
    assert_string_equal(stage_server_version(v), "1");
    r = run_job(a, "r/n1/restart/1", "restart", NULL); /* and it can be restarted at once: nothing hangs about */
    assert_end(s, r, "done", "ok", true, false);
    assert_string_equal(stage_server_version(v), "1");
    assert_int_equal(stage_server_count(v), 1);
}

static void a_release_that_exits_at_once_leaves_the_old_one_and_its_file(struct stage *s)
{
    /* A limit beyond the wait for a job: the service itself says that it failed, and why. */
    assert_old_one_goes_on(s, "exit", "ready-timeout = 60s\n",
                           "goes on; it says that the restart failed: the new process exited with status 1 "
                           "before it was ready");
}

static void a_release_that_hangs_leaves_the_old_one_and_its_file(struct stage *s)
{
    assert_old_one_goes_on(s, "hang", QUICK, "no new process wrote the pid file within 2000 ms");
}

struct note_wait {
    struct stage *stage;
    const char *path, *word;
};

static bool note_says(void *ctx)
{
    const struct note_wait *wait = ctx;

    return access(wait->path, F_OK) == 0 && strstr(stage_read(wait->stage, wait->path), wait->word) != NULL;
}

/* The service is not even on a processor while its hung successor is ended and the next job comes: what it has to say
 * of the first is not taken for the second, and it does not refuse the second because of the first. */
static void a_restart_behind_a_hung_one_is_not_taken_for_that(struct stage *s)
{
    struct stage_server *v;
    struct stage_agent *a = claimed_agent(s, &v, "ready-timeout = 1s\n");
    const char *file = stage_server_variant(s, "hang"), *hex = stage_sha256(s, file);
    pid_t pid = stage_server_pid(v);

    assert_status(put_release(a, hex, file), 201);
    assert_status(post_job(a, "r/1", "r", 1, "upgrade", hex), 202);
    stage_wait_until(s, note_says, &(struct note_wait){s, stage_text(s, "%s.upgrade", v->pidfile), "running "}, 5000,
                     "the new process to be started");
    assert_int_equal(kill(pid, SIGSTOP), 0);
    assert_end(s, wait_job(a, "r/1"), "failed", "no_successor", true, true);
    assert_status(post_job(a, "r/2", "r", 1, "restart", NULL), 202);
    assert_status(stage_agent_http(a, "GET", APP "/jobs/r/2", NULL), 200); /* the signal would follow the answer */
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_end(s, wait_job(a, "r/2"), "done", "ok", true, false);
    assert_int_equal(stage_server_count(v), 1);
}

/* Left for ever by a service that is no friend: no reason to wait for ever. */
static void a_note_of_a_restart_that_never_ends_holds_up_no_job(struct stage *s)
{
    struct stage_server *v;
    struct stage_agent *a = claimed_agent(s, &v, NULL);

    (void)stage_write(s, stage_text(s, "%s.upgrade", v->pidfile), "running 1\n");
    assert_end(s, run_job(a, "r/1", "restart", NULL), "done", "ok", true, false);
}

#define SAYS_NO      "failed it is \033[1mnot\n"
#define WHAT_IT_SAYS "it says that the restart failed: it is ?[1mnot"

struct note_row {
    const char *what;
    void (*before)(struct stage *, const char *path); /* what lies there when the job begins; NULL: nothing */
    void (*meanwhile)(struct stage *, const char *path);
    const char *text;
};

static void no_note(struct stage *s, const char *path)
{
    (void)stage_write(s, path, SAYS_NO);
}

static void no_note_renamed(struct stage *s, const char *path)
{
    const char *aside = stage_write(s, stage_text(s, "%s.1", path), SAYS_NO);

    assert_int_equal(rename(aside, path), 0);
}

static void fifo_note(struct stage *s, const char *path)
{
    (void)s;
    assert_int_equal(mkfifo(path, 0600), 0);
}

static void linked_note(struct stage *s, const char *path)
{
    assert_int_equal(symlink(stage_write(s, "elsewhere", SAYS_NO), path), 0);
}

static void huge_note(struct stage *s, const char *path)
{
    (void)stage_write(s, path, SAYS_NO);
    assert_int_equal(truncate(path, (off_t)1 << 30), 0);
}

static const struct note_row note_rows[] = {
    {"one from before", no_note, NULL, "no new process wrote"},
    {"a new one", NULL, no_note_renamed, WHAT_IT_SAYS},
    {"the same words again", no_note, no_note_renamed, WHAT_IT_SAYS},
    {"a pipe", NULL, fifo_note, "no new process wrote"},
    {"a link", NULL, linked_note, "no new process wrote"},
    {"a huge file", NULL, huge_note, "no new process wrote"},
};

struct job_wait {
    struct stage_agent *agent;
    const char *id;
};

static bool is_signalled(void *ctx)
{
    const struct job_wait *wait = ctx;
    struct stage_answer *r =
        stage_agent_http(wait->agent, "GET", stage_text(wait->agent->stage, APP "/jobs/%s", wait->id), NULL);

    return stage_json_bool(wait->agent->stage, r->json, "touched");
}

/* SIGWINCH does nothing to the server: what it says, the test says. */
static void only_a_note_that_is_news_and_a_plain_file_ends_a_restart(struct stage *s)
{
    struct stage_server *v;
    struct stage_agent *a = claimed_agent(s, &v, "signal = WINCH\nready-timeout = 1s\n");
    const char *path = stage_text(s, "%s.upgrade", v->pidfile);

    for (size_t i = 0; i < sizeof note_rows / sizeof *note_rows; i++) {
        const struct note_row *row = &note_rows[i];
        const char *id = stage_text(s, "r/%zu", i);
        struct stage_answer *r;

        (void)unlink(path);
        if (row->before != NULL)
            row->before(s, path);
        assert_status(post_job(a, id, "r", 1, "restart", NULL), 202);
        if (row->meanwhile != NULL) {
            stage_wait_until(s, is_signalled, &(struct job_wait){a, id}, 5000, "the signal to be sent");
            row->meanwhile(s, path);
        }
        r = wait_job(a, id);
        assert_end(s, r, "failed", "no_successor", true, false);
        if (strstr(stage_json_string(s, r->json, "text"), row->text) == NULL)
            fail_msg("%s: %s", row->what, r->body);
    }
}

static void a_job_without_the_claim_its_fence_or_its_release_is_refused(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "n1", "v1");
    struct stage_agent *a = stage_agent_start(s, "n1", v, true, NULL);
    const char *hex = stage_sha256(s, stage_server_variant(s, "v2"));
    pid_t pid = stage_server_pid(v);

    assert_refused(post_job(a, "r/1", "r", 1, "restart", NULL), 409, "no_claim");
    assert_status(put_claim(a, "r", 2, 0, 60), 200);
    assert_refused(post_job(a, "r/1", "r", 1, "restart", NULL), 412, "fence_stale");
    assert_refused(post_job(a, "r/1", "r", 3, "restart", NULL), 412, "fence_stale");
    assert_refused(post_job(a, "r/1", "q", 2, "restart", NULL), 412, "fence_stale");
    assert_refused(post_job(a, "r/1", "r", 2, "upgrade", hex), 409, "no_release");
    assert_refused(post_job(a, "r/1", "r", 2, "stop", NULL), 400, "bad_request");
    assert_refused(stage_agent_http(a, "GET", APP "/jobs/r/1", NULL), 404, "not_found");
    assert_int_equal(stage_server_pid(v), pid);
}

static void a_release_of_another_hash_is_not_kept(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "n1", "v1");
    struct stage_agent *a = stage_agent_start(s, "n1", v, true, NULL);
    const char *wrong = stage_sha256(s, v->exe), *file = stage_server_variant(s, "v2");

    assert_refused(put_release(a, wrong, file), 422, "hash_mismatch");
    assert_int_equal(json_array_size(stage_json(s, get_status(a)->json, "releases")), 0);
    assert_refused(stage_agent_http(a, "PUT", APP "/releases/../../etc/passwd", "x"), 404, "not_found");
    assert_status(put_release(a, stage_sha256(s, file), file), 201);
}

/* Neither is taken on its name: what was uploaded, and what an upgrade must be able to go back to. */
static void a_release_that_rotted_in_the_store_is_taken_anew(struct stage *s)
{
    struct stage_server *v;
    struct stage_agent *a = claimed_agent(s, &v, QUICK);
    const char *old = stage_sha256(s, v->exe), *file = stage_server_variant(s, "exit"), *new = stage_sha256(s, file);

    assert_status(put_release(a, new, file), 201);
    (void)stage_write(s, stage_text(s, "%s/app/releases/%s", a->state_dir, new), "rotten");
    (void)stage_write(s, stage_text(s, "%s/app/releases/%s", a->state_dir, old), "rotten");
    assert_refused(post_job(a, "r/1", "r", 1, "upgrade", new), 409, "no_release");
    assert_status(put_release(a, new, file), 201);
    assert_end(s, run_job(a, "r/1", "upgrade", new), "failed", "no_successor", true, true);
    assert_string_equal(stage_sha256(s, v->exe), old);
}

#define MANY 64 /* as many jobs as the agent remembers */

static void an_id_is_remembered_as_long_as_its_fence_counts(struct stage *s)
{
    struct stage_server *v;
    struct stage_agent *a = claimed_agent(s, &v, NULL);

    stage_server_kill(v, SIGKILL); /* jobs that end at once */
    for (int i = 0; i < MANY; i++)
        assert_end(s, run_job(a, stage_text(s, "r/%d", i), "restart", NULL), "failed", "not_running", false, false);
    assert_refused(post_job(a, "r/more", "r", 1, "restart", NULL), 400, "bad_request");
    assert_status(post_job(a, "r/0", "r", 1, "restart", NULL), 200);
    assert_status(put_claim(a, "r", 2, 1, 600), 200);
    assert_status(post_job(a, "r/more", "r", 2, "restart", NULL), 202);
}

static void a_second_job_waits_for_the_first_one(struct stage *s)
{
    struct stage_server *v;
    struct stage_agent *a = claimed_agent(s, &v, QUICK);
    const char *file = stage_server_variant(s, "hang"), *hex = stage_sha256(s, file);

    assert_status(put_release(a, hex, file), 201);
    assert_status(post_job(a, "r/1", "r", 1, "upgrade", hex), 202);
    assert_refused(post_job(a, "r/2", "r", 1, "restart", NULL), 409, "busy");
    assert_end(s, wait_job(a, "r/1"), "failed", "no_successor", true, true);
    assert_status(post_job(a, "r/2", "r", 1, "restart", NULL), 202);
    assert_end(s, wait_job(a, "r/2"), "done", "ok", true, false);
}

/* Somebody put another file in place: a restart would bring it up, unasked. */
static void a_restart_brings_no_other_executable_than_the_one_that_runs(struct stage *s)
{
    struct stage_server *v;
    struct stage_agent *a = claimed_agent(s, &v, NULL);
    pid_t before = stage_server_pid(v);

    stage_server_install(v, "v2");
    assert_end(s, run_job(a, "r/1", "restart", NULL), "failed", "wrong_executable", false, false);
    assert_int_equal(stage_server_pid(v), before);
    assert_string_equal(stage_sha256(s, v->exe), stage_sha256(s, stage_server_variant(s, "v2")));
}

/* It is in no file any more, only running: yet there is a way back to it. */
static void what_runs_is_kept_before_an_upgrade(struct stage *s)
{
    struct stage_server *v;
    struct stage_agent *a = claimed_agent(s, &v, NULL);
    const char *old = stage_sha256(s, v->exe), *file = stage_server_variant(s, "sick"), *hex = stage_sha256(s, file);

    stage_server_install(v, "v2");
    assert_status(put_release(a, hex, file), 201);
    assert_end(s, run_job(a, "r/1", "upgrade", hex), "done", "ok", true, false);
    assert_end(s, run_job(a, "r/2", "rollback", old), "done", "ok", true, false);
    assert_string_equal(stage_server_version(v), "1");
    assert_string_equal(stage_sha256(s, v->exe), old);
}

static void an_agent_killed_in_mid_job_puts_the_old_file_back_and_says_interrupted(struct stage *s)
{
    struct stage_server *v;
    struct stage_agent *a = claimed_agent(s, &v, NULL);
    const char *old = stage_sha256(s, v->exe), *file = stage_server_variant(s, "hang"), *hex = stage_sha256(s, file);
    struct stage_answer *r;

    assert_status(put_release(a, hex, file), 201);
    assert_status(post_job(a, "r/1", "r", 1, "upgrade", hex), 202);
    r = stage_agent_http(a, "GET", APP "/jobs/r/1", NULL); /* the swap follows the answer at once */
    assert_status(r, 200);
    stage_agent_stop(a, SIGKILL);
    stage_agent_again(a);
    r = wait_job(a, "r/1");
    assert_end(s, r, "failed", "interrupted", true, true);
    assert_string_equal(stage_sha256(s, v->exe), old);
    assert_end(s, run_job(a, "r/2", "restart", NULL), "done", "ok", true, false);
    assert_string_equal(stage_server_version(v), "1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_restart_ends_with_another_process_of_the_same_executable),
        stage_test(the_same_id_has_one_effect_also_after_the_agent_was_killed),
        stage_test(an_upgrade_installs_runs_and_keeps_the_way_back),
        stage_test(a_release_that_exits_at_once_leaves_the_old_one_and_its_file),
        stage_test(a_release_that_hangs_leaves_the_old_one_and_its_file),
        stage_test(a_restart_behind_a_hung_one_is_not_taken_for_that),
        stage_test(a_note_of_a_restart_that_never_ends_holds_up_no_job),
        stage_test(only_a_note_that_is_news_and_a_plain_file_ends_a_restart),
        stage_test(a_job_without_the_claim_its_fence_or_its_release_is_refused),
        stage_test(a_release_of_another_hash_is_not_kept),
        stage_test(a_release_that_rotted_in_the_store_is_taken_anew),
        stage_test(an_id_is_remembered_as_long_as_its_fence_counts),
        stage_test(a_second_job_waits_for_the_first_one),
        stage_test(a_restart_brings_no_other_executable_than_the_one_that_runs),
        stage_test(what_runs_is_kept_before_an_upgrade),
        stage_test(an_agent_killed_in_mid_job_puts_the_old_file_back_and_says_interrupted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
