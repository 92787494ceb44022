/* story.h - a whole rollout against the fake fleet, and what a test asks about it. The judge of tests/sim watches every
 * effect. */
#ifndef UNIT_CONTROLLER_STORY_H
#define UNIT_CONTROLLER_STORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/fake_plan.h"
#include "tests/sim/fake_world.h"

struct story {
    struct plan *plan;
    struct fake_fleet *fleet;
    struct fake_world *world;
    char *lines; /* what a person saw */
    size_t n_lines;
    int code;
};

/* Behind the plan's own changes: the fleet and its judge begin with what the plan says. */
static inline struct story story_of(struct plan *plan)
{
    struct story s = {.plan = plan};

    s.fleet = fake_fleet_new(s.plan);
    s.world = fake_world_new(s.fleet, s.plan);
    return s;
}

static inline struct story story_begin(struct fake_shape shape)
{
    return story_of(fake_plan(shape));
}

static inline void story_roll(struct story *s)
{
    FILE *f = open_memstream(&s->lines, &s->n_lines);

    s->code = fake_rollout(s->world, f);
    (void)fclose(f);
}

static inline void story_end(struct story *s)
{
    assert_string_equal(s->fleet->judge.breach, "");
    free(s->lines);
    fake_world_free(&s->world);
    fake_fleet_free(&s->fleet);
    plan_free(&s->plan);
}

/* How often a line of the effect log has this text. */
static inline unsigned story_logged(const struct story *s, const char *text)
{
    unsigned n = 0;

    for (const char *at = s->fleet->log; (at = strstr(at, text)) != NULL; at += strlen(text))
        n++;
    return n;
}

/* fail_msg cuts long texts, so all that is known goes in front. */
static inline void story_tell(const struct story *s)
{
    (void)fprintf(stderr, "%s%s", s->fleet->log, s->lines);
}

/* The first `first` before the last `then`. */
static inline void story_before(const struct story *s, const char *first, const char *then)
{
    const char *a = strstr(s->fleet->log, first), *b = NULL;

    for (const char *at = s->fleet->log; (at = strstr(at, then)) != NULL; at++)
        b = at;
    if (a != NULL && b != NULL && a < b)
        return;
    story_tell(s);
    fail_msg("'%s' is not before '%s'", first, then);
}

static inline void story_says(const struct story *s, const char *text)
{
    if (strstr(s->lines, text) != NULL)
        return;
    story_tell(s);
    fail_msg("nobody says '%s'", text);
}

/* All peers are open and all nodes unclaimed, but those of `out` (-1: of nobody). */
static inline bool story_is_back(const struct story *s, int32_t out)
{
    bool good = true;

    for (uint32_t i = 0; i < s->plan->n_nodes; i++)
        good = good && ((int32_t)i == out || !s->fleet->agents[i].claim.there);
    for (uint32_t i = 0; i < s->plan->n_peers; i++)
        good = good && (s->plan->peers[i].node == out || s->fleet->peers[i].gate == GATE_OPEN);
    return good;
}

static inline void story_all_back_but(const struct story *s, int32_t out)
{
    if (story_is_back(s, out))
        return;
    story_tell(s);
    fail_msg("not all are back and unclaimed but node %d", out);
}

/* The exit code; what each node runs, by the first letter of its executable; and that all are back but `out`. */
static inline void story_ends(const struct story *s, int code, const char *runs, int32_t out)
{
    bool good = s->code == code && story_is_back(s, out);

    for (uint32_t i = 0; i < s->plan->n_nodes; i++)
        good = good && s->fleet->agents[i].now.sha256[0] == (uint8_t)runs[i];
    if (good)
        return;
    story_tell(s);
    fail_msg("exit code %d; %d, all at %s and back but node %d expected", s->code, code, runs, out);
}

/* Milliseconds of the fleet's time when a line of the effect log has this text; the last such line. */
static inline int64_t story_when(const struct story *s, const char *text)
{
    const char *at = NULL, *next = s->fleet->log;

    while ((next = strstr(next, text)) != NULL)
        at = next++;
    if (at == NULL) {
        story_tell(s);
        fail_msg("'%s' never came", text);
    }
    while (at > s->fleet->log && at[-1] != '\n')
        at--;
    return (int64_t)(strtod(at, NULL) * 1000 + 0.5);
}

#endif
