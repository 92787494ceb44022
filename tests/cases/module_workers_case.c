/* module_workers_case.c - each worker obeys a PATCH at once, and one that is killed leaves nothing behind. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/stage/http.h"
#include "tests/stage/nginx.h"
#include "tests/stage/quick.h"
#include "tests/stage/raw.h"
#include "tests/stage/server.h"
#include "tests/stage/test.h"

#define WORKERS 4
#define WAIT_MS 10000

static void patch(struct stage_nginx *n, const char *upstream, unsigned id, const char *body)
{
    struct stage_answer *a = stage_http(
        n->stage, "PATCH", stage_text(n->stage, "%s/9/http/upstreams/%s/servers/%u", n->api, upstream, id), NULL, body);

    if (a->status != 200)
        stage_fail(n->stage, "PATCH %s: %d %s%s", body, a->status, a->error, a->body);
}

static const json_t *look(struct stage_nginx *n, const char *upstream)
{
    struct stage_answer *a =
        stage_http(n->stage, "GET", stage_text(n->stage, "%s/9/http/upstreams/%s", n->api, upstream), NULL, NULL);

    if (a->status != 200)
        stage_fail(n->stage, "GET: %d %s%s", a->status, a->error, a->body);
    return a->json;
}

/* ---- one connection to each worker */

