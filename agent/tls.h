/* tls.h - mutual TLS 1.3: our certificate, the authority of the controllers', and which of them may come in.
 *
 * A client is asked for its certificate and judged as soon as the handshake is over, before a byte of what it says is
 * looked at. Sessions are never resumed: each connection is judged anew. */
#ifndef AGENT_TLS_H
#define AGENT_TLS_H

#include <gnutls/gnutls.h>

#include "config.h"

#define TLS_PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:%PROFILE_MEDIUM"

/* Certificate, key and authorities as they were when they were read. Counted: each connection keeps those that it began
 * with. */
struct tls;

/* Reads the files and tries them out: the key fits the certificate, which has not run out; the authority file holds at
 * least one. NULL with the reason. */
struct tls *tls_load(const struct config *config, struct err *err);
struct tls *tls_ref(struct tls *tls); /* NULL stays NULL */
void tls_unref(struct tls **tls);
int64_t tls_ends_s(const struct tls *tls); /* UNIX seconds: when our certificate runs out */

/* A session for a server's end of `fd`, which does not block. NULL: out of memory. */
gnutls_session_t tls_session(const struct tls *tls, int fd);

/* The peer has a certificate, it comes from our authority, is valid now and good for a client, and its CN or one of its
 * DNS names is allowed. `name` becomes that name, else the first that there is. */
bool tls_check_peer(gnutls_session_t session, const struct config *config, char name[CONFIG_ALLOW_TEXT],
                    struct err *err);
/* The names' part of it, from a certificate as it came (DER). */
bool tls_name_is_allowed(const gnutls_datum_t *der, const struct config *config, char name[CONFIG_ALLOW_TEXT]);

#endif
