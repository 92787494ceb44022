#include "left_out.h"

#include <stdlib.h>
#include <string.h>

#include "common/addr.h"
#include "common/json.h"
#include "common/mem.h"
#include "mend.h"
#include "plan_resume.h"
#include "say.h"

static json_t *peer_out(const char *server, const char *upstream, const char *lb)
{
    return json_pack("{s:o,s:o,s:o}", "server", json_text(server), "upstream", json_text(upstream), "lb",
                     json_text(lb));
}

static json_t *claim_out(const struct agent_claim *claim)
{
    json_t *out = mem_must(json_array());

    for (uint32_t i = 0; i < claim->n_took_out; i++)
        json_append(out, peer_out(claim->took_out[i].server, claim->took_out[i].upstream, claim->took_out[i].lb));
    return out;
}

static void tell_claim(const struct session *s, const struct survey_node *n, const char *more)
{
    const struct agent_claim *claim = &n->status.claim;
    char *mend = mend_command(s->options, s->options->service);
    char *why = mem_format("out of rotation or its state unknown, as rollout %s (%s) left it%s. Act now: %s",
                           claim->rollout, claim->holder, more, mend);

    say_left_out(survey_node_name(s->fleet, n), claim_out(claim), mend, why);
    free(why);
    free(mend);
}

bool left_out_tell(const struct session *s, bool repair, bool lapsed)
{
    bool any = false;

    for (uint32_t i = 0; i < s->survey->n_nodes; i++) {
        const struct survey_node *n = &s->survey->nodes[i];
        const struct agent_claim *claim = &n->status.claim;

        if (!n->good || !claim->there || claim->n_took_out == 0 || (lapsed && claim->left_s > 0) ||
            (!repair && !plan_resume_holds(n, &s->request)))
            continue;
        tell_claim(s, n, "");
        any = true;
    }
    return any;
}

bool left_out_by_limit(const struct session *s)
{
    bool any = false;

    for (uint32_t i = 0; i < s->survey->n_others; i++) {
        const struct survey_node *n = &s->survey->others[i];

        if (!plan_resume_holds(n, &s->request) || n->status.claim.n_took_out == 0)
            continue;
        tell_claim(s, n, "; --limit does not name it now, so name it again");
        any = true;
    }
    return any;
}

/* Of the last survey; NULL: its load balancer is not read, or not named any more. */
static const struct survey_lb *lb_now(const struct session *s, const char *name)
{
    for (uint32_t i = 0; s->survey != NULL && i < s->survey->n_lbs; i++)
        if (strcmp(s->fleet->hosts[s->survey->lbs[i].host].name, name) == 0)
            return s->survey->lbs[i].good ? &s->survey->lbs[i] : NULL;
    return NULL;
}

/* What no load balancer lists any more gets no requests, and nothing is to be put back there. */
static bool is_out_now(const struct session *s, const struct plan *p, uint32_t peer)
{
    const struct plan_upstream *upstream = &p->upstreams[p->peers[peer].upstream];
    const struct survey_lb *lb = lb_now(s, p->lbs[upstream->lb].name);

    for (uint32_t i = 0; lb != NULL && i < lb->n_upstreams; i++)
        for (uint32_t k = 0; strcmp(lb->upstreams[i].name, upstream->name) == 0 && k < lb->upstreams[i].n_peers; k++)
            if (addr_same(lb->upstreams[i].peers[k].server, p->peers[peer].server))
                return lb->upstreams[i].peers[k].state == PEER_DOWN || lb->upstreams[i].peers[k].state == PEER_DRAINING;
    return lb == NULL;
}

/* Its agent answers for itself, by its claim. */
static const struct survey_node *asked(const struct session *s, const char *name)
{
    for (uint32_t i = 0; s->survey != NULL && i < s->survey->n_nodes; i++)
        if (strcmp(survey_node_name(s->fleet, &s->survey->nodes[i]), name) == 0)
            return &s->survey->nodes[i];
    return NULL;
}

static bool answers(const struct survey_node *now)
{
    return now != NULL && now->good;
}

/* By its claim, whosever it is. One that had to forget (an older disk, a new one) says nothing of what is out. */
static bool speaks(const struct survey_node *now)
{
    return answers(now) && now->status.claim.there;
}

/* Why its agent does not answer for it. */
static const char *unasked(const struct session *s, const struct survey_node *now)
{
    if (s->survey == NULL)
        return "the fleet was not read now";
    if (answers(now))
        return "its agent knows of no claim any more, so no repair puts it back: look whether it is well, do it by "
               "hand at that load balancer, and run this again";
    return now != NULL ? now->text : "neither the hosts file nor --limit names it now, so name it again";
}

static void tell_peer_out(const struct session *s, const struct plan *p, const struct plan_node *pn, uint32_t peer,
                          const struct survey_node *now)
{
    const struct plan_upstream *upstream = &p->upstreams[p->peers[peer].upstream];
    const char *server = p->peers[peer].server, *lb = p->lbs[upstream->lb].name;
    bool forgotten = answers(now);
    char *mend = mend_command(s->options, s->options->service);
    char *why = mem_format("out of rotation or its state unknown, as an earlier run of rollout %s left it: "
                           "%s of upstream %s at %s; %s%s%s",
                           s->rollout, server, upstream->name, lb, unasked(s, now),
                           forgotten ? "" : ". Act now: ", forgotten ? "" : mend);
    json_t *out = mem_must(json_array());

    json_append(out, peer_out(server, upstream->name, lb));
    say_left_out(pn->name, out, mend, why);
    free(why);
    free(mend);
}

static bool tell_node_out(const struct session *s, const struct plan *p, uint32_t id)
{
    const struct plan_node *pn = &p->nodes[id];
    const struct node *n = &s->was->nodes[id].state;
    const struct survey_node *now = asked(s, pn->name);
    uint64_t mask = ((answers(now) ? 0 : n->peers_mask) | n->out_mask) & ~n->prior_drain_mask;
    bool any = false;

    if (n->step == STEP_DONE || (n->step == STEP_WAIT && n->out_mask == 0) || speaks(now))
        return false;
    for (uint32_t i = 0; i < pn->n_peers; i++) {
        if ((mask >> i & 1) == 0 || !is_out_now(s, p, pn->first_peer + i))
            continue;
        tell_peer_out(s, p, pn, pn->first_peer + i, now);
        any = true;
    }
    return any;
}

bool left_out_by_journal(const struct session *s)
{
    const struct plan *p = s->was != NULL ? s->was->plan : NULL;
    bool any = false;

    for (uint32_t id = 0; p != NULL && id < p->n_nodes; id++)
        any = tell_node_out(s, p, id) || any;
    return any;
}

bool left_out_unread(const struct session *s)
{
    enum command command = s->options->command;
    char *mend;

    if (left_out_by_journal(s))
        return true;
    if (command != COMMAND_REPAIR && (command != COMMAND_RESUME || s->was != NULL)) {
        if (s->options->rollout_id != NULL && s->was == NULL)
            say_why("the fleet was not read, so whether an earlier run of rollout %s left a node out is unknown",
                    s->rollout);
        return false;
    }
    mend = mend_command(s->options, s->options->service);
    say_why("the fleet was not read, so whether a node is out of rotation is unknown. Act now: %s", mend);
    free(mend);
    return true;
}
