/* module_state_case.c - what the API changed outlives nginx: api_state on real nginx. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/stage/http.h"
#include "tests/stage/nginx.h"
#include "tests/stage/raw.h"
#include "tests/stage/test.h"

#define WAIT_MS   8000
#define PEERS_MAX 20

/* One nginx with upstream app (nobody listens at its servers), its state file, and what the next conf will say. */
struct kept {
    struct stage *stage;
    struct stage_nginx *lb;
    const char *folder, *path; /* of the state file */
    const char *peers[PEERS_MAX + 1];
    struct stage_upstream upstreams[3];
    struct stage_nginx_conf conf;
    int old; /* after upgrade(): a connection to the nginx of before */
};

static struct kept *prepare(struct stage *s, unsigned peers_n)
{
    struct kept *k = stage_alloc(s, sizeof *k);

    k->stage = s;
    k->folder = stage_mkdir(s, "keep");
    k->path = stage_text(s, "%s/state", k->folder);
    for (unsigned i = 0; i < peers_n; i++)
        k->peers[i] = stage_text(s, "127.0.0.1:%u", stage_port(s));
    k->upstreams[0] =
        (struct stage_upstream){.name = "first", .peers = k->peers, .no_zone = true}; /* the stage tries it */
    k->upstreams[1] = (struct stage_upstream){.name = "app", .peers = k->peers};
    k->conf = (struct stage_nginx_conf){
        .upstreams = k->upstreams, .http_extra = stage_text(s, "api_state %s;", k->path), .upgradable = true};
    return k;
}

static struct kept *start(struct stage *s, unsigned peers_n)
{
    struct kept *k = prepare(s, peers_n);

    k->lb = stage_nginx_start(s, "lb", &k->conf);
    return k;
}

static void again(struct kept *k)
{
    stage_nginx_write(k->lb, &k->conf);
    stage_nginx_again(k->lb);
}

/* ---- the API */

static struct stage_answer *try_patch(struct kept *k, unsigned id, const char *headers, const char *body)
{
    return stage_http(k->stage, "PATCH", stage_text(k->stage, "%s/9/http/upstreams/app/servers/%u", k->lb->api, id),
                      headers, body);
}

static void patch(struct kept *k, unsigned id, const char *body)
{
    struct stage_answer *a = try_patch(k, id, NULL, body);

    if (a->status != 200)
        stage_fail(k->stage, "PATCH %u %s: %d %s%s", id, body, a->status, a->error, a->body);
}

static int lease(struct kept *k, unsigned fence, const char *id)
{
    return try_patch(k, 0,
                     stage_text(k->stage,
                                "Rollout-Fence: %u\nRollout-Id: %s\nRollout-Ttl: 60\nRollout-Holder: amy \"100%%\"",
                                fence, id),
                     "")
        ->status;
}

static const json_t *look(struct kept *k)
{
    struct stage_answer *a =
        stage_http(k->stage, "GET", stage_text(k->stage, "%s/9/http/upstreams/app", k->lb->api), NULL, NULL);

    if (a->status != 200)
        stage_fail(k->stage, "GET: %d %s%s", a->status, a->error, a->body);
    return a->json;
}

static const char *state_in(struct stage *s, const json_t *app, unsigned id)
{
    return stage_json_string(s, app, stage_text(s, "peers.%u.state", id));
}

/* want: a letter a server: u up, d draining, x down. */
static void states_are(struct kept *k, const char *want)
{
    const json_t *app = look(k);

    assert_int_equal(json_array_size(stage_json(k->stage, app, "peers")), strlen(want));
    for (unsigned i = 0; want[i] != '\0'; i++) {
        const char *state = want[i] == 'u' ? "up" : want[i] == 'd' ? "draining" : "down";

        if (strcmp(state_in(k->stage, app, i), state) != 0)
            stage_fail(k->stage, "server %u is %s, not %s", i, state_in(k->stage, app, i), state);
    }
}

static void lease_is(struct kept *k, unsigned fence, const char *id)
{
    const json_t *app = look(k);

    assert_int_equal(stage_json_int(k->stage, app, "rollout.fence"), fence);
    assert_string_equal(stage_json_string(k->stage, app, "rollout.id"), id);
    assert_string_equal(stage_json_string(k->stage, app, "rollout.holder"), "amy \"100%\"");
    assert_in_range(stage_json_int(k->stage, app, "rollout.ttl"), 20, 60);
}

static const char *log_of(struct kept *k)
{
    return stage_read(k->stage, k->lb->error_log);
}

static unsigned count(const char *text, const char *part)
{
    unsigned n = 0;

    for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
        n++;
    return n;
}

/* ---- stop and start */

static void changes_leases_and_fences_outlive_a_stop_and_a_kill(struct stage *s)
{
    static const int signals[] = {SIGTERM, SIGQUIT, SIGKILL};
    struct kept *k = start(s, 4);

    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) {
        patch(k, 0, "{\"drain\":true}");
        patch(k, 1, "{\"down\":true}");
        patch(k, 2, "{\"down\":true}");
        patch(k, 2, "{\"down\":false}");
        assert_int_equal(lease(k, 7 + i, "ci/1"), 200);
        stage_nginx_stop(k->lb, signals[i]);
        again(k);
        states_are(k, "dxuu");
        lease_is(k, 7 + i, "ci/1");
        assert_int_equal(lease(k, 99, "other"), 412);
        assert_int_equal(lease(k, 6, "ci/1"), 412);
        patch(k, 0, "{\"drain\":false}");
        patch(k, 1, "{\"down\":false}");
        stage_nginx_stop(k->lb, signals[i]);
        again(k);
        states_are(k, "uuuu");
    }
}

static bool lease_has_run_out(void *ctx)
{
    struct kept *k = ctx;

    return stage_json_int(k->stage, look(k), "rollout.ttl") == 0;
}

static void a_lease_runs_out_over_a_kill_and_its_fence_does_not_fall(struct stage *s)
{
    struct kept *k = start(s, 1);
    const char *headers = "Rollout-Fence: 7\nRollout-Id: a\nRollout-Ttl: 1";

    assert_int_equal(try_patch(k, 0, headers, "")->status, 200);
    stage_nginx_stop(k->lb, SIGKILL);
    again(k);
    stage_wait_until(s, lease_has_run_out, k, 3000, "a lease of 1 s to run out");
    stage_nginx_stop(k->lb, SIGKILL);
    again(k);
    assert_int_equal(lease(k, 7, "b"), 412);
    assert_int_equal(lease(k, 8, "b"), 200);
}

