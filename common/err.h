/* err.h - how a function tells its caller what went wrong in the world.
 *
 * A bug is an assert. The world (a file, a peer, an operator's text) is `bool f(..., struct err *)`: the callee that
 * knows the detail writes the whole sentence with err_set and returns false; a caller may put context in front with
 * err_context; only main prints it and exits. No newline, no final full stop. */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

#include <stdbool.h>

struct err {
    char text[512]; /* always terminated; "" = nothing went wrong; longer sentences are cut */
};

/* Write the sentence. Always returns false, so that a callee can `return err_set(e, ...)`. `e` may be NULL. */
bool err_set(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Put "context: " in front of what is there. Always returns false. */
bool err_context(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
