/* answer.h - an HTTP/1.1 answer, read as it comes. Pure: bytes in, verdict out.
 *
 * Only what the load expects is taken: a status line, headers, one Content-Length, that many bytes and not one more. */
#ifndef LOAD_ANSWER_H
#define LOAD_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#define ANSWER_MAX 16384 /* bytes of head and body together */

enum answer_state {
    ANSWER_NOTHING, /* not a byte yet */
    ANSWER_PARTIAL,
    ANSWER_WHOLE,
    ANSWER_BAD /* not what the head of this file says; answer.why */
};

struct answer {
    char bytes[ANSWER_MAX + 1];
    size_t size, head_size, body_size; /* head_size 0: the head is not whole yet */
    int status;
    bool closes; /* the server announced that it closes this connection */
    const char *why;
};

void answer_reset(struct answer *a);
/* Room for more bytes: write at *at, at most *room, then tell how many. */
void answer_room(struct answer *a, char **at, size_t *room);
enum answer_state answer_took(struct answer *a, size_t size);

/* Whether a whole answer's body is the seed's line: "Zero   started at TIME slept for N nanoseconds from pid P.\n". */
bool answer_is_sleep(const struct answer *a, unsigned sleep_ms);

#endif
