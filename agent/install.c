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

#include "beneath.h"
#include "file.h"
#include "release.h"

#define CAPABILITY_XATTR "security.capability" /* cap_net_bind_service and the like; a copy would lose it */

struct place {
    int folder;
    char path[PATH_MAX];               /* for people */
    char name[NAME_MAX + 1];           /* of the executable in the folder */
    char new[NAME_MAX], old[NAME_MAX]; /* beside it */
};

/* ---- where */

static bool open_place(const char *executable, struct place *place, struct err *err)
{
    char folder[PATH_MAX];
    char *slash;

    if (realpath(executable, place->path) == NULL)
        return err_set(err, "cannot find %s: %s", executable, strerror(errno));
    (void)snprintf(folder, sizeof folder, "%s", place->path);
    slash = strrchr(folder, '/');
    if (slash == NULL || strlen(slash + 1) > NAME_MAX - 16)
        return err_set(err, "the name of %s is too long", place->path);
    (void)snprintf(place->name, sizeof place->name, "%s", slash + 1);
    (void)snprintf(place->new, sizeof place->new, ".%.230s.rollout-new", slash + 1);
    (void)snprintf(place->old, sizeof place->old, ".%.230s.rollout-old", slash + 1);
    slash[slash == folder ? 1 : 0] = '\0';
    place->folder = beneath_open_real(folder, err);
    return place->folder >= 0;
}

static void close_place(struct place *place)
{
    (void)close(place->folder);
}

int install_folder(const char *executable, struct err *err)
{
    struct place place;

    return open_place(executable, &place, err) ? place.folder : -1;
}

void install_sweep(const char *executable)
{
    struct place place;

    if (!open_place(executable, &place, NULL))
        return;
    (void)unlinkat(place.folder, place.new, 0);
    (void)unlinkat(place.folder, place.old, 0);
    close_place(&place);
}

/* ---- written aside */

static bool copy(int from, int to, struct err *err)
{
    char block[64 * 1024];
    ssize_t n;

    while ((n = read(from, block, sizeof block)) > 0) {
        if (!file_write_all(to, block, (size_t)n, err))
            return false;
    }
    return n == 0 || err_set(err, "cannot read: %s", strerror(errno));
}

