/* docs_case.c - the examples of docs/api-*.md are what an agent and an nginx of ours answer; nginx lets in whom
 * docs/security.md says; and the last resort of docs/operating.md is one.
 *
 * A block "```http" holds exchanges, which belong together from the page's first to its last:
 *
 *     PUT /path?query            the request, its headers, its body; a line <./app-2 is the bytes of that file
 *     Name: value
 *     {"json":1}
 *     -> 200                     the answer; headers that it must have, and its body
 *     Name: value
 *     {"json":1,...}             "...": there is more that is not shown. Else no member is missing, on either side
 *
 * What cannot be the same twice (VARIES) is compared by its type alone. A body that is no JSON: lines of it. */
#include "tests/stage/agent.h"
#include "tests/stage/fleet.h"
#include "tests/stage/nginx.h"
#include "tests/stage/proc.h"
#include "tests/stage/sign.h"
#include "tests/stage/test.h"
#include "tests/stage/witness.h"
#include "tests/unit/docs/page.h"

static const char *const VARIES[] = {"agent",      "pid",         "ppid",           "start_ticks", "boot_id",
                                     "listening",  "size",        "started",        "left",        "age_ms",
                                     "elapsed_ms", "connections", "request_id",     "address",     "timestamp",
                                     "version",    "build",       "load_timestamp", "ttl",         NULL};

struct swap {
    const char *word, *with;
};

struct told {
    struct stage *stage;
    const char *page;
    struct stage_agent *agent; /* NULL: it is nginx's */
    const char *base;          /* of nginx */
    struct swap swaps[5];
    const char *file; /* what <./app-2 stands for */
    size_t file_size;
    unsigned n;
};

struct exchange {
    const char *method, *path, *headers, *body;
    bool uploads, open;
    int status;
    const char *want_headers, *want;
};

static const char *swapped(struct told *t, const char *text)
{
    for (const struct swap *swap = t->swaps; swap->word != NULL; swap++)
        for (const char *at; (at = strstr(text, swap->word)) != NULL;)
            text = stage_text(t->stage, "%.*s%s%s", (int)(at - text), text, swap->with, at + strlen(swap->word));
    return text;
}

static bool is_header(const char *line)
{
    size_t n = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-");

    return n > 0 && strncmp(line + n, ": ", 2) == 0;
}

static bool is_request(const char *line)
{
    size_t n = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

    return n > 0 && strncmp(line + n, " /", 2) == 0;
}

/* A line more of a text; what is not shown is taken out. */
static const char *joined(struct told *t, struct exchange *ex, const char *text, const char *line)
{
    text = stage_text(t->stage, "%s%s\n", text, line);
    for (char *more; (more = strstr(text, ",...")) != NULL; ex->open = true)
        text = stage_text(t->stage, "%.*s%s", (int)(more - text), text, more + 4);
    return text;
}

/* The next exchange of a block; false: its end. */
static bool read_exchange(struct told *t, const char **at, struct exchange *ex)
{
    const char *before;
    char *line;

    *ex = (struct exchange){.headers = "", .body = "", .want_headers = "", .want = ""};
    if (!page_line(at, &line))
        return false;
    if (!is_request(line))
        fail_msg("%s: \"%s\" is no request", t->page, line);
    ex->path = stage_text(t->stage, "%s", strchr(line, '/'));
    ex->method = stage_text(t->stage, "%.*s", (int)strcspn(line, " "), line);
    while (before = *at, page_line(at, &line)) {
        if (ex->status == 0 && sscanf(line, "-> %d", &ex->status) == 1)
            continue;
        if (ex->status != 0 && is_request(line)) {
            *at = before;
            break;
        }
        if (strcmp(line, "<./app-2") == 0)
            ex->uploads = true;
        else if (ex->status == 0 && is_header(line) && *ex->body == '\0')
            ex->headers = stage_text(t->stage, "%s%s%s", ex->headers, *ex->headers != '\0' ? "\n" : "", line);
        else if (ex->status == 0)
            ex->body = joined(t, ex, ex->body, line);
        else if (is_header(line) && *ex->want == '\0')
            ex->want_headers = stage_text(t->stage, "%s%s\n", ex->want_headers, line);
        else
            ex->want = joined(t, ex, ex->want, line);
    }
    return true;
}

/* ---- are they the same */

static bool varies(const char *key)
{
    for (const char *const *v = VARIES; *v != NULL; v++)
        if (strcmp(*v, key) == 0)
            return true;
    return false;
}

/* Processes and seconds that go by are not the same twice: "process 4788", "for another 60 s". */
static size_t number_behind(const char *text, const char *at)
{
    static const char *const words[] = {"another ", "process ", "from "};
    size_t digits = strspn(at, "0123456789");

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if ((size_t)(at - text) >= strlen(words[i]) && strncmp(at - strlen(words[i]), words[i], strlen(words[i])) == 0)
            return digits;
    return 0;
}

