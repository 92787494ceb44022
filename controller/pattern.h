/* pattern.h - which nodes --limit means, in Ansible's pattern language.
 *
 *   web1  web  web*  web[1-3]?  all  *    a host or a group by name or wildcard (? * [abc] [!abc]); `all` = every host
 *   ~web\d+                               regular expression over the names, anchored at the start (pattern_regex.h)
 *   web[0]  web[-1]  web[0:2]  web[3:]    by position among the part's nodes, from 0, both ends included
 *   a,b  a:b                              union; with a comma anywhere, colons are part of the names
 *   &b                                    only those that are also in b
 *   !b                                    without b
 * Whatever their order, unions come first, then &, then !; only & and ! start from all. A name that is a host is that
 * host even where a group has its name. Blanks around a part do not count. Order and duplicates: as in the hosts file,
 * once.
 *
 * `make check-inventory` compares. Stricter than Ansible: a part that fits nothing; a position that is not there;
 * [^abc] and [[:alpha:]]; web[1-3] at the end, which Ansible counts as positions; &b and !b where b is a host and a
 * group. Other than Ansible: positions count nodes only, in the order of the hosts file; Ansible counts load balancers,
 * too, and first a group's own hosts, as it lists them, then those of its children. */
#ifndef CONTROLLER_PATTERN_H
#define CONTROLLER_PATTERN_H

#include "fleet.h"

/* *nodes: indexes into fleet->hosts of the nodes meant, in file order, for the caller to free. pattern NULL: all nodes.
 * Load balancers are never in it and need not be named: all of them always take part. False with a sentence where a
 * part matches no host or group at all (with the nearest known name), a position is outside, a regular expression is
 * wrong, or no node is left. */
bool pattern_match(const struct fleet *fleet, const char *pattern, uint32_t **nodes, size_t *n_nodes, struct err *err);

#endif
