/* agent_any_case.c - services that are found and restarted in other ways than ours, and how each failure ends: by its
 * name, and with the release before at work again where somebody can start it. */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/cases/agent_client.h"
#include "tests/cases/any_service.h"

#define QUICK   "ready-timeout = 3s\ndrain-timeout = 300ms\n"
#define AT_ONCE "ready-timeout = 300ms\ndrain-timeout = 300ms\n" /* for what will not come */
#define GONE_MS 10000

static struct stage_agent *claimed(struct stage *s, const char *service)
{
    struct stage_agent *a = stage_agent_start_for(s, "n1", true, service);

    assert_status(put_claim(a, "r", 1, 0, 600), 200);
    return a;
}

static struct stage_answer *run_job(struct stage_agent *a, const char *id, const char *action, const char *release)
{
    assert_status(post_job(a, id, "r", 1, action, release), 202);
    return wait_job(a, id);
}

static struct stage_answer *upgrade(struct stage_agent *a, const char *id, const char *file)
{
    const char *hex = stage_sha256(a->stage, file);
    struct stage_answer *r = put_release(a, hex, file);

    assert_true(r->status == 200 || r->status == 201);
    return run_job(a, id, "upgrade", hex);
}

static void assert_end(struct stage_answer *r, struct stage *s, const char *code, const char *text)
{
    if (strcmp(stage_json_string(s, r->json, "code"), code) != 0 ||
        strstr(stage_json_string(s, r->json, "text"), text) == NULL)
        fail_msg("not %s, %s: %s", code, text, r->body);
}

static pid_t runs(struct stage_agent *a)
{
    struct stage_answer *r = get_status(a);

    return stage_json_bool(a->stage, r->json, "running") ? (pid_t)stage_json_int(a->stage, r->json, "ident.pid") : 0;
}

static const char *runs_hex(struct stage_agent *a)
{
    return stage_json_string(a->stage, get_status(a)->json, "ident.sha256");
}

struct process {
    struct stage *s;
    pid_t pid;
};

static bool has_ended(void *ctx)
{
    const struct process *p = ctx;

    stage_reap(p->s);
    return kill(p->pid, 0) != 0;
}

static void wait_gone(struct stage *s, pid_t pid)
{
    stage_wait_until(s, has_ended, &(struct process){s, pid}, GONE_MS, stage_text(s, "process %d to be gone", pid));
}

/* ---- by who listens: the seed's program */

static void the_seeds_program_is_found_by_its_socket_and_hands_over(struct stage *s)
{
    struct stage_server *v = grace_start(s, "n1");
    struct stage_agent *a = claimed(s, grace_config(v));
    pid_t before = runs(a);

    assert_int_equal(before, v->proc->pid);
    assert_int_equal(json_array_size(stage_json(s, get_status(a)->json, "listening")), 3);
    assert_end(run_job(a, "r/1", "restart", NULL), s, "ok", "took over");
    assert_int_not_equal(runs(a), before);
    assert_string_equal(runs_hex(a), stage_sha256(s, grace_release(s, 1)));
    before = runs(a);
    assert_end(upgrade(a, "r/2", grace_release(s, 2)), s, "ok", "took over");
    assert_int_not_equal(runs(a), before);
    assert_string_equal(runs_hex(a), stage_sha256(s, grace_release(s, 2)));
    wait_gone(s, before);
    assert_true(any_answers(v));
}

static void the_seeds_program_goes_on_where_a_release_exits_at_once(struct stage *s)
{
    struct stage_server *v = grace_start(s, "n1");
    struct stage_agent *a = claimed(s, stage_text(s, "%s" QUICK, grace_config(v)));
    pid_t before = runs(a);

    assert_end(upgrade(a, "r/1", "/bin/false"), s, "no_successor",
               stage_text(s, "no new process came within 3000 ms; %d goes on", before));
    assert_int_equal(runs(a), before);
    assert_string_equal(stage_sha256(s, v->exe), stage_sha256(s, grace_release(s, 1)));
    assert_true(any_answers(v));
    assert_end(run_job(a, "r/2", "restart", NULL), s, "ok", "took over");
}

