/* pki_case.c - deploy/pki/rollout-pki: a fleet with its certificates is rolled over mutual TLS, and what it makes is
 * never written over, and is of use for one thing alone. */
#include <sys/stat.h>

#include "tests/cases/agent_client.h"
#include "tests/stage/fleet.h"
#include "tests/stage/test.h"
#include "tests/stage/witness.h"

#define PKI_MS 30000
#define RUN_MS 60000

/* Up to six words. */
static struct stage_run pki(struct stage *s, const char *const *words)
{
    const char *argv[10] = {stage_text(s, "%s/deploy/pki/rollout-pki", s->root), "--dir",
                            stage_text(s, "%s/pki", s->dir)};
    size_t n = 3;

    while (*words != NULL)
        argv[n++] = *words++;
    return stage_run(s, PKI_MS, argv);
}
#define PKI(...) pki(s, (const char *const[]){__VA_ARGS__, NULL})

static void good(struct stage_run r)
{
    if (r.exit_code != 0)
        fail_msg("rollout-pki: %d: %s", r.exit_code, r.err);
}

static const char *path_of(struct stage *s, const char *file)
{
    return stage_text(s, "%s/pki/%s", s->dir, file);
}

static unsigned mode_of(struct stage *s, const char *file)
{
    struct stat st;

    if (stat(path_of(s, file), &st) != 0)
        stage_fail(s, "no %s", file);
    return st.st_mode & 07777;
}

/* The stage takes what lies in its folder `ca` for its own. */
static void give(struct stage *s, const char *name, const char *as)
{
    (void)stage_mkdir(s, "ca");
    (void)stage_copy(s, path_of(s, stage_text(s, "%s.pem", name)), stage_text(s, "ca/%s.pem", as));
    (void)stage_copy(s, path_of(s, stage_text(s, "%s.key", name)), stage_text(s, "ca/%s.key", as));
}

static void a_fleet_is_rolled_on_its_certificates(struct stage *s)
{
    struct stage_rollout *r;
    struct stage_fleet *f;

    good(PKI("ca"));
    good(PKI("node", "node1"));
    good(PKI("--key", "ed25519", "node", "node2", "ip:127.0.0.1"));
    good(PKI("--key", "ed25519", "controller", "controller"));
    give(s, "ca", "stage-ca");
    give(s, "node1", "node1.stage-ca");
    give(s, "node2", "node2.stage-ca");
    give(s, "controller", "controller.stage-ca");
    f = stage_fleet(s, 2, 1);
    r = stage_fleet_run(f, RUN_MS,
                        (const char *const[]){"--release", stage_text(s, "%s/demo-server-v2", s->build), NULL});
    stage_rollout_expect(s, r, 0, STAGE_SAYS(""));
    stage_fleet_expect_versions(f, "22");
}

static void a_nodes_certificate_is_no_controllers(struct stage *s)
{
    struct stage_agent *a;

    good(PKI("ca"));
    good(PKI("node", "n1"));
    good(PKI("controller", "controller"));
    good(PKI("node", "controller2")); /* the name would do, the purpose does not */
    give(s, "ca", "stage-ca");
    give(s, "n1", "n1.stage-ca");
    give(s, "controller", "controller.stage-ca");
    give(s, "controller2", "controller2.stage-ca");
    a = stage_agent_start(s, "n1", stage_server_start(s, "n1", "v1"), false, "[agent]\nallow = controller2\n");
    assert_refused(stage_agent_http_as(a, stage_cert(s, "controller2"), "GET", APP, NULL, NULL, 0), 403, "forbidden");
    assert_status(get_status(a), 200);
}

static void keys_are_private_and_never_written_over(struct stage *s)
{
    const char *key, *ca;
    struct stage_run r;

    good(PKI("ca"));
    good(PKI("node", "n1"));
    assert_int_equal(mode_of(s, "ca.key"), 0600);
    assert_int_equal(mode_of(s, "n1.key"), 0600);
    assert_int_equal(mode_of(s, "n1.pem"), 0644);
    assert_int_equal(mode_of(s, ""), 0700);
    key = stage_sha256(s, path_of(s, "n1.key"));
    ca = stage_sha256(s, path_of(s, "ca.key"));
    r = PKI("node", "n1");
    assert_int_equal(r.exit_code, 1);
    assert_non_null(strstr(r.err, "not written over"));
    assert_int_equal(PKI("ca").exit_code, 1);
    assert_string_equal(stage_sha256(s, path_of(s, "n1.key")), key);
    assert_string_equal(stage_sha256(s, path_of(s, "ca.key")), ca);
}

static void a_renewed_certificate_keeps_its_key_and_its_names(struct stage *s)
{
    const char *key, *old;
    struct stage_run r;

    good(PKI("ca"));
    good(PKI("--days", "10", "node", "n1", "n1.example"));
    good(PKI("node", "n2"));
    key = stage_sha256(s, path_of(s, "n1.key"));
    old = stage_sha256(s, path_of(s, "n1.pem"));
    r = PKI("check");
    assert_int_equal(r.exit_code, 1);
    assert_non_null(strstr(r.out, "n1.pem"));
    assert_null(strstr(r.out, "n2.pem"));
    r = PKI("renew");
    good(r);
    assert_non_null(strstr(r.out, "n1: renewed"));
    assert_null(strstr(r.out, "n2: renewed"));
    good(PKI("check"));
    assert_string_equal(stage_sha256(s, path_of(s, "n1.key")), key);
    assert_string_not_equal(stage_sha256(s, path_of(s, "n1.pem")), old);
    r = stage_run(s, PKI_MS,
                  (const char *const[]){"/usr/bin/openssl", "x509", "-in", path_of(s, "n1.pem"), "-noout", "-ext",
                                        "subjectAltName", NULL});
    assert_non_null(strstr(r.out, "DNS:n1, DNS:n1.example"));
}

static void names_that_are_none_are_refused(struct stage *s)
{
    static const char *const names[] = {"", "../n1", "a b", "-x", ".x", "a/b", "a,DNS:b", "a\nb", "ca"};

    good(PKI("ca"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(PKI("node", names[i]).exit_code, 64);
        assert_int_equal(PKI("node", "n1", names[i]).exit_code, 64);
    }
    assert_int_equal(PKI("node", "n1", "ip:1.2.3.4,DNS:x").exit_code, 64);
    assert_null(strstr(PKI("list").out, "node"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(a_fleet_is_rolled_on_its_certificates),
        stage_test(a_nodes_certificate_is_no_controllers),
        stage_test(keys_are_private_and_never_written_over),
        stage_test(a_renewed_certificate_keeps_its_key_and_its_names),
        stage_test(names_that_are_none_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
