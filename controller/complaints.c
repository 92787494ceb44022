#include "complaints.h"

#include <stdarg.h>

#include "common/mem.h"

static int badness(int exit_code)
{
    return exit_code == EXIT_REFUSED ? 3 : exit_code == EXIT_HELD ? 2 : exit_code == EXIT_UNREACHABLE ? 1 : 0;
}

void complain(struct complaints *c, int exit_code, const char *format, ...)
{
    va_list args;
    char *line;

    va_start(args, format);
    line = mem_vformat(format, args);
    va_end(args);
    c->lines = mem_grow(c->lines, c->n + 1, sizeof *c->lines);
    c->codes = mem_grow(c->codes, c->n + 1, sizeof *c->codes);
    c->others = mem_grow(c->others, c->n + 1, sizeof *c->others);
    c->codes[c->n] = exit_code;
    c->others[c->n] = NULL;
    c->lines[c->n++] = line;
    if (badness(exit_code) > badness(c->exit_code))
        c->exit_code = exit_code;
}

void complain_of(struct complaints *c, const char *rollout)
{
    free(c->others[c->n - 1]);
    c->others[c->n - 1] = mem_text(rollout);
}

void complaints_free(struct complaints *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->lines[i]);
        free(c->others[i]);
    }
    free(c->lines);
    free(c->others);
    free(c->codes);
    *c = (struct complaints){0};
}
