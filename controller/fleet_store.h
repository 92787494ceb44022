/* fleet_store.h - what stands behind struct fleet; for fleet.c, fleet_read.c and fleet_settle.c only. */
#ifndef CONTROLLER_FLEET_STORE_H
#define CONTROLLER_FLEET_STORE_H

#include "fleet.h"
#include "names.h"
#include "pool.h"

/* What the inventory sets: one of our keys (id = enum option_id), or one of these two of Ansible's. */
enum { VALUE_ADDRESS = OPT_COUNT, VALUE_PRIORITY, VALUE_COUNT };

enum { GROUP_ALL, GROUP_UNGROUPED }; /* indexes of the two that are always there */

struct fleet_value {
    struct fleet_value *next;
    const char *text;
    unsigned line;
    uint32_t rank; /* of the group that it belongs to: the higher one wins */
    uint32_t id;
};

struct fleet_link {
    struct fleet_link *next;
    uint32_t group;
    unsigned line;
};

struct store_host {
    struct fleet_value *values; /* its own */
    struct fleet_link *groups;  /* those that list it */
};

struct store_group {
    struct fleet_value *values; /* its own */
    struct fleet_link *children;
    const struct fleet_value **effective; /* by id: what holds here, inherited values too */
    uint32_t depth, rank, n_parents;
    bool declared;    /* by [group] or [group:children]; else only spoken of, by line and by one of: */
    bool wanted_vars; /* [group:vars], or a [parent:children] */
    unsigned line;
};

struct fleet_store {
    struct pool pool;
    struct names host_names, group_names, api_urls, agent_urls;
    struct fleet_host *hosts; /* what fleet->hosts points to */
    struct fleet_group *groups;
    struct store_host *host_parts; /* as long as hosts */
    struct store_group *group_parts;
    uint32_t hosts_room, groups_room;
    uint32_t *order; /* groups, parents before children */
};

/* fleet.c */
uint32_t fleet_host_new(struct fleet *, const char *name, unsigned line);  /* or the one of that name */
uint32_t fleet_group_new(struct fleet *, const char *name, unsigned line); /* or the one of that name */
const struct fleet_value *fleet_value(const struct fleet *, uint32_t host, uint32_t id);
bool fleet_host_name_ok(const char *name); /* letters, digits, . _ - or an IPv6 address */

/* fleet_read.c: the file's lines into the store. */
bool fleet_read(struct fleet *, const char *bytes, size_t size_bytes, struct err *err); /* bytes NULL: from the file */

/* fleet_settle.c: once all is read: groups in order, what holds for whom, URLs filled in. */
bool fleet_settle(struct fleet *, struct err *err);

#endif
