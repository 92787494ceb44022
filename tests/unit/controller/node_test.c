/* Stories of one node, fed as events: a line is `what comes -> step it is in then, what it asks`. No clock, no I/O.
 *
 *   begin | time MS | stop | ok | refused | fenced | lost | silence (nobody there)
 *   status PROC [job] [conn N] [theirs | ours | dead] [higher]   the agent: what runs, a job is running, connections,
 *       whose claim, it has seen a higher fence than ours;
 *       [did job|undo running|done|failed PROC PROC]   the latest job is this rollout's: what ran before and after it
 *   peers STATE [active N] [gen N]               the load balancers: both peers; up, drain, down, or one each: up/down
 *   end done|failed|running PROC                 the job
 *   health good|ill PROC
 *   cut                                          the hook, by a stop that has waited long enough; "grace" is that stop
 *   partly N                                     BACK: it is certain for the peers of mask N alone, no answer else
 *
 * PROC: A1 the process before, A2 another of the same executable, B1 and B2 of the release, X1 of neither, - none. The
 * answer's step and ask are "-" where nothing is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/judge.h"
#include "controller/node.h"
#include "tests/sim/fake_plan.h"

static struct ident proc(const char *name)
{
    struct ident i = fake_plan_ident(0);

    if (strcmp(name, "-") == 0)
        return (struct ident){0};
    i.sha256[0] = (uint8_t)name[0];
    i.pid += strcmp(name, "A1") == 0 ? 0 : (uint32_t)name[0] * 10 + (uint32_t)(name[1] - '0');
    return i;
}

static const char *const asks[] = {
#define X(name, text) #name,
    ASKS(X)
#undef X
};

struct teller { /* of one story */
    const struct plan *p;
    struct node n;
    struct move m;
    const char *name;
    char *word[16];
    int n_words;
};

static const char *word(const struct teller *t, int i)
{
    return i < t->n_words ? t->word[i] : "";
}

static bool has(const struct teller *t, const char *what)
{
    for (int i = 1; i < t->n_words; i++)
        if (strcmp(t->word[i], what) == 0)
            return true;
    return false;
}

static uint32_t number(const struct teller *t, const char *key)
{
    for (int i = 1; i + 1 < t->n_words; i++)
        if (strcmp(t->word[i], key) == 0)
            return (uint32_t)strtoul(t->word[i + 1], NULL, 10);
    return 0;
}

static struct answer peers_of(const struct teller *t)
{
    struct answer a = {.kind = ANS_OK, .seen = 3, .active = number(t, "active"), .generation = number(t, "gen")};
    const char *state = word(t, 1), *second = strchr(state, '/');

    for (uint64_t bit = 1; bit <= 2; bit <<= 1) {
        const char *at = bit == 2 && second != NULL ? second + 1 : state;

        a.up |= strncmp(at, "up", 2) == 0 ? bit : 0;
        a.drain |= strncmp(at, "drain", 5) == 0 ? bit : 0;
        a.down |= strncmp(at, "down", 4) == 0 ? bit : 0;
        a.seen &= strncmp(at, "gone", 4) == 0 ? ~bit : ~UINT64_C(0);
    }
    return a;
}

/* "did undo done A1 A2": the latest job is of this very rollout. */
static void add_job(const struct teller *t, struct answer *a)
{
    for (int i = 1; i + 4 < t->n_words; i++) {
        if (strcmp(t->word[i], "did") != 0)
            continue;
        a->job_of = strcmp(t->word[i + 1], "undo") == 0 ? ASK_UNDO : ASK_JOB;
        a->job = strcmp(t->word[i + 2], "done") == 0     ? JOB_DONE
                 : strcmp(t->word[i + 2], "failed") == 0 ? JOB_FAILED
                                                         : JOB_RUNNING;
        a->job_before = proc(t->word[i + 3]);
        a->job_after = proc(t->word[i + 4]);
        a->attempt = 4;
    }
}

static struct answer answer_of(const struct teller *t)
{
    const char *w = t->word[0];
    struct answer a = {.kind = ANS_OK};

