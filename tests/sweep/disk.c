#include "tests/sweep/disk.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *root, *arm;
static int log_fd = -1;
static uint64_t nth, counted;

__attribute__((constructor)) static void begin(void)
{
    const char *log = getenv("DISK_LOG"), *kill_at = getenv("DISK_KILL");

    root = getenv("DISK_ROOT");
    arm = getenv("DISK_ARM");
    nth = kill_at != NULL ? strtoull(kill_at, NULL, 10) : 0;
    if (log != NULL)
        log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static bool is_below(const char *path)
{
    return root != NULL && strncmp(path, root, strlen(root)) == 0 && path[strlen(root)] == '/';
}

static bool path_of_fd(int fd, char path[PATH_MAX])
{
    char link[64];
    ssize_t n;

    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, PATH_MAX - 1);
    path[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static void whole_path(int folder, const char *name, char path[PATH_MAX])
{
    char base[PATH_MAX] = "";

    if (name[0] != '/' && folder != AT_FDCWD)
        (void)path_of_fd(folder, base);
    (void)snprintf(path, PATH_MAX, "%.2000s%s%.2000s", base, base[0] != '\0' ? "/" : "", name);
}

/* A change is about to be made. */
static void count(const char *path)
{
    if (nth == 0 || !is_below(path) || (arm != NULL && syscall(SYS_faccessat, AT_FDCWD, arm, F_OK) != 0))
        return;
    if (++counted == nth)
        (void)syscall(SYS_exit_group, 128 + SIGKILL); /* as sudden, and a sandbox lets nobody send SIGKILL */
}

static void note(struct disk_record r, const char *from, const char *to, const void *data)
{
    struct iovec parts[4];

    if (log_fd < 0 || !is_below(from))
        return;
    r.from_size = (uint32_t)strlen(from) + 1;
    r.to_size = to != NULL ? (uint32_t)strlen(to) + 1 : 0;
    parts[0] = (struct iovec){&r, sizeof r};
    parts[1] = (struct iovec){(void *)(uintptr_t)from, r.from_size};
    parts[2] = (struct iovec){(void *)(uintptr_t)to, r.to_size};
    parts[3] = (struct iovec){(void *)(uintptr_t)data, r.data_size};
    (void)syscall(SYS_writev, log_fd, parts, 4);
}

static uint64_t inode_of(int fd)
{
    struct stat st;

    return syscall(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH) == 0 ? st.st_ino : 0;
}

static int opened(int folder, const char *name, int flags, mode_t mode)
{
    char path[PATH_MAX];
    struct stat st;
    bool is_new;
    int fd;

    whole_path(folder, name, path);
    is_new = (flags & O_CREAT) != 0 && syscall(SYS_newfstatat, AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) != 0;
    if (is_new || (flags & O_TRUNC) != 0)
        count(path);
    fd = (int)syscall(SYS_openat, folder, name, flags, mode);
    if (fd >= 0 && is_new)
        note((struct disk_record){.op = DISK_CREATE, .inode = inode_of(fd)}, path, NULL, NULL);
    else if (fd >= 0 && (flags & O_TRUNC) != 0)
        note((struct disk_record){.op = DISK_TRUNCATE, .inode = inode_of(fd)}, path, NULL, NULL);
    return fd;
}

int open(const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = va_arg(args, mode_t);
    va_end(args);
    return opened(AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = va_arg(args, mode_t);
    va_end(args);
    return opened(folder, path, flags, mode);
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    char path[PATH_MAX];
    bool ours = root != NULL && path_of_fd(fd, path) && is_below(path);
    off_t at = ours ? lseek(fd, 0, SEEK_CUR) : 0;
    ssize_t written;

    if (ours)
        count(path);
    written = syscall(SYS_write, fd, bytes, n);
    if (ours && written > 0)
        note(
            (struct disk_record){
                .op = DISK_WRITE, .inode = inode_of(fd), .at = (uint64_t)at, .data_size = (uint32_t)written},
            path, NULL, bytes);
    return written;
}

int fsync(int fd)
{
    char path[PATH_MAX];
    bool ours = root != NULL && path_of_fd(fd, path);
    int rc;

    /* The root itself, too: what is in it has names there. */
    if (ours)
        count(path);
    rc = (int)syscall(SYS_fsync, fd);
    if (ours && rc == 0)
        note((struct disk_record){.op = DISK_SYNC, .inode = inode_of(fd)}, path, NULL, NULL);
    return rc;
}

int fchmod(int fd, mode_t mode)
{
    char path[PATH_MAX];
    int rc;

    if (root != NULL && path_of_fd(fd, path))
        count(path);
    rc = (int)syscall(SYS_fchmod, fd, mode);
    if (root != NULL && rc == 0)
        note((struct disk_record){.op = DISK_MODE, .inode = inode_of(fd), .at = mode}, path, NULL, NULL);
    return rc;
}

static int two_names(enum disk_op op, long number, int a, const char *from, int b, const char *to, int flags)
{
    char one[PATH_MAX], other[PATH_MAX];
    int rc;

    whole_path(a, from, one);
    whole_path(b, to, other);
    count(one);
    rc = (int)syscall(number, a, from, b, to, flags);
    if (rc == 0)
        note((struct disk_record){.op = op}, one, other, NULL);
    return rc;
}

int renameat(int a, const char *from, int b, const char *to)
{
    return two_names(DISK_RENAME, SYS_renameat2, a, from, b, to, 0);
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int linkat(int a, const char *from, int b, const char *to, int flags)
{
    return two_names(DISK_LINK, SYS_linkat, a, from, b, to, flags);
}

int unlinkat(int folder, const char *name, int flags)
{
    char path[PATH_MAX];
    struct stat st;
    int rc;

    whole_path(folder, name, path);
    if (syscall(SYS_newfstatat, AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
        count(path);
    rc = (int)syscall(SYS_unlinkat, folder, name, flags);
    if (rc == 0)
        note((struct disk_record){.op = DISK_UNLINK}, path, NULL, NULL);
    return rc;
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int mkdirat(int folder, const char *name, mode_t mode)
{
    char path[PATH_MAX];
    int rc;

    whole_path(folder, name, path);
    count(path);
    rc = (int)syscall(SYS_mkdirat, folder, name, mode);
    if (rc == 0)
        note((struct disk_record){.op = DISK_FOLDER}, path, NULL, NULL);
    return rc;
}

int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}
