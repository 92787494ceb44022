#include "tls.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "common/cert.h"

#define PEM_MAX (1024 * 1024)

struct tls {
    unsigned refs;
    gnutls_certificate_credentials_t cred;
    gnutls_priority_t priorities;
    int64_t ends_s;
};

static bool read_pem(const char *path, const char *key, gnutls_datum_t *data, struct err *err)
{
    int rc = gnutls_load_file(path, data);

    if (rc != 0)
        return err_set(err, "%s: cannot read %s: %s", key, path, strerror(errno));
    return (data->size <= PEM_MAX && memchr(data->data, '\0', data->size) == NULL) ||
           err_set(err, "%s: %s is no PEM file", key, path);
}

static void wipe(gnutls_datum_t *data)
{
    if (data->data != NULL)
        gnutls_memset(data->data, 0, data->size);
    gnutls_free(data->data);
}

static bool take_pair(struct tls *tls, const struct config *config, const gnutls_datum_t *cert,
                      const gnutls_datum_t *key, struct err *err)
{
    int rc = gnutls_certificate_set_x509_key_mem(tls->cred, cert, key, GNUTLS_X509_FMT_PEM);

    return rc >= 0 || err_set(err, "tls-cert %s and tls-key %s do not work together: %s", config->tls_cert,
                              config->tls_key, gnutls_strerror(rc));
}

static bool take_authorities(struct tls *tls, const struct config *config, const gnutls_datum_t *ca, struct err *err)
{
    int rc = gnutls_certificate_set_x509_trust_mem(tls->cred, ca, GNUTLS_X509_FMT_PEM);

    return rc > 0 || err_set(err, "tls-ca %s holds no certificate%s%s", config->tls_ca, rc < 0 ? ": " : "",
                             rc < 0 ? gnutls_strerror(rc) : "");
}

static bool read_files(struct tls *tls, const struct config *config, struct err *err)
{
    gnutls_datum_t cert = {0}, key = {0}, ca = {0};
    bool good = read_pem(config->tls_cert, "tls-cert", &cert, err) && read_pem(config->tls_key, "tls-key", &key, err) &&
                read_pem(config->tls_ca, "tls-ca", &ca, err) && take_pair(tls, config, &cert, &key, err) &&
                take_authorities(tls, config, &ca, err) && cert_in_time(tls->cred, config->tls_cert, err);

    wipe(&cert);
    wipe(&key);
    wipe(&ca);
    return good;
}

struct tls *tls_load(const struct config *config, struct err *err)
{
    struct tls *tls = calloc(1, sizeof *tls);

    if (tls == NULL || gnutls_certificate_allocate_credentials(&tls->cred) != 0 ||
        gnutls_priority_init(&tls->priorities, TLS_PRIORITIES, NULL) != 0)
        abort();
    tls->refs = 1;
    if (read_files(tls, config, err)) {
        tls->ends_s = cert_ends_s(tls->cred);
        return tls;
    }
    tls_unref(&tls);
    return NULL;
}

struct tls *tls_ref(struct tls *tls)
{
    if (tls != NULL)
        tls->refs++;
    return tls;
}

void tls_unref(struct tls **tls)
{
    struct tls *t = *tls;

    *tls = NULL;
    if (t == NULL || --t->refs > 0)
        return;
    gnutls_certificate_free_credentials(t->cred);
    gnutls_priority_deinit(t->priorities);
    free(t);
}

int64_t tls_ends_s(const struct tls *tls)
{
    return tls->ends_s;
}

gnutls_session_t tls_session(const struct tls *tls, int fd)
{
    gnutls_session_t session;

    if (gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS) != 0)
        return NULL;
    if (gnutls_priority_set(session, tls->priorities) != 0 ||
        gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, tls->cred) != 0) {
        gnutls_deinit(session);
        return NULL;
    }
    gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST); /* without one it is told so, in words */
    gnutls_transport_set_int(session, fd);
    return session;
}

static gnutls_datum_t datum(const char *text)
{
    return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)text, .size = (unsigned)strlen(text)};
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
    char san[CONFIG_ALLOW_TEXT] = "";

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

bool tls_name_is_allowed(const gnutls_datum_t *der, const struct config *config, char name[CONFIG_ALLOW_TEXT])
{
    gnutls_x509_crt_t crt;
    bool allowed;

    name[0] = '\0';
    if (gnutls_x509_crt_init(&crt) != 0)
        abort();
    allowed = gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) == 0 && find_name(crt, config, name);
    gnutls_x509_crt_deinit(crt);
    return allowed;
}

bool tls_check_peer(gnutls_session_t session, const struct config *config, char name[CONFIG_ALLOW_TEXT],
                    struct err *err)
{
    gnutls_datum_t client = datum(GNUTLS_KP_TLS_WWW_CLIENT);
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = client.data, .size = client.size};
    unsigned count = 0, status = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);

    name[0] = '\0';
    if (chain == NULL || count == 0)
        return err_set(err, "a client certificate is needed");
    if (gnutls_certificate_verify_peers(session, &purpose, 1, &status) != 0 || status != 0) {
        (void)tls_name_is_allowed(&chain[0], config, name); /* whose it says it is, for the log alone */
        return err_set(err, "the client certificate is not valid here");
    }
    return tls_name_is_allowed(&chain[0], config, name) ||
           err_set(err, "the client certificate's name is not allowed here");
}
