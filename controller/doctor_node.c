/* doctor_node.c - checks of what agents tell, and of everyone's certificates. */
#include <inttypes.h>
#include <string.h>

#include "doctor_look.h"

#define DAY_S          86400
#define CERT_SOON_DAYS 14
#define CLOCK_MAX_S    5

void doctor_check_claims(struct look *l)
{
    for (uint32_t i = 0; i < l->s->n_nodes; i++) {
        const struct survey_node *n = &l->s->nodes[i];
        const struct agent_claim *c = &n->status.claim;

        if (!n->good || !c->there || c->n_took_out == 0)
            continue;
        if (c->left_s == 0)
            look_fail(l, EXIT_OUT, l->f->repair, "%s: left out by rollout %s (%s), which is dead", look_node_name(l, n),
                      c->rollout, c->holder);
        else
            look_warn(l, "wait for its end; where it is dead, its claim runs out by itself",
                      "%s: claimed by rollout %s (%s), %u s left", look_node_name(l, n), c->rollout, c->holder,
                      c->left_s);
    }
    if (!l->bad)
        look_ok(l, "no rollout has left a node out");
}

static bool is_first_of_host(const struct look *l, uint32_t i)
{
    return i == 0 || l->s->nodes[i - 1].host != l->s->nodes[i].host; /* a host's services stand side by side */
}

static const char *mend_agent(const struct survey_node *n)
{
    if (n->call != CALL_FINE)
        return "see that rollout-agent runs there and is reached from here, and that the certificates on both sides "
               "are "
               "good: rollout-agent --check";
    if (strncmp(n->text, "unavailable:", 12) == 0) /* WIRE_UNAVAILABLE */
        return "on the node `systemctl status 'rollout-agent-helper@*.service'` says why the half that works has ended";
    return "mend what it says in the agent's configuration or the hosts file";
}

void doctor_check_agents(struct look *l)
{
    for (uint32_t i = 0; i < l->s->n_nodes; i++) {
        const struct survey_node *n = &l->s->nodes[i];

        if (!n->good)
            look_fail(l, n->call == CALL_FINE ? EXIT_REFUSED : EXIT_UNREACHABLE, mend_agent(n), "%s: %s",
                      look_node_name(l, n), n->text);
        else if (strcmp(n->root.node, l->f->fleet->hosts[n->host].name) != 0)
            look_fail(l, EXIT_REFUSED, "correct the hosts file or its `node =`", "%s: the agent there calls itself %s",
                      l->f->fleet->hosts[n->host].name, n->root.node);
    }
    for (uint32_t i = 0; i < l->s->n_others; i++)
        if (!l->s->others[i].good)
            look_warn(l, "bring its agent back, or take the host out of the hosts file everywhere",
                      "%s has a vote (a load balancer is NGINX Plus): %s", look_node_name(l, &l->s->others[i]),
                      l->s->others[i].text);
    if (!l->bad)
        look_ok(l, "%u of %u answer", l->s->n_nodes, l->s->n_nodes);
}

void doctor_check_versions(struct look *l)
{
    const struct survey_node *first = NULL;

    for (uint32_t i = 0; i < l->s->n_nodes; i++) {
        const struct survey_node *n = &l->s->nodes[i];

        if (!n->good || !is_first_of_host(l, i))
            continue;
        if (first == NULL)
            first = n;
        if (n->root.version != WIRE_VERSION)
            look_fail(l, EXIT_REFUSED, "upgrade the older of the two",
                      "%s: its agent speaks version %u of the contract, this rollout %d", look_node_name(l, n),
                      n->root.version, WIRE_VERSION);
        else if (strcmp(n->root.agent, first->root.agent) != 0)
            look_warn(l, "upgrade the older agent",
                      "%s has %s with %u features, %s has %s with %u: what not all can do is not done",
                      look_node_name(l, first), first->root.agent, first->root.n_features, look_node_name(l, n),
                      n->root.agent, n->root.n_features);
    }
    if (!l->bad && first != NULL)
        look_ok(l, "%s everywhere", first->root.agent);
    else if (!l->bad)
        look_ok(l, "no agent has told");
}

