/* fleet_settle.c - once the hosts file is read: which group is above which, what holds for whom, what the URLs are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/addr.h"
#include "common/mem.h"
#include "common/nearest.h"
#include "fleet_store.h"

static const char *declared_name(const void *ctx, size_t i)
{
    const struct fleet *fleet = ctx;
    return fleet->store->group_parts[i].declared ? fleet->groups[i].name : NULL;
}

static bool groups_declared(const struct fleet *fleet, struct err *err)
{
    const struct store_group *parts = fleet->store->group_parts, *first = NULL;
    for (uint32_t i = 0; i < fleet->n_groups; i++)
        if (!parts[i].declared && (!first || parts[i].line < first->line))
            first = &parts[i];
    if (!first)
        return true;
    const char *name = fleet->groups[first - parts].name;
    const char *near = nearest_name(name, fleet->n_groups, declared_name, fleet);
    err_set(err, "there is no group %.100s: %s [%.100s]%s%s%s", name,
            first->wanted_vars ? "these variables need a section" : "a child group needs a section", name,
            near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return err_context(err, "%s:%u", fleet->path, first->line);
}

/* What was not put in order contains itself, or stands below something that does. */
static bool groups_loop(const struct fleet *fleet, struct err *err)
{
    const struct store_group *parts = fleet->store->group_parts;
    struct fleet_link *above = calloc(fleet->n_groups, sizeof *above); /* one parent each, and the line that says so */
    char text[300];
    size_t used = 0;
    uint32_t at = 0;
    if (!above)
        return err_set(err, "no memory");
    for (uint32_t i = 0; i < fleet->n_groups; i++)
        for (const struct fleet_link *l = parts[i].n_parents ? parts[i].children : NULL; l; l = l->next)
            if (parts[l->group].n_parents) {
                at = l->group;
                above[at] = (struct fleet_link){.group = i, .line = l->line};
            }
    for (uint32_t i = 0; i < fleet->n_groups; i++) /* climb until we surely go round */
        at = above[at].group;
    uint32_t start = at;
    do {
        used += (size_t)snprintf(text + used, sizeof text - used, "%.60s is in ", fleet->groups[at].name);
        at = above[at].group;
    } while (at != start && used < sizeof text - 80);
    snprintf(text + used, sizeof text - used, "%s%.60s", at == start ? "" : "... ", fleet->groups[start].name);
    err_set(err, "a group contains itself: %s", text);
    err_context(err, "%s:%u", fleet->path, above[start].line);
    free(above);
    return false;
}

/* Parents before children; a child is one deeper than its deepest parent. */
static bool groups_order(struct fleet *fleet, struct err *err)
{
    struct fleet_store *s = fleet->store;
    uint32_t done = 0, n = 0;
    for (uint32_t i = 0; i < fleet->n_groups; i++)
        for (const struct fleet_link *l = s->group_parts[i].children; l; l = l->next)
            s->group_parts[l->group].n_parents++;
    for (uint32_t i = 1; i < fleet->n_groups; i++)
        if (!s->group_parts[i].n_parents) {
            struct fleet_link *l = pool_take(&s->pool, sizeof *l);
            *l = (struct fleet_link){.next = s->group_parts[GROUP_ALL].children, .group = i};
            s->group_parts[GROUP_ALL].children = l;
            s->group_parts[i].n_parents = 1;
        }
    s->order = pool_take(&s->pool, fleet->n_groups * sizeof *s->order);
    if (!s->group_parts[GROUP_ALL].n_parents)
        s->order[n++] = GROUP_ALL;
    for (; done < n; done++) {
        const struct store_group *parent = &s->group_parts[s->order[done]];
        for (const struct fleet_link *l = parent->children; l; l = l->next) {
            struct store_group *child = &s->group_parts[l->group];
            if (child->depth < parent->depth + 1)
                child->depth = parent->depth + 1;
            if (!--child->n_parents)
                s->order[n++] = l->group;
        }
    }
    return n == fleet->n_groups || groups_loop(fleet, err);
}

struct sorted {
    const struct fleet_group *group;
    struct store_group *parts;
    long priority;
};

static int sorted_compare(const void *left, const void *right)
{
    const struct sorted *a = left, *b = right;
    if (a->parts->depth != b->parts->depth)
        return a->parts->depth < b->parts->depth ? -1 : 1;
    if (a->priority != b->priority)
        return a->priority < b->priority ? -1 : 1;
    return strcmp(a->group->name, b->group->name);
}

static void groups_rank(struct fleet *fleet)
{
    struct fleet_store *s = fleet->store;
    struct sorted *all = pool_take(&s->pool, fleet->n_groups * sizeof *all);
    for (uint32_t i = 0; i < fleet->n_groups; i++) {
        all[i] = (struct sorted){&fleet->groups[i], &s->group_parts[i], 1};
        for (const struct fleet_value *v = s->group_parts[i].values; v; v = v->next)
            if (v->id == VALUE_PRIORITY)
                all[i].priority = strtol(v->text, NULL, 10);
    }
    qsort(all, fleet->n_groups, sizeof *all, sorted_compare);
    for (uint32_t i = 0; i < fleet->n_groups; i++)
        all[i].parts->rank = i;
}

static void effective_take(const struct fleet_value **place, const struct fleet_value *value)
{
    if (value && (!*place || value->rank > (*place)->rank))
        *place = value;
}

