/* module_reloads_case.c - many reloads under load, of an nginx with the module and of one without beside it.
 *
 * Both have the same nodes, get the same requests from the same threads and reload at the same times. Each request has
 * a connection of its own, so none has to fail; what fails with the module must have failed without it, too. And the
 * module leaves nothing behind: neither in the master, nor in the workers, nor in shared memory. RELOADS: how many. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/stage/nginx.h"
#include "tests/stage/quick.h"
#include "tests/stage/server.h"
#include "tests/stage/test.h"

#define NODES    3
#define MANY     500 /* servers that nobody asks: each worker's row in the module's zone takes half a page */
#define WORKERS  2
#define CLIENTS  12
#define WARM_UP  10 /* reloads after which memory is looked at first */
#define PAUSE_MS 40 /* from the new workers of both to the next reload */
#define LIMIT_MS 20000

/* What may have grown between the first look and the last, which come at different moments of the load. */
#define MASTER_GROWS_KB 256 /* more than stock's own master */
#define WORKER_GROWS_KB 512 /* more than stock's own workers */
#define SHARED_GROWS_KB 128 /* more workers of before may live at a time; a row lost with each would be 4 kB */

enum side { WITH, STOCK, SIDES };
static const char *const side_names[SIDES] = {"with", "stock"};

struct sizes {
    unsigned long master_kb, worker_kb, shared_kb; /* worker: the largest */
};

struct run {
    struct stage_nginx *lb[SIDES];
    atomic_bool over;
    atomic_ulong sent[SIDES], failed[SIDES];
    atomic_flag told[SIDES];
    char first[SIDES][256];
    pthread_t thread[CLIENTS];
};

struct hand {
    struct run *run;
    unsigned random;
    struct stage_quick quick;
};

/* ---- load */

static unsigned draw(struct hand *h, unsigned below)
{
    h->random = h->random * 1664525 + 1013904223;
    return (h->random >> 8) % below;
}

struct form {
    const char *method;
    unsigned sleep_ms, pause_ms; /* the latter before the last byte of the body */
};

static void send_one(struct hand *h, enum side side, const struct form *f)
{
    struct run *r = h->run;
    bool post = strcmp(f->method, "POST") == 0;
    char text[256];
    int n = snprintf(text, sizeof text, "%s /sleep/?duration=%ums HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s",
                     f->method, f->sleep_ms, post ? "Content-Length: 2\r\n\r\n." : "\r\n");
    int fd = stage_quick_open(&h->quick, r->lb[side]->port, NULL);

    atomic_fetch_add(&r->sent[side], 1);
    if (fd >= 0) {
        (void)send(fd, text, (size_t)n, MSG_NOSIGNAL);
        if (post) {
            (void)usleep(f->pause_ms * 1000);
            (void)send(fd, ".", 1, MSG_NOSIGNAL);
        }
        (void)stage_quick_answer(&h->quick, fd, LIMIT_MS);
    }
    if (h->quick.status == 200)
        return;
    atomic_fetch_add(&r->failed[side], 1);
    if (!atomic_flag_test_and_set(&r->told[side]))
        (void)snprintf(r->first[side], sizeof r->first[side], "%s: %d %s %.100s", f->method, h->quick.status,
                       h->quick.why, h->quick.body);
}

static void *send_all(void *ctx)
{
    static const struct form forms[] = {{"GET", 0, 0},  {"GET", 0, 0},  {"GET", 0, 0},   {"GET", 30, 0},
                                        {"POST", 0, 0}, {"POST", 0, 0}, {"POST", 20, 60}};
    struct hand *h = ctx;

    while (!atomic_load(&h->run->over)) {
        const struct form *f = &forms[draw(h, sizeof forms / sizeof *forms)];
        enum side first = (enum side)draw(h, SIDES);

        send_one(h, first, f);
        send_one(h, (enum side)(1 - first), f);
    }
    free(h);
    return NULL;
}

