/* rollout_hosts_case.c - a hosts file or a flag with an error: file, line, what is wrong, exit 78 or 64, and nobody is
 * contacted. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/stage/rollout.h"
#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 10000
#define LINE_BYTES   (1024 * 1024)

/* Every URL of the hosts files leads here. */
struct trap {
    struct stage *stage;
    int fd;
    const char *url; /* "http://127.0.0.1:PORT" */
};

static void close_fd(void *fd)
{
    (void)close((int)(intptr_t)fd);
}

static struct trap trap_open(struct stage *s)
{
    uint16_t port = stage_port(s);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct trap t = {s, socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
                     stage_text(s, "http://127.0.0.1:%u", port)};

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (t.fd < 0 || setsockopt(t.fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) != 0 ||
        bind(t.fd, (const struct sockaddr *)&at, sizeof at) != 0 || listen(t.fd, 16) != 0)
        stage_fail(s, "cannot listen on port %u: %s", port, strerror(errno));
    (void)stage_keep(s, (void *)(intptr_t)t.fd, close_fd);
    return t;
}

static bool is_untouched(const struct trap *t)
{
    int fd = accept4(t->fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0)
        (void)close(fd);
    return fd < 0 && errno == EAGAIN;
}

/* Lines 1 to 5, without an error; what a row adds begins on line 6. */
static const char *good_lines(const struct trap *t)
{
    return stage_text(t->stage, "[lb]\nlb1 rollout_api=%s/api\n[all:vars]\nrollout_service=app\nrollout_agent=%s\n",
                      t->url, t->url);
}

static const char *write_bytes(struct stage *s, const char *name, const char *bytes, size_t size)
{
    const char *path = stage_text(s, "%s/%s", s->dir, name);
    FILE *f = fopen(path, "we");

    if (f == NULL || fwrite(bytes, 1, size, f) != size || fclose(f) != 0)
        stage_fail(s, "cannot write %s", path);
    return path;
}

/* `rollout COMMAND --hosts PATH ARGS`: another exit code, a text that it does not say, or a connection fails the test.
 */
static void expect_refusal(const struct trap *t, const char *path, const char *const *args, int exit_code,
                           const char *const *texts)
{
    static const char *const commands[] = {"roll", "plan", "repair"};

    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const char *argv[16] = {commands[i], "--hosts", path};

        for (size_t k = 0; args != NULL && args[k] != NULL; k++)
            argv[k + 3] = args[k];
        stage_rollout_expect(t->stage, stage_rollout(t->stage, RUN_LIMIT_MS, argv), exit_code, texts);
        assert_true(is_untouched(t));
    }
}

static void a_line_that_is_wrong_is_named_and_nobody_is_contacted(struct stage *s)
{
    static const struct {
        const char *lines; /* from line 6 on */
        const char *line;  /* ":N:" */
        const char *text;
    } rows[] = {
        {"[web]\nweb1 rollout_servise=app\n", ":7:", "did you mean rollout_service"},
        {"[web]\nweb1\n[web:vars]\nrollout_drain_timeot=1s\n", ":9:", "did you mean rollout_drain_timeout"},
        {"[web]\nweb1 rollout_zone=a\nweb1\n", ":8:", "duplicate host: web1"},
        {"[web]\nweb[1:3]\nweb2\n", ":8:", "duplicate host: web2"},
        {"[web]\nweb[5:2]\n", ":7:", "[5:2] runs backwards"},
        {"[web]\nweb[1:\n", ":7:", "web[1:"},
        {"[web]\nweb[1:99999999]\n", ":7:", "web[1:99999999]"},
        {"[web]\nweb1\n[web:vars]\nrollout_drain_timeout=soon\n", ":9:", "soon"},
        {"[web]\nweb1\n[web:vars]\nrollout_batch=0\n", ":9:", "rollout_batch"},
        {"[web]\nweb1 rollout_zone\n", ":7:", "rollout_zone"},
        {"[web:children]\nnowhere\n", ":7:", "nowhere"},
        {"[web\nweb1\n", ":6:", "[web"},
        {"[web]\nweb1 rollout_agent=ftp://web1\n", ":7:", "ftp://web1"},
        {"[web]\nwe b1\n", ":7:", "b1"},
    };
    struct trap t = trap_open(s);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *path =
            stage_write(s, stage_text(s, "hosts-%zu", i), stage_text(s, "%s%s", good_lines(&t), rows[i].lines));

        expect_refusal(&t, path, NULL, 78, STAGE_SAYS(stage_text(s, "%s%s", path, rows[i].line), rows[i].text));
    }
}

static void a_nul_byte_is_named_with_its_line(struct stage *s)
{
    struct trap t = trap_open(s);
    const char *good = good_lines(&t);
    size_t size = strlen(good);
    char *bytes = stage_alloc(s, size + 64);

    memcpy(bytes, good, size);
    memcpy(bytes + size, "[web]\nweb1\0web2\n", 16);
    const char *path = write_bytes(s, "hosts", bytes, size + 16);
    expect_refusal(&t, path, NULL, 78, STAGE_SAYS(stage_text(s, "%s:7:", path), "NUL"));
}

