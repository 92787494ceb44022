/* log.h - one line an event on stderr: time=... event=NAME key=value ... No secrets: a certificate's name may stand
 * here, a key, a body or an executable's bytes never. */
#ifndef AGENT_LOG_H
#define AGENT_LOG_H

#include <stddef.h>

/* `format` makes the "key=value ..." behind the event; free text in it goes through log_quote. */
void log_event(const char *event, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define LOG_QUOTE_MAX 640
struct log_quoted {
    char text[LOG_QUOTE_MAX];
};
/* The text in double quotes; quotes, backslashes and everything unprintable escaped, a long text cut. */
const char *log_quote(struct log_quoted *to, const char *text);

#endif
