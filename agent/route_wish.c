/* Wishes: uttered by a person from anywhere, asked for and taken by the rollout's controller. */
#include "claim.h"
#include "claim_store.h"
#include "log.h"
#include "request.h"

static void answer_wish(struct request *rq, const char *rollout)
{
    uint64_t now_ms = claim_store_now_ms();

    request_answer(
        rq, HTTP_OK,
        json_pack("{s:o}", "wish", wish_to_json(wishes_find(&rq->service->wishes, rollout, now_ms), now_ms)));
}

static void log_wish(const struct request *rq, const char *event, const struct wish *wish, const char *who)
{
    struct log_quoted holder, by;

    log_event(event, "service=%s rollout=%s wish=%s id=%llu holder=%s by=%s", rq->service->config->name, wish->rollout,
              wish_word(wish->kind), (unsigned long long)wish->id, log_quote(&holder, who), request_by(rq, &by));
}

/* The body as a wish. False: refused already. */
static bool read_wish(struct request *rq, bool (*from_json)(const json_t *, struct wish *, struct err *),
                      struct wish *wish)
{
    json_t *body = request_json(rq);
    struct err err = {""};
    bool good;

    if (body == NULL)
        return false;
    good = from_json(body, wish, &err);
    json_decref(body);
    if (!good)
        request_refuse(rq, CODE_BAD_REQUEST, "%s", err.text);
    return good;
}

void route_wish_put(struct request *rq)
{
    uint64_t now_ms = claim_store_now_ms();
    struct wish wish;
    const struct wish *there;
    enum code code;

    if (!read_wish(rq, wish_from_json, &wish))
        return;
    code = wishes_put(&rq->service->wishes, &wish, now_ms);
    there = wishes_find(&rq->service->wishes, wish.rollout, now_ms);
    if (code == CODE_WISH_STANDS && there != NULL) {
        request_refuse(rq, code, "the %s by %s goes first", wish_word(there->kind), there->holder);
    } else if (code != CODE_JOB_OK) {
        request_refuse(rq, CODE_BAD_REQUEST, "the id %llu has come with another wish before",
                       (unsigned long long)wish.id);
    } else {
        log_wish(rq, "wish_put", &wish, wish.holder);
        answer_wish(rq, wish.rollout);
    }
}

void route_wish_taken(struct request *rq)
{
    struct wish wish;

    if (!read_wish(rq, wish_taken_from_json, &wish))
        return;
    if (wishes_take(&rq->service->wishes, &wish, claim_store_now_ms()) != CODE_JOB_OK) {
        request_refuse(rq, CODE_NOT_FOUND, "the wish %llu of the rollout %s is not here", (unsigned long long)wish.id,
                       wish.rollout);
        return;
    }
    log_wish(rq, "wish_taken", wishes_find(&rq->service->wishes, wish.rollout, claim_store_now_ms()), wish.taker);
    answer_wish(rq, wish.rollout);
}

void route_wish(struct request *rq)
{
    const char *rollout = request_query(rq, "rollout");

    if (rollout == NULL || !claim_id_ok(rollout, WIRE_ID_MAX))
        request_refuse(rq, CODE_BAD_REQUEST, "the query needs rollout=ID");
    else
        answer_wish(rq, rollout);
}
