#include "tls.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "common/cert.h"

#define PEM_MAX (1024 * 1024)

static bool read_pem(const char *path, const char *key, char **text, struct err *err)
{
    gnutls_datum_t data;
    int rc = gnutls_load_file(path, &data);

    if (rc != 0)
        return err_set(err, "%s: cannot read %s: %s", key, path, strerror(errno));
    if (data.size > PEM_MAX || memchr(data.data, '\0', data.size) != NULL) {
        gnutls_free(data.data);
        return err_set(err, "%s: %s is no PEM file", key, path);
    }
    *text = strndup((const char *)data.data, data.size);
    gnutls_memset(data.data, 0, data.size);
    gnutls_free(data.data);
    return *text != NULL;
}

static gnutls_datum_t datum(const char *text)
{
    return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)text, .size = (unsigned)strlen(text)};
}

static bool try_out(const struct config *config, const struct tls *tls, struct err *err)
{
    gnutls_datum_t cert = datum(tls->cert), key = datum(tls->key), ca = datum(tls->ca);
    gnutls_certificate_credentials_t cred;
    bool ok = true;
    int rc;

    if (gnutls_certificate_allocate_credentials(&cred) != 0)
        return err_set(err, "TLS: out of memory");
    rc = gnutls_certificate_set_x509_key_mem(cred, &cert, &key, GNUTLS_X509_FMT_PEM);
    if (rc < 0)
        ok = err_set(err, "tls-cert %s and tls-key %s do not work together: %s", config->tls_cert, config->tls_key,
                     gnutls_strerror(rc));
    rc = ok ? gnutls_certificate_set_x509_trust_mem(cred, &ca, GNUTLS_X509_FMT_PEM) : 1;
    if (rc <= 0)
        ok = err_set(err, "tls-ca %s holds no certificate%s%s", config->tls_ca, rc < 0 ? ": " : "",
                     rc < 0 ? gnutls_strerror(rc) : "");
    ok = ok && cert_in_time(cred, config->tls_cert, err);
    gnutls_certificate_free_credentials(cred);
    return ok;
}

bool tls_load(const struct config *config, struct tls *tls, struct err *err)
{
    *tls = (struct tls){0};
    return read_pem(config->tls_cert, "tls-cert", &tls->cert, err) &&
           read_pem(config->tls_key, "tls-key", &tls->key, err) && read_pem(config->tls_ca, "tls-ca", &tls->ca, err) &&
           try_out(config, tls, err);
}

void tls_free(struct tls *tls)
{
    if (tls->key != NULL)
        gnutls_memset(tls->key, 0, strlen(tls->key));
    free(tls->cert);
    free(tls->key);
    free(tls->ca);
    *tls = (struct tls){0};
}

static bool is_allowed(const struct config *config, const char *name, size_t size)
{
    if (strlen(name) != size) /* a NUL inside of a name is an old trick */
        return false;
    for (unsigned i = 0; i < config->allow_count; i++) {
        if (strcmp(config->allow[i], name) == 0)
            return true;
    }
    return false;
}

/* The first name that is allowed; else the first name, for the log. */
static bool find_name(gnutls_x509_crt_t crt, const struct config *config, char name[CONFIG_ALLOW_TEXT])
{
    size_t size = CONFIG_ALLOW_TEXT;
    char san[CONFIG_ALLOW_TEXT];

    if (gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size) != 0)
        name[0] = '\0';
    else if (is_allowed(config, name, size))
        return true;
    for (unsigned i = 0;; i++) {
        size = sizeof san - 1;
        int type = gnutls_x509_crt_get_subject_alt_name(crt, i, san, &size, NULL);
        if (type == GNUTLS_E_SHORT_MEMORY_BUFFER)
            continue;
        if (type < 0)
            return false;
        if (type != GNUTLS_SAN_DNSNAME)
            continue;
        san[size] = '\0';
        bool allowed = is_allowed(config, san, size);
        if (allowed || name[0] == '\0')
            memcpy(name, san, sizeof san);
        if (allowed)
            return true;
    }
}

bool tls_check_peer(gnutls_session_t session, const struct config *config, char name[CONFIG_ALLOW_TEXT],
                    struct err *err)
{
    gnutls_datum_t client = datum(GNUTLS_KP_TLS_WWW_CLIENT);
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = client.data, .size = client.size};
    unsigned count = 0, status = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
    gnutls_x509_crt_t crt;
    bool allowed;

    name[0] = '\0';
    if (chain == NULL || count == 0)
        return err_set(err, "a client certificate is needed");
    if (gnutls_certificate_verify_peers(session, &purpose, 1, &status) != 0 || status != 0)
        return err_set(err, "the client certificate is not valid here");
    if (gnutls_x509_crt_init(&crt) != 0)
        return err_set(err, "out of memory");
    allowed = gnutls_x509_crt_import(crt, &chain[0], GNUTLS_X509_FMT_DER) == 0 && find_name(crt, config, name);
    gnutls_x509_crt_deinit(crt);
    return allowed || err_set(err, "the client certificate's name is not allowed here");
}
