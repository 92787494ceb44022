#include "release.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "beneath.h"
#include "file.h"

#define ASIDE_PREFIX     ".upload-"
#define SIGNATURE_SUFFIX ".minisig"
#define NAME_SIZE        (SHA256_DIGITS + sizeof SIGNATURE_SUFFIX)

struct release_upload {
    int store, fd;
    char aside[sizeof ASIDE_PREFIX + SHA256_DIGITS + 16]; /* "": it has another name by now */
    char hex[SHA256_DIGITS + 1];
    uint64_t size_bytes, max_bytes;
    struct sha256 *hash;
    uint8_t head[EXE_HEAD_BYTES];
    size_t head_size;
};

static enum code code_of_errno(void)
{
    return errno == ENOSPC || errno == EDQUOT ? CODE_NO_SPACE : CODE_INTERNAL;
}

/* ---- what is there */

bool release_exists(int store, const char *hex, uint64_t *size_bytes)
{
    struct stat st;

    if (fstatat(store, hex, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
        return false;
    if (size_bytes != NULL)
        *size_bytes = (uint64_t)st.st_size;
    return true;
}

int release_open(int store, const char *hex, struct err *err)
{
    int fd = beneath_open(store, hex, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    struct stat st;

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fd;
    err_set(err, "cannot open the release %s: %s", hex,
            fd >= 0          ? "it is no plain file"
            : errno == ELOOP ? "it is a link, which is not followed here"
                             : strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

bool release_is_whole(int store, const char *hex, struct hash_cache *hashes)
{
    uint8_t wanted[SHA256_BYTES], digest[SHA256_BYTES];
    int fd = sha256_parse(hex, wanted) ? release_open(store, hex, NULL) : -1;
    bool whole = fd >= 0 && hash_cached_fd(hashes, fd, digest, NULL) && memcmp(digest, wanted, sizeof wanted) == 0;

    if (fd >= 0)
        (void)close(fd);
    return whole;
}

/* The folder's entries from the first, by a stream of its own; NULL where there is none. */
static DIR *open_entries(int store)
{
    int fd = openat(store, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (dir == NULL && fd >= 0)
        (void)close(fd);
    return dir;
}

json_t *release_list(int store)
{
    json_t *list = json_array();
    DIR *dir = open_entries(store);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        uint8_t digest[SHA256_BYTES];
        uint64_t size_bytes;
        if (sha256_parse(entry->d_name, digest) && release_exists(store, entry->d_name, &size_bytes))
            (void)json_array_append_new(
                list, json_pack("{s:s, s:I}", "sha256", entry->d_name, "size", (json_int_t)size_bytes));
    }
    if (dir != NULL)
        (void)closedir(dir);
    return list;
}

/* ---- what goes */

static bool is_stray(int store, const char *name)
{
    char hex[SHA256_DIGITS + 1];
    uint8_t digest[SHA256_BYTES];

    if (strncmp(name, ASIDE_PREFIX, sizeof ASIDE_PREFIX - 1) == 0)
        return true;
    if (strlen(name) != NAME_SIZE - 1 || strcmp(name + SHA256_DIGITS, SIGNATURE_SUFFIX) != 0)
        return false;
    (void)snprintf(hex, sizeof hex, "%.64s", name);
    return sha256_parse(hex, digest) && !release_exists(store, hex, NULL);
}

void release_sweep(int store)
{
    DIR *dir = open_entries(store);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (is_stray(store, entry->d_name))
            (void)unlinkat(store, entry->d_name, 0);
    }
    if (dir != NULL)
        (void)closedir(dir);
}

static void signature_name(const char *hex, char name[NAME_SIZE])
{
    (void)snprintf(name, NAME_SIZE, "%.64s" SIGNATURE_SUFFIX, hex);
}

struct kept {
    char hex[SHA256_DIGITS + 1];
    struct timespec came;
};

static int newest_first(const void *a, const void *b)
{
    const struct kept *one = a, *other = b;

    if (one->came.tv_sec != other->came.tv_sec)
        return one->came.tv_sec < other->came.tv_sec ? 1 : -1;
    return (one->came.tv_nsec < other->came.tv_nsec) - (one->came.tv_nsec > other->came.tv_nsec);
}

#define PRUNE_MAX 1024 /* of more, some go the next time */

static size_t read_kept(int store, struct kept *list)
{
    DIR *dir = open_entries(store);
    struct dirent *entry;
    uint8_t digest[SHA256_BYTES];
    struct stat st;
    size_t n = 0;

    while (dir != NULL && n < PRUNE_MAX && (entry = readdir(dir)) != NULL) {
        if (!sha256_parse(entry->d_name, digest) || fstatat(store, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        (void)snprintf(list[n].hex, sizeof list[n].hex, "%.64s", entry->d_name);
        list[n++].came = st.st_mtim;
    }
    if (dir != NULL)
        (void)closedir(dir);
    qsort(list, n, sizeof *list, newest_first);
    return n;
}

static bool is_needed(const char *hex, const char *const *needed, size_t n)
{
    while (n > 0 && (needed[n - 1] == NULL || strcmp(needed[n - 1], hex) != 0))
        n--;
    return n > 0;
}

void release_prune(int store, unsigned keep, const char *const *needed, size_t n_needed)
{
    struct kept *list = calloc(PRUNE_MAX, sizeof *list);
    size_t n;

    if (list == NULL)
        abort();
    n = read_kept(store, list);
    for (size_t i = keep; i < n; i++) {
        char name[NAME_SIZE];
        if (is_needed(list[i].hex, needed, n_needed))
            continue;
        signature_name(list[i].hex, name);
        (void)unlinkat(store, list[i].hex, 0); /* first: a release without its signature would be sent again in vain */
        (void)unlinkat(store, name, 0);
    }
    free(list);
}

/* ---- what comes */

struct release_upload *release_begin(int store, const char *hex, uint64_t max_bytes, struct err *err)
{
    static unsigned number;
    struct release_upload *up = calloc(1, sizeof *up);

    if (up == NULL)
        abort();
    up->store = store;
    up->max_bytes = max_bytes;
    (void)snprintf(up->hex, sizeof up->hex, "%s", hex);
    (void)snprintf(up->aside, sizeof up->aside, ASIDE_PREFIX "%.64s-%u", hex, number++); /* two at once may come */
    up->fd = openat(store, up->aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (up->fd < 0) {
        err_set(err, "cannot make a file in the store of releases: %s", strerror(errno));
        free(up);
        return NULL;
    }
    up->hash = sha256_new();
    return up;
}

enum code release_add(struct release_upload *up, const void *bytes, size_t size, struct err *err)
{
    size_t head = size < sizeof up->head - up->head_size ? size : sizeof up->head - up->head_size;

    if (size > up->max_bytes - up->size_bytes) {
        err_set(err, "the release is larger than max-release, %llu bytes", (unsigned long long)up->max_bytes);
        return CODE_TOO_LARGE;
    }
    errno = 0;
    if (!file_write_all(up->fd, bytes, size, err))
        return code_of_errno();
    memcpy(up->head + up->head_size, bytes, head);
    up->head_size += head;
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
        (void)unlinkat(up->store, up->aside, 0);
    free(up);
    *upload = NULL;
}

enum code release_check(struct release_upload *up, struct exe_look *look, struct err *err)
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_DIGITS + 1];

    sha256_end(&up->hash, digest);
    sha256_hex(digest, hex);
    *look = exe_look(up->head, up->head_size);
    if (up->size_bytes == 0) {
        err_set(err, "the release is empty");
        return CODE_EMPTY_RELEASE;
    }
    if (strcmp(hex, up->hex) == 0)
        return CODE_JOB_OK;
    err_set(err, "the %llu bytes that came have the SHA-256 %s", (unsigned long long)up->size_bytes, hex);
    return CODE_HASH_MISMATCH;
}

static enum code give_name(struct release_upload *up, struct err *err)
{
    if (fsync(up->fd) != 0 || renameat(up->store, up->aside, up->store, up->hex) != 0) {
        err_set(err, "cannot keep the release %s: %s", up->hex, strerror(errno));
        return code_of_errno();
    }
    up->aside[0] = '\0';
    return release_sync(up->store, err) ? CODE_JOB_OK : CODE_INTERNAL;
}

enum code release_end(struct release_upload **upload, uint64_t *size_bytes, struct err *err)
{
    enum code code = give_name(*upload, err);

    *size_bytes = (*upload)->size_bytes;
    free_upload(upload);
    return code;
}

void release_abandon(struct release_upload **upload)
{
    if (*upload != NULL)
        free_upload(upload);
}

static bool add_all(struct release_upload *up, int from, struct err *err)
{
    char block[64 * 1024];
    struct exe_look look;
    ssize_t n;

    while ((n = read(from, block, sizeof block)) > 0) {
        if (release_add(up, block, (size_t)n, err) != CODE_JOB_OK)
            return false;
    }
    return n == 0 ? release_check(up, &look, err) == CODE_JOB_OK : err_set(err, "cannot read: %s", strerror(errno));
}

bool release_keep(int store, const char *from, const char *hex, struct hash_cache *hashes, struct err *err)
{
    struct release_upload *up;
    uint64_t size_bytes;
    int fd;

    if (release_is_whole(store, hex, hashes))
        return true;
    fd = open(from, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return err_set(err, "cannot open %s: %s", from, strerror(errno));
    up = release_begin(store, hex, UINT64_MAX, err);
    if (up != NULL && !add_all(up, fd, err)) {
        err_context(err, "%s", from);
        release_abandon(&up);
    }
    (void)close(fd);
    return up != NULL && release_end(&up, &size_bytes, err) == CODE_JOB_OK;
}

/* ---- signatures */

size_t release_signature(int store, const char *hex, char text[MINISIGN_FILE_MAX])
{
    char name[NAME_SIZE];
    int fd;
    ssize_t n;

    signature_name(hex, name);
    fd = release_open(store, name, NULL);
    if (fd < 0)
        return 0;
    n = read(fd, text, MINISIGN_FILE_MAX);
    (void)close(fd);
    return n > 0 ? (size_t)n : 0;
}

enum code release_put_signature(int store, const char *hex, const void *text, size_t size, struct err *err)
{
    char name[NAME_SIZE], aside[sizeof ASIDE_PREFIX + NAME_SIZE];
    enum code code = CODE_JOB_OK;
    int fd;

    signature_name(hex, name);
    (void)snprintf(aside, sizeof aside, ASIDE_PREFIX "%s", name);
    (void)unlinkat(store, aside, 0);
    fd = openat(store, aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || !file_write_all(fd, text, size, NULL) || fsync(fd) != 0 || renameat(store, aside, store, name) != 0) {
        err_set(err, "cannot keep the signature: %s", strerror(errno));
        code = code_of_errno();
    }
    if (fd >= 0)
        (void)close(fd);
    return code;
}

bool release_sync(int store, struct err *err)
{
    return fsync(store) == 0 || err_set(err, "cannot sync the store of releases: %s", strerror(errno));
}
