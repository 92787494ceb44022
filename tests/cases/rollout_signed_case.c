/* rollout_signed_case.c - a fleet whose agents take signed releases only: what is not signed is refused before anything
 * is changed, and the command that the refusal names makes it good. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tests/stage/fleet.h"
#include "tests/stage/sign.h"
#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define RUN_LIMIT_MS 60000
#define NODES        2
#define OFF          "require-signature = off"

static struct stage_fleet *begin(struct stage *s, struct stage_signer **key)
{
    struct stage_fleet *f = stage_fleet(s, NODES, 1);

    *key = stage_signer(s, "key");
    for (unsigned i = 0; i < NODES; i++) {
        struct stage_agent *a = f->node[i].agent;
        const char *config = stage_read(s, a->conf_path), *off = strstr(config, OFF);

        assert_non_null(off);
        stage_agent_stop(a, SIGTERM);
        (void)stage_write(
            s, a->conf_path,
            stage_text(s, "%.*ssign-key = %s%s", (int)(off - config), config, (*key)->public, off + strlen(OFF)));
        stage_agent_again(a);
    }
    return f;
}

static struct stage_rollout *roll(struct stage_fleet *f, const char *release)
{
    return stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"--release", release, NULL});
}

static void assert_versions(struct stage_fleet *f, const char *version)
{
    for (unsigned i = 0; i < NODES; i++)
        assert_string_equal(stage_server_version(f->node[i].server), version);
}

/* As a person would who reads the refusal: the secret key apart, which is asked for there. */
static void do_what_it_says(struct stage *s, const struct stage_signer *key, const char *said)
{
    const char *at = strstr(said, "minisign -Sm"), *end = at != NULL ? strstr(at, "\"\n") : NULL;
    struct stage_run r;

    if (end == NULL)
        fail_msg("no command: %s", said);
    r = stage_run(
        s, 20000,
        (const char *const[]){"/bin/sh", "-c", stage_text(s, "%.*s\" -s %s", (int)(end - at), at, key->secret), NULL});
    if (r.exit_code != 0)
        fail_msg("%d: %s%s", r.exit_code, r.out, r.err);
}

static void what_is_not_signed_is_refused_with_the_command_that_signs_it(struct stage *s)
{
    struct stage_signer *key;
    struct stage_fleet *f = begin(s, &key);
    const char *v2 = stage_copy(s, stage_server_variant(s, "v2"), "app-2");
    struct stage_rollout *r = roll(f, v2);

    stage_rollout_expect(s, r, 5, STAGE_SAYS("takes signed releases only", "sequence:1 "));
    assert_versions(f, "1");
    do_what_it_says(s, key, r->err);
    r = roll(f, v2);
    stage_rollout_expect(s, r, 0, STAGE_SAYS(""));
    assert_versions(f, "2");
}

static void an_old_release_is_refused_and_rollback_is_the_way_back(struct stage *s)
{
    struct stage_signer *key;
    struct stage_fleet *f = begin(s, &key);
    const char *v2 = stage_copy(s, stage_server_variant(s, "v2"), "app-2");
    const char *v1 = stage_copy(s, stage_server_variant(s, "v1"), "app-1");

    assert_int_equal(rename(stage_sign(s, key, v1, stage_sign_label(s, "app", 4, v1), STAGE_PREHASHED),
                            stage_text(s, "%s.minisig", v1)),
                     0);
    assert_int_equal(rename(stage_sign(s, key, v2, stage_sign_label(s, "app", 5, v2), STAGE_PREHASHED),
                            stage_text(s, "%s.minisig", v2)),
                     0);
    stage_rollout_expect(s, roll(f, v2), 0, STAGE_SAYS(""));
    stage_rollout_expect(s, roll(f, v1), 5, STAGE_SAYS("a later one has been installed", "sequence:6 "));
    assert_versions(f, "2");
    stage_rollout_expect(s, stage_fleet_run(f, RUN_LIMIT_MS, (const char *const[]){"rollback", NULL}), 0,
                         STAGE_SAYS(""));
    assert_versions(f, "1");
}

/* The agents alone hold keys: it is found when the release is sent, and no node is taken out for it. */
static void a_signature_by_a_key_that_the_agents_do_not_know_takes_no_node_out(struct stage *s)
{
    struct stage_signer *key;
    struct stage_fleet *f = begin(s, &key);
    const char *v2 = stage_copy(s, stage_server_variant(s, "v2"), "app-2");
    struct stage_signer *stranger = stage_signer(s, "stranger");

    assert_int_equal(rename(stage_sign(s, stranger, v2, stage_sign_label(s, "app", 4, v2), STAGE_PREHASHED),
                            stage_text(s, "%s.minisig", v2)),
                     0);
    stage_rollout_expect(s, roll(f, v2), 1, STAGE_SAYS("which is no sign-key of the service app"));
    assert_versions(f, "1");
    assert_string_equal(stage_fleet_peer_state(f, 0, 0), "up");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(what_is_not_signed_is_refused_with_the_command_that_signs_it),
        stage_test(an_old_release_is_refused_and_rollback_is_the_way_back),
        stage_test(a_signature_by_a_key_that_the_agents_do_not_know_takes_no_node_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
