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
    return text == NULL ? "" : pool_keep(&p->owned, text);
}

void plan_set_hooks(struct plan *p, const struct hook *hooks, uint32_t n)
{
    p->hooks = pool_take(&p->owned, (n + 1) * sizeof *p->hooks);
    p->n_hooks = 0;
    for (int point = 0; point < HOOK_POINT_COUNT; point++) {
        p->hook_from[point] = (uint8_t)p->n_hooks;
        for (uint32_t i = 0; i < n; i++)
            if (hooks[i].point == point)
                p->hooks[p->n_hooks++] = (struct hook){plan_keep(p, hooks[i].command), hooks[i].point};
    }
    p->hook_from[HOOK_POINT_COUNT] = (uint8_t)p->n_hooks;
}
