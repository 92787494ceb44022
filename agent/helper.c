#include "helper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel.h"
#include "listener.h"
#include "log.h"
#include "peer.h"
#include "reload.h"
#include "request.h"

#define LINKS_MAX    4
#define REQUESTS_MAX 1024                      /* of one link; the network half has 512 connections */
#define BODIES_MAX   ((size_t)8 * 1024 * 1024) /* JSON bodies of one link that are not whole yet */
#define STOP_TURNS   50                        /* of 10 ms: to send what is on its way */

struct helper_link {
    struct helper *helper;
    struct channel channel;
    bool greeted;
    uint32_t last_id;
    struct request *requests; /* all that are not freed yet */
    unsigned request_count;
    size_t body_bytes;
    struct loop_timer reap;
    struct helper_link *next;
};

struct helper {
    struct agent *agent;
    struct loop_slot door; /* fd -1: there is none */
    bool alone, own_path, stopping;
    uid_t peer_uid;
    struct helper_link *links;
    unsigned link_count;
};

/* ---- requests */

static struct request *find_request(struct helper_link *link, uint32_t id)
{
    struct request *rq = link->requests;

    while (rq != NULL && rq->frame_id != id)
        rq = rq->next;
    return rq;
}

static void free_request(struct helper_link *link, struct request *rq)
{
    struct request **at = &link->requests;

    while (*at != rq)
        at = &(*at)->next;
    *at = rq->next;
    link->request_count--;
    link->body_bytes -= rq->body_size;
    request_clear(rq);
    free(rq);
}

/* Those that are answered, and of which nothing more comes: no handler has them on its stack now. */
static void reap(void *ctx)
{
    struct helper_link *link = ctx;
    struct request *next;

    for (struct request *rq = link->requests; rq != NULL; rq = next) {
        next = rq->next;
        if (rq->answered && rq->ended)
            free_request(link, rq);
    }
}

static void reap_soon(struct helper_link *link)
{
    if (!link->reap.armed)
        loop_timer_start(link->helper->agent->loop, &link->reap, 0, reap, link);
}

void helper_answer(struct request *rq, const struct frame_answer *answer)
{
    uint8_t head[FRAME_ANSWER_HEAD];

    frame_put_answer_head(answer, head);
    channel_send(&rq->link->channel, FRAME_ANSWER, rq->frame_id, head, sizeof head, answer->bytes, answer->size);
    reap_soon(rq->link);
}

/* ---- frames */

static bool take_head(struct helper_link *link, const struct frame *frame, const char **why)
{
    struct request *rq;
    struct frame copy = *frame;

    *why = "a head that is none";
    if (frame->id <= link->last_id || link->request_count >= REQUESTS_MAX)
        return false;
    rq = calloc(1, sizeof *rq);
    if (rq == NULL || (rq->head_bytes = malloc(frame->size)) == NULL)
        abort();
    memcpy(rq->head_bytes, frame->payload, frame->size);
    copy.payload = rq->head_bytes;
    if (!frame_get_head(&copy, &rq->head)) {
        free(rq->head_bytes);
        free(rq);
        return false;
    }
    rq->agent = link->helper->agent;
    rq->link = link;
    rq->frame_id = link->last_id = frame->id;
    rq->next = link->requests;
    link->requests = rq;
    link->request_count++;
    request_begin(rq);
    return true;
}

static void take_body(struct helper_link *link, struct request *rq, const struct frame *frame)
{
    size_t before = rq->body_size;

    if (!rq->answered && rq->route->body != BODY_FILE && link->body_bytes + frame->size > BODIES_MAX)
        request_refuse(rq, CODE_UNAVAILABLE, "too many large requests at once; try again");
    request_take(rq, frame->payload, frame->size);
    link->body_bytes += rq->body_size - before;
}

static bool take_rest(struct helper_link *link, const struct frame *frame, const char **why)
{
    struct request *rq = find_request(link, frame->id);

    if (frame->kind == FRAME_CANCEL) { /* of one that is answered by now: the two have crossed */
        *why = "the end of a request that never began";
        if (rq != NULL)
            free_request(link, rq);
        return frame->id <= link->last_id;
    }
    *why = "more of a request that has ended";
    if (rq == NULL || rq->ended)
        return false;
    if (frame->kind == FRAME_BODY) {
        take_body(link, rq, frame);
        return true;
    }
    rq->ended = true;
    reap_soon(link);
    if (link->helper->stopping && !rq->answered)
        request_refuse(rq, CODE_INTERNAL, "the agent stops");
    request_run(rq);
    return true;
}

