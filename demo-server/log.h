/* log.h - one line a happening on stderr, key=value, written at once:
 *   time=2026-11-23T15:44:21.123Z event=ready pid=4711 text="serves on :48567" */
#ifndef DEMO_SERVER_LOG_H
#define DEMO_SERVER_LOG_H

/* `format` makes the pairs behind the pid ("" for none). A line is cut at 1 kB. */
void log_event(const char *event, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same with one pair, text="...", quotes and control characters made harmless. */
void log_text(const char *event, const char *text);

#endif
