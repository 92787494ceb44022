#include "call_tls.h"

#include <gnutls/x509.h>
#include <stdio.h>
#include <time.h>

/* The first one of the chain, ours. */
static bool check_time(gnutls_certificate_credentials_t cred, const char *path, struct err *err)
{
    gnutls_x509_crt_t *chain = NULL;
    unsigned n = 0;
    time_t ends = (time_t)-1;
    struct tm tm;
    char day[32];

    if (gnutls_certificate_get_x509_crt(cred, 0, &chain, &n) == 0 && n > 0)
        ends = gnutls_x509_crt_get_expiration_time(chain[0]);
    for (unsigned i = 0; i < n; i++)
        gnutls_x509_crt_deinit(chain[i]);
    gnutls_free(chain);
    if (ends == (time_t)-1 || ends > time(NULL))
        return true;
    (void)strftime(day, sizeof day, "%Y-%m-%d %H:%M", gmtime_r(&ends, &tm));
    return err_set(err, "the certificate %s ran out at %s UTC; get a new one", path, day);
}

static bool check_pair(gnutls_certificate_credentials_t cred, const struct call_profile *p, struct err *err)
{
    const char *key = p->key_file != NULL ? p->key_file : p->cert_file;
    int rc = gnutls_certificate_set_x509_key_file2(cred, p->cert_file, key, GNUTLS_X509_FMT_PEM, NULL, 0);

    if (rc < 0 && p->key_file == NULL)
        return err_set(err, "the file %s must hold our certificate and its key, or give --key too: %s", key,
                       gnutls_strerror(rc));
    if (rc < 0)
        return err_set(err, "the certificate %s and the key %s cannot be used: %s", p->cert_file, key,
                       gnutls_strerror(rc));
    return check_time(cred, p->cert_file, err);
}

static bool check_authorities(gnutls_certificate_credentials_t cred, const char *path, struct err *err)
{
    int n = gnutls_certificate_set_x509_trust_file(cred, path, GNUTLS_X509_FMT_PEM);

    return n > 0 ||
           err_set(err, "%s holds no CA certificate%s%s", path, n < 0 ? ": " : "", n < 0 ? gnutls_strerror(n) : "");
}

bool call_tls_check(const struct call_profile *p, struct err *err)
{
    gnutls_certificate_credentials_t cred;
    bool good;

    if (gnutls_certificate_allocate_credentials(&cred) != 0)
        return err_set(err, "TLS: out of memory");
    good = (p->cert_file == NULL || check_pair(cred, p, err)) &&
           (p->ca_file == NULL || check_authorities(cred, p->ca_file, err));
    gnutls_certificate_free_credentials(cred);
    return good;
}
