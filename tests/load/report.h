/* report.h - what the load counted, and the JSON that it leaves.
 *
 *   {"sent":N,              requests begun: a connection was tried for it, or a kept one was written to
 *    "answered":N,          whole right answers
 *    "failed":N,            failures of every kind; sent == answered + failed - kinds.idle
 *    "kinds":{KIND:N,...},  by kind, load.def
 *    "classes":{CLASS:{"sent":N,"answered":N,"failed":N},...},
 *    "connections":N,
 *    "examples":[{"at":T,"kind":KIND,"class":CLASS,"url":URL,"text":SENTENCE},...],   the first 20 failures
 *    "in_flight":{"post":[[T,T],...],"sleep":[[T,T],...]},
 *    "started":T,"ended":T}
 *
 * T: seconds of CLOCK_REALTIME. in_flight: all the times in which at least one POST, or one request that sleeps a
 * second or more, was written whole and not yet answered. */
#ifndef LOAD_REPORT_H
#define LOAD_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

enum load_class {
#define LOAD_CLASS(name, ...) CLASS_##name,
#include "load.def"
    CLASS_COUNT
};

enum load_kind {
#define LOAD_KIND(name, ...) KIND_##name,
#include "load.def"
    KIND_COUNT
};

struct load_class_row {
    const char *name, *method;
    bool keep_alive;
    unsigned sleep_ms, think_ms, lanes;
};
extern const struct load_class_row load_classes[CLASS_COUNT];

#define LOAD_SLEEPS_MS 1000 /* a request that sleeps so long is a sleeping one */

struct report; /* opaque: counts, examples, spans */

struct report *report_new(void);
void report_free(struct report **r);
void report_connection(struct report *r);
void report_sent(struct report *r, enum load_class class);
void report_in_flight(struct report *r, enum load_class class, int change); /* +1 written whole, -1 no longer awaited */
void report_answered(struct report *r, enum load_class class);
void report_failed(struct report *r, enum load_class class, enum load_kind kind, const char *url, const char *text);

uint64_t report_sent_count(const struct report *r);
uint64_t report_answered_count(const struct report *r);
uint64_t report_failed_count(const struct report *r);
bool report_write(const struct report *r, const char *path, struct err *err); /* written aside, then renamed */

#endif
