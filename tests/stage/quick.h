/* quick.h - one HTTP request over a connection of its own, from any thread, with nothing left behind: for tests that
 * send a great many. Neither the stage's memory nor its failing is touched. */
#ifndef STAGE_QUICK_H
#define STAGE_QUICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STAGE_QUICK_BYTES 1048576

struct stage_quick {
    int status;      /* 0: no whole answer */
    const char *why; /* static: what broke; "" where nothing did */
    bool refused;    /* it never got a connection */
    bool is_head;    /* set by the caller: the answer's body does not come */
    size_t more;     /* bytes behind the answer */
    const char *body;
    size_t body_size, size;
    char bytes[STAGE_QUICK_BYTES]; /* terminated */
};

/* Sends `request` as it is (it should say Connection: close) and reads one answer with a Content-Length,
 * interim ones left out. from: an
 * address of ours, "127.0.3.1"; NULL: the kernel's choice. True: a whole answer, whatever its status. */
bool stage_quick_send(struct stage_quick *q, uint16_t port, const char *from, const char *request, uint32_t limit_ms);

/* The same from a method, a path and a body (NULL: none). */
bool stage_quick(struct stage_quick *q, uint16_t port, const char *from, const char *method, const char *path,
                 const char *body, uint32_t limit_ms);

/* The parts of stage_quick_send, for who does something in between: a connection (-1: none); an answer on it, which may
 * not be its last; an answer and then the end of it. */
int stage_quick_open(struct stage_quick *q, uint16_t port, const char *from);
bool stage_quick_take(struct stage_quick *q, int fd, uint32_t limit_ms);
bool stage_quick_answer(struct stage_quick *q, int fd, uint32_t limit_ms);

#endif
