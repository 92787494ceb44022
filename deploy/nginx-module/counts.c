#include "counts.h"

struct counts_code *counts_code_find(const struct counts *counts, unsigned status)
{
    struct counts_code *code = __atomic_load_n(&counts->codes, __ATOMIC_ACQUIRE);

    while (code != NULL && code->status != status) {
        code = __atomic_load_n(&code->next, __ATOMIC_ACQUIRE);
    }
    return code;
}

void counts_code_append(struct counts *counts, struct counts_code *code)
{
    struct counts_code **end = &counts->codes;

    while (*end != NULL) {
        end = &(*end)->next;
    }
    __atomic_store_n(end, code, __ATOMIC_RELEASE);
}

static void add(uint64_t *to, uint64_t n)
{
    __atomic_fetch_add(to, n, __ATOMIC_RELAXED);
}

void counts_ended(struct counts *counts, const struct attempt *attempt, bool failed)
{
    add(&counts->sent_bytes, attempt->sent_bytes);
    add(&counts->received_bytes, attempt->received_bytes);
    if (failed) {
        add(&counts->fails, 1);
    }
    for (int i = 0; i < COUNTS_TIMES; i++) {
        if (attempt->time_ms[i] >= 0) {
            average_add(&counts->averages[i], (uint64_t)attempt->time_ms[i]);
        }
    }
}

void counts_reset(struct counts *counts)
{
    struct counts_code *codes = counts->codes;

    for (struct counts_code *code = codes; code != NULL; code = code->next) {
        code->n = 0;
    }
    *counts = (struct counts){.codes = codes};
}
