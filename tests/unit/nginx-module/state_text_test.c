/* state_text_test.c - the text of the state file: what goes in comes out, and nothing else comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "deploy/nginx-module/state_text.h"

static struct state_name name(const char *text)
{
    return (struct state_name){text, strlen(text)};
}

static struct state_row peer(const char *upstream, const char *address, uint32_t ordinal, enum wanted wanted)
{
    return (struct state_row){
        .what = STATE_PEER,
        .kind = SHARED_HTTP,
        .upstream = name(upstream),
        .peer = {.address = name(address), .ordinal = ordinal, .wanted = wanted},
    };
}

static struct state_row lease(const char *upstream, uint64_t fence, const char *id, const char *holder)
{
    struct state_row row = {.what = STATE_LEASE,
                            .kind = SHARED_STREAM,
                            .upstream = name(upstream),
                            .lease = {.fence = fence, .expires_ms = 1764000000123}};

    (void)snprintf(row.lease.id, sizeof row.lease.id, "%s", id);
    (void)snprintf(row.lease.holder, sizeof row.lease.holder, "%s", holder);
    return row;
}

/* The caller frees it. */
static char *write_rows(const struct state_row *rows, size_t n, size_t *size_bytes)
{
    struct state_text text;

    state_text_begin(&text);
    for (size_t i = 0; i < n; i++)
        state_text_add(&text, &rows[i]);
    assert_true(state_text_end(&text));
    *size_bytes = text.size_bytes;
    return text.bytes;
}

static void same_name(const struct state_name *a, const struct state_name *b)
{
    assert_int_equal(a->size_bytes, b->size_bytes);
    assert_memory_equal(a->bytes, b->bytes, a->size_bytes);
}

static void same_row(const struct state_row *a, const struct state_row *b)
{
    assert_int_equal(a->what, b->what);
    assert_int_equal(a->kind, b->kind);
    same_name(&a->upstream, &b->upstream);
    if (a->what == STATE_LEASE) {
        assert_true(a->lease.fence == b->lease.fence);
        assert_true(a->lease.expires_ms == b->lease.expires_ms);
        assert_string_equal(a->lease.id, b->lease.id);
        assert_string_equal(a->lease.holder, b->lease.holder);
        return;
    }
    same_name(&a->peer.address, &b->peer.address);
    assert_int_equal(a->peer.ordinal, b->peer.ordinal);
    assert_int_equal(a->peer.wanted, b->peer.wanted);
    assert_int_equal(a->peer.params_wanted, b->peer.params_wanted);
    for (unsigned i = 0; i < SHARED_PARAMS; i++)
        if (a->peer.params_wanted & 1u << i)
            assert_true(a->peer.param_wanted[i] == b->peer.param_wanted[i]);
}

static void round_trip(const struct state_row *rows, size_t n)
{
    size_t size_bytes;
    char *bytes = write_rows(rows, n, &size_bytes);
    struct state_rows back;
    struct state_error error;

    if (!state_text_read(&back, bytes, size_bytes, &error))
        fail_msg("line %u: %s", error.line, error.why);
    assert_int_equal(back.rows_n, n);
    for (size_t i = 0; i < n; i++)
        same_row(&rows[i], &back.rows[i]);
    state_rows_free(&back);
    free(bytes);
}

static void the_text_is_as_the_header_says(void **state)
{
    static const char want[] = "upstream_api_state 1\n"
                               "lease stream app fence=7 expires_ms=1764000000123 id=ci/42 holder=amy%20\n"
                               "peer http app 10.0.0.11:8080 0 down weight=5 fail_timeout=0\n"
                               "end 2 ";
    struct state_row rows[] = {lease("app", 7, "ci/42", "amy "), peer("app", "10.0.0.11:8080", 0, WANTED_DOWN)};
    size_t size_bytes;

    (void)state;
    rows[1].peer.params_wanted = 1u << SHARED_WEIGHT | 1u << SHARED_FAIL_TIMEOUT;
    rows[1].peer.param_wanted[SHARED_WEIGHT] = 5;
    char *bytes = write_rows(rows, 2, &size_bytes);
    assert_int_equal(size_bytes, strlen(want) + 17);
    assert_memory_equal(bytes, want, strlen(want));
    free(bytes);
}

