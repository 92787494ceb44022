#include "survey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "lb_api.h"
#include "survey_probe.h"

#define RESULTS_AT_ONCE 64

bool survey_set_profiles(struct calls *calls, const struct fleet *fleet, const struct options *o, struct err *err)
{
    for (uint32_t i = 0; i < fleet->n_hosts; i++) {
        const struct fleet_host *h = &fleet->hosts[i];
        struct call_profile p = {.cert_file = options_host_text(o, fleet, i, OPT_cert),
                                 .key_file = options_host_text(o, fleet, i, OPT_key),
                                 .ca_file = options_host_text(o, fleet, i, OPT_cacert),
                                 .auth_file =
                                     h->api_url != NULL ? options_host_text(o, fleet, i, OPT_lb_auth_file) : NULL};

        if (!calls_set_profile(calls, h->name, &p, err))
            return err_context(err, "host %s", h->name);
    }
    return true;
}

bool survey_serves(const struct fleet *fleet, uint32_t host, const char *service)
{
    const char *there = fleet_text(fleet, host, OPT_service);
    char name[OPTION_NAME_MAX + 1];

    for (uint32_t i = 0; there != NULL && option_name_at(there, i, name); i++)
        if (strcmp(name, service) == 0)
            return true;
    return there == NULL;
}

/* ---- whom it asks */

static void add_service(struct survey *s, struct survey_node *n, const struct fleet *fleet, uint32_t host,
                        const char *services, const char *service)
{
    char name[OPTION_NAME_MAX + 260];

    *n = (struct survey_node){.host = host, .good = true, .text = ""};
    if (option_names_count(services) == 1)
        return;
    (void)snprintf(name, sizeof name, "%.256s/%s", fleet->hosts[host].name, service);
    n->service = pool_keep(&s->owned, service);
    n->name = pool_keep(&s->owned, name);
}

static struct survey *survey_new(const struct fleet *fleet, const struct options *o, const uint32_t *nodes,
                                 size_t n_nodes)
{
    struct survey *s = mem_zero(1, sizeof *s);
    char service[OPTION_NAME_MAX + 1];

    s->lbs = mem_zero(fleet->n_lbs, sizeof *s->lbs);
    s->nodes = mem_zero(n_nodes * option_names_count(o->service), sizeof *s->nodes);
    for (uint32_t i = 0; i < fleet->n_hosts; i++)
        if (fleet->hosts[i].api_url != NULL)
            s->lbs[s->n_lbs++] = (struct survey_lb){.host = i, .good = true};
    for (size_t i = 0; i < n_nodes; i++)
        for (uint32_t k = 0; option_name_at(o->service, k, service); k++)
            add_service(s, &s->nodes[s->n_nodes++], fleet, nodes[i], o->service, service);
    return s;
}

/* Of the hosts that were not asked. */
static void add_others(struct survey *s, const struct fleet *fleet, const struct options *o, const uint32_t *nodes,
                       size_t n_nodes)
{
    bool *asked = mem_zero(fleet->n_hosts, sizeof *asked);
    char service[OPTION_NAME_MAX + 1];

    for (size_t i = 0; i < n_nodes; i++)
        asked[nodes[i]] = true;
    s->others = mem_zero((fleet->n_hosts - n_nodes) * option_names_count(o->service), sizeof *s->others);
    for (uint32_t i = 0; i < fleet->n_hosts; i++)
        for (uint32_t k = 0; !asked[i] && fleet->hosts[i].agent_url != NULL && option_name_at(o->service, k, service);
             k++)
            if (survey_serves(fleet, i, service))
                add_service(s, &s->others[s->n_others++], fleet, i, o->service, service);
    free(asked);
}

static bool any_without_lease(const struct survey *s)
{
    for (uint32_t i = 0; i < s->n_lbs; i++)
        for (uint32_t k = 0; k < s->lbs[i].n_upstreams; k++)
            if (!s->lbs[i].upstreams[k].lease.known)
                return true;
    return false;
}

/* There may have been an earlier run of this very rollout, with another --limit. */
static bool may_go_on(const struct options *o)
{
    return o->rollout_id != NULL &&
           (o->command == COMMAND_ROLL || o->command == COMMAND_RESUME || o->command == COMMAND_ROLLBACK);
}

/* ---- asking */

static void ask_all(struct surveying *s)
{
    for (uint32_t i = 0; i < s->survey->n_lbs; i++) {
        const char *api = s->fleet->hosts[s->survey->lbs[i].host].api_url;
        (void)probe_ask(s, PROBE_VERSIONS, i, lb_api_url_versions(api));
    }
    probes_ask_nodes(s, s->survey->n_nodes);
}

static void came(struct surveying *s, struct probe *probe, const struct call_result *r)
{
    if (probe_again(s, probe, r))
        return;
    survey_answer(s, probe, r);
    free(probe->url);
    probe->url = NULL;
}

static bool collect_all(struct surveying *s)
{
    struct call_result results[RESULTS_AT_ONCE];
    bool woken = false;

    while ((s->n_open > 0 || s->waiting != NULL) && !woken) {
        size_t n = calls_collect(s->calls, probes_wait_ms(s), results, RESULTS_AT_ONCE, &woken);
        for (size_t i = 0; i < n; i++) {
            s->n_open--;
            came(s, results[i].tag, &results[i]);
            call_result_free(&results[i]);
        }
        probes_ask_due(s);
    }
    if (woken)
        calls_drop(s->calls);
    return !woken;
}

static bool survey_others(struct surveying *s, const uint32_t *nodes, size_t n_nodes)
{
    add_others(s->survey, s->fleet, s->options, nodes, n_nodes);
    probes_begin(s, 0, s->survey->n_others);
    probes_ask_nodes(s, s->survey->n_nodes + s->survey->n_others);
    return collect_all(s);
}

struct survey *survey_make(struct calls *calls, const struct fleet *fleet, const struct options *o,
                           const uint32_t *nodes, size_t n_nodes)
{
    struct surveying s = {.calls = calls, .fleet = fleet, .options = o, .survey = survey_new(fleet, o, nodes, n_nodes)};

    probes_begin(&s, s.survey->n_lbs, s.survey->n_nodes);
    ask_all(&s);
    if (!collect_all(&s) || ((any_without_lease(s.survey) || may_go_on(o)) && !survey_others(&s, nodes, n_nodes)))
        survey_free(&s.survey);
    probes_clear(&s);
    return s.survey;
}

void survey_free(struct survey **survey)
{
    struct survey *s = *survey;

    if (s == NULL)
        return;
    for (uint32_t i = 0; i < s->n_lbs; i++) {
        for (uint32_t u = 0; u < s->lbs[i].n_upstreams; u++)
            free(s->lbs[i].upstreams[u].peers);
        free(s->lbs[i].upstreams);
    }
    for (uint32_t i = 0; i < s->n_nodes + s->n_others; i++) {
        agent_root_clear(&survey_voter(s, i)->root);
        agent_status_clear(&survey_voter(s, i)->status);
    }
    free(s->others);
    free(s->lbs);
    free(s->nodes);
    pool_free(&s->owned);
    free(s);
    *survey = NULL;
}