static void the_state_finds_its_servers_however_the_file_is_changed(struct stage *s)
{
    struct kept *k = prepare(s, 4);
    const char *a = k->peers[0], *b = k->peers[1], *c = k->peers[2];

    k->peers[3] = b; /* twice */
    k->lb = stage_nginx_start(s, "lb", &k->conf);
    patch(k, 0, "{\"down\":true}");
    patch(k, 2, "{\"drain\":true}");
    patch(k, 3, "{\"down\":true}");
    assert_int_equal(lease(k, 7, "ci"), 200);
    states_are(k, "xudx");
    stage_nginx_stop(k->lb, SIGTERM);

    k->peers[0] = c, k->peers[1] = b, k->peers[2] = b, k->peers[3] = NULL; /* in another order, and a is gone */
    k->upstreams[1].no_zone = true;
    k->upstreams[1].extra = "zone app 512k;"; /* of another size */
    again(k);
    states_are(k, "dux");
    k->peers[3] = a;
    stage_nginx_write(k->lb, &k->conf);
    stage_nginx_reload(k->lb);
    states_are(k, "duxu"); /* a server that was out of the file is as the file says */
    stage_nginx_stop(k->lb, SIGKILL);
    again(k);
    states_are(k, "duxu");
    stage_nginx_stop(k->lb, SIGTERM);

    k->upstreams[1].name = "else";
    again(k);
    stage_nginx_stop(k->lb, SIGTERM);
    k->upstreams[1].name = "app";
    again(k);
    states_are(k, "uuuu");
    lease_is(k, 7, "ci");
}

/* As without a stop: put up by the API, then up in the file, then down in the file again. */
static void a_change_that_the_file_has_come_to_is_none_after_a_start(struct stage *s)
{
    struct kept *k = prepare(s, 2);
    const char *up = k->peers[0], *down = stage_text(s, "%s down", up);

    k->peers[0] = down;
    k->lb = stage_nginx_start(s, "lb", &k->conf);
    patch(k, 0, "{\"down\":false}");
    states_are(k, "uu");
    stage_nginx_stop(k->lb, SIGTERM);
    k->peers[0] = up;
    again(k);
    states_are(k, "uu");
    k->peers[0] = down;
    stage_nginx_write(k->lb, &k->conf);
    stage_nginx_reload(k->lb);
    states_are(k, "xu");
}

static bool is_there(void *ctx)
{
    return access(ctx, F_OK) == 0;
}

static void a_reload_may_bring_move_and_drop_the_state_file(struct stage *s)
{
    struct kept *k = prepare(s, 2);
    const char *with = k->conf.http_extra;
    char *moved = (char *)(uintptr_t)stage_text(s, "%s/keep/moved", s->dir);

    k->conf.http_extra = NULL;
    k->lb = stage_nginx_start(s, "lb", &k->conf);
    patch(k, 0, "{\"down\":true}");
    k->conf.http_extra = with;
    stage_nginx_write(k->lb, &k->conf);
    stage_nginx_reload(k->lb);
    stage_nginx_stop(k->lb, SIGKILL); /* without another change */
    again(k);
    states_are(k, "xu");

    k->conf.http_extra = "api_state ../keep/moved;"; /* below the prefix, which is the nginx's own folder */
    stage_nginx_write(k->lb, &k->conf);
    stage_nginx_reload(k->lb);
    stage_wait_until(s, is_there, moved, WAIT_MS, "the state file at its new place");
    patch(k, 1, "{\"drain\":true}");
    stage_nginx_stop(k->lb, SIGKILL);
    again(k);
    states_are(k, "xd");

    k->conf.http_extra = NULL;
    stage_nginx_write(k->lb, &k->conf);
    stage_nginx_reload(k->lb);
    states_are(k, "xd");
    assert_int_equal(unlink(moved), 0);
    patch(k, 1, "{\"drain\":false}");
    assert_int_not_equal(access(moved, F_OK), 0);
}

/* ---- what is wrong with the file */

static struct stage_run test_conf(struct kept *k)
{
    const char *const argv[] = {
        "/usr/sbin/nginx", "-t", "-e", stage_text(k->stage, "%s/test.log", k->lb->dir), "-p", k->lb->dir, "-c",
        k->lb->conf_path,  NULL};

    return stage_nginx_run(k->stage, WAIT_MS, argv);
}

struct seen {
    struct stat folder, file, lock;
    const char *text;
};

static struct seen see(struct kept *k)
{
    struct seen seen = {.text = stage_read(k->stage, k->path)};

    assert_int_equal(stat(k->folder, &seen.folder), 0);
    assert_int_equal(stat(k->path, &seen.file), 0);
    assert_int_equal(stat(stage_text(k->stage, "%s.lock", k->path), &seen.lock), 0);
    return seen;
}

static void same_stat(const struct stat *a, const struct stat *b)
{
    assert_true(a->st_ino == b->st_ino);
    assert_true(a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec);
    assert_true(a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec);
}

/* A name that came, went or was renamed moves the folder's times. */
static void nothing_moved(const struct seen *a, const struct seen *b)
{
    same_stat(&a->folder, &b->folder);
    same_stat(&a->file, &b->file);
    same_stat(&a->lock, &b->lock);
    assert_string_equal(a->text, b->text);
}

static void a_test_of_the_conf_changes_nothing_and_names_a_bad_file(struct stage *s)
{
    struct kept *k = start(s, 2);

    patch(k, 0, "{\"down\":true}");
    struct seen before = see(k);
    assert_int_equal(test_conf(k).exit_code, 0);
    struct seen after = see(k);
    nothing_moved(&before, &after);
    states_are(k, "xu");

    stage_nginx_stop(k->lb, SIGTERM);
    (void)stage_write(s, "keep/state", "garbage\n");
    before = see(k);
    struct stage_run run = test_conf(k);
    assert_int_equal(run.exit_code, 0);
    assert_non_null(strstr(run.err, "not a state file"));
    after = see(k);
    nothing_moved(&before, &after);
}

static void bad_directives_are_refused(struct stage *s)
{
    static const struct {
        const char *extra, *why;
    } rows[] = {
        {"api_state a; api_state b;", "\"api_state\" directive is duplicate"},
        {"api_state a b;", "invalid number of arguments"},
        {"api_state \"\";", "needs the name of a file"},
        {"api_state keep/;", "needs the name of a file"},
    };
    struct kept *k = start(s, 1);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        k->conf.http_extra = rows[i].extra;
        stage_nginx_write(k->lb, &k->conf);
        struct stage_run run = test_conf(k);

        if (run.exit_code != 1 || strstr(run.err, rows[i].why) == NULL)
            stage_fail(s, "%s: exit code %d, %s", rows[i].extra, run.exit_code, run.err);
    }
}

