#include "cert.h"

#include <gnutls/x509.h>
#include <time.h>

/* gnutls' error, or 0. */
static int read_end(gnutls_certificate_credentials_t cred, time_t *ends)
{
    gnutls_x509_crt_t *chain = NULL;
    unsigned n = 0;
    int rc = gnutls_certificate_get_x509_crt(cred, 0, &chain, &n);

    *ends = (time_t)-1;
    if (rc != 0) /* chain and n say nothing then */
        return rc;
    if (n > 0)
        *ends = gnutls_x509_crt_get_expiration_time(chain[0]);
    for (unsigned i = 0; i < n; i++)
        gnutls_x509_crt_deinit(chain[i]);
    gnutls_free(chain);
    return 0;
}

int64_t cert_ends_s(gnutls_certificate_credentials_t cred)
{
    time_t ends;

    (void)read_end(cred, &ends);
    return (int64_t)ends;
}

bool cert_in_time(gnutls_certificate_credentials_t cred, const char *path, struct err *err)
{
    time_t ends;
    struct tm tm;
    char day[32];
    int rc = read_end(cred, &ends);

    if (rc != 0)
        return err_set(err, "the certificate %s cannot be read: %s", path, gnutls_strerror(rc));
    if (ends == (time_t)-1 || ends > time(NULL))
        return true;
    (void)strftime(day, sizeof day, "%Y-%m-%d %H:%M", gmtime_r(&ends, &tm));
    return err_set(err, "the certificate %s ran out at %s UTC; get a new one", path, day);
}
