/* agent_halves_case.c - the two halves of the agent as processes of their own: each may die, and neither believes the
 * other more than it must. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/frame.h"
#include "agent_client.h"
#include "tests/stage/raw.h"

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct stage_agent *halves(struct stage *s, const char *agent_keys, const char *extra)
{
    return stage_agent_start_halves(s, "n1", stage_server_start(s, "n1", "v1"), agent_keys, extra);
}

/* ---- as a network half would speak */

static void close_kept(void *fd)
{
    (void)close((int)(intptr_t)fd);
}

static int helper_connect(struct stage_agent *a)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(to.sun_path, sizeof to.sun_path, "%s", a->socket);
    if (fd < 0 || connect(fd, (const struct sockaddr *)(const void *)&to, sizeof to) != 0)
        stage_fail(a->stage, "cannot connect to %s: %s", a->socket, strerror(errno));
    (void)stage_keep(a->stage, (void *)(intptr_t)fd, close_kept);
    return fd;
}

static void helper_say(struct stage *s, int fd, enum frame_kind kind, uint32_t id, const void *payload, size_t size)
{
    const struct frame frame = {.kind = kind, .id = id, .size = size};
    uint8_t bytes[FRAME_HEADER + FRAME_HEAD_MAX];

    frame_put_header(&frame, bytes);
    if (size > 0)
        memcpy(bytes + FRAME_HEADER, payload, size);
    if (send(fd, bytes, FRAME_HEADER + size, MSG_NOSIGNAL) != (ssize_t)(FRAME_HEADER + size))
        stage_fail(s, "cannot send a frame: %s", strerror(errno));
}

static void helper_hello(struct stage *s, int fd)
{
    uint8_t hello[FRAME_HELLO_SIZE];

    frame_put_hello(hello);
    helper_say(s, fd, FRAME_HELLO, 0, hello, sizeof hello);
}

static void read_all(struct stage *s, int fd, void *to, size_t size)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint8_t *at = to;

    while (size > 0) {
        ssize_t n = poll(&p, 1, (int)stage_limit_ms(s, 10000)) == 1 ? recv(fd, at, size, 0) : -1;
        if (n <= 0)
            stage_fail(s, "the helper half says nothing more");
        at += n;
        size -= (size_t)n;
    }
}

/* One request with the id; the status of its answer. */
static unsigned helper_ask(struct stage *s, int fd, uint32_t id, const char *method, const char *path, const char *body)
{
    const struct frame_head head = {
        .length = strlen(body), .method = method, .path = path, .peer = "", .signature = ""};
    uint8_t bytes[FRAME_HEAD_MAX], *payload;
    struct frame frame;
    struct frame_answer answer;

    helper_say(s, fd, FRAME_HEAD, id, bytes, frame_put_head(&head, bytes));
    if (body[0] != '\0')
        helper_say(s, fd, FRAME_BODY, id, body, strlen(body));
    helper_say(s, fd, FRAME_END, id, NULL, 0);
    for (;;) {
        read_all(s, fd, bytes, FRAME_HEADER);
        if (!frame_get_header(bytes, &frame))
            stage_fail(s, "the helper half sent no frame");
        payload = stage_alloc(s, frame.size + 1);
        read_all(s, fd, payload, frame.size);
        frame.payload = payload;
        if (frame.kind == FRAME_HELLO)
            continue;
        assert_int_equal(frame.id, id);
        assert_true(frame_get_answer(&frame, &answer));
        return answer.status;
    }
}

static bool says_no_more(struct stage *s, int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char bytes[4096];
    ssize_t n = 1;

    while (n > 0 && poll(&p, 1, (int)stage_limit_ms(s, 10000)) == 1)
        n = recv(fd, bytes, sizeof bytes, 0);
    return n == 0 || (n < 0 && errno == ECONNRESET);
}

static bool helper_says(struct stage_agent *a, const char *what)
{
    return strstr(stage_read(a->stage, a->helper->out_path), what) != NULL;
}

/* ---- who may come in */

static void another_user_is_refused_at_the_socket(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "n1", "v1");
    unsigned other = (unsigned)geteuid() + 4711;
    struct stage_agent *a = stage_agent_prepare_halves(s, "n1", v, stage_text(s, "network-user = %u\n", other), NULL);
    int fd;

    stage_agent_helper_again(a);
    stage_agent_await_helper(a);
    fd = helper_connect(a);
    assert_true(says_no_more(s, fd));
    assert_true(helper_says(a, "event=helper_refused"));
    assert_true(helper_says(a, stage_text(s, "only user %u may", other)));
    assert_false(helper_says(a, "event=network_half_came"));
}

