#include "tests/stage/floor.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/stage/quick.h"

#define FLOOR_PAUSE_MS 10
#define FLOOR_LIMIT_MS 5000

struct stage_floor {
    pthread_t thread;
    bool stop;
    unsigned n_lbs, least;
    uint64_t looks;
    uint16_t port[STAGE_LBS_MAX];
    struct stage_quick q;
};

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;

    for (const char *p = text; (p = strstr(p, what)) != NULL; p++)
        n++;
    return n;
}

/* No answer is none: an nginx that the test has stopped breaks nothing. */
static void look(struct stage_floor *floor, unsigned lb)
{
    unsigned up;

    if (!stage_quick(&floor->q, floor->port[lb], NULL, "GET", "/api/9/http/upstreams/app", NULL, FLOOR_LIMIT_MS) ||
        floor->q.status != 200)
        return;
    up = count(floor->q.body, "\"state\":\"up\"");
    if (up < __atomic_load_n(&floor->least, __ATOMIC_RELAXED))
        __atomic_store_n(&floor->least, up, __ATOMIC_RELAXED);
    __atomic_add_fetch(&floor->looks, 1, __ATOMIC_RELAXED);
}

static void *watch(void *ctx)
{
    struct stage_floor *floor = ctx;
    const struct timespec pause = {.tv_nsec = FLOOR_PAUSE_MS * 1000000L};

    while (!__atomic_load_n(&floor->stop, __ATOMIC_RELAXED)) {
        for (unsigned i = 0; i < floor->n_lbs; i++)
            look(floor, i);
        (void)nanosleep(&pause, NULL);
    }
    return NULL;
}

static void end(void *what)
{
    struct stage_floor *floor = what;

    __atomic_store_n(&floor->stop, true, __ATOMIC_RELAXED);
    (void)pthread_join(floor->thread, NULL);
    free(floor);
}

struct stage_floor *stage_floor_start(struct stage_fleet *f)
{
    struct stage_floor *floor = calloc(1, sizeof *floor);

    if (floor == NULL)
        stage_fail(f->stage, "no memory");
    floor->least = f->n_nodes;
    floor->n_lbs = f->n_lbs;
    for (unsigned i = 0; i < f->n_lbs; i++)
        floor->port[i] = f->lb[i]->api_port;
    if (pthread_create(&floor->thread, NULL, watch, floor) != 0)
        stage_fail(f->stage, "cannot start a thread");
    return stage_keep(f->stage, floor, end);
}

unsigned stage_floor_least(const struct stage_floor *floor, uint64_t *looks)
{
    *looks = __atomic_load_n(&floor->looks, __ATOMIC_RELAXED);
    return __atomic_load_n(&floor->least, __ATOMIC_RELAXED);
}