static void a_port_of_another_program_or_of_nobody_is_no_service(struct stage *s)
{
    struct stage_server *v = plain_start(s, "n1");
    const char *config = stage_text(s, "executable = %s\nhealth = %s/healthz\n", NGINX, v->url);
    struct stage_agent *a = claimed(s, stage_text(s, "%slisten-on = %s\n", config, v->peer));

    assert_int_equal(runs(a), 0);
    assert_end(run_job(a, "r/1", "restart", NULL), s, "not_running",
               stage_text(s, "%s belongs to no process that we can see running " NGINX, v->peer));
    stage_server_kill(v, SIGTERM);
    assert_end(run_job(a, "r/2", "restart", NULL), s, "not_running", "nobody listens on");
}

/* ---- an old master that stays until it is told */

static void a_master_that_stays_beside_its_successor_is_retired(struct stage *s)
{
    struct stage_server *v = proxy_start(s, "n1");
    struct stage_agent *a = claimed(s, proxy_config(v));
    const char *old = runs_hex(a);
    pid_t before = runs(a);

    assert_end(upgrade(a, "r/1", proxy_release(s, 2)), s, "ok", "took over");
    assert_string_not_equal(runs_hex(a), old);
    wait_gone(s, before);
    before = runs(a);
    assert_end(run_job(a, "r/2", "rollback", old), s, "ok", "took over");
    assert_string_equal(runs_hex(a), old);
    wait_gone(s, before);
    assert_true(any_answers(v));
}

static void without_retire_two_masters_are_two_servers(struct stage *s)
{
    struct stage_server *v = proxy_start(s, "n1");
    struct stage_agent *a = claimed(
        s, stage_text(s, "executable = %s\npidfile = %s\nhealth = %s/healthz\n" QUICK, v->exe, v->pidfile, v->url));

    assert_end(run_job(a, "r/1", "restart", NULL), s, "two_servers", "still accepts connections after 3000 ms");
}

/* ---- ended and started by the agent */

/* PATH and what exec-env says, and nothing of the agent's. */
static void assert_environment(pid_t pid)
{
    char path[64], text[4096];
    unsigned words = 0;
    FILE *file;
    size_t n;

    (void)snprintf(path, sizeof path, "/proc/%d/environ", pid);
    file = fopen(path, "re");
    assert_non_null(file);
    n = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[n] = '\0';
    for (const char *at = text; at < text + n; at += strlen(at) + 1, words++)
        if (strncmp(at, "PATH=/", 6) != 0 && strcmp(at, "STARTED_BY=agent") != 0 && strncmp(at, "ASAN_", 5) != 0)
            fail_msg("it has %s in its environment", at);
    assert_true(words >= 2);
}

static void exec_ends_one_process_and_starts_the_next_as_the_config_says(struct stage *s)
{
    struct stage_server *v = plain_start(s, "n1");
    struct stage_agent *a = claimed(s, plain_config(v));
    pid_t before = runs(a), now;

    assert_end(upgrade(a, "r/1", stage_server_variant(s, "v2")), s, "ok", "took over");
    now = runs(a);
    assert_int_not_equal(now, before);
    assert_string_equal(stage_server_version(v), "2");
    assert_int_equal(stage_server_count(v), 1);
    assert_int_equal(getsid(now), now);
    assert_environment(now);
    assert_end(run_job(a, "r/2", "restart", NULL), s, "ok", "took over");
    assert_string_equal(stage_server_version(v), "2");
}

/* A process that holds the listening sockets of `pid`, as a worker does, and ends by itself. */
static pid_t hold_sockets(pid_t pid, unsigned for_ms)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), held[3], count = 0;
    pid_t holder;

    assert_true(pidfd >= 0);
    for (int fd = 3; fd < 64 && count < 3; fd++) {
        int copy = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0), listens = 0;
        socklen_t size = sizeof listens;

        if (copy >= 0 && getsockopt(copy, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0)
            held[count++] = copy;
        else if (copy >= 0)
            (void)close(copy);
        else if (errno == EPERM)
            skip(); /* ptrace is restricted here */
    }
    assert_int_equal(count, 3);
    holder = fork();
    if (holder == 0) {
        (void)usleep(for_ms * 1000);
        _exit(0);
    }
    assert_true(holder > 0);
    while (count > 0)
        (void)close(held[--count]);
    (void)close(pidfd);
    return holder;
}

