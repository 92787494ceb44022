/* ident.h - which process: what health must come from. */
#ifndef CONTROLLER_IDENT_H
#define CONTROLLER_IDENT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* All zero = no process known. pid + start_ticks + boot name one process for all time; sha256 is its executable's. */
struct ident {
    uint64_t start_ticks; /* field 22 of /proc/PID/stat, clock ticks since boot */
    uint32_t pid;
    uint8_t boot[16];   /* the kernel's boot id, as bytes */
    uint8_t sha256[32]; /* of /proc/PID/exe */
};

static inline bool ident_same_process(const struct ident *a, const struct ident *b)
{
    return a->pid != 0 && a->pid == b->pid && a->start_ticks == b->start_ticks &&
           memcmp(a->boot, b->boot, sizeof a->boot) == 0;
}

static inline bool ident_runs(const struct ident *a, const uint8_t sha256[32])
{
    return a->pid != 0 && memcmp(a->sha256, sha256, sizeof a->sha256) == 0;
}

#endif
