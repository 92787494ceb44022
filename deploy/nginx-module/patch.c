#include "patch.h"

#include "answer.h"
#include "body.h"
#include "lease_headers.h"
#include "min_up.h"
#include "module.h"
#include "params.h"
#include "render.h"
#include "state.h"

#define MEMBERS_MAX 16 /* more than there are parameters */

/* What is known of a request while its body comes in. */
struct patch {
    struct handler_target target;
    struct lease_ask ask;
    bool has_ask;
    uint32_t min_up;
};

/* The body as one piece; what nginx has put into a file is read back. NULL = it cannot be read. */
static char *body_gather(ngx_http_request_t *r, size_t size_bytes)
{
    char *bytes = ngx_pnalloc(r->pool, size_bytes + 1);
    u_char *at = (u_char *)bytes;

    if (bytes == NULL) {
        return NULL;
    }
    for (ngx_chain_t *in = r->request_body->bufs; in != NULL; in = in->next) {
        size_t part_bytes = (size_t)ngx_buf_size(in->buf);

        if (part_bytes == 0) {
            continue; /* only marks the end */
        }
        if (ngx_buf_in_memory(in->buf)) {
            at = ngx_cpymem(at, in->buf->pos, part_bytes);
            continue;
        }
        if (ngx_read_file(in->buf->file, at, part_bytes, in->buf->file_pos) != (ssize_t)part_bytes) {
            return NULL;
        }
        at += part_bytes;
    }
    return bytes;
}

static size_t body_size(const ngx_http_request_t *r)
{
    size_t size_bytes = 0;

    if (r->request_body == NULL) {
        return 0;
    }
    for (ngx_chain_t *in = r->request_body->bufs; in != NULL; in = in->next) {
        size_bytes += (size_t)ngx_buf_size(in->buf);
    }
    return size_bytes;
}

static ngx_int_t answer_bad_body(ngx_http_request_t *r, enum body_result result, const struct body_member *members,
                                 size_t count)
{
    ngx_str_t name;

    switch (result) {
    case BODY_NESTED:
        return answer_error(r, ERROR_FORMAT, "nested object or list");
    case BODY_DUPLICATE:
        name = (ngx_str_t){members[count].name.size_bytes, (u_char *)members[count].name.bytes};
        return answer_error(r, ERROR_FORMAT, "duplicate parameter \"%V\"", &name);
    case BODY_MANY:
        return answer_error(r, ERROR_FORMAT, "too many parameters");
    default:
        return answer_error(r, ERROR_JSON, "json error");
    }
}

static ngx_int_t answer_bad_param(ngx_http_request_t *r, enum params_result result, const struct patch *patch,
                                  const struct body_member *bad)
{
    ngx_str_t name = {bad->name.size_bytes, (u_char *)bad->name.bytes};

    switch (result) {
    case PARAMS_UNKNOWN:
        return answer_error(r, ERROR_FORMAT, "unknown parameter \"%V\"", &name);
    case PARAMS_INVALID:
        return answer_error(r, ERROR_FORMAT, "invalid \"%V\" value: it takes %s", &name, params_takes(&bad->name));
    case PARAMS_BAD_WEIGHT:
        return answer_error(r, ERROR_BAD_WEIGHT, "invalid \"%V\": it takes %s", &name, params_takes(&bad->name));
    case PARAMS_BAD_MAX_CONNS:
        return answer_error(r, ERROR_BAD_MAX_CONNS, "invalid \"%V\": it takes %s", &name, params_takes(&bad->name));
    case PARAMS_BAD_MAX_FAILS:
        return answer_error(r, ERROR_BAD_MAX_FAILS, "invalid \"%V\": it takes %s", &name, params_takes(&bad->name));
    case PARAMS_BAD_TIME:
        return answer_error(r, ERROR_BAD_FAIL_TIMEOUT, "invalid \"%V\": it takes %s", &name, params_takes(&bad->name));
    case PARAMS_IMMUTABLE_WEIGHT:
        return answer_error(
            r, ERROR_WEIGHT_IMMUTABLE,
            "server \"%ui\" weight is immutable: upstream \"%V\" is balanced by \"hash ... consistent\", "
            "which takes the weights when the configuration is loaded; change it in the file and reload",
            patch->target.server_id, &patch->target.upstream->source.name);
    default:
        return answer_error(r, ERROR_SERVER_IMMUTABLE, "server \"%ui\" %V is immutable", patch->target.server_id,
                            &name);
    }
}

