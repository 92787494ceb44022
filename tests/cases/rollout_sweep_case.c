/* rollout_sweep_case.c - the controller as it is released, killed or failed at its n-th call (tests/sweep/fault.h),
 * then resumed: no request is lost, the floor holds, no node is handed over twice or left out silently, and the fleet
 * gets to its target. `make test` takes a few points of each kind, spread over a rollout; `make sweep` takes them all.
 *
 *   SWEEP_FIRST, SWEEP_STRIDE, SWEEP_LIMIT   n = FIRST, FIRST + STRIDE, ... up to LIMIT or the calls of a clean run
 *   SWEEP_SECONDS                            no new point begins after so long; they are taken in an order that is even
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/stage/floor.h"
#include "tests/stage/load.h"
#include "tests/stage/test.h"
#include "tests/stage/witness.h"
#include "tests/sweep/fault.h"

#define RUN_LIMIT_MS 90000
#define LAPSE_MS     10000
#define NODES        2
#define LBS          2
#define ARGS_MAX     32
#define LOAD_POINTS  20 /* a load lives for so many points */
#define RESUMES_MAX  4  /* of a run that a fault broke, until the fleet is whole */
#define EXIT_REFUSED 5
#define EXIT_CONFIG  78
#define EXIT_OUT     3
#define KILLED       (128 + SIGKILL)
#define PAIR         2

struct sweep {
    struct stage *stage;
    struct stage_fleet *fleet;
    struct stage_load *load;
    struct stage_floor *floor;
    struct fault *fault;
    const char *fault_path;
    const char *releases[PAIR]; /* taken in turn */
    unsigned points;
    unsigned aborts, crashes; /* where there was no memory: of the controller, by design; of a library */
    unsigned unreached;       /* points that a run ended before */
    /* of the point */
    enum fault_kind kind;
    uint64_t n;
    const char *id, *release; /* release NULL: a restart */
    const char *version;
    struct stage_pids before;
};

static const char *const kind_names[] = {
#define X(name, text, what) text,
    FAULT_KINDS(X)
#undef X
};

static void unmap(void *fault)
{
    (void)munmap(fault, sizeof(struct fault));
}

