#include "params.h"

struct server {
    const struct view_upstream *upstream;
    ngx_uint_t id;
    const ngx_http_upstream_rr_peer_t *peer;
};

static enum params_result take_drain(const struct body_member *member, const struct server *server,
                                     struct view_change *change)
{
    (void)server;
    change->has_drain = 1;
    change->drain = member->truth ? 1 : 0;
    return PARAMS_GOOD;
}

static enum params_result take_down(const struct body_member *member, const struct server *server,
                                    struct view_change *change)
{
    (void)server;
    change->has_down = 1;
    change->down = member->truth ? 1 : 0;
    return PARAMS_GOOD;
}

static enum params_result want(struct view_change *change, enum shared_param param, ngx_int_t value)
{
    change->has_params |= 1u << param;
    change->param[param] = value;
    return PARAMS_GOOD;
}

/* Digits alone: no sign, no fraction, no exponent. NGX_ERROR = something else, or more than nginx can count. */
static ngx_int_t read_number(const struct body_text *text)
{
    return ngx_atoi((u_char *)text->bytes, text->size_bytes);
}

/* A whole number, however small or large: what is wrong with it are its bounds, and not its type. */
static bool is_whole(const struct body_text *text)
{
    size_t i = text->bytes[0] == '-' ? 1 : 0;

    while (i < text->size_bytes && text->bytes[i] >= '0' && text->bytes[i] <= '9') {
        i++;
    }
    return i == text->size_bytes;
}

static enum params_result take_number(const struct body_member *member, struct view_change *change,
                                      enum shared_param param, enum params_result out_of_bounds)
{
    ngx_int_t number = read_number(&member->text);

    if (number == NGX_ERROR) {
        return is_whole(&member->text) ? out_of_bounds : PARAMS_INVALID;
    }
    return want(change, param, number);
}

/* The bound leaves room for what nginx adds up and multiplies. */
static enum params_result take_weight(const struct body_member *member, const struct server *server,
                                      struct view_change *change)
{
    ngx_int_t weight = read_number(&member->text);
    bool same = weight == server->peer->weight;

    if (weight == NGX_ERROR) {
        return is_whole(&member->text) ? PARAMS_BAD_WEIGHT : PARAMS_INVALID;
    }
    if (!same && (weight < 1 || weight > INT32_MAX)) {
        return PARAMS_BAD_WEIGHT;
    }
    if (server->upstream->source.weight_is_fixed) {
        return same ? PARAMS_GOOD : PARAMS_IMMUTABLE_WEIGHT;
    }
    return want(change, SHARED_WEIGHT, weight);
}

static enum params_result take_max_conns(const struct body_member *member, const struct server *server,
                                         struct view_change *change)
{
    (void)server;
    return take_number(member, change, SHARED_MAX_CONNS, PARAMS_BAD_MAX_CONNS);
}

static enum params_result take_max_fails(const struct body_member *member, const struct server *server,
                                         struct view_change *change)
{
    (void)server;
    return take_number(member, change, SHARED_MAX_FAILS, PARAMS_BAD_MAX_FAILS);
}

static enum params_result take_fail_timeout(const struct body_member *member, const struct server *server,
                                            struct view_change *change)
{
    ngx_str_t text = {member->text.size_bytes, (u_char *)member->text.bytes};
    ngx_int_t seconds = ngx_parse_time(&text, 1);

    if (seconds == NGX_ERROR || (seconds > PARAMS_FAIL_TIMEOUT_MAX_S && seconds != server->peer->fail_timeout)) {
        return PARAMS_BAD_TIME;
    }
    return want(change, SHARED_FAIL_TIMEOUT, seconds);
}

static bool number_is(const struct body_text *text, ngx_uint_t value)
{
    ngx_int_t number = read_number(text);

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
    static enum params_result same_##name(const struct body_member *member, const struct server *server,               \
                                          struct view_change *change)                                                  \
    {                                                                                                                  \
        (void)server;                                                                                                  \
        (void)change;                                                                                                  \
        return (is_same) ? PARAMS_GOOD : PARAMS_IMMUTABLE;                                                             \
    }

SAME(id, number_is(&member->text, server->id))
SAME(server, text_is(&member->text, &server->peer->name) || text_is(&member->text, &server->peer->server))
SAME(slow_start, seconds_are(&member->text, (time_t)(server->peer->slow_start / 1000)))
SAME(route, member->text.size_bytes == 0)
SAME(backup, member->truth == (view_is_backup(server->upstream, server->id)))

static const struct param {
    const char *name;
    bool http_only;
    enum body_type type;
    enum params_result (*take)(const struct body_member *member, const struct server *server,
                               struct view_change *change);
    const char *takes;
} params[] = {
#define PARAM(name, type, take, takes)      {name, false, type, take, takes},
#define HTTP_PARAM(name, type, take, takes) {name, true, type, take, takes},
#include "params.def"
#undef HTTP_PARAM
#undef PARAM
};

static const struct param *param_find(const struct body_text *name, enum shared_kind kind)
{
    for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
        if (body_text_is(name, params[i].name) && (kind == SHARED_HTTP || !params[i].http_only)) {
            return &params[i];
        }
    }
    return NULL;
}

const char *params_takes(const struct body_text *name)
{
    const struct param *param = param_find(name, SHARED_HTTP);

    return param != NULL ? param->takes : "";
}

static enum params_result read_one(const struct body_member *member, const struct server *server,
                                   struct view_change *change)
{
    const struct param *param = param_find(&member->name, server->upstream->kind);

    if (param == NULL) {
        return PARAMS_UNKNOWN;
    }
    return member->type == param->type ? param->take(member, server, change) : PARAMS_INVALID;
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
