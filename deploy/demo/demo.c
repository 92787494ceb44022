/* demo - a newcomer sees the main job: two nginx, four servers, four agents, steady load, and one rollout.
 *
 *   demo           rolls the fleet from version 1 to version 2; exit 0 only when all that is checked below holds
 *   demo --broken  restarts the same fleet hard under the same load; exit 0 only when requests were lost
 *
 * Everything lives in one folder below build/ and is gone at the end; the last line is the verdict. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/stage/fleet.h"
#include "tests/stage/load.h"

#define NODES            4
#define LBS              2
#define REQUESTS_MIN     5000
#define ROLLOUT_LIMIT_MS 120000
#define LOAD_LIMIT_MS    60000
#define BROKEN_REQUESTS  400 /* between two hard restarts */

struct restart {
    double began, ended; /* seconds of CLOCK_REALTIME */
};

struct demo {
    struct stage *stage;
    struct stage_fleet *fleet;
    struct stage_load *load;
    unsigned n_wrong; /* checks that failed */
};

static void __attribute__((format(printf, 1, 2))) say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    (void)putchar('\n');
    (void)fflush(stdout);
}

static void __attribute__((format(printf, 2, 3))) wrong(struct demo *d, const char *format, ...)
{
    va_list args;

    (void)printf("  WRONG: ");
    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    (void)putchar('\n');
    (void)fflush(stdout);
    d->n_wrong++;
}

/* A text, each line moved in behind `margin`. Returns how many bytes it took: whole lines only. */
static size_t show(const char *text, const char *margin)
{
    const char *from = text, *end;

    for (; (end = strchr(from, '\n')) != NULL; from = end + 1)
        (void)printf("  %s%.*s\n", margin, (int)(end - from), from);
    (void)fflush(stdout);
    return (size_t)(from - text);
}

static const char *replace(struct stage *s, const char *text, const char *what, const char *with)
{
    const char *at;

    while ((at = strstr(text, what)) != NULL)
        text = stage_text(s, "%.*s%s%s", (int)(at - text), text, with, at + strlen(what));
    return text;
}

/* Paths below the stage's folder begin with $DEMO, others of the tree at its top. */
static const char *shorten(struct stage *s, const char *text)
{
    return replace(s, replace(s, text, s->dir, "$DEMO"), stage_text(s, "%s/", s->root), "");
}

/* Without the lines that hold one of these words, which say nothing about the rollout. */
static void show_file(struct stage *s, const char *path)
{
    static const char *const noise[] = {"_temp_path", "_log ", "keepalive_", "daemon ", "pid ", "user ", "worker_"};
    const char *from = shorten(s, stage_read(s, path)), *end;

    for (; (end = strchr(from, '\n')) != NULL; from = end + 1) {
        const char *line = stage_text(s, "%.*s", (int)(end - from), from);
        bool shown = true;

        for (size_t i = 0; i < sizeof noise / sizeof *noise; i++)
            shown = shown && strstr(line, noise[i]) == NULL;
        if (shown)
            (void)printf("    %s\n", line);
    }
}

static void show_command(struct stage *s, const struct stage_proc *p)
{
    say("    %s", shorten(s, p->command));
}

/* ---- the two ways to get from version 1 to version 2 */

static void roll(struct demo *d)
{
    struct stage *s = d->stage;
    struct stage_rollout *r =
        stage_rollout_start(s, NULL,
                            (const char *const[]){"--hosts", d->fleet->hosts, "--release",
                                                  stage_server_variant(s, "v2"), "--version", "2", NULL});
    uint64_t end_ms = stage_now_ms() + stage_limit_ms(s, ROLLOUT_LIMIT_MS);
    size_t shown = 0;
    bool ended;

    say("\nThe rollout:\n");
    show_command(s, r->proc);
    (void)putchar('\n');
    do {
        ended = stage_proc_ended(s, r->proc) || stage_now_ms() > end_ms;
        shown += show(stage_rollout_said(s, r) + shown, "| ");
        (void)usleep(50000);
    } while (!ended);
    stage_rollout_end(s, r, 1);
    (void)show(r->err, "| ");
    say("  (exit code %d)", r->exit_code);
    if (r->exit_code != 0)
        wrong(d, "rollout ended with exit code %d", r->exit_code);
}

