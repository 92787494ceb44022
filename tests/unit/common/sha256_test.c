#include "common/sha256.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* FIPS 180-4 examples: the empty message, one block, two blocks. */
static const struct {
    const char *text, *hex;
} vectors[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

static void a_stream_hashes_like_the_standard_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        uint8_t digest[SHA256_BYTES];
        char hex[SHA256_DIGITS + 1];
        struct sha256 *h = sha256_new();

        for (const char *c = vectors[i].text; *c != '\0'; c++)
            sha256_add(h, c, 1);
        sha256_end(&h, digest);
        assert_null(h);
        sha256_hex(digest, hex);
        assert_string_equal(hex, vectors[i].hex);
    }
}

static void a_file_hashes_whole_and_says_its_size(void **state)
{
    char path[] = "/tmp/sha256_test.XXXXXX", hex[SHA256_DIGITS + 1], block[1000];
    uint8_t digest[SHA256_BYTES];
    uint64_t size = 0;
    struct err err = {""};
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    memset(block, 'a', sizeof block);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(write(fd, block, sizeof block), sizeof block);
    (void)close(fd);
    assert_true(sha256_file(path, digest, &size, &err));
    assert_int_equal(size, 1000000);
    sha256_hex(digest, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    assert_true(sha256_file(path, digest, NULL, NULL));
    (void)unlink(path);
    assert_false(sha256_file(path, digest, &size, &err));
    assert_non_null(strstr(err.text, path));
    assert_false(sha256_file("/tmp", digest, &size, &err));
    assert_non_null(strstr(err.text, "/tmp"));
}

/* None of them is to be read twice, and a reader of a FIFO without a writer, or of zeros, would wait for ever. */
static void what_is_no_regular_file_is_refused_at_once(void **state)
{
    static const char *const others[] = {"/dev/zero", "/dev/stdin", "fifo"};
    char folder[] = "/tmp/sha256_test.XXXXXX";
    uint8_t digest[SHA256_BYTES];
    int pipes[2];

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(dup2(pipes[0], STDIN_FILENO), STDIN_FILENO);
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    (void)alarm(10);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct err err = {""};

        assert_false(sha256_file(others[i], digest, NULL, &err));
        assert_non_null(strstr(err.text, others[i]));
        assert_non_null(strstr(err.text, "is no regular file"));
    }
    (void)alarm(0);
    assert_int_equal(unlink("fifo"), 0);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void only_64_lower_case_digits_are_a_digest(void **state)
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_DIGITS + 1], back[SHA256_DIGITS + 1];

    (void)state;
    assert_true(sha256_parse(vectors[1].hex, digest));
    sha256_hex(digest, back);
    assert_string_equal(back, vectors[1].hex);
    memcpy(hex, vectors[1].hex, sizeof hex);
    hex[0] = 'B';
    assert_false(sha256_parse(hex, digest));
    hex[0] = 'g';
    assert_false(sha256_parse(hex, digest));
    hex[63] = '\0';
    assert_false(sha256_parse(hex, digest));
    assert_false(sha256_parse("", digest));
    assert_false(sha256_parse("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0", digest));
    sha256_hex(digest, hex); /* a refused text leaves the digest as it was */
    assert_string_equal(hex, vectors[1].hex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_hashes_like_the_standard_says),
        cmocka_unit_test(a_file_hashes_whole_and_says_its_size),
        cmocka_unit_test(what_is_no_regular_file_is_refused_at_once),
        cmocka_unit_test(only_64_lower_case_digits_are_a_digest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
