/* release.h - the store of executables, STATE/APP/releases: what was uploaded, and what an upgrade replaced, so that
 * the way back never depends on the network. A file is named by its SHA-256, and is whole, hashed and durable before it
 * has its name; HEX.minisig beside it is its signature, where it came with one.
 *
 * `store`: the open folder. No link in it is followed (beneath.h). */
#ifndef AGENT_RELEASE_H
#define AGENT_RELEASE_H

#include <jansson.h>

#include "code.h"
#include "common/err.h"
#include "common/exe.h"
#include "common/minisign.h"
#include "common/sha256.h"
#include "ident.h"

bool release_exists(int store, const char *hex, uint64_t *size_bytes);
/* Open for reading, a plain file; -1 with the sentence. */
int release_open(int store, const char *hex, struct err *err);
/* It is there, and still has the hash of its name. */
bool release_is_whole(int store, const char *hex, struct hash_cache *hashes);

/* [{"sha256","size"},...], a new reference. */
json_t *release_list(int store);

/* What an agent that died left half done: uploads, signatures without their release. */
void release_sweep(int store);

/* Forget all but the `keep` that came last, and those of `needed`. */
void release_prune(int store, unsigned keep, const char *const *needed, size_t n_needed);

/* An upload: begin, add as the bytes come, end or abandon. */
struct release_upload;
struct release_upload *release_begin(int store, const char *hex, uint64_t max_bytes, struct err *err);
/* JOB_OK; TOO_LARGE, NO_SPACE or INTERNAL with a sentence. */
enum code release_add(struct release_upload *upload, const void *bytes, size_t size, struct err *err);
/* All bytes are there. JOB_OK; EMPTY_RELEASE or HASH_MISMATCH. Then it is known what they look like. */
enum code release_check(struct release_upload *upload, struct exe_look *look, struct err *err);
/* After release_check: ends and frees in any case. JOB_OK: it is in the store, durably; or NO_SPACE, INTERNAL. */
enum code release_end(struct release_upload **upload, uint64_t *size_bytes, struct err *err);
void release_abandon(struct release_upload **upload); /* NULL is fine */

/* Put a copy of a file into the store under its hash, unless it is there whole. */
bool release_keep(int store, const char *from, const char *hex, struct hash_cache *hashes, struct err *err);

/* The signature of a release: its bytes, 0 where there is none or it cannot be one. */
size_t release_signature(int store, const char *hex, char text[MINISIGN_FILE_MAX]);
/* Durable only together with what is put in the store next, or after release_sync. JOB_OK, NO_SPACE, INTERNAL. */
enum code release_put_signature(int store, const char *hex, const void *text, size_t size, struct err *err);
bool release_sync(int store, struct err *err);

#endif