static void a_worker_that_outlives_its_master_for_a_moment_is_waited_for(struct stage *s)
{
    struct stage_server *v = plain_start(s, "n1");
    struct stage_agent *a = claimed(s, plain_config(v));
    pid_t holder;

    holder = hold_sockets(runs(a), 700);
    assert_end(run_job(a, "r/1", "restart", NULL), s, "ok", "took over");
    assert_int_equal(waitpid(holder, NULL, 0), holder);
    assert_true(any_answers(v));
}

static const char *config_with_log(struct stage_server *v, const char *folder)
{
    return stage_text(v->stage,
                      "executable = %s\npidfile = %s\nhealth = %s/healthz\nrestart = exec\nexec-log = %s/log\n"
                      "exec-args = -a0 %s -a1 127.0.0.1:%u -a2 127.0.0.1:%u --pidfile '%s'\nexec-env = A=b %s\n",
                      v->exe, v->pidfile, v->url, folder, v->peer, v->port[1], v->port[2], v->pidfile,
                      v->stage->asan ? "ASAN_OPTIONS=detect_leaks=0" : "");
}

static void where_its_output_cannot_go_a_process_is_not_ended(struct stage *s)
{
    struct stage_server *v = plain_start(s, "n1");
    const char *folder = stage_mkdir(s, "logs"), *config = config_with_log(v, folder), *why = "exec-log: its folder";
    struct stage_agent *a = claimed(s, config);
    pid_t before = runs(a);
    struct stage_run r;

    assert_int_equal(rmdir(folder), 0);
    assert_end(run_job(a, "r/1", "restart", NULL), s, "not_started", why);
    assert_int_equal(runs(a), before);
    r = stage_run(s, 5000,
                  (const char *const[]){stage_text(s, "%s/rollout-agent", s->build), "--config",
                                        stage_write(s, "check.conf",
                                                    stage_text(s,
                                                               "[agent]\nnode = n1\nlisten = 127.0.0.1:7000\n"
                                                               "state = %s/none\n[service app]\n%s",
                                                               s->dir, config)),
                                        "--check", NULL});
    assert_int_equal(r.exit_code, 78);
    assert_non_null(strstr(r.err, why));
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_end(run_job(a, "r/2", "restart", NULL), s, "ok", "took over");
}

/* The agent alone: stage_agent_stop also ends what it has started. */
static void end_agent_alone(struct stage_agent *a, int signal)
{
    stage_proc_signal(a->stage, a->proc, signal);
    (void)stage_proc_wait(a->stage, a->proc, 10000);
}

static void what_the_agent_started_outlives_it_and_is_found_again(struct stage *s)
{
    struct stage_server *v = plain_start(s, "n1");
    struct stage_agent *a = claimed(s, plain_config(v));
    pid_t started;

    assert_end(run_job(a, "r/1", "restart", NULL), s, "ok", "took over");
    started = runs(a);
    end_agent_alone(a, SIGKILL);
    assert_true(any_answers(v));
    stage_agent_again(a);
    assert_int_equal(runs(a), started);
    assert_end(run_job(a, "r/2", "restart", NULL), s, "ok", "took over");
    end_agent_alone(a, SIGTERM);
    assert_int_equal(stage_server_count(v), 1);
}

/* A started process that ends is reaped by the agent that lives. */
static void what_the_agent_started_leaves_no_zombie(struct stage *s)
{
    struct stage_server *v = plain_start(s, "n1");
    struct stage_agent *a = claimed(s, plain_config(v));
    pid_t started;

    assert_end(run_job(a, "r/1", "restart", NULL), s, "ok", "took over");
    started = runs(a);
    assert_int_equal(kill(started, SIGKILL), 0);
    wait_gone(s, started);
    assert_int_equal(runs(a), 0);
}

