/* Signatures: read, and held against bytes, with keys made here (tests/cases/agent_release_case.c has minisign's own).
 */
#include "agent/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "common/base64.h"
#include "common/exe.h"
#include "common/sha256.h"

#define BYTES "the bytes of a release"
#define OTHER "other bytes of the same size"

struct maker {
    uint8_t id[8], public[32], secret[64];
};

struct file {
    char text[MINISIGN_FILE_MAX + 64];
    size_t size;
};

static struct maker make_key(uint8_t id)
{
    struct maker m = {.id = {id, 0, 0, 0, 0, 0, 0, 0xAB}};

    assert_true(sodium_init() >= 0);
    (void)crypto_sign_keypair(m.public, m.secret);
    return m;
}

static struct file public_of(const struct maker *m)
{
    char line[64];
    uint8_t bytes[42] = "Ed";
    struct file f;

    memcpy(bytes + 2, m->id, 8);
    memcpy(bytes + 10, m->public, 32);
    base64_write(bytes, sizeof bytes, line);
    f.size = (size_t)snprintf(f.text, sizeof f.text, "untrusted comment: minisign public key\n%s\n", line);
    return f;
}

static struct file put_together(const uint8_t first[74], const char *comment, const uint8_t global[64])
{
    char line[128], last[128];
    struct file f;

    base64_write(first, 74, line);
    base64_write(global, 64, last);
    f.size = (size_t)snprintf(f.text, sizeof f.text, "untrusted comment: x\n%s\ntrusted comment: %s\n%s\n", line,
                              comment, last);
    return f;
}

static struct file sign(const struct maker *m, const char *algorithm, const char *bytes, const char *comment)
{
    uint8_t first[74], digest[64], global[64], both[64 + MINISIGN_COMMENT_MAX];
    bool prehashed = algorithm[1] == 'D';

    memcpy(first, algorithm, 2);
    memcpy(first + 2, m->id, 8);
    (void)crypto_generichash(digest, sizeof digest, (const uint8_t *)bytes, strlen(bytes), NULL, 0);
    (void)crypto_sign_detached(first + 10, NULL, prehashed ? digest : (const uint8_t *)bytes,
                               prehashed ? sizeof digest : strlen(bytes), m->secret);
    memcpy(both, first + 10, 64);
    memcpy(both + 64, comment, strlen(comment));
    (void)crypto_sign_detached(global, NULL, both, 64 + strlen(comment), m->secret);
    return put_together(first, comment, global);
}

static const char *hex_of(const char *bytes)
{
    static char hex[SHA256_DIGITS + 1];
    struct sha256 *hash = sha256_new();
    uint8_t digest[SHA256_BYTES];

    sha256_add(hash, bytes, strlen(bytes));
    sha256_end(&hash, digest);
    sha256_hex(digest, hex);
    return hex;
}

static const char *comment_for(const char *app, const char *arch, const char *bytes)
{
    static char comment[256];

    (void)snprintf(comment, sizeof comment, "app:%s version:2 sequence:7 arch:%s sha256:%s", app, arch, hex_of(bytes));
    return comment;
}

static struct service_config service_of(const struct maker *const *keys, unsigned n)
{
    struct service_config service = {.name = "app", .require_signature = true};

    for (unsigned i = 0; i < n; i++) {
        struct file f = public_of(keys[i]);
        char *line = strchr(f.text, '\n') + 1;
        (void)snprintf(service.sign_keys.from[i], sizeof service.sign_keys.from[i], "%.56s", line);
    }
    service.sign_keys.count = n;
    return service;
}

/* By small pieces, as they come over the network. */
static enum code verify(const struct service_config *service, const struct file *f, const char *bytes, struct err *err)
{
    struct sign_check *check;
    enum code code = sign_begin(service, hex_of(BYTES), f->text, f->size, &check, err);

    if (code != CODE_JOB_OK) {
        assert_null(check);
        return code;
    }
    for (size_t i = 0; bytes[i] != '\0'; i++)
        sign_add(check, bytes + i, 1);
    code = sign_end(&check, err);
    assert_null(check);
    return code;
}

