#include "install.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "file.h"

#define CAPABILITY_XATTR "security.capability" /* cap_net_bind_service and the like; a copy would lose it */

static bool copy_hashed(int from, int to, uint8_t digest[SHA256_BYTES], struct err *err)
{
    struct sha256 *hash = sha256_new();
    char block[64 * 1024];
    bool ok = true;
    ssize_t n = 0;

    while (ok && (n = read(from, block, sizeof block)) > 0) {
        sha256_add(hash, block, (size_t)n);
        ok = file_write_all(to, block, (size_t)n, err);
    }
    if (n < 0)
        ok = err_set(err, "cannot read: %s", strerror(errno));
    sha256_end(&hash, digest);
    return ok;
}

static bool copy_rights(const char *target, int to, struct err *err)
{
    char capability[64];
    struct stat st;
    ssize_t n;

    if (stat(target, &st) != 0)
        return err_set(err, "cannot read the status of %s: %s", target, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(err, "%s is no regular file", target);
    if (fchown(to, st.st_uid, st.st_gid) != 0 || fchmod(to, st.st_mode & 07777) != 0)
        return err_set(err, "cannot give the copy the owner and mode of %s: %s", target, strerror(errno));
    n = getxattr(target, CAPABILITY_XATTR, capability, sizeof capability);
    if (n > 0 && fsetxattr(to, CAPABILITY_XATTR, capability, (size_t)n, 0) != 0)
        return err_set(err, "cannot give the copy the capabilities of %s: %s", target, strerror(errno));
    return true;
}

static bool aside_name(const char *target, char aside[PATH_MAX], struct err *err)
{
    const char *slash = strrchr(target, '/');
    int folder = slash != NULL ? (int)(slash - target) : 0;

    if (slash == NULL || snprintf(aside, PATH_MAX, "%.*s/.%s.rollout-new", folder, target, slash + 1) >= PATH_MAX)
        return err_set(err, "the path %s is too long", target);
    return true;
}

static bool write_aside(const char *aside, const char *target, const char *from, const uint8_t want[SHA256_BYTES],
                        struct err *err)
{
    uint8_t digest[SHA256_BYTES];
    int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
    bool ok = false;

    (void)unlink(aside); /* of an agent that died in mid-copy */
    if (in < 0)
        err_set(err, "cannot open %s: %s", from, strerror(errno));
    else if ((out = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
        err_set(err, "cannot make %s: %s", aside, strerror(errno));
    else if (copy_hashed(in, out, digest, err) && copy_rights(target, out, err))
        ok = memcmp(digest, want, SHA256_BYTES) == 0 || err_set(err, "%s no longer has the hash of its name", from);
    if (ok && fsync(out) != 0)
        ok = err_set(err, "cannot sync %s: %s", aside, strerror(errno));
    if (in >= 0)
        (void)close(in);
    if (out >= 0)
        (void)close(out); /* before anybody may run it: an executable open for writing is ETXTBSY */
    return ok;
}

bool install_put(const char *executable, const char *from, const uint8_t want[SHA256_BYTES], bool *swapped,
                 struct err *err)
{
    char target[PATH_MAX], aside[PATH_MAX];

    *swapped = false;
    if (realpath(executable, target) == NULL)
        return err_set(err, "cannot find %s: %s", executable, strerror(errno));
    if (!aside_name(target, aside, err))
        return false;
    if (!write_aside(aside, target, from, want, err)) {
        (void)unlink(aside);
        return err_context(err, "cannot install %s", target);
    }
    if (rename(aside, target) != 0) {
        err_set(err, "cannot install %s: %s", target, strerror(errno));
        (void)unlink(aside);
        return false;
    }
    *swapped = true;
    return file_sync_folder_of(target, err);
}
