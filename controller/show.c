#include "show.h"

#include <stdlib.h>

#include "ci.h"
#include "common/mem.h"
#include "terminal.h"

uint32_t show_format(const struct options *o, FILE *out)
{
    struct ci ci;

    ci_read(&ci, getenv);
    if (o->log_format != LOG_FORMAT_AUTO || terminal_can_draw(out))
        return o->log_format;
    return ci.github ? LOG_FORMAT_GITHUB : ci.gitlab ? LOG_FORMAT_GITLAB : LOG_FORMAT_PLAIN;
}

static struct show *show_for(const struct options *o, FILE *out)
{
    uint32_t format = show_format(o, out);

    if (format == LOG_FORMAT_AUTO)
        return show_screen(out);
    if (format == LOG_FORMAT_GITHUB)
        return show_github(out, getenv("GITHUB_STEP_SUMMARY"));
    if (format == LOG_FORMAT_GITLAB)
        return show_gitlab(out);
    return format == LOG_FORMAT_JSON ? show_json(out) : show_lines(out);
}

static bool add(struct shows *s, struct show *show)
{
    if (show == NULL)
        return false;
    s->all[s->n++] = show;
    if (show->ops->tick != NULL && show->tick_ms < s->tick_ms)
        s->tick_ms = show->tick_ms;
    return true;
}

bool shows_open(struct shows *s, const struct options *o, FILE *out, struct err *err)
{
    char *path = o->audit != NULL ? mem_text(o->audit) : mem_format("%s/audit.log", o->state);
    bool good;

    *s = (struct shows){.tick_ms = UINT32_MAX};
    good = add(s, show_audit(path, err)) && (o->junit == NULL || add(s, show_junit(o->junit, err)));
    free(path);
    if (!good) {
        shows_drop(s);
        return false;
    }
    return add(s, show_for(o, out));
}

void shows_drop(struct shows *s)
{
    for (unsigned i = 0; i < s->n; i++)
        if (s->all[i]->ops->drop != NULL)
            s->all[i]->ops->drop(s->all[i]);
    s->n = 0;
}

void shows_event(struct shows *s, const struct view *v, const struct event *e)
{
    for (unsigned i = 0; i < s->n; i++)
        s->all[i]->ops->event(s->all[i], v, e);
}

void shows_flush(struct shows *s, const struct view *v)
{
    for (unsigned i = 0; i < s->n; i++)
        if (s->all[i]->ops->flush != NULL)
            s->all[i]->ops->flush(s->all[i], v);
}

void shows_tick(struct shows *s, const struct view *v)
{
    for (unsigned i = 0; i < s->n; i++)
        if (s->all[i]->ops->tick != NULL)
            s->all[i]->ops->tick(s->all[i], v);
}

bool shows_end(struct shows *s, const struct view *v, int code, const char *mend)
{
    bool good = true;

    for (unsigned i = 0; i < s->n; i++)
        good = s->all[i]->ops->end(s->all[i], v, code, mend) && good;
    s->n = 0;
    return good;
}
