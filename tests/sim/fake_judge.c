#include "fake_judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fake_fleet.h"

static void breach(struct fake_fleet *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void breach(struct fake_fleet *f, const char *format, ...)
{
    size_t n;
    va_list args;

    if (f->judge.breach[0] != '\0')
        return;
    n = (size_t)snprintf(f->judge.breach, sizeof f->judge.breach, "%lld ms: ", (long long)f->now_ms);
    va_start(args, format);
    (void)vsnprintf(f->judge.breach + n, sizeof f->judge.breach - n, format, args);
    va_end(args);
}

void fake_judge_begin(struct fake_fleet *f)
{
    memset(&f->judge, 0, sizeof f->judge);
    for (uint32_t i = 0; i < FAKE_JUDGE_PEERS; i++)
        f->judge.peers[i].lost_ms = f->judge.peers[i].opened_ms = INT64_MIN;
    for (uint32_t i = 0; i < f->plan->n_nodes; i++) {
        const struct plan_node *n = &f->plan->nodes[i];

        f->judge.nodes[i].claimed = n->before;
        f->judge.nodes[i].wanted = f->plan->kind != PLAN_ROLL ? n->target_sha256[0]
                                   : f->plan->has_release     ? f->plan->release_sha256[0]
                                                              : n->before.sha256[0];
        for (uint32_t k = 0; k < n->n_peers; k++) { /* a repair: what the dead rollout took out is ours to put back */
            f->judge.peers[n->first_peer + k].ours = (n->out_mask >> k & 1) != 0;
            f->judge.peers[n->first_peer + k].was_drained = (n->prior_drain_mask >> k & 1) != 0;
        }
    }
}

static const char *name_of(const struct fake_fleet *f, uint32_t peer)
{
    return f->peers[peer].node < 0 ? "a foreign peer" : f->plan->nodes[f->peers[peer].node].name;
}

/* No effect without lease and claim. The lease was checked by the load balancer; here it is only that it is ours. */
static void has_right(struct fake_fleet *f, const struct plan *p, int32_t node, const char *what)
{
    const struct fake_claim *c = node < 0 ? NULL : &f->agents[node].claim;

    if (c == NULL)
        breach(f, "%s of a peer that is no node of the plan", what);
    else if (!c->there || c->until_ms <= f->now_ms || c->fence != p->fence || strcmp(c->rollout, p->rollout) != 0)
        breach(f, "%s of %s without a living claim of %s", what, f->plan->nodes[node].name, p->rollout);
}

static uint32_t floor_of(const struct plan *p, uint32_t configured)
{
    uint32_t may = p->max_unavailable;

    if (p->max_unavailable_percent)
        may = configured * may / 100 > 0 ? configured * may / 100 : 1;
    return configured > may && configured - may > 1 ? configured - may : 1;
}

/* I1. What others took within the age of a snapshot may not have been seen yet, and counts as up. */
void fake_judge_close(struct fake_fleet *f, const struct plan *p, uint32_t peer)
{
    uint32_t configured = 0, left = 0;
    int64_t unseen_ms = f->now_ms - FAKE_SNAPSHOT_MS - FAKE_PATCH_LATE_MS;

    has_right(f, p, f->peers[peer].node, "drain");
    for (uint32_t i = 0; i < f->n_peers; i++) {
        if (f->peers[i].upstream != f->peers[peer].upstream || f->peers[i].backup)
            continue;
        configured++;
        left += i != peer && (fake_peer_up(f, i) || f->judge.peers[i].lost_ms > unseen_ms) ? 1 : 0;
    }
    if (fake_peer_up(f, peer) && !f->peers[peer].backup && left < floor_of(p, configured))
        breach(f, "I1: %s is taken out and leaves %u of %u", name_of(f, peer), left, configured);
    if (f->judge.peers[peer].ours)
        return;
    f->judge.peers[peer].ours = true;
    f->judge.peers[peer].was_drained = f->peers[peer].gate == GATE_DRAIN;
    if (f->peers[peer].node >= 0)
        f->judge.nodes[f->peers[peer].node].confirmed = false;
}

static bool same(const struct ident *a, const struct ident *b)
{
    return a->pid == b->pid && a->start_ticks == b->start_ticks && memcmp(a->boot, b->boot, sizeof a->boot) == 0;
}

/* The rollout's, what ran when it was claimed, and where nodes are taken back what ran when the rollout began. */
static bool is_wanted(const struct fake_fleet *f, uint16_t node, uint8_t executable)
{
    return executable == f->judge.nodes[node].wanted || executable == f->judge.nodes[node].claimed.sha256[0] ||
           (f->plan->rolls_back && executable == f->plan->nodes[node].before.sha256[0]);
}

/* I3, and "we put back only what we took out", as it was. */
void fake_judge_open(struct fake_fleet *f, const struct plan *p, uint32_t peer, bool drained)
{
    int32_t node = f->peers[peer].node;

    has_right(f, p, node, "put-back");
    if (node < 0)
        return;
    if (!f->judge.peers[peer].ours)
        breach(f, "%s is put back and was not taken out by the rollout", name_of(f, peer));
    if (f->judge.peers[peer].was_drained != drained)
        breach(f, "%s is put back otherwise than it was before", name_of(f, peer));
    const struct ident *now = &f->agents[node].now;
    bool checked = f->judge.nodes[node].good_checks >= p->success_threshold &&
                   same(&f->judge.nodes[node].checked, now) && is_wanted(f, (uint16_t)node, now->sha256[0]);

    if (!checked && !(f->judge.nodes[node].confirmed && same(now, &f->judge.nodes[node].claimed)))
        breach(f, "I3: %s is put back after %u good checks and %s", name_of(f, peer), f->judge.nodes[node].good_checks,
               f->judge.nodes[node].confirmed ? "another process than before" : "nobody asked what runs");
    f->judge.peers[peer].ours = false;
}

/* I2 */
void fake_judge_touch(struct fake_fleet *f, const struct plan *p, uint16_t node, uint8_t executable)
{
    int64_t unseen_ms = f->now_ms - FAKE_SNAPSHOT_MS - FAKE_PATCH_LATE_MS;

    has_right(f, p, node, "job");
    for (uint32_t i = 0; i < f->n_peers; i++) {
        if (f->peers[i].node != node || f->judge.peers[i].opened_ms > unseen_ms || f->plan->nodes[node].in_place)
            continue;
        if (f->peers[i].gate != GATE_DOWN)
            breach(f, "I2: a job on %s, which is not down at %s", name_of(f, i), f->plan->lbs[fake_peer_lb(f, i)].name);
        else if (fake_peer_active(f, i) > 0 && !p->drain_proceed)
            breach(f, "I2: a job on %s, which still has requests from %s", name_of(f, i),
                   f->plan->lbs[fake_peer_lb(f, i)].name);
    }
    if (!is_wanted(f, node, executable))
        breach(f, "%s gets executable %c, which nobody wants there", f->plan->nodes[node].name, executable);
    f->judge.nodes[node].touches++;
    f->judge.nodes[node].good_checks = 0;
    f->judge.nodes[node].confirmed = false;
}

void fake_judge_claimed(struct fake_fleet *f, uint16_t node)
{
    if (f->plan->kind != PLAN_REPAIR)
        f->judge.nodes[node].claimed = f->agents[node].now;
}

void fake_judge_died(struct fake_fleet *f, uint32_t peer)
{
    f->judge.peers[peer].lost_ms = f->now_ms;
}

void fake_judge_foreign(struct fake_fleet *f, uint32_t peer)
{
    if (fake_peer_up(f, peer))
        f->judge.peers[peer].opened_ms = f->now_ms;
    else
        f->judge.peers[peer].lost_ms = f->now_ms;
    f->judge.peers[peer].ours = false;
}

void fake_judge_status_told(struct fake_fleet *f, uint16_t node)
{
    if (same(&f->agents[node].now, &f->judge.nodes[node].claimed))
        f->judge.nodes[node].confirmed = true;
}

void fake_judge_health_told(struct fake_fleet *f, uint16_t node, bool healthy)
{
    if (!healthy || !same(&f->judge.nodes[node].checked, &f->agents[node].now))
        f->judge.nodes[node].good_checks = 0;
    f->judge.nodes[node].checked = f->agents[node].now;
    f->judge.nodes[node].good_checks += healthy ? 1 : 0;
}

void fake_judge_end(struct fake_fleet *f, int exit_code)
{
    uint32_t out = 0;

    for (uint32_t i = 0; i < f->n_peers; i++)
        if (f->judge.peers[i].ours && f->peers[i].gate != GATE_OPEN &&
            !(f->judge.peers[i].was_drained && f->peers[i].gate == GATE_DRAIN))
            out++;
    if (out > 0 && exit_code != 3 && !(f->plan->kind == PLAN_REPAIR && exit_code == 6))
        breach(f, "I4: %u peers are left out and the exit code is %d", out, exit_code);
}
