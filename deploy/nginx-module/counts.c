#include "counts.h"

void counts_code_append(struct counts *counts, struct counts_code *code)
{
    struct counts_code **end = &counts->codes;

    while (*end != NULL) {
        end = &(*end)->next;
    }
    __atomic_store_n(end, code, __ATOMIC_RELEASE);
}

void counts_reset(struct counts *counts)
{
    struct counts_code *codes = counts->codes;

    for (struct counts_code *code = codes; code != NULL; code = code->next) {
        code->n = 0;
    }
    *counts = (struct counts){.codes = codes};
}
