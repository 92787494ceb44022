#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Fields 22 and 3 of /proc/PID/stat. */
static uint64_t read_stat(pid_t pid, char *state)
{
    char path[64], text[1024];
    unsigned long long ticks = 0;

    *state = '\0';
    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1) {
        return 0;
    }
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0) {
        return 0;
    }
    text[n] = '\0';
    const char *at = strrchr(text, ')'); /* the command in front of it may hold anything */
    if (at == NULL || sscanf(at + 1,
                             " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                             "%llu",
                             state, &ticks) != 2) {
        return 0;
    }
    return ticks;
}

uint64_t process_start_ticks(pid_t pid)
{
    char state;

    return read_stat(pid, &state);
}

bool process_lives(const struct process *process)
{
    char state;

    if (kill(process->pid, 0) == -1 && errno == ESRCH) {
        return false;
    }
    uint64_t ticks = read_stat(process->pid, &state);
    if (ticks == 0) {
        return true; /* kill(2) saw it; /proc does not tell */
    }
    return state != 'Z' && state != 'X' && (process->start_ticks == 0 || process->start_ticks == ticks);
}

bool process_is(const struct process *one, const struct process *other)
{
    return one->pid == other->pid &&
           (one->start_ticks == other->start_ticks || one->start_ticks == 0 || other->start_ticks == 0);
}
