/* story.h - a whole rollout against the fake fleet as a test tells it: what goes wrong, and what the fleet looks like
 * in the end. The judge of tests/sim watches every effect. */
#ifndef UNIT_CONTROLLER_STORY_H
#define UNIT_CONTROLLER_STORY_H

#include <setjmp.h>
#include <stdarg.h>
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

/* Of a plan that is no longer what fake_plan made: fleet and judge begin with what it says. */
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

static inline void story_before(const struct story *s, const char *first, const char *then)
{
    const char *a = strstr(s->fleet->log, first), *b = strstr(s->fleet->log, then);

    if (a == NULL || b == NULL || a > b)
        fail_msg("'%s' is not before '%s' in\n%s%s", first, then, s->fleet->log, s->lines);
}

/* The exit code, and what each node runs, by the first byte of its executable. */
static inline void story_ends(const struct story *s, int code, const char *runs)
{
    for (uint32_t i = 0; i < s->plan->n_nodes; i++)
        if (s->fleet->agents[i].now.sha256[0] != (uint8_t)runs[i])
            fail_msg("%s runs %c, not %c\n%s%s", s->plan->nodes[i].name, s->fleet->agents[i].now.sha256[0], runs[i],
                     s->fleet->log, s->lines);
    if (s->code != code)
        fail_msg("exit code %d, not %d\n%s%s", s->code, code, s->fleet->log, s->lines);
}

/* Every peer of the plan's nodes is open, but those of `out`; no claim is left but its own. -1: of nobody. */
static inline void story_all_back_but(const struct story *s, int32_t out)
{
    for (uint32_t i = 0; i < s->plan->n_peers; i++)
        if (s->plan->peers[i].node != out && s->fleet->peers[i].gate != GATE_OPEN)
            fail_msg("%s is not back\n%s%s", s->plan->nodes[s->plan->peers[i].node].name, s->fleet->log, s->lines);
    for (uint32_t i = 0; i < s->plan->n_nodes; i++)
        if ((int32_t)i != out && s->fleet->agents[i].claim.there)
            fail_msg("%s is still claimed\n%s%s", s->plan->nodes[i].name, s->fleet->log, s->lines);
}

static inline void story_says(const struct story *s, const char *text)
{
    if (strstr(s->lines, text) == NULL)
        fail_msg("nobody says '%s' in\n%s", text, s->lines);
}

/* Milliseconds of the fleet's time when a line of the effect log has this text; the last such line. */
static inline int64_t story_when(const struct story *s, const char *text)
{
    const char *at = NULL, *next = s->fleet->log;

    while ((next = strstr(next, text)) != NULL)
        at = next++;
    if (at == NULL)
        fail_msg("'%s' never came in\n%s%s", text, s->fleet->log, s->lines);
    while (at > s->fleet->log && at[-1] != '\n')
        at--;
    return (int64_t)(strtod(at, NULL) * 1000 + 0.5);
}

#endif
