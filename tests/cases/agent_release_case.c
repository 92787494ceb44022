/* agent_release_case.c - which releases an agent takes: signed by minisign itself, in order, whole, for this machine.
 * Whatever is refused has its own code, changes nothing, and succeeds once it is made right. */
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/cases/agent_client.h"
#include "tests/stage/sign.h"

struct scene {
    struct stage *s;
    struct stage_server *server;
    struct stage_agent *agent;
    struct stage_signer *key;
    const char *file, *hex, *good; /* v2, and a header that makes it welcome */
};

static struct scene *begin(struct stage *s, const char *extra)
{
    struct scene *c = stage_alloc(s, sizeof *c);

    c->s = s;
    c->key = stage_signer(s, "key");
    c->server = stage_server_start(s, "n1", "v1");
    c->agent = stage_agent_start(s, "n1", c->server, true, stage_text(s, "sign-key = %s\n%s", c->key->public, extra));
    assert_status(put_claim(c->agent, "r", 1, 0, 600), 200);
    c->file = stage_server_variant(s, "v2");
    c->hex = stage_sha256(s, c->file);
    c->good =
        stage_sign_header(s, stage_sign(s, c->key, c->file, stage_sign_label(s, "app", 7, c->file), STAGE_PREHASHED));
    return c;
}

static const char *header_for(struct scene *c, const char *file, unsigned sequence)
{
    return stage_sign_header(
        c->s, stage_sign(c->s, c->key, file, stage_sign_label(c->s, "app", sequence, file), STAGE_PREHASHED));
}

/* Everything that a refusal must not touch. */
static const char *all_there_is(struct scene *c)
{
    const char *command = stage_text(c->s,
                                     "cd %s && find . -ls | awk '{print $3,$5,$6,$7,$11,$12,$13}' | sort -k 5; find . "
                                     "-type f -print0 | sort -z | xargs -0 sha256sum; sha256sum %s; ls -A %s",
                                     c->agent->state_dir, c->server->exe, c->server->dir);
    struct stage_run r = stage_run(c->s, 10000, (const char *const[]){"/bin/sh", "-c", command, NULL});

    assert_int_equal(r.exit_code, 0);
    return stage_text(c->s, "pid %d\n%s", stage_server_pid(c->server), r.out);
}

static struct stage_answer *upgrade(struct scene *c, const char *id, const char *hex)
{
    assert_status(post_job(c->agent, id, "r", 1, "upgrade", hex), 202);
    return wait_job(c->agent, id);
}

static void assert_code(struct scene *c, struct stage_answer *r, const char *code)
{
    if (strcmp(stage_json_string(c->s, r->json, "code"), code) != 0)
        fail_msg("not %s: %s", code, r->body);
}

/* ---- uploads that are refused */

struct ask {
    const char *file, *hex, *header;
    size_t size; /* of the file, as much is sent */
};

static struct ask of_file(struct scene *c, const char *file, const char *header)
{
    return (struct ask){file, stage_sha256(c->s, file), header, SIZE_MAX};
}

static struct ask with_label(struct scene *c, const char *label)
{
    return of_file(c, c->file, stage_sign_header(c->s, stage_sign(c->s, c->key, c->file, label, STAGE_PREHASHED)));
}

static struct ask no_signature(struct scene *c)
{
    return of_file(c, c->file, NULL);
}

static struct ask no_base64(struct scene *c)
{
    return of_file(c, c->file, "Rollout-Signature: not*base64");
}

static struct ask no_minisign(struct scene *c)
{
    return of_file(c, c->file, "Rollout-Signature: bm9uZSBvZiBtaW5pc2lnbidz");
}

static struct ask of_other_bytes(struct scene *c)
{
    const char *other = stage_server_variant(c->s, "sick");

    return of_file(c, c->file,
                   stage_sign_header(c->s, stage_sign(c->s, c->key, other, stage_sign_label(c->s, "app", 7, c->file),
                                                      STAGE_PREHASHED)));
}

static struct ask another_comment(struct scene *c)
{
    const char *signature =
        stage_sign(c->s, c->key, c->file, stage_sign_label(c->s, "app", 7, c->file), STAGE_PREHASHED);
    char *text = (char *)(uintptr_t)stage_read(c->s, signature);

    strstr(text, "sequence:7")[9] = '9';
    return of_file(c, c->file, stage_sign_header(c->s, stage_write(c->s, "changed.minisig", text)));
}

static struct ask another_key(struct scene *c)
{
    struct stage_signer *other = stage_signer(c->s, "other");

    return of_file(c, c->file,
                   stage_sign_header(c->s, stage_sign(c->s, other, c->file, stage_sign_label(c->s, "app", 7, c->file),
                                                      STAGE_PREHASHED)));
}