/* The kernel spreads the connections to a port with `reuseport` over the workers; each says its pid. */
static void reach_every_worker(struct stage *s, uint16_t port, int fd[WORKERS])
{
    int pid[WORKERS] = {0}, reached = 0;

    for (int tries = 0; reached < WORKERS && tries < 200; tries++) {
        int this = stage_raw_open(s, port), from = 0, i = 0;
        const char *at;

        stage_raw_send(s, this, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        at = strstr(stage_raw_answer(s, this, WAIT_MS), "X-Worker: ");
        if (at == NULL || (from = (int)strtol(at + 10, NULL, 10)) == 0)
            stage_fail(s, "an answer without a worker's pid");
        while (i < reached && pid[i] != from)
            i++;
        if (i < reached || reached == WORKERS)
            continue;
        pid[reached] = from;
        fd[reached++] = this;
    }
    assert_int_equal(reached, WORKERS);
}

static void the_next_request_in_every_worker_obeys_a_patch(struct stage *s)
{
    uint16_t node[2] = {stage_port(s), stage_port(s)}, spread = stage_port(s);
    const struct stage_nginx_conf nodes = {
        .no_module = true,
        .http_extra = stage_text(s,
                                 "server { listen 127.0.0.1:%u; location / { return 200 node0; } }\n"
                                 "server { listen 127.0.0.1:%u; location / { return 200 node1; } }",
                                 node[0], node[1]),
    };
    const char *const peers[] = {stage_text(s, "127.0.0.1:%u max_fails=0", node[0]),
                                 stage_text(s, "127.0.0.1:%u max_fails=0", node[1]), NULL};
    const struct stage_upstream upstreams[] = {{.name = "app", .peers = peers}, {.name = NULL}};
    const struct stage_nginx_conf conf = {
        .upstreams = upstreams,
        .workers = WORKERS,
        .http_extra = stage_text(s,
                                 "server { listen 127.0.0.1:%u reuseport; add_header X-Worker $pid; "
                                 "location / { proxy_pass http://app; } }",
                                 spread),
    };
    struct stage_nginx *lb;
    int fd[WORKERS];

    (void)stage_nginx_start(s, "nodes", &nodes);
    lb = stage_nginx_start(s, "lb", &conf);
    reach_every_worker(s, spread, fd);
    for (unsigned round = 0; round < 40; round++) {
        unsigned out = round % 2;

        patch(lb, "app", 1 - out, "{\"down\":false}");
        patch(lb, "app", out, round % 4 < 2 ? "{\"drain\":true}" : "{\"down\":true}");
        for (int i = 0; i < WORKERS; i++)
            stage_raw_send(s, fd[i], "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        for (int i = 0; i < WORKERS; i++) {
            const char *answer = stage_raw_answer(s, fd[i], WAIT_MS);

            if (strstr(answer, out == 0 ? "node1" : "node0") == NULL)
                stage_fail(s, "round %u: node %u is out, and a worker answered %s", round, out, answer);
        }
    }
}

/* ---- workers are killed while they do all that they do
 *
 * Each kill is aimed: a PATCH or a GET of a long upstream is sent to a worker, which dies up to AIM_US later. Requests
 * are at the nodes all the while. Few of them: in the microsecond in which nginx's own balancer selects a node it holds
 * a lock that nobody takes from the dead. Round robin writes under it, and then the upstream is stuck with or without
 * the module; balancers that only read go on, and what that leaves of the module is in module_odd_case.c. */

#define NODES    3
#define BIG      1000 /* servers of the upstream that makes a PATCH and a GET last */
#define AIM_US   300
#define LATE_MS  8000 /* nobody waits that long unless something is stuck */
#define CLIENTS  8
#define PATCHERS 2
#define READERS  1
#define HELD     4

struct kills {
    struct stage_nginx *lb;
    uint16_t port, api_port, spread; /* spread: of the API, the connections spread over the workers */
    atomic_bool over;
    atomic_ulong requests, requests_cut, patches, patches_cut, reads, reads_cut, late, wrong;
    atomic_flag told;
    char first[512]; /* what was late or wrong first */
    pthread_t thread[CLIENTS + PATCHERS + READERS];
    unsigned n_threads;
};

struct hand {
    struct kills *kills;
    unsigned number, random;
    struct stage_quick quick;
};

static unsigned draw(struct hand *h, unsigned below)
{
    h->random = h->random * 1664525 + 1013904223;
    return (h->random >> 8) % below;
}

/* A request is answered with 200, or cut off by the death of its worker; anything else is a finding. */
static void judge(struct hand *h, const char *what, atomic_ulong *cut)
{
    struct kills *k = h->kills;
    bool late = h->quick.status == 0 && strstr(h->quick.why, "within the limit") != NULL;

    if (h->quick.status == 200)
        return;
    if (h->quick.status == 0 && !late && !h->quick.refused) {
        atomic_fetch_add(cut, 1);
        return;
    }
    if (!atomic_flag_test_and_set(&k->told))
        (void)snprintf(k->first, sizeof k->first, "%s: %d %s %.300s", what, h->quick.status, h->quick.why,
                       h->quick.body);
    atomic_fetch_add(late ? &k->late : &k->wrong, 1);
    if (late)
        atomic_store(&k->over, true);
}

static void *send_requests(void *ctx)
{
    struct hand *h = ctx;

    while (!atomic_load(&h->kills->over)) {
        char path[64];

        (void)snprintf(path, sizeof path, "/app/sleep/?duration=%ums", 100 + draw(h, 200));
        (void)stage_quick(&h->quick, h->kills->port, NULL, "GET", path, NULL, LATE_MS);
        atomic_fetch_add(&h->kills->requests, 1);
        judge(h, path, &h->kills->requests_cut);
    }
    free(h);
    return NULL;
}

static const char *patch_text(struct hand *h, char *text, size_t size, const char *upstream, unsigned id)
{
    static const char *const bodies[] = {"{\"drain\":true}", "{\"down\":true}", "{\"down\":false}"};
    const char *body = bodies[draw(h, 3)];

    (void)snprintf(text, size,
                   "PATCH /api/9/http/upstreams/%s/servers/%u HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   upstream, id, strlen(body), body);
    return text;
}

/* In two pieces, so that a worker also dies while it waits for the rest. The last of `app` is always up. */
static void *send_patches(void *ctx)
{
    struct hand *h = ctx;

    while (!atomic_load(&h->kills->over)) {
        char buffer[512];
        const char *text = patch_text(h, buffer, sizeof buffer, "app", h->number % (NODES - 1));
        size_t size = strlen(text), first = size - 5;
        int fd = stage_quick_open(&h->quick, h->kills->api_port, NULL);

        atomic_fetch_add(&h->kills->patches, 1);
        if (fd >= 0) {
            (void)send(fd, text, first, MSG_NOSIGNAL);
            (void)usleep(draw(h, 10000));
            (void)send(fd, text + first, size - first, MSG_NOSIGNAL);
            (void)stage_quick_answer(&h->quick, fd, LATE_MS);
        }
        judge(h, "PATCH", &h->kills->patches_cut);
    }
    free(h);
    return NULL;
}

static void *send_reads(void *ctx)
{
    struct hand *h = ctx;

    while (!atomic_load(&h->kills->over)) {
        (void)stage_quick(&h->quick, h->kills->api_port, NULL, "GET",
                          draw(h, 2) == 0 ? "/api/9/http/upstreams/app" : "/api/9/http/upstreams/big/servers", NULL,
                          LATE_MS);
        atomic_fetch_add(&h->kills->reads, 1);
        judge(h, "GET", &h->kills->reads_cut);
    }
    free(h);
    return NULL;
}

static void begin(struct kills *k, void *(*run)(void *), unsigned number)
{
    struct hand *h = calloc(1, sizeof *h);

    if (h == NULL)
        abort();
    h->kills = k;
    h->number = number;
    h->random = k->n_threads + 1;
    if (pthread_create(&k->thread[k->n_threads++], NULL, run, h) != 0)
        abort();
}

/* A port that takes connections and never says a word. */
static uint16_t silent_port(struct stage *s)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint16_t port = stage_port(s);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    at.sin_port = htons(port);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 64), 0);
    return port; /* the socket goes with the process */
}

