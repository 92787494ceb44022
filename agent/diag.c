#include "diag.h"

#include <assert.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop.h"

#define DATAGRAM_MAX 32768 /* bytes; the kernel makes none larger for a dump */

void tcp_rows_add(struct tcp_rows *rows, const struct proc_tcp *row)
{
    if (rows->count == rows->capacity) {
        rows->capacity = rows->capacity == 0 ? 64 : 2 * rows->capacity;
        rows->list = reallocarray(rows->list, rows->capacity, sizeof *rows->list);
        if (rows->list == NULL)
            abort();
    }
    rows->list[rows->count++] = *row;
}

/* ---- asking */

static void put(uint8_t *bytes, size_t *used, const void *from, size_t size)
{
    memcpy(bytes + *used, from, size);
    *used += size;
}

/* "port is P1, or P2, ..." in the kernel's filter language: each command jumps forward, `no` bytes when it does not
 * hold and `yes` bytes when it does. Landing on the end takes the socket, 4 bytes behind it leaves it out. */
static void put_filter(const struct tcp_ask *ask, uint8_t *bytes, size_t *used)
{
    struct condition {
        struct inet_diag_bc_op op;
        struct inet_diag_hostcond host; /* no family: the port alone */
    } condition = {.op = {.code = INET_DIAG_BC_S_COND, .yes = sizeof condition}};
    struct inet_diag_bc_op to_end = {.code = INET_DIAG_BC_JMP, .yes = sizeof to_end};
    size_t both = sizeof condition + sizeof to_end, size = ask->port_count * both - sizeof to_end;
    struct nlattr attr = {.nla_len = (uint16_t)(sizeof attr + size), .nla_type = INET_DIAG_REQ_BYTECODE};

    put(bytes, used, &attr, sizeof attr);
    condition.op.no = (uint16_t)both;
    for (size_t i = 0; i < ask->port_count; i++) {
        condition.host.port = ask->ports[i];
        put(bytes, used, &condition, sizeof condition);
        size -= sizeof condition;
        if (size == 0)
            break;
        to_end.no = (uint16_t)size;
        put(bytes, used, &to_end, sizeof to_end);
        size -= sizeof to_end;
    }
}

size_t diag_request(const struct tcp_ask *ask, bool v6, uint32_t seq, uint8_t bytes[DIAG_REQUEST_MAX])
{
    struct nlmsghdr head = {
        .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP, .nlmsg_seq = seq};
    struct inet_diag_req_v2 request = {.sdiag_family = v6 ? AF_INET6 : AF_INET,
                                       .sdiag_protocol = IPPROTO_TCP,
                                       .idiag_states = UINT32_C(1) << ask->state};
    size_t used = sizeof head;

    assert(ask->port_count <= DIAG_PORTS_MAX);
    put(bytes, &used, &request, sizeof request);
    if (ask->port_count > 0)
        put_filter(ask, bytes, &used);
    head.nlmsg_len = (uint32_t)used;
    memcpy(bytes, &head, sizeof head);
    return used;
}

/* ---- parsing */

static bool take_row(const uint8_t *body, size_t size, struct diag_answer *answer, struct err *err)
{
    struct inet_diag_msg message;
    struct proc_tcp row = {0};

    if (size < sizeof message)
        return err_set(err, "the kernel's list of sockets has an entry of %zu bytes", size);
    memcpy(&message, body, sizeof message);
    if (message.idiag_family != AF_INET && message.idiag_family != AF_INET6)
        return true;
    tcp_addr_set(&row.local, message.idiag_family == AF_INET6, message.id.idiag_src, ntohs(message.id.idiag_sport));
    row.state = message.idiag_state;
    row.inode = message.idiag_inode;
    tcp_rows_add(answer->rows, &row);
    return true;
}

/* NLMSG_ERROR and NLMSG_DONE begin with 0 or a negative errno. */
static bool take_end(const uint8_t *body, size_t size, struct diag_answer *answer, struct err *err)
{
    int32_t code = 0;

    answer->done = true;
    if (size >= sizeof code)
        memcpy(&code, body, sizeof code);
    if (code == 0)
        return true;
    return err_set(err, "the kernel does not list its sockets: %s", strerror(code < 0 && code > -4096 ? -code : EIO));
}