static struct ask legacy(struct scene *c)
{
    return of_file(c, c->file,
                   stage_sign_header(c->s, stage_sign(c->s, c->key, c->file, stage_sign_label(c->s, "app", 7, c->file),
                                                      STAGE_LEGACY)));
}

static struct ask for_another_service(struct scene *c)
{
    return with_label(c, stage_sign_label(c->s, "apps", 7, c->file));
}

static struct ask for_another_arch(struct scene *c)
{
    return with_label(c, stage_text(c->s, "app:app version:2 sequence:7 arch:vax sha256:%s", c->hex));
}

static struct ask for_another_hash(struct scene *c)
{
    return with_label(c, stage_sign_label(c->s, "app", 7, c->server->exe));
}

static struct ask without_a_label(struct scene *c)
{
    return with_label(c, NULL);
}

static struct ask half_of_it(struct scene *c)
{
    struct ask ask = of_file(c, c->file, c->good);

    ask.size = 20000;
    return ask;
}

static struct ask under_another_hash(struct scene *c)
{
    struct ask ask = of_file(c, stage_server_variant(c->s, "sick"), c->good);

    ask.hex = c->hex;
    return ask;
}

static struct ask signed_file(struct scene *c, const char *name, const char *text)
{
    const char *file = stage_write(c->s, name, text);

    return of_file(c, file, header_for(c, file, 7));
}

static struct ask empty(struct scene *c)
{
    return signed_file(c, "empty", "");
}

static struct ask script(struct scene *c)
{
    return signed_file(c, "script", "#!/bin/sh\nexec sleep 1000\n");
}

static struct ask prose(struct scene *c)
{
    return signed_file(c, "text", "the notes of this release\n");
}

static struct ask elf_with(struct scene *c, const char *name, off_t at, uint16_t value)
{
    const char *file = stage_copy(c->s, c->file, name);
    int fd = open(file, O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0 && pwrite(fd, &value, sizeof value, at) == sizeof value);
    (void)close(fd);
    return of_file(c, file, header_for(c, file, 7));
}

static struct ask object(struct scene *c)
{
    return elf_with(c, "object", offsetof(Elf64_Ehdr, e_type), ET_REL);
}

static struct ask for_a_vax(struct scene *c)
{
    return elf_with(c, "vax", offsetof(Elf64_Ehdr, e_machine), EM_VAX);
}

static struct ask too_long(struct scene *c)
{
    const char *file = stage_copy(c->s, c->file, "long");

    assert_int_equal(truncate(file, 5 << 20), 0);
    return of_file(c, file, header_for(c, file, 7));
}

static const struct {
    struct ask (*make)(struct scene *);
    int status;
    const char *code;
} uploads[] = {
    {no_signature, 422, "unsigned"},
    {no_base64, 422, "bad_signature"},
    {no_minisign, 422, "bad_signature"},
    {of_other_bytes, 422, "bad_signature"},
    {another_comment, 422, "bad_signature"},
    {legacy, 422, "bad_signature"},
    {another_key, 422, "unknown_key"},
    {for_another_service, 422, "signed_for_another"},
    {for_another_arch, 422, "signed_for_another"},
    {for_another_hash, 422, "signed_for_another"},
    {without_a_label, 422, "signed_for_another"},
    {half_of_it, 422, "hash_mismatch"},
    {under_another_hash, 422, "hash_mismatch"},
    {empty, 422, "empty_release"},
    {script, 422, "script"},
    {prose, 422, "not_executable"},
    {object, 422, "not_executable"},
    {for_a_vax, 422, "wrong_arch"},
    {too_long, 413, "too_large"},
};

static void an_upload_that_is_refused_changes_nothing_and_made_right_it_is_taken(struct stage *s)
{
    struct scene *c = begin(s, "\n[agent]\nmax-release = 4m\n");

    for (size_t i = 0; i < sizeof uploads / sizeof *uploads; i++) {
        struct ask ask = uploads[i].make(c);
        const char *before = all_there_is(c);

        assert_refused(put_part(c->agent, ask.hex, ask.file, ask.size, ask.header), uploads[i].status, uploads[i].code);
        assert_string_equal(before, all_there_is(c));
        assert_refused(post_job(c->agent, "r/1", "r", 1, "upgrade", ask.hex), 409, "no_release");
        assert_status(put_part(c->agent, c->hex, c->file, SIZE_MAX, c->good), 201);
        assert_int_equal(unlink(stage_text(s, "%s/app/releases/%s", c->agent->state_dir, c->hex)), 0);
        assert_int_equal(unlink(stage_text(s, "%s/app/releases/%s.minisig", c->agent->state_dir, c->hex)), 0);
    }
    assert_status(put_part(c->agent, c->hex, c->file, SIZE_MAX, c->good), 201);
    assert_code(c, upgrade(c, "r/1", c->hex), "ok");
    assert_string_equal(stage_server_version(c->server), "2");
}

