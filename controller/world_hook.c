/* world_hook.c - hooks: what is told to a command, and what becomes of it. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "hook_facts.h"
#include "runner.h"
#include "world_work.h"

#define NODE_TAG(node) (uint64_t)(node)

static struct work *find(const struct world_net *w, uint64_t tag)
{
    for (struct work *work = w->works; work != NULL; work = work->next)
        if (work->n_open > 0 && work->parts[0].kind == PART_HOOK && NODE_TAG(work->action.node) == tag)
            return work;
    return NULL;
}

static void said(void *ctx, uint64_t tag, const char *line)
{
    struct world_net *w = ctx;

    work_tell(w, &(struct input){.kind = IN_SAID, .node = (uint16_t)tag}, line);
}

static void ended(void *ctx, uint64_t tag, enum runner_end end, const char *text)
{
    static const enum answer_kind kinds[] = {
        [RUNNER_WELL] = ANS_OK, [RUNNER_FAILED] = ANS_REFUSED, [RUNNER_LATE] = ANS_TIMEOUT, [RUNNER_CUT] = ANS_BAD};
    struct world_net *w = ctx;
    struct work *work = find(w, tag);

    if (work != NULL)
        part_end(w, &work->parts[0], kinds[end], text);
}

static void run(struct world_net *w, uint64_t tag, const struct hook *hook, json_t *facts)
{
    char **env = hook_env(facts, environ), *input = mem_must(json_dumps(facts, JSON_COMPACT));
    const struct runner_order order = {.command = hook->command,
                                       .env = env,
                                       .input = input,
                                       .input_bytes = strlen(input),
                                       .limit_ms = w->plan->wait_ms[WAIT_HOOK] > 0 ? w->plan->wait_ms[WAIT_HOOK] : 1,
                                       .tag = tag};

    runner_start(w->runner, &order);
    free(env);
    free(input);
    json_decref(facts);
}

/* Most rollouts have no hooks, and need no descriptors for them. */
static bool is_open(struct world_net *w, struct err *err)
{
    const struct runner_news news = {.ctx = w, .said = said, .ended = ended};

    if (w->runner == NULL)
        w->runner = runner_open(&news, err);
    return w->runner != NULL && calls_watch(w->calls, runner_fd(w->runner));
}

void world_hook_start(struct world_net *w, const struct action *a)
{
    struct part *part;
    struct err err = {"cannot watch hooks"};

    if (a->kind == ACT_CUT) {
        if (w->runner != NULL)
            runner_cut(w->runner, NODE_TAG(a->node));
        return;
    }
    part = work_part(work_new(w, a, 1), PART_HOOK, 0);
    if (w->told == NULL || !is_open(w, &err)) {
        part_end(w, part, ANS_REFUSED, err.text);
    } else if (a->kind == ACT_END) {
        run(w, NODE_TAG(a->node), plan_hook(w->plan, HOOK_AT_END, a->hook), hook_facts_of_end(w->told, a->code));
    } else {
        enum step step = (enum step)w->told->nodes[a->node].state.step;

        run(w, NODE_TAG(a->node), plan_hook(w->plan, node_hook_point(step), a->hook),
            hook_facts_of_node(w->told, a->node));
    }
}
