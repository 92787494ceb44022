/* agent.h - the whole daemon: config, loop, services, server. One of it a process. */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "config.h"
#include "ident.h"
#include "loop.h"

struct service;
struct server;

struct agent {
    struct config config;
    char boot_id[BOOT_ID_TEXT];
    struct loop *loop;
    struct service *services; /* config.service_count of them, in the file's order; owned */
    struct server *server;
    int state_lock_fd; /* -1: not taken */
};

#endif
