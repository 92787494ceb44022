/* minisign_fuzz.c - any bytes as a signature or a public key of minisign, and their trusted comment as a release's
 * label: what is understood is within its bounds, one way to write base64 is taken, and nobody who has no key signs. */
#include "agent/sign.h"
#include "common/base64.h"
#include "tests/fuzz/fuzz.h"

#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define KEY "RWS0e4IYzeq6aSwCnKPcNM1mJcIPqM5KbFUbnApjHCUfgTT2Vjz6YFC/" /* of nobody: its secret half is not kept */

static void check_label(const char *comment)
{
    struct err err = {""};
    struct label label;

    if (!label_read(comment, &label, &err)) {
        fuzz_check(err.text[0] != '\0');
        return;
    }
    fuzz_check(label.sequence >= 1 && label.sequence <= INT64_MAX);
    fuzz_check(strlen(label.sha256) == 64 && strspn(label.sha256, "0123456789abcdef") == 64);
    fuzz_check(label.app[0] != '\0' && label.version[0] != '\0' && label.arch[0] != '\0');
    fuzz_check(strpbrk(label.app, " \t/") == NULL && strpbrk(label.version, " \t") == NULL);
    fuzz_check(!label_is_for(&label, ""));
}

static void check_signature(const char *text, size_t size)
{
    struct minisign signature;
    struct err err = {""};

    if (!minisign_read(text, size, &signature, &err)) {
        fuzz_check(err.text[0] != '\0');
        return;
    }
    fuzz_check(strlen(signature.comment) <= MINISIGN_COMMENT_MAX);
    for (const char *c = signature.comment; *c != '\0'; c++)
        fuzz_check(*c == '\t' || (*c >= ' ' && *c <= '~'));
    check_label(signature.comment);
}

static void check_base64(const char *text, size_t size)
{
    uint8_t bytes[8192];
    char again[BASE64_SIZE(sizeof bytes) + 1];
    size_t n;

    if (!base64_read(text, size, bytes, sizeof bytes, &n))
        return;
    fuzz_check(n <= size / 4 * 3);
    base64_write(bytes, n, again);
    fuzz_check(strlen(again) == size && memcmp(again, text, size) == 0);
}

static void check_nobody_signs(const char *text, size_t size)
{
    struct service_config service = {.name = "app", .sign_keys = {.count = 1, .from = {KEY}}};
    struct sign_check *check;
    struct err err = {""};

    fuzz_check(sign_begin(&service, HEX, text, size, &check, &err) != CODE_JOB_OK);
    fuzz_check(check == NULL && err.text[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_copy(data, size), *line = calloc(1, size + 1);
    struct minisign_key key;

    if (line == NULL)
        abort();
    if (size > 0)
        memcpy(line, data, size);
    check_signature(text, size);
    (void)minisign_read_key(text, size, &key, NULL);
    check_base64(text, size);
    check_label(line);
    check_nobody_signs(text, size);
    free(line);
    free(text);
    return 0;
}
