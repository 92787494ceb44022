/* given.h - what the caller gave, kept in the plan and so in the journal: a resume needs neither the hosts file nor the
 * flags again. Only our own keys, so that no secret of another program's gets there; our own secrets are in files, of
 * which the paths are kept. */
#ifndef CONTROLLER_GIVEN_H
#define CONTROLLER_GIVEN_H

#include "fleet.h"
#include "options.h"

/* The hosts file anew: load balancers, then these nodes (n_nodes indexes into fleet->hosts) with all that holds for
 * each, a line each; not those of --lb. All other nodes are in a group of their own behind them. Paths are made
 * absolute: from `cwd`. The caller frees it. */
#define GIVEN_ASIDE "rollout-limited-out"
char *given_hosts(const struct fleet *, const uint32_t *nodes, size_t n_nodes, const char *cwd);

/* The --limit that means the nodes of such a file, and of them those that `limit` (NULL = all) means. The caller frees
 * it; NULL = all. */
char *given_limit(const struct fleet *, const char *limit);

/* What came by flag or environment, as JSON {"flag":"value"}; but not what belongs to one run: its id, its journal, how
 * it speaks. */
char *given_options(const struct options *, const char *cwd);

/* Take that over where neither flag nor environment speaks now; a hosts file's word comes behind it. hosts: a hosts
 * file is read, for which --limit holds; else one of given_hosts, which tells those nodes from all others. False: it
 * makes no sense. */
bool given_options_again(struct options *, const char *given, bool hosts, struct err *);

#endif