static void one_that_does_not_end_is_killed_once_its_drain_timeout_is_over(struct stage *s)
{
    struct stage_server *v = plain_start(s, "n1");
    struct stage_agent *a = claimed(s, stage_text(s, "%s" QUICK, plain_config(v)));
    pid_t before = runs(a);

    assert_int_equal(kill(before, SIGSTOP), 0); /* neither SIGTERM reaches it nor anything else */
    assert_end(run_job(a, "r/1", "restart", NULL), s, "ok", "took over");
    assert_int_not_equal(runs(a), before);
    wait_gone(s, before);
}

static void assert_brought_back(struct stage *s, const char *release, const char *code, const char *text)
{
    struct stage_server *v = plain_start(s, "n1");
    struct stage_agent *a = claimed(s, stage_text(s, "%s" QUICK, plain_config(v)));
    const char *old = stage_sha256(s, v->exe);
    pid_t before = runs(a);
    struct stage_answer *r = upgrade(a, "r/1", release);

    assert_end(r, s, code, text);
    assert_end(r, s, code, stage_text(s, "; the release before was started, process %d", runs(a)));
    assert_true(stage_json_bool(s, r->json, "restored"));
    assert_int_not_equal(runs(a), before);
    assert_string_equal(runs_hex(a), old);
    assert_string_equal(stage_sha256(s, v->exe), old);
    assert_string_equal(stage_server_version(v), "1");
    assert_int_equal(stage_server_count(v), 1);
}

static void a_release_that_exits_makes_way_for_the_one_before(struct stage *s)
{
    assert_brought_back(s, stage_server_variant(s, "exit"), "not_started", "the new process ended with exit code 1");
}

static void a_release_that_hangs_is_ended_for_the_one_before(struct stage *s)
{
    assert_brought_back(s, stage_server_variant(s, "hang"), "died", "was ended, and no new one is there after 3000 ms");
}

static void a_release_that_cannot_be_run_makes_way_for_the_one_before(struct stage *s)
{
    const char *broken = stage_copy(s, stage_server_variant(s, "v2"), stage_text(s, "%s/broken", s->dir));

    assert_int_equal(truncate(broken, 100), 0); /* it still begins as an executable does */
    assert_brought_back(s, broken, "not_started", "cannot start ");
}

static bool is_touched(void *ctx)
{
    struct stage_agent *a = ctx;

    return stage_json_bool(a->stage, stage_agent_http(a, "GET", APP "/jobs/r/1", NULL)->json, "touched");
}

/* It would have nobody else to start it. */
static void an_agent_killed_while_it_ends_a_process_starts_the_release_before(struct stage *s)
{
    struct stage_server *v = plain_start(s, "n1");
    struct stage_agent *a = claimed(s, stage_text(s, "%sdrain-timeout = 5s\n", plain_config(v)));
    const char *old = stage_sha256(s, v->exe), *file = stage_server_variant(s, "v2"), *hex = stage_sha256(s, file);
    pid_t before = runs(a);

    assert_int_equal(kill(before, SIGSTOP), 0);
    assert_status(put_release(a, hex, file), 201);
    assert_status(post_job(a, "r/1", "r", 1, "upgrade", hex), 202);
    stage_wait_until(s, is_touched, a, 5000, "the process to be sent SIGTERM");
    stage_agent_stop(a, SIGKILL);
    assert_int_equal(kill(before, SIGCONT), 0);
    stage_agent_again(a);
    assert_end(wait_job(a, "r/1"), s, "interrupted", "the release before was started");
    assert_string_equal(runs_hex(a), old);
    assert_int_not_equal(runs(a), before);
    assert_string_equal(stage_server_version(v), "1");
}

/* ---- one that heeds no signal */

static const char *deaf_config(struct stage_server *v, bool startable)
{
    struct stage *s = v->stage;

    return stage_text(s, "executable = %s\npidfile = %s\nhealth = %s/healthz\n%s%s", v->exe, v->pidfile, v->url,
                      startable ? QUICK : AT_ONCE,
                      startable ? stage_text(s,
                                             "exec-args = -a0 %s -a1 127.0.0.1:%u -a2 127.0.0.1:%u --pidfile %s\n"
                                             "exec-log = %s\n",
                                             v->peer, v->port[1], v->port[2], v->pidfile, v->log)
                                : "");
}

