#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

void log_event(const char *event, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    struct timespec now;
    struct tm tm;
    size_t at;
    int n;
    va_list args;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &tm);
    at = strftime(line, sizeof line, "time=%Y-%m-%dT%H:%M:%S", &tm);
    n = snprintf(line + at, sizeof line - at, ".%03ldZ event=%s pid=%ld ", now.tv_nsec / 1000000, event,
                 (long)getpid());
    at += (size_t)n;
    va_start(args, format);
    n = vsnprintf(line + at, sizeof line - at, format, args);
    va_end(args);
    if (n == 0)
        at--; /* the blank */
    at += (size_t)n;
    if (at > sizeof line - 1)
        at = sizeof line - 1;
    line[at++] = '\n';
    (void)!write(STDERR_FILENO, line, at); /* a log that cannot be written stops nobody */
}

void log_text(const char *event, const char *text)
{
    char safe[LINE_MAX_BYTES];
    size_t n = 0;

    for (; *text != '\0' && n + 1 < sizeof safe; text++) {
        unsigned char c = (unsigned char)*text;

        safe[n++] = c < ' ' || c == 127 ? '?' : c == '"' || c == '\\' ? '\'' : *text;
    }
    safe[n] = '\0';
    log_event(event, "text=\"%s\"", safe);
}
