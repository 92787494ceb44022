/* agent_attack_case.c - what an attacker may try at an agent, class by class. Of each: the refusal has its code; not a
 * byte of the state folder or of the service's executable is another one; the same process serves as before; and the
 * same request made valid succeeds, at once.
 *
 * The classes that are about a release's bytes (signatures, sequences, links planted in its folder, a swap between
 * check and install, a full disk) are in agent_release_case.c; those about whose process is signalled in
 * agent_job_case.c. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/cases/agent_client.h"
#include "tests/stage/prom.h"
#include "tests/stage/raw.h"

#define OPENSSL_MS 20000
#define SOON_MS    1000 /* a valid request is answered so soon, whatever else goes on */

struct scene {
    struct stage *s;
    struct stage_server *server;
    struct stage_agent *agent;
    pid_t pid; /* who serves */
};

static struct scene open_scene(struct stage *s, bool plain, const char *extra)
{
    struct scene c = {.s = s, .server = stage_server_start(s, "n1", "v1")};

    c.agent = stage_agent_start(s, "n1", c.server, plain, extra);
    c.pid = stage_server_pid(c.server);
    return c;
}

/* All files that an attack could change, with their hashes. */
static const char *picture(const struct scene *c)
{
    const char *script = "cd \"$0\" && find . ! -name lock -printf '%p %y %m %l\\n' | sort && "
                         "find . -type f ! -name lock -exec sha256sum {} + | sort && sha256sum \"$1\"";
    struct stage_run r = stage_run(
        c->s, OPENSSL_MS, (const char *const[]){"/bin/sh", "-c", script, c->agent->state_dir, c->server->exe, NULL});

    if (r.exit_code != 0)
        stage_fail(c->s, "the state folder cannot be read: %s", r.err);
    return r.out;
}

static void expect_untouched(const struct scene *c, const char *before, const char *what)
{
    if (strcmp(picture(c), before) != 0)
        fail_msg("%s: the state is another one:\n%s\nafter\n%s", what, picture(c), before);
    if (stage_server_pid(c->server) != c->pid || stage_server_count(c->server) != 1)
        fail_msg("%s: another process serves", what);
    if (strcmp(stage_server_version(c->server), "1") != 0)
        fail_msg("%s: the service does not answer", what);
}

static void expect_soon(const struct scene *c, const char *what)
{
    uint64_t began_ms = stage_now_ms();
    struct stage_answer *r = get_status(c->agent);

    if (r->status != 200 || stage_now_ms() - began_ms > stage_limit_ms(c->s, SOON_MS))
        fail_msg("%s: a valid request got %d %s after %llu ms", what, r->status, r->error,
                 (unsigned long long)(stage_now_ms() - began_ms));
}

/* ---- who comes in */

/* A certificate of the stage's authority for the name `controller`, with these extensions, good from and until then
 * (YYYYMMDDHHMMSSZ). */
static const struct stage_tls *special_key(struct stage *s, const char *file, const char *key, const char *option,
                                           const char *ext, const char *from, const char *until)
{
    struct stage_tls *tls = stage_alloc(s, sizeof *tls);
    const char *conf =
        stage_write(s, "special.cnf",
                    "[ca]\ndefault_ca = c\n[c]\ndatabase = index\nnew_certs_dir = .\nrand_serial = yes\n"
                    "default_md = sha256\npolicy = p\nunique_subject = no\n[p]\ncommonName = supplied\n");
    struct stage_run r;

    (void)stage_write(s, "index", "");
    *tls = (struct stage_tls){stage_text(s, "%s/%s.pem", s->dir, file), stage_text(s, "%s/%s.key", s->dir, file),
                              stage_cert(s, "controller")->ca};
    r = stage_run(s, OPENSSL_MS,
                  (const char *const[]){"/usr/bin/openssl", "req", "-new", "-newkey", key, "-pkeyopt", option, "-nodes",
                                        "-subj", "/CN=controller", "-keyout", tls->key, "-out", "special.csr", NULL});
    if (r.exit_code == 0)
        r = stage_run(s, OPENSSL_MS,
                      (const char *const[]){"/usr/bin/openssl",
                                            "ca",
                                            "-batch",
                                            "-notext",
                                            "-config",
                                            conf,
                                            "-in",
                                            "special.csr",
                                            "-cert",
                                            tls->ca,
                                            "-keyfile",
                                            stage_text(s, "%s/ca/stage-ca.key", s->dir),
                                            "-startdate",
                                            from,
                                            "-enddate",
                                            until,
                                            "-extfile",
                                            stage_write(s, "special.ext", ext),
                                            "-out",
                                            tls->cert,
                                            NULL});
    if (r.exit_code != 0)
        stage_fail(s, "openssl: %s", r.err);
    return tls;
}

