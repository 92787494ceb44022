#include "alive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"

/* Each id has a byte of its own, far behind the end of the file, which stays empty. */
static struct flock byte_of(const char *rollout, short type)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *rollout != '\0'; rollout++)
        hash = (hash ^ (unsigned char)*rollout) * UINT64_C(0x100000001b3);
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)(hash >> 2), .l_len = 1};
}

int alive_say(const char *folder, const char *rollout, struct err *err)
{
    char *path = mem_format("%s/alive", folder);
    struct flock lock = byte_of(rollout, F_RDLCK);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) {
        (void)err_set(err, "%s cannot be opened: %s", path, strerror(errno));
    } else if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
        (void)err_set(err, "%s cannot be locked: %s", path, strerror(errno));
        (void)close(fd);
        fd = -1;
    }
    free(path);
    return fd;
}

bool alive_look(const char *folder, const char *rollout)
{
    char *path = mem_format("%s/alive", folder);
    struct flock lock = byte_of(rollout, F_WRLCK);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool alive = fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;

    if (fd >= 0)
        (void)close(fd);
    free(path);
    return alive;
}
