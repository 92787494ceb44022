#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "event_json.h"
#include "marks.h"
#include "show.h"
#include "status.h"
#include "summary.h"
#include "wall.h"

enum form { TEXT, EVENTS, DOCUMENT };

static struct {
    enum form form;
    const char *command, *junit; /* junit NULL: no such report is wanted */
    char rollout[OPTION_NAME_MAX + 1], *last, *mend;
    json_t *reasons, *left_out, *document;
    bool reported;
    const struct marks *marks; /* of the CI whose log it is; NULL: none */
} told;

static bool is_act(const struct options *o)
{
    return !o->explain && (option_rows[OPT_log_format].commands >> o->command & 1) != 0;
}

static enum form form_of(const struct options *o)
{
    bool reports = o->explain || (option_rows[OPT_output].commands >> o->command & 1) != 0;

    return reports && o->output == OUTPUT_JSON             ? DOCUMENT
           : is_act(o) && o->log_format == LOG_FORMAT_JSON ? EVENTS
                                                           : TEXT;
}

void say_open(const struct options *o)
{
    told.form = form_of(o);
    told.marks = told.form != TEXT || !is_act(o)               ? NULL
                 : show_format(o, stdout) == LOG_FORMAT_GITHUB ? &marks_github
                 : show_format(o, stdout) == LOG_FORMAT_GITLAB ? &marks_gitlab
                                                               : NULL;
    told.command = o->explain ? "explain" : command_words[o->command];
    told.junit = !o->explain && (option_rows[OPT_junit].commands >> o->command & 1) != 0 ? o->junit : NULL;
    told.reasons = mem_must(json_array());
    told.left_out = mem_must(json_array());
    say_rollout(o->rollout_id);
}

void say_rollout(const char *id)
{
    (void)snprintf(told.rollout, sizeof told.rollout, "%s", id != NULL ? id : "");
}

bool say_is_text(void)
{
    return told.form == TEXT;
}

/* Takes `o`. */
static void put(json_t *o, size_t flags)
{
    char *text = mem_must(json_dumps(mem_must(o), flags));

    (void)fprintf(stdout, "%s\n", text);
    (void)fflush(stdout);
    free(text);
    json_decref(o);
}

static json_t *event(const char *name, const char *text)
{
    char at[STATUS_TIME];

    return mem_must(json_pack("{s:i,s:i,s:o,s:s,s:s,s:o}", "v", EVENT_SCHEMA, "seq", 0, "rollout",
                              json_text_or_null(told.rollout), "at", status_time(wall_now_ms(), at), "event", name,
                              "text", json_text(text)));
}

/* Takes `line`. */
static void say_line(char *line, FILE *people)
{
    if (told.form == TEXT) {
        (void)fprintf(people, "%s\n", line);
        (void)fflush(people);
    } else if (told.form == EVENTS) {
        put(event("said", line), JSON_COMPACT);
    }
    free(told.last);
    told.last = line;
}

void say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say_line(mem_vformat(format, args), stdout);
    va_end(args);
}

