#include "render.h"

#include "render_counts.h"

static const char *state_of(const struct snapshot_peer *peer)
{
    if (peer->down == SHARED_DRAIN) {
        return "draining";
    }
    return peer->down != 0 ? "down" : peer->unavail ? "unavail" : "up";
}

/* The members, without the braces. */
static void put_status(struct json_out *out, const struct view_upstream *upstream, const struct snapshot *snapshot,
                       ngx_uint_t id)
{
    const ngx_http_upstream_rr_peer_t *peer = upstream->peers[id].peer;

    json_member_uint(out, "id", id);
    json_member_text(out, "server", &peer->name);
    json_member_text(out, "name", &peer->server);
    json_member_bool(out, "backup", view_is_backup(upstream, id));
    json_member_uint(out, "weight", (uint64_t)snapshot->peers[id].param[SHARED_WEIGHT]);
    json_member_word(out, "state", state_of(&snapshot->peers[id]));
    json_member_uint(out, "active", snapshot->peers[id].active);
    if (snapshot->peers[id].param[SHARED_MAX_CONNS] != 0) {
        json_member_uint(out, "max_conns", (uint64_t)snapshot->peers[id].param[SHARED_MAX_CONNS]);
    }
}

static void put_rollout(struct json_out *out, const struct view *view, const struct snapshot *snapshot)
{
    json_key(out, "rollout");
    json_open(out, '{');
    json_member_uint(out, "fence", snapshot->lease.fence);
    json_member_word(out, "id", snapshot->lease.id);
    json_member_word(out, "holder", snapshot->lease.holder);
    json_member_uint(out, "ttl", lease_left_s(&snapshot->lease, snapshot->now_ms));
    json_member_bool(out, "active_exact", snapshot->active_exact);
    json_member_bool(out, "state_kept", view->state_kept);
    json_close(out, '}');
}

bool render_upstream(struct json_out *out, const struct view *view, const struct view_upstream *upstream,
                     unsigned version)
{
    struct snapshot snapshot;

    if (!snapshot_take(&snapshot, view, upstream, out->pool) ||
        !snapshot_take_counts(&snapshot, view, upstream, out->pool)) {
        return false;
    }
    json_open(out, '{');
    json_key(out, "peers");
    json_open(out, '[');
    for (ngx_uint_t id = 0; id < upstream->peers_n; id++) {
        json_open(out, '{');
        put_status(out, upstream, &snapshot, id);
        render_counts(out, view->kind, version, &snapshot.counts[id]);
        json_close(out, '}');
    }
    json_close(out, ']');
    if (view->kind == SHARED_HTTP) {
        json_member_uint(out, "keepalive", 0); /* each worker knows its own only, and tells nobody */
    }
    json_member_uint(out, "zombies", 0);
    json_member_text(out, "zone", &upstream->source.zone);
    put_rollout(out, view, &snapshot);
    json_close(out, '}');
    return !out->failed;
}

static void put_seconds(struct json_out *out, const char *key, time_t s)
{
    u_char text[NGX_TIME_T_LEN + 1];
    ngx_str_t value = {(size_t)(ngx_sprintf(text, "%Ts", s) - text), text}; /* %T, then the unit */

    json_member_text(out, key, &value);
}

/* The members, without the braces. */
static void put_config(struct json_out *out, const struct view_upstream *upstream, const struct snapshot *snapshot,
                       ngx_uint_t id)
{
    const ngx_http_upstream_rr_peer_t *peer = upstream->peers[id].peer;
    const int64_t *param = snapshot->peers[id].param;

    json_member_uint(out, "id", id);
    json_member_text(out, "server", &peer->name);
    json_member_uint(out, "weight", (uint64_t)param[SHARED_WEIGHT]);
    json_member_uint(out, "max_conns", (uint64_t)param[SHARED_MAX_CONNS]);
    json_member_uint(out, "max_fails", (uint64_t)param[SHARED_MAX_FAILS]);
    put_seconds(out, "fail_timeout", (time_t)param[SHARED_FAIL_TIMEOUT]);
    put_seconds(out, "slow_start", (time_t)(peer->slow_start / 1000));
    if (upstream->kind == SHARED_HTTP) {
        json_member_word(out, "route", "");
    }
    json_member_bool(out, "backup", view_is_backup(upstream, id));
    json_member_bool(out, "down", snapshot->peers[id].down != 0 && snapshot->peers[id].down != SHARED_DRAIN);
    if (snapshot->peers[id].down == SHARED_DRAIN) {
        json_member_bool(out, "drain", true);
    }
}

bool render_servers(struct json_out *out, const struct view *view, const struct view_upstream *upstream)
{
    struct snapshot snapshot;

    if (!snapshot_take(&snapshot, view, upstream, out->pool)) {
        return false;
    }
    json_open(out, '[');
    for (ngx_uint_t id = 0; id < upstream->peers_n; id++) {
        json_open(out, '{');
        put_config(out, upstream, &snapshot, id);
        json_close(out, '}');
    }
    json_close(out, ']');
    return !out->failed;
}

bool render_server(struct json_out *out, const struct view *view, const struct view_upstream *upstream, ngx_uint_t id)
{
    struct snapshot snapshot;

    if (!snapshot_take(&snapshot, view, upstream, out->pool)) {
        return false;
    }
    json_open(out, '{');
    put_config(out, upstream, &snapshot, id);
    json_close(out, '}');
    return !out->failed;
}

bool render_server_quiet(struct json_out *out, const struct view *view, const struct view_upstream *upstream,
                         ngx_uint_t id)
{
    struct snapshot snapshot;

    if (!snapshot_take(&snapshot, view, upstream, out->pool)) {
        return false;
    }
    const struct snapshot_peer *peer = &snapshot.peers[id];
    json_open(out, '{');
    put_config(out, upstream, &snapshot, id);
    json_key(out, "rollout");
    json_open(out, '{');
    json_member_uint(out, "active", peer->active);
    json_member_bool(out, "quiet", peer->down != 0 && peer->active == 0 && snapshot.active_exact);
    json_member_word(out, "state", state_of(peer));
    json_close(out, '}');
    json_close(out, '}');
    return !out->failed;
}