static const struct stage_tls *special(struct stage *s, const char *file, const char *ext, const char *from,
                                       const char *until)
{
    return special_key(s, file, "ec", "ec_paramgen_curve:P-256", ext, from, until);
}

#define LONG_AGO   "20200101000000Z"
#define LONG_AHEAD "20480101000000Z"
#define GOOD_EXT   "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n"

static void nobody_comes_in_without_an_allowed_certificate(struct stage *s)
{
    struct scene c = open_scene(s, false, NULL);
    const char *before = picture(&c);
    const struct stage_tls *good = stage_cert(s, "controller");
    const struct {
        const char *what;
        const struct stage_tls *tls;
    } rows[] = {
        {"no certificate", &(struct stage_tls){.ca = good->ca}},
        {"another authority", stage_cert_foreign(s, "controller")},
        {"the right authority, another name", stage_cert(s, "n2")},
        {"a name that begins with an allowed one", stage_cert(s, "controller.evil")},
        {"run out", special(s, "old", GOOD_EXT, LONG_AGO, "20210101000000Z")},
        {"not good yet", special(s, "young", GOOD_EXT, "20400101000000Z", LONG_AHEAD)},
        {"good for servers alone", special(s, "server", "extendedKeyUsage=serverAuth\n", LONG_AGO, LONG_AHEAD)},
        {"a key that may not sign", special(s, "mute", "keyUsage=critical,keyAgreement\n", LONG_AGO, LONG_AHEAD)},
        {"good for mail alone", special(s, "mail", "extendedKeyUsage=emailProtection\n", LONG_AGO, LONG_AHEAD)},
    };
    static const struct {
        const char *method, *path, *body;
    } asks[] = {{"GET", APP, NULL}, {"GET", "/metrics", NULL}, {"GET", "/nothing", NULL}, {"POST", APP "/jobs", "{}"}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t k = 0; k < sizeof asks / sizeof *asks; k++) {
            struct stage_answer *r = stage_agent_http_as(c.agent, rows[i].tls, asks[k].method, asks[k].path, NULL,
                                                         asks[k].body, asks[k].body != NULL ? strlen(asks[k].body) : 0);
            if (r->status != 0 && r->status != 403)
                fail_msg("%s: %s %s got %d", rows[i].what, asks[k].method, asks[k].path, r->status);
            if (r->status == 403)
                assert_refused(r, 403, "forbidden");
        }
        expect_untouched(&c, before, rows[i].what);
    }
    assert_status(
        stage_agent_http_as(c.agent, special(s, "well", GOOD_EXT, LONG_AGO, LONG_AHEAD), "GET", APP, NULL, NULL, 0),
        200);
    expect_soon(&c, "the allowed one");
}

static bool is_turned_away(void *ctx)
{
    return prom_value(stage_agent_http(ctx, "GET", "/metrics", NULL)->body,
                      "rollout_agent_refusals_total{reason=\"certificate_not_allowed\"}") == 1;
}

static void a_key_that_can_be_broken_opens_no_door(struct stage *s)
{
    struct scene c = open_scene(s, false, NULL);
    const struct stage_tls *weak =
        special_key(s, "weak", "rsa", "rsa_keygen_bits:1024", GOOD_EXT, LONG_AGO, LONG_AHEAD);

    (void)stage_run(s, OPENSSL_MS,
                    (const char *const[]){"/usr/bin/openssl", "s_client", "-connect",
                                          stage_text(s, "127.0.0.1:%u", c.agent->port), "-cipher", "DEFAULT@SECLEVEL=0",
                                          "-cert", weak->cert, "-key", weak->key, NULL});
    stage_wait_until(s, is_turned_away, c.agent, 5000, "a controller with a weak key to be refused");
}