static bool same_sentence(const char *want, const char *got)
{
    const char *a = want, *b = got;

    while (*a != '\0' && *b != '\0') {
        size_t n = number_behind(want, a), m = number_behind(got, b);
        if (n > 0 && m > 0) {
            a += n;
            b += m;
        } else if (*a++ != *b++) {
            return false;
        }
    }
    return *a == *b;
}

/* Where they differ: "claim.fence"; NULL: nowhere. */
static const char *difference(struct told *t, const json_t *want, const json_t *got, bool open, const char *place)
{
    const char *key, *found = NULL;
    json_t *value;
    size_t i;

    if (json_typeof(want) != json_typeof(got) && !(json_is_boolean(want) && json_is_boolean(got)))
        return place;
    if (json_is_string(want))
        return same_sentence(json_string_value(want), json_string_value(got)) ? NULL : place;
    if (json_is_array(want)) {
        if (json_array_size(want) != json_array_size(got))
            return place;
        json_array_foreach(want, i, value) if (found == NULL) found =
            difference(t, value, json_array_get(got, i), open, stage_text(t->stage, "%s.%zu", place, i));
        return found;
    }
    if (!json_is_object(want))
        return json_equal(want, got) ? NULL : place;
    json_object_foreach((json_t *)(uintptr_t)want, key, value)
    {
        const json_t *other = json_object_get(got, key);
        const char *deeper = stage_text(t->stage, "%s.%s", place, key);
        if (found != NULL)
            break;
        if (other == NULL)
            return deeper;
        if (!varies(key) || json_is_null(value) != json_is_null(other))
            found = difference(t, value, other, open, deeper);
        else if (json_typeof(value) != json_typeof(other))
            found = deeper;
    }
    json_object_foreach((json_t *)(uintptr_t)got, key,
                        value) if (found == NULL && !open && json_object_get(want, key) == NULL) found =
        stage_text(t->stage, "%s.%s, which the page does not show", place, key);
    return found;
}

static void check_lines(struct told *t, const char *what, const char *want, const char *got)
{
    char *line;

    while (page_line(&want, &line))
        if (strstr(stage_text(t->stage, "\n%s", got), stage_text(t->stage, "\n%s\n", line)) == NULL)
            fail_msg("%s: %s has no line \"%s\" but is\n%s", t->page, what, line, got);
}

static void check_answer(struct told *t, const struct exchange *ex, const struct stage_answer *r)
{
    const char *what = stage_text(t->stage, "%s %s", ex->method, ex->path), *from = ex->want_headers, *where;
    json_t *want;
    json_error_t error;
    char *line;

    if (r->status != ex->status)
        fail_msg("%s: %s is answered %d, not %d: %s%s", t->page, what, r->status, ex->status, r->error, r->body);
    while (page_line(&from, &line)) {
        const char *value = stage_header(t->stage, r, stage_text(t->stage, "%.*s", (int)strcspn(line, ":"), line));
        if (value == NULL || strcmp(value, strchr(line, ':') + 2) != 0)
            fail_msg("%s: %s: no header \"%s\" but \"%s\"", t->page, what, line, value != NULL ? value : "none");
    }
    if (*ex->want != '{' && *ex->want != '[') {
        check_lines(t, what, ex->want, r->body);
        return;
    }
    want = json_loads(ex->want, 0, &error);
    if (want == NULL)
        fail_msg("%s: the answer to %s is no JSON: %s in %s", t->page, what, error.text, ex->want);
    where = r->json != NULL ? difference(t, want, r->json, ex->open, "") : "everything";
    json_decref(want);
    if (where != NULL)
        fail_msg("%s: the answer to %s differs in %s: it is\n%s\nthe page has\n%s", t->page, what, where, r->body,
                 ex->want);
}

static struct stage_answer *send_it(struct told *t, const struct exchange *ex)
{
    struct stage *s = t->stage;
    const char *body = ex->uploads ? t->file : *ex->body != '\0' ? swapped(t, ex->body) : NULL;
    const char *headers = *ex->headers != '\0' ? swapped(t, ex->headers) : NULL, *path = swapped(t, ex->path);
    size_t size = ex->uploads ? t->file_size : body != NULL ? strlen(body) : 0;

    return t->agent != NULL
               ? stage_agent_http_as(t->agent, stage_cert(s, "controller"), ex->method, path, headers, body, size)
               : stage_https(s, NULL, NULL, ex->method, stage_text(s, "%s%s", t->base, path), headers, body, size);
}

