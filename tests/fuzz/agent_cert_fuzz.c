/* agent_cert_fuzz.c - any bytes as a controller's certificate: whoever is let in has one of the allowed names, whole.
 */
#include "agent/tls.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config config = {.allow = {"controller", "ci.example"}, .allow_count = 2};
    char *bytes = fuzz_copy(data, size), name[CONFIG_ALLOW_TEXT];
    gnutls_datum_t der = {.data = (unsigned char *)bytes, .size = (unsigned)size};

    if (tls_name_is_allowed(&der, &config, name))
        fuzz_check(strcmp(name, "controller") == 0 || strcmp(name, "ci.example") == 0);
    else
        fuzz_check(memchr(name, '\0', sizeof name) != NULL);
    free(bytes);
    return 0;
}
