/* agent_killed_case.c - an agent that dies in the middle of an install, and a machine that does: SIGKILL before each
 * single change of the disk, and a power loss behind each. The executable is the old one or the new, never mixed, and
 * how the job ended is known. */
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/cases/agent_client.h"
#include "tests/stage/powerless.h"
#include "tests/stage/sign.h"
#include "tests/sweep/disk.h"
#include "tests/sweep/fault.h"

struct scene {
    struct stage *s;
    struct stage_server *server;
    struct stage_agent *agent;
    struct stage_signer *key;
    const char *old, *new, *file; /* new's file */
};

static void preload(struct stage *s, const char *key, const char *value)
{
    (void)setenv("DISK_ROOT", s->dir, 1);
    (void)setenv(key, value, 1);
    (void)setenv("LD_PRELOAD", stage_text(s, "%s/tests/sweep/disk.so", s->build), 1);
}

static void load_nothing(void)
{
    static const char *const keys[] = {"LD_PRELOAD", "DISK_ROOT",  "DISK_LOG",   "DISK_ARM",
                                       "DISK_KILL",  "FAULT_FILE", "FAULT_KIND", "FAULT_NTH"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        (void)unsetenv(keys[i]);
}

static struct scene *begin(struct stage *s)
{
    struct scene *c;

    if (s->asan)
        skip(); /* the sanitizers must be the first library */
    c = stage_alloc(s, sizeof *c);
    c->s = s;
    c->key = stage_signer(s, "key");
    c->server = stage_server_start(s, "n1", "v1");
    c->file = stage_server_variant(s, "v2");
    c->old = stage_sha256(s, c->server->exe);
    c->new = stage_sha256(s, c->file);
    return c;
}

static struct stage_agent *start(struct scene *c)
{
    return stage_agent_start(c->s, "n1", c->server, true, stage_text(c->s, "sign-key = %s\n", c->key->line));
}

static void put_signed(struct scene *c, const char *variant, unsigned sequence)
{
    const char *file = stage_server_variant(c->s, variant), *hex = stage_sha256(c->s, file);
    const char *label = stage_sign_label(c->s, "app", sequence, file);
    struct stage_answer *r = put_part(c->agent, hex, file, SIZE_MAX,
                                      stage_sign_header(c->s, stage_sign(c->s, c->key, file, label, STAGE_PREHASHED)));

    if (r->status != 201 && r->status != 200)
        fail_msg("%d %s%s", r->status, r->error, r->body);
}

/* ---- SIGKILL before each change */

#define CHANGES_MAX 200

static bool has_settled(void *ctx)
{
    struct scene *c = ctx;
    const json_t *status = get_status(c->agent)->json;
    const json_t *installed = stage_json_find(status, "installed"), *runs = stage_json_find(status, "ident.sha256");

    return json_is_string(installed) && json_is_string(runs) && json_equal(installed, runs);
}

/* Nothing is left beside the executable, or half done in the store. */
static void assert_tidy(struct scene *c, const char *folder, const char *state)
{
    const char *command =
        stage_text(c->s,
                   "find %s -name '.*rollout-*'; find %s -name '.upload*'; cd %s/app/releases && for f "
                   "in ????????????????????????????????????????????????????????????????; do [ ! -e "
                   "$f ] || echo $f $f | cut -c-129 | sha256sum -c --quiet 2>&1; done",
                   folder, state, state);
    struct stage_run r = stage_run(c->s, 10000, (const char *const[]){"/bin/sh", "-c", command, NULL});

    if (r.out[0] != '\0')
        fail_msg("left behind: %s", r.out);
}

/* False: it was not killed any more, so there are fewer changes. */
static bool killed_before(struct scene *c, unsigned n)
{
    const char *there = stage_sha256(c->s, c->server->exe), *variant = strcmp(there, c->old) == 0 ? "v2" : "v1";
    const char *arm = stage_text(c->s, "%s/armed", c->s->dir), *state, *id;
    const char *new = stage_sha256(c->s, stage_server_variant(c->s, variant)), *installed;
    struct stage_answer *r;

    /* What is installed is put into the store, too. */
    (void)unlink(stage_text(c->s, "%s/app/releases/%s", c->agent->state_dir, there));
    preload(c->s, "DISK_ARM", arm);
    (void)setenv("DISK_KILL", stage_text(c->s, "%u", n), 1);
    stage_agent_again(c->agent);
    load_nothing();
    put_signed(c, variant, n);
    (void)stage_write(c->s, arm, "");
    id = stage_text(c->s, "r/%u", n);
    (void)post_job(c->agent, id, "r", 1, "upgrade", new);
    r = wait_job(c->agent, id);
    (void)unlink(arm);
    if (r->status == 200)
        assert_string_equal(stage_json_string(c->s, r->json, "code"), "ok");
    stage_agent_stop(c->agent, SIGKILL);
    stage_agent_again(c->agent);
    stage_wait_until(c->s, has_settled, c, 20000, stage_text(c->s, "what is installed to run, killed before %u", n));
    installed = stage_json_string(c->s, get_status(c->agent)->json, "installed");
    assert_true(strcmp(installed, c->old) == 0 || strcmp(installed, c->new) == 0);
    assert_string_equal(installed, stage_sha256(c->s, c->server->exe));
    assert_int_equal(stage_server_count(c->server), 1);
    assert_tidy(c, c->server->dir, c->agent->state_dir);
    if (r->status == 200)
        return false;
    r = stage_agent_http(c->agent, "GET", stage_text(c->s, APP "/jobs/%s", id), NULL);
    if (r->status == 404) { /* it died before the job was on record */
        assert_status(post_job(c->agent, id, "r", 1, "upgrade", new), 202);
        assert_string_equal(stage_json_string(c->s, wait_job(c->agent, id)->json, "code"), "ok");
        return true;
    }
    state = stage_json_string(c->s, r->json, "state");
    if (strcmp(state, "done") == 0)
        assert_string_equal(installed, new);
    else
        assert_string_equal(stage_json_string(c->s, r->json, "code"), "interrupted");
    return true;
}

static void an_agent_killed_before_any_change_of_the_disk_leaves_the_old_executable_or_the_new(struct stage *s)
{
    struct scene *c = begin(s);
    unsigned n = 1;

    c->agent = start(c);
    assert_status(put_claim(c->agent, "r", 1, 0, 3600), 200);
    put_signed(c, "v2", 1);
    stage_agent_stop(c->agent, SIGTERM);
    while (killed_before(c, n)) {
        stage_agent_stop(c->agent, SIGTERM);
        assert_in_range(++n, 1, CHANGES_MAX);
    }
    assert_in_range(n, 30, CHANGES_MAX); /* the changes are seen */
}

/* ---- a disk that is full from any write on */

static const char *fault_file(struct stage *s)
{
    static const struct fault none;
    const char *path = stage_text(s, "%s/fault", s->dir);
    FILE *file = fopen(path, "we");

    if (file == NULL || fwrite(&none, sizeof none, 1, file) != 1 || fclose(file) != 0)
        fail_msg("cannot write %s", path);
    return path;
}

static bool has_hit(struct stage *s)
{
    struct fault fault = {0};
    FILE *file = fopen(stage_text(s, "%s/fault", s->dir), "re");

    if (file == NULL || fread(&fault, sizeof fault, 1, file) != 1 || fclose(file) != 0)
        fail_msg("cannot read what was counted");
    return fault.hit > 0;
}

/* An upgrade to a release that fails in any case. False: it had all its writes. */
static bool full_from(struct scene *c, unsigned n)
{
    const char *hex = stage_sha256(c->s, c->file), *id = stage_text(c->s, "r/%u", n);
    struct stage_answer *r;

    (void)setenv("FAULT_FILE", fault_file(c->s), 1);
    (void)setenv("FAULT_KIND", "full", 1);
    (void)setenv("FAULT_NTH", stage_text(c->s, "%u", n), 1);
    (void)setenv("LD_PRELOAD", stage_text(c->s, "%s/tests/sweep/fault.so", c->s->build), 1);
    stage_agent_again(c->agent);
    load_nothing();
    r = put_release(c->agent, hex, c->file);
    if (r->status != 201 && r->status != 200)
        assert_refused(r, 507, "no_space");
    r = post_job(c->agent, id, "r", 1, "upgrade", hex);
    if (r->status == 202) {
        r = wait_job(c->agent, id);
        assert_string_equal(stage_json_string(c->s, r->json, "state"), "failed");
        if (stage_json_bool(c->s, r->json, "touched"))
            assert_true(stage_json_bool(c->s, r->json, "restored"));
    } else {
        assert_true(r->status == 409 || r->status == 500); /* not here, or not to be put on record */
    }
    assert_string_equal(stage_sha256(c->s, c->server->exe), c->old);
    assert_string_equal(stage_server_version(c->server), "1");
    stage_agent_stop(c->agent, SIGTERM);
    stage_agent_again(c->agent);
    assert_tidy(c, c->server->dir, c->agent->state_dir);
    stage_agent_stop(c->agent, SIGTERM);
    (void)unlink(stage_text(c->s, "%s/app/releases/%s", c->agent->state_dir, hex));
    (void)unlink(stage_text(c->s, "%s/app/releases/%s", c->agent->state_dir, c->old));
    return has_hit(c->s);
}

/* The way back of a release that failed needs no room at all. */
static void a_disk_that_is_full_from_any_write_on_leaves_the_old_executable(struct stage *s)
{
    struct scene *c = begin(s);
    unsigned n = 1;

    c->file = stage_server_variant(s, "exit");
    c->agent = stage_agent_start(s, "n1", c->server, true, NULL);
    assert_status(put_claim(c->agent, "r", 1, 0, 3600), 200);
    stage_agent_stop(c->agent, SIGTERM);
    while (full_from(c, n))
        assert_in_range(++n, 1, CHANGES_MAX);
    assert_in_range(n, 15, CHANGES_MAX); /* the writes are seen */
}

/* ---- a power loss behind each change */

enum mark { CLAIMED, PUT, ASKED, ENDED, MARKS }; /* answered to whoever asked: it holds from there on */

struct story {
    struct scene *c;
    struct powerless *power;
    const char *log;
    unsigned mark[MARKS], count;
};

static void mark(struct story *t, enum mark mark)
{
    t->mark[mark] = powerless_read(t->power, t->log);
}

/* What an agent does to the disk from its first start to the end of an upgrade. */
static void tell(struct story *t)
{
    struct scene *c = t->c;

    t->log = stage_text(c->s, "%s/changes", c->s->dir);
    t->power = powerless_begin(c->s);
    powerless_had(t->power, c->server->exe);
    preload(c->s, "DISK_LOG", t->log);
    c->agent = start(c);
    load_nothing();
    assert_status(put_claim(c->agent, "r", 1, 0, 3600), 200);
    mark(t, CLAIMED);
    put_signed(c, "v2", 7);
    mark(t, PUT);
    assert_status(post_job(c->agent, "r/1", "r", 1, "upgrade", c->new), 202);
    t->mark[ASKED] = t->mark[PUT] + 5; /* made, written, synced, renamed, and the folder synced: then it is answered */
    assert_string_equal(stage_json_string(c->s, wait_job(c->agent, "r/1")->json, "code"), "ok");
    mark(t, ENDED);
    stage_agent_stop(c->agent, SIGTERM);
    t->count = powerless_read(t->power, t->log);
}

/* The node after the power loss: its files are in `to`, and nothing runs. */
static struct stage_agent *agent_of(struct story *t, const char *to)
{
    struct scene *c = t->c;
    struct stage_agent *a = stage_alloc(c->s, sizeof *a);
    size_t size = strlen(c->s->dir);
    const char *rest, *at = stage_read(c->s, c->agent->conf_path);
    const char *config = "";

    for (; (rest = strstr(at, c->s->dir)) != NULL; at = rest + size)
        config = stage_text(c->s, "%s%.*s%s", config, (int)(rest - at), at, to);
    *a = *c->agent;
    a->state_dir = stage_text(c->s, "%s%s", to, a->state_dir + size);
    a->conf_path = stage_write(c->s, "after.conf", stage_text(c->s, "%s%s", config, at));
    return a;
}

static void assert_after(struct story *t, struct stage_agent *a, unsigned n, const char *to)
{
    struct stage *s = t->c->s;
    const char *exe = stage_text(s, "%s%s", to, t->c->server->exe + strlen(s->dir)), *installed = stage_sha256(s, exe);
    const json_t *status = get_status(a)->json, *job = stage_json(s, status, "job");

    assert_string_equal(stage_json_string(s, status, "installed"), installed);
    assert_int_equal(access(exe, X_OK), 0);
    assert_true(strcmp(installed, t->c->old) == 0 || strcmp(installed, t->c->new) == 0);
    if (n >= t->mark[CLAIMED])
        assert_string_equal(stage_json_string(s, status, "claim.rollout"), "r");
    if (n >= t->mark[PUT])
        assert_true(json_array_size(stage_json(s, status, "releases")) > 0);
    if (n >= t->mark[ASKED])
        assert_false(json_is_null(job));
    if (n >= t->mark[ENDED])
        assert_string_equal(stage_json_string(s, job, "state"), "done");
    if (json_is_null(job)) {
        assert_string_equal(installed, t->c->old);
    } else if (strcmp(stage_json_string(s, job, "state"), "done") == 0) {
        assert_string_equal(installed, t->c->new);
        assert_int_equal(stage_json_int(s, status, "signing.sequence"), 7);
    } else {
        assert_string_equal(stage_json_string(s, job, "code"), "interrupted");
        assert_string_equal(installed, t->c->old);
    }
    assert_tidy(t->c, stage_text(s, "%s/n1", to), a->state_dir);
}

/* Each different disk once, and by the latest change that leaves it: then the most is known of it. */
static bool is_known(struct story *t, const char *hex, const char **known, size_t *n_known)
{
    for (size_t i = 0; i < *n_known; i++)
        if (strcmp(known[i], hex) == 0)
            return true;
    known[(*n_known)++] = hex;
    (void)t;
    return false;
}

static void after_a_power_loss_behind_any_change_it_is_the_old_executable_or_the_new(struct stage *s)
{
    struct story t = {.c = begin(s)};
    const char *known[POWERLESS_COUNT * CHANGES_MAX], *to = stage_mkdir(s, "after");
    size_t n_known = 0;
    struct stage_agent *a;

    tell(&t);
    assert_in_range(t.count, 60, CHANGES_MAX); /* the changes are seen */
    a = agent_of(&t, to);
    for (unsigned left = t.count + 1; left > 0; left--) {
        for (enum powerless_disk disk = 0; disk < POWERLESS_COUNT; disk++) {
            const char *clear = stage_text(s, "rm -rf %s && mkdir -p %s", to, a->state_dir);
            assert_int_equal(stage_run(s, 10000, (const char *const[]){"/bin/sh", "-c", clear, NULL}).exit_code, 0);
            if (is_known(&t, powerless_play(t.power, left - 1, disk, s->dir, to), known, &n_known))
                continue;
            stage_agent_again(a);
            assert_after(&t, a, left - 1, to);
            stage_agent_stop(a, SIGKILL);
        }
    }
    assert_in_range(n_known, 40, POWERLESS_COUNT * CHANGES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(an_agent_killed_before_any_change_of_the_disk_leaves_the_old_executable_or_the_new),
        stage_test(a_disk_that_is_full_from_any_write_on_leaves_the_old_executable),
        stage_test(after_a_power_loss_behind_any_change_it_is_the_old_executable_or_the_new),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
