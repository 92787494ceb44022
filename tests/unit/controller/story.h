/* story.h - a whole rollout against the fake fleet, and what a test asks about it. The judge of tests/sim watches every
 * effect. */
#ifndef TESTS_STORY_H
#define TESTS_STORY_H

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

/* Behind the plan's own changes: the fleet and its judge begin with what the plan says. */
static inline struct story story_of(struct plan *plan)
{
    struct story s = {.plan = plan};

    s.fleet = fake_fleet_new(s.plan);
    s.world = fake_world_new(s.fleet, s.plan);
    return s;
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

static inline void story_says(const struct story *s, const char *text)
{
    if (strstr(s->lines, text) == NULL)
        fail_msg("nobody says '%s' in\n%s", text, s->lines);
}

/* The exit code; what each node runs, a letter a node; and that all peers are open and unclaimed but those of `out`. */
static inline void story_ends(const struct story *s, int code, const char *runs, int32_t out)
{
    for (uint32_t i = 0; i < s->plan->n_nodes; i++) {
        const struct fake_agent *a = &s->fleet->agents[i];

        if (a->now.sha256[0] != (uint8_t)runs[i] || (a->claim.there && (int32_t)i != out))
            fail_msg("%s runs %c, not %c%s\n%s%s", s->plan->nodes[i].name, a->now.sha256[0], runs[i],
                     a->claim.there ? ", and is claimed" : "", s->fleet->log, s->lines);
    }
    for (uint32_t i = 0; i < s->plan->n_peers; i++)
        if (s->plan->peers[i].node != out && s->fleet->peers[i].gate != GATE_OPEN)
            fail_msg("%s is not back\n%s%s", s->plan->nodes[s->plan->peers[i].node].name, s->fleet->log, s->lines);
    if (s->code != code)
        fail_msg("exit code %d, not %d\n%s%s", s->code, code, s->fleet->log, s->lines);
}

#endif