/* Puts something into the place of the state file; `good` is the text of a good one. */
typedef void spoil_fn(struct kept *k, const char *good);

static void spoil_cut(struct kept *k, const char *good)
{
    (void)stage_write(k->stage, "keep/state", stage_text(k->stage, "%.*s", (int)strlen(good) - 5, good));
}

static void spoil_garbage(struct kept *k, const char *good)
{
    (void)good;
    (void)stage_write(k->stage, "keep/state", "\x7f\x45LF\x01\n\n");
}

static void spoil_empty(struct kept *k, const char *good)
{
    (void)good;
    (void)stage_write(k->stage, "keep/state", "");
}

static void spoil_version(struct kept *k, const char *good)
{
    (void)stage_write(k->stage, "keep/state", stage_text(k->stage, "upstream_api_state 2%s", strchr(good, '\n')));
}

static void spoil_sum(struct kept *k, const char *good)
{
    char *text = (char *)(uintptr_t)stage_text(k->stage, "%s", good);

    memcpy(strstr(text, "down"), "port", 4);
    (void)stage_write(k->stage, "keep/state", text);
}

static void spoil_folder(struct kept *k, const char *good)
{
    (void)good;
    (void)unlink(stage_text(k->stage, "%s.bad", k->path));
    assert_int_equal(mkdir(k->path, 0755), 0);
}

static void spoil_link(struct kept *k, const char *good)
{
    (void)rmdir(stage_text(k->stage, "%s.bad", k->path));
    (void)stage_write(k->stage, "keep/else", good);
    assert_int_equal(symlink("else", k->path), 0);
}

static void spoil_fifo(struct kept *k, const char *good)
{
    (void)good;
    assert_int_equal(mkfifo(k->path, 0666), 0);
}

static void spoil_size(struct kept *k, const char *good)
{
    (void)good;
    (void)stage_write(k->stage, "keep/state", "");
    assert_int_equal(truncate(k->path, 17 * 1024 * 1024), 0);
}

static void a_bad_file_is_named_and_kept_aside_and_nginx_starts_as_configured(struct stage *s)
{
    static const struct {
        spoil_fn *spoil;
        const char *why;
    } rows[] = {
        {spoil_cut, "it is cut"},
        {spoil_garbage, "not a state file"},
        {spoil_empty, "not a state file"},
        {spoil_version, "line 1: of another version"},
        {spoil_sum, "its checksum is wrong"},
        {spoil_folder, "is not a regular file"},
        {spoil_link, "it is a symbolic link"},
        {spoil_fifo, "is not a regular file"},
        {spoil_size, "has 17825792 bytes"},
    };
    struct kept *k = start(s, 2);

    patch(k, 0, "{\"down\":true}");
    const char *good = stage_read(s, k->path);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stat bad, spoiled;
        size_t log_before;

        stage_nginx_stop(k->lb, SIGTERM);
        assert_int_equal(unlink(k->path), 0);
        rows[i].spoil(k, good);
        assert_int_equal(lstat(k->path, &spoiled), 0);
        log_before = strlen(log_of(k));
        again(k);
        if (strstr(log_of(k) + log_before, rows[i].why) == NULL || strstr(log_of(k) + log_before, k->path) == NULL)
            stage_fail(s, "row %zu: the log does not say \"%s\" and where", i, rows[i].why);
        assert_int_equal(lstat(stage_text(s, "%s.bad", k->path), &bad), 0);
        assert_true(bad.st_ino == spoiled.st_ino);
        states_are(k, "uu");
        patch(k, 1, "{\"drain\":true}");
        stage_nginx_stop(k->lb, SIGKILL);
        again(k);
        states_are(k, "ud");
        patch(k, 1, "{\"drain\":false}");
    }
}

/* ---- where it cannot be written */

static void patch_is_not_kept(struct kept *k)
{
    struct stage_answer *a = try_patch(k, 0, NULL, "{\"down\":true}");

    assert_int_equal(a->status, 500);
    assert_string_equal(stage_json_string(k->stage, a->json, "error.code"), "StateNotKept");
    const char *text = stage_json_string(k->stage, a->json, "error.text");
    assert_non_null(strstr(text, "the change is made"));
    assert_non_null(strstr(text, k->path));
}

static void what_cannot_be_written_is_answered_500_and_written_once_it_can(struct stage *s)
{
    struct kept *k = prepare(s, 2);

    assert_int_equal(rmdir(k->folder), 0);
    k->lb = stage_nginx_start(s, "lb", &k->conf);
    patch_is_not_kept(k);
    patch_is_not_kept(k);
    states_are(k, "xu");
    assert_int_equal(count(log_of(k), "changes would not outlive nginx"), 1);
    assert_int_equal(mkdir(k->folder, 0755), 0);
    stage_wait_until(s, is_there, (void *)(uintptr_t)k->path, WAIT_MS, "the state file to be written after all");
    stage_nginx_stop(k->lb, SIGKILL);
    again(k);
    states_are(k, "xu");
}

static void remove_folder(void *folder)
{
    static const char *const names[] = {"state", "state.lock", "state.new"};
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        (void)unlinkat(fd, names[i], 0);
    (void)close(fd);
    (void)rmdir(folder);
}

/* To where workers of any user get: a folder above the stage's may be closed to all but its owner. */
static void keep_outside(struct kept *k)
{
    char *folder = stage_alloc(k->stage, sizeof "/tmp/upstream_api.XXXXXX");

    assert_non_null(mkdtemp(strcpy(folder, "/tmp/upstream_api.XXXXXX")));
    k->folder = stage_keep(k->stage, folder, remove_folder);
    k->path = stage_text(k->stage, "%s/state", folder);
    k->conf.http_extra = stage_text(k->stage, "api_state %s;", k->path);
}