static void map_fault(struct sweep *w)
{
    int fd;
    void *shared;

    w->fault_path = stage_text(w->stage, "%s/fault", w->stage->dir);
    fd = open(w->fault_path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || ftruncate(fd, sizeof *w->fault) != 0)
        stage_fail(w->stage, "cannot make %s", w->fault_path);
    shared = mmap(NULL, sizeof *w->fault, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (shared == MAP_FAILED)
        stage_fail(w->stage, "cannot map %s", w->fault_path);
    w->fault = stage_keep(w->stage, shared, unmap);
}

static struct sweep *sweep(struct stage *s, enum fault_kind kind)
{
    struct sweep *w;

    if (s->asan)
        skip(); /* the sanitizers bring an allocator of their own, and must be the first library */
    w = stage_alloc(s, sizeof *w);
    w->stage = s;
    w->kind = kind;
    map_fault(w);
    w->fleet = stage_fleet(s, NODES, LBS);
    w->releases[0] = stage_server_variant(s, "v2");
    w->releases[1] = stage_server_variant(s, "v1");
    w->load = stage_load_start_brief(w->fleet);
    w->floor = stage_floor_start(w->fleet);
    return w;
}

/* ---- runs */

struct run_as {
    const char *command; /* NULL: a rollout; else `resume` */
    const char *state;   /* NULL: an empty disk */
    bool by_journal;     /* without hosts file, options, release */
};

static struct stage_rollout *run(struct sweep *w, const struct run_as *as)
{
    const struct stage_tls *tls = w->fleet->controller;
    const char *const whole[] = {"--hosts",
                                 w->fleet->hosts,
                                 "--cert",
                                 tls->cert,
                                 "--key",
                                 tls->key,
                                 "--cacert",
                                 tls->ca,
                                 "--lease-ttl=2s",
                                 "--success-threshold=1",
                                 "--min-healthy-time=0s",
                                 "--health-interval=20ms",
                                 "--lb-poll=20ms"};
    const char *argv[ARGS_MAX];
    size_t n = 0;
    struct stage_rollout *r;

    if (as->command != NULL)
        argv[n++] = as->command;
    argv[n++] = as->command != NULL ? w->id : stage_text(w->stage, "--rollout-id=%s", w->id);
    for (size_t i = 0; i < sizeof whole / sizeof *whole && !as->by_journal; i++)
        argv[n++] = whole[i];
    if (w->release != NULL && !as->by_journal) {
        argv[n++] = "--release";
        argv[n++] = w->release;
    }
    argv[n] = NULL;
    r = stage_rollout_start(w->stage, as->state, argv);
    stage_rollout_end(w->stage, r, RUN_LIMIT_MS);
    return r;
}

/* nth 0: it only counts. */
static struct stage_rollout *run_with_fault(struct sweep *w, uint64_t nth)
{
    struct stage_rollout *r;

    *w->fault = (struct fault){0};
    (void)setenv("FAULT_FILE", w->fault_path, 1);
    (void)setenv("FAULT_KIND", kind_names[w->kind], 1);
    (void)setenv("FAULT_NTH", stage_text(w->stage, "%llu", (unsigned long long)nth), 1);
    (void)setenv("LD_PRELOAD", stage_text(w->stage, "%s/tests/sweep/fault.so", w->stage->build), 1);
    r = run(w, &(struct run_as){0});
    (void)unsetenv("LD_PRELOAD");
    return r;
}

/* Every second time from an empty disk, and of those every second time as the same command again. */
static struct stage_rollout *resume(struct sweep *w, const struct stage_rollout *before, unsigned k)
{
    if (k % 2 == 1)
        return run(w, &(struct run_as){.command = "resume", .state = before->state_dir, .by_journal = k % 4 == 3});
    return run(w, &(struct run_as){.command = k % 4 == 2 ? "resume" : NULL});
}

/* ---- what must hold */

#define BROKEN(w, r, ...) broken(w, r, stage_text((w)->stage, __VA_ARGS__))

static void __attribute__((noreturn)) broken(struct sweep *w, const struct stage_rollout *r, const char *what)
{
    stage_fail(w->stage, "%s %llu (%s; %s): %s. Exit code %d, and it said:\n%s%s%sThe call:\n%s%s%s",
               kind_names[w->kind], (unsigned long long)w->n, w->fault->call,
               w->release != NULL ? "upgrade" : "restart", what, r->exit_code, r->out, r->err,
               stage_fleet_picture(w->fleet), w->fault->at.text, w->fault->crash.text[0] != '\0' ? "The crash:\n" : "",
               w->fault->crash.text);
}

static unsigned jobs_of(struct sweep *w, unsigned node)
{
    const char *text =
        stage_read(w->stage, stage_text(w->stage, "%s/app/jobs.json", w->fleet->node[node].agent->state_dir));
    json_t *root = json_loads(text, 0, NULL), *job;
    const char *mine = stage_text(w->stage, "%s/", w->id);
    unsigned n = 0;
    size_t i;

    json_array_foreach(json_object_get(root, "jobs"), i, job)
    {
        const char *id = json_string_value(json_object_get(job, "id"));

        n += id != NULL && strncmp(id, mine, strlen(mine)) == 0;
    }
    json_decref(root);
    return n;
}

static void expect_whole(struct sweep *w, const struct stage_rollout *r)
{
    if (!stage_fleet_all_up(w->fleet))
        BROKEN(w, r, "not all nodes are up");
    if (!stage_fleet_is_free(w->fleet))
        BROKEN(w, r, "a claim or lease is left");
    if (stage_fleet_at_version(w->fleet, w->version) != NODES)
        BROKEN(w, r, "not all nodes are at version %s", w->version);
    if (stage_fleet_same_pids(w->fleet, &w->before) != 0)
        BROKEN(w, r, "a node is served by the process of before");
}

static void expect_handed_over_once(struct sweep *w, const struct stage_rollout *r)
{
    for (unsigned i = 0; i < NODES; i++)
        if (jobs_of(w, i) != 1)
            BROKEN(w, r, "%s was handed over %u times", w->fleet->node[i].name, jobs_of(w, i));
}

static void expect_load_well(struct sweep *w)
{
    stage_load_end(w->stage, w->load);
    if (w->load->failed != 0)
        stage_fail(w->stage, "%s %llu: %lu of %lu requests failed:\n%s", kind_names[w->kind], (unsigned long long)w->n,
                   w->load->failed, w->load->sent, stage_load_failures(w->stage, w->load));
}

static void expect_nothing_lost(struct sweep *w, const struct stage_rollout *r)
{
    uint64_t looks;
    unsigned least = stage_floor_least(w->floor, &looks);

    if (least + 1 < NODES)
        BROKEN(w, r, "the floor was broken: %u nodes up", least);
    if (looks == 0)
        BROKEN(w, r, "nobody watched the floor");
    if (stage_load_now(w->stage, w->load).failed == 0 && w->points % LOAD_POINTS != 0)
        return;
    expect_load_well(w);
    w->load = stage_load_start_brief(w->fleet);
}

static void new_point(struct sweep *w, uint64_t n, bool restart)
{
    w->n = n;
    w->points++;
    w->id = stage_text(w->stage, "%s-%llu-%u", kind_names[w->kind], (unsigned long long)n, w->points);
    w->release = NULL;
    if (!restart) {
        w->release = w->releases[0];
        w->releases[0] = w->releases[1];
        w->releases[1] = w->release;
        w->version = strstr(w->release, "v2") != NULL ? "2" : "1";
    }
    w->before = stage_fleet_pids(w->fleet);
}

/* Of a rollout without a fault: how many calls it makes. */
static uint64_t clean(struct sweep *w)
{
    struct stage_rollout *r;

    new_point(w, 0, false);
    r = run_with_fault(w, 0);
    stage_rollout_expect(w->stage, r, 0, NULL);
    expect_whole(w, r);
    expect_handed_over_once(w, r);
    expect_nothing_lost(w, r);
    return w->fault->calls;
}

/* Nothing tells of it, neither journal nor fleet: then nothing was changed, and it begins anew. */
static bool is_untold(struct sweep *w, const struct stage_rollout *r)
{
    if (r->exit_code != EXIT_REFUSED && r->exit_code != EXIT_CONFIG)
        return false;
    if (strstr(r->err, "rollout --rollout-id") == NULL && strstr(r->err, "knows no rollout") == NULL &&
        strstr(r->err, "give --hosts") == NULL)
        return false;
    if (!stage_fleet_all_up(w->fleet) || stage_fleet_same_pids(w->fleet, &w->before) != NODES)
        BROKEN(w, r, "resume knows nothing of it, but something was changed");
    return true;
}

static struct stage_rollout *resumed(struct sweep *w, struct stage_rollout *before)
{
    struct stage_rollout *r = resume(w, before, w->points);

    return is_untold(w, r) ? run(w, &(struct run_as){0}) : r;
}

static void killed(struct sweep *w)
{
    struct stage_rollout *r = run_with_fault(w, w->n);

    w->unreached += w->fault->hit == 0;
    if (w->fault->hit == 0 && r->exit_code != 0)
        BROKEN(w, r, "it was not killed and did not end well");
    if (w->fault->hit != 0 && r->exit_code != KILLED)
        BROKEN(w, r, "it was not killed");
    if (w->fault->hit != 0) {
        r = resumed(w, r);
        if (r->exit_code != 0)
            BROKEN(w, r, "it was not resumed to the end");
    }
    expect_whole(w, r);
    expect_handed_over_once(w, r);
    expect_nothing_lost(w, r);
}

/* Debian's libtasn1, below GnuTLS, reads through a null pointer where memory is not there, and so on: whose crash was
 * it? The C library's is ours, which gave it a wrong pointer, but where it looks for its own data base of users. */
static bool is_of_a_library(const char *stack)
{
    char file[64];

    if (strstr(stack, "libc.so.6: getpwuid ") != NULL)
        return true;

    for (const char *line = stack; sscanf(line, " %63[^:\n]:", file) == 1; line = strchr(line, '\n') + 1)
        if (strncmp(file, "libc.", 5) != 0)
            return strcmp(file, "rollout") != 0;
    return false;
}

/* No crash but the one by design; no success but at the target; no node left out without an exit code that says so. */
static void expect_honest(struct sweep *w, const struct stage_rollout *r)
{
    bool up = stage_fleet_all_up(w->fleet);

    if (r->exit_code == KILLED && w->kind == FAULT_MEMORY &&
        (w->fault->aborted != 0 || is_of_a_library(w->fault->crash.text))) {
        w->aborts += w->fault->aborted != 0;
        w->crashes += w->fault->aborted == 0;
        return;
    }
    if (r->exit_code >= 128)
        BROKEN(w, r, "it crashed");
    if (r->exit_code == 0 && (!up || stage_fleet_at_version(w->fleet, w->version) != NODES))
        BROKEN(w, r, "it told of a success that is none");
    if (!up && r->exit_code != EXIT_OUT)
        BROKEN(w, r, "a node is left out silently");
    if (r->exit_code == 0 && jobs_of(w, 0) + jobs_of(w, 1) != NODES)
        BROKEN(w, r, "a node was handed over twice, or not at all");
    for (unsigned i = 0; i < NODES && r->exit_code != EXIT_OUT; i++)
        if (!json_is_null(stage_fleet_claim(w->fleet, i)))
            BROKEN(w, r, "a claim is left and not told of");
}

static void failed(struct sweep *w)
{
    struct stage_rollout *r = run_with_fault(w, w->n);

    w->unreached += w->fault->hit == 0;
    expect_honest(w, r);
    if (r->exit_code == 0)
        stage_fleet_wait_lapse(w->fleet, LAPSE_MS); /* what could not be given back */
    for (unsigned k = 0; k < RESUMES_MAX && r->exit_code != 0; k++)
        r = resumed(w, r);
    if (r->exit_code != 0)
        BROKEN(w, r, "it was not resumed to the end");
    expect_whole(w, r);
    expect_nothing_lost(w, r);
}

/* ---- sweeps */

static uint64_t gcd(uint64_t a, uint64_t b)
{
    return b == 0 ? a : gcd(b, a % b);
}

/* Near the golden section of `count`, and reaches all of it: however early the clock stops, what was taken lies evenly.
 */
static uint64_t step_of(uint64_t count)
{
    uint64_t step = count * 618 / 1000 + 1;

    while (gcd(step, count) != 1)
        step++;
    return step;
}

static void take(struct sweep *w, uint64_t first, uint64_t stride, uint64_t limit, uint32_t seconds)
{
    uint64_t began = stage_now_ms(), count = limit < first ? 0 : (limit - first) / stride + 1, i;

    for (i = 0; i < count && stage_now_ms() - began < (uint64_t)seconds * 1000; i++) {
        new_point(w, first + i * step_of(count) % count * stride, i % 3 == 2);
        if (w->kind == FAULT_KILL)
            killed(w);
        else
            failed(w);
    }
    printf("count: %s: %llu points of %llu, every %llu. of %llu calls from the %llu. on, %u of them not reached; "
           "%u aborts by design, %u crashes of libraries\n",
           kind_names[w->kind], (unsigned long long)i, (unsigned long long)count, (unsigned long long)stride,
           (unsigned long long)limit, (unsigned long long)first, w->unreached, w->aborts, w->crashes);
    expect_load_well(w);
}

/* `sample`: how many points where nothing else is asked for. */
static void sweep_of(struct stage *s, enum fault_kind kind, unsigned sample)
{
    struct sweep *w = sweep(s, kind);
    uint64_t calls = clean(w), stride = stage_setting("SWEEP_STRIDE", 0);
    uint64_t limit = stage_setting("SWEEP_LIMIT", 0);

    if (stride == 0)
        take(w, calls / (2 * sample) + 1, calls / sample + 1, calls, 600);
    else
        take(w, stage_setting("SWEEP_FIRST", 1), stride, limit != 0 && limit < calls ? limit : calls,
             stage_setting("SWEEP_SECONDS", 86400));
}

static void killed_at_its_nth_call_it_is_resumed_to_the_target(struct stage *s)
{
    sweep_of(s, FAULT_KILL, 6);
}

static void a_write_that_fails_loses_nothing(struct stage *s)
{
    sweep_of(s, FAULT_DISK, 2);
}

static void a_disk_that_is_full_from_a_write_on_loses_nothing(struct stage *s)
{
    sweep_of(s, FAULT_FULL, 2);
}

static void a_sync_that_fails_loses_nothing(struct stage *s)
{
    sweep_of(s, FAULT_SYNC, 2);
}

static void a_socket_call_that_fails_loses_nothing(struct stage *s)
{
    sweep_of(s, FAULT_NET, 2);
}

static void memory_that_is_not_there_loses_nothing(struct stage *s)
{
    sweep_of(s, FAULT_MEMORY, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(killed_at_its_nth_call_it_is_resumed_to_the_target),
        stage_test(a_write_that_fails_loses_nothing),
        stage_test(a_disk_that_is_full_from_a_write_on_loses_nothing),
        stage_test(a_sync_that_fails_loses_nothing),
        stage_test(a_socket_call_that_fails_loses_nothing),
        stage_test(memory_that_is_not_there_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
