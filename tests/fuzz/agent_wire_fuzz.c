/* agent_wire_fuzz.c - any bytes as a body of the agent's contract: what the agent takes for a claim, a job or a wish is
 * within its bounds, and a claim that was taken is told in a form that is taken again. */
#include "agent/claim.h"
#include "agent/job.h"
#include "agent/wish.h"
#include "common/json.h"
#include "tests/fuzz/fuzz.h"

static void check_claim(json_t *body)
{
    struct claim claim, again;
    struct err err = {""};
    uint64_t expect;
    json_t *told;

    if (!claim_from_json(body, &claim, &expect, &err)) {
        fuzz_check(err.text[0] != '\0');
        claim_clear(&claim);
        return;
    }
    fuzz_check(claim.held && claim.fence > 0 && claim.ttl_s > 0 && claim.ttl_s <= CLAIM_TTL_MAX_S);
    fuzz_check(claim_id_ok(claim.rollout, WIRE_ID_MAX) && json_is_array(claim.took_out));
    told = claim_to_json(&claim, 0);
    fuzz_check(told != NULL);
    (void)json_object_set_new(told, "expect", json_integer((json_int_t)expect));
    fuzz_check(claim_from_json(told, &again, &expect, &err));
    fuzz_check(again.fence == claim.fence && strcmp(again.rollout, claim.rollout) == 0 &&
               strcmp(again.holder, claim.holder) == 0 && json_equal(again.took_out, claim.took_out));
    claim_clear(&again);
    claim_clear(&claim);
    json_decref(told);
}

static void check_job(json_t *body)
{
    struct err err = {""};
    struct job job;

    if (!job_from_ask(body, &job, &err))
        fuzz_check(err.text[0] != '\0');
    else
        fuzz_check(claim_id_ok(job.id, WIRE_JOB_MAX) && claim_id_ok(job.rollout, WIRE_ID_MAX) && job.fence > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_copy(data, size);
    struct err err = {""};
    json_t *body = json_read(text, size, &err);
    struct wish wish;

    fuzz_check((body == NULL) == (err.text[0] != '\0'));
    if (body != NULL) {
        check_claim(body);
        check_job(body);
        (void)wish_from_json(body, &wish, &err);
        (void)wish_taken_from_json(body, &wish, &err);
    }
    json_decref(body);
    free(text);
    return 0;
}
