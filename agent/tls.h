/* tls.h - mutual TLS 1.3: our certificate, the authority of the controllers', and which of them may come in.
 *
 * libmicrohttpd asks for a client certificate but lets everybody in, with none or with an untrusted one (measured with
 * 0.9.75); so each connection is judged here before its first request is looked at. */
#ifndef AGENT_TLS_H
#define AGENT_TLS_H

#include <gnutls/gnutls.h>

#include "config.h"

#define TLS_PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3"

struct tls { /* PEM texts; owned */
    char *cert, *key, *ca;
};

/* Reads the files and tries them out: the key fits the certificate, the authority file holds at least one. */
bool tls_load(const struct config *config, struct tls *tls, struct err *err);
void tls_free(struct tls *tls); /* the key is wiped */

/* The peer has a certificate, it comes from our authority, is valid now and good for a client, and its CN or one of its
 * DNS names is allowed. `name` becomes that name. */
bool tls_check_peer(gnutls_session_t session, const struct config *config, char name[CONFIG_ALLOW_TEXT],
                    struct err *err);

#endif