static void all_examples_are_true(struct told *t, unsigned at_least)
{
    const char *at = page_of(stage_text(t->stage, "%s/docs/%s", t->stage->root, t->page));
    struct exchange ex;
    char *block;

    while ((block = page_block(&at, "http")) != NULL)
        for (const char *in = block; read_exchange(t, &in, &ex); t->n++) {
            ex.want = swapped(t, ex.want);
            check_answer(t, &ex, send_it(t, &ex));
        }
    if (t->n < at_least)
        fail_msg("%s: %u examples were found, not %u", t->page, t->n, at_least);
}

/* ---- the pages */

static const char *bytes_of(struct stage *s, const char *path, size_t *size)
{
    FILE *f = fopen(path, "re");
    long end;
    char *bytes;

    if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (end = ftell(f)) < 0)
        stage_fail(s, "cannot read %s", path);
    rewind(f);
    bytes = stage_alloc(s, (size_t)end + 1);
    *size = fread(bytes, 1, (size_t)end, f);
    (void)fclose(f);
    return bytes;
}

static void the_agent_answers_as_its_page_says(struct stage *s)
{
    struct stage_server *server = stage_server_start(s, "web01", "v1");
    const struct stage_signer *signer = stage_signer(s, "release");
    const char *file = stage_server_variant(s, "v2");
    const char *header =
        stage_sign_header(s, stage_sign(s, signer, file, stage_sign_label(s, "app", 2, file), STAGE_PREHASHED));
    struct told t = {.stage = s, .page = "api-agent.md"};

    t.agent = stage_agent_start(s, "web01", server, false, stage_text(s, "sign-key = %s\n", signer->line));
    t.swaps[0] = (struct swap){"NEW", stage_sha256(s, file)};
    t.swaps[1] = (struct swap){"OLD", stage_sha256(s, server->exe)};
    t.swaps[3] = (struct swap){"10.0.0.11:8080", server->peer};
    t.swaps[2] = (struct swap){"SIGNATURE", strchr(header, ' ') + 1};
    t.file = bytes_of(s, file, &t.file_size);
    all_examples_are_true(&t, 25);
}

/* The servers of the page's upstream are asked for nothing, and need not be there: whether nginx is up is asked of
 * another one. */
static void nginx_answers_as_the_modules_page_says(struct stage *s)
{
    const char *const peers[] = {stage_text(s, "127.0.0.1:%u", stage_port(s)),
                                 stage_text(s, "127.0.0.1:%u", stage_port(s)), NULL};
    const char *const other[] = {stage_text(s, "127.0.0.1:%u", stage_port(s)), NULL};
    const struct stage_upstream upstreams[] = {{.name = "other", .peers = other, .no_zone = true},
                                               {.name = "app", .peers = peers, .no_keepalive = true},
                                               {.name = NULL}};
    struct stage_nginx *n = stage_nginx_start(
        s, "lb1",
        &(struct stage_nginx_conf){.upstreams = upstreams,
                                   .http_extra = stage_text(s, "api_state %s/kept;", stage_mkdir(s, "state"))});
    struct told t = {.stage = s, .page = "api-module.md", .base = stage_text(s, "http://127.0.0.1:%u", n->api_port)};

    t.swaps[0] = (struct swap){"10.0.0.11:8080", peers[0]};
    t.swaps[1] = (struct swap){"10.0.0.12:8080", peers[1]};
    all_examples_are_true(&t, 15);
}

/* ---- who reaches nginx's API */

static const char *replaced(struct stage *s, const char *text, const char *word, const char *with)
{
    const char *at = strstr(text, word);

    if (at == NULL)
        fail_msg("the page's nginx.conf has no \"%s\"", word);
    return stage_text(s, "%.*s%s%s", (int)(at - text), text, with, at + strlen(word));
}

static void make_certificate(struct stage *s, const char *kind, const char *name)
{
    const char *argv[] = {stage_text(s, "%s/deploy/pki/rollout-pki", s->root),
                          "--dir",
                          stage_text(s, "%s/pki", s->dir),
                          kind,
                          name,
                          NULL};
    struct stage_run r = stage_run(s, 30000, argv);

    if (r.exit_code != 0)
        stage_fail(s, "rollout-pki ended with exit code %d: %s", r.exit_code, r.err);
}

static int take_out_as(struct stage *s, const char *name, uint16_t port)
{
    struct stage_tls tls = {.ca = stage_text(s, "%s/pki/ca.pem", s->dir)};

    if (name != NULL) {
        tls.cert = stage_text(s, "%s/pki/%s.pem", s->dir, name);
        tls.key = stage_text(s, "%s/pki/%s.key", s->dir, name);
    }
    return stage_https(s, &tls, stage_text(s, "127.0.0.1:%u", port), "PATCH",
                       "https://lb1/api/9/http/upstreams/app/servers/0", NULL, "{\"down\":true}", 13)
        ->status;
}

