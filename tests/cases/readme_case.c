/* readme_case.c - the front page and what was written down of it have not gone apart: docs/first-rollout.md is what
 * `make readme` heard when it typed the README's commands, docs/rollout.svg what `make recording` saw. */
#include <string.h>
#include <sys/stat.h>

#include "tests/stage/proc.h"
#include "tests/stage/test.h"

#define LIMIT_MS      20000
#define RECORDING_MAX 100000

static const char *commands(struct stage *s, const char *file)
{
    struct stage_run r = stage_run(s, LIMIT_MS,
                                   (const char *const[]){stage_text(s, "%s/tests/readme/commands", s->root),
                                                         stage_text(s, "%s/%s", s->root, file), NULL});

    if (r.exit_code != 0)
        fail_msg("%s: %s", file, r.err);
    return r.out;
}

static void the_transcript_has_the_commands_of_the_readme(struct stage *s)
{
    const char *typed = stage_text(s, "%s%s", commands(s, "README.md"), commands(s, "docs/handover.md"));
    const char *written = commands(s, "docs/first-rollout.md");
    size_t same = 0;

    assert_non_null(strstr(typed, "\n$ rollout --hosts "));
    if (strcmp(typed, written) == 0)
        return;
    for (size_t i = 0; typed[i] != '\0' && typed[i] == written[i]; i++)
        same = typed[i] == '\n' ? i + 1 : same;
    fail_msg("docs/first-rollout.md is of other pages: run `make readme`. From here on:\n%.120s\nnot\n%.120s",
             typed + same, written + same);
}

static void the_recording_is_small_and_in_the_readme(struct stage *s)
{
    struct stat st;

    assert_int_equal(stat(stage_text(s, "%s/docs/rollout.svg", s->root), &st), 0);
    assert_in_range(st.st_size, 1000, RECORDING_MAX);
    assert_non_null(strstr(stage_read(s, stage_text(s, "%s/README.md", s->root)), "](docs/rollout.svg)"));
}

static void a_command_without_its_end_is_refused(struct stage *s)
{
    const char *file = stage_write(s, "torn.md", "# A page\n\n```sh\nfor x in 1 2; do\n    true\n```\n");
    struct stage_run r =
        stage_run(s, LIMIT_MS, (const char *const[]){stage_text(s, "%s/tests/readme/commands", s->root), file, NULL});

    assert_int_equal(r.exit_code, 1);
    assert_non_null(strstr(r.err, "for x in 1 2; do"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(the_transcript_has_the_commands_of_the_readme),
        stage_test(the_recording_is_small_and_in_the_readme),
        stage_test(a_command_without_its_end_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
