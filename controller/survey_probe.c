/* survey_probe.c - what a survey asks, whom next, and what it asks once more. */
#include "survey_probe.h"

#include <stdlib.h>
#include <string.h>

#include "agent_api.h"
#include "clock.h"
#include "common/mem.h"
#include "lb_api.h"

#define WAIT_MS        1000 /* of one collect; every call has its own limit */
#define NODES_AT_ONCE  (CALLS_ACTIVE_MAX / 2)
#define AGAIN_FIRST_MS 200                    /* then twice as long each time */
#define AGAIN_LEAST_MS 50                     /* a last wait that is shorter is not worth a call */
#define KEPT_MAX       (CALLS_ACTIVE_MAX / 2) /* nodes whose connections wait for the rollout; more would be in its way */

bool probe_is_of_node(const struct probe *probe)
{
    return probe->kind == PROBE_ROOT || probe->kind == PROBE_STATUS;
}

static void call(struct surveying *s, struct probe *probe)
{
    uint32_t host = probe_is_of_node(probe) ? survey_voter(s->survey, probe->i)->host : s->survey->lbs[probe->i].host;
    const struct fleet_host *h = &s->fleet->hosts[host];
    const char *body = probe->kind == PROBE_WRITE ? lb_api_body_renew() : NULL;
    struct call_request q = {.method = body != NULL ? "PATCH" : "GET",
                             .body = body,
                             .body_bytes = body != NULL ? strlen(body) : 0,
                             .peer = h->name,
                             .url = probe->url,
                             .connect_to = h->api_url != NULL ? h->api_address : h->agent_address,
                             .limit_ms = s->options->request_timeout_ms,
                             .cap_bytes = probe->kind == PROBE_LIST ? LB_LIST_MAX_BYTES : LB_BODY_MAX_BYTES,
                             .show_peer = s->options->command == COMMAND_DOCTOR &&
                                          (probe->kind == PROBE_VERSIONS || probe->kind == PROBE_ROOT),
                             .tag = probe,
                             .last = probe->kind == PROBE_STATUS && s->end_node > KEPT_MAX};

    s->n_open++;
    calls_start(s->calls, &q);
}

struct probe *probe_ask(struct surveying *s, enum probe_kind kind, uint32_t i, char *url)
{
    struct probe *probe = &s->probes[s->n_probes++];

    *probe = (struct probe){.kind = kind, .i = i, .began_ms = clock_ms(), .pause_ms = AGAIN_FIRST_MS};
    probe->url = url;
    call(s, probe);
    return probe;
}

/* As one has told all, the next is asked: each call that waits for its turn would cost as much as what it tells. */
static void ask_next_node(struct surveying *s)
{
    uint32_t i = s->next_node++, host = survey_voter(s->survey, i)->host;

    (void)probe_ask(s, PROBE_ROOT, i, agent_api_url_root(s->fleet->hosts[host].agent_url));
}

void probes_ask_nodes(struct surveying *s, uint32_t end)
{
    uint32_t first = s->next_node;

    s->end_node = end;
    while (s->next_node < end && s->next_node - first < NODES_AT_ONCE)
        ask_next_node(s);
}

/* Once for each node: there are no more at a time than at the beginning. */
void probe_give_way(struct surveying *s, struct probe *probe)
{
    if (!probe->gave_way && s->next_node < s->end_node)
        ask_next_node(s);
    probe->gave_way = true;
}

/* It may have been a moment's: a service that starts, a lost packet, one that has too much to do. What was refused, and
 * whom we do not trust, will be so the next time. */
static bool may_pass(const struct call_result *r)
{
    return r->failure == CALL_FINE ? r->status == 503 : !r->lasting;
}

uint32_t survey_patience_ms(const struct options *o)
{
    return o->request_timeout_ms < SURVEY_PATIENCE_MS ? o->request_timeout_ms : SURVEY_PATIENCE_MS;
}

/* False: it has had its time. */
static bool ask_later(struct surveying *s, struct probe *probe)
{
    int64_t now = clock_ms(), left = survey_patience_ms(s->options) - (now - probe->began_ms);

    if (left < AGAIN_LEAST_MS)
        return false;
    probe->due_ms = now + (left < probe->pause_ms ? left : probe->pause_ms);
    probe->pause_ms *= 2;
    probe->next = s->waiting;
    if (s->waiting == NULL || probe->due_ms < s->due_ms)
        s->due_ms = probe->due_ms;
    s->waiting = probe;
    return true;
}

bool probe_again(struct surveying *s, struct probe *probe, const struct call_result *r)
{
    if (!may_pass(r) || !ask_later(s, probe))
        return false;
    if (probe_is_of_node(probe))
        probe_give_way(s, probe); /* it waits for itself, not for us all */
    return true;
}

/* No more than there is room for on the wire; the others wait here. */
void probes_ask_due(struct surveying *s)
{
    struct probe *waiting = s->waiting;
    int64_t now = clock_ms();

    if (waiting == NULL || now < s->due_ms)
        return;
    s->waiting = NULL;
    s->due_ms = INT64_MAX;
    for (struct probe *next; waiting != NULL; waiting = next) {
        next = waiting->next;
        if (waiting->due_ms <= now && s->n_open < CALLS_ACTIVE_MAX) {
            call(s, waiting);
        } else {
            s->due_ms = waiting->due_ms < s->due_ms ? waiting->due_ms : s->due_ms;
            waiting->next = s->waiting;
            s->waiting = waiting;
        }
    }
}

uint32_t probes_wait_ms(const struct surveying *s)
{
    int64_t left = s->waiting == NULL || s->n_open >= CALLS_ACTIVE_MAX ? WAIT_MS : s->due_ms - clock_ms();

    return left < 0 ? 0 : left > WAIT_MS ? WAIT_MS : (uint32_t)left;
}

void probes_begin(struct surveying *s, size_t n_lbs, size_t n_nodes)
{
    probes_clear(s);
    s->probes = mem_zero(n_lbs * PROBES_A_LB + n_nodes * PROBES_A_NODE, sizeof *s->probes);
}

void probes_clear(struct surveying *s)
{
    for (uint32_t i = 0; i < s->n_probes; i++)
        free(s->probes[i].url);
    free(s->probes);
    s->probes = NULL;
    s->n_probes = 0;
}
