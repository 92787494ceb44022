#include <dirent.h>
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "controller/call.h"
#include "tiny_server.h"

/* ---- throw-away certificates, made in memory */
struct cert {
    gnutls_x509_crt_t crt;
    gnutls_x509_privkey_t key;
};

static long lives_s = 3600; /* of the certificates made from now on */

static struct cert cert_new(const char *name, const struct cert *issuer)
{
    struct cert c;
    static unsigned char serial;
    time_t now = time(NULL);

    serial++;
    assert_int_equal(gnutls_x509_privkey_init(&c.key), 0);
    assert_int_equal(
        gnutls_x509_privkey_generate(c.key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0), 0);
    assert_int_equal(gnutls_x509_crt_init(&c.crt), 0);
    gnutls_x509_crt_set_version(c.crt, 3);
    gnutls_x509_crt_set_serial(c.crt, &serial, 1);
    gnutls_x509_crt_set_dn_by_oid(c.crt, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name));
    gnutls_x509_crt_set_activation_time(c.crt, now - 3600);
    gnutls_x509_crt_set_expiration_time(c.crt, now + lives_s);
    gnutls_x509_crt_set_key(c.crt, c.key);
    gnutls_x509_crt_set_basic_constraints(c.crt, issuer == NULL, -1);
    if (issuer == NULL)
        gnutls_x509_crt_set_key_usage(c.crt, GNUTLS_KEY_KEY_CERT_SIGN);
    else
        gnutls_x509_crt_set_subject_alt_name(c.crt, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name), GNUTLS_FSAN_SET);
    assert_int_equal(gnutls_x509_crt_sign2(c.crt, issuer != NULL ? issuer->crt : c.crt,
                                           issuer != NULL ? issuer->key : c.key, GNUTLS_DIG_SHA256, 0),
                     0);
    return c;
}

static void cert_free(struct cert *c)
{
    gnutls_x509_crt_deinit(c->crt);
    gnutls_x509_privkey_deinit(c->key);
}

static void put_pem(const char *path, const struct cert *c, bool with_key)
{
    char pem[16384];
    size_t size = sizeof pem;
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    assert_int_equal(gnutls_x509_crt_export(c->crt, GNUTLS_X509_FMT_PEM, pem, &size), 0);
    fwrite(pem, 1, size, f);
    size = sizeof pem;
    if (with_key && gnutls_x509_privkey_export(c->key, GNUTLS_X509_FMT_PEM, pem, &size) == 0)
        fwrite(pem, 1, size, f);
    fclose(f);
}

/* ---- a server that answers one request on each connection */
struct fix {
    char folder[32], ca[64], foreign_ca[64], client[64];
    gnutls_certificate_credentials_t credentials;
    const char *priority;
    bool wants_client;
    int fd, port, answered;
    pthread_t thread;
    struct calls *calls;
};

static void serve(struct fix *f, int fd)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    gnutls_session_t s;
    char request[4096];
    unsigned status = 1;
    int rc;

    gnutls_init(&s, GNUTLS_SERVER);
    gnutls_priority_set_direct(s, f->priority, NULL);
    gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, f->credentials);
    gnutls_certificate_server_set_request(s, f->wants_client ? GNUTLS_CERT_REQUEST : GNUTLS_CERT_IGNORE);
    gnutls_transport_set_int(s, fd);
    gnutls_handshake_set_timeout(s, 5000);
    do
        rc = gnutls_handshake(s);
    while (rc < 0 && !gnutls_error_is_fatal(rc));
    if (rc == 0 && (!f->wants_client || (gnutls_certificate_verify_peers2(s, &status) == 0 && status == 0)) &&
        gnutls_record_recv(s, request, sizeof request) > 0) {
        f->answered++;
        gnutls_record_send(s, answer, sizeof answer - 1);
        gnutls_bye(s, GNUTLS_SHUT_WR);
    }
    gnutls_deinit(s);
}

