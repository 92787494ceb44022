/* agent.h - a rollout-agent on a stage, over mutual TLS, for one demo-server, or another program, as its service `app`.
 */
#ifndef STAGE_AGENT_H
#define STAGE_AGENT_H

#include "tests/stage/ca.h"
#include "tests/stage/proc.h"
#include "tests/stage/server.h"

struct stage_agent {
    struct stage *stage;
    const char *node; /* its name, in the inventory and in its certificate */
    uint16_t port;    /* of 127.0.0.1 */
    const char *base; /* "https://NODE:PORT" (or http://127.0.0.1:PORT when plain); connections go to 127.0.0.1 */
    const char *conf_path, *state_dir;
    bool plain;
    struct stage_proc *proc;   /* both halves, or the network half */
    const char *socket;        /* of two halves that are started by themselves, else NULL */
    struct stage_proc *helper; /* the helper half then */
};

/* extra: lines put at the end of the config (they fall into [service app]); NULL: none. Releases need no signature,
 * unless a sign-key is among them. */
struct stage_agent *stage_agent_start(struct stage *s, const char *node, struct stage_server *server, bool plain,
                                      const char *extra);
/* Its halves as two processes of their own. agent_keys: lines of the section [agent]. */
struct stage_agent *stage_agent_start_halves(struct stage *s, const char *node, struct stage_server *server,
                                             const char *agent_keys, const char *extra);
/* The same, but nothing is started. */
struct stage_agent *stage_agent_prepare_halves(struct stage *s, const char *node, struct stage_server *server,
                                               const char *agent_keys, const char *extra);
void stage_agent_helper_again(struct stage_agent *a); /* start the helper half (again), and nothing else */
void stage_agent_await_helper(struct stage_agent *a); /* until its socket is there */
/* The same for any other service: `service` is all that stands in [service app]. */
struct stage_agent *stage_agent_start_for(struct stage *s, const char *node, bool plain, const char *service);
void stage_agent_stop(struct stage_agent *a, int signal);
void stage_agent_again(struct stage_agent *a); /* start it again: same config, port and state folder */

/* A request as the controller (certificate "controller"). path: "/v1/services/app". */
struct stage_answer *stage_agent_http(struct stage_agent *a, const char *method, const char *path, const char *body);
/* A request with another certificate, and a body that may hold any bytes. */
struct stage_answer *stage_agent_http_as(struct stage_agent *a, const struct stage_tls *tls, const char *method,
                                         const char *path, const char *headers, const void *body, size_t body_size);

#endif