static void what_is_no_frame_ends_the_connection_and_nothing_else(struct stage *s)
{
    struct stage_agent *a = halves(s, "", NULL);
    static const char garbage[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    int fd = helper_connect(a);

    assert_int_equal(send(fd, garbage, sizeof garbage - 1, MSG_NOSIGNAL), sizeof garbage - 1);
    assert_true(says_no_more(s, fd));
    fd = helper_connect(a); /* no greeting first */
    helper_say(s, fd, FRAME_END, 1, NULL, 0);
    assert_true(says_no_more(s, fd));
    fd = helper_connect(a); /* an end without a beginning */
    helper_hello(s, fd);
    assert_int_equal(helper_ask(s, fd, 5, "GET", "/v1", ""), 200);
    helper_say(s, fd, FRAME_END, 6, NULL, 0);
    assert_true(says_no_more(s, fd));
    fd = helper_connect(a); /* an id twice */
    helper_hello(s, fd);
    assert_int_equal(helper_ask(s, fd, 5, "GET", "/v1", ""), 200);
    helper_say(s, fd, FRAME_HEAD, 5, "12345678\0a\0b\0c\0d", 16);
    assert_true(says_no_more(s, fd));
    assert_status(stage_agent_http(a, "GET", "/v1", NULL), 200);
}

static void the_helper_half_checks_everything_itself(struct stage *s)
{
    static const struct {
        const char *method, *path, *body;
        unsigned status;
    } rows[] = {
        {"POST", APP "/jobs", "{\"id\":\"r/1\",\"rollout\":\"r\",\"fence\":4,\"action\":\"restart\",\"release\":null}",
         412},
        {"POST", APP "/jobs", "{\"id\":\"q/1\",\"rollout\":\"q\",\"fence\":5,\"action\":\"restart\",\"release\":null}",
         412},
        {"POST", APP "/jobs", "{\"id\":\"r/1\",\"rollout\":\"r\",\"fence\":5,\"action\":\"exec\",\"release\":null}",
         400},
        {"DELETE", APP "/claim", "", 400},
        {"PUT", APP "/releases/../../../etc/passwd", "x", 404},
        {"PUT", APP "/releases/5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9", "x", 422},
        {"PUT", "/v1/services/../x/claim", "{}", 404},
        {"GET", "/v1/services/other", "", 404},
        {"BREW", "/v1", "", 405},
        {"GET", "/etc/passwd", "", 404},
        {"GET", APP, "", 200},
    };
    struct stage_agent *a = halves(s, "", NULL);
    int fd = helper_connect(a);
    pid_t before;

    assert_status(put_claim(a, "r", 5, 0, 600), 200);
    before = (pid_t)stage_json_int(s, get_status(a)->json, "ident.pid");
    helper_hello(s, fd);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned status = helper_ask(s, fd, (uint32_t)i + 1, rows[i].method, rows[i].path, rows[i].body);
        if (status != rows[i].status)
            fail_msg("%u instead of %u: %s %s %s", status, rows[i].status, rows[i].method, rows[i].path, rows[i].body);
    }
    assert_int_equal(stage_json_int(s, get_status(a)->json, "ident.pid"), before);
    assert_true(json_is_null(stage_json(s, get_status(a)->json, "job")));
}

/* ---- one dies */

static void a_job_outlives_the_network_half(struct stage *s)
{
    struct stage_agent *a = halves(s, "", "ready-timeout = 2s\n");
    const char *file = stage_server_variant(s, "hang"), *hex = stage_sha256(s, file);
    struct stage_answer *r;

    assert_status(put_claim(a, "r", 1, 0, 600), 200);
    assert_status(put_release(a, hex, file), 201);
    assert_status(post_job(a, "r/1", "r", 1, "upgrade", hex), 202);
    stage_agent_stop(a, SIGKILL);
    stage_agent_again(a);
    r = wait_job(a, "r/1");
    assert_string_equal(stage_json_string(s, r->json, "code"), "no_successor");
    assert_true(stage_json_bool(s, r->json, "restored"));
    assert_false(helper_says(a, "event=job_interrupted"));
}

