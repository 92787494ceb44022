#include "tests/stage/load.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/stage/state.h"

#define LOAD_FIRST    100 /* answers after which the load is on its way */
#define LOAD_BEGIN_MS 15000
#define LOAD_END_MS   45000
#define LOAD_URLS_MAX 8

struct load_now stage_load_now(struct stage *s, struct stage_load *l)
{
    struct load_now now = {0};
    const char *text = stage_read(s, l->proc->out_path), *last = NULL;

    for (const char *p = text; (p = strstr(p, "load: ")) != NULL; p++)
        if (strchr(p, '\n') != NULL) /* only whole lines */
            last = p;
    if (last != NULL)
        (void)sscanf(last, "load: %" SCNu64 " sent, %" SCNu64 " answered, %" SCNu64 " failed", &now.sent, &now.answered,
                     &now.failed);
    return now;
}

struct progress {
    struct stage *s;
    struct stage_load *l;
    uint64_t wanted;
};

static bool has_answers(void *ctx)
{
    struct progress *p = ctx;

    return stage_load_now(p->s, p->l).answered >= p->wanted;
}

void stage_load_until(struct stage *s, struct stage_load *l, uint64_t answered, uint32_t limit_ms)
{
    struct progress p = {s, l, answered};

    if (!stage_comes_true(s, has_answers, &p, limit_ms))
        stage_fail_log(s, l->proc->out_path, "the load had not %" PRIu64 " answers after %u ms", answered,
                       stage_limit_ms(s, limit_ms));
}

static struct stage_load *start(struct stage *s, const char *const *urls, const char *longest)
{
    struct stage_load *l = stage_alloc(s, sizeof *l);
    const char *name = stage_text(s, "load-%u", ++s->state->n_runs);
    const char *argv[LOAD_URLS_MAX + 8] = {
        stage_text(s, "%s/tests/load/load", s->build), "--duration", "5m", "--longest", longest, "--report"};
    size_t n = 6;

    l->report_path = stage_text(s, "%s/%s.json", s->dir, name);
    argv[n++] = l->report_path;
    for (; *urls != NULL && n < LOAD_URLS_MAX + 7; urls++)
        argv[n++] = *urls;
    l->proc = stage_start(s, &(struct stage_spawn){.name = name, .argv = argv});
    stage_load_until(s, l, LOAD_FIRST, LOAD_BEGIN_MS);
    return l;
}

struct stage_load *stage_load_start(struct stage *s, const char *const *urls)
{
    return start(s, urls, "1h");
}

static struct stage_load *start_fleet(struct stage_fleet *f, const char *longest)
{
    const char *urls[STAGE_LBS_MAX + 1] = {NULL};

    for (unsigned i = 0; i < f->n_lbs; i++)
        urls[i] = f->lb[i]->url;
    return start(f->stage, urls, longest);
}

struct stage_load *stage_load_start_fleet(struct stage_fleet *f)
{
    return start_fleet(f, "1h");
}

struct stage_load *stage_load_start_brief(struct stage_fleet *f)
{
    return start_fleet(f, "100ms");
}

static void free_json(void *json)
{
    json_decref(json);
}

void stage_load_end(struct stage *s, struct stage_load *l)
{
    json_error_t error;

    stage_proc_signal(s, l->proc, SIGTERM);
    (void)stage_proc_wait(s, l->proc, LOAD_END_MS);
    l->report = json_load_file(l->report_path, JSON_REJECT_DUPLICATES, &error);
    if (l->report == NULL)
        stage_fail_log(s, l->proc->out_path, "the load left no report: %s", error.text);
    (void)stage_keep(s, l->report, free_json);
    l->sent = (uint64_t)stage_json_int(s, l->report, "sent");
    l->answered = (uint64_t)stage_json_int(s, l->report, "answered");
    l->failed = (uint64_t)stage_json_int(s, l->report, "failed");
}

void stage_load_end_whole(struct stage *s, struct stage_load *l)
{
    stage_load_end(s, l);
    if (l->failed != 0 || l->answered != l->sent)
        stage_fail(s, "%lu of %lu requests failed, %lu were answered:\n%s", l->failed, l->sent, l->answered,
                   stage_load_failures(s, l));
}

const char *stage_load_failures(struct stage *s, const struct stage_load *l)
{
    const char *text = "";
    json_t *example;
    size_t i;

    json_array_foreach(stage_json(s, l->report, "examples"), i, example)
    {
        text = stage_text(s, "%s  %.3f %s %s %s: %s\n", text, json_real_value(stage_json(s, example, "at")),
                          stage_json_string(s, example, "kind"), stage_json_string(s, example, "class"),
                          stage_json_string(s, example, "url"), stage_json_string(s, example, "text"));
    }
    return text;
}

bool stage_load_was_in_flight(struct stage *s, const struct stage_load *l, const char *kind, double at)
{
    json_t *span;
    size_t i;

    json_array_foreach(stage_json(s, l->report, stage_text(s, "in_flight.%s", kind)), i, span)
    {
        if (json_real_value(json_array_get(span, 0)) <= at && at <= json_real_value(json_array_get(span, 1)))
            return true;
    }
    return false;
}
