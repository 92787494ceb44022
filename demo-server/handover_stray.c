#include "handover_stray.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROUNDS       3  /* one that forks while it is looked for */
#define START_FIELDS 20 /* of /proc/PID/stat, from the one behind the name to the start, proc(5) */

uint64_t handover_stray_start(pid_t pid)
{
    char path[64], text[1024];
    const char *at;
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    at = strrchr(text, ')'); /* a program's name may hold anything */
    for (int field = 0; at != NULL && field < START_FIELDS; field++)
        at = strchr(at + 1, ' ');
    return at != NULL ? strtoull(at, NULL, 10) : 0;
}

static bool has_open(pid_t pid, const char *socket)
{
    char path[64], link[64];
    const struct dirent *entry;
    bool found = false;
    DIR *dir;

    (void)snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
    dir = opendir(path);
    while (dir != NULL && !found && (entry = readdir(dir)) != NULL) {
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, link, sizeof link - 1);

        link[n > 0 ? n : 0] = '\0';
        found = strcmp(link, socket) == 0;
    }
    if (dir != NULL)
        (void)closedir(dir);
    return found;
}

/* Looked at with the pidfd in hand: from then on the pid cannot come to mean another process. */
static bool end(pid_t pid, const char *socket, uint64_t since)
{
    int pidfd;
    bool ended;

    if (pid == getpid() || handover_stray_start(pid) < since)
        return false;
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return false;
    ended = has_open(pid, socket) && handover_stray_start(pid) >= since &&
            syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) == 0;
    (void)close(pidfd);
    return ended;
}

void handover_stray_kill(ino_t socket, uint64_t since)
{
    char name[64];
    bool any = since != 0;

    (void)snprintf(name, sizeof name, "socket:[%lu]", (unsigned long)socket);
    for (int round = 0; any && round < ROUNDS; round++) {
        const struct dirent *entry;
        DIR *dir = opendir("/proc");

        any = false;
        while (dir != NULL && (entry = readdir(dir)) != NULL)
            if (isdigit((unsigned char)entry->d_name[0]))
                any |= end((pid_t)strtol(entry->d_name, NULL, 10), name, since);
        if (dir != NULL)
            (void)closedir(dir);
    }
}
