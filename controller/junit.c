#include "junit.h"

#include <string.h>
#include <time.h>

#include "cells.h"
#include "status.h"

enum verdict { PASSED, FAILURE, ERROR, SKIPPED };

/* U+FFFE and U+FFFF are no characters of XML. */
static bool is_no_character(const char *text)
{
    return strncmp(text, "\xef\xbf\xbe", 3) == 0 || strncmp(text, "\xef\xbf\xbf", 3) == 0;
}

/* XML 1.0: the five entities, no control characters; a text that is no UTF-8 loses what is beyond ASCII. */
static void put_text(FILE *f, const char *text)
{
    bool utf8 = cells_are_utf8(text);

    for (; *text != '\0'; text++) {
        const char *entity = *text == '<'    ? "&lt;"
                             : *text == '>'  ? "&gt;"
                             : *text == '&'  ? "&amp;"
                             : *text == '"'  ? "&quot;"
                             : *text == '\'' ? "&apos;"
                                             : NULL;

        if (entity != NULL) {
            (void)fputs(entity, f);
        } else if (is_no_character(text)) {
            (void)fputc('?', f);
            text += 2;
        } else {
            (void)fputc((unsigned char)*text < 0x20 ? ' ' : (unsigned char)*text >= 0x80 && !utf8 ? '?' : *text, f);
        }
    }
}

static enum verdict verdict_of(const struct node *n)
{
    if (n->step == STEP_WAIT || (n->step == STEP_DONE && n->outcome == OUTCOME_STOPPED))
        return SKIPPED;
    if (n->step != STEP_DONE)
        return ERROR;
    return n->outcome == OUTCOME_FAILED ? FAILURE : PASSED;
}

static double seconds(int64_t from_ms, int64_t to_ms)
{
    return to_ms > from_ms && from_ms != 0 ? (double)(to_ms - from_ms) / 1000 : 0;
}

static void put_case(FILE *f, const struct view *v, uint16_t id)
{
    static const char *const elements[] = {[FAILURE] = "failure", [ERROR] = "error", [SKIPPED] = "skipped"};
    const struct view_node *n = &v->nodes[id];
    enum verdict verdict = verdict_of(&n->state);

    (void)fputs("    <testcase classname=\"", f);
    put_text(f, plan_node_service(v->plan, id));
    (void)fputs("\" name=\"", f);
    put_text(f, v->plan->nodes[id].name);
    (void)fprintf(f, "\" time=\"%.3f\"", seconds(n->begun_ms, n->ended_ms));
    if (verdict == PASSED) {
        (void)fputs("/>\n", f);
        return;
    }
    (void)fprintf(f, ">\n      <%s message=\"", elements[verdict]);
    put_text(f, view_outcome(v, id));
    if (n->state.why != WHY_NONE)
        (void)fprintf(f, ", in step %s: ", step_row((enum step)n->state.why_step)->name);
    put_text(f, why_phrase((enum why)n->state.why));
    (void)fputs("\"", f);
    if (verdict != SKIPPED)
        (void)fprintf(f, " type=\"%s\"", step_row((enum step)n->state.why_step)->name);
    (void)fputs(">", f);
    put_text(f, n->text);
    (void)fprintf(f, "</%s>\n    </testcase>\n", elements[verdict]);
}

static void put_totals(FILE *f, const struct view *v)
{
    uint32_t n[SKIPPED + 1] = {0};

    for (uint32_t i = 0; i < v->plan->n_nodes; i++)
        n[verdict_of(&v->nodes[i].state)]++;
    (void)fprintf(f, " tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\" time=\"%.3f\"", v->plan->n_nodes,
                  n[FAILURE], n[ERROR], n[SKIPPED], seconds(v->began_ms, v->now_ms));
}

void junit_write(FILE *f, const struct view *v, int code)
{
    time_t began = (time_t)(v->began_ms / 1000);
    char at[32] = "";
    struct tm tm = {0};

    (void)gmtime_r(&began, &tm);
    (void)strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"rollout ", f);
    put_text(f, v->plan->rollout);
    (void)fputs("\"", f);
    put_totals(f, v);
    (void)fprintf(f, " timestamp=\"%s\">\n    <properties>\n", at);
    (void)fprintf(f, "      <property name=\"exit_code\" value=\"%d\"/>\n", code);
    (void)fputs("      <property name=\"exit_code_says\" value=\"", f);
    put_text(f, status_of_code(code));
    (void)fputs("\"/>\n      <property name=\"holder\" value=\"", f);
    put_text(f, v->plan->holder);
    (void)fputs("\"/>\n    </properties>\n", f);
    for (uint32_t i = 0; i < v->plan->n_nodes; i++)
        put_case(f, v, (uint16_t)i);
    (void)fputs("  </testsuite>\n</testsuites>\n", f);
}