static void what_is_written_is_read_back_whatever_the_names(void **state)
{
    char all[256];
    struct state_row rows[] = {
        peer("app", "10.0.0.11:8080", 0, WANTED_DRAIN),
        peer("a b", "unix:/run/a b.sock", UINT32_MAX, WANTED_UP),
        peer("100%", "[::1]:80", 7, WANTED_AS_CONFIGURED),
        peer("%41", "%", 0, WANTED_DOWN),
        peer("line\nend 1 0", "tab\t", 0, WANTED_DOWN),
        peer("caf\xc3\xa9", "=", 0, WANTED_DOWN),
        lease("app", LEASE_FENCE_MAX, "A-z.0_9/x", "amy \"ci\" 100% ~"),
        lease("none", 1, "a", ""),
        peer("x", "all", 0, WANTED_DOWN),
    };

    (void)state;
    round_trip(NULL, 0);
    rows[2].peer.params_wanted = (1u << SHARED_PARAMS) - 1;
    for (unsigned i = 0; i < SHARED_PARAMS; i++)
        rows[2].peer.param_wanted[i] = i == 1 ? INT64_MAX : 1;
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (char)i;
    rows[8].upstream = rows[8].peer.address = (struct state_name){all, sizeof all};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        round_trip(&rows[i], 1);
    round_trip(rows, sizeof rows / sizeof *rows);
}

static bool reads(const char *bytes, size_t size_bytes, struct state_error *error)
{
    char *copy = malloc(size_bytes + 1); /* not one byte more may be looked at */
    struct state_rows rows;

    memcpy(copy, bytes, size_bytes);
    bool good = state_text_read(&rows, copy, size_bytes, error);
    state_rows_free(&rows);
    free(copy);
    return good;
}

static void a_text_that_is_cut_anywhere_or_has_one_bit_wrong_is_refused(void **state)
{
    const struct state_row rows[] = {peer("app", "10.0.0.11:8080", 0, WANTED_DRAIN), lease("app", 7, "a", "amy"),
                                     peer("app", "10.0.0.12:8080", 0, WANTED_DOWN)};
    struct state_error error;
    size_t size_bytes;
    char *bytes = write_rows(rows, 3, &size_bytes);

    (void)state;
    assert_true(reads(bytes, size_bytes, &error));
    for (size_t n = 0; n < size_bytes; n++)
        if (reads(bytes, n, &error))
            fail_msg("cut to %zu of %zu bytes it is read", n, size_bytes);
    for (size_t bit = 0; bit < size_bytes * 8; bit++) {
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        if (reads(bytes, size_bytes, &error))
            fail_msg("with bit %zu turned it is read", bit);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
    }
    free(bytes);
}

/* A line with a right sum around it: found by writing, so that the refusal is the line's. */
static char *around(const char *head, const char *line, const char *rows_n)
{
    uint64_t sum = 0xcbf29ce484222325;
    char *text = malloc(4096);
    size_t n = (size_t)snprintf(text, 4096, "%s\n%s\n", head, line);

    for (size_t i = 0; i < n; i++)
        sum = (sum ^ (unsigned char)text[i]) * 0x100000001b3;
    (void)snprintf(text + n, 4096 - n, "end %s %016llx\n", rows_n, (unsigned long long)sum);
    return text;
}