    if (strcmp(w, "peers") == 0)
        return peers_of(t);
    if (strcmp(w, "refused") == 0)
        a.kind = ANS_REFUSED;
    else if (strcmp(w, "fenced") == 0)
        a.kind = ANS_FENCED;
    else if (strcmp(w, "lost") == 0)
        a.kind = ANS_LOST;
    else if (strcmp(w, "silence") == 0)
        a.kind = ANS_TIMEOUT;
    else if (strcmp(w, "cut") == 0)
        a.kind = ANS_BAD;
    else if (strcmp(w, "ok") == 0)
        a.ok_mask = 3;
    else if (strcmp(w, "partly") == 0)
        a = (struct answer){.kind = ANS_TIMEOUT, .ok_mask = (uint64_t)strtoul(word(t, 1), NULL, 10)};
    else if (strcmp(w, "status") == 0)
        a = (struct answer){.ident = proc(word(t, 1)),
                            .job = has(t, "job") ? JOB_RUNNING : JOB_NONE,
                            .connections = number(t, "conn"),
                            .fence = has(t, "higher") ? 99 : 0,
                            .claim_fence = has(t, "theirs")                   ? 6
                                           : has(t, "ours") || has(t, "dead") ? 7
                                                                              : 0,
                            .claim_ours = has(t, "ours"),
                            .claim_live = has(t, "theirs") || has(t, "ours")};
    else if (strcmp(w, "end") == 0)
        a = (struct answer){.job = has(t, "done")     ? JOB_DONE
                                   : has(t, "failed") ? JOB_FAILED
                                                      : JOB_RUNNING,
                            .ident = proc(word(t, 2))};
    else if (strcmp(w, "health") == 0)
        a = (struct answer){.healthy = has(t, "good"), .ident = proc(word(t, 2))};
    else
        fail_msg("%s: what is '%s'?", t->name, w);
    if (strcmp(w, "status") == 0)
        add_job(t, &a);
    return a;
}

static void feed(struct teller *t)
{
    const char *w = t->word[0];
    struct answer a;

    if (strcmp(w, "begin") == 0) {
        t->m = node_begin(&t->n, t->p);
    } else if (strcmp(w, "time") == 0) {
        node_elapse(&t->n, (uint32_t)strtoul(word(t, 1), NULL, 10));
        t->m = node_due(&t->n, t->p);
    } else if (strcmp(w, "stop") == 0) {
        t->m = node_stop(&t->n, t->p);
    } else if (strcmp(w, "grace") == 0) {
        t->m = node_grace_over(&t->n, t->p);
    } else {
        a = answer_of(t);
        if (!t->n.asked)
            fail_msg("%s: '%s' comes and nothing was asked", t->name, w);
        t->m = node_answer(&t->n, t->p, &a);
    }
}

