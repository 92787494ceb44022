#include "outlet.h"

#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>

#include "common/mem.h"

static bool takes_more(FILE *f)
{
    struct pollfd p = {.fd = fileno(f), .events = POLLOUT};

    return poll(&p, 1, 0) != 0; /* an error too is for the write to find */
}

/* A pipe that is ready takes so much at once. */
static void push(struct outlet *o, bool wait)
{
    size_t at = 0;

    while (at < o->n && (wait || takes_more(o->to))) {
        size_t part = o->n - at < PIPE_BUF ? o->n - at : PIPE_BUF;

        (void)fwrite(o->text + at, 1, part, o->to);
        (void)fflush(o->to);
        at += part;
    }
    if (at > 0)
        memmove(o->text, o->text + at, o->n - at);
    o->n -= at;
}

void outlet_put(struct outlet *o, const char *text, size_t n)
{
    o->text = mem_grow(o->text, o->n + n, 1);
    memcpy(o->text + o->n, text, n);
    o->n += n;
    push(o, false);
}

void outlet_end(struct outlet *o)
{
    push(o, true);
    free(o->text);
    o->text = NULL;
}
