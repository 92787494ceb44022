#include "note.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void read_open(int fd, struct note *note)
{
    struct stat st;
    ssize_t n;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > UPGRADE_NOTE_MAX)
        return;
    n = read(fd, note->bytes, sizeof note->bytes);
    if (n <= 0)
        return;
    note->device = st.st_dev;
    note->inode = st.st_ino;
    note->written = st.st_mtim;
    note->count = (size_t)n;
}

void note_read(const char *pidfile, struct note *note)
{
    char path[PATH_MAX];
    int fd;

    *note = (struct note){.count = 0};
    if (pidfile[0] == '\0')
        return;
    if (snprintf(path, sizeof path, "%s" UPGRADE_NOTE_SUFFIX, pidfile) >= (int)sizeof path)
        return;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY);
    if (fd < 0)
        return;
    read_open(fd, note);
    (void)close(fd);
}

bool note_same(const struct note *a, const struct note *b)
{
    return a->device == b->device && a->inode == b->inode && a->written.tv_sec == b->written.tv_sec &&
           a->written.tv_nsec == b->written.tv_nsec && a->count == b->count &&
           memcmp(a->bytes, b->bytes, a->count) == 0;
}
