#include "space.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

static bool enough(int folder, uint64_t bytes, uint64_t reserve, struct err *err)
{
    struct statvfs fs;
    uint64_t left;

    if (fstatvfs(folder, &fs) != 0)
        return err_set(err, "cannot read how much space is free: %s", strerror(errno));
    left = (uint64_t)fs.f_bavail * fs.f_frsize;
    return left >= bytes + reserve || err_set(err,
                                              "%" PRIu64 " bytes are needed and %" PRIu64
                                              " are to stay free (reserve), but only %" PRIu64 " are free",
                                              bytes, reserve, left);
}

bool space_enough(const struct space_need need[2], uint64_t reserve, struct err *err)
{
    struct stat one, other;

    if (fstat(need[0].folder, &one) != 0 || fstat(need[1].folder, &other) != 0)
        return err_set(err, "cannot read the status of a folder: %s", strerror(errno));
    if (one.st_dev == other.st_dev)
        return enough(need[0].folder, need[0].bytes + need[1].bytes, reserve, err);
    return enough(need[0].folder, need[0].bytes, reserve, err) && enough(need[1].folder, need[1].bytes, reserve, err);
}
