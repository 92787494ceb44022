#include "tests/stage/sign.h"

#include <string.h>

#include "agent/wire.h"
#include "common/base64.h"
#include "common/exe.h"
#include "common/sha256.h"
#include "tests/stage/proc.h"

#define MINISIGN_LIMIT_MS 20000

static void minisign(struct stage *s, const char *const *argv)
{
    struct stage_run r = stage_run(s, MINISIGN_LIMIT_MS, argv);

    if (r.exit_code != 0)
        stage_fail(s, "minisign ended with exit code %d: %s%s", r.exit_code, r.out, r.err);
}

struct stage_signer *stage_signer(struct stage *s, const char *name)
{
    struct stage_signer *signer = stage_alloc(s, sizeof *signer);
    const char *text;

    signer->public = stage_text(s, "%s/%s.pub", s->dir, name);
    signer->secret = stage_text(s, "%s/%s.sec", s->dir, name);
    minisign(s,
             (const char *const[]){"/usr/bin/minisign", "-G", "-W", "-p", signer->public, "-s", signer->secret, NULL});
    text = strchr(stage_read(s, signer->public), '\n') + 1;
    signer->line = stage_text(s, "%.*s", (int)strcspn(text, "\n"), text);
    return signer;
}

const char *stage_sign(struct stage *s, const struct stage_signer *signer, const char *file, const char *comment,
                       enum stage_sign_kind kind)
{
    static unsigned number;
    const char *to = stage_text(s, "%s/%u.minisig", s->dir, ++number);
    const char *argv[16] = {"/usr/bin/minisign", "-S", "-s", signer->secret, "-m", file, "-x", to};
    size_t n = 8;

    if (comment != NULL) {
        argv[n++] = "-t";
        argv[n++] = comment;
    }
    if (kind == STAGE_LEGACY)
        argv[n++] = "-l";
    minisign(s, argv);
    return to;
}

const char *stage_sha256(struct stage *s, const char *file)
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_DIGITS + 1];
    struct err err = {""};

    if (!sha256_file(file, digest, NULL, &err))
        stage_fail(s, "%s", err.text);
    sha256_hex(digest, hex);
    return stage_text(s, "%s", hex);
}

const char *stage_sign_label(struct stage *s, const char *app, unsigned sequence, const char *file)
{
    return stage_text(s, "app:%s version:%u sequence:%u arch:%s sha256:%s", app, sequence, sequence, exe_host_arch(),
                      stage_sha256(s, file));
}

const char *stage_sign_header(struct stage *s, const char *signature)
{
    const char *text = stage_read(s, signature);
    char *encoded = stage_alloc(s, BASE64_SIZE(strlen(text)) + 1);

    base64_write(text, strlen(text), encoded);
    return stage_text(s, WIRE_SIGNATURE_HEADER ": %s", encoded);
}
