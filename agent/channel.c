#include "channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BLOCK   (FRAME_HEADER + FRAME_PIECE_MAX)
#define READS_A_TURN 16

static void end_now(void *ctx)
{
    struct channel *channel = ctx;
    const char *why = channel->broken;

    channel_close(channel);
    channel->owner.on_end(channel->owner.ctx, why);
}

static void break_off(struct channel *channel, const char *why)
{
    if (channel->broken != NULL)
        return;
    channel->broken = why;
    loop_timer_start(channel->loop, &channel->end, 0, end_now, channel);
}

static void make_room(uint8_t **bytes, size_t *capacity, size_t wanted)
{
    if (wanted <= *capacity)
        return;
    *bytes = realloc(*bytes, wanted);
    if (*bytes == NULL)
        abort();
    *capacity = wanted;
}

/* ---- out */

static void want_writes(struct channel *channel, bool wanted)
{
    if (wanted == channel->writes)
        return;
    channel->writes = wanted;
    loop_change(channel->loop, &channel->slot, wanted ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void flush(struct channel *channel)
{
    while (channel->out_used > 0) {
        ssize_t n = send(channel->slot.fd, channel->out + channel->out_from, channel->out_used, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            channel->out_used = 0; /* gone; but what it said before is still to be read, and the end behind it */
        if (n < 0)
            break;
        channel->out_from += (size_t)n;
        channel->out_used -= (size_t)n;
    }
    if (channel->out_used == 0) {
        channel->out_from = 0;
        if (channel->out_capacity > CHANNEL_LONG) {
            free(channel->out);
            channel->out = NULL;
            channel->out_capacity = 0;
        }
    }
    want_writes(channel, channel->out_used > 0 && channel->broken == NULL);
}

static void append(struct channel *channel, const void *bytes, size_t size)
{
    size_t end = channel->out_from + channel->out_used;

    if (size == 0)
        return;
    if (end + size > channel->out_capacity) {
        if (channel->out_from > 0)
            memmove(channel->out, channel->out + channel->out_from, channel->out_used);
        channel->out_from = 0;
        end = channel->out_used;
        if (end + size > channel->out_capacity)
            make_room(&channel->out, &channel->out_capacity, 2 * (end + size));
    }
    memcpy(channel->out + end, bytes, size);
    channel->out_used += size;
}

void channel_send(struct channel *channel, enum frame_kind kind, uint32_t id, const void *head, size_t head_size,
                  const void *rest, size_t rest_size)
{
    const struct frame frame = {.kind = kind, .id = id, .size = head_size + rest_size};
    uint8_t header[FRAME_HEADER];

    if (!channel_is_open(channel))
        return;
    frame_put_header(&frame, header);
    append(channel, header, sizeof header);
    append(channel, head, head_size);
    append(channel, rest, rest_size);
    if (!channel->writes)
        flush(channel);
    channel->was_long |= channel->out_used >= CHANNEL_LONG;
    if (channel->out_used > CHANNEL_MAX)
        break_off(channel, "the other half does not read what it is sent");
}

size_t channel_queued(const struct channel *channel)
{
    return channel->out_used;
}

/* ---- in */

/* All whole frames that have come. */
static void take_frames(struct channel *channel)
{
    size_t at = 0, need = FRAME_HEADER;

    while (channel->broken == NULL && channel->in_used - at >= FRAME_HEADER) {
        const char *why = "a frame that is none";
        struct frame frame;
        if (!frame_get_header(channel->in + at, &frame)) {
            break_off(channel, why);
            return;
        }
        need = FRAME_HEADER + frame.size;
        if (channel->in_used - at < need)
            break;
        frame.payload = channel->in + at + FRAME_HEADER;
        if (!channel->owner.on_frame(channel->owner.ctx, &frame, &why)) {
            break_off(channel, why);
            return;
        }
        at += need;
        need = FRAME_HEADER;
    }
    memmove(channel->in, channel->in + at, channel->in_used - at);
    channel->in_used -= at;
    make_room(&channel->in, &channel->in_capacity, need);
    if (channel->in_used == 0 && channel->in_capacity > READ_BLOCK) {
        free(channel->in);
        channel->in = NULL;
        channel->in_capacity = 0;
        make_room(&channel->in, &channel->in_capacity, READ_BLOCK);
    }
}

/* A read that got less than there was room for is the last of this turn: the loop's timers want theirs, and what the
 * other side sends in answer to what it has just got is for the next. */
static void receive(struct channel *channel)
{
    bool more = true;

    for (int i = 0; i < READS_A_TURN && more && channel->broken == NULL; i++) {
        size_t room = channel->in_capacity - channel->in_used;
        ssize_t n = recv(channel->slot.fd, channel->in + channel->in_used, room, 0);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            return;
        if (n <= 0) {
            break_off(channel, "the other half is gone");
            return;
        }
        more = (size_t)n == room;
        channel->in_used += (size_t)n;
        take_frames(channel);
    }
}

static void on_event(void *ctx)
{
    struct channel *channel = ctx;

    if (channel->broken == NULL && channel->out_used > 0)
        flush(channel);
    if (channel->broken == NULL && channel->was_long && channel->out_used <= CHANNEL_SHORT) {
        channel->was_long = false;
        if (channel->owner.on_short != NULL)
            channel->owner.on_short(channel->owner.ctx);
    }
    if (channel->broken == NULL)
        receive(channel);
}

/* ---- both */

void channel_open(struct channel *channel, struct loop *loop, int fd, const struct channel_owner *owner)
{
    uint8_t hello[FRAME_HELLO_SIZE];

    *channel = (struct channel){.loop = loop, .owner = *owner};
    channel->slot = (struct loop_slot){.fd = fd, .fn = on_event, .ctx = channel};
    make_room(&channel->in, &channel->in_capacity, READ_BLOCK);
    if (!loop_add(loop, &channel->slot, EPOLLIN))
        break_off(channel, "it cannot be watched");
    frame_put_hello(hello);
    channel_send(channel, FRAME_HELLO, 0, hello, sizeof hello, NULL, 0);
}

bool channel_is_open(const struct channel *channel)
{
    return channel->loop != NULL && channel->slot.fd >= 0 && channel->broken == NULL;
}

void channel_close(struct channel *channel)
{
    if (channel->loop == NULL || channel->slot.fd < 0)
        return;
    loop_timer_stop(channel->loop, &channel->end);
    loop_remove(channel->loop, &channel->slot);
    (void)close(channel->slot.fd);
    channel->slot.fd = -1;
    free(channel->in);
    free(channel->out);
    channel->in = channel->out = NULL;
    channel->in_used = channel->out_used = channel->out_from = 0;
}
