/* json_out.h - writes JSON into one growing buffer of a request's pool. Commas and escapes are its own business. Where
 * memory runs out, `failed` is set and the rest is ignored: look once, at the end. */
#ifndef API_JSON_OUT_H
#define API_JSON_OUT_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <stdbool.h>

struct json_out {
    ngx_pool_t *pool;
    u_char *bytes;
    size_t size_bytes, capacity_bytes;
    bool comma; /* the next value needs one in front */
    bool failed;
};

void json_begin(struct json_out *out, ngx_pool_t *pool);

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
