#include "tests/stage/ca.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/stage/state.h"

#define OPENSSL_MS 20000

static const char *openssl(struct stage *s)
{
    const char *path = "/usr/bin/openssl";

    if (access(path, X_OK) != 0)
        stage_fail(s, "%s is not there: run make deps", path);
    return path;
}

static void run(struct stage *s, const char *const *argv)
{
    struct stage_run r = stage_run(s, OPENSSL_MS, argv);

    if (r.exit_code != 0)
        stage_fail(s, "openssl failed (exit code %d): %s", r.exit_code, r.err);
}

/* The pair PREFIX.pem, PREFIX.key of an authority, made once. */
static const char *authority(struct stage *s, const char *which)
{
    const char *prefix = stage_text(s, "%s/%s", stage_mkdir(s, "ca"), which);
    const char *pem = stage_text(s, "%s.pem", prefix), *key = stage_text(s, "%s.key", prefix);

    if (access(pem, R_OK) == 0)
        return prefix;
    run(s, (const char *const[]){openssl(s), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                                 "-nodes", "-days", "60", "-subj", stage_text(s, "/CN=%s", which), "-addext",
                                 "keyUsage=critical,keyCertSign,cRLSign", "-keyout", key, "-out", pem, NULL});
    return prefix;
}

static const struct stage_tls *make(struct stage *s, const char *which, const char *name)
{
    const char *trusted = stage_text(s, "%s.pem", authority(s, "stage-ca")), *ca = authority(s, which);
    const char *prefix = stage_text(s, "%s/ca/%s.%s", s->dir, name, which);
    struct stage_tls *tls = stage_alloc(s, sizeof *tls);

    *tls = (struct stage_tls){stage_text(s, "%s.pem", prefix), stage_text(s, "%s.key", prefix), trusted};
    if (access(tls->cert, R_OK) == 0)
        return tls;
    run(s, (const char *const[]){openssl(s),
                                 "req",
                                 "-x509",
                                 "-newkey",
                                 "ec",
                                 "-pkeyopt",
                                 "ec_paramgen_curve:P-256",
                                 "-nodes",
                                 "-days",
                                 "60",
                                 "-subj",
                                 stage_text(s, "/CN=%s", name),
                                 "-CA",
                                 stage_text(s, "%s.pem", ca),
                                 "-CAkey",
                                 stage_text(s, "%s.key", ca),
                                 "-addext",
                                 stage_text(s, "subjectAltName=DNS:%s", name),
                                 "-addext",
                                 "basicConstraints=critical,CA:FALSE",
                                 "-addext",
                                 "extendedKeyUsage=serverAuth,clientAuth",
                                 "-keyout",
                                 tls->key,
                                 "-out",
                                 tls->cert,
                                 NULL});
    return tls;
}

const struct stage_tls *stage_cert(struct stage *s, const char *name)
{
    return make(s, "stage-ca", name);
}

const struct stage_tls *stage_cert_foreign(struct stage *s, const char *name)
{
    return make(s, "foreign-ca", name);
}