static void one_that_ignores_its_signal_is_ended_and_the_release_before_started(struct stage *s)
{
    struct stage_server *v = plain_start(s, "n1");
    struct stage_agent *a = claimed(s, deaf_config(v, true));
    const char *old = stage_sha256(s, v->exe);
    pid_t before = runs(a);
    struct stage_answer *r;

    assert_int_equal(kill(before, SIGSTOP), 0);
    r = upgrade(a, "r/1", stage_server_variant(s, "v2"));
    assert_end(r, s, "signal_ignored",
               stage_text(s, "process %d does not heed SIGUSR2; it was ended; the release before was started", before));
    wait_gone(s, before);
    assert_int_not_equal(runs(a), 0);
    assert_string_equal(runs_hex(a), old);
    assert_string_equal(stage_server_version(v), "1");
}

static void one_that_ignores_its_signal_goes_on_where_nobody_could_start_it(struct stage *s)
{
    struct stage_server *v = plain_start(s, "n1");
    struct stage_agent *a = claimed(s, deaf_config(v, false));
    pid_t before = runs(a);

    assert_int_equal(kill(before, SIGSTOP), 0);
    assert_end(run_job(a, "r/1", "restart", NULL), s, "signal_ignored", "without exec-args it is not ended");
    assert_int_equal(runs(a), before);
    assert_int_equal(kill(before, SIGCONT), 0);
}

static void one_that_ignores_its_signal_goes_on_where_the_node_is_not_out(struct stage *s)
{
    struct stage_server *v = plain_start(s, "n1");
    struct stage_agent *a = stage_agent_start_for(s, "n1", true, deaf_config(v, true));
    pid_t before = runs(a);

    assert_status(stage_agent_http(a, "PUT", APP "/claim",
                                   "{\"rollout\":\"r\",\"fence\":1,\"expect\":0,\"ttl\":600,\"holder\":\"case\","
                                   "\"target\":{\"sha256\":null,\"version\":null},\"before\":null,\"took_out\":[]}"),
                  200);
    assert_int_equal(kill(before, SIGSTOP), 0);
    assert_end(run_job(a, "r/1", "restart", NULL), s, "signal_ignored", "the node may have requests");
    assert_int_equal(runs(a), before);
    assert_int_equal(kill(before, SIGCONT), 0);
}

/* ---- the new process must answer */

static void one_that_takes_over_and_answers_nothing_is_not_healthy(struct stage *s)
{
    struct stage_server *v = plain_start(s, "n1");
    struct stage_agent *a =
        claimed(s, stage_text(s, "executable = %s\npidfile = %s\nhealth = http://127.0.0.1:%u/\n" QUICK, v->exe,
                              v->pidfile, stage_port(s)));

    assert_end(run_job(a, "r/1", "restart", NULL), s, "not_healthy", "but answers nothing at http://127.0.0.1:");
}

/* ---- by its unit: a script stands in for systemctl, which is told what systemd would be */

static const char *unit_config(struct stage_server *v)
{
    struct stage *s = v->stage;

    return stage_text(s, "executable = %s\npidfile = %s\nhealth = %s/healthz\nunit = app\nrestart = systemd\n" QUICK,
                      v->exe, v->pidfile, v->url);
}

static struct stage_agent *claimed_with_systemctl(struct stage_server *v, const char *script)
{
    struct stage *s = v->stage;
    const char *path = stage_write(s, "systemctl", script), *name = "n1";
    struct stage_agent *a = stage_agent_start_for(s, name, true, unit_config(v));
    const char *conf = stage_read(s, a->conf_path);

    assert_int_equal(chmod(path, 0755), 0);
    stage_agent_stop(a, SIGTERM);
    (void)stage_write(s, a->conf_path, stage_text(s, "[agent]\nsystemctl = %s\n%s", path, conf + strlen("[agent]\n")));
    stage_agent_again(a);
    assert_status(put_claim(a, "r", 1, 0, 600), 200);
    return a;
}