/* One line: feed the left side, compare with the right one. */
static void tell_line(struct teller *t, char *line)
{
    char whole[160], got[64], *arrow = strstr(line, "->"), *save = NULL;

    (void)snprintf(whole, sizeof whole, "%s", line);
    assert_non_null(arrow);
    *arrow = '\0';
    t->n_words = 0;
    for (char *w = strtok_r(line, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
        t->word[t->n_words++] = w;
    feed(t);
    (void)snprintf(got, sizeof got, "%s %s", step_row((enum step)t->n.step)->name,
                   t->m.asks ? asks[t->m.action.ask] : "-");
    arrow += 2 + strspn(arrow + 2, " ");
    if (strcmp(got, arrow) != 0)
        fail_msg("%s:\n  %s\nbut it was: %s", t->name, whole, got);
}

static void tell(struct teller *t, const char *story)
{
    char *copy = strdup(story), *save = NULL;

    assert_non_null(copy);
    for (char *line = strtok_r(copy, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
        tell_line(t, line);
    free(copy);
}

/* ---- the good path, in pieces that the other stories begin with */

#define TO_CLAIM                                                                                                       \
    "begin            -> check STATUS\n"                                                                               \
    "status A1        -> look PEERS\n"                                                                                 \
    "peers up         -> claim CLAIM\n"
#define TO_DRAIN                                                                                                       \
    TO_CLAIM "ok               -> stage STAGE\n"                                                                       \
             "ok               -> floor FLOOR\n"                                                                       \
             "peers up         -> drain DRAIN\n"
#define DRAIN_TO_DOWN                                                                                                  \
    "ok                   -> quiet PEERS\n"                                                                            \
    "peers drain active 2 -> quiet -\n"                                                                                \
    "time 249             -> quiet -\n"                                                                                \
    "time 1               -> quiet PEERS\n"                                                                            \
    "peers drain          -> quiet -\n"                                                                                \
    "time 250             -> quiet PEERS\n"                                                                            \
    "peers drain          -> down DOWN\n"
#define TO_DOWN TO_DRAIN DRAIN_TO_DOWN
#define DOWN_TO_JOB                                                                                                    \
    "ok               -> empty STATUS\n"                                                                               \
    "status A1 conn 9 -> silent PEERS\n"                                                                               \
    "peers down       -> silent -\n"                                                                                   \
    "time 250         -> silent PEERS\n"                                                                               \
    "peers down       -> job JOB\n"
#define TO_JOB TO_DOWN DOWN_TO_JOB
#define JOB_TO_HEALTH                                                                                                  \
    "ok             -> handover JOB_END\n"                                                                             \
    "end running -  -> handover -\n"                                                                                   \
    "time 0         -> handover JOB_END\n"                                                                             \
    "end done B1    -> verify STATUS\n"                                                                                \
    "status B1     -> health HEALTH\n"
#define TO_VERIFY                                                                                                      \
    TO_JOB "ok             -> handover JOB_END\n"                                                                      \
           "end running -  -> handover -\n"                                                                            \
           "time 0         -> handover JOB_END\n"                                                                      \
           "end done B1    -> verify STATUS\n"
#define TO_HEALTH TO_VERIFY "status B1     -> health HEALTH\n"
#define TO_BACK                                                                                                        \
    TO_HEALTH "health good B1 -> health -\n"                                                                           \
              "time 500       -> health HEALTH\n"                                                                      \
              "health good B1 -> health -\n"                                                                           \
              "time 500       -> health HEALTH\n"                                                                      \
              "health good B1 -> back BACK\n"
#define OUT_AND_HOME                                                                                                   \
    "ok               -> seen PEERS\n"                                                                                 \
    "peers up         -> unclaim UNCLAIM\n"                                                                            \
    "ok               -> done -\n"
#define REHEALTH(who)                                                                                                  \
    "health good " who " -> rehealth -\n"                                                                              \
    "time 500       -> rehealth HEALTH\n"                                                                              \
    "health good " who " -> rehealth -\n"                                                                              \
    "time 500       -> rehealth HEALTH\n"                                                                              \
    "health good " who " -> back BACK\n"

/* The same with hooks: two before-drain, one after-handover, one after-readd. */
#define HOOKED_TO_BEFORE TO_CLAIM "ok               -> stage STAGE\nok -> before-drain HOOK\n"
#define HOOKED_TO_FLOOR                                                                                                \
    HOOKED_TO_BEFORE "ok        -> before-drain HOOK\n"                                                                \
                     "ok        -> floor FLOOR\n"
#define HOOKED_TO_AFTER                                                                                                \
    HOOKED_TO_FLOOR "peers up         -> drain DRAIN\n" DRAIN_TO_DOWN DOWN_TO_JOB JOB_TO_HEALTH                        \
                    "health good B1   -> health -\n"                                                                   \
                    "time 500         -> health HEALTH\n"                                                              \
                    "health good B1   -> health -\n"                                                                   \
                    "time 100         -> health -\n"                                                                   \
                    "time 400         -> health HEALTH\n"                                                              \
                    "health good B1   -> after-handover HOOK\n"
#define CONFIRMED                                                                                                      \
    "health good B1   -> confirm -\n"                                                                                  \
    "time 500         -> confirm HEALTH\n"                                                                             \
    "health good B1   -> confirm -\n"                                                                                  \
    "time 500         -> confirm HEALTH\n"                                                                             \
    "health good B1   -> back BACK\n"
#define READDED_AND_HOME                                                                                               \
    "ok               -> seen PEERS\n"                                                                                 \
    "peers up         -> after-readd HOOK\n"                                                                           \
    "ok               -> unclaim UNCLAIM\n"                                                                            \
    "ok               -> done -\n"

/* What a dead rollout left, up to the question what runs: all of it down. */
#define TO_RESUME                                                                                                      \
    "begin            -> mend STATUS\n"                                                                                \
    "status A1 dead   -> reclaim CLAIM\n"                                                                              \
    "ok               -> review PEERS\n"                                                                               \
    "peers down       -> resume STATUS\n"
#define HOME_AND_ANEW                                                                                                  \
    "ok               -> seen PEERS\n"                                                                                 \
    "peers up         -> unclaim UNCLAIM\n"                                                                            \
    "ok               -> check STATUS\n"

enum flag {
    RESTART = 1,
    PROCEED = 2,
    REPAIR = 4,
    BAKE = 8,
    LONG = 16 /* healthy for 1500 ms */,
    RESUMED = 32,
    HOOKS = 64
};

static const struct {
    const char *name, *story;
    unsigned flags;
    enum outcome outcome;
    enum why why;
    uint64_t out; /* out_mask in the end */
} stories[] = {
#include "node_stories.def"
};

static struct plan *plan_for(unsigned flags)
{
    static const struct hook hooks[] = {
        {"c", HOOK_AFTER_READD}, {"a1", HOOK_BEFORE_DRAIN}, {"b", HOOK_AFTER_HANDOVER}, {"a2", HOOK_BEFORE_DRAIN}};
    struct plan *p = fake_plan((struct fake_shape){.lbs = 2, .restart = (flags & RESTART) != 0});

    p->drain_proceed = (flags & PROCEED) != 0;
    p->min_healthy_ms = (flags & LONG) != 0 ? 1500 : 1000;
    p->wait_ms[WAIT_BAKE] = (flags & BAKE) != 0 ? 3000 : 0;
    if ((flags & HOOKS) != 0)
        plan_set_hooks(p, hooks, 4);
    if ((flags & REPAIR) != 0)
        fake_plan_repair(p);
    if ((flags & RESUMED) != 0)
        fake_plan_resume(p);
    return p;
}

static void every_story(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof stories / sizeof *stories; i++) {
        struct plan *p = plan_for(stories[i].flags);
        struct teller t = {.p = p, .name = stories[i].name};

        node_init(&t.n, 0, p);
        tell(&t, stories[i].story);
        if (t.n.outcome != stories[i].outcome || t.n.why != stories[i].why || t.n.out_mask != stories[i].out)
            fail_msg("%s: ends with outcome %d, why %d (%s), out %llu", t.name, t.n.outcome, t.n.why,
                     why_phrase((enum why)t.n.why), (unsigned long long)t.n.out_mask);
        plan_free(&p);
    }
}

/* ---- what is asked carries what the world needs */

static void actions_carry_masks_priors_and_attempts(void **state)
{
    struct plan *p = plan_for(0);
    struct teller t = {.p = p, .name = "actions"};

    (void)state;
    node_init(&t.n, 0, p);
    tell(&t, "begin          -> check STATUS\n"
             "status A1 dead -> look PEERS\n"
             "peers drain/up -> claim CLAIM\n");
    assert_int_equal(t.m.action.mask, 3);
    assert_int_equal(t.m.action.prior_mask, 1);
    assert_int_equal(t.m.action.expect, 7); /* the dead claim that is there */
    assert_int_equal(t.m.action.before.pid, proc("A1").pid);
    tell(&t, "ok             -> stage STAGE\n"
             "ok             -> floor FLOOR\n"
             "peers drain/up -> drain DRAIN\n");
    assert_int_equal(t.m.action.mask, 3);
    assert_int_equal(node_action(&t.n, p).expect, p->fence); /* ours, from now on */
    tell(&t, "ok             -> quiet PEERS\n"
             "peers drain    -> quiet -\n"
             "time 250       -> quiet PEERS\n"
             "peers drain    -> down DOWN\n"
             "ok             -> empty STATUS\n"
             "status A1      -> silent PEERS\n"
             "peers down     -> silent -\n"
             "time 250       -> silent PEERS\n"
             "peers down     -> job JOB\n");
    assert_int_equal(t.m.action.attempt, 1);
    tell(&t, "lost      -> job -\n"
             "time 1000 -> job JOB\n");
    assert_int_equal(t.m.action.attempt, 1); /* its end is not known: the same id again */
    tell(&t, "ok             -> handover JOB_END\n");
    assert_int_equal(t.m.action.job, ASK_JOB);
    assert_int_equal(t.m.action.attempt, 1);
    tell(&t, "end failed -   -> settle STATUS\n"
             "status B1      -> undo UNDO\n");
    assert_int_equal(t.m.action.attempt, 2);
    assert_int_equal(t.m.action.before.sha256[0], FAKE_OLD);
    tell(&t, "ok             -> undoing JOB_END\n");
    assert_int_equal(t.m.action.job, ASK_UNDO);
    tell(&t, "end done A2    -> reverify STATUS\n"
             "status A2      -> rehealth HEALTH\n" REHEALTH("A2"));
    assert_int_equal(t.m.action.mask, 3);
    assert_int_equal(t.m.action.prior_mask, 1);
    tell(&t, "partly 1  -> back -\n"
             "time 1000 -> back BACK\n");
    assert_int_equal(t.m.action.mask, 2); /* what is back already is not asked for again */
    plan_free(&p);
}

/* ---- the table as a whole */

static bool terminal(enum step s)
{
    return s == STEP_DONE || s == STEP_OUT;
}

static void every_step_is_reachable(void **state)
{
    bool reached[STEP_COUNT] = {
        [STEP_WAIT] = true, [STEP_MEND] = true /* a repair begins there */, [STEP_YIELD] = true /* GOTO */};
    bool more = true;

    (void)state;
    while (more) {
        more = false;
        for (int s = 0; s < STEP_COUNT; s++) {
            const struct step_row *row = step_row((enum step)s);
            const enum step next[] = {row->on_good, row->on_bad, row->on_limit};

            for (int k = 0; k < 3 && reached[s]; k++) {
                more = more || !reached[next[k]];
                reached[next[k]] = true;
            }
        }
    }
    for (int s = 0; s < STEP_COUNT; s++)
        if (!reached[s])
            fail_msg("%s is never reached", step_row((enum step)s)->name);
}

/* From any step, when nothing works any more, the limits alone lead to an end. */
static void every_step_is_bounded_and_its_limits_lead_to_an_end(void **state)
{
    (void)state;
    for (int s = 0; s < STEP_COUNT; s++) {
        const struct step_row *row = step_row((enum step)s);
        enum step at = (enum step)s;
        int n = 0;

        if (s == STEP_WAIT || terminal(at))
            continue;
        if (row->limit == WAIT_NONE || row->ask == ASK_NONE)
            fail_msg("%s is not bounded", row->name);
        while (!terminal(at) && n++ < STEP_COUNT)
            at = step_row(at)->on_limit;
        if (!terminal(at))
            fail_msg("%s: its limits lead round in a circle", row->name);
        assert_true(row->on_resume < STEP_COUNT && !terminal(row->on_resume));
        if (row->limit != WAIT_BAKE && !terminal(row->on_limit) && judge_limit_why((enum step)s) == WHY_NONE &&
            s != STEP_UNCLAIM)
            fail_msg("%s: its limit has no reason", row->name);
    }
}

/* What was out never ends as DONE without passing BACK: the limits and failures of the steps in between lead to OUT or
 * on. */
static void nothing_out_ends_as_done(void **state)
{
    static const enum step out[] = {STEP_DRAIN,    STEP_QUIET,    STEP_DOWN,   STEP_EMPTY,   STEP_SILENT,
                                    STEP_JOB,      STEP_AWAIT,    STEP_VERIFY, STEP_HEALTH,  STEP_BACK,
                                    STEP_SEEN,     STEP_RETURN,   STEP_UNDO,   STEP_UNDOING, STEP_SETTLE,
                                    STEP_REVERIFY, STEP_REHEALTH, STEP_AFTER,  STEP_CONFIRM};

    (void)state;
    for (size_t i = 0; i < sizeof out / sizeof *out; i++) {
        const struct step_row *row = step_row(out[i]);

        assert_int_not_equal(row->on_bad, STEP_DONE);
        assert_int_not_equal(row->on_limit, STEP_DONE);
        assert_int_not_equal(row->on_stop, STEP_DONE);
        assert_int_not_equal(row->on_bad, STEP_UNCLAIM);
        assert_int_not_equal(row->on_limit, STEP_UNCLAIM);
        assert_int_not_equal(row->on_stop, STEP_UNCLAIM);
        if (row->on_good == STEP_BACK) /* I3 */
            assert_true(out[i] == STEP_CONFIRM || out[i] == STEP_REHEALTH || out[i] == STEP_RETURN);
    }
}

/* A node that has just been asked in that step, its peers out where the step is behind DRAIN. */
static struct node standing(const struct plan *p, enum step step)
{
    struct node n;

    node_init(&n, 0, p);
    n.step = (uint8_t)step;
    n.asked = true;
    n.left_ms = p->wait_ms[step_row(step)->limit];
    n.peers_mask = 3;
    n.now = proc("B1");
    n.job = ASK_JOB;
    if (step_row(step)->ask == ASK_HOOK && p->n_hooks > 0) /* the last of them */
        n.hook = (uint8_t)(plan_hooks(p, node_hook_point(step)) - 1);
    return n;
}

/* Each row in turn: no whole answer is asked again, then the limit, then a stop in the middle of it. */
static void every_row_does_what_the_table_says(void **state)
{
    struct plan *p = plan_for(BAKE);
    const struct answer none = {.kind = ANS_TIMEOUT, .text = "no answer"};

    (void)state;
    for (int s = 0; s < STEP_COUNT; s++) {
        const struct step_row *row = step_row((enum step)s);
        struct node n;
        struct move m;

        if (row->ask == ASK_NONE)
            continue;
        n = standing(p, (enum step)s);
        m = node_answer(&n, p, &none);
        assert_false(m.moved);
        assert_true(m.note);
        assert_string_equal(m.text, "no answer");
        assert_int_equal(node_wait_ms(&n), p->wait_ms[row->every] < n.left_ms ? p->wait_ms[row->every] : n.left_ms);
        node_elapse(&n, p->wait_ms[row->every]);
        m = node_due(&n, p);
        assert_true(m.asks && m.action.ask == row->ask && !m.moved);
        m = node_answer(&n, p, &none);
        assert_false(m.note); /* said once a step */
        node_elapse(&n, p->wait_ms[row->limit]);
        m = node_due(&n, p);
        assert_true(m.moved);
        assert_int_equal(n.step, row->on_limit);

        n = standing(p, (enum step)s);
        if (!node_stop(&n, p).moved)
            (void)node_answer(&n, p, &none);
        assert_int_equal(n.step, row->on_stop);
    }
    plan_free(&p);
}

/* An effect on its way is not left behind when the limit is over: its answer comes first. */
static void a_limit_waits_for_the_answer_under_way(void **state)
{
    struct plan *p = plan_for(BAKE | HOOKS);
    const struct answer ok = {.kind = ANS_OK, .ok_mask = 3}, lost = {.kind = ANS_LOST};

    (void)state;
    for (int s = 0; s < STEP_COUNT; s++) {
        const struct step_row *row = step_row((enum step)s);
        struct node n;

        if (!row->effect)
            continue;
        n = standing(p, (enum step)s);
        node_elapse(&n, 1000000);
        assert_false(node_due(&n, p).moved);
        assert_int_equal(node_wait_ms(&n), UINT32_MAX);
        struct node other = n;
        assert_true(node_answer(&n, p, &ok).moved);
        assert_int_equal(n.step, row->on_good);
        assert_true(node_answer(&other, p, &lost).moved);
        assert_int_equal(other.step, row->on_limit);
    }
    plan_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_story),
        cmocka_unit_test(actions_carry_masks_priors_and_attempts),
        cmocka_unit_test(every_step_is_reachable),
        cmocka_unit_test(every_step_is_bounded_and_its_limits_lead_to_an_end),
        cmocka_unit_test(nothing_out_ends_as_done),
        cmocka_unit_test(every_row_does_what_the_table_says),
        cmocka_unit_test(a_limit_waits_for_the_answer_under_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
