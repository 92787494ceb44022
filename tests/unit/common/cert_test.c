#include "common/cert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <gnutls/x509.h>

/* What a program holds that has read a certificate of its own that lives so long. */
static gnutls_certificate_credentials_t holding(long lives_s)
{
    gnutls_certificate_credentials_t cred;
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t crt;

    assert_int_equal(gnutls_x509_privkey_init(&key), 0);
    assert_int_equal(
        gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0), 0);
    assert_int_equal(gnutls_x509_crt_init(&crt), 0);
    gnutls_x509_crt_set_version(crt, 3);
    gnutls_x509_crt_set_serial(crt, "1", 1);
    gnutls_x509_crt_set_activation_time(crt, time(NULL) - 7200);
    gnutls_x509_crt_set_expiration_time(crt, time(NULL) + lives_s);
    gnutls_x509_crt_set_key(crt, key);
    assert_int_equal(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_certificate_allocate_credentials(&cred), 0);
    assert_int_equal(gnutls_certificate_set_x509_key(cred, &crt, 1, key), 0);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
    return cred;
}

static void one_that_has_run_out_is_named_with_its_end(void **state)
{
    static const struct {
        long lives_s;
        const char *text; /* NULL: it is good */
    } rows[] = {{3600, NULL}, {-3600, "the certificate c.pem ran out at 20"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        gnutls_certificate_credentials_t cred = holding(rows[i].lives_s);
        struct err err = {""};
        bool good = cert_in_time(cred, "c.pem", &err);

        if (good != (rows[i].text == NULL) || (!good && strstr(err.text, rows[i].text) == NULL))
            fail_msg("%ld: %d, %s", rows[i].lives_s, good, err.text);
        gnutls_certificate_free_credentials(cred);
    }
}

/* Gnutls leaves its answers as they were where it fails, say without memory: they are not looked at. */
static void one_that_cannot_be_read_is_not_good(void **state)
{
    gnutls_certificate_credentials_t cred;
    struct err err = {""};

    (void)state;
    assert_int_equal(gnutls_certificate_allocate_credentials(&cred), 0);
    assert_false(cert_in_time(cred, "c.pem", &err));
    assert_non_null(strstr(err.text, "the certificate c.pem cannot be read: "));
    gnutls_certificate_free_credentials(cred);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_has_run_out_is_named_with_its_end),
        cmocka_unit_test(one_that_cannot_be_read_is_not_good),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
