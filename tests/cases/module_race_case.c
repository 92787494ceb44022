/* module_race_case.c - PATCH in a tight loop, clients and reloads at once: nobody is behind, whatever the balancer.
 *
 * One nginx, an upstream for each balancer over the same three demo-servers. For each upstream a thread that PATCHes,
 * reads back and sends the next requests, a thread of clients, and one of slow clients: the last byte of their requests
 * comes when nginx has reloaded once or twice, so that workers of before select a node by what was PATCHed since.
 * RACE_SECONDS: how long. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/stage/http.h"
#include "tests/stage/nginx.h"
#include "tests/stage/quick.h"
#include "tests/stage/server.h"
#include "tests/stage/test.h"

#define NODES     3
#define RELOAD_MS 900
#define LIMIT_MS  20000
#define NEXT      2  /* requests of the patching thread after each PATCH */
#define SLOW      24 /* requests of the slow clients at a time, each open for SLOW_MS */
#define SLOW_MS   1300

static const struct mix {
    const char *name, *balancer;
    bool keepalive, backup; /* backup: the last node is one; hash, ip_hash and random know none */
} mixes[] = {
    {"rr", "", false, false},
    {"least_conn", "least_conn;", false, false},
    {"ip_hash", "ip_hash;", false, false},
    {"hash", "hash $arg_k;", false, false},
    {"consistent", "hash $arg_k consistent;", false, false},
    {"random", "random;", false, false},
    {"random_two", "random two;", false, false},
    {"rr_keep", "", true, false},
    {"least_conn_keep", "least_conn;", true, false},
    {"ip_hash_keep", "ip_hash;", true, false},
    {"hash_keep", "hash $arg_k;", true, false},
    {"consistent_keep", "hash $arg_k consistent;", true, false},
    {"random_keep", "random;", true, false},
    {"random_two_keep", "random two;", true, false},
    {"rr_backup", "", false, true},
    {"least_conn_backup", "least_conn;", false, true},
    {"rr_backup_keep", "", true, true},
};
#define MIXES (sizeof mixes / sizeof *mixes)

enum { PATCHER, CLIENTS, SLOW_CLIENTS, THREADS };

enum node_state { UP, DRAINING, DOWN };
static const char *const state_names[] = {"up", "draining", "down"};

/* What one thread saw. */
struct tally {
    unsigned long patches, reads, requests, stale, misrouted, errors, from[NODES];
    char first[512]; /* the first finding, in a sentence */
};

struct race {
    uint16_t port, api_port;
    pid_t pid[NODES];
    atomic_bool over;
};

struct lane {
    const struct mix *mix;
    struct race *race;
    enum node_state state[NODES]; /* of the patching thread: what was PATCHed last */
    /* Odd from the answer to the PATCH that took the node out until just before the one that puts it back is sent. */
    atomic_uint out[NODES];
    struct tally tally[THREADS];
    pthread_t thread[THREADS];
};

/* What a thread needs for its requests. */
struct hand {
    struct lane *lane;
    struct tally *tally;
    unsigned random;
    struct stage_quick quick;
};

static unsigned draw(struct hand *h, unsigned below)
{
    h->random = h->random * 1664525 + 1013904223;
    return (h->random >> 8) % below;
}

__attribute__((format(printf, 3, 4))) static void found(struct hand *h, unsigned long *count, const char *format, ...)
{
    va_list args;

    (*count)++;
    if (h->tally->first[0] != '\0')
        return;
    va_start(args, format);
    (void)vsnprintf(h->tally->first, sizeof h->tally->first, format, args);
    va_end(args);
}

/* ---- a request through the proxy: which node answered? */

static int node_of(const struct race *race, const struct stage_quick *q)
{
    const char *at = strstr(q->body, "from pid ");
    pid_t pid = at != NULL ? (pid_t)strtol(at + 9, NULL, 10) : 0;

    for (int i = 0; i < NODES; i++)
        if (race->pid[i] == pid)
            return i;
    return -1;
}

static void look_who_is_out(const struct lane *l, unsigned out[NODES])
{
    for (int i = 0; i < NODES; i++)
        out[i] = atomic_load(&l->out[i]);
}

