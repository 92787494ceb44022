#include "summary.h"

#include <stdlib.h>
#include <string.h>

#include "common/duration.h"
#include "lines.h"
#include "status.h"

/* Nothing from elsewhere becomes markup: a backslash before every mark of Markdown, and < and & as entities. */
static void put_text(FILE *f, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '<')
            (void)fputs("&lt;", f);
        else if (*text == '&')
            (void)fputs("&amp;", f);
        else if ((unsigned char)*text < 0x20 || *text == 0x7f)
            (void)fputc(' ', f);
        else
            (void)fprintf(f, "%s%c", strchr("\\`*_[]()#|~!>", *text) != NULL ? "\\" : "", *text);
    }
}

static bool is_well(const struct node *n)
{
    return n->step == STEP_DONE && n->outcome != OUTCOME_FAILED && n->outcome != OUTCOME_STOPPED;
}

static void put_row(FILE *f, const struct view *v, uint16_t id)
{
    const struct view_node *n = &v->nodes[id];
    char took[32] = "";

    if (n->begun_ms != 0 && n->ended_ms >= n->begun_ms)
        (void)duration_format_ms((uint64_t)(n->ended_ms - n->begun_ms), took, sizeof took);
    (void)fputs("| ", f);
    put_text(f, v->plan->nodes[id].name);
    (void)fprintf(f, " | %s%s%s | %s | ", n->state.step == STEP_OUT ? "**" : "", view_outcome(v, id),
                  n->state.step == STEP_OUT ? "**" : "", took);
    if (n->state.why != WHY_NONE)
        (void)fprintf(f, "%s: %s", step_row((enum step)n->state.why_step)->name, why_phrase((enum why)n->state.why));
    if (n->text[0] != '\0') {
        (void)fputs(n->state.why != WHY_NONE ? "; " : "", f);
        put_text(f, n->text);
    }
    (void)fputs(" |\n", f);
}

void summary_write(FILE *f, const struct view *v, int code, const char *mend)
{
    char *next = status_next(v, code, mend);
    uint32_t rows = 0;

    (void)fprintf(f, "### rollout ");
    put_text(f, v->plan->rollout);
    (void)fprintf(f, ": exit code %d, %s\n\n", code, status_of_code(code));
    (void)fputs("| node | outcome | time | reason |\n| --- | --- | ---: | --- |\n", f);
    for (int well = 0; well <= 1; well++) {
        for (uint32_t i = 0; i < v->plan->n_nodes && rows < SUMMARY_ROWS; i++) {
            if (is_well(&v->nodes[i].state) != (well == 1))
                continue;
            put_row(f, v, (uint16_t)i);
            rows++;
        }
    }
    if (rows < v->plan->n_nodes)
        (void)fprintf(f, "\nand %u more\n", v->plan->n_nodes - rows);
    if (next != NULL)
        (void)fprintf(f, "\nnext: `%s`\n", next);
    (void)fputc('\n', f);
    free(next);
}

void summary_write_refusal(FILE *f, int code, const json_t *reasons)
{
    (void)fprintf(f, "### rollout: exit code %d, %s\n\n", code, status_of_code(code));
    for (size_t i = 0; i < json_array_size(reasons); i++) {
        (void)fputs("- ", f);
        put_text(f, json_string_value(json_array_get(reasons, i)));
        (void)fputc('\n', f);
    }
    (void)fputc('\n', f);
}
