#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

void log_event(const char *event, const char *format, ...)
{
    char line[2048], stamp[32];
    struct timespec now;
    struct tm utc;
    va_list args;
    int used, more;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &utc);
    (void)strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    used = snprintf(line, sizeof line, "time=%s.%03ldZ event=%s ", stamp, now.tv_nsec / 1000000, event);
    va_start(args, format);
    more = vsnprintf(line + used, sizeof line - (size_t)used - 1, format, args);
    va_end(args);
    used += more < (int)sizeof line - used - 1 ? more : (int)sizeof line - used - 2;
    for (int i = 0; i < used; i++) {
        if ((unsigned char)line[i] < ' ') /* a line is one line, whatever it was given */
            line[i] = '?';
    }
    line[used++] = '\n';
    if (write(STDERR_FILENO, line, (size_t)used) < 0)
        return; /* nowhere left to say it */
}

const char *log_quote(struct log_quoted *to, const char *text)
{
    size_t n = 0;

    to->text[n++] = '"';
    for (; *text != '\0' && n < sizeof to->text - 6; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            to->text[n++] = '\\';
            to->text[n++] = (char)c;
        } else if (c < 0x20 || c >= 0x7f) {
            n += (size_t)snprintf(to->text + n, 5, "\\x%02x", c);
        } else {
            to->text[n++] = (char)c;
        }
    }
    to->text[n++] = '"';
    to->text[n] = '\0';
    return to->text;
}
