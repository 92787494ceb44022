#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "junit.h"
#include "show.h"

struct show_in_junit {
    struct show base;
    FILE *f; /* of PATH.new, which becomes PATH once it is whole: a report of an earlier run is not half replaced */
    char *path, *aside; /* aside NULL: F is PATH itself */
};

static void on_event(struct show *s, const struct view *v, const struct event *e)
{
    (void)s;
    (void)v;
    (void)e;
}

static void release(struct show_in_junit *s)
{
    if (s->f != NULL)
        (void)fclose(s->f);
    free(s->path);
    free(s->aside);
    free(s);
}

static void drop(struct show *show)
{
    struct show_in_junit *s = (struct show_in_junit *)show;

    if (s->aside != NULL)
        (void)unlink(s->aside);
    release(s);
}

static bool end(struct show *show, const struct view *v, int code, const char *mend)
{
    struct show_in_junit *s = (struct show_in_junit *)show;
    bool good;

    (void)mend;
    errno = 0;
    junit_write(s->f, v, code);
    good = fflush(s->f) == 0 && !ferror(s->f) && (s->aside == NULL || rename(s->aside, s->path) == 0);
    if (!good)
        (void)fprintf(stderr, "rollout: the JUnit report could not be written to %s: %s\n", s->path, strerror(errno));
    if (good)
        release(s);
    else
        drop(show);
    return good;
}

/* What is no file stays what it is: a device, a pipe; and what our own lines go to is not replaced below them. */
static bool is_special(const char *path)
{
    struct stat there, ours;

    if (stat(path, &there) != 0)
        return false;
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
        if (fstat(fd, &ours) == 0 && ours.st_dev == there.st_dev && ours.st_ino == there.st_ino)
            return true;
    return !S_ISREG(there.st_mode);
}

/* A pipe that nobody reads is an error, not a wait. */
static FILE *open_special(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC);

    if (fd >= 0)
        (void)fcntl(fd, F_SETFL, O_APPEND);
    return fd >= 0 ? fdopen(fd, "w") : NULL;
}

struct show *show_junit(const char *path, struct err *err)
{
    static const struct show_ops ops = {.event = on_event, .end = end, .drop = drop};
    struct show_in_junit *s = mem_zero(1, sizeof *s);
    char *target = realpath(path, NULL); /* a symbolic link stays one */

    s->base = (struct show){.ops = &ops};
    s->path = mem_text(target != NULL ? target : path);
    free(target);
    if (is_special(path)) {
        s->f = open_special(path);
    } else {
        s->aside = mem_format("%s.new", s->path);
        s->f = fopen(s->aside, "we");
    }
    if (s->f != NULL)
        return &s->base;
    (void)err_set(err, "--junit: cannot write %s: %s", s->aside != NULL ? s->aside : path, strerror(errno));
    release(s);
    return NULL;
}
