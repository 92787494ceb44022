/* layout.h - nginx keeps the peers of http and of stream upstreams in structs that differ in name only; ../view.h
 * relies on it. Checked here, where both are known: each member that we use is at the same place and of the same size.
 */
#ifndef API_STREAM_LAYOUT_H
#define API_STREAM_LAYOUT_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_stream.h>
#include <stddef.h>

#define SAME_SIZE(of, member)                                                                                          \
    (sizeof(((ngx_http_upstream_##of *)0)->member) == sizeof(((ngx_stream_upstream_##of *)0)->member))
#define SAME(of, member)                                                                                               \
    _Static_assert(offsetof(ngx_http_upstream_##of, member) == offsetof(ngx_stream_upstream_##of, member) &&           \
                       SAME_SIZE(of, member),                                                                          \
                   "http's and stream's " #of " differ at " #member)

SAME(rr_peer_t, sockaddr);
SAME(rr_peer_t, socklen);
SAME(rr_peer_t, name);
SAME(rr_peer_t, server);
SAME(rr_peer_t, current_weight);
SAME(rr_peer_t, effective_weight);
SAME(rr_peer_t, weight);
SAME(rr_peer_t, conns);
SAME(rr_peer_t, max_conns);
SAME(rr_peer_t, fails);
SAME(rr_peer_t, accessed);
SAME(rr_peer_t, checked);
SAME(rr_peer_t, max_fails);
SAME(rr_peer_t, fail_timeout);
SAME(rr_peer_t, slow_start);
SAME(rr_peer_t, start_time);
SAME(rr_peer_t, down);
SAME(rr_peer_t, next);
SAME(rr_peers_t, number);
SAME(rr_peers_t, shpool);
SAME(rr_peers_t, rwlock);
SAME(rr_peers_t, total_weight);
SAME(rr_peers_t, tries);
/* `single` and `weighted` are bits: between two members that are at the same places. */
SAME(rr_peers_t, name);
SAME(rr_peers_t, next);
SAME(rr_peers_t, peer);

#undef SAME
#undef SAME_SIZE

#endif
