#include "pattern_regex.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    char letter;
    const char *outside, *inside; /* of brackets; NULL: not there */
} escapes[] = {
    {'d', "[0-9]", "0-9"},     {'D', "[^0-9]", NULL}, {'w', "\\w", "[:alnum:]_"}, {'W', "\\W", NULL},
    {'s', "\\s", "[:space:]"}, {'S', "\\S", NULL},    {'b', "\\b", NULL},         {'B', "\\B", NULL},
};

/* The escaped character c; false where it has no equal. */
static bool put_escape(FILE *f, char c, bool inside)
{
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++)
        if (escapes[i].letter == c) {
            const char *put = inside ? escapes[i].inside : escapes[i].outside;
            return put && fputs(put, f) >= 0;
        }
    if (!c || isalnum((unsigned char)c) || (inside && strchr("]-^", c)))
        return false;
    if (!inside && strchr("^.[]$()|*+?{}\\", c))
        fputc('\\', f);
    fputc(c, f);
    return true;
}

static bool odd(const char *p, struct err *err)
{
    return err_set(err, "in a regular expression here, \"%.8s\" is not taken", p);
}

/* [...] from *p on, which moves behind it. */
static bool put_bracket(FILE *f, const char **p, struct err *err)
{
    const char *open = *p;
    fputc(*(*p)++, f);
    if (**p == '^')
        fputc(*(*p)++, f);
    for (bool first = true; **p && (first || **p != ']'); first = false, (*p)++) {
        if (**p == '[' && (*p)[1] && strchr(":.=", (*p)[1]))
            return odd(*p, err);
        if (**p != '\\')
            fputc(**p, f);
        else if (!put_escape(f, *++*p, true))
            return odd(*p - 1, err);
    }
    if (!**p)
        return err_set(err, "%.20s has no ]", open);
    fputc(*(*p)++, f);
    return true;
}

/* Whether at `p` something is repeated that cannot be: after one of these, or after a repetition. */
static bool repeats_nothing(const char *text, const char *p, bool atom)
{
    if (!strchr("*+?{", *p))
        return false;
    bool lazy = *p == '?' && p > text && strchr("*+?}", p[-1]) && !(p > text + 1 && strchr("*+?}", p[-2]));
    return !atom && !lazy;
}

static bool put_posix(FILE *f, const char *text, struct err *err)
{
    bool atom = false; /* whether what stands in front can be repeated */
    int open = 0;
    for (const char *p = text; *p;) {
        if (repeats_nothing(text, p, atom) || (*p == '(' && p[1] == '?'))
            return odd(p > text ? p - 1 : p, err);
        if (*p == '[') {
            if (!put_bracket(f, &p, err))
                return false;
            atom = true;
        } else if (*p == '\\') {
            if (!put_escape(f, p[1], false))
                return odd(p, err);
            atom = !strchr("bB", p[1]);
            p += 2;
        } else if (*p == '{') { /* one that counts */
            size_t size = strcspn(p, "}");
            if (!p[size] || !isdigit((unsigned char)p[1]) || strspn(p + 1, "0123456789,") != size - 1)
                return odd(p, err);
            fprintf(f, "%.*s", (int)size + 1, p);
            p += size + 1;
            atom = false;
        } else {
            bool lazy = *p == '?' && !atom; /* else it were refused above */
            open += (*p == '(') - (*p == ')');
            if (open < 0 || *p == ']')
                return odd(p, err);
            atom = !strchr("*+?(|^$", *p);
            if (!lazy)
                fputc(*p, f);
            p++;
        }
    }
    return true;
}

bool pattern_regex(regex_t *regex, const char *text, struct err *err)
{
    char *posix = NULL, why[128];
    size_t size;
    FILE *f = open_memstream(&posix, &size);
    if (!f)
        return err_set(err, "no memory");
    bool ok = put_posix(f, text, err);
    if (fclose(f) || !posix)
        ok = ok && err_set(err, "no memory");
    int bad = ok ? regcomp(regex, posix, REG_EXTENDED) : 0;
    free(posix);
    if (!ok)
        return err_context(err, "~%.100s", text);
    if (!bad)
        return true;
    regerror(bad, regex, why, sizeof why);
    return err_set(err, "~%.100s is no regular expression: %s", text, why);
}