static void nothing_but_tls_1_3_is_spoken_at_the_door(struct stage *s)
{
    struct scene c = open_scene(s, false, NULL);
    const char *before = picture(&c), *port = stage_text(s, "127.0.0.1:%u", c.agent->port);
    const struct stage_tls *good = stage_cert(s, "controller");
    struct stage_run r;
    int fd;

    r = stage_run(s, OPENSSL_MS,
                  (const char *const[]){"/usr/bin/openssl", "s_client", "-connect", port, "-tls1_2", "-cert",
                                        good->cert, "-key", good->key, NULL});
    assert_int_not_equal(r.exit_code, 0);
    assert_non_null(strstr(r.err, " alert "));
    fd = stage_raw_open(s, c.agent->port);
    stage_raw_send(s, fd, "GET /v1 HTTP/1.1\r\nHost: a\r\n\r\n");
    {
        char bytes[256] = "";
        struct pollfd p = {.fd = fd, .events = POLLIN};
        while (poll(&p, 1, 5000) == 1 && recv(fd, bytes, sizeof bytes - 1, 0) > 0)
            assert_null(strstr(bytes, "HTTP")); /* an alert, if anything */
    }
    expect_untouched(&c, before, "other tongues");
    expect_soon(&c, "other tongues");
}

static void metrics_are_open_only_where_the_config_says_so(struct stage *s)
{
    unsigned port = stage_port(s);
    struct scene c = open_scene(s, false, stage_text(s, "[agent]\nmetrics-listen = 127.0.0.1:%u\n", port));
    const char *base = stage_text(s, "http://127.0.0.1:%u", port);
    struct stage_answer *r = stage_http(s, "GET", stage_text(s, "%s/metrics", base), NULL, NULL);

    assert_status(r, 200);
    if (prom_bad_line(r->body) != NULL)
        fail_msg("%s", prom_bad_line(r->body));
    assert_int_equal(prom_value(r->body, "rollout_node_out_seconds{service=\"app\"}"), 0);
    assert_status(put_claim(c.agent, "r", 1, 0, 60), 200);
    r = stage_http(s, "GET", stage_text(s, "%s/metrics", base), NULL, NULL);
    assert_true(prom_value(r->body, "rollout_node_out_seconds{service=\"app\"}") >= 1);
    assert_int_equal(prom_value(r->body, "rollout_agent_fence{service=\"app\"}"), 1);
    assert_status(stage_http(s, "GET", stage_text(s, "%s/v1", base), NULL, NULL), 404);
    assert_status(stage_http(s, "GET", stage_text(s, "%s" APP, base), NULL, NULL), 404);
    assert_status(stage_http(s, "PUT", stage_text(s, "%s" APP "/claim", base), NULL, "{}"), 404);
    assert_status(stage_agent_http(c.agent, "GET", "/metrics", NULL), 200);
}

/* ---- claims and jobs */

#define JOB(id, rollout, fence, action, release)                                                                       \
    "{\"id\":\"" id "\",\"rollout\":\"" rollout "\",\"fence\":" fence ",\"action\":\"" action                          \
    "\",\"release\":" release "}"
#define CLAIM(rollout, fence, expect)                                                                                  \
    "{\"rollout\":\"" rollout "\",\"fence\":" fence ",\"expect\":" expect ",\"ttl\":60,\"holder\":\"x\",\"target\":"   \
    "{\"sha256\":null,\"version\":null},\"before\":null,\"took_out\":[]}"
#define NO_RELEASE_HEX "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""

struct ask {
    const char *what, *method, *path, *body;
    int status;
    const char *code;
};

static void refuse_all(const struct scene *c, const struct ask *rows, size_t count)
{
    const char *before = picture(c);

    for (size_t i = 0; i < count; i++) {
        struct stage_answer *r = stage_agent_http(c->agent, rows[i].method, rows[i].path, rows[i].body);
        const json_t *code = r->json != NULL ? stage_json_find(r->json, "error.code") : NULL;
        if (r->status != rows[i].status || !json_is_string(code) || strcmp(json_string_value(code), rows[i].code) != 0)
            fail_msg("%s: %d %s%s", rows[i].what, r->status, r->error, r->body);
        expect_untouched(c, before, rows[i].what);
    }
}

