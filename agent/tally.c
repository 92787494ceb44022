#include "tally.h"

#include "common/mem.h"

static const char *const reasons[] = {
#define REFUSAL(name, reason) reason,
#include "tally.def"
#undef REFUSAL
};

char *tally_metrics(const struct tally *tally)
{
    char *text = NULL;
    size_t size;
    FILE *to = mem_must(open_memstream(&text, &size));

    (void)fprintf(to,
                  "# HELP rollout_agent_connections Connections that are open.\n"
                  "# TYPE rollout_agent_connections gauge\n"
                  "rollout_agent_connections{peer=\"known\"} %u\n"
                  "rollout_agent_connections{peer=\"unknown\"} %u\n",
                  tally->open - tally->unknown, tally->unknown);
    (void)fprintf(to,
                  "# HELP rollout_agent_connections_total Connections accepted.\n"
                  "# TYPE rollout_agent_connections_total counter\n"
                  "rollout_agent_connections_total %llu\n"
                  "# HELP rollout_agent_requests_total Requests whose head was "
                  "understood.\n"
                  "# TYPE rollout_agent_requests_total counter\n"
                  "rollout_agent_requests_total %llu\n"
                  "# HELP rollout_agent_requests_delayed_total Requests that "
                  "came faster than peer-requests allows.\n"
                  "# TYPE rollout_agent_requests_delayed_total counter\n"
                  "rollout_agent_requests_delayed_total %llu\n"
                  "# HELP rollout_agent_refusals_total Connections and requests "
                  "that were not served.\n"
                  "# TYPE rollout_agent_refusals_total counter\n",
                  (unsigned long long)tally->connections, (unsigned long long)tally->requests,
                  (unsigned long long)tally->waited);
    for (size_t i = 0; i < REFUSAL_COUNT; i++)
        (void)fprintf(to, "rollout_agent_refusals_total{reason=\"%s\"} %llu\n", reasons[i],
                      (unsigned long long)tally->refused[i]);
    if (tally->cert_ends_s > 0)
        (void)fprintf(to,
                      "# HELP rollout_agent_certificate_expiry_timestamp_seconds When the "
                      "agent's certificate runs out.\n"
                      "# TYPE rollout_agent_certificate_expiry_timestamp_seconds gauge\n"
                      "rollout_agent_certificate_expiry_timestamp_seconds %lld\n",
                      (long long)tally->cert_ends_s);
    mem_close(to, &text);
    return text;
}
