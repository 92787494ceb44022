/* release.h - the store of executables, STATE/APP/releases/SHA256: what was uploaded, and what an upgrade replaced, so
 * that the way back never depends on the network. Whole, hashed and durable before it has its name. */
#ifndef AGENT_RELEASE_H
#define AGENT_RELEASE_H

#include <jansson.h>
#include <limits.h>

#include "code.h"
#include "common/err.h"
#include "common/sha256.h"
#include "ident.h"

/* The path of a release, whether it is there or not. */
void release_path(const char *folder, const char *hex, char path[PATH_MAX]);
bool release_exists(const char *folder, const char *hex, uint64_t *size_bytes);
/* It is there, and still has the hash of its name. */
bool release_is_whole(const char *folder, const char *hex, struct hash_cache *hashes);

/* [{"sha256","size"},...], a new reference. */
json_t *release_list(const char *folder);

/* Half-uploaded files of an agent that died. */
void release_sweep(const char *folder);

/* An upload: begin, add as the bytes come, end or abandon. */
struct release_upload;
struct release_upload *release_begin(const char *folder, const char *hex, uint64_t max_bytes, struct err *err);
/* JOB_OK; TOO_LARGE, NO_SPACE or INTERNAL with a sentence. */
enum code release_add(struct release_upload *upload, const void *bytes, size_t size, struct err *err);
/* Ends and frees in any case. JOB_OK: it is in the store, durably; or HASH_MISMATCH, BAD_REQUEST (empty), NO_SPACE,
 * INTERNAL. */
enum code release_end(struct release_upload **upload, uint64_t *size_bytes, struct err *err);
void release_abandon(struct release_upload **upload);

/* Put a copy of a file into the store under its hash, unless it is there whole. */
bool release_keep(const char *folder, const char *from, const char *hex, struct hash_cache *hashes, struct err *err);

#endif
