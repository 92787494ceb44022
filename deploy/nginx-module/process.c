#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What we read of /proc/PID/stat. */
struct stat_line {
    char name[64]; /* of the program's file; 15 bytes at most */
    char state;
    int parent, group, session;
    unsigned long long start_ticks;
};

static bool read_stat(pid_t pid, struct stat_line *stat)
{
    char path[64], text[1024];

    *stat = (struct stat_line){.state = '\0'};
    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1) {
        return false;
    }
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0) {
        return false;
    }
    text[n] = '\0';
    const char *from = strchr(text, '('), *to = strrchr(text, ')'); /* the name between them may hold anything */
    if (from == NULL || to == NULL || (size_t)(to - from) > sizeof(stat->name)) {
        return false;
    }
    memcpy(stat->name, from + 1, (size_t)(to - from) - 1);
    return sscanf(to + 1,
                  " %c %d %d %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                  "%llu",
                  &stat->state, &stat->parent, &stat->group, &stat->session, &stat->start_ticks) == 5;
}

uint64_t process_start_ticks(pid_t pid)
{
    struct stat_line stat;

    return read_stat(pid, &stat) ? stat.start_ticks : 0;
}

static bool is_over(const struct stat_line *stat)
{
    return stat->state == 'Z' || stat->state == 'X';
}

bool process_lives(const struct process *process)
{
    struct stat_line stat;

    if (kill(process->pid, 0) == -1 && errno == ESRCH) {
        return false;
    }
    if (!read_stat(process->pid, &stat)) {
        return true; /* kill(2) saw it; /proc does not tell */
    }
    return !is_over(&stat) && (process->start_ticks == 0 || process->start_ticks == stat.start_ticks);
}

bool process_kin(pid_t root, struct process *found, size_t found_max, size_t *found_n)
{
    struct stat_line self, other;
    struct dirent *entry;
    bool all = read_stat(getpid(), &self);
    DIR *dir = all ? opendir("/proc") : NULL;

    *found_n = 0;
    if (dir == NULL) {
        return false;
    }
    while (all && (entry = readdir(dir)) != NULL) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10); /* 0: no process */

        if (pid <= 0 || pid == root || !read_stat(pid, &other) || is_over(&other) || other.parent == root ||
            other.session != self.session || other.group != self.group || strcmp(other.name, self.name) != 0) {
            continue;
        }
        all = *found_n < found_max;
        if (all) {
            found[(*found_n)++] = (struct process){pid, other.start_ticks};
        }
    }
    (void)closedir(dir);
    return all;
}

bool process_is(const struct process *one, const struct process *other)
{
    return one->pid == other->pid &&
           (one->start_ticks == other->start_ticks || one->start_ticks == 0 || other->start_ticks == 0);
}
