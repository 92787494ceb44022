#include "sign.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/exe.h"
#include "file.h"

struct sign_check {
    struct minisign signature;
    struct minisign_key key;
    struct label label;
    char key_id[MINISIGN_ID_DIGITS + 1];
    crypto_generichash_state hash;
};

static bool read_key(const char *from, struct minisign_key *key, struct err *err)
{
    char text[MINISIGN_FILE_MAX];

    if (from[0] != '/')
        return minisign_read_key(from, strlen(from), key, err);
    return file_read_small(from, text, sizeof text, err) &&
           (minisign_read_key(text, strlen(text), key, err) || err_context(err, "%s", from));
}

bool sign_keys_ok(const struct service_config *service, struct err *err)
{
    struct minisign_key keys[SIGN_KEYS_MAX];

    for (unsigned i = 0; i < service->sign_keys.count; i++) {
        if (!read_key(service->sign_keys.from[i], &keys[i], err))
            return err_context(err, "sign-key");
        for (unsigned j = 0; j < i; j++)
            if (memcmp(keys[i].id, keys[j].id, sizeof keys[i].id) == 0)
                return err_set(err, "sign-key: %.100s is there twice", service->sign_keys.from[i]);
    }
    return true;
}

/* Read each time: a key that was changed or taken away counts at once. */
static enum code find_key(const struct service_config *service, struct sign_check *check, struct err *err)
{
    for (unsigned i = 0; i < service->sign_keys.count; i++) {
        if (!read_key(service->sign_keys.from[i], &check->key, err)) {
            err_context(err, "sign-key");
            return CODE_INTERNAL;
        }
        if (memcmp(check->key.id, check->signature.key_id, sizeof check->key.id) == 0)
            return CODE_JOB_OK;
    }
    err_set(err, "signed by the key %s, which is no sign-key of the service %s here", check->key_id, service->name);
    return CODE_UNKNOWN_KEY;
}

/* Over the signature and the trusted comment. */
static bool global_is_good(const struct sign_check *check)
{
    unsigned char signed_bytes[MINISIGN_SIGNATURE + MINISIGN_COMMENT_MAX];
    size_t size = strlen(check->signature.comment);

    memcpy(signed_bytes, check->signature.signature, MINISIGN_SIGNATURE);
    memcpy(signed_bytes + MINISIGN_SIGNATURE, check->signature.comment, size);
    return crypto_sign_verify_detached(check->signature.global, signed_bytes, MINISIGN_SIGNATURE + size,
                                       check->key.key) == 0;
}

static bool label_fits(const struct service_config *service, const char *hex, const struct label *label,
                       struct err *err)
{
    const char *host = exe_host_arch();

    if (!label_is_for(label, service->name))
        return err_set(err, "signed for the service %s, not for %s", label->app, service->name);
    if (strcmp(label->sha256, hex) != 0)
        return err_set(err, "signed for the release %s, not for %s", label->sha256, hex);
    if (strcmp(label->arch, host) != 0 && strcmp(label->arch, EXE_ARCH_ANY) != 0)
        return err_set(err, "signed for machines of %s; this one is %s", label->arch, host);
    return true;
}

static enum code judge(const struct service_config *service, const char *hex, const char *text, size_t size,
                       struct sign_check *check, struct err *err)
{
    enum code code;

    if (!minisign_read(text, size, &check->signature, err))
        return CODE_BAD_SIGNATURE;
    minisign_id_text(check->signature.key_id, check->key_id);
    if (!check->signature.prehashed) {
        err_set(err, "a signature of the older kind (Ed), which cannot be checked while the release comes: sign it "
                     "again with minisign 0.10 or later, without -l");
        return CODE_BAD_SIGNATURE;
    }
    code = find_key(service, check, err);
    if (code != CODE_JOB_OK)
        return code;
    if (!global_is_good(check)) {
        err_set(err, "the trusted comment is not what the key %s signed", check->key_id);
        return CODE_BAD_SIGNATURE;
    }
    if (!label_read(check->signature.comment, &check->label, err)) {
        err_context(err, "sign it with " SIGN_HOW);
        return CODE_SIGNED_FOR_ANOTHER;
    }
    return label_fits(service, hex, &check->label, err) ? CODE_JOB_OK : CODE_SIGNED_FOR_ANOTHER;
}

static enum code unsigned_code(const struct service_config *service, struct err *err)
{
    if (service->sign_keys.count == 0)
        err_set(err,
                "the service %s takes no release: it wants signed ones and has no sign-key; give one, or say "
                "require-signature = off",
                service->name);
    else
        err_set(err, "the release is not signed; sign it: " SIGN_HOW);
    return CODE_UNSIGNED;
}

enum code sign_begin(const struct service_config *service, const char *hex, const char *text, size_t size,
                     struct sign_check **check, struct err *err)
{
    enum code code;

    *check = NULL;
    if (size == 0 || service->sign_keys.count == 0)
        return unsigned_code(service, err);
    if (sodium_init() < 0 || (*check = calloc(1, sizeof **check)) == NULL)
        abort();
    code = judge(service, hex, text, size, *check, err);
    if (code != CODE_JOB_OK)
        sign_abandon(check);
    else
        (void)crypto_generichash_init(&(*check)->hash, NULL, 0, crypto_generichash_BYTES_MAX);
    return code;
}

void sign_add(struct sign_check *check, const void *bytes, size_t size)
{
    (void)crypto_generichash_update(&check->hash, bytes, size);
}

enum code sign_end(struct sign_check **check, struct err *err)
{
    unsigned char digest[crypto_generichash_BYTES_MAX];
    bool good;

    (void)crypto_generichash_final(&(*check)->hash, digest, sizeof digest);
    good = crypto_sign_verify_detached((*check)->signature.signature, digest, sizeof digest, (*check)->key.key) == 0;
    if (!good)
        err_set(err, "these bytes are not what the key %s signed", (*check)->key_id);
    sign_abandon(check);
    return good ? CODE_JOB_OK : CODE_BAD_SIGNATURE;
}

void sign_abandon(struct sign_check **check)
{
    free(*check);
    *check = NULL;
}

const struct label *sign_label(const struct sign_check *check)
{
    return &check->label;
}

const char *sign_key_id(const struct sign_check *check)
{
    return check->key_id;
}
