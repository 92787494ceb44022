/* kin.c - our descendants, read from /proc. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/stage/state.h"

#define ALL_MAX 8192

struct seen {
    pid_t pid, ppid;
    bool zombie, ours;
};

static bool read_stat(pid_t pid, struct seen *p)
{
    char path[64], text[512], *after;
    int fd, ppid;
    ssize_t n;
    char state;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    after = strrchr(text, ')'); /* a program's name may hold anything */
    if (after == NULL || sscanf(after + 1, " %c %d", &state, &ppid) != 2)
        return false;
    *p = (struct seen){pid, ppid, state == 'Z' || state == 'X', false};
    return true;
}

static unsigned read_all(struct seen *all)
{
    DIR *proc = opendir("/proc");
    struct dirent *e;
    unsigned n = 0;

    while (proc != NULL && n < ALL_MAX && (e = readdir(proc)) != NULL)
        if (isdigit((unsigned char)e->d_name[0]) && read_stat((pid_t)atol(e->d_name), &all[n]))
            n++;
    if (proc != NULL)
        (void)closedir(proc);
    return n;
}

/* Mark the descendants of `root`, however the list is ordered. */
static void mark(struct seen *all, unsigned n, pid_t root, pid_t but)
{
    bool more = true;

    while (more) {
        more = false;
        for (unsigned i = 0; i < n; i++) {
            bool ours = all[i].ppid == root;

            for (unsigned j = 0; j < n && !ours; j++)
                ours = all[j].ours && all[j].pid == all[i].ppid;
            if (ours && !all[i].ours && all[i].pid != but)
                more = all[i].ours = true;
        }
    }
}

static void read_exe(pid_t pid, char *exe, size_t size)
{
    char path[64], *gone;
    ssize_t n;

    (void)snprintf(path, sizeof path, "/proc/%d/exe", pid);
    n = readlink(path, exe, size - 1);
    exe[n > 0 ? n : 0] = '\0';
    gone = strstr(exe, " (deleted)");
    if (gone != NULL)
        *gone = '\0';
}

unsigned stage_kin_of(struct stage *s, pid_t root, struct stage_kin *kin, unsigned capacity)
{
    struct seen *all = malloc(ALL_MAX * sizeof *all);
    unsigned n, found = 0;

    if (all == NULL)
        abort();
    n = read_all(all);
    mark(all, n, root, s->state->watchdog);
    for (unsigned i = 0; i < n && found < capacity; i++) {
        if (!all[i].ours)
            continue;
        kin[found] = (struct stage_kin){.pid = all[i].pid, .ppid = all[i].ppid, .zombie = all[i].zombie};
        read_exe(all[i].pid, kin[found].exe, sizeof kin[found].exe);
        found++;
    }
    free(all);
    return found;
}

unsigned stage_kin(struct stage *s, struct stage_kin *kin, unsigned capacity)
{
    return stage_kin_of(s, getpid(), kin, capacity);
}

bool stage_pid_is_kin(struct stage *s, pid_t pid)
{
    struct stage_kin kin[STAGE_KIN_MAX];
    unsigned n = stage_kin(s, kin, STAGE_KIN_MAX);

    for (unsigned i = 0; i < n; i++)
        if (kin[i].pid == pid && !kin[i].zombie)
            return true;
    return false;
}

void stage_proc_kill_kin(struct stage *s, pid_t root, int signal)
{
    struct stage_kin kin[STAGE_KIN_MAX];
    unsigned n = stage_kin_of(s, root, kin, STAGE_KIN_MAX);

    (void)kill(root, signal);
    for (unsigned i = 0; i < n; i++)
        (void)kill(kin[i].pid, signal);
}