static bool on_frame(void *ctx, const struct frame *frame, const char **why)
{
    struct helper_link *link = ctx;

    *why = "not what a network half of this version says";
    if (!link->greeted)
        return link->greeted = frame_get_hello(frame);
    if (frame->kind == FRAME_HEAD)
        return take_head(link, frame, why);
    if (frame->kind == FRAME_RELOAD && link->helper->alone) {
        reload_helper(link->helper->agent);
        return true;
    }
    return frame->kind != FRAME_RELOAD && frame->kind != FRAME_HELLO && frame->kind != FRAME_ANSWER &&
           take_rest(link, frame, why);
}

/* ---- links */

/* One that is in no list any more. */
static void free_link(struct helper_link *link)
{
    while (link->requests != NULL)
        free_request(link, link->requests);
    loop_timer_stop(link->helper->agent->loop, &link->reap);
    channel_close(&link->channel);
    free(link);
}

static void on_end(void *ctx, const char *why)
{
    struct helper_link *link = ctx;
    struct helper *helper = link->helper;
    struct helper_link **at = &helper->links;
    struct log_quoted quoted;

    if (!helper->alone)
        log_event("network_half_left", "text=%s", log_quote(&quoted, why));
    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    helper->link_count--;
    free_link(link);
    if (helper->alone)
        loop_stop(helper->agent->loop);
}

static void open_link(struct helper *helper, int fd)
{
    struct helper_link *link = calloc(1, sizeof *link);
    const struct channel_owner owner = {.ctx = link, .on_frame = on_frame, .on_end = on_end};

    if (link == NULL)
        abort();
    link->helper = helper;
    link->next = helper->links;
    helper->links = link;
    helper->link_count++;
    channel_open(&link->channel, helper->agent->loop, fd, &owner);
}

static void on_door(void *ctx)
{
    struct helper *helper = ctx;
    int fd = accept4(helper->door.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct log_quoted quoted;
    struct err err = {""};

    if (fd < 0)
        return;
    if (!peer_is(fd, helper->peer_uid, &err) ||
        (helper->link_count >= LINKS_MAX && !err_set(&err, "there are %d network halves already", LINKS_MAX))) {
        log_event("helper_refused", "text=%s", log_quote(&quoted, err.text));
        (void)close(fd);
        return;
    }
    log_event("network_half_came", "links=%u", helper->link_count + 1);
    open_link(helper, fd);
}

/* ---- start and end */

static bool open_door(struct helper *helper, struct err *err)
{
    struct listen_address address;
    char bound[160];
    int fd;

    if (!peer_uid(helper->agent->config.network_user, &helper->peer_uid, err))
        return false;
    fd = listener_given();
    helper->own_path = fd < 0;
    if (fd < 0) {
        listener_unix(helper->agent->config.helper_socket, &address);
        fd = listener_open(&address, bound, err);
    }
    helper->door = (struct loop_slot){.fd = fd, .fn = on_door, .ctx = helper};
    if (fd < 0)
        return false;
    log_event("helper_listening", "node=%s address=%s", helper->agent->config.node,
              helper->agent->config.helper_socket);
    return loop_add(helper->agent->loop, &helper->door, EPOLLIN) || err_set(err, "the socket cannot be watched");
}

struct helper *helper_start(struct agent *agent, int fd, struct err *err)
{
    struct helper *helper = calloc(1, sizeof *helper);

    if (helper == NULL)
        abort();
    helper->agent = agent;
    helper->alone = fd >= 0;
    helper->door.fd = -1;
    if (helper->alone)
        open_link(helper, fd);
    else if (!open_door(helper, err))
        helper_stop(&helper);
    return helper;
}

static bool has_queued(const struct helper *helper)
{
    for (const struct helper_link *link = helper->links; link != NULL; link = link->next) {
        if (channel_queued(&link->channel) > 0)
            return true;
    }
    return false;
}

void helper_stop(struct helper **helper)
{
    struct helper *h = *helper;
    struct helper_link *next;

    if (h == NULL)
        return;
    h->stopping = true;
    if (h->door.fd >= 0) {
        loop_remove(h->agent->loop, &h->door);
        (void)close(h->door.fd);
        if (h->own_path)
            (void)unlink(h->agent->config.helper_socket);
    }
    for (struct helper_link *link = h->links; link != NULL; link = link->next) {
        for (struct request *rq = link->requests; rq != NULL; rq = rq->next) {
            if (!rq->suspended)
                continue;
            rq->cancel(rq);
            request_refuse(rq, CODE_INTERNAL, "the agent stops");
        }
    }
    for (int i = 0; i < STOP_TURNS && has_queued(h); i++)
        loop_turn(h->agent->loop, 10);
    for (struct helper_link *link = h->links; link != NULL; link = next) {
        next = link->next;
        free_link(link);
    }
    free(h);
    *helper = NULL;
}
