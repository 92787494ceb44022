#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "demo-server/handover_channel.h"
#include "demo-server/handover_older.h"

static void a_name_is_found_whole_in_a_list(void **state)
{
    (void)state;
    assert_true(handover_channel_names("a0:a1:a2", "a0"));
    assert_true(handover_channel_names("a0:a1:a2", "a2"));
    assert_true(handover_channel_names("a0", "a0"));
    assert_false(handover_channel_names("a0:a1", "a"));
    assert_false(handover_channel_names("a0:a1", "a11"));
    assert_false(handover_channel_names("", "a0"));
    assert_false(handover_channel_names(":", ""));
}

static void a_descriptor_arrives_with_its_name_and_the_end_is_seen(void **state)
{
    char name[HANDOVER_NAME_MAX], byte = 0;
    int ends[2], pipe_ends[2], fd;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    assert_int_equal(pipe(pipe_ends), 0);
    assert_int_equal(handover_channel_receive(ends[1], name, &fd), HANDOVER_CHANNEL_LATER);
    assert_int_equal(handover_channel_send(ends[0], "a1", pipe_ends[1]), HANDOVER_CHANNEL_DONE);
    (void)close(pipe_ends[1]);
    assert_int_equal(handover_channel_receive(ends[1], name, &fd), HANDOVER_CHANNEL_DONE);
    assert_string_equal(name, "a1");
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(read(pipe_ends[0], &byte, 1), 1);
    assert_int_equal(byte, 'x');
    (void)close(fd);
    (void)close(ends[0]);
    assert_int_equal(handover_channel_receive(ends[1], name, &fd), HANDOVER_CHANNEL_END);
    (void)close(ends[1]);
    (void)close(pipe_ends[0]);
}

static unsigned adopted;

static void adopt(void *ctx, const char *listener, int fd)
{
    (void)ctx;
    assert_string_equal(listener, "a0");
    (void)close(fd);
    adopted++;
}

static void what_an_older_process_sent_before_the_close_is_taken(void **state)
{
    struct handover_older older = {.count = 0};
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    handover_older_add(&older, ends[1]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(handover_channel_send(ends[0], "a0", STDIN_FILENO), HANDOVER_CHANNEL_DONE);
    handover_older_look(&older, adopt, NULL);
    assert_int_equal(adopted, 3);
    assert_int_equal(older.count, 1);
    assert_int_equal(handover_channel_send(ends[0], "a0", STDIN_FILENO), HANDOVER_CHANNEL_DONE);
    handover_older_close(&older, adopt, NULL);
    assert_int_equal(adopted, 4);
    assert_int_equal(older.count, 0);
    assert_int_equal(handover_channel_send(ends[0], "a0", STDIN_FILENO), HANDOVER_CHANNEL_END);
    (void)close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_found_whole_in_a_list),
        cmocka_unit_test(a_descriptor_arrives_with_its_name_and_the_end_is_seen),
        cmocka_unit_test(what_an_older_process_sent_before_the_close_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
