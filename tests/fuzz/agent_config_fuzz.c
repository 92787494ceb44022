/* agent_config_fuzz.c - any bytes as rollout-agent.conf: a sentence, or a config that holds what the agent counts on.
 */
#include "agent/config.h"
#include "agent/config_value.h"
#include "tests/fuzz/fuzz.h"

static void check_service(const struct service_config *service)
{
    fuzz_check(value_name_ok(service->name, CONFIG_NAME_MAX));
    fuzz_check(service->executable[0] == '/' && memchr(service->executable, '\0', PATH_MAX) != NULL);
    fuzz_check(service->health_timeout_ms > 0 && service->ready_timeout_ms > 0);
}

static void check_config(const struct config *config)
{
    bool tls = config_uses_tls(config);

    fuzz_check(value_name_ok(config->node, WIRE_NODE_MAX));
    fuzz_check(config->listen.addr_size > 0 && (tls || config->listen.local));
    fuzz_check(tls == (config->allow_count > 0) && config->allow_count <= CONFIG_ALLOW_MAX);
    fuzz_check(tls == (config->tls_key[0] == '/') && tls == (config->tls_ca[0] == '/'));
    for (unsigned i = 0; i < config->allow_count; i++)
        fuzz_check(config->allow[i][0] != '\0' && memchr(config->allow[i], '\0', CONFIG_ALLOW_TEXT) != NULL);
    fuzz_check(config->peer_connections > 0 && config->peer_requests > 0 && config->max_release_bytes > 0);
    fuzz_check(config->service_count > 0 && config->service_count <= CONFIG_SERVICES_MAX);
    for (unsigned i = 0; i < config->service_count; i++)
        check_service(&config->services[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_copy(data, size);
    struct config *config = calloc(1, sizeof *config);
    struct err err = {""};

    if (config_parse("fuzz", text, size, config, &err))
        check_config(config);
    else
        fuzz_check(err.text[0] != '\0');
    config_free(config);
    free(config);
    free(text);
    return 0;
}