/* Of the file that is replaced. */
static bool copy_rights(const struct place *place, int to, struct err *err)
{
    int target = beneath_open(place->folder, place->name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    char capability[64];
    struct stat st;
    bool ok = false;
    ssize_t n;

    if (target < 0 || fstat(target, &st) != 0)
        err_set(err, "cannot read the status of %s: %s", place->path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        err_set(err, "%s is no regular file", place->path);
    else if (fchown(to, st.st_uid, st.st_gid) != 0 || fchmod(to, st.st_mode & 07777) != 0)
        err_set(err, "cannot give the copy the owner and mode of %s: %s", place->path, strerror(errno));
    else if ((n = fgetxattr(target, CAPABILITY_XATTR, capability, sizeof capability)) > 0 &&
             fsetxattr(to, CAPABILITY_XATTR, capability, (size_t)n, 0) != 0)
        err_set(err, "cannot give the copy the capabilities of %s: %s", place->path, strerror(errno));
    else
        ok = true;
    if (target >= 0)
        (void)close(target);
    return ok;
}

static bool same_inode(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The file that `written` is, by its name, to be read only: nobody may be writing it when it is run (ETXTBSY). */
static int open_again(const struct place *place, int written, struct err *err)
{
    int fd = beneath_open(place->folder, place->new, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    struct stat one, other;

    if (fd >= 0 && fstat(fd, &one) == 0 && fstat(written, &other) == 0 && same_inode(&one, &other))
        return fd;
    err_set(err, "%s was replaced by somebody while it was written", place->new);
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

/* A descriptor of the copy, or -1. */
static int write_aside(const struct place *place, const struct install *what, struct err *err)
{
    int in = release_open(what->store, what->hex, err), out = -1, fd = -1;

    (void)unlinkat(place->folder, place->new, 0); /* of an agent that died in mid-copy */
    if (in >= 0)
        out = openat(place->folder, place->new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (in >= 0 && out < 0)
        err_set(err, "cannot make %s: %s", place->new, strerror(errno));
    if (out >= 0 && copy(in, out, err) && copy_rights(place, out, err)) {
        if (fsync(out) != 0)
            err_set(err, "cannot sync %s: %s", place->new, strerror(errno));
        else
            fd = open_again(place, out, err);
    }
    if (in >= 0)
        (void)close(in);
    if (out >= 0)
        (void)close(out);
    return fd;
}

/* ---- judged by the bytes that are installed */

static bool hash_is(int fd, const char *hex, struct sign_check *sign, struct exe_look *look, struct err *err)
{
    uint8_t digest[SHA256_BYTES], wanted[SHA256_BYTES];
    struct sha256 *hash = sha256_new();
    char block[64 * 1024];
    off_t at = 0;
    ssize_t n;

    while ((n = pread(fd, block, sizeof block, at)) > 0) {
        if (at == 0)
            *look = exe_look(block, (size_t)n < EXE_HEAD_BYTES ? (size_t)n : EXE_HEAD_BYTES);
        at += n;
        sha256_add(hash, block, (size_t)n);
        if (sign != NULL)
            sign_add(sign, block, (size_t)n);
    }
    sha256_end(&hash, digest);
    if (n < 0)
        return err_set(err, "cannot read: %s", strerror(errno));
    return (sha256_parse(hex, wanted) && memcmp(digest, wanted, sizeof wanted) == 0) ||
           err_set(err, "the file no longer has the hash %s", hex);
}

static bool is_good(int fd, const struct install *what, struct err *err)
{
    struct exe_look look = {.is = EXE_NONE};

    if (!hash_is(fd, what->hex, what->sign != NULL ? *what->sign : NULL, &look, err))
        return false;
    if (what->sign != NULL && sign_end(what->sign, err) != CODE_JOB_OK)
        return false;
    return what->any_kind || kind_check(what->kind, exe_host_arch(), look, err) == CODE_JOB_OK;
}

/* ---- swapped */

/* `name` is still the file that was judged, as it was then. */
static bool still_is(const struct place *place, const char *name, const struct stat *judged)
{
    struct stat now;

    return fstatat(place->folder, name, &now, AT_SYMLINK_NOFOLLOW) == 0 && same_inode(&now, judged) &&
           now.st_size == judged->st_size && now.st_mtim.tv_sec == judged->st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == judged->st_mtim.tv_nsec;
}

static bool rename_over(const struct place *place, const char *from, const struct stat *judged, bool *swapped,
                        struct err *err)
{
    if (!still_is(place, from, judged))
        return err_set(err, "%s was replaced by somebody after it was checked", from);
    if (renameat(place->folder, from, place->folder, place->name) != 0)
        return err_set(err, "cannot rename %s: %s", from, strerror(errno));
    *swapped = true;
    if (!still_is(place, place->name, judged))
        return err_set(err, "the file was replaced by somebody while it was put in place");
    return fsync(place->folder) == 0 || err_set(err, "cannot sync the folder: %s", strerror(errno));
}

/* Where it cannot be (no hard links, another owner) the way back is by the copy in the store. */
static void link_old(const struct place *place)
{
    (void)unlinkat(place->folder, place->old, 0);
    if (linkat(place->folder, place->name, place->folder, place->old, 0) != 0)
        return;
}

static bool old_back(const struct place *place, const char *hex)
{
    int fd = beneath_open(place->folder, place->old, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    struct exe_look look;
    struct stat judged;
    bool swapped = false, ok;

    ok = fd >= 0 && fstat(fd, &judged) == 0 && S_ISREG(judged.st_mode) && hash_is(fd, hex, NULL, &look, NULL) &&
         rename_over(place, place->old, &judged, &swapped, NULL);
    if (fd >= 0)
        (void)close(fd);
    return ok;
}

static bool put(const struct place *place, const struct install *what, bool *swapped, struct err *err)
{
    int fd = write_aside(place, what, err);
    struct stat judged;
    bool ok = false;

    if (fd >= 0 && fstat(fd, &judged) == 0 && is_good(fd, what, err)) {
        link_old(place);
        ok = rename_over(place, place->new, &judged, swapped, err);
        if (*swapped && !ok && what->before != NULL && old_back(place, what->before))
            *swapped = false; /* in the very folder: the path may lead elsewhere by now */
    }
    if (fd >= 0)
        (void)close(fd);
    if (!*swapped) {
        (void)unlinkat(place->folder, place->new, 0);
        (void)unlinkat(place->folder, place->old, 0);
    }
    return ok;
}

bool install_put(const struct install *what, bool *swapped, struct err *err)
{
    struct place place;
    bool ok;

    *swapped = false;
    if (!open_place(what->executable, &place, err))
        return false;
    ok = put(&place, what, swapped, err) || err_context(err, "cannot install %s", place.path);
    close_place(&place);
    return ok;
}

bool install_back(const char *executable, int store, const char *hex, struct err *err)
{
    struct install what = {.executable = executable, .store = store, .hex = hex, .any_kind = true};
    struct place place;
    bool swapped, ok;

    if (!open_place(executable, &place, err))
        return false;
    ok = old_back(&place, hex);
    close_place(&place);
    return ok || install_put(&what, &swapped, err);
}