static void a_good_signature_holds_for_its_bytes_alone(void **state)
{
    struct maker m = make_key(1);
    struct service_config service = service_of((const struct maker *[]){&m}, 1);
    struct file f = sign(&m, "ED", BYTES, comment_for("app", exe_host_arch(), BYTES));
    struct sign_check *check;
    struct err err = {""};

    (void)state;
    if (verify(&service, &f, BYTES, &err) != CODE_JOB_OK)
        fail_msg("%s", err.text);
    assert_int_equal(verify(&service, &f, OTHER, &err), CODE_BAD_SIGNATURE);
    assert_int_equal(verify(&service, &f, "", &err), CODE_BAD_SIGNATURE);
    assert_int_equal(sign_begin(&service, hex_of(BYTES), f.text, f.size, &check, &err), CODE_JOB_OK);
    assert_int_equal(sign_label(check)->sequence, 7);
    assert_string_equal(sign_key_id(check), "AB00000000000001");
    sign_abandon(&check);
}

/* Whoever changes a byte of it anywhere has no signature any more; case and blanks of the first line are anybody's. */
static void no_byte_of_a_signature_can_be_changed(void **state)
{
    struct maker m = make_key(1);
    struct service_config service = service_of((const struct maker *[]){&m}, 1);
    const struct file good = sign(&m, "ED", BYTES, comment_for("app", exe_host_arch(), BYTES));
    size_t from = (size_t)(strchr(good.text, '\n') + 1 - good.text);

    (void)state;
    for (size_t i = from; i < good.size - 1; i++) {
        struct file bad = good;
        struct err err = {""};
        bad.text[i] = (char)(bad.text[i] ^ 1 << i % 8);
        if (verify(&service, &bad, BYTES, &err) == CODE_JOB_OK)
            fail_msg("byte %zu", i);
    }
    for (size_t size = 0; size < good.size - 1; size++) {
        struct file bad = good;
        struct err err = {""};
        bad.size = size;
        if (verify(&service, &bad, BYTES, &err) == CODE_JOB_OK)
            fail_msg("cut to %zu bytes", size);
    }
}

static void each_refusal_has_its_code(void **state)
{
    struct maker m = make_key(1), stranger = make_key(2), twin = make_key(1);
    struct service_config service = service_of((const struct maker *[]){&m}, 1);
    const char *host = exe_host_arch(), *foreign = strcmp(host, "s390x") == 0 ? "x86_64" : "s390x";
    struct err err = {""};
    struct file f;

    (void)state;
    f = sign(&stranger, "ED", BYTES, comment_for("app", host, BYTES));
    assert_int_equal(verify(&service, &f, BYTES, &err), CODE_UNKNOWN_KEY);
    f = sign(&twin, "ED", BYTES, comment_for("app", host, BYTES)); /* the id of our key is public */
    assert_int_equal(verify(&service, &f, BYTES, &err), CODE_BAD_SIGNATURE);
    f = sign(&m, "Ed", BYTES, comment_for("app", host, BYTES));
    assert_int_equal(verify(&service, &f, BYTES, &err), CODE_BAD_SIGNATURE);
    assert_non_null(strstr(err.text, "older kind"));
    f = sign(&m, "ED", BYTES, comment_for("app2", host, BYTES));
    assert_int_equal(verify(&service, &f, BYTES, &err), CODE_SIGNED_FOR_ANOTHER);
    f = sign(&m, "ED", BYTES, comment_for("app", foreign, BYTES));
    assert_int_equal(verify(&service, &f, BYTES, &err), CODE_SIGNED_FOR_ANOTHER);
    f = sign(&m, "ED", BYTES, comment_for("app", host, OTHER));
    assert_int_equal(verify(&service, &f, BYTES, &err), CODE_SIGNED_FOR_ANOTHER);
    f = sign(&m, "ED", BYTES, "timestamp:1 file:app hashed");
    assert_int_equal(verify(&service, &f, BYTES, &err), CODE_SIGNED_FOR_ANOTHER);
    assert_non_null(strstr(err.text, "minisign -Sm FILE"));
    f.size = 0;
    assert_int_equal(verify(&service, &f, BYTES, &err), CODE_UNSIGNED);
    f = sign(&m, "ED", BYTES, comment_for("other,app", "any", BYTES));
    assert_int_equal(verify(&service, &f, BYTES, &err), CODE_JOB_OK);
}

