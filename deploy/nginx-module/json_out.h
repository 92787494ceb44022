/* json_out.h - writes JSON into one growing buffer of a request's pool. Commas and escapes are its own business. Where
 * memory runs out, `failed` is set and the rest is ignored: look once, at the end. Members that nobody has asked for
 * are left out here, so who writes need not know of it. */
#ifndef API_JSON_OUT_H
#define API_JSON_OUT_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <stdbool.h>

#include "fields.h"

/* Whose members ?fields= chooses: by how many brackets are open around them. */
enum json_fields { JSON_FIELDS_NONE, JSON_FIELDS_OBJECT, JSON_FIELDS_MAP };

struct json_out {
    ngx_pool_t *pool;
    u_char *bytes;
    size_t size_bytes, capacity_bytes;
    bool comma; /* the next value needs one in front */
    bool failed;
    unsigned open; /* brackets */
    /* The filter: */
    enum json_fields chosen;
    struct fields fields;
    bool names_only; /* a map becomes the list of its keys */
    bool skipping;   /* a member that is not wanted is being written */
    bool comma_kept; /* what `comma` is for the member behind it */
};

void json_begin(struct json_out *out, ngx_pool_t *pool);

/* After json_begin. Chosen are members whose keys are written with json_key. Of a map an empty list leaves the names
 * only, says the API; of an object, nothing. The map's own keys are texts with a json_colon. */
void json_choose(struct json_out *out, enum json_fields chosen, const struct fields *fields);

void json_open(struct json_out *out, char bracket); /* { or [ */
void json_close(struct json_out *out, char bracket);
void json_key(struct json_out *out, const char *key);
void json_colon(struct json_out *out); /* makes the text just written a key */

void json_text(struct json_out *out, const u_char *bytes, size_t size_bytes);
void json_uint(struct json_out *out, uint64_t value);
void json_bool(struct json_out *out, bool value);
void json_time(struct json_out *out, time_t s, ngx_msec_t ms); /* "2026-11-23T15:11:15.467Z" */

void json_member_text(struct json_out *out, const char *key, const ngx_str_t *value);
void json_member_word(struct json_out *out, const char *key, const char *value);
void json_member_uint(struct json_out *out, const char *key, uint64_t value);
void json_member_bool(struct json_out *out, const char *key, bool value);

#endif
