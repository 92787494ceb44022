#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
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
    assert_true(handover_channel_names("=48:a0:a1", "a0"));
}

static void a_list_may_begin_with_how_many_are_taken(void **state)
{
    (void)state;
    assert_int_equal(handover_channel_room("=48:a0:a1"), 48);
    assert_int_equal(handover_channel_room("=0:a0"), 0);
    assert_int_equal(handover_channel_room("=7"), 7);
    assert_true(handover_channel_room("a0:a1") == SIZE_MAX); /* an older release's */
    assert_true(handover_channel_room("") == SIZE_MAX);
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

static void what_was_sent_is_there_although_its_sender_ended_without_reading(void **state)
{
    char name[HANDOVER_NAME_MAX];
    int ends[2], fd;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    assert_int_equal(handover_channel_send(ends[0], "a1", STDIN_FILENO), HANDOVER_CHANNEL_DONE);
    assert_int_equal(send(ends[1], "=1", 2, 0), 2);
    (void)close(ends[0]);
    assert_int_equal(handover_channel_receive(ends[1], name, &fd), HANDOVER_CHANNEL_DONE);
    assert_string_equal(name, "a1");
    (void)close(fd);
    assert_int_equal(handover_channel_receive(ends[1], name, &fd), HANDOVER_CHANNEL_END);
    (void)close(ends[1]);
}

static void what_there_is_no_place_for_stays_in_the_channel(void **state)
{
    char name[HANDOVER_NAME_MAX];
    struct rlimit before, now;
    int ends[2], fd;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    assert_int_equal(handover_channel_send(ends[0], "a1", STDIN_FILENO), HANDOVER_CHANNEL_DONE);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    fd = dup(STDIN_FILENO); /* the lowest that is free */
    assert_true(fd >= 0);
    (void)close(fd);
    now = (struct rlimit){.rlim_cur = (rlim_t)fd, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    assert_int_equal(handover_channel_receive(ends[1], name, &fd), HANDOVER_CHANNEL_LATER);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(handover_channel_receive(ends[1], name, &fd), HANDOVER_CHANNEL_DONE);
    assert_true(fd >= 0);
    (void)close(fd);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static unsigned adopted;

static bool adopt(void *ctx, const char *listener, int fd)
{
    (void)ctx;
    assert_string_equal(listener, "a0");
    (void)close(fd);
    return ++adopted != 4;
}

static void assert_answer(int fd, const char *expected)
{
    char text[16] = "";

    assert_true(recv(fd, text, sizeof text - 1, MSG_DONTWAIT) > 0);
    assert_string_equal(text, expected);
}

static void what_an_older_process_sent_before_the_close_is_taken(void **state)
{
    struct handover_older older = {.epoll_fd = -1};
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    handover_older_add(&older, ends[1]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(handover_channel_send(ends[0], "a0", STDIN_FILENO), HANDOVER_CHANNEL_DONE);
    handover_older_look(&older, adopt, NULL);
    assert_int_equal(adopted, 3);
    assert_int_equal(older.count, 1);
    assert_answer(ends[0], "=3"); /* one more for each */
    handover_older_look(&older, adopt, NULL);
    assert_int_equal(recv(ends[0], &(char){0}, 1, MSG_DONTWAIT), -1);
    for (int i = 0; i < 2; i++) /* for the fourth there was no proper place */
        assert_int_equal(handover_channel_send(ends[0], "a0", STDIN_FILENO), HANDOVER_CHANNEL_DONE);
    handover_older_look(&older, adopt, NULL);
    assert_answer(ends[0], "=1");
    assert_answer(ends[0], "=0");
    assert_int_equal(handover_channel_send(ends[0], "a0", STDIN_FILENO), HANDOVER_CHANNEL_DONE);
    handover_older_close(&older, adopt, NULL);
    assert_int_equal(adopted, 6);
    assert_int_equal(older.count, 0);
    assert_int_equal(handover_channel_send(ends[0], "a0", STDIN_FILENO), HANDOVER_CHANNEL_END);
    (void)close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_may_begin_with_how_many_are_taken),
        cmocka_unit_test(a_name_is_found_whole_in_a_list),
        cmocka_unit_test(a_descriptor_arrives_with_its_name_and_the_end_is_seen),
        cmocka_unit_test(what_was_sent_is_there_although_its_sender_ended_without_reading),
        cmocka_unit_test(what_there_is_no_place_for_stays_in_the_channel),
        cmocka_unit_test(what_an_older_process_sent_before_the_close_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