static void who_has_no_claim_or_an_old_one_has_no_effect(struct stage *s)
{
    struct scene c = open_scene(s, false, NULL);
    static const struct ask rows[] = {
        {"a job without a claim of that rollout", "POST", APP "/jobs", JOB("x/1", "x", "7", "restart", "null"), 412,
         "fence_stale"},
        {"a job with a lower fence", "POST", APP "/jobs", JOB("r/1", "r", "6", "restart", "null"), 412, "fence_stale"},
        {"a job with a higher fence than the claim", "POST", APP "/jobs", JOB("r/1", "r", "8", "restart", "null"), 412,
         "fence_stale"},
        {"an equal fence of another rollout", "PUT", APP "/claim", CLAIM("x", "7", "7"), 409, "claim_held"},
        {"a higher fence while the claim lives", "PUT", APP "/claim", CLAIM("x", "9", "7"), 409, "claim_held"},
        {"a lower fence of the same rollout", "PUT", APP "/claim", CLAIM("r", "3", "7"), 412, "fence_stale"},
        {"a claim that another one is to have been", "PUT", APP "/claim", CLAIM("r", "8", "5"), 409, "claim_changed"},
        {"another's claim dropped", "DELETE", APP "/claim?rollout=x&fence=7", NULL, 412, "fence_stale"},
        {"a claim dropped with another fence", "DELETE", APP "/claim?rollout=r&fence=6", NULL, 412, "fence_stale"},
        {"a release that is not there", "POST", APP "/jobs", JOB("r/1", "r", "7", "upgrade", NO_RELEASE_HEX), 409,
         "no_release"},
        {"a job that is none", "POST", APP "/jobs", JOB("r/1", "r", "7", "rm -rf /", "null"), 400, "bad_request"},
    };
    struct stage_answer *r;

    assert_refused(post_job(c.agent, "r/0", "r", 7, "restart", NULL), 409, "no_claim");
    assert_status(stage_agent_http(c.agent, "PUT", APP "/claim", CLAIM("r", "7", "0")), 200);
    refuse_all(&c, rows, sizeof rows / sizeof *rows);
    r = post_job(c.agent, "r/1", "r", 7, "restart", NULL);
    assert_status(r, 202);
    assert_string_equal(stage_json_string(s, wait_job(c.agent, "r/1")->json, "code"), "ok");
    c.pid = stage_server_pid(c.server);

    /* Replayed: the same answer, and nothing is done twice; under the same id something else is refused. */
    {
        static const struct ask other[] = {{"a job's id for something else", "POST", APP "/jobs",
                                            JOB("r/1", "r", "7", "upgrade", NO_RELEASE_HEX), 400, "bad_request"}};
        const char *before;
        while (stage_server_count(c.server) != 1) /* the one before drains */
            (void)poll(NULL, 0, 20);
        before = picture(&c);
        assert_status(post_job(c.agent, "r/1", "r", 7, "restart", NULL), 200);
        expect_untouched(&c, before, "a replayed job");
        refuse_all(&c, other, 1);
    }
}

/* ---- paths and bodies */

static const char *repeated(struct stage *s, const char *text, size_t times)
{
    char *to = stage_alloc(s, strlen(text) * times + 1), *at = to;

    for (size_t i = 0; i < times; i++)
        at = stpcpy(at, text);
    return to;
}

static void no_field_is_a_path(struct stage *s)
{
    struct scene c = open_scene(s, true, NULL);
    static const struct ask rows[] = {
        {"a service", "GET", "/v1/services/..%2f..%2fetc", NULL, 404, "not_found"},
        {"a service, bare", "GET", "/v1/services/%2e%2e", NULL, 404, "not_found"},
        {"a service, twice", "GET", "/v1/services/%252e%252e/claim", NULL, 404, "not_found"},
        {"a backslash", "GET", "/v1/services/..%5c..%5cetc", NULL, 404, "not_found"},
        {"a release", "PUT", APP "/releases/..%2f..%2f..%2fetc%2fpasswd", "x", 404, "not_found"},
        {"a release with a tail", "PUT",
         APP "/releases/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%2f..", "x", 404, "not_found"},
        {"a job", "GET", APP "/jobs/..%2f..%2f..%2fetc%2fpasswd", NULL, 404, "not_found"},
        {"a release in a job", "POST", APP "/jobs", JOB("r/1", "r", "1", "upgrade", "\"../../../etc/passwd\""), 400,
         "bad_request"},
        {"a rollout", "PUT", APP "/claim", CLAIM("../../x y", "1", "0"), 400, "bad_request"},
        {"a rollout, dropped", "DELETE", APP "/claim?rollout=..%2fx%20y&fence=1", NULL, 400, "bad_request"},
        {"a NUL", "GET", "/v1/services/app%00/../..", NULL, 400, "bad_request"},
        {"half an escape", "GET", "/v1/services/app%2", NULL, 400, "bad_request"},
    };

    refuse_all(&c, rows, sizeof rows / sizeof *rows);
    assert_status(get_status(c.agent), 200);
}