void say_lines(const char *lines, bool aside)
{
    for (const char *line = lines, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
        say_line(mem_format("%.*s", (int)(end - line), line), aside ? stderr : stdout);
}

/* A hosts file or a word of the line may hold what would move the cursor, or what a CI would obey. */
static void make_plain(char *line)
{
    for (char *c = line; *c != '\0'; c++)
        *c = (char)(((unsigned char)*c < ' ' && *c != '\n') || *c == 127 ? '?' : *c);
    if (told.marks != NULL && told.marks->defuse != NULL)
        told.marks->defuse(line);
}

/* On stderr, behind all that went to stdout so far. The line is the caller's. */
__attribute__((format(printf, 2, 0))) static char *complain(const char *before, const char *format, va_list args)
{
    char *line = mem_vformat(format, args);

    make_plain(line);
    (void)fflush(stdout);
    (void)fprintf(stderr, "rollout: %s%s\n", before, line);
    return line;
}

void say_why(const char *format, ...)
{
    va_list args;
    char *line;

    va_start(args, format);
    line = complain("", format, args);
    va_end(args);
    if (told.reasons != NULL)
        json_append(told.reasons, json_text(line));
    free(line);
}

void say_warning(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    free(complain("warning: ", format, args));
    va_end(args);
}

void say_left_out(const char *node, json_t *out, const char *mend, const char *why)
{
    say_why("%s: %s", node, why);
    if (told.left_out == NULL) {
        json_decref(out);
        return;
    }
    json_append(told.left_out, json_pack("{s:o,s:s,s:n,s:n,s:n,s:o,s:o}", "node", json_text(node), "outcome",
                                         "OUT OF ROTATION", "step", "ms", "why", "text", json_text(why), "out", out));
    free(told.mend);
    told.mend = mem_text(mend);
}

void say_document(json_t *members)
{
    told.document = mem_must(members);
}

json_t *say_reasons(void)
{
    return told.reasons != NULL ? json_incref(told.reasons) : mem_must(json_array());
}

void say_reported(void)
{
    told.reported = true;
}

/* What it comes to, in a sentence: the first reason, else what was said last. */
static const char *sum(void)
{
    const char *reason = json_string_value(json_array_get(told.reasons, 0));

    return reason != NULL ? reason : told.last != NULL ? told.last : "";
}

static void report(int code)
{
    json_t *o = event("report", sum());

    (void)json_object_set_new(o, "exit_code", json_integer(code));
    (void)json_object_set(o, "reasons", told.reasons);
    (void)json_object_set(o, "nodes", told.left_out);
    (void)json_object_set_new(o, "next", code == 3 ? json_text_or_null(told.mend) : json_null());
    put(o, JSON_COMPACT);
}

static void document(int code)
{
    json_t *o = mem_must(json_pack("{s:i,s:s,s:i,s:O}", "v", OUTPUT_SCHEMA, "command", told.command, "exit", code,
                                   "reasons", told.reasons));

    if (told.document != NULL && json_object_update(o, told.document) != 0)
        abort(); /* out of memory */
    put(o, JSON_INDENT(1));
}

/* A job that was refused is red, too, and who looks at it sees the annotations and the summary first. */
static void mark_refusal(int code)
{
    const char *path = told.marks == &marks_github ? getenv("GITHUB_STEP_SUMMARY") : NULL;
    FILE *f = path != NULL && path[0] != '\0' ? fopen(path, "ae") : NULL;
    char *title = mem_format("exit code %d, %s", code, status_of_code(code));

    told.marks->annotate(stdout, MARK_ERROR, title, sum());
    free(title);
    if (f != NULL) {
        summary_write_refusal(f, code, told.reasons);
        (void)fclose(f);
    }
}

static bool is_reason(const char *text)
{
    for (size_t i = 0; i < json_array_size(told.reasons); i++)
        if (strstr(json_string_value(json_array_get(told.reasons, i)), text) != NULL)
            return true;
    return false;
}

/* That the file cannot be had may be why nothing was begun, and is said then. */
static void report_junit(int code)
{
    struct err err = {.text = ""};
    bool roll = strcmp(told.command, command_words[COMMAND_ROLL]) == 0;
    char *command = roll ? mem_text("rollout") : mem_format("rollout %s", told.command);
    struct junit_unbegun u = {
        .command = command, .rollout = told.rollout, .sum = sum(), .reasons = told.reasons, .at_ms = wall_now_ms()};

    (void)fflush(stdout);
    if (!show_junit_unbegun(told.junit, &u, code, &err) && !is_reason(err.text))
        say_why("%s", err.text);
    free(command);
}

void say_close(int code)
{
    if (told.junit != NULL && !told.reported)
        report_junit(code);
    if (told.marks != NULL && code != 0 && !told.reported)
        mark_refusal(code);
    if (told.form == EVENTS && !told.reported)
        report(code);
    else if (told.form == DOCUMENT)
        document(code);
    free(told.last);
    free(told.mend);
    json_decref(told.reasons);
    json_decref(told.left_out);
    json_decref(told.document);
    memset(&told, 0, sizeof told);
}
