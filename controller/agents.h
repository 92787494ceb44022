/* agents.h - what `rollout agents` shows: each agent of the fleet, and what it says of its services. Facts, and how
 * they look; who asks is command_agents.c. */
#ifndef CONTROLLER_AGENTS_H
#define CONTROLLER_AGENTS_H

#include <jansson.h>
#include <stdio.h>

#include "agent_read.h"

struct agents_row {
    const char *node; /* inventory name; borrowed */
    bool good;        /* all below is there; else text says why not */
    char text[ANSWER_TEXT_MAX];
    int64_t cert_ends_s; /* UNIX seconds, of the certificate that it showed; <= 0: none, or not known */
    struct agent_root root;
    struct agent_status *services; /* owned */
    uint32_t n_services;
};

struct agents {
    struct agents_row *rows; /* owned */
    size_t n;
};

/* It has a claim that says what was taken out, living or not. */
bool agents_is_out(const struct agent_status *);

/* 3: a service is out; 4: an agent could not be asked, or is another's; 0. The worst of them. */
int agents_exit_code(const struct agents *);

/* A line for each service, below a line of headings; for an agent that could not be asked the reason. now_s: UNIX
 * seconds. What agents say is printed without control characters. */
void agents_print(FILE *, const struct agents *, int64_t now_s);

/* {"agents":[{"node","reachable":BOOL,"why":TEXT|null,"agent":VERSION|null,"certificate_ends":TIME|null,
 *   "services":[{"service","version":TEXT|null,"running":BOOL,"pid":N|null,"running_sha256":HEX|null,
 *                "installed_sha256":HEX|null,"out":BOOL,"claim":{"rollout","holder","fence","left"}|null,
 *                "job":{"id","action":TEXT|null,"state":"running|done|failed","code":TEXT|null}|null}]}]}
 * A new reference. */
json_t *agents_json(const struct agents *);

void agents_clear(struct agents *);

#endif