static ngx_int_t answer_refused(ngx_http_request_t *r, enum view_verdict verdict, const struct patch *patch,
                                const struct view_refusal *refusal)
{
    ngx_str_t *name = &patch->target.upstream->source.name;
    const struct lease *lease = &refusal->lease;

    switch (verdict) {
    case VIEW_HELD:
        return answer_error(r, ERROR_LEASE_HELD,
                            "upstream \"%V\" is held by \"%s\" (rollout \"%s\", fence %uL) for another %uD seconds",
                            name, lease->holder, lease->id, lease->fence, lease_left_s(lease, view_now_ms()));
    case VIEW_STALE:
        return answer_error(
            r, ERROR_FENCE_STALE,
            "fence %uL of rollout \"%s\" is stale: upstream \"%V\" has seen fence %uL of rollout \"%s\"",
            patch->ask.fence, patch->ask.id, name, lease->fence, lease->id);
    case VIEW_TOO_FEW:
        return answer_error(
            r, ERROR_MIN_UP,
            "server \"%ui\" is not taken out: it would leave %ui serving in upstream \"%V\", and min_up "
            "is %uD; put another one back first, or lower min_up",
            patch->target.server_id, refusal->left_serving, name, patch->min_up);
    case VIEW_LOCKED:
        return answer_error(r, ERROR_WEIGHTS_LOCKED,
                            "weights of upstream \"%V\" cannot be changed until nginx is reloaded: a worker was killed "
                            "with the lock of "
                            "its servers; nothing is changed, and all but \"weight\" can be",
                            name);
    default:
        return answer_error(r, ERROR_UPSTREAM_MEMORY, "upstream \"%V\" memory exhausted", name);
    }
}

static ngx_int_t answer_not_kept(ngx_http_request_t *r, enum state_verdict verdict, const char *why)
{
    return verdict == STATE_TAKEN
               ? answer_error(r, ERROR_STATE_TAKEN, "%s: nothing is changed, try again", why)
               : answer_error(r, ERROR_STATE_NOT_KEPT, "the change is made, but would not outlive nginx: %s", why);
}

static ngx_int_t patch_change(ngx_http_request_t *r, struct patch *patch, const struct view_change *change)
{
    struct handler_target *target = &patch->target;
    ngx_shm_zone_t *zone = target->view->zone;
    struct view_refusal refusal;
    struct json_out out;
    char why[STATE_WHY_MAX];

    if (state_may_change(zone, why) != STATE_GOOD) {
        return answer_not_kept(r, STATE_TAKEN, why);
    }
    enum view_verdict verdict = view_change(target->view, target->upstream, &target->upstream->peers[target->server_id],
                                            change, patch->has_ask ? &patch->ask : NULL, &refusal);

    if (verdict != VIEW_CHANGED) {
        return answer_refused(r, verdict, patch, &refusal);
    }
    enum state_verdict kept = state_keep(zone, why);
    if (kept != STATE_GOOD) {
        return answer_not_kept(r, kept, why);
    }
    view_follow(target->view); /* others may have changed it while the body came in */
    json_begin(&out, r->pool);
    if (!render_server(&out, target->view, target->upstream, target->server_id)) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return answer_json(r, NGX_HTTP_OK, &out);
}

static ngx_int_t patch_run(ngx_http_request_t *r, struct patch *patch)
{
    struct body_member members[MEMBERS_MAX];
    const struct body_member *bad = NULL;
    struct view_change change;
    size_t size_bytes = body_size(r);
    size_t count;

    if (size_bytes > PATCH_BODY_MAX_BYTES) {
        return answer_error(r, ERROR_BODY_SIZE, "request body is larger than %d bytes", PATCH_BODY_MAX_BYTES);
    }
    char *bytes = body_gather(r, size_bytes);
    if (bytes == NULL) {
        return answer_error(r, ERROR_BODY_READ, "reading request body failed");
    }
    enum body_result result = body_read(bytes, size_bytes, members, MEMBERS_MAX, &count);
    if (result != BODY_OK && !(result == BODY_EMPTY && patch->has_ask)) {
        return answer_bad_body(r, result, members, count);
    }
    enum params_result params =
        params_read(members, count, patch->target.upstream, patch->target.server_id, &change, &bad);
    if (params != PARAMS_GOOD) {
        return answer_bad_param(r, params, patch, bad);
    }
    change.min_up = patch->min_up;
    return patch_change(r, patch, &change);
}

static void patch_body_is_here(ngx_http_request_t *r)
{
    ngx_http_finalize_request(r, patch_run(r, ngx_http_get_module_ctx(r, ngx_http_upstream_api_module)));
}

ngx_int_t patch_start(ngx_http_request_t *r, const struct handler_target *target)
{
    struct patch *patch = ngx_pcalloc(r->pool, sizeof(*patch));
    ngx_str_t complaint;

    if (patch == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    patch->target = *target;
    if (!min_up_read(r, &patch->min_up)) {
        return answer_error(r, ERROR_MIN_UP_ARGUMENT, "invalid argument \"min_up\": it takes a number from 0 to %d",
                            MIN_UP_MAX);
    }
    switch (lease_headers_read(r, &patch->ask, &complaint)) {
    case LEASE_HEADERS_BAD:
        return answer_error(r, ERROR_LEASE_HEADER, "%V", &complaint);
    case LEASE_HEADERS_GOOD:
        patch->has_ask = true;
        break;
    case LEASE_HEADERS_NONE:
        break;
    }
    if (r->headers_in.content_length_n > PATCH_BODY_MAX_BYTES) {
        return answer_error(r, ERROR_BODY_SIZE, "request body is larger than %d bytes", PATCH_BODY_MAX_BYTES);
    }
    ngx_http_set_ctx(r, patch, ngx_http_upstream_api_module);
    ngx_int_t rc = ngx_http_read_client_request_body(r, patch_body_is_here);
    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}
