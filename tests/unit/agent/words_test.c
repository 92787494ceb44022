#include "agent/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void blanks_part_words_and_quotes_join_them(void **state)
{
    static const struct {
        const char *text, *words; /* each in [] */
    } rows[] = {
        {"", ""},
        {"  ", ""},
        {"\"\"", ""},
        {"''", ""},
        {"a", "[a]"},
        {" -a  b\t c ", "[-a][b][c]"},
        {"-x 'a b' \"c d\"", "[-x][a b][c d]"},
        {"a\"b c\"d", "[ab cd]"},
        {"'it \"is\"' \"isn't\"", "[it \"is\"][isn't]"},
        {"a '' b", "[a][][b]"},
        {"$HOME *.c \\n", "[$HOME][*.c][\\n]"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[256] = "";
        struct words words;
        struct err err = {""};

        if (!words_split(rows[i].text, &words, &err))
            fail_msg("row %zu: %s", i, err.text);
        for (size_t w = 0; w < words.count; w++) {
            (void)strcat(text, "[");
            (void)strcat(text, words.list[w]);
            (void)strcat(text, "]");
        }
        assert_string_equal(text, rows[i].words);
        assert_null(words.list[words.count]);
        words_free(&words);
    }
}

static void what_is_no_list_of_words_is_refused(void **state)
{
    char many[2 * (WORDS_MAX + 2)];
    struct words words;
    struct err err = {""};

    (void)state;
    assert_false(words_split("a 'b", &words, &err));
    assert_string_equal(err.text, "a quote that never ends");
    assert_false(words_split("\"", &words, &err));
    for (size_t i = 0; i < sizeof many - 1; i++)
        many[i] = i % 2 == 0 ? 'x' : ' ';
    many[sizeof many - 1] = '\0';
    assert_false(words_split(many, &words, &err));
    many[2 * WORDS_MAX - 1] = '\0';
    assert_true(words_split(many, &words, &err));
    assert_int_equal(words.count, WORDS_MAX);
    words_free(&words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blanks_part_words_and_quotes_join_them),
        cmocka_unit_test(what_is_no_list_of_words_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
