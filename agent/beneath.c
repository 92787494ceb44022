#include "beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_how(int folder, const char *path, int flags, mode_t mode, uint64_t resolve)
{
    struct open_how how = {.flags = (unsigned)(flags | O_CLOEXEC), .mode = mode, .resolve = resolve};

    return (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
}

int beneath_open(int folder, const char *path, int flags, mode_t mode)
{
    return open_how(folder, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

int beneath_open_real(const char *path, struct err *err)
{
    int fd = open_how(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);

    if (fd < 0)
        err_set(err, "cannot open the folder %s: %s", path, strerror(errno));
    return fd;
}

int beneath_folder(int folder, const char *name, struct err *err)
{
    bool is_new = mkdirat(folder, name, 0700) == 0;
    int fd;

    if (!is_new && errno != EEXIST) {
        err_set(err, "cannot make the folder %s: %s", name, strerror(errno));
        return -1;
    }
    fd = beneath_open(folder, name, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        err_set(err, "cannot open the folder %s: %s", name,
                errno == ELOOP ? "it is a link, which is not followed here" : strerror(errno));
    else if (is_new && fsync(folder) != 0)
        err_set(err, "cannot sync the folder around %s: %s", name, strerror(errno));
    else
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}
