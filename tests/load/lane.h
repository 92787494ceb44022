/* lane.h - one user of the load: a request, its answer, a pause, the next request. Never retries.
 *
 * A lane owns its socket, in the caller's epoll with the lane as data. It changes state only in lane_ready (the socket)
 * and lane_late (its deadline). */
#ifndef LOAD_LANE_H
#define LOAD_LANE_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "report.h"

struct target {
    const char *url; /* "http://127.0.0.1:PORT", no slash at the end */
    struct sockaddr_in address;
};

enum lane_state {
    LANE_RESTS, /* until deadline_ms; a kept connection may be open */
    LANE_CONNECTS,
    LANE_SENDS,
    LANE_AWAITS,
    LANE_DONE /* stopped, no request in flight, no socket */
};

struct lane {
    enum load_class class;
    const struct target *target;
    struct report *report;
    int epoll_fd, fd; /* fd -1: no connection */
    enum lane_state state;
    bool stopping;
    uint64_t deadline_ms; /* CLOCK_MONOTONIC: the pause's end, or the request's limit */
    uint32_t limit_ms, random;
    char *request;
    size_t request_size, sent;
    struct answer answer;
};

void lane_init(struct lane *l, enum load_class class, const struct target *target, struct report *report, int epoll_fd,
               uint32_t limit_ms, uint32_t seed);
void lane_ready(struct lane *l, uint32_t events, uint64_t now_ms);
void lane_late(struct lane *l, uint64_t now_ms); /* call when now_ms >= deadline_ms */
void lane_stop(struct lane *l);                  /* finish what is in flight, begin nothing */
void lane_free(struct lane *l);

#endif