static void a_line_of_a_megabyte_is_named_not_read(struct stage *s)
{
    struct trap t = trap_open(s);
    const char *good = good_lines(&t);
    size_t size = strlen(good);
    char *bytes = stage_alloc(s, size + LINE_BYTES);

    memcpy(bytes, good, size);
    memset(bytes + size, 'x', LINE_BYTES);
    const char *path = write_bytes(s, "hosts", bytes, size + LINE_BYTES);
    expect_refusal(&t, path, NULL, 78, STAGE_SAYS(stage_text(s, "%s:6:", path)));
}

static void a_file_that_cannot_be_read_is_named(struct stage *s)
{
    struct trap t = trap_open(s);

    expect_refusal(&t, stage_text(s, "%s/nowhere", s->dir), NULL, 78, STAGE_SAYS("/nowhere", "No such file"));
    expect_refusal(&t, s->dir, NULL, 78, STAGE_SAYS(s->dir));
    expect_refusal(&t, stage_write(s, "empty", ""), NULL, 78, STAGE_SAYS("/empty"));
}

static void a_fleet_without_load_balancer_node_or_service_is_refused(struct stage *s)
{
    struct trap t = trap_open(s);

    expect_refusal(&t, stage_write(s, "no-lb", "[web]\nweb1 rollout_service=app\n"), NULL, 78,
                   STAGE_SAYS("/no-lb", "no load balancer"));
    expect_refusal(&t, stage_write(s, "no-node", good_lines(&t)), NULL, 78, STAGE_SAYS("/no-node", "node"));
    expect_refusal(
        &t,
        stage_write(s, "no-service", stage_text(s, "lb1 rollout_api=%s/api\nweb1 rollout_agent=%s\n", t.url, t.url)),
        NULL, 78, STAGE_SAYS("/no-service", "rollout_service"));
}

static void what_the_flags_name_must_be_there(struct stage *s)
{
    struct trap t = trap_open(s);
    const char *path = stage_write(s, "hosts", stage_text(s, "%s[web]\nweb1\n", good_lines(&t)));

    expect_refusal(&t, path, (const char *const[]){"--limit", "web9", NULL}, 78, STAGE_SAYS("--limit", "web9"));
    expect_refusal(&t, path, (const char *const[]){"--cert", "nowhere.pem", "--key", "nowhere.key", NULL}, 78,
                   STAGE_SAYS("nowhere.pem"));
    expect_refusal(&t, path, (const char *const[]){"--cacert", "nowhere.pem", NULL}, 78, STAGE_SAYS("nowhere.pem"));
}

static void a_flag_that_is_wrong_ends_with_64(struct stage *s)
{
    struct trap t = trap_open(s);
    const char *path = stage_write(s, "hosts", stage_text(s, "%s[web]\nweb1\n", good_lines(&t)));

    expect_refusal(&t, path, (const char *const[]){"--healthy-deadline", "soon", NULL}, 64,
                   STAGE_SAYS("--healthy-deadline", "soon"));
    expect_refusal(&t, path, (const char *const[]){"--lease-ttl", "1ms", NULL}, 64, STAGE_SAYS("--lease-ttl", "1ms"));
    expect_refusal(&t, path, (const char *const[]){"--success-threshold", "0", NULL}, 64,
                   STAGE_SAYS("--success-threshold", "0"));
    expect_refusal(&t, path, (const char *const[]){"--success-treshold", "2", NULL}, 64,
                   STAGE_SAYS("did you mean --success-threshold"));
    expect_refusal(&t, path, (const char *const[]){"--lease-ttl", NULL}, 64, STAGE_SAYS("--lease-ttl"));
    expect_refusal(&t, path, (const char *const[]){"web1", NULL}, 64, STAGE_SAYS("web1"));
}

static void a_release_that_is_no_file_is_refused(struct stage *s)
{
    struct trap t = trap_open(s);
    const char *path = stage_write(s, "hosts", stage_text(s, "%s[web]\nweb1\n", good_lines(&t)));
    const char *const releases[] = {"nowhere", s->dir, stage_write(s, "empty", "")};

    for (size_t i = 0; i < sizeof releases / sizeof *releases; i++) {
        struct stage_rollout *r =
            stage_rollout(s, RUN_LIMIT_MS, (const char *const[]){"--hosts", path, "--release", releases[i], NULL});

        stage_rollout_expect(s, r, 78, STAGE_SAYS("--release", releases[i]));
        assert_true(is_untouched(&t));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_line_that_is_wrong_is_named_and_nobody_is_contacted),
        stage_test(a_nul_byte_is_named_with_its_line),
        stage_test(a_line_of_a_megabyte_is_named_not_read),
        stage_test(a_file_that_cannot_be_read_is_named),
        stage_test(a_fleet_without_load_balancer_node_or_service_is_refused),
        stage_test(what_the_flags_name_must_be_there),
        stage_test(a_flag_that_is_wrong_ends_with_64),
        stage_test(a_release_that_is_no_file_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
