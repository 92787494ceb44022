/* cert.h - is a certificate of ours still good today? */
#ifndef COMMON_CERT_H
#define COMMON_CERT_H

#include <gnutls/gnutls.h>
#include <stdint.h>

#include "err.h"

/* The first certificate that `cred` holds with a key, read from `path`. False: it has run out, and when. */
bool cert_in_time(gnutls_certificate_credentials_t cred, const char *path, struct err *err);
/* When it runs out, UNIX seconds; -1: not known. */
int64_t cert_ends_s(gnutls_certificate_credentials_t cred);

#endif
