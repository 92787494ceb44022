/* doctor_findings.c - the doctor's findings: how a check notes one, and what is told of all. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "doctor_look.h"

static void add(struct look *l, enum doctor_result result, int code, char *detail, const char *mend)
{
    struct doctor *d = l->d;

    d->rows = mem_grow(d->rows, d->n + 1, sizeof *d->rows);
    d->rows[d->n] = (struct doctor_finding){.result = result, .code = code, .what = l->what};
    d->rows[d->n].detail = detail;
    d->rows[d->n++].mend = mend != NULL ? mem_text(mend) : NULL;
    l->bad = l->bad || result != DOCTOR_OK;
}

void look_ok(struct look *l, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(l, DOCTOR_OK, 0, mem_vformat(format, args), NULL);
    va_end(args);
}

void look_warn(struct look *l, const char *mend, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(l, DOCTOR_WARN, 0, mem_vformat(format, args), mend);
    va_end(args);
}

void look_fail(struct look *l, int code, const char *mend, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(l, DOCTOR_FAIL, code, mem_vformat(format, args), mend);
    va_end(args);
}

/* ---- what comes of them */

static int badness(int code)
{
    return code == EXIT_OUT ? 3 : code == EXIT_REFUSED ? 2 : code == EXIT_UNREACHABLE ? 1 : 0;
}

int doctor_exit_code(const struct doctor *d)
{
    int code = 0;

    for (size_t i = 0; i < d->n; i++)
        if (badness(d->rows[i].code) > badness(code))
            code = d->rows[i].code;
    return code;
}

/* What others say is nothing that a terminal obeys. */
static void put_plain(FILE *to, const char *text)
{
    for (; *text != '\0'; text++)
        (void)fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, to);
    (void)fputc('\n', to);
}

void doctor_print(FILE *to, const struct doctor *d)
{
    static const char *const words[] = {"ok", "warn", "FAIL"};
    int width = 0;

    for (size_t i = 0; i < d->n; i++)
        width = (int)strlen(d->rows[i].what) > width ? (int)strlen(d->rows[i].what) : width;
    for (size_t i = 0; i < d->n; i++) {
        const struct doctor_finding *row = &d->rows[i];

        (void)fprintf(to, "%-4s  %-*s  ", words[row->result], width, row->what);
        put_plain(to, row->detail);
        if (row->mend == NULL)
            continue;
        (void)fputs("      mend: ", to);
        put_plain(to, row->mend);
    }
}

json_t *doctor_json(const struct doctor *d)
{
    static const char *const words[] = {"ok", "warn", "fail"};
    json_t *list = mem_must(json_array());

    for (size_t i = 0; i < d->n; i++)
        json_append(list, json_pack("{s:s,s:s,s:o,s:o}", "result", words[d->rows[i].result], "what", d->rows[i].what,
                                    "detail", json_text(d->rows[i].detail), "mend",
                                    d->rows[i].mend != NULL ? json_text(d->rows[i].mend) : json_null()));
    return mem_must(json_pack("{s:i,s:o}", "exit_code", doctor_exit_code(d), "findings", list));
}

void doctor_clear(struct doctor *d)
{
    for (size_t i = 0; i < d->n; i++) {
        free(d->rows[i].detail);
        free(d->rows[i].mend);
    }
    free(d->rows);
    *d = (struct doctor){0};
}
