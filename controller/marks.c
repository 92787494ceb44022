#include "marks.h"

#include <ctype.h>
#include <string.h>

static const char *const levels[] = {[MARK_NOTICE] = "notice", [MARK_WARNING] = "warning", [MARK_ERROR] = "error"};

/* ---- GitHub */

static void github_text(FILE *f, const char *text, const char *also)
{
    for (; *text != '\0'; text++) {
        if (strchr("%\r\n", *text) != NULL || strchr(also, *text) != NULL)
            (void)fprintf(f, "%%%02X", (unsigned)(unsigned char)*text);
        else
            (void)fputc(*text, f);
    }
}

static void github_open(FILE *f, const char *name, const char *title, int64_t wall_ms)
{
    (void)name;
    (void)wall_ms;
    (void)fputs("::group::", f);
    github_text(f, title, "");
    (void)fputc('\n', f);
}

static void github_close(FILE *f, const char *name, int64_t wall_ms)
{
    (void)name;
    (void)wall_ms;
    (void)fputs("::endgroup::\n", f);
}

static void github_annotate(FILE *f, enum mark_level level, const char *title, const char *text)
{
    (void)fprintf(f, "::%s title=", levels[level]);
    github_text(f, title, ":,");
    (void)fputs("::", f);
    github_text(f, text, "");
    (void)fputc('\n', f);
}

/* The older form of a command, ##[NAME]..., counts anywhere in a line (actions/runner, ActionCommand.TryParse). */
static void github_defuse(char *text)
{
    while ((text = strstr(text, "##[")) != NULL)
        text[2] = '(';
}

const struct marks marks_github = {
    .open = github_open, .close = github_close, .annotate = github_annotate, .defuse = github_defuse};

/* ---- GitLab */

static void gitlab_name(FILE *f, const char *name)
{
    for (; *name != '\0'; name++)
        (void)fputc(isalnum((unsigned char)*name) || strchr("_.-", *name) != NULL ? *name : '_', f);
}

static void gitlab_section(FILE *f, const char *which, const char *name, const char *options, int64_t wall_ms)
{
    (void)fprintf(f, "\033[0Ksection_%s:%lld:", which, (long long)(wall_ms / 1000));
    gitlab_name(f, name);
    (void)fprintf(f, "%s\r\033[0K", options);
}

/* A control character would end the mark, or move the cursor. */
static void gitlab_text(FILE *f, const char *text)
{
    for (; *text != '\0'; text++)
        (void)fputc(iscntrl((unsigned char)*text) ? ' ' : *text, f);
}

static void gitlab_open(FILE *f, const char *name, const char *title, int64_t wall_ms)
{
    gitlab_section(f, "start", name, "[collapsed=true]", wall_ms);
    gitlab_text(f, title);
    (void)fputc('\n', f);
}

static void gitlab_close(FILE *f, const char *name, int64_t wall_ms)
{
    gitlab_section(f, "end", name, "", wall_ms);
    (void)fputc('\n', f);
}

/* Red, yellow, cyan: GitLab shows SGR colours. */
static void gitlab_annotate(FILE *f, enum mark_level level, const char *title, const char *text)
{
    static const char *const colors[] = {
        [MARK_NOTICE] = "\033[36m", [MARK_WARNING] = "\033[33m", [MARK_ERROR] = "\033[31;1m"};

    (void)fprintf(f, "%s%s: ", colors[level], levels[level]);
    gitlab_text(f, title);
    (void)fputs(": ", f);
    gitlab_text(f, text);
    (void)fputs("\033[0;m\n", f);
}

const struct marks marks_gitlab = {.open = gitlab_open, .close = gitlab_close, .annotate = gitlab_annotate};
