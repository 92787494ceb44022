#include "terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cells.h"
#include "common/mem.h"

#define COLUMNS 80 /* of a terminal that does not say */
#define ROWS    24

static bool is_set(const char *name)
{
    const char *text = getenv(name);

    return text != NULL && text[0] != '\0';
}

bool terminal_can_draw(FILE *f)
{
    const char *term = getenv("TERM");

    return isatty(fileno(f)) == 1 && term != NULL && term[0] != '\0' && strcmp(term, "dumb") != 0;
}

static bool locale_is_utf8(void)
{
    locale_t locale = newlocale(LC_CTYPE_MASK, "", NULL);
    bool utf8 = locale != NULL && strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;

    if (locale != NULL)
        freelocale(locale);
    return utf8;
}

static void ask_size(FILE *f, struct screen_style *style)
{
    struct winsize size = {0};

    if (ioctl(fileno(f), TIOCGWINSZ, &size) != 0)
        size = (struct winsize){0};
    style->columns = size.ws_col > 0 ? size.ws_col : COLUMNS;
    style->rows = size.ws_row > 0 ? size.ws_row : ROWS;
}

struct screen_style terminal_style(FILE *f)
{
    struct screen_style style = {.utf8 = locale_is_utf8(), .color = terminal_can_draw(f) && !is_set("NO_COLOR")};

    ask_size(f, &style);
    return style;
}

void terminal_open(struct terminal *t, FILE *f)
{
    *t = (struct terminal){.out = {.to = f}, .style = terminal_style(f)};
}

const struct screen_style *terminal_look(struct terminal *t)
{
    ask_size(t->out.to, &t->style);
    return &t->style;
}

/* Rows that the frame takes now: where the terminal has become narrower, its lines were wrapped. */
static unsigned rows_there(const struct terminal *t)
{
    unsigned rows = 0, columns = t->style.columns;

    for (size_t i = 0; i < t->n_widths; i++)
        rows += t->widths[i] > columns ? (t->widths[i] + columns - 1) / columns : 1;
    return rows;
}

/* Columns of one line, escape sequences (all of the form ESC [ ... m) passed over. */
static unsigned width_of(const char *line, size_t n)
{
    char *text = mem_zero(n + 1, 1);
    size_t used = 0;
    unsigned width;

    for (size_t i = 0; i < n; i++) {
        if (line[i] != '\033') {
            text[used++] = line[i];
            continue;
        }
        while (i < n && line[i] != 'm')
            i++;
    }
    width = (unsigned)cells_width(text);
    free(text);
    return width;
}

static void measure(struct terminal *t, const char *frame)
{
    t->n_widths = 0;
    for (const char *end; (end = strchr(frame, '\n')) != NULL; frame = end + 1) {
        t->widths = mem_grow(t->widths, t->n_widths + 1, sizeof *t->widths);
        t->widths[t->n_widths++] = width_of(frame, (size_t)(end - frame));
    }
}

/* Line by line: who erases a whole screen at once puts it into the scroll-back of tmux. */
static void add_erase(FILE *f, unsigned rows)
{
    for (unsigned i = 0; i < rows; i++)
        (void)fputs("\033[A\033[2K", f);
    (void)fputc('\r', f);
}

void terminal_put(struct terminal *t, const char *above, const char *frame)
{
    bool same = above[0] == '\0' && t->frame != NULL && strcmp(t->frame, frame) == 0;
    char *text;
    size_t n;
    FILE *f;

    if (same)
        return;
    if (t->out.n > 0) {
        if (above[0] != '\0')
            t->n_widths = 0; /* it comes below the frame that is there, which stays */
        outlet_put(&t->out, above, strlen(above));
        return;
    }
    f = mem_must(open_memstream(&text, &n));
    add_erase(f, rows_there(t));
    (void)fprintf(f, "%s%s", above, frame);
    mem_close(f, &text);
    measure(t, frame);
    free(t->frame);
    t->frame = mem_text(frame);
    outlet_put(&t->out, text, n);
    free(text);
}

void terminal_close(struct terminal *t)
{
    terminal_put(t, "", "");
    outlet_end(&t->out);
    free(t->widths);
    free(t->frame);
}
