/* ident.h - which process, exactly: pid, start time and boot name one process for all time, the SHA-256 of
 * /proc/PID/exe says what it runs, even when its file has been replaced since. */
#ifndef AGENT_IDENT_H
#define AGENT_IDENT_H

#include <jansson.h>
#include <limits.h>
#include <stdint.h>

#include "common/err.h"
#include "common/sha256.h"
#include "proc.h"

#define BOOT_ID_TEXT 37

struct ident {
    uint32_t pid; /* 0: no process */
    uint64_t start_ticks;
    char boot_id[BOOT_ID_TEXT];
    uint8_t sha256[SHA256_BYTES];
};

/* Hashes of files seen, by device, inode, size, mtime and ctime: a file is read again only when one of them changes.
 * Zeroed = empty. */
#define HASH_CACHE_SLOTS 8
struct hash_cache {
    struct hash_entry {
        uint64_t dev, ino, size;
        int64_t mtime_ns, ctime_ns;
        uint8_t sha256[SHA256_BYTES];
    } entries[HASH_CACHE_SLOTS];
    unsigned next;
};
bool hash_cached(struct hash_cache *cache, const char *path, uint8_t sha256[SHA256_BYTES], struct err *err);
bool hash_cached_fd(struct hash_cache *cache, int fd, uint8_t sha256[SHA256_BYTES],
                    struct err *err); /* fd at its start */

bool ident_boot_id(char boot_id[BOOT_ID_TEXT], struct err *err);

/* /proc/PID/stat of a live process; false when there is none (a zombie counts as none). */
bool ident_stat(uint32_t pid, struct proc_stat *stat);

/* The start time of a live process; false when there is none (a zombie counts as none). */
bool ident_start(uint32_t pid, uint64_t *start_ticks);

/* What /proc/PID/exe points at, " (deleted)" cut off. */
bool ident_exe(uint32_t pid, char exe[PATH_MAX], struct err *err);

/* The ident of a live process, and what /proc/PID/exe points at (" (deleted)" cut off). The start time is read before
 * and after, so that a reused pid cannot mix two processes. */
bool ident_read(uint32_t pid, struct hash_cache *cache, struct ident *ident, char exe[PATH_MAX], struct err *err);

/* A pidfd of that very process, checked again with the pidfd in hand: from here on the pid cannot come to mean another.
 * -1: it is gone, or (errno) it cannot be opened. */
int ident_open(const struct ident *ident, struct err *err);

/* The same process, whatever it runs. */
bool ident_same_process(const struct ident *a, const struct ident *b);

/* IDENT of wire.h, null where pid is 0. A new reference. */
json_t *ident_to_json(const struct ident *ident);
/* pid 0 where it is null; false where it is no IDENT. */
bool ident_from_json(const json_t *json, struct ident *ident);

#endif