static struct stage_nginx *start(struct stage *s, uint16_t spread)
{
    const char **nodes = stage_alloc(s, (NODES + 1) * sizeof *nodes);
    const char **big = stage_alloc(s, (BIG + 1) * sizeof *big);
    const char *const silent[] = {stage_text(s, "127.0.0.1:%u", silent_port(s)), NULL};
    const struct stage_upstream upstreams[] = {{.name = "app", .peers = nodes},
                                               {.name = "big", .peers = big, .no_zone = true, .extra = "zone big 4m;"},
                                               {.name = "silent", .peers = silent},
                                               {.name = NULL}};

    for (int i = 0; i < NODES; i++)
        nodes[i] = stage_text(s, "%s max_fails=0", stage_server_start(s, stage_text(s, "node%d", i + 1), "v1")->peer);
    for (int i = 0; i < BIG; i++)
        big[i] = stage_text(s, "127.1.%d.%d:9", i / 200, i % 200 + 1); /* never asked */
    return stage_nginx_start(
        s, "lb",
        &(struct stage_nginx_conf){
            .upstreams = upstreams,
            .workers = WORKERS,
            .http_extra =
                stage_text(s, "server { listen 127.0.0.1:%u reuseport; location /api { api write=on; } }", spread),
        });
}

/* The worker behind a fresh connection, which stays open. 0: none answers. */
static pid_t worker_at(struct hand *h, int fd)
{
    static const char ask[] = "GET /api/9/nginx HTTP/1.1\r\nHost: a\r\n\r\n";
    const char *at = NULL;

    if (fd >= 0 && send(fd, ask, sizeof ask - 1, MSG_NOSIGNAL) == (ssize_t)sizeof ask - 1 &&
        stage_quick_take(&h->quick, fd, LATE_MS))
        at = strstr(h->quick.body, "\"pid\":");
    return at != NULL ? (pid_t)strtol(at + 6, NULL, 10) : 0;
}

static void spin_us(unsigned us)
{
    struct timespec from, now;

    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    do
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - from.tv_sec) * 1000000 + (now.tv_nsec - from.tv_nsec) / 1000 < (long)us);
}

static bool kill_in_the_middle(struct hand *h, pid_t *dead)
{
    static const char get[] = "GET /api/9/http/upstreams/big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    struct kills *k = h->kills;
    int fd = stage_quick_open(&h->quick, k->spread, NULL);
    bool patches = draw(h, 3) > 0;
    char buffer[512];
    const char *text = patches ? patch_text(h, buffer, sizeof buffer, "big", draw(h, BIG)) : get;

    *dead = worker_at(h, fd);
    if (*dead != 0 && send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text)) {
        spin_us(draw(h, AIM_US));
        if (kill(*dead, SIGKILL) == 0) {
            atomic_fetch_add(patches ? &k->patches : &k->reads, 1);
            (void)stage_quick_answer(&h->quick, fd, LATE_MS);
            judge(h, "the last request of a worker", patches ? &k->patches_cut : &k->reads_cut);
            return true;
        }
    }
    judge(h, "GET", &k->reads_cut);
    if (fd >= 0)
        (void)close(fd);
    return false;
}

/* The dead one is gone, and there are as many as before. */
static bool is_replaced(struct stage_nginx *lb, pid_t dead)
{
    uint64_t until_ms = stage_now_ms() + WAIT_MS;
    bool good = false;

    while (!good && stage_now_ms() < until_ms) {
        pid_t now[64];
        unsigned n = stage_nginx_workers(lb, now, 64);

        good = n == WORKERS;
        for (unsigned i = 0; i < n && i < 64; i++)
            good = good && now[i] != dead;
        (void)usleep(1000);
    }
    return good;
}

