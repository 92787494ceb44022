#include "tests/stage/stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/stage/state.h"

static struct stage *open_stage; /* one at a time; closed at exit where the program forgot */

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    return remove(path);
}

static void remove_tree(const char *path)
{
    (void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Folders that earlier stages of this name left behind; a living one holds a lock. */
static void remove_older(struct stage *s, const char *tmp)
{
    const char *pattern = stage_text(s, "%s/%s.??????", tmp, s->name);
    glob_t found;

    if (glob(pattern, 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        int fd = open(found.gl_pathv[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
            continue;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            remove_tree(found.gl_pathv[i]);
        close(fd);
    }
    globfree(&found);
}

/* root and build from our own path: ROOT/build/FLAVOUR/... */
static void find_build(struct stage *s)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char *build = NULL, *end;

    if (n > 0) {
        self[n] = '\0';
        for (char *p = self; (p = strstr(p, "/build/")) != NULL; p++)
            build = p;
    }
    if (build == NULL)
        stage_fail(s, "this program does not stand below build/FLAVOUR, so its parts cannot be found");
    end = strchr(build + strlen("/build/"), '/');
    if (end == NULL)
        stage_fail(s, "%s is not below build/FLAVOUR", self);
    *end = '\0';
    s->build = stage_text(s, "%s", self);
    s->asan = strcmp(build + strlen("/build/"), "asan") == 0;
    *build = '\0';
    s->root = stage_text(s, "%s", self);
}

static void make_folder(struct stage *s)
{
    const char *tmp = stage_text(s, "%s/tmp", s->build);
    char *dir;
    int tmp_fd;

    if (mkdir(tmp, 0755) != 0 && errno != EEXIST)
        stage_fail(s, "cannot make the folder %s: %s", tmp, strerror(errno));
    /* locked until ours is: another run of this test would take it for left behind */
    tmp_fd = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)flock(tmp_fd, LOCK_EX);
    remove_older(s, tmp);
    dir = (char *)(uintptr_t)stage_text(s, "%s/%s.XXXXXX", tmp, s->name);
    if (mkdtemp(dir) == NULL)
        stage_fail(s, "cannot make the folder %s: %s", dir, strerror(errno));
    s->dir = dir;
    s->state->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)flock(s->state->dir_fd, LOCK_EX | LOCK_NB);
    (void)close(tmp_fd);
}

static void close_at_exit(void)
{
    if (open_stage != NULL)
        (void)stage_close(&open_stage, true);
}

struct stage *stage_open(const char *name, stage_fail_fn *on_fail)
{
    static bool once;
    struct stage *s = calloc(1, sizeof *s);
    struct stage_state *state = calloc(1, sizeof *state);

    if (s == NULL || state == NULL)
        abort();
    s->state = state;
    state->on_fail = on_fail;
    state->dir_fd = state->watchdog_fd = -1;
    s->name = stage_text(s, "%s", name);
    open_stage = s;
    if (!once)
        (void)atexit(close_at_exit);
    once = true;
    find_build(s);
    make_folder(s);
    stage_watchdog_start(s);
    return s;
}

static void report_sanitizers(struct stage *s)
{
    glob_t found;

    if (glob(stage_text(s, "%s/san.*", s->dir), 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        stage_tail(s, found.gl_pathv[i]);
        stage_problem(s, "a sanitizer's report: %s", found.gl_pathv[i]);
    }
    globfree(&found);
}

bool stage_close(struct stage **where, bool keep)
{
    struct stage *s = *where;
    struct stage_state *state = s->state;
    bool good;

    state->closing = true;
    (void)stage_proc_end_all(s);
    stage_watchdog_end(s);
    if (s->dir != NULL)
        report_sanitizers(s);
    good = state->n_problems == 0;
    for (unsigned i = 0; i < state->n_ports; i++)
        close(state->port_lock[i]);
    if (s->dir != NULL && good && !keep)
        remove_tree(s->dir);
    else if (s->dir != NULL)
        (void)fprintf(stderr, "stage: the folder of %s is kept: %s\n", s->name, s->dir);
    if (state->dir_fd >= 0)
        close(state->dir_fd);
    while (state->kept != NULL) {
        struct stage_kept *k = state->kept;

        state->kept = k->next;
        k->free_it(k->what);
        free(k);
    }
    free(state);
    free(s);
    if (open_stage == s)
        open_stage = NULL;
    *where = NULL;
    return good;
}

/* ---- failing */

static void fail_now(struct stage *s)
{
    if (!s->state->closing && s->state->on_fail != NULL)
        s->state->on_fail(s);
    if (!s->state->closing && open_stage == s)
        (void)stage_close(&open_stage, true);
    exit(1);
}

__attribute__((format(printf, 2, 0))) static void say(const char *front, const char *format, va_list args)
{
    (void)fputs(front, stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
}

void stage_fail(struct stage *s, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say("stage: ", format, args);
    va_end(args);
    fail_now(s);
    abort();
}

void stage_fail_log(struct stage *s, const char *log, const char *format, ...)
{
    va_list args;

    stage_tail(s, log);
    va_start(args, format);
    say("stage: ", format, args);
    va_end(args);
    fail_now(s);
    abort();
}

void stage_problem(struct stage *s, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say("stage: problem: ", format, args);
    va_end(args);
    s->state->n_problems++;
}

void stage_tail(struct stage *s, const char *path)
{
    char text[8192];
    int fd = open(path, O_RDONLY | O_CLOEXEC), lines = 0;
    off_t size;
    ssize_t n;
    char *from;

    (void)s;
    if (fd < 0)
        return;
    size = lseek(fd, 0, SEEK_END);
    n = pread(fd, text, sizeof text - 1, size > (off_t)sizeof text - 1 ? size - (off_t)sizeof text + 1 : 0);
    close(fd);
    if (n <= 0)
        return;
    text[n] = '\0';
    for (from = text + n - 1; from > text; from--)
        if (from[-1] == '\n' && ++lines == STAGE_TAIL_LINES)
            break;
    (void)fprintf(stderr, "---- the end of %s\n%s%s----\n", path, from, text[n - 1] == '\n' ? "" : "\n");
}

/* ---- waiting */

uint64_t stage_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint32_t stage_limit_ms(const struct stage *s, uint32_t limit_ms)
{
    return s->asan ? limit_ms * 4 : limit_ms;
}

bool stage_comes_true(struct stage *s, stage_pred_fn *pred, void *ctx, uint32_t limit_ms)
{
    uint64_t end_ms = stage_now_ms() + stage_limit_ms(s, limit_ms);

    for (;;) {
        bool late = stage_now_ms() >= end_ms; /* asked once more after the limit: we may not have run for long */

        stage_reap(s);
        if (pred(ctx))
            return true;
        stage_proc_check(s);
        if (late)
            return false;
        (void)usleep(STAGE_POLL_US);
    }
}

void stage_wait_until(struct stage *s, stage_pred_fn *pred, void *ctx, uint32_t limit_ms, const char *what)
{
    if (!stage_comes_true(s, pred, ctx, limit_ms))
        stage_fail(s, "waited %u ms for %s", stage_limit_ms(s, limit_ms), what);
}
