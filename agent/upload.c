#include "upload.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admit.h"
#include "agent.h"
#include "common/base64.h"
#include "install.h"
#include "release.h"
#include "service.h"
#include "space.h"

struct upload {
    struct service *service;
    char hex[SHA256_DIGITS + 1];
    uint8_t signature[MINISIGN_FILE_MAX];
    size_t signature_size;
    struct sign_check *check;      /* NULL: no signature is wanted */
    struct release_upload *coming; /* NULL: it is here already, and what comes is let through */
};

static enum code take_signature(struct upload *up, const char *header, struct err *err)
{
    if (base64_read(header, strlen(header), up->signature, sizeof up->signature, &up->signature_size))
        return CODE_JOB_OK;
    err_set(err, WIRE_SIGNATURE_HEADER " is not the base64 of a signature file of at most %d bytes", MINISIGN_FILE_MAX);
    return CODE_BAD_SIGNATURE;
}

/* In the store, the old one where it is not there yet, and the copy beside the executable. */
static enum code find_room(const struct upload *up, uint64_t length, struct err *err)
{
    const struct service *service = up->service;
    struct space_need need[2] = {{.folder = service->store, .bytes = length},
                                 {.folder = install_folder(service->config->executable, err), .bytes = length}};
    struct stat st;
    bool enough;

    if (need[1].folder < 0)
        return CODE_INTERNAL;
    if (stat(service->config->executable, &st) == 0)
        need[0].bytes += (uint64_t)st.st_size;
    enough = space_enough(need, service->agent->config.reserve_bytes, err);
    (void)close(need[1].folder);
    return enough ? CODE_JOB_OK : CODE_NO_SPACE;
}

static enum code open_upload(struct upload *up, uint64_t length, const char *header, struct err *err)
{
    uint64_t max_bytes = up->service->agent->config.max_release_bytes;
    enum code code = take_signature(up, header, err);

    if (code == CODE_JOB_OK)
        code = admit_upload(up->service, up->hex, (const char *)up->signature, up->signature_size, &up->check, err);
    if (code != CODE_JOB_OK || release_is_whole(up->service->store, up->hex, &up->service->hashes))
        return code;
    if (length > max_bytes) {
        err_set(err, "the release is larger than max-release, %" PRIu64 " bytes", max_bytes);
        return CODE_TOO_LARGE;
    }
    code = find_room(up, length, err);
    if (code != CODE_JOB_OK)
        return code;
    up->coming = release_begin(up->service->store, up->hex, max_bytes, err);
    return up->coming != NULL ? CODE_JOB_OK : CODE_INTERNAL;
}

enum code upload_begin(struct service *service, const char *hex, uint64_t length, const char *signature,
                       struct upload **upload, struct err *err)
{
    struct upload *up = calloc(1, sizeof *up);
    enum code code;

    if (up == NULL)
        abort();
    up->service = service;
    memcpy(up->hex, hex, SHA256_DIGITS);
    code = open_upload(up, length, signature, err);
    *upload = up;
    if (code != CODE_JOB_OK)
        upload_abandon(upload);
    return code;
}

enum code upload_add(struct upload *up, const void *bytes, size_t size, struct err *err)
{
    if (up->coming == NULL)
        return CODE_JOB_OK;
    if (up->check != NULL)
        sign_add(up->check, bytes, size);
    return release_add(up->coming, bytes, size, err);
}

static bool feed_stored(struct upload *up, struct err *err)
{
    int fd = release_open(up->service->store, up->hex, err);
    char block[64 * 1024];
    ssize_t n = -1;

    while (fd >= 0 && (n = read(fd, block, sizeof block)) > 0)
        sign_add(up->check, block, (size_t)n);
    if (fd >= 0)
        (void)close(fd);
    return n == 0;
}

static enum code keep_signature(const struct upload *up, struct err *err)
{
    return up->signature_size > 0
               ? release_put_signature(up->service->store, up->hex, up->signature, up->signature_size, err)
               : CODE_JOB_OK;
}

/* It was here; its signature may be new: another key, or none so far. */
static enum code end_known(struct upload *up, struct err *err)
{
    enum code code;

    if (up->check == NULL)
        return CODE_JOB_OK;
    if (!feed_stored(up, err))
        return CODE_INTERNAL;
    code = sign_end(&up->check, err);
    if (code == CODE_JOB_OK)
        code = keep_signature(up, err);
    return code != CODE_JOB_OK || release_sync(up->service->store, err) ? code : CODE_INTERNAL;
}

static enum code end_fresh(struct upload *up, uint64_t *size_bytes, struct err *err)
{
    const struct service_config *config = up->service->config;
    struct exe_look look;
    enum code code = release_check(up->coming, &look, err);

    if (code == CODE_JOB_OK)
        code = kind_check(config->kind, exe_host_arch(), look, err);
    if (code == CODE_JOB_OK && up->check != NULL)
        code = sign_end(&up->check, err);
    if (code == CODE_JOB_OK)
        code = keep_signature(up, err);
    return code == CODE_JOB_OK ? release_end(&up->coming, size_bytes, err) : code;
}

enum code upload_end(struct upload **upload, uint64_t *size_bytes, bool *fresh, struct err *err)
{
    struct upload *up = *upload;
    enum code code;

    *fresh = up->coming != NULL;
    code = *fresh ? end_fresh(up, size_bytes, err) : end_known(up, err);
    if (code == CODE_JOB_OK && !*fresh && !release_exists(up->service->store, up->hex, size_bytes)) {
        err_set(err, "the release has gone");
        code = CODE_INTERNAL;
    }
    upload_abandon(upload);
    return code;
}

void upload_abandon(struct upload **upload)
{
    if (*upload == NULL)
        return;
    sign_abandon(&(*upload)->check);
    release_abandon(&(*upload)->coming);
    free(*upload);
    *upload = NULL;
}