static void a_folder_that_the_workers_may_not_write_is_named_at_start(struct stage *s)
{
    struct kept *k = prepare(s, 2);

    keep_outside(k);
    k->lb = stage_nginx_start(s, "lb", &k->conf);
    patch(k, 1, "{\"down\":true}");
    stage_nginx_stop(k->lb, SIGTERM);
    assert_int_equal(unlink(stage_text(s, "%s.lock", k->path)), 0);
    assert_int_equal(chmod(k->folder, 0555), 0);
    k->conf.user = "nobody nogroup";
    again(k);
    states_are(k, "ux"); /* what stands in it can be read all the same */
    patch_is_not_kept(k);
    states_are(k, "xx");
    assert_int_equal(count(log_of(k), "changes would not outlive nginx"), 1);
    assert_non_null(strstr(log_of(k), "Permission denied"));
    assert_int_equal(chmod(k->folder, 0777), 0);
    patch(k, 1, "{\"drain\":true}");
    assert_int_equal(count(log_of(k), "is written again"), 1);
    stage_nginx_stop(k->lb, SIGKILL);
    again(k);
    states_are(k, "xd");
}

static uint64_t patches_took_ms(struct kept *k, unsigned n)
{
    uint64_t begin_ms = stage_now_ms();

    for (unsigned i = 0; i < n; i++)
        assert_int_equal(try_patch(k, i % 2, NULL, "{\"down\":true}")->status, 500);
    return stage_now_ms() - begin_ms;
}

/* A worker that waits for the lock serves nobody meanwhile. */
static void a_foreign_holder_of_the_lock_is_not_waited_for(struct stage *s)
{
    struct kept *k = prepare(s, 2);

    k->conf.workers = 1;
    k->lb = stage_nginx_start(s, "lb", &k->conf);
    patch(k, 0, "{\"drain\":true}");
    int lock = open(stage_text(s, "%s.lock", k->path), O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(lock, LOCK_EX), 0);
    assert_in_range(patches_took_ms(k, 1), 0, 1000);
    assert_in_range(patches_took_ms(k, 10), 0, 1000); /* it is known by now */
    assert_int_equal(count(log_of(k), "changes would not outlive nginx"), 1);
    states_are(k, "xx");
    assert_int_equal(close(lock), 0);
    patch(k, 1, "{\"drain\":true}");
    stage_nginx_stop(k->lb, SIGKILL);
    again(k);
    states_are(k, "xd");
}

/* ---- many at once */

struct client {
    int fd;
    char sent, answered;                     /* letters as in states_are */
    json_int_t weight_sent, weight_answered; /* one more each time: no earlier change looks like the last */
};

static json_int_t pid_behind(struct stage *s, int fd)
{
    stage_raw_send(s, fd, "GET /api/9/nginx HTTP/1.1\r\nHost: a\r\n\r\n");
    const char *at = strstr(stage_raw_answer(s, fd, WAIT_MS), "\"pid\":");

    assert_non_null(at);
    return atol(at + strlen("\"pid\":"));
}

static void send_next(struct stage *s, struct client *c, unsigned id)
{
    static const char states[] = "dxu";
    static const char *const bodies[] = {"\"drain\":true", "\"down\":true", "\"down\":false"};
    unsigned next = (unsigned)(strchr(states, c->answered) - states + 1) % 3;

    c->sent = states[next];
    c->weight_sent = c->weight_answered + 1;
    const char *body = stage_text(s, "{%s,\"weight\":%lld}", bodies[next], (long long)c->weight_sent);
    stage_raw_send(s, c->fd,
                   stage_text(s,
                              "PATCH /api/9/http/upstreams/app/servers/%u HTTP/1.1\r\nHost: a\r\nContent-Length: "
                              "%zu\r\n\r\n%s",
                              id, strlen(body), body));
}

/* 20 connections over several workers, each with its own server. */
static void connect_all(struct kept *k, struct client *clients)
{
    json_int_t first = 0;
    unsigned others = 0;

    for (unsigned i = 0, tries = 0; i < PEERS_MAX; tries++) {
        int fd = stage_raw_open(k->stage, k->lb->api_port);
        json_int_t pid = pid_behind(k->stage, fd);

        first = i == 0 ? pid : first;
        if (pid == first && i >= PEERS_MAX / 2 && others == 0 && tries < 500)
            continue;
        others += pid != first;
        clients[i++] = (struct client){.fd = fd, .sent = 'u', .answered = 'u'};
    }
    if (others == 0)
        stage_fail(k->stage, "one worker alone took all connections");
}