static void each_line_is_read_strictly_and_a_refusal_names_it(void **state)
{
    static const struct {
        const char *line, *why; /* why NULL: it is good */
    } rows[] = {
        {"peer http app 10.0.0.1:80 0 down", NULL},
        {"peer http app 10.0.0.1:80 0 down weight=1 max_conns=0", NULL},
        {"", "neither a lease nor a peer"},
        {"pear http app 10.0.0.1:80 0 down", "neither a lease nor a peer"},
        {"peer http", "neither a lease nor a peer"},
        {" peer http app 10.0.0.1:80 0 down", "neither a lease nor a peer"},
        {"peer http app 10.0.0.1:80 0 down weight=1 max_conns=1 max_fails=1 fail_timeout=1 weight=2",
         "neither a lease nor a peer"},
        {"peer mail app 10.0.0.1:80 0 down", "neither http nor stream"},
        {"peer http  10.0.0.1:80 0 down", "bad name of an upstream"},
        {"peer http a%4 10.0.0.1:80 0 down", "bad name of an upstream"},
        {"peer http a%zz 10.0.0.1:80 0 down", "bad name of an upstream"},
        {"peer http a\tb 10.0.0.1:80 0 down", "bad name of an upstream"},
        {"peer http a\xff 10.0.0.1:80 0 down", "bad name of an upstream"},
        {"peer http app 10.0.0.1:80 0", "a peer has"},
        {"peer http app  0 down", "bad address"},
        {"peer http app 10.0.0.1:80 -1 down", "bad ordinal"},
        {"peer http app 10.0.0.1:80 4294967296 down", "bad ordinal"},
        {"peer http app 10.0.0.1:80  down", "bad ordinal"},
        {"peer http app 10.0.0.1:80 0 Down", "unknown state"},
        {"peer http app 10.0.0.1:80 0 down ", "unknown parameter"},
        {"peer http app 10.0.0.1:80 0 down colour=1", "unknown parameter"},
        {"peer http app 10.0.0.1:80 0 down weight=", "bad value of weight"},
        {"peer http app 10.0.0.1:80 0 down weight=0", "bad value of weight"},
        {"peer http app 10.0.0.1:80 0 down weight=-1", "bad value of weight"},
        {"peer http app 10.0.0.1:80 0 down max_conns=9223372036854775808", "bad value of max_conns"},
        {"peer http app 10.0.0.1:80 0 down max_conns=1 max_conns=1", "max_conns is there twice"},
        {"lease http app fence=1 expires_ms=5 id=a holder=", NULL},
        {"lease http app fence=1 expires_ms=5 id=a", "a lease has"},
        {"lease http app expires_ms=5 fence=1 id=a holder=", "a lease has"},
        {"lease http app fence=0 expires_ms=5 id=a holder=", "bad number"},
        {"lease http app fence=9223372036854775808 expires_ms=5 id=a holder=", "bad number"},
        {"lease http app fence=1 expires_ms=x id=a holder=", "bad number"},
        {"lease http app fence=1 expires_ms=5 id= holder=", "bad id or holder"},
        {"lease http app fence=1 expires_ms=5 id=a%20b holder=", "bad id or holder"},
        {"lease http app fence=1 expires_ms=5 id=a holder=%0A", "bad id or holder"},
        {"lease http app fence=1 expires_ms=5 id=a holder= x", "a lease has"},
    };
    struct state_error error;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = around("upstream_api_state 1", rows[i].line, "1");
        bool good = reads(text, strlen(text), &error);

        if (good != (rows[i].why == NULL))
            fail_msg("\"%s\": %s", rows[i].line, good ? "is read" : error.why);
        if (rows[i].why != NULL && (error.line != 2 || strstr(error.why, rows[i].why) == NULL))
            fail_msg("\"%s\": line %u: %s", rows[i].line, error.line, error.why);
        free(text);
    }
}

static void another_version_and_another_count_are_refused(void **state)
{
    static const struct {
        const char *head, *rows_n, *why;
    } rows[] = {
        {"upstream_api_state 1", "1", NULL},
        {"upstream_api_state 2", "1", "another version"},
        {"upstream_api_state 11", "1", "another version"},
        {"upstream_api_state ", "1", "not a state file"},
        {"upstream_api_state", "1", "not a state file"},
        {"something else 1", "1", "not a state file"},
        {"upstream_api_state 1", "2", "counts other rows"},
        {"upstream_api_state 1", "01", "damaged"},
        {"upstream_api_state 1", "x", "bad number of rows"},
        {"upstream_api_state 1", "99999999999999999999", "bad number of rows"},
    };
    struct state_error error;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = around(rows[i].head, "peer http app 10.0.0.1:80 0 down", rows[i].rows_n);
        bool good = reads(text, strlen(text), &error);

        if (good != (rows[i].why == NULL) || (rows[i].why != NULL && strstr(error.why, rows[i].why) == NULL))
            fail_msg("%zu: %s", i, good ? "is read" : error.why);
        free(text);
    }
}

static void more_than_the_limit_is_neither_written_nor_read(void **state)
{
    size_t size_bytes = STATE_TEXT_MAX_BYTES + 1;
    char *bytes = malloc(size_bytes);
    struct state_error error;
    struct state_text text;
    struct state_row row = peer("app", "a", 0, WANTED_DOWN);

    (void)state;
    memset(bytes, 'a', size_bytes);
    assert_false(reads(bytes, size_bytes, &error));
    assert_non_null(strstr(error.why, "larger"));
    row.upstream = (struct state_name){bytes, STATE_TEXT_MAX_BYTES / 4};
    state_text_begin(&text);
    for (int i = 0; i < 5; i++)
        state_text_add(&text, &row);
    assert_false(state_text_end(&text));
    state_text_free(&text);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_is_as_the_header_says),
        cmocka_unit_test(what_is_written_is_read_back_whatever_the_names),
        cmocka_unit_test(a_text_that_is_cut_anywhere_or_has_one_bit_wrong_is_refused),
        cmocka_unit_test(each_line_is_read_strictly_and_a_refusal_names_it),
        cmocka_unit_test(another_version_and_another_count_are_refused),
        cmocka_unit_test(more_than_the_limit_is_neither_written_nor_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
