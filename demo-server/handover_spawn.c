#include "handover_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handover_channel.h"
#include "handover_env.h"
#include "handover_init.h"
#include "handover_stray.h"

#define MOVED_MAX (HANDOVER_FDS_MAX + 1 + HANDOVER_OLDER_MAX)

/* Runs in the child, between fork and execve: only calls that are safe there. `moved` are copies of the sockets, of the
 * channel's end and of the older channels, all above their places, so that no dup2 hits one that is still needed. */
static void child_run(const struct handover_spawn *s, const int *moved, unsigned count, char **environment,
                      char *pid_at)
{
    int channel = HANDOVER_FD_FIRST + (int)s->count;
    char word[1 + sizeof(int)] = {HANDOVER_EXEC_FAILED};
    struct sigaction plain = {.sa_handler = SIG_DFL};
    int failed;

    (void)setpgid(0, 0);
    for (unsigned i = 0; i < count; i++)
        if (dup2(moved[i], HANDOVER_FD_FIRST + (int)i) < 0)
            _exit(127);
    /* Nothing else goes along, whoever opened it; an old kernel leaves it to close-on-exec, which all of ours have. */
    (void)close_range(HANDOVER_FD_FIRST + count, ~0U, CLOSE_RANGE_CLOEXEC);
    handover_env_set_pid(pid_at, getpid());
    if (s->init)
        handover_init_tell_coming();
    (void)sigaction(SIGPIPE, &plain, NULL);
    (void)sigprocmask(SIG_SETMASK, s->mask, NULL);
    (void)execve(s->path, s->argv, environment);
    failed = errno;
    memcpy(word + 1, &failed, sizeof failed);
    (void)!write(channel, word, sizeof word);
    _exit(127);
}

static bool fds_move(const struct handover_spawn *s, int channel, int *moved, unsigned count, struct err *err)
{
    for (unsigned i = 0; i < count; i++) {
        int fd = i < s->count ? s->fds[i] : i == s->count ? channel : s->older_fds[i - s->count - 1];

        moved[i] = fcntl(fd, F_DUPFD_CLOEXEC, HANDOVER_FD_FIRST + (int)count);
        if (moved[i] < 0)
            return err_set(err, "cannot copy a socket for the new process: %s", strerror(errno));
    }
    return true;
}

bool handover_spawn(const struct handover_spawn *s, struct handover_spawned *spawned, struct err *err)
{
    const struct handover_env_next next = {s->names, s->count, s->older, s->init, s->path};
    const unsigned count = s->count + 1 + s->older;
    int ends[2] = {-1, -1}, moved[MOVED_MAX];
    char **environment, *pid_at;
    struct stat theirs;
    pid_t pid;
    bool rc = false;

    for (size_t i = 0; i < MOVED_MAX; i++)
        moved[i] = -1;
    environment = handover_env_make(s->environment, &next, &pid_at);
    if (environment == NULL) {
        err_set(err, "no memory for the new process's environment");
        goto out;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0 ||
        fstat(ends[1], &theirs) != 0) {
        err_set(err, "cannot make the channel to the new process: %s", strerror(errno));
        goto out;
    }
    if (!fds_move(s, ends[1], moved, count, err))
        goto out;
    pid = fork();
    if (pid == 0)
        child_run(s, moved, count, environment, pid_at);
    if (pid < 0) {
        err_set(err, "cannot fork: %s", strerror(errno));
        goto out;
    }
    (void)setpgid(pid, pid); /* whoever comes first; too late after the execve, and then done already */
    *spawned = (struct handover_spawned){pid, ends[0], theirs.st_ino, handover_stray_start(pid)};
    ends[0] = -1;
    rc = true;
out:
    for (size_t i = 0; i < MOVED_MAX; i++)
        if (moved[i] >= 0)
            (void)close(moved[i]);
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            (void)close(ends[i]);
    free(environment);
    return rc;
}

static bool is_executable(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* The working directory, as the shell wrote it where it did: by way of a link, which a release may be switched by. */
static bool folder_read(char *cwd, size_t size)
{
    const char *pwd = getenv("PWD");
    struct stat here, there;

    if (pwd == NULL || pwd[0] != '/' || strlen(pwd) >= size || stat(pwd, &there) != 0 || stat(".", &here) != 0 ||
        here.st_dev != there.st_dev || here.st_ino != there.st_ino)
        return getcwd(cwd, size) != NULL;
    (void)snprintf(cwd, size, "%s", pwd);
    return true;
}

static bool absolute(const char *from, char *path, size_t size, struct err *err)
{
    char cwd[4096] = "";

    if (from[0] == '/')
        return snprintf(path, size, "%s", from) < (int)size || err_set(err, "the path %.100s... is too long", from);
    if (!folder_read(cwd, sizeof cwd))
        return err_set(err, "cannot read the working directory: %s", strerror(errno));
    return snprintf(path, size, "%s/%s", cwd, from) < (int)size || err_set(err, "the path %.100s... is too long", from);
}

bool handover_spawn_path_stays(const char *argv0, const char *path)
{
    size_t length = strlen(path), end = strlen(argv0);

    return argv0[0] != '/' && path[0] == '/' && length > end && path[length - end - 1] == '/' &&
           strcmp(path + length - end, argv0) == 0;
}

bool handover_spawn_path(const char *argv0, char *path, size_t size, struct err *err)
{
    const char *folders = getenv("PATH");

    if (strchr(argv0, '/') != NULL)
        return absolute(argv0, path, size, err);
    if (folders == NULL)
        folders = "/usr/local/bin:/usr/bin:/bin";
    for (const char *at = folders;; at++) {
        size_t length = strcspn(at, ":");
        char candidate[4096];

        if (length + strlen(argv0) + 3 < sizeof candidate) {
            (void)snprintf(candidate, sizeof candidate, "%.*s/%s", (int)length, length > 0 ? at : ".", argv0);
            if (length == 0)
                (void)snprintf(candidate, sizeof candidate, "./%s", argv0);
            if (is_executable(candidate))
                return absolute(candidate, path, size, err);
        }
        at += length;
        if (*at == '\0')
            return err_set(err, "%.200s is in no folder of PATH", argv0);
    }
}