/* ---- memory */

static unsigned long status_kb(pid_t pid, const char *key)
{
    char path[64], line[256];
    unsigned long kb = 0;
    FILE *f;

    (void)snprintf(path, sizeof path, "/proc/%d/status", pid);
    f = fopen(path, "re");
    while (f != NULL && kb == 0 && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, key, strlen(key)) == 0)
            kb = strtoul(line + strlen(key), NULL, 10);
    if (f != NULL)
        (void)fclose(f);
    return kb;
}

/* All pages that shared zones have, whoever touched them; without the right to see that, those that the master has. */
static unsigned long shared_kb(pid_t master)
{
    char path[128], line[512];
    unsigned long from, to, kb = 0;
    FILE *f;

    (void)snprintf(path, sizeof path, "/proc/%d/maps", master);
    f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        struct stat zone;

        if (strstr(line, "/dev/zero") == NULL || sscanf(line, "%lx-%lx", &from, &to) != 2)
            continue;
        (void)snprintf(path, sizeof path, "/proc/%d/map_files/%lx-%lx", master, from, to);
        if (stat(path, &zone) == 0)
            kb += (unsigned long)zone.st_blocks / 2;
    }
    if (f != NULL)
        (void)fclose(f);
    return kb > 0 ? kb : status_kb(master, "RssShmem:");
}

static struct sizes sizes_of(struct stage_nginx *lb)
{
    struct sizes now = {status_kb(lb->proc->pid, "RssAnon:"), 0, shared_kb(lb->proc->pid)};
    pid_t workers[64];
    unsigned n = stage_nginx_workers(lb, workers, 64);

    for (unsigned i = 0; i < n && i < 64; i++) {
        unsigned long kb = status_kb(workers[i], "RssAnon:");

        now.worker_kb = kb > now.worker_kb ? kb : now.worker_kb;
    }
    return now;
}

/* ---- reloads */

static unsigned count_new(struct stage_nginx *lb, const pid_t *before, unsigned n_before)
{
    pid_t now[64];
    unsigned n = stage_nginx_workers(lb, now, 64), n_new = 0;

    for (unsigned i = 0; i < n && i < 64; i++) {
        bool old = false;

        for (unsigned k = 0; k < n_before; k++)
            old = old || before[k] == now[i];
        n_new += !old;
    }
    return n_new;
}

/* Both at once; back when both have new workers. */
static bool reload_both(struct run *r)
{
    uint64_t until_ms = stage_now_ms() + LIMIT_MS;
    pid_t before[SIDES][64];
    unsigned n[SIDES];
    bool done = false;

    for (int i = 0; i < SIDES; i++)
        n[i] = stage_nginx_workers(r->lb[i], before[i], 64);
    for (int i = 0; i < SIDES; i++)
        if (kill(r->lb[i]->proc->pid, SIGHUP) != 0)
            return false;
    while (!done && stage_now_ms() < until_ms) {
        (void)usleep(2000);
        done = true;
        for (int i = 0; i < SIDES; i++)
            done = done && count_new(r->lb[i], before[i], n[i]) >= WORKERS;
    }
    (void)usleep(PAUSE_MS * 1000);
    return done;
}

static bool is_settled(void *ctx)
{
    struct run *r = ctx;

    return stage_nginx_workers(r->lb[WITH], NULL, 0) == WORKERS &&
           stage_nginx_workers(r->lb[STOCK], NULL, 0) == WORKERS;
}

static void begin(struct run *r)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct hand *h = calloc(1, sizeof *h);

        if (h == NULL)
            abort();
        h->run = r;
        h->random = i + 1;
        if (pthread_create(&r->thread[i], NULL, send_all, h) != 0)
            abort();
    }
}

static void end(struct run *r)
{
    atomic_store(&r->over, true);
    for (unsigned i = 0; i < CLIENTS; i++)
        (void)pthread_join(r->thread[i], NULL);
    atomic_store(&r->over, false);
}

