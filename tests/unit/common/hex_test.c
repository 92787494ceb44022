#include "common/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t BYTES[] = {0x00, 0x1f, 0x9a, 0xa9, 0xff};

static void bytes_come_back(void **state)
{
    char text[2 * sizeof BYTES + 1];
    uint8_t again[sizeof BYTES] = {0};

    (void)state;
    hex_write(text, BYTES, sizeof BYTES);
    assert_string_equal(text, "001f9aa9ff");
    assert_true(hex_read(text, again, sizeof again));
    assert_memory_equal(again, BYTES, sizeof BYTES);
}

static void anything_else_is_refused_and_changes_nothing(void **state)
{
    static const char *const texts[] = {"", "001f9aa9f", "001f9aa9ff0", "001F9aa9ff", "001f9aa9fg", "001f9 a9ff"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        uint8_t bytes[sizeof BYTES];

        memcpy(bytes, BYTES, sizeof bytes);
        assert_false(hex_read(texts[i], bytes, sizeof bytes));
        assert_memory_equal(bytes, BYTES, sizeof bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_back),
        cmocka_unit_test(anything_else_is_refused_and_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
