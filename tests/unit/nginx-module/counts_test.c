/* counts_test.c - what is added, averaged and timed of a peer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "deploy/nginx-module/counts.h"

static uint64_t average_of(uint64_t word)
{
    uint64_t ms = 0;

    assert_true(average_read(word, &ms));
    return ms;
}

static void an_average_begins_with_the_first_time_and_follows_the_later_ones(void **state)
{
    uint64_t word = 0, ms;

    (void)state;
    assert_false(average_read(word, &ms));
    average_add(&word, 0);
    assert_int_equal(average_of(word), 0);
    word = 0;
    average_add(&word, 800);
    assert_int_equal(average_of(word), 800);
    average_add(&word, 0);
    assert_int_equal(average_of(word), 700);
    for (int i = 0; i < 100; i++)
        average_add(&word, 40);
    assert_int_equal(average_of(word), 40);
    for (int i = 0; i < 200; i++)
        average_add(&word, 3600000);
    assert_int_equal(average_of(word), 3600000);
}

static void an_outage_lasts_until_it_is_over_or_has_run_out(void **state)
{
    struct outage o = {0};

    (void)state;
    assert_false(outage_lasts(&o, 1000));
    outage_try(&o, 1000, 9000); /* not given up on */
    assert_int_equal(outage_total_ms(&o, 2000), 0);
    outage_fail(&o, 1000, 77, 3000);
    assert_true(outage_lasts(&o, 2999));
    assert_int_equal(outage_total_ms(&o, 1500), 500);
    assert_false(outage_lasts(&o, 3000));
    assert_int_equal(outage_total_ms(&o, 9999), 2000);
    outage_end(&o, 9999);
    assert_int_equal(outage_total_ms(&o, 12000), 2000);
    assert_int_equal(o.times, 1);
    outage_fail(&o, 20000, 99, 22000);
    outage_end(&o, 20400);
    assert_int_equal(outage_total_ms(&o, 30000), 2400);
    assert_int_equal(o.times, 2);
}

static void a_try_in_vain_prolongs_the_same_outage(void **state)
{
    struct outage o = {0};

    (void)state;
    outage_fail(&o, 1000, 77, 3000);
    outage_try(&o, 5000, 7000); /* 2 s after it had run out */
    assert_int_equal(outage_total_ms(&o, 5500), 2500);
    outage_fail(&o, 5100, 88, 7100);
    assert_int_equal(outage_total_ms(&o, 9000), 4100);
    outage_fail(&o, 7000, 99, 9000); /* before it had */
    assert_int_equal(outage_total_ms(&o, 9000), 6000);
    assert_int_equal(o.times, 1);
    assert_int_equal(o.start_ms, 77);
}

static void codes_are_found_again_and_a_reset_leaves_them_empty(void **state)
{
    struct counts counts = {0};
    struct counts_code codes[] = {{.status = 200}, {.status = 404}, {.status = 777}};

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_null(counts_code_find(&counts, codes[i].status));
        counts_code_append(&counts, &codes[i]);
        codes[i].n = 5;
    }
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(counts_code_find(&counts, codes[i].status), &codes[i]);
    counts_selected(&counts, 12);
    counts_reset(&counts);
    assert_int_equal(counts.selections, 0);
    assert_ptr_equal(counts_code_find(&counts, 777), &codes[2]);
    assert_int_equal(codes[1].n, 0);
    assert_int_equal(counts_class(99), 0);
    assert_int_equal(counts_class(100), 1);
    assert_int_equal(counts_class(599), 5);
    assert_int_equal(counts_class(600), 0);
}

#define WRITERS 4
#define ROUNDS  2000000

static void many_processes_lose_nothing(void **state)
{
    struct counts *counts = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const struct attempt attempt = {.sent_bytes = 3, .received_bytes = 5, .time_ms = {-1, 7, 9}};
    int status, start[2];
    char byte;

    (void)state;
    assert_true(counts != MAP_FAILED);
    assert_int_equal(pipe(start), 0);
    for (int i = 0; i < WRITERS; i++) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
            (void)close(start[1]);
            if (read(start[0], &byte, 1) != 0)
                _exit(1); /* all begin at the same time */
            for (int k = 0; k < ROUNDS; k++) {
                counts_selected(counts, 1);
                counts_ended(counts, &attempt, k % 2 == 0);
            }
            _exit(0);
        }
    }
    (void)close(start[0]);
    (void)close(start[1]);
    for (int i = 0; i < WRITERS; i++)
        assert_true(wait(&status) > 0 && status == 0);
    assert_int_equal(counts->selections, WRITERS * ROUNDS);
    assert_int_equal(counts->sent_bytes, 3 * WRITERS * ROUNDS);
    assert_int_equal(counts->received_bytes, 5 * WRITERS * ROUNDS);
    assert_int_equal(counts->fails, WRITERS * ROUNDS / 2);
    assert_int_equal(average_of(counts->averages[COUNTS_FIRST]), 7);
    assert_int_equal(average_of(counts->averages[COUNTS_RESPONSE]), 9);
    assert_int_equal(counts->averages[COUNTS_CONNECT], 0);
    (void)munmap(counts, sizeof *counts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_average_begins_with_the_first_time_and_follows_the_later_ones),
        cmocka_unit_test(an_outage_lasts_until_it_is_over_or_has_run_out),
        cmocka_unit_test(a_try_in_vain_prolongs_the_same_outage),
        cmocka_unit_test(codes_are_found_again_and_a_reset_leaves_them_empty),
        cmocka_unit_test(many_processes_lose_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
