#include "call_tls.h"

#include "common/cert.h"

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
    return cert_in_time(cred, p->cert_file, err);
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
