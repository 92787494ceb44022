/* agent.h - one half of the daemon; one of it a process.
 *
 * The network half (network.h) has the sockets, TLS, HTTP and the limits, and nothing that could change the node. The
 * helper half (helper.h) has services, claims, jobs, releases and wishes, and no door but the socket between them
 * (frame.h). `rollout-agent` without helper-socket is both: the started process becomes the network half, its child the
 * helper half, and neither outlives the other. With helper-socket `rollout-agent` is the network half and
 * `rollout-agent
 * --helper` the other; each may end and come again while the other goes on. */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "config.h"
#include "ident.h"
#include "loop.h"

struct service;

struct agent {
    struct config config;
    const char *config_path; /* borrowed */
    struct loop *loop;

    /* the helper half's */
    char boot_id[BOOT_ID_TEXT];
    struct service *services;       /* config.service_count of them, in the file's order; owned */
    struct loop_timer reload_timer; /* a reload waits for a job's end */
    int state_lock_fd;              /* -1: not taken */
};

#endif
