#include "common/upgrade_note.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT(text) text, sizeof(text) - 1

static const struct {
    const char *bytes;
    size_t count;
    enum upgrade_note note;
    const char *rest;
} rows[] = {
    {TEXT("running 12\n"), UPGRADE_RUNNING, "12"},
    {TEXT("done 12\n"), UPGRADE_DONE, "12"},
    {TEXT("failed it is gone\n"), UPGRADE_FAILED, "it is gone"},
    {TEXT("refused not now"), UPGRADE_REFUSED, "not now"}, /* without its newline */
    {TEXT("failed \n"), UPGRADE_FAILED, ""},
    {TEXT("failed one\nfailed two\n"), UPGRADE_FAILED, "one"},
    {TEXT("failed \033[2J\0\r\x7f\xc3\xa4\n"), UPGRADE_FAILED, "?[2J?????"},
    {TEXT("failed 12345678901234567890\n"), UPGRADE_FAILED, "123456789012345"},
    {TEXT(""), UPGRADE_NOTE_NONE, ""},
    {TEXT("failed"), UPGRADE_NOTE_NONE, ""},
    {TEXT("failed\n"), UPGRADE_NOTE_NONE, ""},
    {TEXT("failedly so\n"), UPGRADE_NOTE_NONE, ""},
    {TEXT(" failed x\n"), UPGRADE_NOTE_NONE, ""},
    {TEXT("Failed x\n"), UPGRADE_NOTE_NONE, ""},
    {TEXT("4712\n"), UPGRADE_NOTE_NONE, ""},
};

static void a_note_is_its_word_and_one_printable_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char rest[16] = "unset";
        enum upgrade_note note = upgrade_note_parse(rows[i].bytes, rows[i].count, rest, sizeof rest);

        if (note != rows[i].note || strcmp(rest, rows[i].rest) != 0)
            fail_msg("row %zu: %d \"%s\"", i, (int)note, rest);
    }
}

static void a_note_that_is_too_long_is_none(void **state)
{
    char bytes[UPGRADE_NOTE_MAX + 1], rest[8];

    (void)state;
    memset(bytes, 'x', sizeof bytes);
    memcpy(bytes, "failed ", 7);
    assert_int_equal(upgrade_note_parse(bytes, UPGRADE_NOTE_MAX, rest, sizeof rest), UPGRADE_FAILED);
    assert_int_equal(upgrade_note_parse(bytes, sizeof bytes, rest, sizeof rest), UPGRADE_NOTE_NONE);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    for (int note = UPGRADE_RUNNING; note <= UPGRADE_REFUSED; note++) {
        char bytes[64] = "", rest[8];

        (void)strcat(strcpy(bytes, upgrade_note_word((enum upgrade_note)note)), " 7\n");
        assert_int_equal(upgrade_note_parse(bytes, strlen(bytes), rest, sizeof rest), note);
        assert_string_equal(rest, "7");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_note_is_its_word_and_one_printable_line),
        cmocka_unit_test(a_note_that_is_too_long_is_none),
        cmocka_unit_test(what_is_written_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
