#include "params.h"

struct server {
    const struct view_upstream *upstream;
    ngx_uint_t id;
    const ngx_http_upstream_rr_peer_t *peer;
};

static bool take_drain(const struct body_member *member, const struct server *server, struct view_change *change)
{
    (void)server;
    change->has_drain = 1;
    change->drain = member->truth ? 1 : 0;
    return true;
}

static bool take_down(const struct body_member *member, const struct server *server, struct view_change *change)
{
    (void)server;
    change->has_down = 1;
    change->down = member->truth ? 1 : 0;
    return true;
}

static bool number_is(const struct body_text *text, ngx_uint_t value)
{
    ngx_int_t number = ngx_atoi((u_char *)text->bytes, text->size_bytes);

    return number != NGX_ERROR && (ngx_uint_t)number == value;
}

static bool seconds_are(const struct body_text *text, time_t value)
{
    ngx_str_t copy = {text->size_bytes, (u_char *)text->bytes};

    return ngx_parse_time(&copy, 1) == (ngx_int_t)value;
}

static bool text_is(const struct body_text *text, const ngx_str_t *value)
{
    return text->size_bytes == value->len && ngx_memcmp(text->bytes, value->data, value->len) == 0;
}

#define SAME(name, is_same)                                                                                            \
    static bool same_##name(const struct body_member *member, const struct server *server, struct view_change *change) \
    {                                                                                                                  \
        (void)server;                                                                                                  \
        (void)change;                                                                                                  \
        return is_same;                                                                                                \
    }

SAME(id, number_is(&member->text, server->id))
SAME(server, text_is(&member->text, &server->peer->name) || text_is(&member->text, &server->peer->server))
SAME(weight, number_is(&member->text, (ngx_uint_t)server->peer->weight))
SAME(max_conns, number_is(&member->text, server->peer->max_conns))
SAME(max_fails, number_is(&member->text, server->peer->max_fails))
SAME(fail_timeout, seconds_are(&member->text, server->peer->fail_timeout))
SAME(slow_start, seconds_are(&member->text, (time_t)(server->peer->slow_start / 1000)))
SAME(route, member->text.size_bytes == 0)
SAME(backup, member->truth == (view_is_backup(server->upstream, server->id)))

static const struct {
    const char *name;
    bool http_only;
    enum body_type type;
    bool (*take)(const struct body_member *member, const struct server *server, struct view_change *change);
} params[] = {
#define PARAM(name, type, take)      {name, false, type, take},
#define HTTP_PARAM(name, type, take) {name, true, type, take},
#include "params.def"
#undef HTTP_PARAM
#undef PARAM
};

static enum params_result read_one(const struct body_member *member, const struct server *server,
                                   struct view_change *change)
{
    for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
        if (!body_text_is(&member->name, params[i].name) ||
            (params[i].http_only && server->upstream->kind != SHARED_HTTP)) {
            continue;
        }
        if (member->type != params[i].type) {
            return PARAMS_INVALID;
        }
        return params[i].take(member, server, change) ? PARAMS_GOOD : PARAMS_IMMUTABLE;
    }
    return PARAMS_UNKNOWN;
}

enum params_result params_read(const struct body_member *members, size_t count, const struct view_upstream *upstream,
                               ngx_uint_t server_id, struct view_change *change, const struct body_member **bad)
{
    struct server server = {upstream, server_id, upstream->peers[server_id].peer};

    *change = (struct view_change){0};
    for (size_t i = 0; i < count; i++) {
        enum params_result result = read_one(&members[i], &server, change);

        if (result != PARAMS_GOOD) {
            *bad = &members[i];
            return result;
        }
    }
    return PARAMS_GOOD;
}
