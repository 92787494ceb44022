#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/mem.h"
#include "controller/runner.h"

#define LIMIT_MS 20000 /* of a test's wait for anything */

struct heard {
    char text[65536]; /* all lines */
    unsigned n;       /* of them */
    unsigned ends;
    enum runner_end end;
    char how[512];
    uint64_t tag;
};

struct fix {
    struct runner *runner;
    struct heard heard;
};

static int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void said(void *ctx, uint64_t tag, const char *line)
{
    struct heard *h = ctx;
    size_t used = strlen(h->text);

    assert_int_equal(h->ends, 0);
    h->tag = tag;
    h->n++;
    (void)snprintf(h->text + used, sizeof h->text - used, "%s\n", line);
}

static void ended(void *ctx, uint64_t tag, enum runner_end end, const char *text)
{
    struct heard *h = ctx;

    h->tag = tag;
    h->ends++;
    h->end = end;
    (void)snprintf(h->how, sizeof h->how, "%s", text);
}

static int set_up(void **state)
{
    struct fix *f = mem_zero(1, sizeof *f);
    const struct runner_news news = {&f->heard, said, ended};

    f->runner = runner_open(&news, NULL);
    *state = f;
    return f->runner == NULL;
}

/* Nobody is left, and nobody is a zombie. */
static int tear_down(void **state)
{
    struct fix *f = *state;

    runner_close(&f->runner);
    free(f);
    return waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD;
}

static void start(struct fix *f, const char *command, const char *input, uint32_t limit_ms)
{
    char *env[] = {(char[]){"PATH=/usr/bin:/bin"}, (char[]){"FACT=a b"}, NULL};
    const struct runner_order order = {
        .command = command, .env = env, .input = input, .input_bytes = strlen(input), .limit_ms = limit_ms, .tag = 7};

    f->heard = (struct heard){.tag = 99};
    runner_start(f->runner, &order);
}

/* Returns whether `until` holds within the limit. */
static bool move_until(struct fix *f, bool (*until)(const struct heard *))
{
    int64_t over_ms = now_ms() + LIMIT_MS;

    while (!until(&f->heard) && now_ms() < over_ms) {
        struct pollfd p = {.fd = runner_fd(f->runner), .events = POLLIN};

        (void)poll(&p, 1, 1000);
        runner_move(f->runner);
    }
    return until(&f->heard);
}

static bool is_over(const struct heard *h)
{
    return h->ends > 0;
}

static bool has_a_line(const struct heard *h)
{
    return h->n > 0;
}

static void run(struct fix *f, const char *command, const char *input)
{
    start(f, command, input, LIMIT_MS);
    assert_true(move_until(f, is_over));
    assert_int_equal(f->heard.ends, 1);
    assert_int_equal(f->heard.tag, 7);
}

static void expect(const struct fix *f, enum runner_end end, const char *how, const char *text)
{
    assert_string_equal(f->heard.how, how);
    assert_int_equal(f->heard.end, end);
    assert_string_equal(f->heard.text, text);
}

static void exit_code_0_is_well(void **state)
{
    run(*state, "echo one; echo two >&2", "");
    expect(*state, RUNNER_WELL, "", "one\ntwo\n");
}

static void any_other_end_fails_with_its_last_words(void **state)
{
    run(*state, "echo first; echo; printf 'no such host'; exit 3", "");
    expect(*state, RUNNER_FAILED, "exit code 3: no such host", "first\nno such host\n");
    run(*state, "kill -SEGV $$", "");
    expect(*state, RUNNER_FAILED, "killed by SIGSEGV", "");
}

static void it_gets_input_and_environment_and_nothing_else(void **state)
{
    int kept = open("/dev/null", O_RDONLY); /* not CLOEXEC, as if somebody had forgotten it */

    (void)signal(SIGPIPE, SIG_IGN);
    run(*state,
        "cat; env | grep -v '^PWD=\\|^_=\\|^OLDPWD=\\|^SHLVL=' | sort; echo fds $(ls /proc/self/fd | tr '\\n' ' ');"
        " echo ignored $((0x$(sed -n s/SigIgn:.//p /proc/self/status) & 0x7fffffff)); grep SigBlk /proc/self/status; "
        "ps -o tty= -p $$",
        "{\"node\":\"web1\"}\n");
    (void)signal(SIGPIPE, SIG_DFL);
    (void)close(kept);
    expect(*state, RUNNER_WELL, "",
           "{\"node\":\"web1\"}\nFACT=a b\nPATH=/usr/bin:/bin\nfds 0 1 2 3\nignored 0\n"
           "SigBlk: 0000000000000000\n?\n");
}

static void input_that_nobody_reads_stops_nothing(void **state)
{
    char *much = mem_zero(5000001, 1);

    memset(much, 'x', 5000000);
    run(*state, "true", much);
    expect(*state, RUNNER_WELL, "", "");
    run(*state, "wc -c", much);
    expect(*state, RUNNER_WELL, "", "5000000\n");
    free(much);
}

static bool lives(pid_t pid)
{
    return kill(pid, 0) == 0;
}

/* It ends by itself, soon: init reaps it. */
static void expect_gone(pid_t pid)
{
    int64_t over_ms = now_ms() + LIMIT_MS;

    while (lives(pid) && now_ms() < over_ms)
        (void)poll(NULL, 0, 5);
    assert_false(lives(pid));
}

/* One that has come so far as to name a process of its group when its limit is over: where the machine is so busy that
 * it has not, it gets longer. Returns when the limit was over. */
