#include "agent/server_internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void take(const char *text, unsigned char from[16])
{
    struct sockaddr_storage addr = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&addr;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&addr;
    bool is_v6 = strchr(text, ':') != NULL;

    addr.ss_family = is_v6 ? AF_INET6 : AF_INET;
    assert_int_equal(inet_pton(addr.ss_family, text, is_v6 ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr), 1);
    server_take_address(&addr, from);
}

static void one_machine_is_one_stranger_whatever_its_addresses(void **state)
{
    static const struct {
        const char *one, *other;
        bool same;
    } rows[] = {
        {"10.0.0.1", "10.0.0.1", true},
        {"10.0.0.1", "10.0.0.2", false},
        {"2001:db8::1", "2001:db8::ffff:2", true},
        {"2001:db8::1", "2001:db8:0:1::1", false},
        {"::ffff:10.0.0.1", "::ffff:10.0.0.2", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned char one[16], other[16];

        take(rows[i].one, one);
        take(rows[i].other, other);
        if ((memcmp(one, other, sizeof one) == 0) != rows[i].same)
            fail_msg("%s and %s", rows[i].one, rows[i].other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_machine_is_one_stranger_whatever_its_addresses)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