static bool is_back(void *ctx)
{
    return stage_agent_http(ctx, "GET", "/v1", NULL)->status == 200;
}

static bool is_away(void *ctx)
{
    struct stage_agent *a = ctx;

    return strstr(stage_read(a->stage, a->proc->out_path), "event=helper_away") != NULL;
}

static void requests_are_refused_while_the_helper_half_is_away(struct stage *s)
{
    struct stage_agent *a = halves(s, "", "ready-timeout = 15s\n");
    const char *file = stage_server_variant(s, "hang"), *hex = stage_sha256(s, file);
    int waits = stage_raw_open(s, a->port), sends = stage_raw_open(s, a->port);

    assert_status(put_claim(a, "r", 1, 0, 600), 200);
    assert_status(put_release(a, hex, file), 201);
    assert_status(post_job(a, "r/1", "r", 1, "upgrade", hex), 202);
    stage_raw_send(s, sends, "PUT " APP "/claim HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n{");
    stage_raw_send(s, waits, "GET " APP "/jobs/r/1?wait=25s HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_status(stage_agent_http(a, "GET", "/v1", NULL), 200); /* both are known by now */
    stage_proc_stop(s, a->helper, SIGKILL, 10000);
    assert_non_null(strstr(stage_raw_answer(s, waits, 10000), "HTTP/1.1 503"));
    stage_raw_send(s, sends, "}\n");
    assert_non_null(strstr(stage_raw_answer(s, sends, 10000), "HTTP/1.1 503"));
    stage_wait_until(s, is_away, a, 10000, "the network half to notice");
    assert_refused(stage_agent_http(a, "GET", "/v1", NULL), 503, "unavailable");
    assert_refused(put_release(a, hex, file), 503, "unavailable");
    stage_agent_helper_again(a);
    stage_wait_until(s, is_back, a, 10000, "the helper half to be found again");
    assert_string_equal(stage_json_string(s, wait_job(a, "r/1")->json, "code"), "interrupted");
}

static pid_t child_of(struct stage *s, pid_t parent)
{
    struct stage_kin kin[STAGE_KIN_MAX];
    unsigned count = stage_kin(s, kin, STAGE_KIN_MAX);

    for (unsigned i = 0; i < count; i++) {
        if (kin[i].ppid == parent && !kin[i].zombie)
            return kin[i].pid;
    }
    stage_fail(s, "process %d has no child", parent);
}

static void where_one_start_is_both_neither_outlives_the_other(struct stage *s)
{
    struct stage_agent *a = stage_agent_start(s, "n1", stage_server_start(s, "n1", "v1"), true, NULL);
    pid_t helper = child_of(s, a->proc->pid);

    stage_proc_signal(s, a->proc, SIGCONT); /* harmless; how it ends from now on is no problem */
    assert_int_equal(kill(helper, SIGKILL), 0);
    assert_int_equal(stage_proc_wait(s, a->proc, 10000), 1);
    assert_non_null(strstr(stage_read(s, a->proc->out_path), "was ended by SIGKILL"));
    stage_agent_again(a);
    helper = child_of(s, a->proc->pid);
    stage_agent_stop(a, SIGKILL); /* waits for all descendants */
    assert_int_equal(kill(helper, 0), -1);
}

static void either_half_ends_in_order_without_the_other(struct stage *s)
{
    struct stage_agent *a = halves(s, "", NULL);

    stage_proc_signal(s, a->proc, SIGTERM);
    assert_int_equal(stage_proc_wait(s, a->proc, 10000), 0);
    stage_agent_again(a);
    stage_proc_signal(s, a->helper, SIGTERM);
    assert_int_equal(stage_proc_wait(s, a->helper, 10000), 0);
    stage_proc_signal(s, a->proc, SIGTERM);
    assert_int_equal(stage_proc_wait(s, a->proc, 10000), 0);
}

/* ---- what flows */

static unsigned resident_kb(struct stage *s, pid_t pid)
{
    const char *at = strstr(stage_read(s, stage_text(s, "/proc/%d/status", pid)), "VmRSS:");

    return at != NULL ? (unsigned)strtoul(at + 6, NULL, 10) : 0;
}

struct upload {
    int fd;
    size_t sent, size;
};

/* Sends what goes without waiting; true when it has not gone on for a while, or all is sent. */
static bool is_stuck(void *ctx)
{
    static char block[64 * 1024];
    struct upload *u = ctx;
    size_t before = u->sent;

    while (u->sent < u->size) {
        size_t left = u->size - u->sent, part = left < sizeof block ? left : sizeof block;
        ssize_t n = send(u->fd, block, part, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n <= 0)
            break;
        u->sent += (size_t)n;
    }
    struct pollfd p = {.fd = u->fd, .events = POLLOUT};
    return u->sent == u->size || (u->sent == before && poll(&p, 1, 300) == 0);
}

static bool is_sent(void *ctx)
{
    struct upload *u = ctx;

    (void)is_stuck(u);
    return u->sent == u->size;
}

#define UPLOAD ((size_t)96 << 20)

static void an_upload_waits_for_a_slow_helper_in_little_memory(struct stage *s)
{
    struct stage_agent *a = halves(s, "", NULL);
    struct upload u = {.fd = stage_raw_open(s, a->port), .size = UPLOAD};
    unsigned before_kb = resident_kb(s, a->proc->pid);

    stage_raw_send(
        s, u.fd,
        stage_text(s, "PUT " APP "/releases/%064d HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", 1, u.size));
    assert_int_equal(kill(a->helper->pid, SIGSTOP), 0);
    stage_wait_until(s, is_stuck, &u, 20000, "the upload to get stuck");
    assert_true(u.sent < u.size / 2);
    if (!s->asan)
        assert_true(resident_kb(s, a->proc->pid) < before_kb + 8 * 1024);
    assert_int_equal(kill(a->helper->pid, SIGCONT), 0);
    stage_wait_until(s, is_sent, &u, 60000, "the upload to go on");
    assert_non_null(strstr(stage_raw_answer(s, u.fd, 60000), "hash_mismatch"));
}

struct listener {
    int fd;
    unsigned count;
    uint64_t last_ms;
};

/* Health checks come in, and are refused. */
static void count_checks(struct listener *l)
{
    int fd;

    while ((fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        (void)close(fd);
        l->count++;
        l->last_ms = stage_now_ms();
    }
}

static bool has_three(void *ctx)
{
    struct listener *l = ctx;

    count_checks(l);
    return l->count >= 3;
}

static bool is_quiet(void *ctx)
{
    struct listener *l = ctx;

    count_checks(l);
    return stage_now_ms() - l->last_ms > 1500; /* one comes each 100 ms while it is waited for */
}

static int listen_on(struct stage *s, uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (const struct sockaddr *)(const void *)&at, sizeof at) != 0 || listen(fd, 64) != 0)
        stage_fail(s, "cannot listen on port %u: %s", port, strerror(errno));
    (void)stage_keep(s, (void *)(intptr_t)fd, close_kept);
    return fd;
}