static void check_end(struct look *l, const char *name, int64_t ends_s, int64_t *soonest_s, const char **whose)
{
    int64_t left_s = ends_s - l->f->now_s;

    if (ends_s <= 0)
        return;
    if (left_s < CERT_SOON_DAYS * DAY_S)
        look_warn(l, "rollout-pki renew, put it there, then systemctl reload (of the agents, or nginx)",
                  "%s: its certificate ends in %" PRId64 " day%s", name, left_s / DAY_S,
                  look_plural((uint64_t)(left_s / DAY_S)));
    if (*whose == NULL || ends_s < *soonest_s) {
        *soonest_s = ends_s;
        *whose = name;
    }
}

void doctor_check_certificates(struct look *l)
{
    const char *whose = NULL;
    int64_t soonest_s = 0;

    for (uint32_t i = 0; i < l->s->n_lbs; i++)
        check_end(l, look_lb_name(l, i), l->s->lbs[i].cert_ends_s, &soonest_s, &whose);
    for (uint32_t i = 0; i < l->s->n_nodes; i++)
        check_end(l, l->f->fleet->hosts[l->s->nodes[i].host].name, l->s->nodes[i].cert_ends_s, &soonest_s, &whose);
    if (!l->bad && whose == NULL)
        look_ok(l, "none was shown");
    else if (!l->bad)
        look_ok(l, "the first ends in %" PRId64 " days (%s)", (soonest_s - l->f->now_s) / DAY_S, whose);
}

void doctor_check_clocks(struct look *l)
{
    bool told = false;

    for (uint32_t i = 0; i < l->s->n_nodes; i++) {
        const struct survey_node *n = &l->s->nodes[i];

        told = told || n->has_clock;
        if (n->has_clock && is_first_of_host(l, i) && (n->ahead_s > CLOCK_MAX_S || n->ahead_s < -CLOCK_MAX_S))
            look_warn(l, "let both keep time: timedatectl set-ntp true", "%s: its clock is %" PRId64 " s %s ours",
                      l->f->fleet->hosts[n->host].name, n->ahead_s < 0 ? -n->ahead_s : n->ahead_s,
                      n->ahead_s < 0 ? "behind" : "ahead of");
    }
    if (!l->bad && told)
        look_ok(l, "within %d s of ours", CLOCK_MAX_S);
    else if (!l->bad)
        look_ok(l, "no agent has told");
}

void doctor_check_units(struct look *l)
{
    for (uint32_t i = 0; i < l->s->n_nodes; i++)
        for (uint32_t k = 0; l->s->nodes[i].good && k < l->s->nodes[i].status.n_warnings; k++)
            look_warn(
                l,
                "do what it says, or what rollout-agent --check, there, prints; systemctl daemon-reload; reload the "
                "agent",
                "%s: %s", look_node_name(l, &l->s->nodes[i]), l->s->nodes[i].status.warnings[k]);
    if (!l->bad)
        look_ok(l, "no agent knows of one that a handover would kill");
}

/* Whether this release may be taken is plan_make's. */
void doctor_check_signatures(struct look *l)
{
    const struct survey_node *first = NULL;
    uint32_t n = 0;

    for (uint32_t i = 0; i < l->s->n_nodes; i++)
        if (l->s->nodes[i].good && l->s->nodes[i].status.signing_required && n++ == 0)
            first = &l->s->nodes[i];
    if (first == NULL)
        look_ok(l, "no agent wants one");
    else if (l->f->request->has_release && l->f->request->signature.there)
        look_ok(l, "%u agent%s want%s one, and %s.minisig is there", n, look_plural(n), n == 1 ? "s" : "",
                l->f->options->release);
    else if (!l->f->request->has_release)
        look_ok(l, "%s%s take%s signed releases only: a --release FILE needs FILE.minisig beside it",
                look_node_name(l, first), n > 1 ? " and others" : "", n == 1 ? "s" : "");
}
