#include "plan.h"

#include <string.h>

#include "common/mem.h"

const char *plan_kind_word(enum plan_kind kind)
{
    static const char *const words[] = {[PLAN_ROLL] = "roll", [PLAN_REPAIR] = "repair", [PLAN_ROLLBACK] = "rollback"};

    return words[kind];
}

struct plan *plan_new(void)
{
    return mem_zero(1, sizeof(struct plan));
}

void plan_free(struct plan **p)
{
    if (*p == NULL)
        return;
    pool_free(&(*p)->owned);
    free(*p);
    *p = NULL;
}

const char *plan_keep(struct plan *p, const char *text)
{
    return text == NULL ? "" : pool_text(&p->owned, text, strlen(text));
}