static void *server(void *arg)
{
    struct fix *f = arg;
    int fd;

    while ((fd = accept4(f->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        serve(f, fd);
        close(fd);
    }
    return NULL;
}

static int open_all(void **state)
{
    struct fix *f = calloc(1, sizeof *f);
    struct cert ca = cert_new("test CA", NULL), foreign = cert_new("another CA", NULL);
    struct cert web1 = cert_new("web1", &ca), client = cert_new("rollout", &ca);

    strcpy(f->folder, "/tmp/call_tls_test_XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->ca, sizeof f->ca, "%s/ca.pem", f->folder);
    snprintf(f->foreign_ca, sizeof f->foreign_ca, "%s/foreign.pem", f->folder);
    snprintf(f->client, sizeof f->client, "%s/client.pem", f->folder);
    put_pem(f->ca, &ca, false);
    put_pem(f->foreign_ca, &foreign, false);
    put_pem(f->client, &client, true);
    gnutls_certificate_allocate_credentials(&f->credentials);
    assert_int_equal(gnutls_certificate_set_x509_key(f->credentials, &web1.crt, 1, web1.key), 0);
    assert_int_equal(gnutls_certificate_set_x509_trust(f->credentials, &ca.crt, 1), 1);
    cert_free(&ca);
    cert_free(&foreign);
    cert_free(&web1);
    cert_free(&client);
    f->priority = "NORMAL";
    f->fd = tiny_listen(&f->port);
    pthread_create(&f->thread, NULL, server, f);
    f->calls = calls_open(3000, NULL);
    *state = f;
    return 0;
}

static int close_all(void **state)
{
    struct fix *f = *state;

    calls_close(&f->calls);
    shutdown(f->fd, SHUT_RDWR);
    pthread_join(f->thread, NULL);
    close(f->fd);
    gnutls_certificate_free_credentials(f->credentials);
    unlink(f->ca);
    unlink(f->foreign_ca);
    unlink(f->client);
    rmdir(f->folder);
    free(f);
    return 0;
}

/* Of the latest call: nobody need ask again. */
static bool lasting;

static enum call_failure get(struct fix *f, const char *host, struct call_profile profile)
{
    struct call_result r;
    char url[64];
    struct call_request q = {
        .method = "GET", .url = url, .connect_to = "127.0.0.1", .limit_ms = 6000, .cap_bytes = 1000};

    snprintf(url, sizeof url, "https://%s:%d/", host, f->port);
    assert_true(calls_set_profile(f->calls, NULL, &profile, NULL));
    calls_start(f->calls, &q);
    assert_int_equal(calls_collect(f->calls, 20000, &r, 1, NULL), 1);
    call_result_free(&r);
    lasting = r.lasting;
    return r.failure;
}

static void the_certificate_must_be_of_the_urls_name_wherever_we_connect_to(void **state)
{
    struct fix *f = *state;

    assert_int_equal(get(f, "web1", (struct call_profile){.ca_file = f->ca}), CALL_FINE);
    assert_false(lasting);
    assert_int_equal(get(f, "web2", (struct call_profile){.ca_file = f->ca}), CALL_NOT_SENT);
    assert_true(lasting);
    assert_int_equal(get(f, "127.0.0.1", (struct call_profile){.ca_file = f->ca}), CALL_NOT_SENT);
    assert_int_equal(f->answered, 1);
}

static void a_certificate_of_another_ca_is_refused_before_anything_is_sent(void **state)
{
    struct fix *f = *state;

    assert_int_equal(get(f, "web1", (struct call_profile){.ca_file = f->foreign_ca}), CALL_NOT_SENT);
    assert_true(lasting);
    assert_int_equal(get(f, "web1", (struct call_profile){0}), CALL_NOT_SENT);
    assert_int_equal(f->answered, 0);
}

/* Stands before libc's, for the libraries too: GnuTLS looks for a folder of authorities through it. */
static unsigned folders_opened;
DIR *opendir(const char *path)
{
    DIR *(*real)(const char *);

    *(void **)&real = dlsym(RTLD_NEXT, "opendir");
    folders_opened++;
    return real(path);
}

static void with_a_cacert_the_systems_authorities_are_not_even_looked_at(void **state)
{
    struct fix *f = *state;

    folders_opened = 0;
    assert_int_equal(get(f, "web1", (struct call_profile){.ca_file = f->ca}), CALL_FINE);
    assert_int_equal(folders_opened, 0);
    assert_int_equal(get(f, "web1", (struct call_profile){0}), CALL_NOT_SENT);
    assert_int_not_equal(folders_opened, 0);
}

static void our_certificate_is_shown_and_without_it_there_is_no_answer(void **state)
{
    struct fix *f = *state;

    f->wants_client = true;
    assert_int_equal(get(f, "web1", (struct call_profile){.ca_file = f->ca, .cert_file = f->client}), CALL_FINE);
    assert_int_equal(f->answered, 1);
    assert_int_not_equal(get(f, "web1", (struct call_profile){.ca_file = f->ca}), CALL_FINE);
    assert_int_equal(f->answered, 1);
}

static void older_tls_than_1_2_is_refused(void **state)
{
    struct fix *f = *state;

    f->priority = "NORMAL:-VERS-ALL:+VERS-TLS1.2";
    assert_int_equal(get(f, "web1", (struct call_profile){.ca_file = f->ca}), CALL_FINE);
    f->priority = "NORMAL:-VERS-ALL:+VERS-TLS1.1:+SHA1:+SIGN-RSA-SHA1:+SIGN-ECDSA-SHA1";
    assert_int_equal(get(f, "web1", (struct call_profile){.ca_file = f->ca}), CALL_NOT_SENT);
    assert_int_equal(f->answered, 1);
}

static void assert_refused(struct fix *f, struct call_profile profile, const char *path, const char *text)
{
    struct err err = {""};

    assert_false(calls_set_profile(f->calls, "web1", &profile, &err));
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, text));
}

static void what_is_wrong_with_our_own_files_is_said_before_anything_is_contacted(void **state)
{
    struct fix *f = *state;
    struct cert ca, old, none;
    char pem[64];

    snprintf(pem, sizeof pem, "%s/x.pem", f->folder);
    ca = cert_new("test CA", NULL);
    none = cert_new("rollout", &ca);
    lives_s = -60;
    old = cert_new("rollout", &ca);
    lives_s = 3600;
    put_pem(pem, &none, false);
    assert_refused(f, (struct call_profile){.cert_file = pem}, pem, "or give --key too");
    assert_refused(f, (struct call_profile){.cert_file = pem, .key_file = f->client}, pem, "do not match");
    assert_refused(f, (struct call_profile){.cert_file = f->folder}, f->folder, "--key");
    put_pem(pem, &old, true);
    assert_refused(f, (struct call_profile){.cert_file = pem}, pem, "ran out at");
    assert_refused(f, (struct call_profile){.ca_file = "/dev/null"}, "/dev/null", "holds no CA certificate");
    assert_int_equal(f->answered, 0);
    unlink(pem);
    cert_free(&ca);
    cert_free(&old);
    cert_free(&none);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)
    const struct CMUnitTest tests[] = {
        T(the_certificate_must_be_of_the_urls_name_wherever_we_connect_to),
        T(a_certificate_of_another_ca_is_refused_before_anything_is_sent),
        T(with_a_cacert_the_systems_authorities_are_not_even_looked_at),
        T(our_certificate_is_shown_and_without_it_there_is_no_answer),
        T(older_tls_than_1_2_is_refused),
        T(what_is_wrong_with_our_own_files_is_said_before_anything_is_contacted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
