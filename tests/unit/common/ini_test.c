#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/ini.h"

/* What the reader saw, as text: "LINE [SECTION]" for an opening, "LINE SECTION|TEXT" for a line. */
struct seen {
    char text[1024];
    const char *refuse; /* a line at which the callee says no */
};

static bool note(void *ctx, const struct ini_line *l, struct err *err)
{
    struct seen *s = ctx;
    size_t used = strlen(s->text);
    if (l->text)
        snprintf(s->text + used, sizeof s->text - used, "%u %s|%.40s\n", l->line, l->section, l->text);
    else
        snprintf(s->text + used, sizeof s->text - used, "%u [%s]\n", l->line, l->section);
    if (s->refuse && l->text && !strcmp(l->text, s->refuse))
        return err_set(err, "not this one");
    return true;
}

static const struct good {
    const char *bytes, *seen;
} goods[] = {
    {"", ""},
    {"\n\n", ""},
    {"a=1", "1 |a=1\n"},
    {"a=1\n", "1 |a=1\n"},
    {"# c\n; d\n  # e\na\n", "4 |a\n"},
    {"  a = 1 \t\n", "1 |a = 1\n"},
    {"a\r\n[s]\r\nb\r\n", "1 |a\n2 [s]\n3 s|b\n"},
    {"\xef\xbb\xbf[s]\nb", "1 [s]\n2 s|b\n"},
    {"[web:vars] # why\nx=1\n[ b ];\n", "1 [web:vars]\n2 web:vars|x=1\n3 [ b ]\n"},
    {"[s]\n[s]\n", "1 [s]\n2 [s]\n"},
    {"a # not ours to cut\n", "1 |a # not ours to cut\n"},
};

static void lines_and_sections_come_with_their_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof goods / sizeof *goods; i++) {
        struct seen s = {0};
        struct err err = {0};
        assert_true(ini_parse("f", goods[i].bytes, strlen(goods[i].bytes), note, &s, &err));
        assert_string_equal(s.text, goods[i].seen);
        assert_string_equal(err.text, "");
    }
}

static const struct bad {
    const char *bytes;
    size_t size;
    const char *text;
} bads[] = {
    {"a\n[s\n", 5, "f:2: a line that begins with [ opens a section and is written [NAME], not \"[s\""},
    {"[s] x\n", 6, "f:1: a line that begins with [ opens a section and is written [NAME], not \"[s] x\""},
    {"\n[]\n", 4, "f:2: a section needs a name: [NAME]"},
    {"a\nb\0c\n", 6, "f:2: the line holds a NUL byte: this is not a text file"},
    {"#\0\n", 3, "f:1: the line holds a NUL byte: this is not a text file"},
    {"x\n y\nno\n", 9, "f:3: not this one"},
};

static void a_bad_line_is_named_by_file_and_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        struct seen s = {.refuse = "no"};
        struct err err = {0};
        assert_false(ini_parse("f", bads[i].bytes, bads[i].size, note, &s, &err));
        assert_string_equal(err.text, bads[i].text);
    }
}

static void a_line_at_the_limit_is_taken_and_one_byte_more_refused(void **state)
{
    (void)state;
    size_t size = INI_LINE_MAX + 3;
    char *bytes = malloc(size);
    memset(bytes, 'x', size);
    bytes[0] = '\n';
    bytes[size - 1] = '\n';
    struct seen s = {0};
    struct err err = {0};
    assert_false(ini_parse("f", bytes, size, note, &s, &err));
    assert_string_equal(err.text, "f:2: the line has 65537 bytes, at most 65536 are allowed: is this the right file?");
    assert_string_equal(s.text, "");
    bytes[size - 2] = '\r'; /* the line end does not count */
    assert_true(ini_parse("f", bytes, size, note, &s, &err));
    free(bytes);
}

static void files_are_read_and_their_failures_named(void **state)
{
    (void)state;
    char folder[] = "/tmp/ini_test.XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/hosts", folder);
    struct err err = {0};
    struct seen s = {0};
    assert_false(ini_read(path, note, &s, &err));
    assert_non_null(strstr(err.text, "cannot open it: No such file"));
    assert_false(ini_read(folder, note, &s, &err));
    assert_non_null(strstr(err.text, "this is a folder"));

    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("[s]\na\n", f);
    fclose(f);
    assert_true(ini_read(path, note, &s, &err));
    assert_string_equal(s.text, "1 [s]\n2 s|a\n");
    assert_int_equal(truncate(path, 1024 * 1024), 0);
    assert_false(ini_read(path, note, &s, &err));
    assert_non_null(strstr(err.text, "hosts:3: the line has 1048570 bytes"));
    assert_int_equal(truncate(path, INI_FILE_MAX + 1L), 0);
    assert_false(ini_read(path, note, &s, &err));
    assert_non_null(strstr(err.text, "more than 64 MB"));
    unlink(path);

    assert_int_equal(mkfifo(path, 0600), 0); /* nobody writes: taken as empty, never waited for */
    struct seen none = {0};
    assert_true(ini_read(path, note, &none, &err));
    assert_string_equal(none.text, "");
    unlink(path);
    rmdir(folder);
}

static void a_pipe_can_be_read(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "a\nb", 3), 3);
    close(ends[1]);
    char path[32];
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    struct seen s = {0};
    struct err err = {0};
    assert_true(ini_read(path, note, &s, &err));
    assert_string_equal(s.text, "1 |a\n2 |b\n");
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_and_sections_come_with_their_numbers),
        cmocka_unit_test(a_bad_line_is_named_by_file_and_line),
        cmocka_unit_test(a_line_at_the_limit_is_taken_and_one_byte_more_refused),
        cmocka_unit_test(files_are_read_and_their_failures_named),
        cmocka_unit_test(a_pipe_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
