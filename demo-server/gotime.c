#include "gotime.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const char *gotime_format(const struct timespec *when, char buf[GOTIME_MAX])
{
    char day[32], zone[24], fraction[16];
    struct tm tm;
    size_t n;

    (void)localtime_r(&when->tv_sec, &tm);
    (void)strftime(day, sizeof day, "%Y-%m-%d %H:%M:%S", &tm);
    (void)strftime(zone, sizeof zone, "%z %Z", &tm);
    n = (size_t)snprintf(fraction, sizeof fraction, ".%09ld", when->tv_nsec);
    while (n > 0 && (fraction[n - 1] == '0' || fraction[n - 1] == '.')) {
        bool point = fraction[n - 1] == '.';

        fraction[--n] = '\0';
        if (point)
            break;
    }
    (void)snprintf(buf, GOTIME_MAX, "%s%s %s", day, fraction, zone);
    return buf;
}
