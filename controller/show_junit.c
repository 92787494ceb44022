#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "junit.h"
#include "show.h"

struct show_in_junit {
    struct show base;
    FILE *f; /* of PATH.new, which becomes PATH once it is whole: a report of an earlier run is not half replaced */
    char *path, *aside;
};

static void on_event(struct show *s, const struct view *v, const struct event *e)
{
    (void)s;
    (void)v;
    (void)e;
}

static bool end(struct show *show, const struct view *v, int code, const char *mend)
{
    struct show_in_junit *s = (struct show_in_junit *)show;
    bool good;

    (void)mend;
    junit_write(s->f, v, code);
    good = fclose(s->f) == 0 && rename(s->aside, s->path) == 0;
    if (!good)
        (void)fprintf(stderr, "rollout: the JUnit report could not be written to %s: %s\n", s->path, strerror(errno));
    free(s->path);
    free(s->aside);
    free(s);
    return good;
}

static void drop(struct show *show)
{
    struct show_in_junit *s = (struct show_in_junit *)show;

    (void)fclose(s->f);
    (void)unlink(s->aside);
    free(s->path);
    free(s->aside);
    free(s);
}

struct show *show_junit(const char *path, struct err *err)
{
    static const struct show_ops ops = {.event = on_event, .end = end, .drop = drop};
    struct show_in_junit *s = mem_zero(1, sizeof *s);

    s->base = (struct show){.ops = &ops};
    s->path = mem_text(path);
    s->aside = mem_format("%s.new", path);
    s->f = fopen(s->aside, "we");
    if (s->f != NULL)
        return &s->base;
    (void)err_set(err, "--junit: cannot write %s: %s", s->aside, strerror(errno));
    free(s->path);
    free(s->aside);
    free(s);
    return NULL;
}
