/* plan_health.c - who checks a node's health, and whether that can be whom it says. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/addr.h"
#include "common/mem.h"
#include "options_health.h"
#include "plan_make.h"

const char *plan_health_url(struct plan *p, const struct fleet *f, const struct options *o, const struct survey_node *n)
{
    char *url = options_health_url(o, f, n->host, n->service);
    const char *kept = plan_keep(p, url);

    free(url);
    return kept;
}

static bool is_numeric(const char *host)
{
    struct in6_addr unused;

    return inet_pton(AF_INET, host, &unused) == 1 || inet_pton(AF_INET6, host, &unused) == 1;
}

/* ADDR:PORT of an URL; NULL where it has a name, which others may resolve otherwise than we. */
static char *address_of(const char *url)
{
    const char *at = strstr(url, "://") + 3, *scheme_port = strncmp(url, "https", 5) == 0 ? ":443" : ":80";
    size_t size = strcspn(at, "/");
    const char *port = memrchr(at, ':', size);
    bool has_port = port != NULL && memchr(port, ']', (size_t)(at + size - port)) == NULL; /* no colon of an IPv6 one */
    char host[256];

    if (!option_url(url, host, NULL) || !is_numeric(host))
        return NULL;
    return mem_format("%.*s%s", (int)size, at, has_port ? "" : scheme_port);
}

/* A good answer of another machine, or of another service there, says nothing. Behind NAT nobody can tell. */
static void check_url(const char *name, const struct fleet_host *h, const struct agent_status *st, const char *url,
                      struct complaints *c)
{
    char *address = address_of(url);
    bool found = address == NULL || h->peer != NULL;

    for (uint32_t i = 0; i < st->n_listening && !found; i++)
        found = addr_same(st->listening[i], address);
    if (!found)
        complain(c, EXIT_REFUSED, "%s: its service does not listen on %s, so its health URL %s asks somebody else",
                 name, address, url);
    free(address);
}

/* An agent that does not know the question would check less, and say that all is well. */
static void check_agent(const struct fleet_host *h, const struct options *o, const struct agent_root *root,
                        struct complaints *c)
{
    bool plain = o->health_body == NULL && o->health_status.low == 200 && o->health_status.high == 299;

    if (!plain && !agent_root_has(root, "health-match"))
        complain(c, EXIT_REFUSED,
                 "%s: its agent (%s) does not know --health-status and --health-body; upgrade the agent, or use "
                 "--health-from controller",
                 h->name, root->agent);
}

/* Else every node would be taken out, restarted, and taken for ill. */
static void check_time(const struct options *o, struct complaints *c)
{
    uint64_t checks_ms = (uint64_t)(o->success_threshold - 1) * o->health_interval_ms;
    uint64_t least_ms = checks_ms > o->min_healthy_time_ms ? checks_ms : o->min_healthy_time_ms;

    if (least_ms >= o->healthy_deadline_ms)
        complain(
            c, EXIT_REFUSED,
            "no node can be healthy by --healthy-deadline: --min-healthy-time, and --success-threshold checks, take "
            "at least as long");
}

void plan_check_health(const struct fleet *f, const struct options *o, const struct survey *s, struct complaints *c)
{
    check_time(o, c);
    for (uint32_t i = 0; i < s->n_nodes; i++) {
        const struct survey_node *n = &s->nodes[i];
        char *url = options_health_url(o, f, n->host, n->service);

        if (n->good && url == NULL)
            check_agent(&f->hosts[n->host], o, &n->root, c);
        else if (n->good)
            check_url(survey_node_name(f, n), &f->hosts[n->host], &n->status, url, c);
        free(url);
    }
}
