/* completion_case.c - the shells' completion, asked as the shells ask it; zsh and fish only read it, where they are. */
#include <string.h>
#include <unistd.h>

#include "tests/stage/proc.h"
#include "tests/stage/test.h"

#define LIMIT_MS 20000

/* What bash would offer behind these words, the last of which is being typed. */
static const char *offered(struct stage *s, const char *words)
{
    static const char script[] =
        "PATH=$1:$PATH; . $1/completion/rollout.bash; shift; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); "
        "compopt() { :; }; _rollout; printf '%s\\n' \"${COMPREPLY[@]}\"";
    struct stage_run r = stage_run(
        s, LIMIT_MS,
        (const char *const[]){"/bin/bash", "-c", stage_text(s, "set -- %s %s; %s", s->build, words, script), NULL});

    assert_int_equal(r.exit_code, 0);
    return r.out;
}

static void expect(struct stage *s, const char *words, const char *want)
{
    const char *is = offered(s, words);

    if (strcmp(is, want) != 0)
        fail_msg("behind %s it offers\n%snot\n%s", words, is, want);
}

static void bash_offers_commands_flags_and_words(struct stage *s)
{
    expect(s, "rollout re", "resume\nrepair\n");
    expect(s, "rollout --log-format g", "github\ngitlab\n");
    expect(s, "rollout --log-format = p", "plain\n");
    expect(s, "rollout history --o", "--output\n");
    expect(s, "rollout --junit", "--junit\n");
    expect(s, "rollout status --junit", "\n"); /* not one of its own */
}

static void bash_offers_the_hosts_and_groups_of_the_file(struct stage *s)
{
    const char *hosts = stage_write(s, "fleet.ini",
                                    "[lb]\nlb1 rollout_api=http://10.0.0.1/api\n[web]\nweb[1:2]\nworker1\n"
                                    "[web:vars]\nrollout_service=app\n");

    expect(s, stage_text(s, "rollout --hosts %s --limit w", hosts), "web1\nweb2\nworker1\nweb\n");
    expect(s, stage_text(s, "rollout --hosts %s --limit worker", hosts), "worker1\n");
    expect(s, "rollout --hosts /nowhere --limit w", "\n");
}

/* Whoever presses the tabulator key has perhaps not read the file. */
static void bash_runs_nothing_that_a_hosts_file_says(struct stage *s)
{
    const char *hosts = stage_write(s, "fleet.ini",
                                    stage_text(s,
                                               "[lb]\nlb1 rollout_api=http://10.0.0.1/api\n[we$(touch %s/ran)]\nw1\n"
                                               "[we`touch %s/ran`]\nw2\n[wel-l.1:vars]\na=b\n",
                                               s->dir, s->dir));

    expect(s, stage_text(s, "rollout --hosts %s --limit we", hosts), "wel-l.1\n");
    if (access(stage_text(s, "%s/ran", s->dir), F_OK) == 0)
        fail_msg("a command in the name of a group was run");
}

static void expect_read(struct stage *s, const char *shell, const char *flag, const char *suffix)
{
    struct stage_run r;

    if (access(shell, X_OK) != 0)
        skip();
    r = stage_run(
        s, LIMIT_MS,
        (const char *const[]){shell, flag, stage_text(s, "%s/completion/rollout.%s", s->build, suffix), NULL});
    if (r.exit_code != 0)
        fail_msg("%s", r.err);
}

static void zsh_reads_its_own(struct stage *s)
{
    expect_read(s, "/usr/bin/zsh", "-n", "zsh");
}

static void fish_reads_its_own(struct stage *s)
{
    expect_read(s, "/usr/bin/fish", "-n", "fish");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(bash_offers_commands_flags_and_words),
        stage_test(bash_offers_the_hosts_and_groups_of_the_file),
        stage_test(bash_runs_nothing_that_a_hosts_file_says),
        stage_test(zsh_reads_its_own),
        stage_test(fish_reads_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
