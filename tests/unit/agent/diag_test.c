#include "agent/diag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define SEQ 7

struct datagram {
    uint8_t bytes[1024];
    size_t size;
};

static void put(struct datagram *d, uint16_t type, uint16_t flags, uint32_t seq, const void *body, size_t size)
{
    struct nlmsghdr head = {.nlmsg_len = (uint32_t)(sizeof head + size),
                            .nlmsg_type = type,
                            .nlmsg_flags = (uint16_t)(flags | NLM_F_MULTI),
                            .nlmsg_seq = seq};

    memcpy(d->bytes + d->size, &head, sizeof head);
    memcpy(d->bytes + d->size + sizeof head, body, size);
    d->size += (sizeof head + size + 3) & ~(size_t)3;
}

static void put_row(struct datagram *d, bool v6, const uint8_t ip[16], uint16_t port, uint32_t inode)
{
    struct inet_diag_msg message = {.idiag_family = v6 ? AF_INET6 : AF_INET,
                                    .idiag_state = PROC_TCP_LISTEN,
                                    .id.idiag_sport = (uint16_t)(port >> 8 | port << 8),
                                    .idiag_inode = inode};
    uint8_t body[sizeof message + 5] = {0}; /* what stands behind is not ours, and needs padding */

    memcpy(message.id.idiag_src, ip, v6 ? 16 : 4);
    memcpy(body, &message, sizeof message);
    put(d, SOCK_DIAG_BY_FAMILY, 0, SEQ, body, sizeof body);
}

static void put_end(struct datagram *d, uint16_t type, int32_t code)
{
    put(d, type, 0, SEQ, &code, sizeof code);
}

static void rows_are_taken_until_the_kernel_says_done(void **state)
{
    static const uint8_t v4[16] = {127, 0, 0, 1}, v6[16] = {[15] = 1}, any[16] = {0},
                         mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 9};
    static const char *const wanted[] = {"127.0.0.1:8080", "[::1]:80", "[::]:443", "10.0.0.9:258"};
    struct datagram first = {0}, second = {0};
    struct tcp_rows rows = {0};
    struct diag_answer answer = {.seq = SEQ, .rows = &rows};

    (void)state;
    put_row(&first, false, v4, 8080, 11);
    put_row(&first, true, v6, 80, 12);
    put(&first, SOCK_DIAG_BY_FAMILY, 0, SEQ - 1, "", 0); /* of an earlier dump */
    put(&first, NLMSG_NOOP, 0, SEQ, "", 0);
    put_row(&first, true, any, 443, 13);
    put_row(&second, true, mapped, 258, 14); /* a v4-mapped address is v4 */
    put_end(&second, NLMSG_DONE, 0);
    put_row(&second, false, v4, 1, 99); /* behind the end */
    assert_true(diag_parse(first.bytes, first.size, &answer, NULL));
    assert_false(answer.done);
    assert_true(diag_parse(second.bytes, second.size, &answer, NULL));
    assert_true(answer.done);
    assert_false(answer.interrupted);
    assert_int_equal(rows.count, 4);
    for (size_t i = 0; i < rows.count; i++) {
        char text[TCP_ADDR_TEXT];
        assert_string_equal(tcp_addr_format(&rows.list[i].local, text), wanted[i]);
        assert_int_equal(rows.list[i].inode, 11 + i);
        assert_int_equal(rows.list[i].state, PROC_TCP_LISTEN);
    }
    free(rows.list);
}

static void what_the_kernel_refuses_is_told(void **state)
{
    static const struct {
        uint16_t type;
        int32_t code;
        const char *text; /* NULL: all is well */
    } table[] = {{NLMSG_ERROR, -EPERM, "the kernel does not list its sockets: Operation not permitted"},
                 {NLMSG_DONE, -ENOENT, "the kernel does not list its sockets: No such file or directory"},
                 {NLMSG_ERROR, INT32_MIN, "the kernel does not list its sockets: Input/output error"},
                 {NLMSG_OVERRUN, 0, "the kernel lost a part of its list of sockets"},
                 {NLMSG_DONE, 0, NULL}};

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct datagram d = {0};
        struct tcp_rows rows = {0};
        struct diag_answer answer = {.seq = SEQ, .rows = &rows};
        struct err err = {""};

        put_end(&d, table[i].type, table[i].code);
        assert_int_equal(diag_parse(d.bytes, d.size, &answer, &err), table[i].text == NULL);
        assert_string_equal(err.text, table[i].text != NULL ? table[i].text : "");
    }
}

static void a_table_that_changed_meanwhile_is_noticed(void **state)
{
    struct datagram d = {0};
    struct tcp_rows rows = {0};
    struct diag_answer answer = {.seq = SEQ, .rows = &rows};
    int32_t code = 0;

    (void)state;
    put(&d, NLMSG_DONE, NLM_F_DUMP_INTR, SEQ, &code, sizeof code);
    assert_true(diag_parse(d.bytes, d.size, &answer, NULL));
    assert_true(answer.interrupted);
}

/* Every prefix, and every length in the first header: refused or read, never beyond the end (asan looks on). */
static void a_cut_answer_is_refused(void **state)
{
    static const uint8_t v4[16] = {127, 0, 0, 1};
    struct datagram whole = {0};
    size_t first;

    (void)state;
    put_row(&whole, false, v4, 80, 1);
    first = whole.size;
    put_end(&whole, NLMSG_DONE, 0);
    for (size_t size = 1; size < whole.size; size++) {
        uint8_t *bytes = malloc(size);
        struct tcp_rows rows = {0};
        struct diag_answer answer = {.seq = SEQ, .rows = &rows};
        bool ok;

        assert_non_null(bytes);
        memcpy(bytes, whole.bytes, size);
        ok = diag_parse(bytes, size, &answer, NULL);
        assert_false(answer.done);
        assert_true(!ok || (size >= first - 3 && size <= first)); /* padding may be left off */
        free(bytes);
        free(rows.list);
    }
    for (uint32_t length = 0; length < 200; length++) {
        struct datagram d = whole;
        struct tcp_rows rows = {0};
        struct diag_answer answer = {.seq = SEQ, .rows = &rows};

        memcpy(d.bytes, &length, sizeof length);
        if (length < sizeof(struct nlmsghdr) + sizeof(struct inet_diag_msg) || length > d.size)
            assert_false(diag_parse(d.bytes, d.size, &answer, NULL));
        else
            (void)diag_parse(d.bytes, d.size, &answer, NULL);
        free(rows.list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_taken_until_the_kernel_says_done),
        cmocka_unit_test(what_the_kernel_refuses_is_told),
        cmocka_unit_test(a_table_that_changed_meanwhile_is_noticed),
        cmocka_unit_test(a_cut_answer_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