bool diag_parse(const uint8_t *bytes, size_t size, struct diag_answer *answer, struct err *err)
{
    while (size > 0 && !answer->done) {
        struct nlmsghdr head = {0};
        size_t step;
        bool ok = true;

        if (size >= sizeof head)
            memcpy(&head, bytes, sizeof head);
        if (head.nlmsg_len < sizeof head || head.nlmsg_len > size)
            return err_set(err, "the kernel's list of sockets is cut off: a message of %u bytes in %zu", head.nlmsg_len,
                           size);
        if (head.nlmsg_seq == answer->seq) {
            const uint8_t *body = bytes + sizeof head;
            size_t body_size = head.nlmsg_len - sizeof head;

            answer->interrupted |= (head.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
            if (head.nlmsg_type == SOCK_DIAG_BY_FAMILY)
                ok = take_row(body, body_size, answer, err);
            else if (head.nlmsg_type == NLMSG_DONE || head.nlmsg_type == NLMSG_ERROR)
                ok = take_end(body, body_size, answer, err);
            else if (head.nlmsg_type == NLMSG_OVERRUN)
                ok = err_set(err, "the kernel lost a part of its list of sockets");
        }
        if (!ok)
            return false;
        step = (head.nlmsg_len + 3U) & ~(size_t)3;
        step = step < size ? step : size;
        bytes += step;
        size -= step;
    }
    return true;
}

/* ---- the socket */

static bool receive(int fd, struct diag_answer *answer, struct err *err)
{
    static uint8_t bytes[DATAGRAM_MAX];
    struct sockaddr_nl from = {0};
    struct iovec part = {bytes, sizeof bytes};
    struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1};
    ssize_t n = recvmsg(fd, &message, 0);

    if (n < 0 && errno == EINTR)
        return true;
    if (n < 0 && errno == EAGAIN)
        return err_set(err, "the kernel did not list its sockets within %d ms", DIAG_LIMIT_MS);
    if (n < 0)
        return err_set(err, "cannot read the kernel's list of sockets: %s", strerror(errno));
    if ((message.msg_flags & MSG_TRUNC) != 0 || n == 0)
        return err_set(err, "the kernel's list of sockets is cut off");
    return from.nl_pid != 0 || diag_parse(bytes, (size_t)n, answer, err); /* 0: the kernel itself */
}

static bool dump(int fd, const struct tcp_ask *ask, bool v6, struct diag_answer *answer, struct err *err)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    uint64_t limit_at_ms = loop_now_ms() + DIAG_LIMIT_MS;
    uint8_t request[DIAG_REQUEST_MAX];
    size_t size = diag_request(ask, v6, ++answer->seq, request);
    ssize_t n;

    answer->done = false;
    do
        n = sendto(fd, request, size, 0, (const struct sockaddr *)(const void *)&kernel, sizeof kernel);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)size)
        return err_set(err, "cannot ask the kernel for its sockets: %s", n < 0 ? strerror(errno) : "cut off");
    while (!answer->done) {
        if (loop_now_ms() >= limit_at_ms)
            return err_set(err, "the kernel did not list its sockets within %d ms", DIAG_LIMIT_MS);
        if (!receive(fd, answer, err))
            return false;
    }
    return true;
}

bool diag_read(const struct tcp_ask *ask, struct tcp_rows *rows, struct err *err)
{
    const struct timeval limit = {.tv_sec = DIAG_LIMIT_MS / 1000, .tv_usec = DIAG_LIMIT_MS % 1000 * 1000};
    struct diag_answer answer = {.rows = rows};
    size_t before = rows->count;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    bool ok = true;

    if (fd < 0)
        return err_set(err, "cannot ask the kernel for its sockets: %s", strerror(errno));
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0)
        ok = err_set(err, "cannot limit the wait for the kernel's sockets: %s", strerror(errno));
    for (int i = 0; ok && i < DIAG_TRIES && (i == 0 || answer.interrupted); i++) {
        rows->count = before;
        answer.interrupted = false;
        ok = dump(fd, ask, false, &answer, err) && dump(fd, ask, true, &answer, err);
    }
    if (ok && answer.interrupted)
        ok = err_set(err, "the kernel's list of sockets changed while it was read, %d times", DIAG_TRIES);
    if (!ok)
        rows->count = before;
    (void)close(fd);
    return ok;
}
