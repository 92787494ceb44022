#include "report.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXAMPLES_MAX 20

const struct load_class_row load_classes[CLASS_COUNT] = {
#define LOAD_CLASS(name, method, keep, sleep_ms, think_ms, lanes) {#name, method, keep, sleep_ms, think_ms, lanes},
#include "load.def"
};

static const char *const kind_names[KIND_COUNT] = {
#define LOAD_KIND(name, text) #name,
#include "load.def"
};

static const char *const kind_texts[KIND_COUNT] = {
#define LOAD_KIND(name, text) text,
#include "load.def"
};

struct span_list {
    unsigned now;   /* in flight */
    double since;   /* when now rose from 0 */
    json_t *closed; /* [[from, to], ...] */
};

struct count {
    uint64_t sent, answered, failed;
};

struct report {
    struct count all, class[CLASS_COUNT];
    uint64_t kind[KIND_COUNT], connections;
    struct span_list post, sleep;
    json_t *examples;
    double started;
};

static double now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct report *report_new(void)
{
    struct report *r = calloc(1, sizeof *r);

    if (r == NULL)
        abort();
    r->post.closed = json_array();
    r->sleep.closed = json_array();
    r->examples = json_array();
    r->started = now_s();
    return r;
}

void report_free(struct report **r)
{
    json_decref((*r)->post.closed);
    json_decref((*r)->sleep.closed);
    json_decref((*r)->examples);
    free(*r);
    *r = NULL;
}

void report_connection(struct report *r)
{
    r->connections++;
}

void report_sent(struct report *r, enum load_class class)
{
    r->all.sent++;
    r->class[class].sent++;
}

static void change_span(struct span_list *s, int change)
{
    if (s->now == 0 && change > 0)
        s->since = now_s();
    s->now += (unsigned)change;
    if (s->now == 0 && change < 0)
        (void)json_array_append_new(s->closed, json_pack("[ff]", s->since, now_s()));
}

void report_in_flight(struct report *r, enum load_class class, int change)
{
    if (strcmp(load_classes[class].method, "POST") == 0)
        change_span(&r->post, change);
    if (load_classes[class].sleep_ms >= LOAD_SLEEPS_MS)
        change_span(&r->sleep, change);
}

void report_answered(struct report *r, enum load_class class)
{
    r->all.answered++;
    r->class[class].answered++;
}

void report_failed(struct report *r, enum load_class class, enum load_kind kind, const char *url, const char *text)
{
    char clean[256];

    r->all.failed++;
    r->class[class].failed++;
    r->kind[kind]++;
    if (json_array_size(r->examples) >= EXAMPLES_MAX)
        return;
    (void)snprintf(clean, sizeof clean, "%s%s%s", kind_texts[kind], text[0] != '\0' ? ": " : "", text);
    for (char *c = clean; *c != '\0'; c++) /* JSON wants UTF-8; a broken answer may be anything */
        if (*c < ' ' || *c > '~')
            *c = '?';
    (void)json_array_append_new(r->examples, json_pack("{sfssssssss}", "at", now_s(), "kind", kind_names[kind], "class",
                                                       load_classes[class].name, "url", url, "text", clean));
}

uint64_t report_sent_count(const struct report *r)
{
    return r->all.sent;
}

uint64_t report_answered_count(const struct report *r)
{
    return r->all.answered;
}

uint64_t report_failed_count(const struct report *r)
{
    return r->all.failed;
}

static json_t *count_json(const struct count *c)
{
    return json_pack("{sIsIsI}", "sent", (json_int_t)c->sent, "answered", (json_int_t)c->answered, "failed",
                     (json_int_t)c->failed);
}

static json_t *spans_json(const struct span_list *s)
{
    json_t *all = json_copy(s->closed);

    if (s->now > 0)
        (void)json_array_append_new(all, json_pack("[ff]", s->since, now_s()));
    return all;
}

static json_t *report_json(const struct report *r)
{
    json_t *all = count_json(&r->all), *kinds = json_object(), *classes = json_object();

    for (int i = 0; i < KIND_COUNT; i++)
        (void)json_object_set_new(kinds, kind_names[i], json_integer((json_int_t)r->kind[i]));
    for (int i = 0; i < CLASS_COUNT; i++)
        (void)json_object_set_new(classes, load_classes[i].name, count_json(&r->class[i]));
    (void)json_object_set_new(all, "kinds", kinds);
    (void)json_object_set_new(all, "classes", classes);
    (void)json_object_set_new(all, "connections", json_integer((json_int_t)r->connections));
    (void)json_object_set(all, "examples", r->examples);
    (void)json_object_set_new(all, "in_flight",
                              json_pack("{soso}", "post", spans_json(&r->post), "sleep", spans_json(&r->sleep)));
    (void)json_object_set_new(all, "started", json_real(r->started));
    (void)json_object_set_new(all, "ended", json_real(now_s()));
    return all;
}

bool report_write(const struct report *r, const char *path, struct err *err)
{
    json_t *all = report_json(r);
    char aside[4096];
    int rc;

    (void)snprintf(aside, sizeof aside, "%s.new", path);
    rc = json_dump_file(all, aside, JSON_INDENT(1) | JSON_REAL_PRECISION(16));
    json_decref(all);
    if (rc != 0)
        return err_set(err, "cannot write the report %s", aside);
    if (rename(aside, path) != 0)
        return err_set(err, "cannot rename the report to %s: %s", path, strerror(errno));
    return true;
}
