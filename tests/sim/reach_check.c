#include "reach_check.h"

#include <string.h>

static char as_it_was[SCENE_KEPT_MAX], settled[SCENE_KEPT_MAX];

struct came {
    uint64_t hash;
    char breach[sizeof(((struct judge *)NULL)->breach)];
};

static struct came what_came(struct scene *c)
{
    struct came o = {.hash = 0};

    memcpy(o.breach, c->sim->judge.breach, sizeof o.breach);
    if (o.breach[0] == '\0') {
        scene_settle(c);
        c->book.stepped = false; /* where a death is tried is no part of what came of it */
        o.hash = scene_hash(c);
    }
    return o;
}

static bool same(const struct came *a, const struct came *b)
{
    return a->hash == b->hash && strcmp(a->breach, b->breach) == 0;
}

void reach_check_keep(const struct scene *c)
{
    (void)scene_keep(c, as_it_was);
}

/* What is of no other way to here is not to be seen from here either. */
static void take_up(struct scene *c, const char *kept)
{
    memset(c->sim->judge.seats, 0x5a, sizeof c->sim->judge.seats);
    memset(c->sim->calls, 0x5a, sizeof c->sim->calls);
    for (uint32_t i = 0; i < SIM_CALLS; i++)
        c->sim->calls[i].used = c->sim->calls[i].ready = true; /* a bool is one or the other */
    scene_take_up(c, kept);
}

static struct came after(struct scene *c, const char *kept, const struct scene_move *m)
{
    take_up(c, kept);
    scene_move(c, m);
    return what_came(c);
}

static bool settling_changes_nothing(struct scene *c, const struct scene_move *m)
{
    struct came a = after(c, settled, m), b = after(c, as_it_was, m);

    return same(&a, &b);
}

static bool is_there(const struct scene *c, uint8_t list)
{
    return scene_is_list(c, list) && c->book.phase == SCENE_RUNS;
}

static bool commutes(struct scene *c, uint8_t list, const struct scene_move *m)
{
    struct scene_move answer = scene_answer(list);
    struct came first, last;

    take_up(c, settled);
    scene_move(c, &answer);
    scene_move(c, m);
    first = what_came(c);
    take_up(c, settled);
    scene_move(c, m);
    if (c->sim->judge.breach[0] == '\0' && is_there(c, list))
        scene_move(c, &answer);
    last = what_came(c);
    return same(&first, &last);
}

/* Handed over, it says nothing: nobody sends anything for it. */
static bool says_nothing(struct scene *c, uint8_t list)
{
    struct scene_move answer = scene_answer(list);
    uint32_t n = 0, then = 0;

    take_up(c, settled);
    for (uint32_t i = 0; i < SCENE_CALLS; i++)
        n += c->sim->calls[i].used ? 1 : 0;
    scene_move(c, &answer);
    for (uint32_t i = 0; i < SCENE_CALLS; i++)
        then += c->sim->calls[i].used ? 1 : 0;
    return then + 1 == n && c->sim->judge.breach[0] == '\0';
}

static bool tell(struct scene *c, const struct scene_move *m, const char *what, FILE *f)
{
    take_up(c, settled);
    (void)fprintf(f, "%s: ", what);
    scene_tell(c, m, f);
    return false;
}

bool reach_check(struct scene *c, const struct scene_move *moves, uint32_t n, FILE *f)
{
    bool wait = scene_lists_wait(c) && reach_uses(c->reach, REACH_LISTS);

    (void)scene_keep(c, settled);
    for (uint32_t i = 0; i < n; i++)
        if (!settling_changes_nothing(c, &moves[i]))
            return tell(c, &moves[i], "what was forgotten is of interest here", f);
    take_up(c, settled);
    for (uint8_t list = 0; wait && list < SCENE_CALLS; list++) {
        struct scene_move answer = scene_answer(list);

        take_up(c, settled);
        if (!scene_is_list(c, list) ||
            (c->book.where[list][0] == WHERE_SENT && scene_shows_change(c, c->sim->calls[list].parts[0].lb)))
            continue;
        if (!says_nothing(c, list))
            return tell(c, &answer, "a list that is put off says something", f);
        for (uint32_t i = 0; i < n; i++)
            if (!commutes(c, list, &moves[i]))
                return tell(c, &moves[i], "a list that is put off does not commute", f);
    }
    take_up(c, settled);
    return true;
}
