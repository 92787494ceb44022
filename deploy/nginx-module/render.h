/* render.h - what GET shows. Each takes its own snapshot under the locks and writes JSON after they are released.
 * False = out of memory. */
#ifndef API_RENDER_H
#define API_RENDER_H

#include "json_out.h"
#include "view.h"

/* /http/upstreams/NAME: status, with the lease in the extra member "rollout". version: of the API. */
bool render_upstream(struct json_out *out, const struct view *view, const struct view_upstream *upstream,
                     unsigned version);

/* /http/upstreams/NAME/servers: configuration; and one of them. */
bool render_servers(struct json_out *out, const struct view *view, const struct view_upstream *upstream);
bool render_server(struct json_out *out, const struct view *view, const struct view_upstream *upstream, ngx_uint_t id);
/* With the extra member "rollout":{"active","quiet"}: see wait.h. */
bool render_server_quiet(struct json_out *out, const struct view *view, const struct view_upstream *upstream,
                         ngx_uint_t id);

#endif