static bool all_up(void *ctx)
{
    return stage_fleet_all_up(ctx);
}

static void restart_hard(struct demo *d)
{
    say("\nThe hard way: each node is killed and started anew while nginx still sends it requests.\n");
    for (unsigned i = 0; i < d->fleet->n_nodes; i++) {
        struct stage_server *v = d->fleet->node[i].server;

        say("  %s: install version 2, kill -9 %d, start", v->name, stage_server_pid(v));
        stage_server_install(v, "v2");
        stage_server_kill(v, SIGKILL);
        stage_server_again(v);
        stage_load_until(d->stage, d->load, stage_load_now(d->stage, d->load).answered + BROKEN_REQUESTS,
                         LOAD_LIMIT_MS);
        stage_wait_until(d->stage, all_up, d->fleet, LOAD_LIMIT_MS, "nginx to use the node again");
    }
}

/* ---- the checks */

/* Run a check; when it found nothing wrong, say what holds. */
static void holds(struct demo *d, void (*check)(struct demo *), const char *promise)
{
    unsigned before = d->n_wrong;

    check(d);
    if (d->n_wrong == before)
        say("  ok: %s", promise);
}

static void check_nodes(struct demo *d)
{
    for (unsigned i = 0; i < d->fleet->n_nodes; i++) {
        struct stage_server *v = d->fleet->node[i].server;
        const char *version = stage_server_version(v);

        if (strcmp(version, "2") != 0)
            wrong(d, "%s answers version \"%s\"", v->name, version);
        if (stage_server_count(v) != 1)
            wrong(d, "%u processes serve %s", stage_server_count(v), v->name);
    }
    if (!stage_fleet_all_up(d->fleet))
        wrong(d, "not every node is up at every nginx");
}

/* When each node was restarted, by its agent's record of the job. */
static void read_restarts(struct demo *d, struct restart restarts[NODES])
{
    struct stage *s = d->stage;

    for (unsigned i = 0; i < d->fleet->n_nodes; i++) {
        struct stage_answer *a = stage_agent_http(d->fleet->node[i].agent, "GET", "/v1/services/app", NULL);

        if (a->status != 200 || !json_is_object(stage_json(s, a->json, "job")))
            stage_fail(s, "the agent of %s knows of no job: %d %s", d->fleet->node[i].name, a->status, a->body);
        restarts[i].began = json_number_value(stage_json(s, a->json, "job.started"));
        restarts[i].ended = restarts[i].began + (double)stage_json_int(s, a->json, "job.elapsed_ms") / 1000;
    }
}

static void check_in_flight(struct demo *d)
{
    static const char *const kinds[] = {"post", "sleep"};
    struct restart restarts[NODES] = {{0, 0}};

    read_restarts(d, restarts);
    for (unsigned i = 0; i < d->fleet->n_nodes; i++)
        for (unsigned k = 0; k < 2; k++)
            if (!stage_load_was_in_flight(d->stage, d->load, kinds[k], restarts[i].began) ||
                !stage_load_was_in_flight(d->stage, d->load, kinds[k], restarts[i].ended))
                wrong(d, "no %s request was in flight when %s was restarted", kinds[k], d->fleet->node[i].name);
}

static void check_load(struct demo *d)
{
    if (d->load->failed != 0)
        wrong(d, "failed requests, the first of them:\n%s", stage_load_failures(d->stage, d->load));
    if (d->load->answered != d->load->sent)
        wrong(d, "%" PRIu64 " requests were sent", d->load->sent);
    if (d->load->sent < REQUESTS_MIN)
        wrong(d, "less than %d requests", REQUESTS_MIN);
}

static void check_counts(struct demo *d)
{
    uint64_t answered = 0;

    for (unsigned i = 0; i < d->fleet->n_nodes; i++) {
        stage_server_kill(d->fleet->node[i].server, SIGTERM); /* each process says at its end what it answered */
        answered += stage_server_answered(d->fleet->node[i].server);
    }
    if (answered != d->load->answered)
        wrong(d, "the client counts %" PRIu64 " answers, the servers %" PRIu64, d->load->answered, answered);
}

