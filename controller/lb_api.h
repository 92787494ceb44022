/* lb_api.h - nginx's API as the controller speaks it: URLs, bodies and headers out, answers in. No I/O, no clock.
 *
 * NGINX Plus' REST API (versions 4 to 9) and our module's additions: the lease (headers Rollout-*, member `rollout` of
 * an upstream: lb_list.h). */
#ifndef CONTROLLER_LB_API_H
#define CONTROLLER_LB_API_H

#include <stddef.h>
#include <stdint.h>

#include "agent/wire.h"
#include "ask.h"
#include "common/err.h"
#include "plan.h"

#define LB_API_VERSION_MIN 4
#define LB_API_VERSION_MAX 9
#define LB_LIST_MAX_BYTES  (64 * 1024 * 1024) /* cap of a list of upstreams */
#define LB_BODY_MAX_BYTES  (256 * 1024)       /* cap of all other answers */

/* ---- requests. URLs: the caller frees; `root` is plan_lb.api. */
char *lb_api_url_versions(const char *root);
char *lb_api_url_nginx(const char *root, unsigned version);
char *lb_api_url_upstreams(const char *root, unsigned version);
char *lb_api_url_server(const char *root, unsigned version, const char *upstream, uint64_t id);

/* PATCH bodies, static texts. Back: `drain` where it was draining before us; our module and Plus end a drain by
 * down:false, so the drain is given again in the same PATCH. */
const char *lb_api_body_drain(void);
const char *lb_api_body_down(void);
const char *lb_api_body_back(bool was_draining);
const char *lb_api_body_renew(void); /* changes nothing: takes, renews or releases the lease by its headers */

/* Lease headers of a PATCH: the four lines. ttl_ms is rounded up to seconds; 0 releases. */
#define LB_LEASE_HEADERS 4
struct lb_lease_headers {
    char lines[LB_LEASE_HEADERS][192];
    const char *list[LB_LEASE_HEADERS]; /* as struct call_request wants them */
};
void lb_api_lease_headers(struct lb_lease_headers *, const struct plan *, uint32_t ttl_ms);

/* ---- answers */

/* Why an answer with no 2xx status refused, for people. */
void lb_api_refusal(int status, const char *body, size_t size, char *text, size_t text_size);

/* The list of versions -> the highest that both know. An nginx with none of 4 to 9 is false. */
bool lb_api_read_versions(const char *body, size_t size, uint8_t *version, struct err *);

/* /nginx -> a number that changes when nginx is reloaded or restarted. */
bool lb_api_read_nginx(const char *body, size_t size, uint64_t *generation, struct err *);

/* An answer with `status` to a PATCH of `server` (NULL: of any, for a lease). text: "" or why not. ANS_BAD where the
 * server that answered is another one: nginx was reloaded with another order in between. */
enum answer_kind lb_api_patch_answer(int status, const char *body, size_t size, const char *server, char *text,
                                     size_t text_size);

/* The server that such an answer is about. False where it names none, or one too long. */
bool lb_api_patched_server(const char *body, size_t size, char *server, size_t server_size);

/* A GET of one server (Prefer: wait=N), which should be `server`: its state as a list would have it, in *seen.
 * PEER_UNKNOWN: the answer is a plain one, without our module's member `rollout`. Not ANS_OK: why, in err. */
enum answer_kind lb_api_read_server(const char *body, size_t size, const char *server, struct seen_peer *seen,
                                    struct err *);

/* What a list or an answer calls a state. */
enum peer_state lb_api_state(const char *word);

#endif
