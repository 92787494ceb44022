#include "common/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool err_set(struct err *e, const char *format, ...)
{
    va_list args;

    if (e == NULL)
        return false;
    va_start(args, format);
    (void)vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
    return false;
}

bool err_context(struct err *e, const char *format, ...)
{
    char was[sizeof e->text], front[256];
    va_list args;

    if (e == NULL)
        return false;
    memcpy(was, e->text, sizeof was);
    va_start(args, format);
    (void)vsnprintf(front, sizeof front, format, args);
    va_end(args);
    (void)snprintf(e->text, sizeof e->text, "%s: %.*s", front, (int)(sizeof e->text - sizeof front - 3), was);
    return false;
}
