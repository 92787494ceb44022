/* What programs watch: GET /metrics. The network half adds what only it knows (tally.h). */
#include <stdlib.h>

#include "claim_store.h"
#include "common/mem.h"
#include "metrics.h"
#include "out.h"
#include "request.h"

void route_metrics(struct request *rq)
{
    size_t count = rq->agent->config.service_count;
    struct metrics_service *rows = mem_zero(count, sizeof *rows);
    uint64_t now_ms = claim_store_now_ms();

    for (size_t i = 0; i < count; i++) {
        const struct service *s = &rq->agent->services[i];
        rows[i] = (struct metrics_service){.name = s->config->name,
                                           .out_s = out_seconds(&s->claim.claim),
                                           .claim_left_s = (claim_left_ms(&s->claim.claim, now_ms) + 999) / 1000,
                                           .fence = s->claim.fence,
                                           .claimed = s->claim.claim.held,
                                           .busy = service_is_busy(s),
                                           .ends = s->job_ends};
    }
    request_answer_text(rq, HTTP_OK, metrics_text(rows, count, ROLLOUT_VERSION));
    free(rows);
}
