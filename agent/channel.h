/* channel.h - frames over the socket between the halves, both ways, within the loop. Neither side is ever waited for:
 * what cannot be written yet is kept, and who sends much looks at channel_queued and goes on when it is told that the
 * queue has become short. */
#ifndef AGENT_CHANNEL_H
#define AGENT_CHANNEL_H

#include "frame.h"
#include "loop.h"

#define CHANNEL_LONG  ((size_t)512 * 1024)       /* bytes; from here on bodies are to wait */
#define CHANNEL_SHORT ((size_t)128 * 1024)       /* and may go on */
#define CHANNEL_MAX   ((size_t)16 * 1024 * 1024) /* the other side does not read: the end */

struct channel_owner {
    void *ctx;
    /* False, with a reason: the frame is out of place, and the channel ends. */
    bool (*on_frame)(void *ctx, const struct frame *frame, const char **why);
    void (*on_short)(void *ctx); /* the queue was long, and is short now; may be NULL */
    /* Once; not from within a call of the owner's. The channel is closed already and may be freed. */
    void (*on_end)(void *ctx, const char *why);
};

struct channel {
    struct loop *loop;
    struct loop_slot slot; /* fd -1: closed */
    struct channel_owner owner;
    uint8_t *in, *out; /* owned */
    size_t in_used, in_capacity, out_from, out_used, out_capacity;
    bool was_long, writes; /* writes: the loop waits for room in the socket too */
    const char *broken;    /* why it is about to end; NULL: it is not */
    struct loop_timer end;
};

/* `fd` is taken over; a non-blocking stream socket. Sends HELLO. */
void channel_open(struct channel *channel, struct loop *loop, int fd, const struct channel_owner *owner);
bool channel_is_open(const struct channel *channel);
/* Payload in two parts, either may be empty. Dropped where the channel has ended. */
void channel_send(struct channel *channel, enum frame_kind kind, uint32_t id, const void *head, size_t head_size,
                  const void *rest, size_t rest_size);
size_t channel_queued(const struct channel *channel);
void channel_close(struct channel *channel); /* without on_end; what is queued is lost */

#endif