/* Who answered a request whose last byte was sent after `before` was read. -1: it failed, and was counted. */
static int judge(struct hand *h, const unsigned before[NODES], bool answered)
{
    struct lane *l = h->lane;
    int node = answered && h->quick.status == 200 ? node_of(l->race, &h->quick) : -1;

    h->tally->requests++;
    if (node < 0) {
        found(h, &h->tally->errors, "a request: %d %s %.100s", h->quick.status, h->quick.why, h->quick.body);
        return -1;
    }
    h->tally->from[node]++;
    if (before[node] % 2 == 1 && atomic_load(&l->out[node]) == before[node])
        found(h, &h->tally->misrouted, "node %d answered a request that was sent after it was out", node);
    return node;
}

static const char *source(struct hand *h, char *text, size_t size)
{
    (void)snprintf(text, size, "127.0.%u.1", draw(h, 250)); /* ip_hash looks at the first three numbers */
    return text;
}

static int request(struct hand *h)
{
    struct lane *l = h->lane;
    unsigned before[NODES];
    char path[128], from[32];

    look_who_is_out(l, before);
    (void)snprintf(path, sizeof path, "/%s/sleep/?duration=0s&k=%u", l->mix->name, draw(h, 1000));
    return judge(h, before,
                 stage_quick(&h->quick, l->race->port, source(h, from, sizeof from), "GET", path, NULL, LIMIT_MS));
}

static void *send_requests(void *ctx)
{
    struct hand *h = ctx;

    while (!atomic_load(&h->lane->race->over))
        (void)request(h);
    free(h);
    return NULL;
}

/* All but the last byte. */
static int begin_request(struct hand *h)
{
    char text[256], from[32];
    int fd = stage_quick_open(&h->quick, h->lane->race->port, source(h, from, sizeof from));
    int n = snprintf(text, sizeof text,
                     "POST /%s/sleep/?duration=0s&k=%u HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                     "Content-Length: 2\r\n\r\n.",
                     h->lane->mix->name, draw(h, 1000));

    if (fd >= 0)
        (void)send(fd, text, (size_t)n, MSG_NOSIGNAL);
    return fd;
}

static void end_request(struct hand *h, int fd)
{
    unsigned before[NODES];

    look_who_is_out(h->lane, before);
    if (fd >= 0)
        (void)send(fd, ".", 1, MSG_NOSIGNAL);
    (void)judge(h, before, fd >= 0 && stage_quick_answer(&h->quick, fd, LIMIT_MS));
}

static void *send_slowly(void *ctx)
{
    struct hand *h = ctx;
    int fd[SLOW];

    for (int i = 0; i < SLOW; i++)
        fd[i] = begin_request(h);
    for (unsigned i = 0; !atomic_load(&h->lane->race->over); i = (i + 1) % SLOW) {
        (void)usleep(SLOW_MS * 1000 / SLOW);
        end_request(h, fd[i]);
        fd[i] = begin_request(h);
    }
    for (int i = 0; i < SLOW; i++)
        end_request(h, fd[i]);
    free(h);
    return NULL;
}

/* ---- PATCH, and what is said and done right behind it */

/* Whether the node may be asked, by the state that was PATCHed last. */
static bool serves(const struct lane *l, int node)
{
    bool backup = l->mix->backup && node == NODES - 1;

    for (int i = 0; backup && i < NODES - 1; i++)
        if (l->state[i] == UP)
            return false;
    return l->state[node] == UP;
}

static unsigned n_up(const struct lane *l)
{
    unsigned n = 0;

    for (int i = 0; i < NODES; i++)
        n += l->state[i] == UP;
    return n;
}

static json_t *read_json(struct hand *h, const char *method, const char *path, const char *body)
{
    json_t *json;

    if (!stage_quick(&h->quick, h->lane->race->api_port, NULL, method, path, body, LIMIT_MS) ||
        h->quick.status != 200) {
        found(h, &h->tally->errors, "%s %s %s: %d %s %.200s", method, path, body != NULL ? body : "", h->quick.status,
              h->quick.why, h->quick.body);
        return NULL;
    }
    json = json_loadb(h->quick.body, h->quick.body_size, 0, NULL);
    if (json == NULL)
        found(h, &h->tally->errors, "%s %s: no JSON: %.200s", method, path, h->quick.body);
    return json;
}