static const char *restart_script(struct stage_server *v)
{
    return stage_text(v->stage,
                      "#!/bin/sh\necho \"$@\" >>%s/asked\nkill $(cat %s)\nwhile kill -0 $(cat %s); do :; done\n"
                      "%s -a0 %s -a1 127.0.0.1:%u -a2 127.0.0.1:%u --pidfile %s >>%s 2>&1 &\n",
                      v->stage->dir, v->pidfile, v->pidfile, v->exe, v->peer, v->port[1], v->port[2], v->pidfile,
                      v->log);
}

static void a_unit_is_restarted_by_systemctl(struct stage *s)
{
    struct stage_server *v = plain_start(s, "n1");
    struct stage_agent *a = claimed_with_systemctl(v, restart_script(v));
    pid_t before = runs(a);

    assert_end(upgrade(a, "r/1", stage_server_variant(s, "v2")), s, "ok", "took over");
    assert_string_equal(stage_server_version(v), "2");
    assert_int_not_equal(runs(a), before);
    assert_string_equal(stage_read(s, stage_text(s, "%s/asked", s->dir)), "--no-ask-password restart app.service\n");
}

static void a_unit_whose_new_release_fails_gets_the_one_before(struct stage *s)
{
    struct stage_server *v = plain_start(s, "n1");
    struct stage_agent *a = claimed_with_systemctl(v, restart_script(v));
    const char *old = stage_sha256(s, v->exe);

    assert_end(upgrade(a, "r/1", stage_server_variant(s, "exit")), s, "died", "; the release before was started");
    assert_string_equal(runs_hex(a), old);
    assert_string_equal(stage_server_version(v), "1");
}

static void a_systemctl_that_fails_leaves_the_old_one_and_its_file(struct stage *s)
{
    struct stage_server *v = plain_start(s, "n1");
    struct stage_agent *a = claimed_with_systemctl(v, "#!/bin/sh\nexit 4\n");
    const char *old = stage_sha256(s, v->exe);
    pid_t before = runs(a);

    assert_end(upgrade(a, "r/1", stage_server_variant(s, "v2")), s, "not_started",
               "systemctl restart app.service ended with exit code 4");
    assert_int_equal(runs(a), before);
    assert_string_equal(stage_sha256(s, v->exe), old);
}

/* Where we may make a control group: any hierarchy will do. */
static const char *make_group(struct stage *s, const char *unit)
{
    static const char *const roots[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/systemd"};

    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        const char *folder = stage_text(s, "%s/%s", roots[i], unit);

        if (access(stage_text(s, "%s/cgroup.procs", roots[i]), W_OK) == 0 && mkdir(folder, 0755) == 0)
            return folder;
    }
    return NULL;
}

static bool put_into(const char *folder, pid_t pid)
{
    char path[256];
    FILE *file;
    bool ok;

    (void)snprintf(path, sizeof path, "%s/cgroup.procs", folder);
    file = fopen(path, "we");
    ok = file != NULL && fprintf(file, "%d\n", pid) > 0;
    return file != NULL && fclose(file) == 0 && ok;
}

static bool is_empty(void *ctx)
{
    return rmdir(ctx) == 0;
}

static void a_process_is_found_in_the_control_group_of_its_unit(struct stage *s)
{
    const char *unit = stage_text(s, "rollout-case-%d.service", getpid()), *folder = make_group(s, unit);
    struct stage_server *v, *other;
    struct stage_agent *a;
    pid_t before;

    if (folder == NULL)
        skip();
    v = plain_start(s, "n1");
    other = plain_start(s, "n2");
    a = claimed(s, stage_text(s, "executable = %s\nunit = %s\nhealth = %s/healthz\n", v->exe, unit, v->url));
    assert_int_equal(runs(a), 0); /* it runs, but not there */
    assert_true(put_into(folder, v->proc->pid));
    assert_true(put_into(folder, other->proc->pid)); /* what else is in the unit is not it */
    before = runs(a);
    assert_int_equal(before, v->proc->pid);
    assert_end(run_job(a, "r/1", "restart", NULL), s, "ok", "took over"); /* the successor is born there */
    assert_int_not_equal(runs(a), before);
    assert_int_equal(runs(a), stage_server_pid(v));
    stage_server_kill(v, SIGTERM);
    stage_server_kill(other, SIGTERM);
    stage_wait_until(s, is_empty, (void *)(uintptr_t)folder, GONE_MS, "the control group to be empty");
}