static void a_script_is_taken_where_it_is_meant(struct stage *s)
{
    struct scene *c = begin(s, "kind = script\n");
    struct ask ask = script(c);

    assert_status(put_part(c->agent, ask.hex, ask.file, ask.size, ask.header), 201);
    assert_refused(put_part(c->agent, c->hex, c->file, SIZE_MAX, c->good), 422, "not_executable");
}

static void without_room_nothing_is_begun(struct stage *s)
{
    struct scene *c = begin(s, "\n[agent]\nreserve = 1024g\n");
    const char *before = all_there_is(c);
    char *config;

    assert_refused(put_part(c->agent, c->hex, c->file, SIZE_MAX, c->good), 507, "no_space");
    assert_string_equal(before, all_there_is(c));
    stage_agent_stop(c->agent, SIGTERM);
    config = (char *)(uintptr_t)stage_read(s, c->agent->conf_path);
    memcpy(strstr(config, "1024g"), "   1g", 5);
    (void)stage_write(s, c->agent->conf_path, config);
    stage_agent_again(c->agent);
    assert_status(put_part(c->agent, c->hex, c->file, SIZE_MAX, c->good), 201);
}

/* ---- jobs */

static const char *put_signed(struct scene *c, const char *variant, unsigned sequence)
{
    const char *file = stage_server_variant(c->s, variant), *hex = stage_sha256(c->s, file);
    struct stage_answer *r = put_part(c->agent, hex, file, SIZE_MAX, header_for(c, file, sequence));

    if (r->status != 201 && r->status != 200)
        fail_msg("%d %s%s", r->status, r->error, r->body);
    return hex;
}

static void there_is_no_way_back_to_an_old_release_but_rollback(struct stage *s)
{
    struct scene *c = begin(s, "");
    const char *first = stage_sha256(s, c->server->exe), *early = put_signed(c, "errs", 6), *v2, *before;
    const char *file = stage_server_variant(s, "slow");

    v2 = put_signed(c, "v2", 7);
    assert_int_equal(stage_json_int(s, get_status(c->agent)->json, "signing.sequence"), 0);
    assert_code(c, upgrade(c, "r/1", v2), "ok");
    assert_int_equal(stage_json_int(s, get_status(c->agent)->json, "signing.sequence"), 7);
    for (int again = 0; again < 2; again++) { /* also after it was killed */
        before = all_there_is(c);
        assert_refused(post_job(c->agent, "r/2", "r", 1, "upgrade", early), 422, "old_sequence");
        assert_refused(post_job(c->agent, "r/2", "r", 1, "rollback", early), 422, "old_sequence"); /* never ran here */
        assert_refused(put_part(c->agent, stage_sha256(s, file), file, SIZE_MAX, header_for(c, file, 6)), 422,
                       "old_sequence");
        assert_refused(put_part(c->agent, stage_sha256(s, file), file, SIZE_MAX, header_for(c, file, 7)), 422,
                       "old_sequence");
        assert_string_equal(before, all_there_is(c));
        stage_agent_stop(c->agent, SIGKILL);
        stage_agent_again(c->agent);
    }
    assert_status(post_job(c->agent, "r/2", "r", 1, "rollback", first), 202); /* it has no signature at all */
    assert_code(c, wait_job(c->agent, "r/2"), "ok");
    assert_string_equal(stage_server_version(c->server), "1");
    assert_int_equal(stage_json_int(s, get_status(c->agent)->json, "signing.sequence"), 7);
    assert_refused(post_job(c->agent, "r/3", "r", 1, "upgrade", early), 422, "old_sequence");
    assert_refused(post_job(c->agent, "r/3", "r", 1, "upgrade", first), 422, "unsigned");
    assert_code(c, upgrade(c, "r/3", v2), "ok"); /* the same release again */
    assert_code(c, upgrade(c, "r/4", put_signed(c, "slow", 8)), "ok");
}

static void a_release_that_failed_does_not_count(struct stage *s)
{
    struct scene *c = begin(s, "");
    const char *broken = put_signed(c, "exit", 9), *v2 = put_signed(c, "v2", 7);

    assert_code(c, upgrade(c, "r/1", broken), "no_successor");
    assert_code(c, upgrade(c, "r/2", v2), "ok");
}

