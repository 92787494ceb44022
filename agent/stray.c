#include "stray.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "proc.h"
#include "service.h"

static bool is_child(uint32_t pid, uint32_t parent)
{
    char path[64], text[1024];
    struct proc_stat stat;

    (void)snprintf(path, sizeof path, "/proc/%u/stat", pid);
    return file_read_small(path, text, sizeof text, NULL) && proc_parse_stat(text, &stat) && proc_is_alive(&stat) &&
           stat.parent == parent;
}

static void end_child(struct service *service, uint32_t pid, uint32_t parent, const uint8_t sha256[SHA256_BYTES])
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    char exe[PATH_MAX];
    struct ident ident;

    /* Looked at again with the pidfd in hand: from here on the pid cannot come to mean another process. */
    if (pidfd >= 0 && is_child(pid, parent) && ident_read(pid, &service->hashes, &ident, exe, NULL) &&
        memcmp(ident.sha256, sha256, SHA256_BYTES) == 0) {
        (void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
        log_event("stray_ended", "service=%s pid=%u parent=%u", service->config->name, pid, parent);
    }
    if (pidfd >= 0)
        (void)close(pidfd);
}

void stray_end(struct service *service, const struct ident *parent, const uint8_t sha256[SHA256_BYTES])
{
    struct dirent *entry;
    uint64_t start_ticks;
    struct ident serving;
    uint32_t pid;
    DIR *dir;

    if (parent->pid == 0 || memcmp(parent->sha256, sha256, SHA256_BYTES) == 0 ||
        !ident_start(parent->pid, &start_ticks) || start_ticks != parent->start_ticks)
        return;
    (void)service_ident(service, &serving, NULL);
    dir = opendir("/proc");
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (proc_parse_pid(entry->d_name, &pid) && pid != serving.pid && is_child(pid, parent->pid))
            end_child(service, pid, parent->pid, sha256);
    }
    if (dir != NULL)
        (void)closedir(dir);
}
