#include "state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define OWNER_FORMAT "%010ld %020llu\n%020llu\n" /* of one length, so that it is written over in place */
#define OWNER_BYTES  53
#define LOCK_POLL_US 500

static bool fail(char *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(char *why, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(why, STATE_WHY_MAX, format, args);
    va_end(args);
    return false;
}

static bool name_beside(char name[PATH_MAX], const char *path, const char *suffix, char *why)
{
    int n = snprintf(name, PATH_MAX, "%s%s", path, suffix);

    return n > 0 && n < PATH_MAX ? true : fail(why, "%s: the name is too long", path);
}

/* ---- reading */

static bool read_whole(int fd, char *bytes, size_t size_bytes)
{
    size_t at = 0;

    while (at < size_bytes) {
        ssize_t n = read(fd, bytes + at, size_bytes - at);

        if (n == -1 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            errno = n == 0 ? EIO : errno; /* it shrank: nobody writes it in place */
            return false;
        }
        at += (size_t)n;
    }
    return true;
}

static bool read_open(const char *path, int fd, size_t max_bytes, char **bytes, size_t *size_bytes, char *why)
{
    struct stat st;

    if (fstat(fd, &st) == -1) {
        return fail(why, "cannot look at %s: %s", path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return fail(why, "%s is not a regular file", path);
    }
    if (st.st_size > (off_t)max_bytes) {
        return fail(why, "%s has %lld bytes, more than %zu", path, (long long)st.st_size, max_bytes);
    }
    *size_bytes = (size_t)st.st_size;
    *bytes = malloc(*size_bytes + 1);
    if (*bytes == NULL) {
        return fail(why, "no memory to read %s", path);
    }
    if (!read_whole(fd, *bytes, *size_bytes)) {
        (void)fail(why, "cannot read %s: %s", path, strerror(errno));
        free(*bytes);
        *bytes = NULL;
        return false;
    }
    return true;
}

enum state_file_found state_file_read(const char *path, size_t max_bytes, char **bytes, size_t *size_bytes, char *why)
{
    /* Without waiting, should somebody have put a fifo there. */
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

    *bytes = NULL;
    if (fd == -1 && errno == ENOENT) {
        return STATE_FILE_NONE;
    }
    if (fd == -1) {
        (void)fail(why, "cannot open %s: %s", path, errno == ELOOP ? "it is a symbolic link" : strerror(errno));
        return STATE_FILE_BAD;
    }
    bool good = read_open(path, fd, max_bytes, bytes, size_bytes, why);
    (void)close(fd);
    return good ? STATE_FILE_READ : STATE_FILE_BAD;
}

bool state_file_put_aside(const char *path, char *why)
{
    char bad[PATH_MAX];

    if (!name_beside(bad, path, ".bad", why)) {
        return false;
    }
    return rename(path, bad) == 0 ? true : fail(why, "cannot keep it as %s: %s", bad, strerror(errno));
}

/* ---- writing */

static bool write_whole(int fd, const char *bytes, size_t size_bytes)
{
    while (size_bytes > 0) {
        ssize_t n = write(fd, bytes, size_bytes);

        if (n == -1 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        bytes += n;
        size_bytes -= (size_t)n;
    }
    return true;
}

static bool write_new(const char *name, const char *bytes, size_t size_bytes, char *why)
{
    if (unlink(name) == -1 && errno != ENOENT) { /* of somebody who died while writing */
        return fail(why, "cannot remove %s: %s", name, strerror(errno));
    }
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd == -1) {
        return fail(why, "cannot make %s: %s", name, strerror(errno));
    }
    bool good = write_whole(fd, bytes, size_bytes) && fsync(fd) == 0;
    int error = errno;
    good = close(fd) == 0 && good;
    return good ? true : fail(why, "cannot write %s: %s", name, strerror(error));
}

static bool sync_folder_of(const char *path, char *why)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX] = ".";

    if (slash != NULL) {
        (void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash == path ? 1 : slash - path), path);
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd == -1 || fsync(fd) == -1) {
        (void)fail(why, "cannot sync the folder %s: %s", folder, strerror(errno));
        if (fd != -1) {
            (void)close(fd);
        }
        return false;
    }
    (void)close(fd);
    return true;
}