static void no_body_is_believed(struct stage *s)
{
    struct scene c = open_scene(s, true, NULL);
    const struct ask rows[] = {
        {"nothing", "PUT", APP "/claim", "", 400, "bad_request"},
        {"no JSON", "PUT", APP "/claim", "rollout=r", 400, "bad_request"},
        {"half of one", "PUT", APP "/claim", "{\"rollout\":\"r\"", 400, "bad_request"},
        {"more than one", "PUT", APP "/claim", CLAIM("r", "1", "0") "{}", 400, "bad_request"},
        {"duplicate keys", "PUT", APP "/claim",
         "{\"fence\":1,\"fence\":2,"
         "\"rollout\":\"r\"}",
         400, "bad_request"},
        {"a deep one", "PUT", APP "/claim", repeated(s, "[", 100000), 400, "bad_request"},
        {"a deep one in a claim", "PUT", APP "/claim",
         stage_text(s, "{\"took_out\":%s%s}", repeated(s, "[", 2000), repeated(s, "]", 2000)), 400, "bad_request"},
        {"an escaped NUL", "PUT", APP "/claim", CLAIM("r\\u0000", "1", "0"), 400, "bad_request"},
        {"no UTF-8", "PUT", APP "/claim", CLAIM("r\xff", "1", "0"), 400, "bad_request"},
        {"a number beyond 64 bits", "PUT", APP "/claim", CLAIM("r", "18446744073709551617", "0"), 400, "bad_request"},
        {"a negative one", "PUT", APP "/claim", CLAIM("r", "-1", "0"), 400, "bad_request"},
        {"a fraction", "PUT", APP "/claim", CLAIM("r", "1.5", "0"), 400, "bad_request"},
        {"another type", "PUT", APP "/claim", CLAIM("r", "\"1\"", "0"), 400, "bad_request"},
        {"a large one", "PUT", APP "/claim", repeated(s, " ", 256 * 1024 + 1), 413, "too_large"},
    };
    const char *before = picture(&c), *v2 = stage_server_variant(s, "v2"), *hex = stage_sha256(s, v2);
    struct stage_answer *r;
    int fd;

    refuse_all(&c, rows, sizeof rows / sizeof *rows);

    r = stage_agent_http(c.agent, "PUT", stage_text(s, APP "/releases/%s", hex), "not these bytes");
    assert_refused(r, 422, "hash_mismatch");
    expect_untouched(&c, before, "other bytes than named");

    fd = stage_raw_open(s, c.agent->port);
    stage_raw_send(
        s, fd, stage_text(s, "PUT " APP "/releases/%s HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf", hex));
    expect_soon(&c, "an upload that is broken off");
    (void)shutdown(fd, SHUT_RDWR);
    while (strcmp(picture(&c), before) != 0) /* the agent notices, and forgets the half */
        (void)poll(NULL, 0, 20);

    fd = stage_raw_open(s, c.agent->port);
    stage_raw_send(
        s, fd,
        stage_text(s, "PUT " APP "/releases/%s HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n", hex));
    assert_non_null(strstr(stage_raw_answer(s, fd, 5000), " 413 "));
    assert_true(stage_raw_closes(s, fd, 5000));
    expect_untouched(&c, before, "a release that is too large");

    assert_status(put_release(c.agent, hex, v2), 201);
    assert_status(stage_agent_http(c.agent, "PUT", APP "/claim", CLAIM("r", "1", "0")), 200);
}

/* ---- framing */

