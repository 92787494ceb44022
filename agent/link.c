#include "link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "channel.h"
#include "exchange.h"
#include "listener.h"
#include "log.h"

#define PAUSE_FIRST_MS 50
#define PAUSE_MAX_MS   2000
#define HELLO_MS       5000 /* over a socket path; who accepts and says nothing is no helper */

struct link {
    struct agent *agent;
    struct channel channel;
    bool alone, ready, lost, told; /* told: that it is away */
    uint32_t last_id;
    uint32_t pause_ms;
    struct loop_timer timer;  /* until the next try, or for HELLO */
    struct exchange *waiting; /* that have begun and have no answer */
};

static void try_now(void *ctx);

static void try_later(struct link *link, const char *why)
{
    struct log_quoted quoted;

    if (!link->told)
        log_event("helper_away", "text=%s", log_quote(&quoted, why));
    link->told = true;
    loop_timer_start(link->agent->loop, &link->timer, link->pause_ms, try_now, link);
    link->pause_ms = 2 * link->pause_ms < PAUSE_MAX_MS ? 2 * link->pause_ms : PAUSE_MAX_MS;
}

/* ---- exchanges */

static struct exchange *take_off(struct link *link, uint32_t id)
{
    struct exchange **at = &link->waiting, *ex;

    while (*at != NULL && (*at)->place.id != id)
        at = &(*at)->place.next;
    ex = *at;
    if (ex != NULL) {
        *at = ex->place.next;
        ex->place.id = 0;
        ex->place.stalled = false;
    }
    return ex;
}

bool link_begin(struct link *link, struct exchange *ex, const struct frame_head *head)
{
    uint8_t bytes[FRAME_HEAD_MAX];
    size_t size = frame_put_head(head, bytes);

    if (!link->ready || size == 0 || link->last_id == UINT32_MAX)
        return false;
    ex->place = (struct link_place){.id = ++link->last_id, .next = link->waiting};
    link->waiting = ex;
    channel_send(&link->channel, FRAME_HEAD, ex->place.id, bytes, size, NULL, 0);
    return true;
}

void link_piece(struct link *link, struct exchange *ex, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;

    while (ex->place.id != 0 && size > 0) {
        size_t part = size < FRAME_PIECE_MAX ? size : FRAME_PIECE_MAX;
        channel_send(&link->channel, FRAME_BODY, ex->place.id, from, part, NULL, 0);
        from += part;
        size -= part;
    }
    ex->place.stalled = ex->place.id != 0 && link_is_full(link);
}

void link_end(struct link *link, struct exchange *ex)
{
    if (ex->place.id != 0)
        channel_send(&link->channel, FRAME_END, ex->place.id, NULL, 0, NULL, 0);
    ex->place.ended = true;
}

void link_cancel(struct link *link, struct exchange *ex)
{
    uint32_t id = ex->place.id;

    if (id == 0)
        return;
    (void)take_off(link, id);
    channel_send(&link->channel, FRAME_CANCEL, id, NULL, 0, NULL, 0);
}

void link_reload(struct link *link)
{
    if (link->alone && link->ready)
        channel_send(&link->channel, FRAME_RELOAD, 0, NULL, 0, NULL, 0);
}

bool link_is_full(const struct link *link)
{
    return channel_queued(&link->channel) >= CHANNEL_LONG;
}

/* ---- frames */

static bool take_answer(struct link *link, const struct frame *frame)
{
    struct frame_answer answer;
    struct exchange *ex;
    bool ended;

    if (frame->id > link->last_id || !frame_get_answer(frame, &answer))
        return false;
    ex = take_off(link, frame->id);
    if (ex == NULL)
        return true; /* it was cancelled meanwhile */
    ended = ex->place.ended;
    if (!ended)
        channel_send(&link->channel, FRAME_CANCEL, frame->id, NULL, 0, NULL, 0);
    exchange_on_answer(ex, &answer);
    return true;
}

static bool on_frame(void *ctx, const struct frame *frame, const char **why)
{
    struct link *link = ctx;

    if (link->ready) {
        *why = "not what a helper half says";
        return take_answer(link, frame);
    }
    *why = "not a helper half of this version";
    if (!frame_get_hello(frame))
        return false;
    loop_timer_stop(link->agent->loop, &link->timer);
    link->ready = true;
    link->told = false;
    link->pause_ms = PAUSE_FIRST_MS;
    if (!link->alone)
        log_event("helper_there", "address=%s", link->agent->config.helper_socket);
    return true;
}

static void on_short(void *ctx)
{
    struct link *link = ctx;

    for (struct exchange *ex = link->waiting; ex != NULL; ex = ex->place.next) {
        if (!ex->place.stalled)
            continue;
        ex->place.stalled = false;
        exchange_on_room(ex);
    }
}

static void on_end(void *ctx, const char *why)
{
    struct link *link = ctx;

    link->ready = false;
    link->last_id = 0;
    while (link->waiting != NULL)
        exchange_on_answer(take_off(link, link->waiting->place.id), NULL);
    if (!link->alone) {
        loop_timer_stop(link->agent->loop, &link->timer);
        try_later(link, why);
        return;
    }
    link->lost = true;
    loop_stop(link->agent->loop);
}

/* ---- the connection */

static void on_no_hello(void *ctx)
{
    struct link *link = ctx;

    channel_close(&link->channel);
    try_later(link, "who listens there says nothing");
}

static void join(struct link *link, int fd)
{
    const struct channel_owner owner = {.ctx = link, .on_frame = on_frame, .on_short = on_short, .on_end = on_end};

    channel_open(&link->channel, link->agent->loop, fd, &owner);
}

static void try_now(void *ctx)
{
    struct link *link = ctx;
    struct listen_address address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    listener_unix(link->agent->config.helper_socket, &address);
    if (fd < 0 || connect(fd, (const struct sockaddr *)(const void *)&address.addr, address.addr_size) != 0) {
        struct err err = {""};
        err_set(&err, "cannot connect to %s: %s", link->agent->config.helper_socket, strerror(errno));
        if (fd >= 0)
            (void)close(fd);
        try_later(link, err.text);
        return;
    }
    loop_timer_start(link->agent->loop, &link->timer, HELLO_MS, on_no_hello, link);
    join(link, fd);
}

struct link *link_open(struct agent *agent, int fd)
{
    struct link *link = calloc(1, sizeof *link);

    if (link == NULL)
        abort();
    link->agent = agent;
    link->alone = fd >= 0;
    link->pause_ms = PAUSE_FIRST_MS;
    link->channel.slot.fd = -1;
    if (link->alone)
        join(link, fd);
    else
        try_now(link);
    return link;
}

bool link_is_ready(const struct link *link)
{
    return link->ready;
}

bool link_is_lost(const struct link *link)
{
    return link->lost;
}

void link_close(struct link **link)
{
    if (*link == NULL)
        return;
    while ((*link)->waiting != NULL)
        (void)take_off(*link, (*link)->waiting->place.id);
    loop_timer_stop((*link)->agent->loop, &(*link)->timer);
    channel_close(&(*link)->channel);
    free(*link);
    *link = NULL;
}
