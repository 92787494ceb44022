/* command_read.c - status, history and show: what the journal tells. They change nothing, and work while rollouts
 * write. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "alive.h"
#include "command.h"
#include "common/duration.h"
#include "common/json.h"
#include "common/mem.h"
#include "event_json.h"
#include "lines.h"
#include "plan_pack.h"
#include "say.h"
#include "status.h"
#include "told.h"
#include "wall.h"

/* The journal, opened; NULL with the exit code: EXIT_CONFIG and a sentence where it cannot be read, or 0 where there is
 * none yet, which is said. */
static struct store *open_journal(const struct options *o, json_t *(*nothing)(void), int *code)
{
    struct err err = {.text = ""};
    struct store *store = store_sqlite_read(o->state, &err);

    *code = 0;
    if (store != NULL)
        return store;
    if (err.text[0] != '\0')
        *code = command_bad(EXIT_CONFIG, &err);
    else if (!say_is_text())
        say_document(nothing());
    else
        (void)printf("no rollout has kept a journal in %s yet (--state DIR names another folder)\n", o->state);
    return NULL;
}

static int unreadable(struct err *err)
{
    return command_bad(EXIT_CONFIG, err);
}

static int unknown(const struct options *o, const char *rollout)
{
    struct err err;

    (void)err_set(&err, "the journal in %s knows no rollout %s; `rollout history` lists what it knows", o->state,
                  rollout);
    return command_bad(EXIT_USAGE, &err);
}

/* ---- status */

static json_t *no_rollout(void)
{
    return json_pack("{s:n}", "rollout");
}

static bool take_first(void *ctx, const struct store_row *row)
{
    *(char **)ctx = mem_text(row->rollout);
    return false;
}

static int tell_status(const struct options *o, struct store *store, const char *rollout)
{
    struct err err = {.text = ""};
    bool alive =
        alive_look(o->state, rollout); /* looked at before: one that ends meanwhile has its end in the journal */
    struct told told;
    int code = 0;

    if (!told_read(&told, store, rollout, NULL, NULL, &err))
        code = unreadable(&err);
    else if (told.runs == 0)
        code = unknown(o, rollout);
    else if (!say_is_text())
        say_document(status_json(&told, alive));
    else
        status_print(stdout, &told, alive);
    told_clear(&told);
    return code;
}

int command_status(struct options *o)
{
    struct err err = {.text = ""};
    char *latest = NULL;
    int code;
    struct store *store = open_journal(o, no_rollout, &code);

    if (store == NULL)
        return code;
    if (o->id == NULL && !store->ops->rollouts(store, take_first, &latest, &err) && err.text[0] != '\0')
        code = unreadable(&err);
    else if (o->id != NULL || latest != NULL)
        code = tell_status(o, store, o->id != NULL ? o->id : latest);
    else if (!say_is_text())
        say_document(no_rollout());
    else
        (void)printf("the journal in %s holds no rollout yet\n", o->state);
    free(latest);
    store->ops->close(store);
    return code;
}

/* ---- history */

static json_t *no_rollouts(void)
{
    return json_pack("{s:[]}", "rollouts");
}

struct listing {
    const struct options *o;
    json_t *rows; /* NULL: lines */
    uint32_t n;
};

/* What was to be done, as far as the plan can be read: another version's cannot. */
static char *subject(const struct plan *p)
{
    const char *what = p == NULL                  ? ""
                       : p->kind == PLAN_REPAIR   ? "repair of"
                       : p->kind == PLAN_ROLLBACK ? "rollback of"
                       : p->has_release           ? "upgrade of"
                                                  : "restart of";

    if (p == NULL)
        return mem_text("a plan that this version cannot read");
    return mem_format("%s %s on %u node%s%s%s", what, p->service, p->n_nodes, p->n_nodes == 1 ? "" : "s",
                      p->version[0] != '\0' ? ", version " : "", p->version);
}

static void list_line(const struct store_row *row, const struct plan *p, enum standing standing)
{
    char began[STATUS_TIME], took[32], end[96];
    char *what = subject(p);

    if (standing == STANDING_ENDED)
        (void)snprintf(end, sizeof end, "exit code %d: %s", row->code, status_of_code(row->code));
    else
        (void)snprintf(end, sizeof end, "%s", standing == STANDING_AT_WORK ? "at work" : "BROKEN OFF");
    (void)printf("%s  %-24s  %8s  %s; %s\n", status_time(row->began_ms, began), row->rollout,
                 row->last_ms < row->began_ms /* the clock was set between two runs */
                     ? "-"
                     : duration_format_ms(wall_passed_ms(row->began_ms, row->last_ms), took, sizeof took),
                 what, end);
    free(what);
}