/* One worker after another, the next when the last has a successor. How many; ends early when something is stuck. */
static unsigned kill_workers(struct kills *k, unsigned times)
{
    struct hand *h = calloc(1, sizeof *h);
    unsigned done = 0;
    pid_t dead;

    if (h == NULL)
        abort();
    h->kills = k;
    while (done < times && !atomic_load(&k->over) && kill_in_the_middle(h, &dead) && is_replaced(k->lb, dead))
        done++;
    free(h);
    return done;
}

/* ---- afterwards */

static bool all_is_quiet(void *ctx)
{
    static const char *const names[] = {"app", "big", "silent"};
    struct stage_nginx *lb = ctx;

    for (size_t u = 0; u < sizeof names / sizeof *names; u++) {
        const json_t *upstream = look(lb, names[u]), *peers = stage_json(lb->stage, upstream, "peers");

        if (!stage_json_bool(lb->stage, upstream, "rollout.active_exact"))
            return false;
        for (size_t i = 0; i < json_array_size(peers); i++)
            if (stage_json_int(lb->stage, json_array_get(peers, i), "active") != 0)
                return false;
    }
    return true;
}

struct want {
    struct stage_nginx *lb;
    json_int_t active;
};

static bool silent_has(void *ctx)
{
    const struct want *w = ctx;

    return stage_json_int(w->lb->stage, look(w->lb, "silent"), "peers.0.active") == w->active;
}

