/* show.h - who is told of a rollout while it is at work: lines or a screen for people, marks for a CI's log, JSON for
 * programs, files. All of them see the same view and the same events. */
#ifndef CONTROLLER_SHOW_H
#define CONTROLLER_SHOW_H

#include <stdbool.h>
#include <stdio.h>

#include "common/err.h"
#include "options.h"
#include "run.h"
#include "view.h"

struct show;

struct show_ops {
    /* After the view was fed with it. */
    void (*event)(struct show *, const struct view *, const struct event *);
    /* Some events have been told: what was gathered goes out. NULL: nothing is gathered. */
    void (*flush)(struct show *, const struct view *);
    /* Time has passed; view->live is the moment. NULL: it does not care. */
    void (*tick)(struct show *, const struct view *);
    /* The last words. mend: the command that puts back what is out. False: not all of it could be told. Frees. */
    bool (*end)(struct show *, const struct view *, int code, const char *mend);
    /* Instead of end: nothing was begun. Frees. */
    void (*drop)(struct show *);
};

/* What the implementations begin with. */
struct show {
    const struct show_ops *ops;
    uint32_t tick_ms; /* how often tick is wanted */
};

/* What `auto` comes to: a screen (then it stays AUTO) for who sits there, the marks of the CI whose variables are
 * there, else lines. */
uint32_t show_format(const struct options *, FILE *out);

struct show *show_lines(FILE *);
struct show *show_screen(FILE *);
/* summary: the file of $GITHUB_STEP_SUMMARY, or NULL. */
struct show *show_github(FILE *, const char *summary);
struct show *show_gitlab(FILE *);
struct show *show_json(FILE *);
/* Files that are opened before anything is changed; NULL with the reason where that fails. */
struct show *show_junit(const char *path, struct err *);
struct show *show_audit(const char *path, struct err *);

#define SHOWS_MAX 4

struct shows {
    struct show *all[SHOWS_MAX];
    unsigned n;
    uint32_t tick_ms; /* how often shows_tick is wanted */
};

/* Those that the options, the terminal and the CI's environment ask for; one of them ticks. False with the reason:
 * nothing is open. The state folder is there already. */
bool shows_open(struct shows *, const struct options *, FILE *out, struct err *);
void shows_event(struct shows *, const struct view *, const struct event *);
void shows_flush(struct shows *, const struct view *);
void shows_tick(struct shows *, const struct view *);
void shows_drop(struct shows *);
bool shows_end(struct shows *, const struct view *, int code, const char *mend);

#endif
