/* call_tls.h - what can be wrong with our certificate, key and authorities is said before anything is contacted; in
 * libcurl it would look like each peer's fault. A corner of call.c. */
#ifndef CONTROLLER_CALL_TLS_H
#define CONTROLLER_CALL_TLS_H

#include "call.h"

/* Read the PEM files of a profile: certificate and key belong together, the certificate has not run out, the
 * authorities are some. */
bool call_tls_check(const struct call_profile *, struct err *err);

#endif