static void a_long_poll_ends_with_its_client(struct stage *s)
{
    uint16_t port = stage_port(s);
    struct stage_server *v = stage_server_start(s, "n1", "v1");
    struct stage_agent *a = stage_agent_prepare_halves(s, "n1", v, "", NULL);
    struct listener l = {.fd = listen_on(s, port)};
    const char *conf = stage_read(s, a->conf_path), *health = strstr(conf, "health = "), *rest = strchr(health, '\n');
    uint64_t from_ms;
    int fd;

    (void)stage_write(s, stage_text(s, "agent-%s.conf", a->node),
                      stage_text(s, "%.*shealth = http://127.0.0.1:%u/%s", (int)(health - conf), conf, port, rest));
    stage_agent_helper_again(a);
    stage_agent_again(a);
    fd = stage_raw_open(s, a->port);
    stage_raw_send(s, fd, "GET " APP "/health?wait=25s HTTP/1.1\r\nHost: x\r\n\r\n");
    stage_wait_until(s, has_three, &l, 10000, "health to be checked");
    from_ms = stage_now_ms();
    (void)shutdown(fd, SHUT_RDWR);
    stage_wait_until(s, is_quiet, &l, 15000, "the checks to end");
    assert_true(stage_now_ms() - from_ms < stage_limit_ms(s, 10000));
}

#define ACTIVATE "/usr/bin/systemd-socket-activate"