bool state_file_write(const char *path, const char *bytes, size_t size_bytes, char *why)
{
    char name[PATH_MAX];

    if (!name_beside(name, path, ".new", why)) {
        return false;
    }
    if (!write_new(name, bytes, size_bytes, why)) {
        (void)unlink(name);
        return false;
    }
    if (rename(name, path) == -1) {
        (void)fail(why, "cannot rename %s to %s: %s", name, path, strerror(errno));
        (void)unlink(name);
        return false;
    }
    return sync_folder_of(path, why);
}

struct state_mark state_file_mark(const char *path)
{
    struct stat st;

    if (lstat(path, &st) == -1) {
        return (struct state_mark){0};
    }
    return (struct state_mark){(uint64_t)st.st_ino, st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec};
}

bool state_mark_is(const struct state_mark *one, const struct state_mark *other)
{
    return one->inode == other->inode && one->size_bytes == other->size_bytes && one->mtime_s == other->mtime_s &&
           one->mtime_ns == other->mtime_ns;
}

/* ---- the lock */

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Somebody may have removed the file under its holder: then this lock keeps nobody out. */
static bool is_in_place(int fd, const char *name)
{
    struct stat ours, there;

    return fstat(fd, &ours) == 0 && lstat(name, &there) == 0 && ours.st_ino == there.st_ino &&
           ours.st_dev == there.st_dev;
}

static int lock_once(const char *name, char *why)
{
    int fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd == -1) {
        (void)fail(why, "cannot open %s: %s", name, strerror(errno));
        return STATE_LOCK_FAILED;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && is_in_place(fd, name)) {
        return fd;
    }
    (void)close(fd);
    return STATE_LOCK_BUSY;
}

int state_file_lock(const char *path, uint32_t limit_ms, char *why)
{
    char name[PATH_MAX];
    uint64_t until_ms = now_ms() + limit_ms;

    if (!name_beside(name, path, ".lock", why)) {
        return STATE_LOCK_FAILED;
    }
    for (;;) {
        int fd = lock_once(name, why);

        if (fd != STATE_LOCK_BUSY) {
            return fd;
        }
        if (now_ms() >= until_ms) {
            (void)fail(why, "%s was locked by another process for %u ms", name, limit_ms);
            return STATE_LOCK_BUSY;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = LOCK_POLL_US * 1000L}, NULL);
    }
}

void state_file_unlock(int *lock)
{
    if (*lock >= 0) {
        (void)close(*lock);
    }
    *lock = STATE_LOCK_FAILED;
}

void state_file_owner(int lock, struct state_owner *owner)
{
    char text[OWNER_BYTES + 1];
    ssize_t n = pread(lock, text, OWNER_BYTES, 0);
    long pid;
    unsigned long long ticks, zone;

    *owner = (struct state_owner){0};
    if (n != OWNER_BYTES || text[OWNER_BYTES - 1] != '\n') {
        return;
    }
    text[OWNER_BYTES] = '\0';
    if (sscanf(text, "%ld %llu %llu", &pid, &ticks, &zone) == 3 && pid > 0 && pid <= INT_MAX) {
        *owner = (struct state_owner){{(pid_t)pid, ticks}, zone};
    }
}

bool state_file_own(int lock, const struct state_owner *owner, char *why)
{
    char text[OWNER_BYTES + 1];
    int n = snprintf(text, sizeof(text), OWNER_FORMAT, (long)owner->master.pid,
                     (unsigned long long)owner->master.start_ticks, (unsigned long long)owner->zone);

    if (n != OWNER_BYTES || pwrite(lock, text, OWNER_BYTES, 0) != OWNER_BYTES) {
        return fail(why, "cannot write the lock file: %s", n == OWNER_BYTES ? strerror(errno) : "odd pid");
    }
    return true;
}

void state_file_look(const char *path, struct state_owner *owner)
{
    char name[PATH_MAX], why[STATE_WHY_MAX];

    *owner = (struct state_owner){0};
    if (!name_beside(name, path, ".lock", why)) {
        return;
    }
    int fd = open(name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd != -1) {
        state_file_owner(fd, owner);
        (void)close(fd);
    }
}
