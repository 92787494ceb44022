/* hook_facts.h - what a hook is told: the same as a JSON document on its input and, but for lists of objects, as
 * environment variables. Pure. No certificate, key or password is among them, and no option of ours. */
#ifndef CONTROLLER_HOOK_FACTS_H
#define CONTROLLER_HOOK_FACTS_H

#include <jansson.h>

#include "view.h"

/* FACT(name, VARIABLE, "what it is, for the documentation"): ROLLOUT_VARIABLE */
#define HOOK_FACTS(X)                                                                                                  \
    X(v, V, "1: the version of this document")                                                                         \
    X(point, POINT, "before-drain, after-handover, after-readd or at-end")                                             \
    X(id, ID, "the rollout's id")                                                                                      \
    X(kind, KIND, "roll or rollback")                                                                                  \
    X(holder, HOLDER, "who rolls, and where")                                                                          \
    X(fence, FENCE, "a number that is higher for each run, also of the same id")                                       \
    X(service, SERVICE, "of the node; at the end all of the rollout")                                                  \
    X(version, VERSION, "--version, or nothing")                                                                       \
    X(release, RELEASE_SHA256, "SHA-256 of the release that the rollout brings; nothing for a restart")                \
    X(total, TOTAL, "nodes of the rollout; of these are")                                                              \
    X(done, DONE, "done well")                                                                                         \
    X(failed, FAILED, "failed, in rotation")                                                                           \
    X(out, OUT, "out of rotation, and nobody moves them any more")                                                     \
    X(node, NODE, "the node's name")                                                                                   \
    X(host, HOST, "its name in the hosts file, which differs where it has several services")                           \
    X(address, ADDRESS, "its ansible_host")                                                                            \
    X(zone, ZONE, "its rollout_zone")                                                                                  \
    X(step, STEP, "of rollout --explain")                                                                              \
    X(from, FROM, "SHA-256 of what ran there when the rollout came to it")                                             \
    X(to, TO, "SHA-256 of what is to run there")                                                                       \
    X(pid, PID, "of its service, as last confirmed; 0 = not known")                                                    \
    X(upstreams, UPSTREAMS, "names of its upstreams")                                                                  \
    X(lbs, LBS, "names of their load balancers")                                                                       \
    X(peers, PEERS, "its servers there, each as SERVER of UPSTREAM at LB")                                             \
    X(in_place, IN_PLACE, "it is not taken out")                                                                       \
    X(reverse, REVERSE, "it is taken back to TO")                                                                      \
    X(resumed, RESUMED, "an earlier run of this rollout left it in motion, and may have run this hook already")        \
    X(node_failed, NODE_FAILED, "it has failed before this hook")                                                      \
    X(why, WHY, "then: why")                                                                                           \
    X(exit_code, EXIT_CODE, "of the rollout")                                                                          \
    X(outcome, OUTCOME, "the exit code in words")                                                                      \
    X(failed_nodes, FAILED_NODES, "names of those that have failed")                                                   \
    X(out_nodes, OUT_NODES, "names of those that are out")                                                             \
    X(nodes, NODES, "what became of each (not in the environment), as in the report of docs/events.md")

enum hook_fact {
#define X(name, variable, what) HOOK_FACT_##name,
    HOOK_FACTS(X)
#undef X
        HOOK_FACT_COUNT
};

/* For the hook of a node that the view shows in its step. */
json_t *hook_facts_of_node(const struct view *, uint16_t node);
/* For a hook of the end, which comes to that exit code. */
json_t *hook_facts_of_end(const struct view *, int exit_code);

/* The environment of a hook: `base` without all that begins with ROLLOUT_, and the facts of its document: yes and no
 * are 1 and 0, null is "", the members of a list have commas between them. One block, to be freed with free(). */
char **hook_env(const json_t *document, char *const *base);

/* Of an environment variable of this program: within a hook it is a fact, not an option. */
bool hook_tells(char *const *env, const char *name);

#endif