/* As the socket unit does it: the socket is there first, is not the helper half's own, and stays. */
static void a_socket_that_systemd_gives_is_used_and_stays(struct stage *s)
{
    struct stage_agent *a = stage_agent_prepare_halves(s, "n1", stage_server_start(s, "n1", "v1"), "", NULL);
    const char *const argv[] = {ACTIVATE,   "-l",       a->socket,    stage_text(s, "%s/rollout-agent", s->build),
                                "--helper", "--config", a->conf_path, NULL};

    if (access(ACTIVATE, X_OK) != 0) {
        (void)fprintf(stderr, "skipped: %s is not installed\n", ACTIVATE);
        skip();
    }
    a->helper = stage_start(s, &(struct stage_spawn){.name = "helper-n1", .argv = argv});
    stage_agent_again(a); /* it answers once the helper half has been started by its connection */
    assert_status(get_status(a), 200);
    assert_true(helper_says(a, "event=network_half_came"));
    stage_proc_signal(s, a->helper, SIGTERM);
    assert_int_equal(stage_proc_wait(s, a->helper, 10000), 0);
    assert_int_equal(access(a->socket, F_OK), 0);
}

/* ---- the service manager */

static int manager(struct stage *s, const char **env)
{
    struct sockaddr_un here = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const char *name = stage_text(s, "rollout-agent-%d", getpid());

    (void)snprintf(here.sun_path + 1, sizeof here.sun_path - 1, "%s", name);
    assert_int_equal(bind(fd, (const struct sockaddr *)&here,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))),
                     0);
    (void)stage_keep(s, (void *)(intptr_t)fd, close_kept);
    *env = stage_text(s, "NOTIFY_SOCKET=@%s", name);
    return fd;
}

static void expect_ready(struct stage *s, int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char text[64] = "";

    if (poll(&p, 1, 10000) != 1)
        stage_fail(s, "the service manager has heard nothing for 10 s");
    assert_true(recv(fd, text, sizeof text - 1, 0) > 0);
    assert_string_equal(text, "READY=1");
}

/* So that one may be used as soon as `systemctl restart` returns. */
static void the_service_manager_is_told_once_when_a_half_takes_requests(struct stage *s)
{
    struct stage_server *v = stage_server_start(s, "n1", "v1");
    struct stage_agent *a = stage_agent_prepare_halves(s, "n1", v, "", NULL), *both;
    const char *env[] = {NULL, NULL}, *program = stage_text(s, "%s/rollout-agent", s->build);
    int fd = manager(s, &env[0]);
    char text[64];

    a->helper = stage_start(s, &(struct stage_spawn){.name = "helper-n1",
                                                     .env = env,
                                                     .argv = LIST(program, "--helper", "--config", a->conf_path)});
    expect_ready(s, fd);
    (void)helper_connect(a);
    a->proc = stage_start(
        s, &(struct stage_spawn){.name = "agent-n1", .env = env, .argv = LIST(program, "--config", a->conf_path)});
    expect_ready(s, fd);
    (void)stage_raw_open(s, a->port);

    both = stage_agent_start(s, "n2", v, true, NULL);
    stage_agent_stop(both, SIGTERM);
    both->proc = stage_start(
        s, &(struct stage_spawn){.name = "agent-n2", .env = env, .argv = LIST(program, "--config", both->conf_path)});
    expect_ready(s, fd);
    assert_status(get_status(both), 200);
    assert_true(recv(fd, text, sizeof text, MSG_DONTWAIT) < 0);
}

static void a_helper_half_needs_its_socket(struct stage *s)
{
    struct stage_agent *a = stage_agent_start(s, "n1", stage_server_start(s, "n1", "v1"), true, NULL);
    struct stage_run r = stage_run(
        s, 5000,
        (const char *const[]){stage_text(s, "%s/rollout-agent", s->build), "--helper", "--config", a->conf_path, NULL});

    assert_int_equal(r.exit_code, 78);
    assert_non_null(strstr(r.err, "helper-socket"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(another_user_is_refused_at_the_socket),
        stage_test(what_is_no_frame_ends_the_connection_and_nothing_else),
        stage_test(the_helper_half_checks_everything_itself),
        stage_test(a_job_outlives_the_network_half),
        stage_test(requests_are_refused_while_the_helper_half_is_away),
        stage_test(where_one_start_is_both_neither_outlives_the_other),
        stage_test(either_half_ends_in_order_without_the_other),
        stage_test(an_upload_waits_for_a_slow_helper_in_little_memory),
        stage_test(a_long_poll_ends_with_its_client),
        stage_test(a_socket_that_systemd_gives_is_used_and_stays),
        stage_test(the_service_manager_is_told_once_when_a_half_takes_requests),
        stage_test(a_helper_half_needs_its_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
