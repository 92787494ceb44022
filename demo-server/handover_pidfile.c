#include "handover_pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
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

void handover_pidfile_tell(const char *path, const char *format, ...)
{
    char beside[4096], text[600];
    va_list args;
    int n;

    if (snprintf(beside, sizeof beside, "%s.upgrade", path) >= (int)sizeof beside)
        return;
    va_start(args, format);
    n = vsnprintf(text, sizeof text - 1, format, args);
    va_end(args);
    if (n > (int)sizeof text - 2)
        n = (int)sizeof text - 2;
    text[n] = '\n';
    text[n + 1] = '\0';
    (void)replace(beside, text, NULL);
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
    if (snprintf(beside, sizeof beside, "%s.upgrade", path) < (int)sizeof beside)
        (void)unlink(beside);
}