#define HOST "Host: a\r\n"
#define PUT  "PUT " APP "/claim HTTP/1.1\r\n" HOST
static const struct {
    const char *what, *bytes;
    size_t size;
    int status;
} FRAMING[] = {
#define ROW(what, status, bytes)                                                                                       \
    {                                                                                                                  \
        what, bytes, sizeof(bytes) - 1, status                                                                         \
    }
    ROW("bare LF", 400, "GET /v1 HTTP/1.1\nHost: a\n\n"),
    ROW("bare LF at the end", 400, "GET /v1 HTTP/1.1\r\nHost: a\r\n\n"),
    ROW("bare CR", 400, "GET /v1 HTTP/1.1\r\nHost: a\r\nX: a\rb: c\r\n\r\n"),
    ROW("a folded line", 400, "GET /v1 HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n"),
    ROW("a blank before the colon", 400, PUT "Content-Length : 2\r\n\r\n{}"),
    ROW("no Host", 400, "GET /v1 HTTP/1.1\r\n\r\n"),
    ROW("two Hosts", 400, "GET /v1 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    ROW("an empty Host", 400, "GET /v1 HTTP/1.1\r\nHost:\r\n\r\n"),
    ROW("two lengths", 400, PUT "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
    ROW("two equal lengths", 400, PUT "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"),
    ROW("a list of lengths", 400, PUT "Content-Length: 2, 2\r\n\r\n{}"),
    ROW("a signed length", 400, PUT "Content-Length: +2\r\n\r\n{}"),
    ROW("a length beyond measure", 413, PUT "Content-Length: 99999999999999999999\r\n\r\n{}"),
    ROW("length and coding", 400, PUT "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    ROW("coding and length", 400, PUT "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    ROW("two codings", 400, PUT "Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    ROW("another coding", 400, PUT "Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    ROW("a huge chunk", 400, PUT "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n"),
    ROW("a negative chunk", 400, PUT "Transfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n"),
    ROW("a chunk's extension", 400, PUT "Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\n\r\n"),
    ROW("a chunk behind a bare LF", 400, PUT "Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n"),
    ROW("a trailer", 400, PUT "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nHost: b\r\n\r\n"),
    ROW("a NUL in a name", 400, "GET /v1 HTTP/1.1\r\nHost: a\r\nX\0: a\r\n\r\n"),
    ROW("a NUL in a value", 400, "GET /v1 HTTP/1.1\r\nHost: a\0b\r\n\r\n"),
    ROW("a NUL in the path", 400, "GET /v1\0 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ROW("HTTP/1.0", 400, "GET /v1 HTTP/1.0\r\nHost: a\r\n\r\n"),
    ROW("HTTP/2", 400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ROW("another's address", 400, "GET http://b/v1 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ROW("CONNECT", 400, "CONNECT b:1 HTTP/1.1\r\nHost: b:1\r\n\r\n"),
#undef ROW
};

static void framing_that_two_might_read_differently_is_refused_and_the_connection_closed(struct stage *s)
{
    struct scene c = open_scene(s, true, NULL);
    const char *before = picture(&c);
    int fd;

    for (size_t i = 0; i < sizeof FRAMING / sizeof *FRAMING; i++) {
        const char *answer;
        /* What a second parser might take for a request behind it is not answered. */
        fd = stage_raw_open(s, c.agent->port);
        assert_int_equal(send(fd, FRAMING[i].bytes, FRAMING[i].size, MSG_NOSIGNAL), FRAMING[i].size);
        answer = stage_raw_answer(s, fd, 5000);
        if (strstr(answer, stage_text(s, "HTTP/1.1 %d ", FRAMING[i].status)) != answer ||
            strstr(answer, "Connection: close") == NULL)
            fail_msg("%s: %s", FRAMING[i].what, answer);
        (void)send(fd, "GET /v1 HTTP/1.1\r\nHost: a\r\n\r\n", 28, MSG_NOSIGNAL);
        if (!stage_raw_closes(s, fd, 6000))
            fail_msg("%s: not closed", FRAMING[i].what);
    }
    expect_untouched(&c, before, "framing");

    fd = stage_raw_open(s, c.agent->port);
    stage_raw_send(s, fd, stage_text(s, "GET /v1 HTTP/1.1\r\nHost: a\r\nX: %s", repeated(s, "a", 17 * 1024)));
    assert_non_null(strstr(stage_raw_answer(s, fd, 5000), " 431 "));
    fd = stage_raw_open(s, c.agent->port);
    stage_raw_send(s, fd, stage_text(s, "GET /v1 HTTP/1.1\r\nHost: a\r\n%s\r\n", repeated(s, "X: a\r\n", 100)));
    assert_non_null(strstr(stage_raw_answer(s, fd, 5000), " 431 "));

    fd = stage_raw_open(s, c.agent->port);
    stage_raw_send(s, fd,
                   stage_text(s, "%s%zX\r\n%s\r\n0\r\n\r\n%s", PUT "Transfer-Encoding: chunked\r\n\r\n",
                              strlen(CLAIM("r", "1", "0")), CLAIM("r", "1", "0"),
                              "GET /v1 HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_non_null(strstr(stage_raw_answer(s, fd, 5000), " 200 "));
    assert_non_null(strstr(stage_raw_answer(s, fd, 5000), "\"agent\"")); /* pipelined, plainly */
}

/* ---- time and number */

static long rss_kb(pid_t pid)
{
    char path[64], line[256];
    long kb = 0;
    FILE *f;

    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "VmRSS: %ld", &kb) == 1)
            break;
    if (f != NULL)
        (void)fclose(f);
    return kb;
}

/* Both halves. */
static long agent_rss_kb(const struct scene *c)
{
    struct stage_kin kin[STAGE_KIN_MAX];
    unsigned n = stage_kin(c->s, kin, STAGE_KIN_MAX);
    long kb = 0;

    for (unsigned i = 0; i < n; i++)
        if (strstr(kin[i].exe, "/rollout-agent") != NULL)
            kb += rss_kb(kin[i].pid);
    return kb;
}

struct closing {
    int fd;
    const char *sends; /* a byte now and then; NULL: nothing */
};

/* Another byte, so that no silence can be what ends it; true once it has been closed. */
static bool has_closed(void *ctx)
{
    struct closing *k = ctx;
    char bytes[4096];
    ssize_t n;

    if (k->sends != NULL)
        (void)send(k->fd, k->sends, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    n = recv(k->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN);
}

struct slowly {
    const struct scene *plain, *tls;
    struct closing senders[6];
    bool closed[6];
    unsigned looks;
};

/* All of them trickle on meanwhile, and valid requests are answered. */
static bool all_closed(void *ctx)
{
    struct slowly *w = ctx;
    bool all = true;

    for (size_t i = 0; i < 6; i++) {
        w->closed[i] = w->closed[i] || has_closed(&w->senders[i]);
        all = all && w->closed[i];
    }
    if (w->looks++ % 64 == 0) {
        expect_soon(w->plain, "slow senders");
        expect_soon(w->tls, "slow senders");
    }
    return all;
}

static void who_sends_slowly_ends_by_the_clock(struct stage *s)
{
    struct scene c = open_scene(s, true, NULL), t = {.s = s};
    const char *before = picture(&c), *metrics;
    uint64_t began_ms = stage_now_ms();
    struct slowly w = {.plain = &c, .tls = &t};
    static const char *const begins[] = {
        "GET /v1 HTTP/1.1\r\nHost: a\r\nX: ",  /* a head that goes on and on */
        "GET /v1 HTTP/1.1\r\nHost: a\r\n",     /* one that does not */
        PUT "Content-Length: 100000\r\n\r\n{", /* a body */
        PUT "Transfer-Encoding: chunked\r\n\r\n3E80\r\n{",
    };

    t.server = stage_server_start(s, "n2", "v1");
    t.agent = stage_agent_start(s, "n2", t.server, false, NULL);
    for (size_t i = 0; i < 4; i++) {
        w.senders[i] = (struct closing){stage_raw_open(s, c.agent->port), i == 1 ? NULL : " "};
        stage_raw_send(s, w.senders[i].fd, begins[i]);
    }
    w.senders[4] = (struct closing){stage_raw_open(s, t.agent->port), NULL};   /* TLS: nothing */
    w.senders[5] = (struct closing){stage_raw_open(s, t.agent->port), "\x01"}; /* and a handshake byte by byte */
    stage_raw_send(s, w.senders[5].fd, "\x16\x03\x01\x3f");
    stage_wait_until(s, all_closed, &w, 16000, "slow senders to be closed");
    assert_in_range(stage_now_ms() - began_ms, 4000, stage_limit_ms(s, 20000));
    expect_untouched(&c, before, "slow senders");
    metrics = stage_agent_http(c.agent, "GET", "/metrics", NULL)->body;
    assert_int_equal(prom_value(metrics, "rollout_agent_refusals_total{reason=\"head_too_slow\"}"), 2);
    assert_int_equal(prom_value(metrics, "rollout_agent_refusals_total{reason=\"body_too_slow\"}"), 2);
    metrics = stage_agent_http(t.agent, "GET", "/metrics", NULL)->body;
    assert_true(prom_value(metrics, "rollout_agent_refusals_total{reason=\"handshake_too_slow\"}") >= 1);
}

#define FLOOD 1000

static void a_thousand_idle_connections_are_in_nobodys_way(struct stage *s)
{
    for (int plain = 0; plain < 2; plain++) {
        struct scene c = {.s = s, .server = stage_server_start(s, plain ? "p" : "t", "v1")};
        const char *before;
        int fds[FLOOD], open = 0;

        c.agent = stage_agent_start(s, plain ? "p" : "t", c.server, plain, NULL);
        c.pid = stage_server_pid(c.server);
        before = picture(&c);
        for (int i = 0; i < FLOOD; i++) {
            fds[i] = stage_raw_open(s, c.agent->port);
            if (i % 3 == 1)
                (void)send(fds[i], plain ? "GET /" : "\x16\x03\x01", plain ? 5 : 3, MSG_NOSIGNAL);
            if (i % 250 == 249)
                expect_soon(&c, "a flood of idle connections");
        }
        expect_soon(&c, "a thousand idle connections");
        for (int i = 0; i < FLOOD; i++)
            open += !has_closed(&(struct closing){fds[i], NULL});
        assert_in_range(open, 1, plain ? 128 : 64);
        if (!s->asan && agent_rss_kb(&c) > 32 * 1024)
            fail_msg("%ld kB", agent_rss_kb(&c));
        expect_untouched(&c, before, "a flood");
        stage_agent_stop(c.agent, SIGTERM);
    }
}

static void a_controller_has_its_connections_and_its_rate_and_no_more(struct stage *s)
{
    struct scene c = open_scene(s, true, "[agent]\npeer-connections = 4\npeer-requests = 20\n");
    uint64_t began_ms;
    int fds[6];

    for (int i = 0; i < 6; i++) {
        fds[i] = stage_raw_open(s, c.agent->port);
        stage_raw_send(s, fds[i], "GET /v1 HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_non_null(strstr(stage_raw_answer(s, fds[i], 5000), " 200 "));
    }
    assert_true(stage_raw_closes(s, fds[0], 2000)); /* the oldest that does nothing */
    stage_raw_send(s, fds[5], "GET /v1 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_non_null(strstr(stage_raw_answer(s, fds[5], 5000), " 200 "));

    began_ms = stage_now_ms();
    for (int i = 0; i < 70; i++) { /* 2 s' worth may come at once */
        stage_raw_send(s, fds[5], "GET /v1 HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_non_null(strstr(stage_raw_answer(s, fds[5], 5000), " 200 "));
    }
    assert_true(stage_now_ms() - began_ms >= 1000);
    assert_true(prom_value(stage_agent_http(c.agent, "GET", "/metrics", NULL)->body,
                           "rollout_agent_requests_delayed_total") > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(nobody_comes_in_without_an_allowed_certificate),
        stage_test(a_key_that_can_be_broken_opens_no_door),
        stage_test(nothing_but_tls_1_3_is_spoken_at_the_door),
        stage_test(metrics_are_open_only_where_the_config_says_so),
        stage_test(who_has_no_claim_or_an_old_one_has_no_effect),
        stage_test(no_field_is_a_path),
        stage_test(no_body_is_believed),
        stage_test(framing_that_two_might_read_differently_is_refused_and_the_connection_closed),
        stage_test(who_sends_slowly_ends_by_the_clock),
        stage_test(a_thousand_idle_connections_are_in_nobodys_way),
        stage_test(a_controller_has_its_connections_and_its_rate_and_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