static void who_is_not_named_does_not_reach_the_api(struct stage *s)
{
    const char *const peers[] = {stage_text(s, "127.0.0.1:%u", stage_port(s)),
                                 stage_text(s, "127.0.0.1:%u", stage_port(s)), NULL};
    const struct stage_upstream upstreams[] = {{.name = "app", .peers = peers}, {.name = NULL}};
    const char *at = page_of(stage_text(s, "%s/docs/security.md", s->root)), *conf = page_block(&at, "nginx"), *server;
    uint16_t port = stage_port(s);
    struct stage_nginx *n;

    if (conf == NULL)
        fail_msg("docs/security.md has no block \"nginx\"");
    conf = replaced(s, conf, "8443", stage_text(s, "127.0.0.1:%u", port));
    conf = replaced(s, conf, "/etc/nginx/api/server.pem", stage_text(s, "%s/pki/lb1.pem", s->dir));
    conf = replaced(s, conf, "/etc/nginx/api/server.key", stage_text(s, "%s/pki/lb1.key", s->dir));
    conf = replaced(s, conf, "/etc/nginx/api/ca.pem", stage_text(s, "%s/pki/ca.pem", s->dir));
    make_certificate(s, "ca", NULL);
    make_certificate(s, "node", "lb1");
    make_certificate(s, "node", "web01");
    make_certificate(s, "controller", "controller");
    make_certificate(s, "controller", "another");
    n = stage_nginx_start(s, "lb1", &(struct stage_nginx_conf){.upstreams = upstreams, .http_extra = conf});
    server = stage_text(s, "%s/9/http/upstreams/app/servers/0", n->api);

    assert_int_equal(take_out_as(s, NULL, port), 400);
    assert_int_equal(take_out_as(s, "web01", port), 400);
    assert_int_equal(take_out_as(s, "another", port), 403);
    assert_false(stage_json_bool(s, stage_http(s, "GET", server, NULL, NULL)->json, "down"));
    assert_int_equal(take_out_as(s, "controller", port), 200);
    assert_true(stage_json_bool(s, stage_http(s, "GET", server, NULL, NULL)->json, "down"));
}

/* ---- the night's last resort */

/* What one leaves that dies with node1 out: a claim that says so, and the server down. */
static void claim_of_a_dead_rollout(struct stage_fleet *f, const char *url)
{
    struct stage *s = f->stage;
    const char *claim = stage_text(s,
                                   "{\"rollout\":\"dead\",\"fence\":1,\"expect\":0,\"ttl\":1,\"holder\":\"nobody\","
                                   "\"took_out\":[{\"lb\":\"lb1\",\"upstream\":\"app\",\"server\":\"%s\","
                                   "\"prior\":{\"down\":false,\"drain\":false}}]}",
                                   f->node[0].server->peer);

    assert_int_equal(stage_agent_http(f->node[0].agent, "PUT", "/v1/services/app/claim", claim)->status, 200);
    assert_int_equal(stage_http(s, "PATCH", url, NULL, "{\"down\":true}")->status, 200);
}

static void what_is_put_back_by_hand_as_the_guide_says_is_whole_after_a_repair(struct stage *s)
{
    const char *guide = page_of(stage_text(s, "%s/docs/operating.md", s->root));
    const char *from = strstr(guide, "-X PATCH -d '"), *path = from != NULL ? strstr(from, "/api/") : NULL;
    struct stage_fleet *f = stage_fleet(s, 2, 1);
    const char *body, *url;

    if (path == NULL) {
        fail_msg("docs/operating.md has no curl that puts a server back");
        return;
    }
    from += strlen("-X PATCH -d '");
    body = stage_text(s, "%.*s", (int)strcspn(from, "'"), from);
    url = stage_text(s, "%s%.*s", f->lb[0]->api, (int)strcspn(path, "\n") - 4, path + 4);
    claim_of_a_dead_rollout(f, url);
    assert_string_equal(stage_fleet_peer_state(f, 0, 0), "down");
    assert_int_equal(stage_http(s, "PATCH", url, NULL, body)->status, 200);
    assert_string_equal(stage_fleet_peer_state(f, 0, 0), "up");
    stage_rollout_expect(s, stage_fleet_run(f, 30000, (const char *const[]){"repair", "--lease-ttl=1s", NULL}), 0,
                         STAGE_SAYS(""));
    assert_true(stage_fleet_all_up(f));
    assert_true(stage_fleet_is_free(f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(the_agent_answers_as_its_page_says),
        stage_test(nginx_answers_as_the_modules_page_says),
        stage_test(who_is_not_named_does_not_reach_the_api),
        stage_test(what_is_put_back_by_hand_as_the_guide_says_is_whole_after_a_repair),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