static json_t *list_json(const struct store_row *row, const struct plan *p, enum standing standing)
{
    char began[STATUS_TIME], last[STATUS_TIME];

    return json_pack(
        "{s:o,s:s,s:s,s:s,s:o,s:o,s:o,s:o}", "rollout", json_text(row->rollout), "began",
        status_time(row->began_ms, began), "last", status_time(row->last_ms, last), "standing", status_word(standing),
        "exit_code", standing == STANDING_ENDED ? json_integer(row->code) : json_null(), "kind",
        p == NULL ? json_null() : json_string(plan_kind_word(p->kind)), "service",
        p == NULL ? json_null() : json_text(p->service), "nodes", p == NULL ? json_null() : json_integer(p->n_nodes));
}

static bool list_row(void *ctx, const struct store_row *row)
{
    struct listing *l = ctx;
    struct plan *p = row->plan == NULL ? NULL : plan_unpack(row->plan, NULL);
    enum standing standing = status_standing(row->last_kind == EVENT_ENDED, alive_look(l->o->state, row->rollout));

    if (l->rows != NULL)
        json_append(l->rows, list_json(row, p, standing));
    else
        list_line(row, p, standing);
    l->n++;
    plan_free(&p);
    return true;
}

int command_history(struct options *o)
{
    struct err err = {.text = ""};
    struct listing l = {.o = o};
    int code;
    struct store *store = open_journal(o, no_rollouts, &code);

    if (store == NULL)
        return code;
    l.rows = !say_is_text() ? mem_must(json_array()) : NULL;
    if (!store->ops->rollouts(store, list_row, &l, &err))
        code = unreadable(&err);
    else if (l.rows != NULL)
        say_document(json_pack("{s:O}", "rollouts", l.rows));
    else if (l.n == 0)
        (void)printf("the journal in %s holds no rollout yet\n", o->state);
    json_decref(l.rows);
    store->ops->close(store);
    return code;
}

/* ---- show */

#define DAY 32

static json_t *no_events(void)
{
    return json_pack("{s:n,s:[]}", "rollout", "events");
}

/* What stands above the lines. */
struct heading {
    char day[DAY];
    uint32_t run;
};

/* Two runs at once are told as they came, each under its own name. */
static void show_run(struct heading *h, const struct told *told)
{
    if (h->run != told->run && told->runs > 1)
        (void)printf("run %u, by %s, fence %llu:\n", told->run, told->plan->holder,
                     (unsigned long long)told->plan->fence);
    h->run = told->run;
}

/* The lines have the time of day alone. */
static void show_line(void *ctx, const struct told *told, const struct event *e)
{
    struct heading *h = ctx;
    char day[DAY] = "";
    time_t seconds = (time_t)(e->wall_ms / 1000);
    struct tm tm = {0};

    (void)localtime_r(&seconds, &tm);
    (void)strftime(day, sizeof day, "%Y-%m-%d", &tm);
    if (strcmp(h->day, day) != 0) {
        (void)snprintf(h->day, DAY, "%s", day);
        (void)puts(day);
    }
    show_run(h, told);
    lines_every_event(stdout, told->view, e);
}

static void show_json(void *ctx, const struct told *told, const struct event *e)
{
    json_t *o = event_json(told->plan, e);

    (void)json_object_set_new(o, "run", json_integer(told->run));
    if (e->kind == EVENT_BEGAN)
        (void)json_object_set_new(o, "plan", event_plan_json(told->plan));
    json_append(ctx, o);
}

int command_show(struct options *o)
{
    struct err err = {.text = ""};
    struct heading heading = {0};
    json_t *events = !say_is_text() ? mem_must(json_array()) : NULL;
    struct told told = {0};
    int code;
    struct store *store = open_journal(o, no_events, &code);

    if (store != NULL) {
        if (!told_read(&told, store, o->id, events != NULL ? show_json : show_line,
                       events != NULL ? (void *)events : &heading, &err))
            code = unreadable(&err);
        else if (told.runs == 0)
            code = unknown(o, o->id);
        else if (events != NULL)
            say_document(json_pack("{s:s,s:O}", "rollout", o->id, "events", events));
        store->ops->close(store);
    }
    told_clear(&told);
    json_decref(events);
    return code;
}
