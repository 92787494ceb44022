#include "inventory.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/addr.h"
#include "common/mem.h"

#define NAME_MAX_BYTES 64

/* One host behind an upstream, whatever its ports. */
struct member {
    const char *upstream;
    char name[NAME_MAX_BYTES + 1];
    char address[256]; /* "" where the name is it */
};

struct members {
    struct member *rows;
    size_t n;
    unsigned odd; /* peers that are no host: unix sockets */
};

/* What may stand in a hosts file as a name. */
static void put_name(char to[NAME_MAX_BYTES + 1], const char *text, const char *also)
{
    size_t n = 0;

    for (; *text != '\0' && n < NAME_MAX_BYTES; text++)
        to[n++] = isalnum((unsigned char)*text) || strchr(also, *text) != NULL ? *text : '_';
    to[n] = '\0';
}

static bool is_number(const char *host)
{
    return host[strspn(host, "0123456789.")] == '\0' || strchr(host, ':') != NULL;
}

/* The name that nginx's configuration has for it, where that is one. */
static void name_member(struct member *m, const struct survey_peer *peer, const char *address)
{
    struct addr configured;

    if (addr_parse(peer->name, &configured, NULL) && configured.host[0] != '\0' && !is_number(configured.host)) {
        put_name(m->name, configured.host, "._-");
        (void)snprintf(m->address, sizeof m->address, "%s", strcmp(m->name, address) == 0 ? "" : address);
    } else if (strchr(address, ':') != NULL) {
        put_name(m->name, address, "");
        (void)snprintf(m->address, sizeof m->address, "%s", address);
    } else {
        put_name(m->name, address, "._-");
    }
}

static bool is_there(const struct members *all, const struct member *m)
{
    for (size_t i = 0; i < all->n; i++)
        if (strcmp(all->rows[i].upstream, m->upstream) == 0 && strcmp(all->rows[i].name, m->name) == 0)
            return true;
    return false;
}

static void add_peer(struct members *all, const char *upstream, const struct survey_peer *peer)
{
    struct member m = {.upstream = upstream};
    struct addr address;

    if (!addr_parse(peer->server, &address, NULL) || address.host[0] == '\0') {
        all->odd++;
        return;
    }
    name_member(&m, peer, address.host);
    if (is_there(all, &m))
        return;
    all->rows = mem_grow(all->rows, all->n + 1, sizeof *all->rows);
    all->rows[all->n++] = m;
}

static struct members gather(const struct survey *s)
{
    struct members all = {0};

    for (uint32_t l = 0; l < s->n_lbs; l++)
        for (uint32_t u = 0; u < s->lbs[l].n_upstreams; u++)
            for (uint32_t i = 0; i < s->lbs[l].upstreams[u].n_peers; i++)
                add_peer(&all, s->lbs[l].upstreams[u].name, &s->lbs[l].upstreams[u].peers[i]);
    return all;
}

static void write_lbs(FILE *f, const struct fleet *fleet, const struct survey *s)
{
    (void)fputs("[lb]\n", f);
    for (uint32_t l = 0; l < s->n_lbs; l++) {
        (void)fprintf(f, "lb%u  rollout_api=%s\n", l + 1, fleet->hosts[s->lbs[l].host].api_url);
        if (!s->lbs[l].good)
            (void)fprintf(f, "# could not be read: %s\n", s->lbs[l].text);
    }
}

/* Its own values stand where a host is first named: twice the same would be a mistake. */
static bool is_first(const struct members *all, size_t row)
{
    for (size_t i = 0; i < row; i++)
        if (strcmp(all->rows[i].name, all->rows[row].name) == 0)
            return false;
    return true;
}

/* One of its hosts is in another group as well: only one of the two could say what service runs there. */
static bool shares_hosts(const struct members *all, const char *upstream)
{
    for (size_t i = 0; i < all->n; i++)
        for (size_t j = 0; strcmp(all->rows[i].upstream, upstream) == 0 && j < all->n; j++)
            if (strcmp(all->rows[j].upstream, upstream) != 0 && strcmp(all->rows[j].name, all->rows[i].name) == 0)
                return true;
    return false;
}

static void write_group(FILE *f, const struct members *all, const char *upstream)
{
    char group[NAME_MAX_BYTES + 1];

    put_name(group, upstream, "_");
    (void)fprintf(f, "\n[%s]\n", group);
    for (size_t i = 0; i < all->n; i++) {
        const struct member *m = &all->rows[i];

        if (strcmp(m->upstream, upstream) != 0)
            continue;
        (void)fprintf(f, "%s", m->name);
        if (m->address[0] != '\0' && is_first(all, i))
            (void)fprintf(f, "  ansible_host=%s", m->address);
        (void)fputc('\n', f);
    }
    if (shares_hosts(all, upstream))
        (void)fprintf(
            f,
            "\n# [%s:vars]  its hosts are in another group, too: say below [all:vars] what service it is, or\n"
            "# for each rollout: --limit %s --service NAME\n# rollout_service=%s\n",
            group, group, group);
    else
        (void)fprintf(f, "\n[%s:vars]\n# as the agents' configuration names it: [service NAME]\nrollout_service=%s\n",
                      group, group);
}

static void write_file(FILE *f, const char *key, const char *path, const char *example)
{
    if (path != NULL)
        (void)fprintf(f, "%s=%s\n", key, path);
    else if (example != NULL)
        (void)fprintf(f, "# %s=%s\n", key, example);
}

static void write_files(FILE *f, const struct inventory_files *files)
{
    (void)fputs("\n[all:vars]\n# how the agents and load balancers know us, and who signed their certificates\n", f);
    write_file(f, "rollout_cert", files->cert, "/etc/rollout/client.pem");
    write_file(f, "rollout_key", files->key, NULL);
    write_file(f, "rollout_cacert", files->cacert, "/etc/rollout/ca.pem");
    write_file(f, "rollout_lb_auth_file", files->lb_auth, NULL);
}

unsigned inventory_write(FILE *f, const struct fleet *fleet, const struct survey *s,
                         const struct inventory_files *files)
{
    struct members all = gather(s);
    unsigned nodes = 0, groups = 0;

    (void)fputs(
        "# A hosts file for rollout, made of what the load balancers list. Look through it: hosts are to be named as\n"
        "# their agents (`node =`) and certificates name them; then `rollout plan --hosts THIS-FILE`.\n\n",
        f);
    write_lbs(f, fleet, s);
    if (all.odd > 0)
        (void)fprintf(f, "# %u peer%s no host (unix sockets)\n", all.odd, all.odd == 1 ? " is" : "s are");
    for (size_t i = 0; i < all.n; i++) {
        bool first = true;

        for (size_t j = 0; j < i; j++)
            first = first && strcmp(all.rows[j].upstream, all.rows[i].upstream) != 0;
        if (first)
            write_group(f, &all, all.rows[i].upstream);
        nodes += is_first(&all, i) ? 1 : 0;
        groups += first ? 1 : 0;
    }
    if (groups > 1)
        (void)fputs("\n# a rollout is of one service, or of several on the same hosts: --limit names a group\n", f);
    write_files(f, files);
    free(all.rows);
    return nodes;
}