/* What is in flight is counted, no more and no less. */
static void in_flight_is_what_is_told(struct stage_nginx *lb)
{
    struct want w = {lb, HELD};
    int fd[HELD];

    for (int i = 0; i < HELD; i++) {
        fd[i] = stage_raw_open(lb->stage, lb->port);
        stage_raw_send(lb->stage, fd[i], "GET /silent/ HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    stage_wait_until(lb->stage, silent_has, &w, WAIT_MS, "the requests that are held to be counted");
    w.active = 0;
    for (int i = 0; i < HELD; i++)
        (void)shutdown(fd[i], SHUT_RDWR);
    stage_wait_until(lb->stage, silent_has, &w, WAIT_MS, "the requests that were given up to be gone");
}

static void every_peer_obeys(struct stage_nginx *lb)
{
    static const struct {
        const char *body, *state;
    } steps[] = {{"{\"drain\":true}", "draining"}, {"{\"down\":true}", "down"}, {"{\"down\":false}", "up"}};
    const json_t *big;

    for (unsigned id = 0; id < BIG; id++)
        patch(lb, "big", id, "{\"down\":false}");
    for (unsigned id = 0; id < NODES; id++)
        patch(lb, "app", id, "{\"down\":false}");
    for (unsigned id = 0; id < NODES; id++)
        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
            patch(lb, "app", id, steps[i].body);
            for (int k = 0; k < 2 * WORKERS; k++) {
                const json_t *peer = stage_json(lb->stage, look(lb, "app"), stage_text(lb->stage, "peers.%u", id));

                assert_string_equal(stage_json_string(lb->stage, peer, "state"), steps[i].state);
                assert_int_equal(stage_json_int(lb->stage, peer, "active"), 0);
            }
        }
    big = look(lb, "big");
    for (unsigned id = 0; id < BIG; id++)
        assert_string_equal(stage_json_string(lb->stage, big, stage_text(lb->stage, "peers.%u.state", id)), "up");
    for (int i = 0; i < 4 * NODES; i++)
        assert_int_equal(
            stage_http(lb->stage, "GET", stage_text(lb->stage, "%s/app/sleep/?duration=0s", lb->url), NULL, NULL)
                ->status,
            200);
}

static unsigned count_text(const char *text, const char *what)
{
    unsigned n = 0;

    for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
        n++;
    return n;
}

static void killed_workers_leave_nothing_stuck_and_no_wrong_count(struct stage *s)
{
    struct kills *k = stage_alloc(s, sizeof *k);
    unsigned times = stage_setting("KILLS", 1000), done;
    const char *log;

    k->spread = stage_port(s);
    k->lb = start(s, k->spread);
    k->port = k->lb->port;
    k->api_port = k->lb->api_port;
    for (unsigned i = 0; i < CLIENTS; i++)
        begin(k, send_requests, i);
    for (unsigned i = 0; i < PATCHERS; i++)
        begin(k, send_patches, i);
    for (unsigned i = 0; i < READERS; i++)
        begin(k, send_reads, i);
    done = kill_workers(k, times);
    atomic_store(&k->over, true);
    for (unsigned i = 0; i < k->n_threads; i++)
        (void)pthread_join(k->thread[i], NULL);
    log = stage_read(s, k->lb->error_log);
    print_message(
        "count: %u workers killed, %u of them with the module's lock held; cut off: %lu of %lu requests, %lu of "
        "%lu PATCHes, %lu of %lu reads; late %lu, wrong %lu\n",
        done, count_text(log, "was locked by"), k->requests_cut, k->requests, k->patches_cut, k->patches, k->reads_cut,
        k->reads, k->late, k->wrong);
    if (k->first[0] != '\0')
        print_error("%s\n", k->first);
    assert_int_equal(k->late, 0);
    assert_int_equal(k->wrong, 0);
    assert_int_equal(done, times);
    assert_true(k->requests_cut >= times / 4 && k->patches_cut >= times / 8); /* or nothing was shown */
    assert_int_equal(count_text(log, "exited on signal 9"), times);
    assert_int_equal(count_text(log, "exited on signal"), times);
    stage_wait_until(s, all_is_quiet, k->lb, WAIT_MS, "no peer to have requests");
    in_flight_is_what_is_told(k->lb);
    every_peer_obeys(k->lb);
    assert_true(all_is_quiet(k->lb));
}

/* It takes its title when all that it does at its start is done (ngx_worker_process_cycle); before, it is a copy of its
 * master. */
static bool is_at_work(pid_t worker)
{
    char path[64], title[64] = "";
    FILE *f;

    (void)snprintf(path, sizeof path, "/proc/%d/cmdline", (int)worker);
    f = fopen(path, "re");
    if (f == NULL)
        return false;
    (void)!fread(title, 1, sizeof title - 1, f);
    (void)fclose(f);
    return strncmp(title, "nginx: worker process", strlen("nginx: worker process")) == 0;
}

static bool all_are_at_work(void *ctx)
{
    pid_t now[WORKERS];
    bool good = stage_nginx_workers(ctx, now, WORKERS) == WORKERS;

    for (int i = 0; i < WORKERS; i++)
        good = good && is_at_work(now[i]);
    return good;
}

/* nginx's own count of what a server holds keeps a dead worker's share; with max_conns nobody would be let in again. */
static void what_killed_workers_held_does_not_count_against_max_conns(struct stage *s)
{
    const char *const nobody[] = {stage_text(s, "127.0.0.1:%u", stage_port(s)), NULL};
    const char *const silent[] = {stage_text(s, "127.0.0.1:%u max_conns=%d", silent_port(s), HELD), NULL};
    const struct stage_upstream upstreams[] = {
        {.name = "first", .peers = nobody, .no_zone = true}, {.name = "silent", .peers = silent}, {.name = NULL}};
    struct stage_nginx *lb =
        stage_nginx_start(s, "lb", &(struct stage_nginx_conf){.upstreams = upstreams, .workers = WORKERS});
    const char *url = stage_text(s, "%s/silent/", lb->url);
    struct want w = {lb, HELD};
    pid_t workers[WORKERS];

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < HELD; i++)
            stage_raw_send(s, stage_raw_open(s, lb->port), "GET /silent/ HTTP/1.1\r\nHost: a\r\n\r\n");
        stage_wait_until(s, silent_has, &w, WAIT_MS, "as many requests at the server as it may have");
        assert_int_equal(stage_http(s, "GET", url, NULL, NULL)->status, 502);
        assert_int_equal(stage_nginx_workers(lb, workers, WORKERS), WORKERS);
        for (int i = 0; i < WORKERS; i++) {
            assert_int_equal(kill(workers[i], SIGKILL), 0);
            assert_true(is_replaced(lb, workers[i]));
        }
        stage_wait_until(s, all_are_at_work, lb, WAIT_MS, "the successors to have begun"); /* they correct it then */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(the_next_request_in_every_worker_obeys_a_patch),
        stage_test(killed_workers_leave_nothing_stuck_and_no_wrong_count),
        stage_test(what_killed_workers_held_does_not_count_against_max_conns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
