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
    struct plan *p = mem_zero(1, sizeof *p);

    p->hosts = p->given = "";
    return p;
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