/* A signature of other bytes, with a comment that was signed with another signature. */
static void parts_of_two_signatures_make_none(void **state)
{
    struct maker m = make_key(1);
    struct service_config service = service_of((const struct maker *[]){&m}, 1);
    struct file one = sign(&m, "ED", OTHER, comment_for("app", exe_host_arch(), OTHER)),
                two = sign(&m, "ED", BYTES, comment_for("app", exe_host_arch(), BYTES)), mixed;
    const char *cut_one = strstr(one.text, "trusted comment: app"), *cut_two = strstr(two.text, "trusted comment: app");
    struct err err = {""};

    (void)state;
    mixed.size =
        (size_t)snprintf(mixed.text, sizeof mixed.text, "%.*s%s", (int)(cut_one - one.text), one.text, cut_two);
    assert_int_equal(verify(&service, &mixed, BYTES, &err), CODE_BAD_SIGNATURE);
    assert_int_equal(verify(&service, &mixed, OTHER, &err), CODE_BAD_SIGNATURE);
}

static void two_keys_count_while_one_takes_over_from_the_other(void **state)
{
    struct maker old = make_key(1), new = make_key(2);
    struct service_config both = service_of((const struct maker *[]){&old, &new}, 2),
                          one = service_of((const struct maker *[]){&new}, 1);
    struct file by_old = sign(&old, "ED", BYTES, comment_for("app", exe_host_arch(), BYTES)),
                by_new = sign(&new, "ED", BYTES, comment_for("app", exe_host_arch(), BYTES));
    struct err err = {""};

    (void)state;
    assert_int_equal(verify(&both, &by_old, BYTES, &err), CODE_JOB_OK);
    assert_int_equal(verify(&both, &by_new, BYTES, &err), CODE_JOB_OK);
    assert_int_equal(verify(&one, &by_old, BYTES, &err), CODE_UNKNOWN_KEY);
    assert_true(sign_keys_ok(&both, &err));
    both = service_of((const struct maker *[]){&old, &old}, 2);
    assert_false(sign_keys_ok(&both, &err));
    assert_non_null(strstr(err.text, "twice"));
}

static void a_key_is_a_file_or_the_line_itself(void **state)
{
    struct maker m = make_key(1);
    struct service_config service = service_of((const struct maker *[]){&m}, 1);
    struct file public = public_of(&m), f = sign(&m, "ED", BYTES, comment_for("app", exe_host_arch(), BYTES));
    char path[] = "/tmp/sign_test.XXXXXX";
    int fd = mkstemp(path);
    struct err err = {""};
    FILE *to = fdopen(fd, "w");

    (void)state;
    assert_non_null(to);
    assert_int_equal(fwrite(public.text, 1, public.size, to), public.size);
    assert_int_equal(fclose(to), 0);
    (void)snprintf(service.sign_keys.from[0], sizeof service.sign_keys.from[0], "%s", path);
    assert_true(sign_keys_ok(&service, &err));
    assert_int_equal(verify(&service, &f, BYTES, &err), CODE_JOB_OK);
    assert_int_equal(remove(path), 0);
    assert_false(sign_keys_ok(&service, &err));
    assert_int_equal(verify(&service, &f, BYTES, &err), CODE_INTERNAL);
}

static void without_a_key_nothing_is_signed_enough(void **state)
{
    struct maker m = make_key(1);
    struct service_config service = service_of(NULL, 0);
    struct file f = sign(&m, "ED", BYTES, comment_for("app", exe_host_arch(), BYTES));
    struct err err = {""};

    (void)state;
    assert_int_equal(verify(&service, &f, BYTES, &err), CODE_UNSIGNED);
    assert_non_null(strstr(err.text, "no sign-key"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_signature_holds_for_its_bytes_alone),
        cmocka_unit_test(no_byte_of_a_signature_can_be_changed),
        cmocka_unit_test(each_refusal_has_its_code),
        cmocka_unit_test(parts_of_two_signatures_make_none),
        cmocka_unit_test(two_keys_count_while_one_takes_over_from_the_other),
        cmocka_unit_test(a_key_is_a_file_or_the_line_itself),
        cmocka_unit_test(without_a_key_nothing_is_signed_enough),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