static void check(struct demo *d)
{
    bool rolled = d->n_wrong == 0;

    say("\nThe checks:");
    holds(d, check_nodes, "every node answers version 2 from one process, and is up at both nginx");
    if (rolled)
        holds(d, check_in_flight, "a POST and a sleeping request were in flight at each restart");
    holds(d, check_load, "every request was answered");
    holds(d, check_counts, "the servers' own counts equal the client's");
}

static void check_broken(struct demo *d)
{
    say("\nLost requests, the first of them:\n%s", stage_load_failures(d->stage, d->load));
    if (d->load->failed == 0)
        wrong(d, "no request was lost, so the load client's count could not be believed");
}

/* ---- the whole */

/* All settings in the file, so that the command is as short as a person would have it. */
static void write_hosts(struct stage_fleet *f)
{
    struct stage *s = f->stage;
    const char *vars = stage_text(s,
                                  "rollout_cert=%s\nrollout_key=%s\nrollout_cacert=%s\n"
                                  "rollout_min_healthy_time=1s\nrollout_health_interval=250ms\n",
                                  f->controller->cert, f->controller->key, f->controller->ca);

    f->hosts = stage_write(s, "fleet.ini", stage_read(s, stage_fleet_hosts(f, vars)));
}

static void set_the_stage(struct demo *d)
{
    struct stage *s = d->stage;
    const struct stage_fleet *f;

    say("Two nginx, four demo-servers at version 1 and four agents start in DEMO=%s",
        replace(s, s->dir, stage_text(s, "%s/", s->root), ""));
    f = d->fleet = stage_fleet(s, NODES, LBS);
    write_hosts(d->fleet);
    say("\nThe nginx of lb1, the part that matters; lb2 is alike:\n");
    show_file(s, f->lb[0]->conf_path);
    say("\nThe agent of node1:\n");
    show_file(s, f->node[0].agent->conf_path);
    say("\nWhat runs, the first of each kind:\n");
    show_command(s, f->lb[0]->proc);
    show_command(s, f->node[0].server->proc);
    show_command(s, f->node[0].agent->proc);
    say("\nThe hosts file:\n");
    show_file(s, f->hosts);
    say("\nLoad through both nginx: GET and POST, keep-alive and not, some requests sleeping for seconds");
    d->load = stage_load_start_fleet(d->fleet);
    stage_load_until(s, d->load, BROKEN_REQUESTS, LOAD_LIMIT_MS);
}

/* A part did not do what it must: the stage has said which. */
static void give_up(struct stage *s)
{
    const char *name = strcmp(s->name, "demo") == 0 ? "demo" : "demo-broken";

    (void)stage_close(&s, true);
    say("%s: given up, see above", name);
    exit(1);
}

int main(int argc, char **argv)
{
    struct demo d = {0};
    bool broken = argc == 2 && strcmp(argv[1], "--broken") == 0, clean;
    const char *name = broken ? "demo-broken" : "demo";
    uint64_t sent, failed;
    unsigned at_2;

    if (argc > 1 && !broken) {
        (void)fprintf(stderr, "usage: demo [--broken]\n");
        return 64;
    }
    d.stage = stage_open(name, give_up);
    set_the_stage(&d);
    if (broken)
        restart_hard(&d);
    else
        roll(&d);
    if (d.n_wrong == 0)
        stage_load_until(d.stage, d.load, broken ? 0 : REQUESTS_MIN, LOAD_LIMIT_MS);
    stage_load_end(d.stage, d.load);
    sent = d.load->sent;
    failed = d.load->failed;
    at_2 = stage_fleet_at_version(d.fleet, "2");
    if (broken)
        check_broken(&d);
    else
        check(&d);
    clean = stage_close(&d.stage, d.n_wrong > 0);
    say("%s: %" PRIu64 " requests sent, %" PRIu64 " failed; %u nodes at version 2%s", name, sent, failed, at_2,
        !clean || d.n_wrong > 0 ? "; NOT as it must be, see above"
        : broken                ? ", lost without a drain, as it must be"
                                : "");
    return clean && d.n_wrong == 0 ? 0 : 1;
}
