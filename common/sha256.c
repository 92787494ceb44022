#include "common/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/hex.h"

struct sha256 {
    gnutls_hash_hd_t handle;
};

struct sha256 *sha256_new(void)
{
    struct sha256 *h = malloc(sizeof *h);

    if (h == NULL || gnutls_hash_init(&h->handle, GNUTLS_DIG_SHA256) != 0)
        abort(); /* out of memory */
    return h;
}

void sha256_add(struct sha256 *h, const void *bytes, size_t size_bytes)
{
    if (size_bytes > 0 && gnutls_hash(h->handle, bytes, size_bytes) != 0)
        abort(); /* what is not added makes another digest */
}

void sha256_end(struct sha256 **h, uint8_t digest[SHA256_BYTES])
{
    gnutls_hash_deinit((*h)->handle, digest);
    free(*h);
    *h = NULL;
}

bool sha256_fd(int fd, uint8_t digest[SHA256_BYTES], uint64_t *size_bytes, struct err *err)
{
    struct sha256 *h = sha256_new();
    uint64_t total = 0;
    uint8_t block[64 * 1024];
    ssize_t n;

    while ((n = read(fd, block, sizeof block)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        sha256_add(h, block, (size_t)n);
        total += (uint64_t)n;
    }
    int failed = n < 0 ? errno : 0;
    sha256_end(&h, digest);
    if (failed != 0)
        return err_set(err, "cannot read: %s", strerror(failed));
    if (size_bytes != NULL)
        *size_bytes = total;
    return true;
}

bool sha256_file(const char *path, uint8_t digest[SHA256_BYTES], uint64_t *size_bytes, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* a FIFO must not hold us here */
    struct stat there;
    bool ok;

    if (fd < 0)
        return err_set(err, "cannot open %s: %s", path, strerror(errno));
    if (fstat(fd, &there) != 0 || !S_ISREG(there.st_mode)) {
        ok = err_set(err, "%s is no regular file", path);
    } else {
        ok = sha256_fd(fd, digest, size_bytes, err);
        if (!ok)
            err_context(err, "%s", path);
    }
    (void)close(fd);
    return ok;
}

void sha256_hex(const uint8_t digest[SHA256_BYTES], char hex[SHA256_DIGITS + 1])
{
    hex_write(hex, digest, SHA256_BYTES);
}

bool sha256_parse(const char *hex, uint8_t digest[SHA256_BYTES])
{
    return hex_read(hex, digest, SHA256_BYTES);
}