/* Checked again when the job comes, and once more when it is installed. */
static void what_is_in_the_store_is_not_believed(struct stage *s)
{
    struct scene *c = begin(s, "");
    const char *store = stage_text(s, "%s/app/releases", c->agent->state_dir), *before;
    const char *v2 = put_signed(c, "v2", 7), *sick = put_signed(c, "sick", 8);
    const char *mine = stage_text(s, "%s/%s.minisig", store, v2), *other = stage_text(s, "%s/%s.minisig", store, sick);
    const char *good = stage_read(s, mine);

    assert_int_equal(unlink(mine), 0);
    (void)stage_write(s, mine, stage_read(s, other)); /* a good one, but not of this */
    before = all_there_is(c);
    assert_refused(post_job(c->agent, "r/1", "r", 1, "upgrade", v2), 422, "signed_for_another");
    assert_int_equal(unlink(mine), 0);
    assert_int_equal(symlink(other, mine), 0);
    assert_refused(post_job(c->agent, "r/1", "r", 1, "upgrade", v2), 422, "unsigned");
    assert_int_equal(unlink(mine), 0);
    (void)stage_write(s, mine, stage_read(s, other));
    assert_string_equal(before, all_there_is(c));
    (void)stage_write(s, mine, good);
    assert_code(c, upgrade(c, "r/1", v2), "ok");
}

static void one_key_takes_over_from_another(struct stage *s)
{
    struct stage_signer *next = stage_signer(s, "next");
    struct scene *c = begin(s, stage_text(s, "sign-key = %s\n", next->line));
    const char *v2 = put_signed(c, "v2", 7);

    assert_code(c, upgrade(c, "r/1", v2), "ok");
    c->key = next;
    assert_code(c, upgrade(c, "r/2", put_signed(c, "slow", 1)), "ok");                        /* it counts by itself */
    assert_status(put_part(c->agent, v2, c->file, SIZE_MAX, header_for(c, c->file, 2)), 200); /* here, signed anew */
    assert_code(c, upgrade(c, "r/3", v2), "ok");
}

static void a_link_in_the_place_of_a_folder_is_not_followed(struct stage *s)
{
    struct scene *c = begin(s, "");
    const char *releases = stage_text(s, "%s/app/releases", c->agent->state_dir),
               *elsewhere = stage_mkdir(s, "elsewhere");
    struct stage_run r;

    stage_agent_stop(c->agent, SIGTERM);
    assert_int_equal(rmdir(releases), 0);
    assert_int_equal(symlink(elsewhere, releases), 0);
    r = stage_run(
        s, 10000,
        (const char *const[]){stage_text(s, "%s/rollout-agent", s->build), "--config", c->agent->conf_path, NULL});
    assert_int_equal(r.exit_code, 1);
    assert_non_null(strstr(r.err, "it is a link"));
    assert_int_equal(unlink(releases), 0);
    stage_agent_again(c->agent);
    assert_code(c, upgrade(c, "r/1", put_signed(c, "v2", 7)), "ok");
}

static void only_so_many_releases_are_kept_and_those_that_are_needed(struct stage *s)
{
    struct scene *c = begin(s, "keep = 2\n");
    const char *first = stage_sha256(s, c->server->exe), *v2 = put_signed(c, "v2", 2), *errs;

    assert_code(c, upgrade(c, "r/1", v2), "ok");
    errs = put_signed(c, "errs", 3);
    assert_code(c, upgrade(c, "r/2", errs), "ok");
    assert_code(c, upgrade(c, "r/3", put_signed(c, "slow", 4)), "ok");
    assert_int_equal(json_array_size(stage_json(s, get_status(c->agent)->json, "releases")), 2);
    assert_string_equal(stage_json_string(s, get_status(c->agent)->json, "previous"), errs);
    assert_refused(post_job(c->agent, "r/4", "r", 1, "rollback", first), 409, "no_release");
    assert_status(post_job(c->agent, "r/4", "r", 1, "rollback", errs), 202);
    assert_code(c, wait_job(c->agent, "r/4"), "ok");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(an_upload_that_is_refused_changes_nothing_and_made_right_it_is_taken),
        stage_test(a_script_is_taken_where_it_is_meant),
        stage_test(without_room_nothing_is_begun),
        stage_test(there_is_no_way_back_to_an_old_release_but_rollback),
        stage_test(a_release_that_failed_does_not_count),
        stage_test(what_is_in_the_store_is_not_believed),
        stage_test(one_key_takes_over_from_another),
        stage_test(a_link_in_the_place_of_a_folder_is_not_followed),
        stage_test(only_so_many_releases_are_kept_and_those_that_are_needed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
