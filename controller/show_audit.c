#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "audit.h"
#include "common/mem.h"
#include "show.h"

#define READER_LIMIT_MS 2000 /* of a pipe: until somebody reads from it */
#define ROOM_LIMIT_MS   1000 /* ... and until it takes more: a rollout does not stand still for it */

struct show_in_audit {
    struct show base;
    struct ci ci;
    char *path;
    int fd;  /* O_APPEND: lines of several rollouts do not mix */
    FILE *f; /* what is to be written, into `text` */
    char *text;
    size_t n;
    int error; /* errno of the first write that failed; 0 = none */
};

static ssize_t put(int fd, const char *text, size_t n, bool wait)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    ssize_t written = write(fd, text, n);

    if (written < 0 && errno == EAGAIN && wait && poll(&room, 1, ROOM_LIMIT_MS) == 1)
        written = write(fd, text, n);
    return written;
}

static void on_event(struct show *show, const struct view *v, const struct event *e)
{
    struct show_in_audit *s = (struct show_in_audit *)show;

    audit_event(s->f, v, e, &s->ci);
}

/* Whole lines, those of a turn at once, before its requests leave. */
static void flush(struct show *show, const struct view *v)
{
    struct show_in_audit *s = (struct show_in_audit *)show;
    ssize_t written;

    (void)v;
    if (fflush(s->f) != 0)
        abort(); /* out of memory */
    written = s->n > 0 ? put(s->fd, s->text, s->n, s->error == 0) : 0;
    if (written != (ssize_t)s->n && s->error == 0)
        s->error = written < 0 ? errno : ENOSPC;
    rewind(s->f);
}

static void drop(struct show *show)
{
    struct show_in_audit *s = (struct show_in_audit *)show;

    (void)close(s->fd);
    (void)fclose(s->f);
    free(s->text);
    free(s->path);
    free(s);
}

static bool end(struct show *show, const struct view *v, int code, const char *mend)
{
    struct show_in_audit *s = (struct show_in_audit *)show;
    bool good;

    flush(show, v);
    good = s->error == 0;
    (void)code;
    (void)mend;
    if (!good)
        (void)fprintf(stderr, "rollout: lines are missing in %s: %s\n", s->path, strerror(s->error));
    drop(show);
    return good;
}

static bool is_pipe(const char *path)
{
    struct stat there;

    return stat(path, &there) == 0 && S_ISFIFO(there.st_mode);
}

static int open_for_lines(const char *path, struct err *err)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000000};
    int fd = -1;

    for (int waited_ms = 0; waited_ms < READER_LIMIT_MS; waited_ms += 20) {
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
        if (fd >= 0 || errno != ENXIO || !is_pipe(path))
            break;
        (void)nanosleep(&pause, NULL);
    }
    if (fd < 0 && errno == ENXIO && is_pipe(path))
        (void)err_set(err, "--audit: nobody reads from the pipe %s; start its reader first", path);
    else if (fd < 0)
        (void)err_set(err, "--audit: cannot write %s: %s", path, strerror(errno));
    return fd;
}

struct show *show_audit(const char *path, struct err *err)
{
    static const struct show_ops ops = {.event = on_event, .flush = flush, .end = end, .drop = drop};
    int fd = open_for_lines(path, err);
    struct show_in_audit *s;

    if (fd < 0)
        return NULL;
    s = mem_zero(1, sizeof *s);
    s->base = (struct show){.ops = &ops};
    s->fd = fd;
    s->f = mem_must(open_memstream(&s->text, &s->n));
    s->path = mem_text(path);
    ci_read(&s->ci, getenv);
    return &s->base;
}
