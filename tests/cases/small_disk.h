/* small_disk.h - a disk of a case's own that can be full. */
#ifndef CASES_SMALL_DISK_H
#define CASES_SMALL_DISK_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/stage/test.h"

static inline void small_disk_gone(const char *dir)
{
    (void)umount2(dir, MNT_DETACH);
}

static inline void small_disk_end(void *dir)
{
    small_disk_gone(dir);
}

/* `dir` is a file system of so many kB from now on, in a mount namespace of this process and the children that it has
 * from now on. Where we may not mount, the test is skipped. */
static inline const char *small_disk(struct stage *s, const char *dir, unsigned kb)
{
    static bool apart;

    if (!apart && (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)) {
        (void)printf("skipped: a file system of our own needs root: %s\n", strerror(errno));
        skip();
    }
    apart = true;
    if (mount("tmpfs", dir, "tmpfs", MS_NODEV | MS_NOSUID, stage_text(s, "size=%uk,mode=700", kb)) != 0)
        stage_fail(s, "cannot mount a tmpfs: %s", strerror(errno));
    return stage_keep(s, (void *)(uintptr_t)dir, small_disk_end);
}

/* All that is left of the disk goes into one file. */
static inline void small_disk_fill(struct stage *s, const char *dir)
{
    static const char zeros[4096];
    int fd = open(stage_text(s, "%s/filler", dir), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    for (size_t size = sizeof zeros; size > 0; size /= 2)
        while (write(fd, zeros, size) > 0)
            ;
    assert_int_equal(errno, ENOSPC);
    (void)close(fd);
}

/* And so many kB of it are given back. */
static inline void small_disk_leave(struct stage *s, const char *dir, unsigned kb)
{
    const char *filler = stage_text(s, "%s/filler", dir);
    int fd = open(filler, O_WRONLY | O_CLOEXEC);
    off_t size = lseek(fd, 0, SEEK_END);

    assert_true(size > (off_t)kb * 1024);
    assert_int_equal(ftruncate(fd, size - (off_t)kb * 1024), 0);
    (void)close(fd);
}

#endif
