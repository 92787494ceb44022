/* watch.h - what is seen of the old and the new process while a restart goes on, as the facts of judge.h. What was seen
 * before is in struct watch, which a job at work has one of. */
#ifndef AGENT_WATCH_H
#define AGENT_WATCH_H

#include "find.h"
#include "judge.h"
#include "note.h"
#include "probe.h"
#include "sockets.h"

struct service;

struct watch {
    int pidfd;            /* of the process before; -1: none */
    struct ident before;  /* and who it is */
    struct sockets ports; /* what it listened on */
    struct find_list kin; /* who could have been it then, its workers say: no successor. Not by a pid file */
    uint8_t wanted[SHA256_BYTES];
    uint64_t limit_at_ms;
    struct ident seen; /* the successor, as last seen; pid 0: none */
    uint64_t seen_ms, gone_ms;
    bool took_over;
    struct ident asked; /* who was there when the probe began */
    struct probe *probe;
    bool answers;                  /* `seen` has answered */
    uint64_t nudged_ms;            /* when its sockets were connected to, to wake it */
    bool retired;                  /* the signal of `retire` was sent */
    struct note note_before, note; /* beside the pid file: before the signal, and as last seen */
    uint64_t note_ms;
};

/* The process that serves, with a pidfd; JOB_OK, JOB_NOT_RUNNING or INTERNAL with a sentence. Closed by watch_close. */
enum code watch_open(struct service *service, struct err *err);
/* From now on, for so long, for a process that runs `wanted`; what was seen of successors is forgotten. */
void watch_begin(struct service *service, const uint8_t wanted[SHA256_BYTES], uint32_t limit_ms);
void watch_look(struct service *service, struct judge_facts *facts);
bool watch_old_is_gone(const struct watch *watch);
/* It ignores `signal`, or has not taken it up yet. */
bool watch_old_is_deaf(const struct watch *watch, int signal);
void watch_close(struct watch *watch);

#endif