/* How many reloads were done, with the load on. */
static unsigned reload_under_load(struct run *r, unsigned times)
{
    unsigned done = 0;

    begin(r);
    while (done < times && reload_both(r))
        done++;
    end(r);
    return done;
}

static void look(struct stage *s, struct run *r, struct sizes sizes[SIDES])
{
    stage_wait_until(s, is_settled, r, LIMIT_MS, "old workers to end");
    for (int i = 0; i < SIDES; i++)
        sizes[i] = sizes_of(r->lb[i]);
}

static long growth_kb(unsigned long before_kb, unsigned long after_kb)
{
    return (long)after_kb - (long)before_kb;
}

static void start(struct stage *s, struct run *r)
{
    const char **nodes = stage_alloc(s, (NODES + 1) * sizeof *nodes);
    const char **many = stage_alloc(s, (MANY + 1) * sizeof *many);
    const struct stage_upstream upstreams[] = {
        {.name = "app", .peers = nodes, .extra = "least_conn;"},
        {.name = "many", .peers = many, .no_zone = true, .extra = "zone many 2m;"},
        {.name = NULL}};

    for (int i = 0; i < NODES; i++)
        nodes[i] = stage_text(s, "%s max_fails=0", stage_server_start(s, stage_text(s, "node%d", i + 1), "v1")->peer);
    for (int i = 0; i < MANY; i++)
        many[i] = stage_text(s, "127.1.%d.%d:9", i / 200, i % 200 + 1);
    for (int i = 0; i < SIDES; i++)
        r->lb[i] = stage_nginx_start(
            s, side_names[i],
            &(struct stage_nginx_conf){.upstreams = upstreams, .workers = WORKERS, .no_module = i == STOCK});
}

static void no_request_fails_and_nothing_grows_over_many_reloads(struct stage *s)
{
    unsigned times = stage_setting("RELOADS", 50), done;
    struct run *r = stage_alloc(s, sizeof *r);
    struct sizes before[SIDES], after[SIDES];
    long master_kb[SIDES], worker_kb[SIDES], zones_kb[SIDES];

    start(s, r);
    assert_int_equal(reload_under_load(r, WARM_UP), WARM_UP);
    look(s, r, before);
    done = reload_under_load(r, times);
    look(s, r, after);
    for (int i = 0; i < SIDES; i++) {
        master_kb[i] = growth_kb(before[i].master_kb, after[i].master_kb);
        worker_kb[i] = growth_kb(before[i].worker_kb, after[i].worker_kb);
        zones_kb[i] = growth_kb(before[i].shared_kb, after[i].shared_kb);
        print_message("count: %-5s %u reloads: %lu of %lu requests failed; kB: master %lu%+ld, largest worker %lu%+ld, "
                      "shared zones %lu%+ld\n",
                      side_names[i], done + WARM_UP, r->failed[i], r->sent[i], before[i].master_kb, master_kb[i],
                      before[i].worker_kb, worker_kb[i], before[i].shared_kb, zones_kb[i]);
        if (r->first[i][0] != '\0')
            print_error("%s: %s\n", side_names[i], r->first[i]);
    }
    assert_int_equal(done, times);
    assert_true(r->failed[WITH] <= r->failed[STOCK]);
    assert_true(zones_kb[WITH] <= SHARED_GROWS_KB);
    if (s->asan)
        return; /* it keeps for a while what was freed */
    assert_true(master_kb[WITH] <= (master_kb[STOCK] > 0 ? master_kb[STOCK] : 0) + MASTER_GROWS_KB);
    assert_true(worker_kb[WITH] <= (worker_kb[STOCK] > 0 ? worker_kb[STOCK] : 0) + WORKER_GROWS_KB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {stage_test(no_request_fails_and_nothing_grows_over_many_reloads)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