/* The answer to a PATCH and to a GET of the server. */
static void check_server(struct hand *h, const char *what, json_t *server, enum node_state want)
{
    bool down = json_is_true(json_object_get(server, "down")), drain = json_is_true(json_object_get(server, "drain"));

    if (server != NULL && (down != (want == DOWN) || drain != (want == DRAINING)))
        found(h, &h->tally->stale, "%s: want %s: %.200s", what, state_names[want], h->quick.body);
    json_decref(server);
}

static void check_upstream(struct hand *h)
{
    struct lane *l = h->lane;
    char path[128];
    json_t *upstream;

    (void)snprintf(path, sizeof path, "/api/9/http/upstreams/%s", l->mix->name);
    h->tally->reads++;
    upstream = read_json(h, "GET", path, NULL);
    for (size_t i = 0; upstream != NULL && i < NODES; i++) {
        json_t *peer = json_array_get(json_object_get(upstream, "peers"), i);
        const char *state = json_string_value(json_object_get(peer, "state"));

        if (state == NULL || strcmp(state, state_names[l->state[i]]) != 0)
            found(h, &h->tally->stale, "GET of the upstream: want node %zu %s: %.300s", i, state_names[l->state[i]],
                  h->quick.body);
    }
    json_decref(upstream);
}

static void patch(struct hand *h, int node, enum node_state want)
{
    struct lane *l = h->lane;
    enum node_state was = l->state[node];
    const char *body = want == DOWN                         ? "{\"down\":true}"
                       : want == DRAINING                   ? "{\"drain\":true}"
                       : was == DRAINING && draw(h, 2) == 0 ? "{\"drain\":false}"
                                                            : "{\"down\":false}";
    char path[128];

    (void)snprintf(path, sizeof path, "/api/9/http/upstreams/%s/servers/%d", l->mix->name, node);
    if (was != UP && want == UP)
        atomic_fetch_add(&l->out[node], 1);
    h->tally->patches++;
    l->state[node] = want;
    check_server(h, "the answer to PATCH", read_json(h, "PATCH", path, body), want);
    if (was == UP)
        atomic_fetch_add(&l->out[node], 1);
    h->tally->reads++;
    check_server(h, "GET of the server", read_json(h, "GET", path, NULL), want);
}

static void *send_patches(void *ctx)
{
    struct hand *h = ctx;
    struct lane *l = h->lane;

    while (!atomic_load(&l->race->over)) {
        int node = (int)draw(h, NODES);
        enum node_state want = (enum node_state)((l->state[node] + 1 + draw(h, 2)) % 3);

        if (l->state[node] == UP && n_up(l) == 1)
            continue; /* somebody has to answer */
        patch(h, node, want);
        check_upstream(h);
        for (int i = 0; i < NEXT; i++) {
            int from = request(h);

            if (from >= 0 && !serves(l, from))
                found(h, &h->tally->misrouted, "right after the PATCH of node %d to %s node %d answered, which is %s",
                      node, state_names[want], from, state_names[l->state[from]]);
        }
    }
    free(h);
    return NULL;
}

/* ---- all of them at once; while threads run nothing may fail the stage */

static struct stage_nginx *start(struct stage *s, struct race *race)
{
    struct stage_upstream *upstreams = stage_alloc(s, (MIXES + 1) * sizeof *upstreams);
    const char **peers = stage_alloc(s, (NODES + 1) * sizeof *peers);
    const char **with_backup = stage_alloc(s, (NODES + 1) * sizeof *with_backup);
    struct stage_nginx *lb;

    for (int i = 0; i < NODES; i++) {
        struct stage_server *server = stage_server_start(s, stage_text(s, "node%d", i + 1), "v1");

        race->pid[i] = stage_server_pid(server);
        peers[i] = stage_text(s, "%s max_fails=0", server->peer);
        with_backup[i] = stage_text(s, "%s%s", peers[i], i == NODES - 1 ? " backup" : "");
    }
    for (size_t i = 0; i < MIXES; i++)
        upstreams[i] = (struct stage_upstream){.name = mixes[i].name,
                                               .peers = mixes[i].backup ? with_backup : peers,
                                               .extra = mixes[i].balancer,
                                               .no_keepalive = !mixes[i].keepalive};
    lb = stage_nginx_start(s, "lb",
                           &(struct stage_nginx_conf){
                               .upstreams = upstreams,
                               .workers = 3,
                               .http_extra = "map $proxy_host $kept { ~_keep$ \"\"; default close; }",
                               .server_extra = "proxy_set_header Connection $kept;",
                           });
    race->port = lb->port;
    race->api_port = lb->api_port;
    return lb;
}