static void every_answered_change_is_there_after_a_kill(struct stage *s)
{
    struct kept *k = prepare(s, PEERS_MAX);
    struct client clients[PEERS_MAX];
    struct pollfd polls[PEERS_MAX];

    k->conf.workers = 4;
    k->lb = stage_nginx_start(s, "lb", &k->conf);
    for (unsigned round = 0; round < 3; round++) {
        unsigned answers = 0;
        const json_t *app;

        connect_all(k, clients);
        app = look(k);
        for (unsigned i = 0; i < PEERS_MAX; i++) {
            clients[i].answered = state_in(s, app, i)[0] == 'u' ? 'u' : state_in(s, app, i)[1] == 'r' ? 'd' : 'x';
            clients[i].weight_answered = stage_json_int(s, app, stage_text(s, "peers.%u.weight", i));
            send_next(s, &clients[i], i);
            polls[i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
        }
        while (answers < 150 + round * 7) { /* the kill finds all of them in a PATCH */
            assert_true(poll(polls, PEERS_MAX, WAIT_MS) > 0);
            for (unsigned i = 0; i < PEERS_MAX; i++) {
                if (polls[i].revents == 0)
                    continue;
                const char *answer = stage_raw_answer(s, clients[i].fd, WAIT_MS);

                if (strncmp(answer, "HTTP/1.1 200", 12) != 0)
                    stage_fail(s, "%s", answer);
                clients[i].answered = clients[i].sent;
                clients[i].weight_answered = clients[i].weight_sent;
                send_next(s, &clients[i], i);
                answers++;
            }
        }
        stage_nginx_stop(k->lb, SIGKILL);
        again(k);
        app = look(k);
        for (unsigned i = 0; i < PEERS_MAX; i++) {
            const char *state = state_in(s, app, i);
            char is = (char)(state[0] == 'u' ? 'u' : state[1] == 'r' ? 'd' : 'x');
            json_int_t weighs = stage_json_int(s, app, stage_text(s, "peers.%u.weight", i));

            if ((is != clients[i].answered || weighs != clients[i].weight_answered) &&
                (is != clients[i].sent || weighs != clients[i].weight_sent))
                stage_fail(s, "server %u is %s and weighs %lld; answered was %c and %lld, sent %c", i, state,
                           (long long)weighs, clients[i].answered, (long long)clients[i].weight_answered,
                           clients[i].sent);
        }
    }
}

/* ---- two nginx, or two zones of one, that know the same file */

/* A connection to a worker of that master. */
static int connect_to(struct kept *k, pid_t master)
{
    for (unsigned tries = 0; tries < 500; tries++) {
        int fd = stage_raw_open(k->stage, k->lb->api_port);

        stage_raw_send(k->stage, fd, "GET /api/9/nginx HTTP/1.1\r\nHost: a\r\n\r\n");
        const char *at = strstr(stage_raw_answer(k->stage, fd, WAIT_MS), "\"ppid\":");
        if (at != NULL && atol(at + strlen("\"ppid\":")) == master)
            return fd;
    }
    stage_fail(k->stage, "no connection to a worker of %d", master);
}

/* What of the answer was wanted, "" where it did not come. */
static void want_on(struct kept *k, int fd, const char *method, const char *path, const char *body, const char *want)
{
    stage_raw_send(k->stage, fd,
                   stage_text(k->stage,
                              "%s /api/9/http/upstreams/app%s HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n%s",
                              method, path, strlen(body), body));
    const char *answer = stage_raw_answer(k->stage, fd, WAIT_MS);
    if (strstr(answer, want) == NULL)
        stage_fail(k->stage, "%s %s %s: want %s: %s", method, path, body, want, answer);
}

struct gone {
    struct stage *stage;
    pid_t pids[64];
    unsigned n;
};

static bool are_gone(void *ctx)
{
    struct gone *g = ctx;
    bool any = false;

    for (unsigned i = 0; i < g->n; i++)
        any = any || stage_pid_is_kin(g->stage, g->pids[i]);
    return !any;
}

/* Master and workers. Back when all are gone: the kernel may tell of a connection to one that is dying, and to no
 * other. */
static void kill_all_of(struct kept *k, pid_t master)
{
    struct gone g = {.stage = k->stage, .pids = {master}};

    g.n = 1 + stage_nginx_workers_of(k->lb, master, g.pids + 1, 63);
    for (unsigned i = 0; i < g.n; i++)
        (void)kill(g.pids[i], SIGKILL);
    stage_wait_until(k->stage, are_gone, &g, WAIT_MS, "the killed nginx to be gone");
}

static bool old_is_alone(void *ctx)
{
    struct kept *k = ctx;

    return stage_nginx_pid(k->lb) == k->lb->proc->pid;
}

/* Where both are there, the new one may change and the old one may not, and both tell the same. */
static void two_nginx(struct kept *k, int old, int new)
{
    want_on(k, old, "PATCH", "/servers/1", "{\"down\":true}", "\"code\":\"StateTaken\"");
    want_on(k, old, "PATCH", "/servers/1", "{\"down\":true}", "HTTP/1.1 503");
    states_are(k, "duu");
    want_on(k, new, "PATCH", "/servers/2", "{\"down\":true}", "HTTP/1.1 200");
    want_on(k, old, "GET", "/servers/2", "", "\"down\":true");
    want_on(k, old, "GET", "", "", "\"active_exact\":false");
    want_on(k, new, "GET", "", "", "\"active_exact\":false");
    for (int i = 0; i < 20; i++)
        states_are(k, "dux");
    lease_is(k, 7, "ci");
}

static struct kept *upgrade(struct stage *s, pid_t *next)
{
    struct kept *k = start(s, 3);

    k->old = connect_to(k, k->lb->proc->pid);
    patch(k, 0, "{\"drain\":true}");
    assert_int_equal(lease(k, 7, "ci"), 200);
    *next = stage_nginx_upgrade(k->lb);
    two_nginx(k, k->old, connect_to(k, *next));
    return k;
}

static bool is_exact(void *ctx)
{
    struct kept *k = ctx;

    return stage_json_bool(k->stage, look(k), "rollout.active_exact");
}

static void a_binary_upgrade_keeps_all_and_the_old_nginx_refuses(struct stage *s)
{
    pid_t next;
    struct kept *k = upgrade(s, &next);

    stage_proc_signal(s, k->lb->proc, SIGQUIT);
    assert_int_equal(stage_proc_wait(s, k->lb->proc, WAIT_MS), 0);
    stage_wait_until(s, is_exact, k, WAIT_MS, "the counts to be exact, with one nginx left");
    states_are(k, "dux");
    patch(k, 1, "{\"drain\":true}");
    kill_all_of(k, next);
    again(k);
    states_are(k, "ddx");
    lease_is(k, 7, "ci");
}

struct late {
    struct kept *k;
    pid_t master, next, killed, pid;
    pid_t before[64];
    unsigned before_n;
};

static bool has_late_worker(void *ctx)
{
    struct late *l = ctx;
    pid_t now[64];
    unsigned n = stage_nginx_workers_of(l->k->lb, l->master, now, 64);

    for (unsigned i = 0; i < n && i < 64; i++) {
        bool is_old = false;

        for (unsigned b = 0; b < l->before_n; b++)
            is_old = is_old || now[i] == l->before[b];
        if (!is_old)
            l->pid = now[i];
    }
    return l->pid != 0;
}

/* Also one that the old master started when the new nginx was there already. */
static void workers_of_a_killed_old_master_are_not_forgotten(struct stage *s)
{
    struct late late = {.k = start(s, 3)};
    struct stage_nginx *lb = late.k->lb;
    struct gone gone = {.stage = s, .n = 1};
    int new;

    late.master = lb->proc->pid;
    late.next = stage_nginx_upgrade(lb);
    late.before_n = stage_nginx_workers_of(lb, late.master, late.before, 64);
    for (unsigned i = 0; i < late.before_n && late.killed == 0; i++)
        late.killed = late.before[i] != late.next ? late.before[i] : 0;
    assert_int_equal(kill(late.killed, SIGKILL), 0);
    stage_wait_until(s, has_late_worker, &late, WAIT_MS, "the killed worker to have a successor");
    new = connect_to(late.k, late.next);
    want_on(late.k, new, "GET", "", "", "\"active_exact\":false");
    stage_proc_signal(s, lb->proc, SIGKILL);
    (void)stage_proc_wait(s, lb->proc, WAIT_MS);
    want_on(late.k, new, "GET", "", "", "\"active_exact\":false");
    for (unsigned i = 0; i < late.before_n; i++)
        if (late.before[i] != late.next && late.before[i] != late.killed) {
            gone.pids[0] = late.before[i];
            assert_int_equal(kill(late.before[i], SIGKILL), 0);
            stage_wait_until(s, are_gone, &gone, WAIT_MS, "a worker of the killed master to be gone");
        }
    for (int i = 0; i < 3; i++)
        want_on(late.k, new, "GET", "", "", "\"active_exact\":false");
    assert_int_equal(kill(late.pid, SIGKILL), 0);
    stage_wait_until(s, is_exact, late.k, WAIT_MS, "the counts to be exact, with one nginx left");
}

static void when_the_new_nginx_ends_the_old_one_goes_on_with_its_changes(struct stage *s)
{
    pid_t next;
    struct kept *k = upgrade(s, &next);

    want_on(k, connect_to(k, next), "PATCH", "/servers/1", "{\"drain\":true}", "HTTP/1.1 200");
    kill_all_of(k, next); /* before the old one has looked */
    states_are(k, "ddx");
    stage_wait_until(s, is_exact, k, WAIT_MS, "the counts to be exact, with one nginx left");
    patch(k, 1, "{\"down\":true}");
    lease_is(k, 7, "ci");
    stage_nginx_stop(k->lb, SIGKILL);
    again(k);
    states_are(k, "dxx");
    lease_is(k, 7, "ci");
}

static void send_patch_on(struct kept *k, int fd, unsigned id, const char *body)
{
    stage_raw_send(k->stage, fd,
                   stage_text(k->stage,
                              "PATCH /api/9/http/upstreams/app/servers/%u HTTP/1.1\r\nHost: a\r\nContent-Length: "
                              "%zu\r\n\r\n%s",
                              id, strlen(body), body));
}

/* The answer's status. */
static int status_on(struct kept *k, int fd)
{
    const char *answer = stage_raw_answer(k->stage, fd, WAIT_MS);

    return strlen(answer) > 12 ? atoi(answer + strlen("HTTP/1.1 ")) : 0;
}

/* Not on a new connection: the new nginx takes some more until it has heard that it shall quit. */
static bool old_may_change(void *ctx)
{
    struct kept *k = ctx;

    send_patch_on(k, k->old, 1, "{\"drain\":true}");
    return status_on(k, k->old) == 200;
}

static void a_new_nginx_that_waits_for_its_last_connection_gives_the_file_back(struct stage *s)
{
    pid_t next;
    struct kept *k = upgrade(s, &next);
    struct gone gone = {.stage = s, .pids = {next}, .n = 1};
    int last = connect_to(k, next);

    stage_raw_send(s, last, "GET /api/9/nginx HTTP/1.1\r\n"); /* half of a request */
    assert_int_equal(kill(next, SIGQUIT), 0);
    stage_wait_until(s, old_may_change, k, WAIT_MS, "the old nginx to have the file again");
    states_are(k, "ddx");
    stage_raw_send(s, last, "Host: a\r\n\r\n");
    assert_non_null(strstr(stage_raw_answer(s, last, WAIT_MS), "200 OK"));
    stage_wait_until(s, are_gone, &gone, WAIT_MS, "the new nginx to be gone");
    stage_nginx_stop(k->lb, SIGKILL);
    again(k);
    states_are(k, "ddx");
}

/* A connection to another worker of that master than the one behind fd. */
static int connect_beside(struct kept *k, pid_t master, int fd)
{
    json_int_t pid = pid_behind(k->stage, fd);

    for (unsigned tries = 0; tries < 300; tries++) {
        int beside = connect_to(k, master);

        if (pid_behind(k->stage, beside) != pid)
            return beside;
    }
    stage_fail(k->stage, "one worker alone took all connections");
}

struct change {
    struct kept *k;
    int beside;
    const char *part; /* of the server's answer once the change is made */
};

static bool change_is_made(void *ctx)
{
    struct change *c = ctx;

    stage_raw_send(c->k->stage, c->beside, "GET /api/9/http/upstreams/app/servers/0 HTTP/1.1\r\nHost: a\r\n\r\n");
    return strstr(stage_raw_answer(c->k->stage, c->beside, WAIT_MS), c->part) != NULL;
}

/* The new nginx has read the file and waits for the lock, and the old one has made a change and does: whoever comes
 * first, the answer tells the truth. */
static void a_change_in_the_moment_of_an_upgrade_is_kept_or_refused(struct stage *s)
{
    static const char *const bodies[] = {"{\"down\":true}", "{\"down\":false}"};
    static const char *const parts[] = {"\"down\":true", "\"down\":false"};
    static const char *const names[] = {"u", "x"};
    struct kept *k = start(s, 1);
    pid_t old = k->lb->proc->pid;
    unsigned kept = 0, refused = 0, late = 0, is = 0;

    for (unsigned round = 0; round < 60 && (kept == 0 || refused == 0); round++) {
        int fd = connect_to(k, old), lock = open(stage_text(s, "%s.lock", k->path), O_RDWR | O_CLOEXEC);
        struct change change = {k, connect_beside(k, old, fd), parts[is]};

        assert_int_equal(flock(lock, LOCK_EX), 0);
        pid_t next = stage_nginx_upgrade(k->lb);
        send_patch_on(k, fd, 0, bodies[is]);
        stage_wait_until(s, change_is_made, &change, WAIT_MS, "the old nginx to make the change");
        assert_int_equal(close(lock), 0);
        int status = status_on(k, fd);
        if (status == 200)
            is = 1 - is;
        else if (status != 500) /* we were slow: it has not waited for us */
            assert_int_equal(status, 503);
        kept += status == 200;
        refused += status == 503;
        late += status == 500;
        (void)connect_to(k, next); /* it serves */
        for (int i = 0; i < 8 && status != 500; i++)
            states_are(k, names[is]);
        kill_all_of(k, next);
        stage_wait_until(s, old_is_alone, k, WAIT_MS, "the old nginx to have its pid file again");
        if (status == 500)
            patch(k, 0, bodies[1 - is]);
        states_are(k, names[is]);
    }
    if (kept == 0 || refused == 0)
        stage_fail(s, "%u were kept and %u refused (%u late): one way was not seen", kept, refused, late);
}

struct loop {
    struct kept *k;
    unsigned turn;
    const char *want; /* what was answered last */
    unsigned taken, kept;
    pid_t master; /* to wait for: another one in the pid file */
};

/* One PATCH, tried again while the file changes hands, and what each nginx shows then. */
static void loop_once(struct loop *l)
{
    static const char *const bodies[] = {"{\"down\":true}", "{\"drain\":true}", "{\"down\":false}"};
    static const char *const states[] = {"x", "d", "u"};
    struct stage_answer *a;
    unsigned tries = 0;

    l->turn = (l->turn + 1) % 3;
    while ((a = try_patch(l->k, 0, NULL, bodies[l->turn]))->status == 503 && tries++ < 500) {
        l->taken++;
        states_are(l->k, l->want);
    }
    if (a->status != 200)
        stage_fail(l->k->stage, "%s: %d %s%s", bodies[l->turn], a->status, a->error, a->body);
    l->want = states[l->turn];
    l->kept++;
    for (int i = 0; i < 4; i++)
        states_are(l->k, l->want);
}

static bool another_master(void *ctx)
{
    struct loop *l = ctx;

    loop_once(l);
    pid_t pid = stage_nginx_pid(l->k->lb);
    if (pid <= 0 || pid == l->master || stage_nginx_workers_of(l->k->lb, pid, NULL, 0) == 0)
        return false;
    l->master = pid;
    return true;
}

/* In a tight loop: none is lost in the moment in which the file changes hands, in either direction. */
static void no_answered_change_is_lost_over_upgrades_and_back(struct stage *s)
{
    struct kept *k = start(s, 1);
    struct loop l = {.k = k, .want = "u", .turn = 2, .master = k->lb->proc->pid};
    pid_t old = k->lb->proc->pid;

    for (int round = 0; round < 4; round++) {
        stage_proc_signal(s, k->lb->proc, SIGUSR2);
        stage_wait_until(s, another_master, &l, WAIT_MS, "a new master");
        for (int i = 0; i < 10; i++)
            loop_once(&l);
        assert_int_equal(kill(l.master, SIGQUIT), 0);
        stage_wait_until(s, another_master, &l, WAIT_MS, "the old master to be alone");
        assert_int_equal(l.master, old);
    }
    if (l.taken == 0)
        stage_fail(s, "no PATCH of %u came to the nginx that may not", l.kept);
    stage_nginx_stop(k->lb, SIGKILL);
    again(k);
    states_are(k, l.want);
}

/* ---- whose word holds */

static void reload(struct kept *k)
{
    stage_nginx_write(k->lb, &k->conf);
    stage_nginx_reload(k->lb);
}

/* A reload without the module ends its zone, the next one with it makes another. A worker of the first still has a
 * request whose body is slow. */
static void an_old_worker_of_a_zone_that_was_dropped_changes_nothing(struct stage *s)
{
    struct kept *k = start(s, 2);
    const char *with = k->conf.http_extra;

    assert_int_equal(lease(k, 5, "a"), 200);
    int slow = connect_to(k, k->lb->proc->pid);
    stage_raw_send(s, slow,
                   "PATCH /api/9/http/upstreams/app/servers/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 14\r\n\r\n{");
    assert_false(stage_raw_closes(s, slow, 0));
    k->conf.no_module = true;
    k->conf.http_extra = NULL;
    reload(k);
    k->conf.no_module = false;
    k->conf.http_extra = with;
    reload(k);
    assert_int_equal(lease(k, 9, "a"), 200);
    patch(k, 0, "{\"down\":true}");
    stage_raw_send(s, slow, "\"drain\":true}");
    const char *answer = stage_raw_answer(s, slow, WAIT_MS);
    if (strstr(answer, "HTTP/1.1 503") == NULL || strstr(answer, "StateTaken") == NULL)
        stage_fail(s, "the old worker answered %s", answer);
    states_are(k, "xu");
    lease_is(k, 9, "a");
    stage_nginx_stop(k->lb, SIGKILL);
    again(k);
    states_are(k, "xu");
    lease_is(k, 9, "a");
}

struct told {
    struct kept *k;
    const char *part; /* of the error log, or of the state file */
    unsigned times;
};

static bool log_has(void *ctx)
{
    struct told *t = ctx;

    return count(log_of(t->k), t->part) >= t->times;
}

static bool file_has(void *ctx)
{
    struct told *t = ctx;

    return access(t->k->path, F_OK) == 0 && count(stage_read(t->k->stage, t->k->path), t->part) >= t->times;
}

static void wait_until_it_is_ours(struct kept *k, unsigned times)
{
    struct told ours = {k, "is ours", times};

    stage_wait_until(k->stage, log_has, &ours, WAIT_MS, "the state file to be taken again");
}

/* What stands in the way of the next writing, as a full disk would; FILE.lock can be had all the same. */
static const char *block_writing(struct kept *k)
{
    const char *in_the_way = stage_text(k->stage, "%s.new", k->path);

    assert_int_equal(mkdir(in_the_way, 0755), 0);
    return in_the_way;
}

static void wait_until_it_is_written(struct kept *k, const char *in_the_way)
{
    struct told down = {k, " down\n", 1};

    assert_int_equal(rmdir(in_the_way), 0);
    stage_wait_until(k->stage, file_has, &down, WAIT_MS, "the change to be in the state file");
}

static void a_removed_lock_or_a_restored_folder_undoes_nothing(struct stage *s)
{
    struct kept *k = start(s, 2);
    const char *lock = stage_text(s, "%s.lock", k->path);

    patch(k, 0, "{\"drain\":true}"); /* which the file names from then on */
    patch(k, 1, "{\"drain\":true}");
    const char *backup = stage_read(s, k->path), *in_the_way = block_writing(k);
    patch_is_not_kept(k);
    assert_int_equal(unlink(lock), 0);
    wait_until_it_is_ours(k, 2);
    states_are(k, "xd");
    wait_until_it_is_written(k, in_the_way);

    assert_int_equal(unlink(lock), 0);
    (void)stage_write(s, "keep/state", backup);
    wait_until_it_is_ours(k, 3);
    states_are(k, "xd");
    struct told down = {k, " down\n", 1};
    stage_wait_until(s, file_has, &down, WAIT_MS, "the state file to be as nginx knows it");
    stage_nginx_stop(k->lb, SIGKILL);
    again(k);
    states_are(k, "xd");
}

static void a_change_that_could_not_be_written_outlives_an_upgrade_that_fails(struct stage *s)
{
    struct kept *k = start(s, 2);
    int old = connect_to(k, k->lb->proc->pid);

    patch(k, 0, "{\"drain\":true}"); /* which the file names from then on */
    patch(k, 1, "{\"drain\":true}");
    const char *in_the_way = block_writing(k);
    patch_is_not_kept(k);
    pid_t next = stage_nginx_upgrade(k->lb);
    (void)connect_to(k, next); /* it serves, so it has the file */
    want_on(k, old, "PATCH", "/servers/1", "{\"down\":true}", "\"code\":\"StateTaken\"");
    want_on(k, old, "GET", "/servers/0", "", "\"down\":true");
    kill_all_of(k, next);
    stage_wait_until(s, old_is_alone, k, WAIT_MS, "the old nginx to have its pid file again");
    states_are(k, "xd");
    wait_until_it_is_written(k, in_the_way);
    states_are(k, "xd");
}

/* The old nginx's servers are a, b and c, with a down; the new one's b and c. */
static struct kept *upgrade_without_the_first(struct stage *s, pid_t *next)
{
    struct kept *k = start(s, 3);

    patch(k, 0, "{\"down\":true}");
    patch(k, 1, "{\"drain\":true}");
    k->upstreams[0].peers = k->upstreams[1].peers = k->peers + 1;
    stage_nginx_write(k->lb, &k->conf);
    *next = stage_nginx_upgrade(k->lb);
    return k;
}

static void a_server_that_the_new_nginx_does_not_have_stays_down_in_the_old_one(struct stage *s)
{
    pid_t next;
    struct kept *k = upgrade_without_the_first(s, &next);
    int old = connect_to(k, k->lb->proc->pid), new = connect_to(k, next);

    want_on(k, new, "PATCH", "/servers/1", "{\"drain\":true}", "HTTP/1.1 200");
    want_on(k, new, "PATCH", "/servers/0", "{\"drain\":false}", "HTTP/1.1 200");
    want_on(k, old, "GET", "/servers/0", "", "\"down\":true");
    want_on(k, old, "GET", "/servers/1", "", "\"down\":false}"); /* and no drain */
    want_on(k, old, "GET", "/servers/2", "", "\"drain\":true");
    assert_int_equal(count(stage_read(s, k->path), " down\n"), 1);
    kill_all_of(k, next);
    stage_wait_until(s, old_is_alone, k, WAIT_MS, "the old nginx to have its pid file again");
    states_are(k, "xud");
    stage_nginx_stop(k->lb, SIGKILL);
    k->upstreams[0].peers = k->upstreams[1].peers = k->peers;
    again(k);
    states_are(k, "xud");
}

static bool file_has_not(void *ctx)
{
    struct told *t = ctx;

    return count(stage_read(t->k->stage, t->k->path), t->part) == 0;
}

static void rows_that_were_kept_for_the_old_nginx_go_with_it(struct stage *s)
{
    pid_t next;
    struct kept *k = upgrade_without_the_first(s, &next);
    struct told down = {k, " down\n", 0};

    stage_proc_signal(s, k->lb->proc, SIGQUIT);
    assert_int_equal(stage_proc_wait(s, k->lb->proc, WAIT_MS), 0);
    stage_wait_until(s, file_has_not, &down, WAIT_MS, "the row of a server that no nginx has to go");
    states_are(k, "du");
    kill_all_of(k, next);
}

static bool first_may_change(void *ctx)
{
    return try_patch(ctx, 1, NULL, "{\"drain\":true}")->status == 200;
}

static void an_nginx_whose_file_another_one_takes_says_so_and_puts_nothing_up(struct stage *s)
{
    struct kept *k = start(s, 2);
    struct stage_upstream shop[] = {{.name = "shop", .peers = k->peers + 1}, {.name = NULL}};
    struct stage_nginx_conf conf = {.upstreams = shop, .http_extra = k->conf.http_extra};
    struct told taken = {k, "has taken over the state file", 1};

    patch(k, 0, "{\"down\":true}");
    struct stage_nginx *other = stage_nginx_start(s, "other", &conf);
    stage_wait_until(s, log_has, &taken, WAIT_MS, "a line in the log");
    struct stage_answer *a = stage_http(s, "PATCH", stage_text(s, "%s/9/http/upstreams/shop/servers/0", other->api),
                                        NULL, "{\"drain\":true}");
    assert_int_equal(a->status, 200);
    for (int i = 0; i < 20; i++)
        states_are(k, "xu");
    assert_int_equal(try_patch(k, 1, NULL, "{\"down\":true}")->status, 503);
    assert_int_equal(count(log_of(k), taken.part), 1);
    stage_nginx_reload(other); /* it forgets what it has not got */
    a = stage_http(s, "PATCH", stage_text(s, "%s/9/http/upstreams/shop/servers/0", other->api), NULL,
                   "{\"drain\":false}");
    assert_int_equal(a->status, 200);
    for (int i = 0; i < 20; i++)
        states_are(k, "xu");
    stage_nginx_stop(other, SIGTERM);
    stage_wait_until(s, first_may_change, k, WAIT_MS, "the first nginx to have its file again");
    states_are(k, "xd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(changes_leases_and_fences_outlive_a_stop_and_a_kill),
        stage_test(a_lease_runs_out_over_a_kill_and_its_fence_does_not_fall),
        stage_test(the_state_finds_its_servers_however_the_file_is_changed),
        stage_test(a_change_that_the_file_has_come_to_is_none_after_a_start),
        stage_test(a_reload_may_bring_move_and_drop_the_state_file),
        stage_test(a_test_of_the_conf_changes_nothing_and_names_a_bad_file),
        stage_test(bad_directives_are_refused),
        stage_test(a_bad_file_is_named_and_kept_aside_and_nginx_starts_as_configured),
        stage_test(what_cannot_be_written_is_answered_500_and_written_once_it_can),
        stage_test(a_folder_that_the_workers_may_not_write_is_named_at_start),
        stage_test(a_foreign_holder_of_the_lock_is_not_waited_for),
        stage_test(every_answered_change_is_there_after_a_kill),
        stage_test(a_binary_upgrade_keeps_all_and_the_old_nginx_refuses),
        stage_test(workers_of_a_killed_old_master_are_not_forgotten),
        stage_test(when_the_new_nginx_ends_the_old_one_goes_on_with_its_changes),
        stage_test(a_new_nginx_that_waits_for_its_last_connection_gives_the_file_back),
        stage_test(a_change_in_the_moment_of_an_upgrade_is_kept_or_refused),
        stage_test(no_answered_change_is_lost_over_upgrades_and_back),
        stage_test(an_old_worker_of_a_zone_that_was_dropped_changes_nothing),
        stage_test(a_removed_lock_or_a_restored_folder_undoes_nothing),
        stage_test(a_change_that_could_not_be_written_outlives_an_upgrade_that_fails),
        stage_test(a_server_that_the_new_nginx_does_not_have_stays_down_in_the_old_one),
        stage_test(rows_that_were_kept_for_the_old_nginx_go_with_it),
        stage_test(an_nginx_whose_file_another_one_takes_says_so_and_puts_nothing_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
