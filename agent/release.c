#include "release.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

#define UPLOAD_PREFIX ".upload-"

struct release_upload {
    char folder[PATH_MAX], aside[PATH_MAX];
    char hex[SHA256_DIGITS + 1];
    int fd;
    uint64_t size_bytes, max_bytes;
    struct sha256 *hash;
};

void release_path(const char *folder, const char *hex, char path[PATH_MAX])
{
    if (snprintf(path, PATH_MAX, "%s/%s", folder, hex) >= PATH_MAX)
        path[0] = '\0'; /* names no file; service_open keeps folders shorter than that */
}

bool release_exists(const char *folder, const char *hex, uint64_t *size_bytes)
{
    char path[PATH_MAX];
    struct stat st;

    release_path(folder, hex, path);
    if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    if (size_bytes != NULL)
        *size_bytes = (uint64_t)st.st_size;
    return true;
}

bool release_is_whole(const char *folder, const char *hex, struct hash_cache *hashes)
{
    char path[PATH_MAX];
    uint8_t wanted[SHA256_BYTES], digest[SHA256_BYTES];

    release_path(folder, hex, path);
    return release_exists(folder, hex, NULL) && sha256_parse(hex, wanted) && hash_cached(hashes, path, digest, NULL) &&
           memcmp(digest, wanted, sizeof wanted) == 0;
}

json_t *release_list(const char *folder)
{
    json_t *list = json_array();
    struct dirent *entry;
    DIR *dir = opendir(folder);

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        uint8_t digest[SHA256_BYTES];
        uint64_t size_bytes;
        if (sha256_parse(entry->d_name, digest) && release_exists(folder, entry->d_name, &size_bytes))
            (void)json_array_append_new(
                list, json_pack("{s:s, s:I}", "sha256", entry->d_name, "size", (json_int_t)size_bytes));
    }
    if (dir != NULL)
        (void)closedir(dir);
    return list;
}

void release_sweep(const char *folder)
{
    struct dirent *entry;
    DIR *dir = opendir(folder);

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, UPLOAD_PREFIX, sizeof UPLOAD_PREFIX - 1) == 0)
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir != NULL)
        (void)closedir(dir);
}

struct release_upload *release_begin(const char *folder, const char *hex, uint64_t max_bytes, struct err *err)
{
    struct release_upload *up = calloc(1, sizeof *up);

    if (up == NULL)
        abort();
    (void)snprintf(up->folder, sizeof up->folder, "%s", folder);
    (void)snprintf(up->hex, sizeof up->hex, "%s", hex);
    up->max_bytes = max_bytes;
    if ((size_t)snprintf(up->aside, sizeof up->aside, "%s/" UPLOAD_PREFIX "XXXXXX", folder) >= sizeof up->aside)
        up->aside[0] = '\0';
    up->fd = mkostemp(up->aside, O_CLOEXEC);
    if (up->fd < 0) {
        err_set(err, "cannot make a file in %s: %s", folder, strerror(errno));
        free(up);
        return NULL;
    }
    up->hash = sha256_new();
    return up;
}

enum code release_add(struct release_upload *up, const void *bytes, size_t size, struct err *err)
{
    if (size > up->max_bytes - up->size_bytes) {
        err_set(err, "the release is larger than max-release, %llu bytes", (unsigned long long)up->max_bytes);
        return CODE_TOO_LARGE;
    }
    errno = 0;
    if (!file_write_all(up->fd, bytes, size, err))
        return errno == ENOSPC || errno == EDQUOT ? CODE_NO_SPACE : CODE_INTERNAL;
    sha256_add(up->hash, bytes, size);
    up->size_bytes += size;
    return CODE_JOB_OK;
}

static void free_upload(struct release_upload **upload)
{
    struct release_upload *up = *upload;
    uint8_t digest[SHA256_BYTES];

    if (up->hash != NULL)
        sha256_end(&up->hash, digest);
    if (up->fd >= 0)
        (void)close(up->fd);
    if (up->aside[0] != '\0')
        (void)unlink(up->aside);
    free(up);
    *upload = NULL;
}

static enum code finish(struct release_upload *up, struct err *err)
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_DIGITS + 1], path[PATH_MAX];

    sha256_end(&up->hash, digest);
    sha256_hex(digest, hex);
    if (up->size_bytes == 0) {
        err_set(err, "the release is empty");
        return CODE_BAD_REQUEST;
    }
    if (strcmp(hex, up->hex) != 0) {
        err_set(err, "the %llu bytes that came have the SHA-256 %s", (unsigned long long)up->size_bytes, hex);
        return CODE_HASH_MISMATCH;
    }
    release_path(up->folder, up->hex, path);
    if (fchmod(up->fd, 0600) != 0 || fsync(up->fd) != 0 || rename(up->aside, path) != 0) {
        err_set(err, "cannot keep the release as %s: %s", path, strerror(errno));
        return errno == ENOSPC || errno == EDQUOT ? CODE_NO_SPACE : CODE_INTERNAL;
    }
    up->aside[0] = '\0';
    return file_sync_folder_of(path, err) ? CODE_JOB_OK : CODE_INTERNAL;
}

enum code release_end(struct release_upload **upload, uint64_t *size_bytes, struct err *err)
{
    enum code code = finish(*upload, err);

    *size_bytes = (*upload)->size_bytes;
    free_upload(upload);
    return code;
}

void release_abandon(struct release_upload **upload)
{
    if (*upload != NULL)
        free_upload(upload);
}

bool release_keep(const char *folder, const char *from, const char *hex, struct hash_cache *hashes, struct err *err)
{
    struct release_upload *up;
    char block[64 * 1024];
    uint64_t size_bytes;
    ssize_t n = 0;
    int fd;

    if (release_is_whole(folder, hex, hashes))
        return true;
    fd = open(from, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, "cannot open %s: %s", from, strerror(errno));
    up = release_begin(folder, hex, UINT64_MAX, err);
    while (up != NULL && (n = read(fd, block, sizeof block)) > 0) {
        if (release_add(up, block, (size_t)n, err) != CODE_JOB_OK)
            release_abandon(&up);
    }
    if (up != NULL && n < 0) {
        err_set(err, "cannot read %s: %s", from, strerror(errno));
        release_abandon(&up);
    }
    (void)close(fd);
    return up != NULL && release_end(&up, &size_bytes, err) == CODE_JOB_OK;
}