static void begin(struct stage *s, struct lane *l, int which)
{
    static void *(*const runs[THREADS])(void *) = {
        [PATCHER] = send_patches, [CLIENTS] = send_requests, [SLOW_CLIENTS] = send_slowly};
    struct hand *h = calloc(1, sizeof *h);

    if (h == NULL)
        stage_fail(s, "out of memory");
    h->lane = l;
    h->tally = &l->tally[which];
    h->random = (unsigned)((l->mix - mixes) * THREADS + which) + 1;
    if (pthread_create(&l->thread[which], NULL, runs[which], h) != 0)
        stage_fail(s, "cannot start a thread");
}

static unsigned reload_until(struct stage_nginx *lb, uint64_t until_ms)
{
    unsigned reloads = 0;

    while (stage_now_ms() + RELOAD_MS <= until_ms) {
        (void)usleep(RELOAD_MS * 1000);
        reloads += kill(lb->proc->pid, SIGHUP) == 0;
    }
    return reloads;
}

static struct tally sum_of(const struct lane *l)
{
    struct tally sum = {0};

    for (const struct tally *t = l->tally; t < l->tally + THREADS; t++) {
        sum.patches += t->patches;
        sum.reads += t->reads;
        sum.requests += t->requests;
        sum.stale += t->stale;
        sum.misrouted += t->misrouted;
        sum.errors += t->errors;
        for (int i = 0; i < NODES; i++)
            sum.from[i] += t->from[i];
    }
    return sum;
}

/* True: nothing was found, and every node has had its share of PATCHes and requests. */
static bool tell(const struct lane *l)
{
    struct tally sum = sum_of(l);
    bool all_asked = true;

    for (int i = 0; i < NODES; i++)
        all_asked = all_asked && sum.from[i] > 0;
    print_message("count: %-18s %lu PATCHes, %lu reads, %lu requests (%lu %lu %lu): %lu stale, %lu misrouted, "
                  "%lu errors\n",
                  l->mix->name, sum.patches, sum.reads, sum.requests, sum.from[0], sum.from[1], sum.from[2], sum.stale,
                  sum.misrouted, sum.errors);
    for (const struct tally *t = l->tally; t < l->tally + THREADS; t++)
        if (t->first[0] != '\0')
            print_error("%s: %s\n", l->mix->name, t->first);
    return sum.stale + sum.misrouted + sum.errors == 0 && sum.patches >= 10 && all_asked;
}

static json_int_t generation(struct stage_nginx *lb)
{
    struct stage_answer *a = stage_http(lb->stage, "GET", stage_text(lb->stage, "%s/9/nginx", lb->api), NULL, NULL);

    return stage_json_int(lb->stage, a->json, "generation");
}

static void nobody_is_behind_or_misrouted_with_any_balancer_while_nginx_reloads(struct stage *s)
{
    unsigned seconds = stage_setting("RACE_SECONDS", 10), reloads, bad = 0;
    struct race *race = stage_alloc(s, sizeof *race);
    struct lane *lanes = stage_alloc(s, MIXES * sizeof *lanes);
    struct stage_nginx *lb = start(s, race);
    json_int_t loaded;

    for (size_t i = 0; i < MIXES; i++) {
        lanes[i].mix = &mixes[i];
        lanes[i].race = race;
        for (int k = 0; k < THREADS; k++)
            begin(s, &lanes[i], k);
    }
    reloads = reload_until(lb, stage_now_ms() + (uint64_t)seconds * 1000);
    atomic_store(&race->over, true);
    for (size_t i = 0; i < MIXES; i++)
        for (int k = 0; k < THREADS; k++)
            (void)pthread_join(lanes[i].thread[k], NULL);
    loaded = generation(lb) - 1;
    print_message("count: %u reloads asked for, %d done, in %u s\n", reloads, (int)loaded, seconds);
    for (size_t i = 0; i < MIXES; i++)
        bad += !tell(&lanes[i]);
    assert_int_equal(bad, 0);
    assert_true(loaded * 2 >= reloads); /* two signals may become one */
}

int main(void)
{
    const struct CMUnitTest tests[] = {stage_test(nobody_is_behind_or_misrouted_with_any_balancer_while_nginx_reloads)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
