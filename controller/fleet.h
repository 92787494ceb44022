/* clang-format off */
/* fleet.h - the hosts file: who the nodes and load balancers are, and what is set for each.
 *
 * A subset of Ansible's INI inventory (docs.ansible.com, ansible.builtin.ini), read the same way; `make check-inventory`
 * compares the two:
 *   web1 key=value k2="two words"  a host and its values, split like a shell does: quotes, backslashes, # begins a
 *                                  comment; a second pair of quotes around a value is taken off as in [web:vars]
 *   web[01:20:2].dc[a:c]           ranges NUMBER:NUMBER[:STEP] or LETTER:LETTER[:STEP], both ends included; with a
 *                                  leading zero both ends have the same width, and all hosts have it. Several in one
 *                                  name: all combinations, the last one fastest
 *   web1:22                        the port is that of SSH: not ours, passed over. An IPv6 address is written bare, or
 *                                  better as ansible_host of a host with a name
 *   [web]                          hosts of a group; may be opened again. Before the first section: [ungrouped]
 *   [web:vars]                     one `key = value` a line, for all hosts of the group; the value is the rest of the
 *                                  line; one pair of quotes around it is taken off, \\ \' \" between them are \ ' "
 *   [site:children]                groups, one a line, whose hosts are also in `site`; groups may be defined later
 *   [all], [ungrouped]             are always there; every host is in `all`, those in no other group are in `ungrouped`
 * What holds for a host: its own value; else that of the deepest of its groups (`all` is the shallowest, a child is
 * deeper than its parents); at the same depth the higher `ansible_group_priority` (default 1), then the name last in
 * alphabet.
 *
 * Stricter than Ansible, because a typing error here takes down a service: a host twice in one group; two different
 * values for the same key in one group or, of one host, in two places; unknown keys that begin with rollout_; names
 * that are no host names; ranges that run backwards, or from a small letter to a capital; a range at the start of a
 * line; a port where Ansible sees none (behind a name with [:9], or with a part that ends in - or _); two load balancers
 * or two nodes with the same URL; what ends a line for Ansible only (\r \v \f, U+0085, U+2028), outside of lines that
 * are all comment. Of the values that we look at: what follows a closing quote, a letter in front of one
 * (r'...'), escapes of Python's that make another character, a quote of [web:vars] that does not end.
 *
 * Other than Ansible: values are texts. 1.10 stays 1.10, True and [1, 2] are those letters. And in [web:vars] a # behind
 * a blank begins a comment behind a plain value, too, where Ansible takes it for a part of the text.
 *
 * `ansible_host` is honoured. All other foreign keys are passed over, values that they would change (templates, host_vars
 * files) are not seen.
 *
 * A relative path in a value means: from the folder of the hosts file. Errors name file and line and are for exit 78.
 */
/* clang-format on */
#ifndef CONTROLLER_FLEET_H
#define CONTROLLER_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "option.h"

#define FLEET_HOSTS_MAX  100000
#define FLEET_GROUPS_MAX 10000
#define FLEET_NAME_MAX   253 /* bytes of a host's or a group's name */

/* A host is a load balancer (api_url) or a node (agent_url). The TLS name is that of the URL; the connection goes to
 * *_address, which is the host's address when the URL names the host by its inventory name, else the URL's own host. */
struct fleet_host {
    const char *name;    /* inventory name, for people and certificates */
    const char *address; /* ansible_host, or the name */
    const char *api_url; /* NULL: a node. {host} is filled in, no slash at the end */
    const char *api_address;
    const char *agent_url; /* NULL: a load balancer */
    const char *agent_address;
    const char *zone; /* "" = none */
    const char
        *peer;     /* HOST:PORT,... of all its peers at nginx where they cannot be found otherwise; NULL = find them */
    unsigned line; /* of the hosts file, where it was first named; 0 = by --lb */
};

struct fleet_group {
    const char *name;
};

/* Read-only for everybody else. Everything in it lives until fleet_free. */
struct fleet {
    const char *path; /* the hosts file as named */
    uint32_t n_hosts, n_groups, n_lbs;
    const struct fleet_host *hosts;   /* in file order, then those of --lb */
    const struct fleet_group *groups; /* `all`, `ungrouped`, then in the order they are first named */
    struct fleet_store *store;        /* owner of all that */
};

/* Read a hosts file. *out is NULL on failure. */
bool fleet_load(const char *path, struct fleet **out, struct err *err);

/* The same from memory; `path` only names it (and gives the folder of relative paths). */
bool fleet_parse(const char *path, const char *bytes, size_t size_bytes, struct fleet **out, struct err *err);

/* One more load balancer, by the URL of --lb; its name is the URL's HOST:PORT. An URL that is there already is not
 * added again. May move fleet->hosts. */
bool fleet_add_lb(struct fleet *fleet, const char *url, struct err *err);

void fleet_free(struct fleet **fleet);

/* Index of the host or group of that name, or -1. Hashed. */
int64_t fleet_find_host(const struct fleet *fleet, const char *name);
int64_t fleet_find_group(const struct fleet *fleet, const char *name);

/* Who is in a group: groups[] (n_groups) says which are asked for and afterwards has their children too; hosts[]
 * (n_hosts) becomes true for the members and is not touched for others. */
void fleet_mark_members(const struct fleet *fleet, bool *groups, bool *hosts);

/* What the hosts file sets for a host: the text as it stands there (paths made absolute or relative to where we run;
 * checked by option_read already), or NULL. No defaults, {host} not filled in. */
const char *fleet_text(const struct fleet *fleet, uint32_t host, enum option_id id);

/* {host} and {address} filled in, in a TEMPLATE that option_read has checked. The caller frees it. */
char *fleet_fill(const struct fleet_host *host, const char *text);

#endif