/* ---- --check */

static struct stage_run check(struct stage *s, const char *unit_text, const char *service)
{
    const char *unit = stage_write(s, "app.service", unit_text);
    const char *conf = stage_write(s, "check.conf",
                                   stage_text(s,
                                              "[agent]\nnode = n1\nlisten = 127.0.0.1:7000\nstate = %s/none\n"
                                              "[service app]\nexecutable = /bin/true\nunit = app\nunit-file = %s\n"
                                              "health = http://127.0.0.1:1/\n%s",
                                              s->dir, unit, service));

    return stage_run(
        s, 5000, (const char *const[]){stage_text(s, "%s/rollout-agent", s->build), "--config", conf, "--check", NULL});
}

static void check_refuses_a_unit_that_no_handover_survives_and_prints_what_mends_it(struct stage *s)
{
    const char *simple = "[Service]\nType=simple\nExecStart=/bin/true\n", *pidfile = "pidfile = /run/app.pid\n";
    struct stage_run r = check(s, simple, pidfile);

    assert_int_equal(r.exit_code, 78);
    assert_non_null(strstr(r.err, "[service app]: app.service has Type=simple"));
    assert_string_equal(r.out, "# this mends it: systemctl edit app.service\n[Service]\nPIDFile=/run/app.pid\n");
    (void)stage_mkdir(s, "app.service.d");
    (void)stage_write(s, "app.service.d/handover.conf", r.out); /* as it is */
    r = check(s, simple, pidfile);
    assert_int_equal(r.exit_code, 0);
    assert_non_null(strstr(r.out, "pid file /run/app.pid"));
}

static void check_takes_any_type_where_systemd_restarts_the_unit(struct stage *s)
{
    struct stage_run r = check(s, "[Service]\nExecStart=/bin/true\n", "restart = systemd\n");

    assert_int_equal(r.exit_code, 0);
    assert_non_null(strstr(r.out, "found in app.service, health http://127.0.0.1:1/, restart by systemctl restart"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(the_seeds_program_is_found_by_its_socket_and_hands_over),
        stage_test(the_seeds_program_goes_on_where_a_release_exits_at_once),
        stage_test(a_port_of_another_program_or_of_nobody_is_no_service),
        stage_test(a_master_that_stays_beside_its_successor_is_retired),
        stage_test(without_retire_two_masters_are_two_servers),
        stage_test(exec_ends_one_process_and_starts_the_next_as_the_config_says),
        stage_test(a_worker_that_outlives_its_master_for_a_moment_is_waited_for),
        stage_test(where_its_output_cannot_go_a_process_is_not_ended),
        stage_test(what_the_agent_started_outlives_it_and_is_found_again),
        stage_test(what_the_agent_started_leaves_no_zombie),
        stage_test(one_that_does_not_end_is_killed_once_its_drain_timeout_is_over),
        stage_test(a_release_that_exits_makes_way_for_the_one_before),
        stage_test(a_release_that_hangs_is_ended_for_the_one_before),
        stage_test(a_release_that_cannot_be_run_makes_way_for_the_one_before),
        stage_test(an_agent_killed_while_it_ends_a_process_starts_the_release_before),
        stage_test(one_that_ignores_its_signal_is_ended_and_the_release_before_started),
        stage_test(one_that_ignores_its_signal_goes_on_where_nobody_could_start_it),
        stage_test(one_that_ignores_its_signal_goes_on_where_the_node_is_not_out),
        stage_test(one_that_takes_over_and_answers_nothing_is_not_healthy),
        stage_test(a_unit_is_restarted_by_systemctl),
        stage_test(a_unit_whose_new_release_fails_gets_the_one_before),
        stage_test(a_systemctl_that_fails_leaves_the_old_one_and_its_file),
        stage_test(a_process_is_found_in_the_control_group_of_its_unit),
        stage_test(check_refuses_a_unit_that_no_handover_survives_and_prints_what_mends_it),
        stage_test(check_takes_any_type_where_systemd_restarts_the_unit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