static int64_t outlive(struct fix *f, const char *command)
{
    for (uint32_t limit_ms = 100; limit_ms < LIMIT_MS; limit_ms *= 4) {
        int64_t began_ms = now_ms();

        start(f, command, "", limit_ms);
        assert_true(move_until(f, is_over));
        if (has_a_line(&f->heard))
            return began_ms + limit_ms;
    }
    fail_msg("it says nothing within %d ms", LIMIT_MS);
    return 0;
}

static void at_its_limit_the_whole_group_is_ended(void **state)
{
    struct fix *f = *state;
    int64_t late_ms = outlive(f, "sleep 1000 & echo $!; wait");

    assert_int_equal(f->heard.end, RUNNER_LATE);
    assert_int_equal(strncmp(f->heard.how, "it did not end in time: ", 24), 0);
    assert_true(now_ms() - late_ms < RUNNER_KILL_MS); /* SIGTERM was enough */
    expect_gone(atoi(f->heard.text));
}

static void who_ignores_sigterm_is_killed(void **state)
{
    struct fix *f = *state;

    (void)outlive(f, "trap '' TERM; (trap '' TERM; while :; do sleep 1000; done) & echo $!; wait; wait; wait");
    assert_int_equal(f->heard.end, RUNNER_LATE);
    expect_gone(atoi(f->heard.text));
}

static void a_success_that_comes_too_late_is_none(void **state)
{
    struct fix *f = *state;

    start(f, "trap 'exit 0' TERM; while :; do sleep 0.01; done", "", 100);
    assert_true(move_until(f, is_over));
    assert_int_equal(f->heard.end, RUNNER_LATE);
}

static void who_keeps_its_output_open_holds_nobody_up(void **state)
{
    struct fix *f = *state;
    int64_t began_ms = now_ms();
    pid_t left;

    run(f, "sleep 1000 & echo $!", "");
    assert_int_equal(f->heard.end, RUNNER_WELL);
    assert_true(now_ms() - began_ms < LIMIT_MS / 2);
    left = atoi(f->heard.text);
    assert_true(lives(left)); /* what it leaves behind on purpose is its own affair */
    (void)kill(left, SIGKILL);
}

static void a_flood_is_read_and_not_told(void **state)
{
    struct fix *f = *state;

    run(f, "seq 1 2000000; exit 4", "");
    assert_int_equal(f->heard.end, RUNNER_FAILED);
    assert_int_equal(f->heard.n, RUNNER_LINES + 1);
    assert_string_equal(f->heard.how, "exit code 4: 2000000");
    assert_non_null(strstr(f->heard.text, "\n50\n(and 1999950 more lines)\n"));
    start(f, "yes", "", 200);
    assert_true(move_until(f, is_over));
    assert_int_equal(f->heard.end, RUNNER_LATE);
}

static void what_it_says_moves_no_cursor(void **state)
{
    char line[400], *long_line;

    run(*state, "printf '\\033[2J\\007red\\r\\nb\\tc \\303\\244 \\302\\233x\\n\\377\\303\\244\\n'", "");
    expect(*state, RUNNER_WELL, "", " [2J red\nb c \303\244 ??x\n?\303\244\n");
    (void)memset(line, 'x', sizeof line);
    line[RUNNER_LINE - 3] = '\0';
    long_line = mem_format("%s...\n", line);
    run(*state, "head -c 100000 /dev/zero | tr '\\0' x", "");
    expect(*state, RUNNER_WELL, "", long_line);
    free(long_line);
}

static void what_is_cut_ends_now(void **state)
{
    struct fix *f = *state;

    start(f, "echo here; sleep 1000", "", LIMIT_MS);
    assert_true(move_until(f, has_a_line));
    runner_cut(f->runner, 8); /* somebody else's */
    runner_cut(f->runner, 7);
    assert_true(move_until(f, is_over));
    expect(f, RUNNER_CUT, "it was cut short: here", "here\n");
}

static void what_cannot_be_started_has_failed(void **state)
{
    char *much = mem_zero(300001, 1);

    memset(much, ' ', 300000);
    run(*state, much, "");
    expect(*state, RUNNER_FAILED, "it could not be started: Argument list too long", "");
    free(much);
}

static void a_close_ends_all_that_is_left(void **state)
{
    struct fix *f = *state;
    int64_t began_ms;
    pid_t pid;

    start(f, "trap '' TERM; echo $$; while :; do sleep 1000; done", "", LIMIT_MS);
    assert_true(move_until(f, has_a_line));
    pid = atoi(f->heard.text);
    began_ms = now_ms();
    runner_close(&f->runner);
    assert_false(lives(pid));
    assert_true(now_ms() - began_ms < 2000);
    assert_int_equal(f->heard.ends, 0);
}

int main(void)
{
#define RUNNER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        RUNNER_TEST(exit_code_0_is_well),
        RUNNER_TEST(any_other_end_fails_with_its_last_words),
        RUNNER_TEST(it_gets_input_and_environment_and_nothing_else),
        RUNNER_TEST(input_that_nobody_reads_stops_nothing),
        RUNNER_TEST(at_its_limit_the_whole_group_is_ended),
        RUNNER_TEST(who_ignores_sigterm_is_killed),
        RUNNER_TEST(a_success_that_comes_too_late_is_none),
        RUNNER_TEST(who_keeps_its_output_open_holds_nobody_up),
        RUNNER_TEST(a_flood_is_read_and_not_told),
        RUNNER_TEST(what_it_says_moves_no_cursor),
        RUNNER_TEST(what_is_cut_ends_now),
        RUNNER_TEST(what_cannot_be_started_has_failed),
        RUNNER_TEST(a_close_ends_all_that_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
