#include "metrics.h"

#include "common/mem.h"

static void head(FILE *to, const char *name, const char *type, const char *help)
{
    (void)fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Names of services are letters, digits, '.', '_' and '-' (config.h): nothing to escape. */
static void row(FILE *to, const char *name, const struct metrics_service *s, uint64_t value)
{
    (void)fprintf(to, "%s{service=\"%s\"} %llu\n", name, s->name, (unsigned long long)value);
}

/* A gauge of each service. */
#define EACH(to, name, help, value)                                                                                    \
    do {                                                                                                               \
        head(to, name, "gauge", help);                                                                                 \
        for (size_t i = 0; i < count; i++)                                                                             \
            row(to, name, &services[i], value);                                                                        \
    } while (0)

char *metrics_text(const struct metrics_service *services, size_t count, const char *version)
{
    char *text = NULL;
    size_t size;
    FILE *to = mem_must(open_memstream(&text, &size));

    head(to, "rollout_agent_build_info", "gauge", "The agent's version; the value says nothing.");
    (void)fprintf(to, "rollout_agent_build_info{version=\"%s\"} 1\n", version);
    EACH(to, "rollout_node_out_seconds", "Since when a claim says that the node is out of rotation; 0: it is not.",
         services[i].out_s);
    EACH(to, "rollout_agent_claimed", "A rollout holds the claim, living or run out.", services[i].claimed ? 1 : 0);
    EACH(to, "rollout_agent_claim_left_seconds", "What is left of the claim's time; 0: none, or run out.",
         services[i].claim_left_s);
    EACH(to, "rollout_agent_fence", "The highest fence seen.", services[i].fence);
    EACH(to, "rollout_agent_job_running", "A job is at work.", services[i].busy ? 1 : 0);
    head(to, "rollout_agent_jobs_total", "counter", "Jobs that ended since the agent started, by how.");
    for (size_t i = 0; i < count; i++) {
        for (int code = 0; code < CODE_COUNT; code++) {
            if (code_http_status((enum code)code) == 0)
                (void)fprintf(to, "rollout_agent_jobs_total{service=\"%s\",outcome=\"%s\"} %llu\n", services[i].name,
                              code_text((enum code)code), (unsigned long long)services[i].ends[code]);
        }
    }
    mem_close(to, &text);
    return text;
}
