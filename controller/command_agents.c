/* command_agents.c - agents: asks every agent of the hosts file what it is and what its services do, and shows it. It
 * changes nothing, and contacts no load balancer. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent_api.h"
#include "agents.h"
#include "command.h"
#include "common/mem.h"
#include "pattern.h"
#include "say.h"
#include "signals.h"

#define AT_ONCE         256
#define RESULTS_AT_ONCE 64
#define WAIT_MS         1000
#define SERVICES_CAP    (16 * 1024 * 1024) /* bytes: 64 services, each with its releases and what a claim took out */

/* Each agent is asked twice, over one connection: what it is, then for its services. */
struct asking {
    struct session *s;
    struct agents agents;
    bool *knows; /* of each row: its first answer is in */
    size_t next, n_open;
};

static const struct fleet_host *host_of(const struct asking *a, size_t row)
{
    return &a->s->fleet->hosts[a->s->nodes[row]];
}

static void ask(struct asking *a, size_t row)
{
    const struct fleet_host *h = host_of(a, row);
    char *url = a->knows[row] ? mem_format("%s/v1/services", h->agent_url) : agent_api_url_root(h->agent_url);
    struct call_request q = {.method = "GET",
                             .peer = h->name,
                             .url = url,
                             .connect_to = h->agent_address,
                             .limit_ms = a->s->options->request_timeout_ms,
                             .cap_bytes = SERVICES_CAP,
                             .show_peer = !a->knows[row],
                             .tag = &a->agents.rows[row],
                             .last = a->knows[row]};

    calls_start(a->s->calls, &q);
    a->n_open++;
    free(url);
}

static bool refused(const struct call_result *r, struct agents_row *row)
{
    struct answer a;

    if (r->failure == CALL_FINE && r->status >= 200 && r->status <= 299)
        return false;
    agent_api_answer(ASK_STATUS, NULL, r, &a);
    (void)snprintf(row->text, sizeof row->text, "%.*s", (int)sizeof row->text - 1, a.text);
    return true;
}

static bool take_root(struct agents_row *row, const struct call_result *r, struct err *err)
{
    row->cert_ends_s = r->cert_ends_s;
    if (!agent_read_root(r->body, r->body_bytes, &row->root, err))
        return false;
    return strcmp(row->root.node, row->node) == 0 ||
           err_set(err, "the agent there calls itself %.100s; correct the hosts file or its `node =`", row->root.node);
}

static bool is_wanted(const struct options *o, const char *service)
{
    char name[OPTION_NAME_MAX + 1];

    for (uint32_t i = 0; o->service != NULL && option_name_at(o->service, i, name); i++)
        if (strcmp(name, service) == 0)
            return true;
    return o->service == NULL;
}

static bool take_services(const struct options *o, struct agents_row *row, const struct call_result *r, struct err *err)
{
    uint32_t kept = 0;

    if (!agent_read_services(r->body, r->body_bytes, &row->services, &row->n_services, err))
        return false;
    for (uint32_t i = 0; i < row->n_services; i++) {
        if (is_wanted(o, row->services[i].service))
            row->services[kept++] = row->services[i];
        else
            agent_status_clear(&row->services[i]);
    }
    row->n_services = kept;
    return true;
}

static void came(struct asking *a, const struct call_result *r)
{
    struct agents_row *row = r->tag;
    size_t i = (size_t)(row - a->agents.rows);
    struct err err = {""};
    bool first = !a->knows[i], good = !refused(r, row);

    if (good && !(first ? take_root(row, r, &err) : take_services(a->s->options, row, r, &err))) {
        (void)snprintf(row->text, sizeof row->text, "%.*s", (int)sizeof row->text - 1, err.text);
        good = false;
    }
    a->knows[i] = true;
    row->good = good && !first;
    if (good && first)
        ask(a, i);
    else if (a->next < a->agents.n)
        ask(a, a->next++);
}

/* False: a signal came. */
static bool ask_all(struct asking *a)
{
    struct call_result results[RESULTS_AT_ONCE];
    bool woken = false;

    while (a->next < a->agents.n && a->next < AT_ONCE)
        ask(a, a->next++);
    while (a->n_open > 0 && !woken) {
        size_t n = calls_collect(a->s->calls, WAIT_MS, results, RESULTS_AT_ONCE, &woken);
        for (size_t i = 0; i < n; i++) {
            a->n_open--;
            came(a, &results[i]);
            call_result_free(&results[i]);
        }
    }
    return !woken;
}

static int show(const struct asking *a)
{
    if (say_is_text())
        agents_print(stdout, &a->agents, (int64_t)time(NULL));
    else
        say_document(agents_json(&a->agents));
    return agents_exit_code(&a->agents);
}

int command_agents(struct options *o)
{
    struct session s;
    struct asking a = {.s = &s};
    struct err err = {.text = ""};
    int code;

    if (!session_open_agents(&s, o, &err)) {
        code = command_bad(EXIT_CONFIG, &err);
    } else {
        a.agents = (struct agents){.rows = mem_zero(s.n_nodes, sizeof *a.agents.rows), .n = s.n_nodes};
        a.knows = mem_zero(s.n_nodes, sizeof *a.knows);
        for (size_t i = 0; i < s.n_nodes; i++)
            a.agents.rows[i].node = host_of(&a, i)->name;
        signals_attach(s.calls);
        code = ask_all(&a) ? show(&a) : command_interrupted();
        agents_clear(&a.agents);
        free(a.knows);
    }
    session_close(&s);
    return code;
}
