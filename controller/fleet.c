#include "fleet.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "fleet_store.h"

bool fleet_host_name_ok(const char *name)
{
    struct in6_addr unused;
    size_t length = strlen(name);
    if (strchr(name, ':'))
        return inet_pton(AF_INET6, name, &unused) == 1;
    return length > 0 && length <= FLEET_NAME_MAX && *name != '-' && *name != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == length;
}

/* Twice the room in an array of `size` byte items; the new half is zeroed. */
static void *grown(void *items, uint32_t room, size_t size)
{
    char *more = reallocarray(items, room ? room * 2 : 64, size);
    if (!more)
        abort(); /* as pool.h */
    memset(more + room * size, 0, (room ? room : 64) * size);
    return more;
}

uint32_t fleet_host_new(struct fleet *fleet, const char *name, unsigned line)
{
    struct fleet_store *s = fleet->store;
    int64_t found = names_find(&s->host_names, name);
    if (found >= 0)
        return (uint32_t)found;
    if (fleet->n_hosts == s->hosts_room) {
        s->hosts = grown(s->hosts, s->hosts_room, sizeof *s->hosts);
        s->host_parts = grown(s->host_parts, s->hosts_room, sizeof *s->host_parts);
        s->hosts_room = s->hosts_room ? s->hosts_room * 2 : 64;
        fleet->hosts = s->hosts;
    }
    const char *kept = pool_keep(&s->pool, name);
    uint32_t host = fleet->n_hosts++;
    s->hosts[host] = (struct fleet_host){.name = kept, .address = kept, .zone = "", .line = line};
    return names_add(&s->host_names, kept, host);
}

uint32_t fleet_group_new(struct fleet *fleet, const char *name, unsigned line)
{
    struct fleet_store *s = fleet->store;
    int64_t found = names_find(&s->group_names, name);
    if (found >= 0)
        return (uint32_t)found;
    if (fleet->n_groups == s->groups_room) {
        s->groups = grown(s->groups, s->groups_room, sizeof *s->groups);
        s->group_parts = grown(s->group_parts, s->groups_room, sizeof *s->group_parts);
        s->groups_room = s->groups_room ? s->groups_room * 2 : 64;
        fleet->groups = s->groups;
    }
    uint32_t group = fleet->n_groups++;
    s->groups[group].name = pool_keep(&s->pool, name);
    s->group_parts[group].line = line;
    return names_add(&s->group_names, s->groups[group].name, group);
}

static bool fleet_make(const char *path, const char *bytes, size_t size_bytes, struct fleet **out, struct err *err)
{
    struct fleet *fleet = calloc(1, sizeof *fleet);
    struct fleet_store *store = calloc(1, sizeof *store);
    if (!fleet || !store)
        abort(); /* as pool.h */
    *out = fleet;
    fleet->store = store;
    fleet->path = pool_keep(&store->pool, path);
    fleet_group_new(fleet, "all", 0);
    fleet_group_new(fleet, "ungrouped", 0);
    store->group_parts[GROUP_ALL].declared = store->group_parts[GROUP_UNGROUPED].declared = true;
    if (fleet_read(fleet, bytes, size_bytes, err) && fleet_settle(fleet, err))
        return true;
    fleet_free(out);
    return false;
}

bool fleet_load(const char *path, struct fleet **out, struct err *err)
{
    return fleet_make(path, NULL, 0, out, err);
}

bool fleet_parse(const char *path, const char *bytes, size_t size_bytes, struct fleet **out, struct err *err)
{
    return fleet_make(path, bytes ? bytes : "", size_bytes, out, err);
}

void fleet_free(struct fleet **fleet)
{
    if (!*fleet)
        return;
    struct fleet_store *s = (*fleet)->store;
    names_free(&s->host_names);
    names_free(&s->group_names);
    names_free(&s->api_urls);
    names_free(&s->agent_urls);
    pool_free(&s->pool);
    free(s->hosts);
    free(s->host_parts);
    free(s->groups);
    free(s->group_parts);
    free(s);
    free(*fleet);
    *fleet = NULL;
}

bool fleet_add_lb(struct fleet *fleet, const char *url, struct err *err)
{
    struct fleet_store *s = fleet->store;
    char host[256];
    if (!option_url(url, host, err))
        return err_context(err, "--lb");
    size_t size = strlen(url);
    while (url[size - 1] == '/')
        size--;
    const char *kept = pool_text(&s->pool, url, size), *at = strstr(kept, "//") + 2;
    if (names_find(&s->api_urls, kept) >= 0)
        return true;
    const char *name = pool_text(&s->pool, at, strcspn(at, "/"));
    uint32_t lb = fleet_host_new(fleet, names_find(&s->host_names, name) < 0 ? name : kept, 0);
    names_add(&s->api_urls, kept, lb);
    s->hosts[lb].api_url = kept;
    s->hosts[lb].address = s->hosts[lb].api_address = pool_keep(&s->pool, host);
    fleet->n_lbs++;
    return true;
}

int64_t fleet_find_host(const struct fleet *fleet, const char *name)
{
    return names_find(&fleet->store->host_names, name);
}

int64_t fleet_find_group(const struct fleet *fleet, const char *name)
{
    return names_find(&fleet->store->group_names, name);
}

void fleet_mark_members(const struct fleet *fleet, bool *groups, bool *hosts)
{
    const struct fleet_store *s = fleet->store;
    for (uint32_t i = 0; i < fleet->n_groups; i++)
        if (groups[s->order[i]])
            for (const struct fleet_link *child = s->group_parts[s->order[i]].children; child; child = child->next)
                groups[child->group] = true;
    for (uint32_t i = 0; i < fleet->n_hosts; i++)
        for (const struct fleet_link *in = s->host_parts[i].groups; in && !hosts[i]; in = in->next)
            hosts[i] = groups[in->group];
}

const struct fleet_value *fleet_value(const struct fleet *fleet, uint32_t host, uint32_t id)
{
    const struct fleet_store *s = fleet->store;
    const struct fleet_value *best = NULL;
    for (const struct fleet_value *own = s->host_parts[host].values; own; own = own->next)
        if (own->id == id)
            return own;
    for (const struct fleet_link *in = s->host_parts[host].groups; in; in = in->next) {
        const struct fleet_value *its = s->group_parts[in->group].effective[id];
        if (its && (!best || its->rank > best->rank))
            best = its;
    }
    return best;
}

const char *fleet_text(const struct fleet *fleet, uint32_t host, enum option_id id)
{
    const struct fleet_value *value = fleet_value(fleet, host, id);
    return value ? value->text : NULL;
}
