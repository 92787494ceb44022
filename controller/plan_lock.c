/* plan_lock.c - who has a vote in the lock of a rollout whose load balancers know no lease (NGINX Plus), and can a
 * majority be had? The rule itself: run_lock.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan_make.h"

/* One service's voters, as the survey found them. */
struct ballot {
    uint32_t all, free, held, unreachable;
    const struct survey_node *holder; /* whose vote is another's: the first */
    const struct survey_node *dumb;   /* whose agent knows no votes: the first */
    const struct survey_node *silent; /* who does not answer: the first */
};

static const char *service_of(const struct plan *p, const struct survey_node *n)
{
    return n->service != NULL ? n->service : p->service;
}

static bool is_held(const struct survey_node *n, const struct plan_request *q)
{
    const struct agent_lock *lock = &n->status.lock;
    const struct agent_claim *claim = &n->status.claim;

    return (lock->there && lock->left_s > 0 && !plan_is_ours(q, lock->rollout, lock->holder)) ||
           (claim->there && claim->left_s > 0 && strcmp(claim->rollout, q->rollout) != 0);
}

static void count(struct ballot *b, const struct survey_node *n, const struct plan_request *q)
{
    const struct survey_node **odd = NULL;

    b->all++;
    if (!n->good) {
        odd = &b->silent;
        b->unreachable++;
    } else if (!agent_root_has(&n->root, "lock")) {
        odd = &b->dumb;
    } else if (is_held(n, q)) {
        odd = &b->holder;
        b->held++;
    } else {
        b->free++;
    }
    if (odd != NULL && *odd == NULL)
        *odd = n;
}

/* The first load balancer without a lease. */
static const char *plus_name(const struct plan *p)
{
    uint32_t i = 0;

    while (!p->upstreams[i].plus)
        i++;
    return p->lbs[p->upstreams[i].lb].name;
}

static void complain_too_few(const struct plan *p, const struct fleet *f, const struct ballot *b, struct complaints *c)
{
    const struct survey_node *n = b->unreachable > 0 ? b->silent : b->dumb;
    char why[ANSWER_TEXT_MAX + 300] = "the hosts file names none with this service";

    if (n != NULL && b->unreachable > 0)
        (void)snprintf(why, sizeof why, "%.260s: %s", survey_node_name(f, n), n->text);
    else if (n != NULL)
        (void)snprintf(why, sizeof why, "%.260s: its agent (%.60s) cannot do lock; upgrade the agent",
                       survey_node_name(f, n), n->root.agent);
    complain(c, b->unreachable > 0 ? EXIT_UNREACHABLE : EXIT_REFUSED,
             "load balancer %s has no lease (NGINX Plus), so a majority of the agents of all hosts must give this "
             "rollout their votes, and %u of %u can: %s",
             plus_name(p), b->free, b->all, why);
}

static void complain_held(const struct fleet *f, const struct ballot *b, struct complaints *c)
{
    const struct agent_lock *lock = &b->holder->status.lock;
    const struct agent_claim *claim = &b->holder->status.claim;
    bool voted = lock->there && lock->left_s > 0;

    if (voted)
        complain(c, EXIT_HELD, "%u of %u agents have given their votes to rollout %s (%s), %u s left", b->held, b->all,
                 lock->rollout, lock->holder, lock->left_s);
    else
        complain(c, EXIT_HELD, "%s: claimed by rollout %s (%s), %u s left", survey_node_name(f, b->holder),
                 claim->rollout, claim->holder, claim->left_s);
    complain_of(c, voted ? lock->rollout : claim->rollout);
}

/* A repair waits for a dead rollout's votes to run out; a living one's will end it with 6 as well. */
static bool check(const struct plan *p, const struct fleet *f, const struct ballot *b, struct complaints *c)
{
    uint32_t need = b->all / 2 + 1, possible = b->free + (p->kind == PLAN_REPAIR ? b->held : 0);

    if (possible >= need)
        return true;
    if (b->holder == NULL)
        complain_too_few(p, f, b, c);
    else
        complain_held(f, b, c);
    return false;
}

static int by_url(const void *a, const void *b)
{
    const struct plan_voter *x = a, *y = b;
    int order = strcmp(x->agent, y->agent);

    return order != 0 ? order : strcmp(x->service, y->service);
}

static bool any_plus(const struct plan *p)
{
    for (uint32_t i = 0; i < p->n_upstreams; i++)
        if (p->upstreams[i].plus)
            return true;
    return false;
}

static void add(struct plan *p, const struct fleet *f, const struct survey_node *n, uint16_t group)
{
    const struct fleet_host *h = &f->hosts[n->host];

    p->voters[p->n_voters++] = (struct plan_voter){.host = plan_keep(p, h->name),
                                                   .service = plan_keep(p, service_of(p, n)),
                                                   .agent = plan_keep(p, h->agent_url),
                                                   .address = plan_keep(p, h->agent_address),
                                                   .group = group};
}

/* Whoever rolls any of the hosts must count the same: what the hosts file says of a host, not what is asked for now. */
static bool votes(const struct plan *p, const struct fleet *f, const struct survey_node *n, const char *service)
{
    return strcmp(service_of(p, n), service) == 0 && survey_serves(f, n->host, service);
}

/* Who does not answer now is asked last. */
static void add_all(struct plan *p, const struct fleet *f, const struct survey *s)
{
    char service[OPTION_NAME_MAX + 1];
    uint32_t first = 0;

    p->voters = pool_take(&p->owned, (s->n_nodes + s->n_others + 1) * sizeof *p->voters);
    for (int good = 1; good >= 0; good--) {
        for (uint16_t g = 0; option_name_at(p->service, g, service); g++)
            for (uint32_t i = 0; i < s->n_nodes + s->n_others; i++)
                if (survey_voter(s, i)->good == (good == 1) && votes(p, f, survey_voter(s, i), service))
                    add(p, f, survey_voter(s, i), g);
        if (p->n_voters > first)
            qsort(p->voters + first, p->n_voters - first, sizeof *p->voters, by_url);
        first = p->n_voters;
    }
}

bool plan_add_voters(struct plan *p, const struct fleet *f, const struct survey *s, const struct plan_request *q,
                     struct complaints *c)
{
    char service[OPTION_NAME_MAX + 1];
    bool good = true;

    if (!any_plus(p))
        return true;
    add_all(p, f, s);
    for (p->n_groups = 0; option_name_at(p->service, p->n_groups, service); p->n_groups++) {
        struct ballot b = {0};

        for (uint32_t i = 0; i < s->n_nodes + s->n_others; i++)
            if (votes(p, f, survey_voter(s, i), service))
                count(&b, survey_voter(s, i), q);
        good = check(p, f, &b, c) && good;
    }
    return good;
}
