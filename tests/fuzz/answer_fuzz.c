/* answer_fuzz.c - any bytes as an agent's answer: what the controller takes of it is whole. */
#include "controller/agent_read.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_copy(data, size);
    struct agent_status status, *services;
    struct agent_root root;
    struct err err = {""};
    uint32_t n;

    if (agent_read_status(text, size, &status, &err)) {
        fuzz_check(status.service != NULL && status.node != NULL);
        fuzz_check(!status.claim.there || (status.claim.rollout != NULL && status.claim.holder != NULL));
        agent_status_clear(&status);
    }
    if (agent_read_root(text, size, &root, &err)) {
        fuzz_check(root.node != NULL && root.agent != NULL);
        agent_root_clear(&root);
    }
    if (agent_read_services(text, size, &services, &n, &err)) {
        while (n > 0)
            agent_status_clear(&services[--n]);
        free(services);
    }
    free(text);
    return 0;
}