static void groups_inherit(struct fleet *fleet)
{
    struct fleet_store *s = fleet->store;
    for (uint32_t i = 0; i < fleet->n_groups; i++) {
        struct store_group *group = &s->group_parts[i];
        group->effective = pool_take(&s->pool, VALUE_COUNT * sizeof *group->effective);
        for (struct fleet_value *v = group->values; v; v = v->next) {
            v->rank = group->rank;
            group->effective[v->id] = v;
        }
    }
    for (uint32_t i = 0; i < fleet->n_groups; i++) {
        const struct store_group *group = &s->group_parts[s->order[i]];
        for (const struct fleet_link *l = group->children; l; l = l->next)
            for (size_t id = 0; id < VALUE_COUNT; id++)
                effective_take(&s->group_parts[l->group].effective[id], group->effective[id]);
    }
}

/* Only hosts that are in no other group than `all` are in `ungrouped`. */
static void hosts_ungroup(struct fleet *fleet)
{
    struct fleet_store *s = fleet->store;
    for (uint32_t i = 0; i < fleet->n_hosts; i++) {
        bool grouped = false;
        struct fleet_link **in = &s->host_parts[i].groups;
        for (const struct fleet_link *l = *in; l; l = l->next)
            grouped = grouped || l->group > GROUP_UNGROUPED;
        while (*in)
            if ((*in)->group == GROUP_UNGROUPED)
                *in = (*in)->next;
            else
                in = &(*in)->next;
        if (!grouped) {
            *in = pool_take(&s->pool, sizeof **in);
            (*in)->group = GROUP_UNGROUPED;
        }
    }
}

char *fleet_fill(const struct fleet_host *host, const char *text)
{
    char filled[OPTION_TEXT_MAX * 4] = "";
    size_t used = 0;
    while (*text && used < sizeof filled) {
        size_t size = strcspn(text, "{");
        bool name = !strncmp(text + size, "{host}", 6);
        const char *with = !text[size] ? "" : name ? host->name : host->address;
        used += (size_t)snprintf(filled + used, sizeof filled - used, strchr(with, ':') ? "%.*s[%s]" : "%.*s%s",
                                 (int)size, text, with);
        text += size + (!text[size] ? 0 : name ? 6 : 9);
    }
    return mem_text(filled);
}

/* The same with slashes at the end cut. */
static const char *template_fill(struct fleet_store *s, const char *text, const struct fleet_host *host)
{
    char *filled = fleet_fill(host, text);
    size_t length = strlen(filled);
    while (length && filled[length - 1] == '/')
        length--;
    const char *kept = pool_text(&s->pool, filled, length);
    free(filled);
    return kept;
}

/* One URL of a host, and where its connection goes; each URL belongs to one host. */
static bool endpoint_set(struct fleet *fleet, uint32_t i, enum option_id id, struct names *taken, const char **url,
                         const char **address, struct err *err)
{
    struct fleet_store *s = fleet->store;
    struct fleet_host *host = &s->hosts[i];
    const struct fleet_value *value = fleet_value(fleet, i, id);
    unsigned line = value ? value->line : host->line;
    char name[256];
    *url = template_fill(s, value ? value->text : option_rows[id].fallback, host);
    if (!option_url(*url, name, err)) {
        err_context(err, "%s of %.100s", option_rows[id].key, host->name);
        return err_context(err, "%s:%u", fleet->path, line);
    }
    uint32_t owner = names_add(taken, *url, i);
    if (owner != i) {
        err_set(err, "%s and %s have the same %s, %.150s; write {host} in it, or one URL for each",
                fleet->hosts[owner].name, host->name, option_rows[id].key, *url);
        return err_context(err, "%s:%u", fleet->path, line);
    }
    *address = !strcmp(name, host->name) ? host->address : pool_keep(&s->pool, name);
    return true;
}

/* One or more of HOST:PORT, with commas between. */
static bool peer_check(const struct fleet *fleet, uint32_t i, const char *list, struct err *err)
{
    for (const char *p = list; *p; p += *p == ',') {
        size_t size = strcspn(p, ",");
        char item[sizeof((struct addr *)NULL)->host + 16];
        struct addr parsed;
        snprintf(item, sizeof item, "%.*s", (int)(size < sizeof item ? size : sizeof item - 1), p);
        if (!addr_parse(item, &parsed, err)) {
            err_context(err, "rollout_peer of %.100s", fleet->hosts[i].name);
            return err_context(err, "%s:%u", fleet->path, fleet_value(fleet, i, OPT_peer)->line);
        }
        p += size;
    }
    return true;
}

static bool hosts_fill(struct fleet *fleet, struct err *err)
{
    struct fleet_store *s = fleet->store;
    for (uint32_t i = 0; i < fleet->n_hosts; i++) {
        struct fleet_host *host = &s->hosts[i];
        const struct fleet_value *address = fleet_value(fleet, i, VALUE_ADDRESS);
        const char *zone = fleet_text(fleet, i, OPT_zone), *peer = fleet_text(fleet, i, OPT_peer);
        if (address)
            host->address = address->text;
        if (zone)
            host->zone = zone;
        if (peer)
            host->peer = template_fill(s, peer, host);
        if (peer && !peer_check(fleet, i, host->peer, err))
            return false;
        bool lb = fleet_text(fleet, i, OPT_api) != NULL;
        fleet->n_lbs += lb;
        if (!(lb ? endpoint_set(fleet, i, OPT_api, &s->api_urls, &host->api_url, &host->api_address, err)
                 : endpoint_set(fleet, i, OPT_agent, &s->agent_urls, &host->agent_url, &host->agent_address, err)))
            return false;
    }
    return true;
}

bool fleet_settle(struct fleet *fleet, struct err *err)
{
    if (!groups_declared(fleet, err) || !groups_order(fleet, err))
        return false;
    if (!fleet->n_hosts) {
        err_set(err, "%s: the file names no host", fleet->path);
        return false;
    }
    groups_rank(fleet);
    groups_inherit(fleet);
    hosts_ungroup(fleet);
    return hosts_fill(fleet, err);
}
