#include "handover_pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Written beside it, under a name that nobody else writes to, and renamed over it. */
static bool replace(const char *path, const char *text, struct err *err)
{
    char aside[4096];
    size_t size = strlen(text);
    int fd;

    if (snprintf(aside, sizeof aside, "%s.%ld", path, (long)getpid()) >= (int)sizeof aside)
        return err_set(err, "the pid file's path %.100s... is too long", path);
    fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return err_set(err, "cannot write the pid file %s: %s", aside, strerror(errno));
    if (write(fd, text, size) != (ssize_t)size) {
        err_set(err, "cannot write the pid file %s: %s", aside, strerror(errno));
        (void)close(fd);
        (void)unlink(aside);
        return false;
    }
    (void)close(fd);
    if (rename(aside, path) != 0) {
        err_set(err, "cannot put the pid file %s in its place: %s", path, strerror(errno));
        (void)unlink(aside);
        return false;
    }
    return true;
}

bool handover_pidfile_write(const char *path, pid_t pid, struct err *err)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%ld\n", (long)pid);
    return replace(path, text, err);
}

static bool note_path(const char *path, char *beside, size_t size)
{
    return snprintf(beside, size, "%s" UPGRADE_NOTE_SUFFIX, path) < (int)size;
}

bool handover_pidfile_tell(const char *path, enum upgrade_note note, const char *text, struct err *err)
{
    char beside[4096], line[UPGRADE_NOTE_MAX];

    if (!note_path(path, beside, sizeof beside))
        return err_set(err, "the pid file's path %.100s... is too long", path);
    (void)snprintf(line, sizeof line, "%s %s\n", upgrade_note_word(note), text);
    if (replace(beside, line, err))
        return true;
    (void)unlink(beside);
    return false;
}

pid_t handover_pidfile_read(const char *path)
{
    char text[32] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n;

    if (fd < 0)
        return 0;
    n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    return n > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
}

void handover_pidfile_remove(const char *path, pid_t pid)
{
    char beside[4096];

    if (handover_pidfile_read(path) != pid)
        return;
    (void)unlink(path);
    if (note_path(path, beside, sizeof beside))
        (void)unlink(beside);
}
