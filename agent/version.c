#include "version.h"

#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "common/json.h"
#include "service.h"

#define ASK_EVERY_MS 1000

void version_parse(const char *body, char text[VERSION_TEXT_MAX + 1])
{
    json_t *json = body[0] == '{' ? json_read(body, strlen(body), NULL) : NULL;
    const char *from = json != NULL ? json_opt_string(json, "version") : body;
    size_t used = 0;

    while (from != NULL && *from >= ' ' && *from <= '~' && used < VERSION_TEXT_MAX)
        text[used++] = *from++;
    while (used > 0 && text[used - 1] == ' ')
        used--;
    text[used] = '\0';
    json_decref(json);
}

static void on_answer(void *ctx, const struct probe_result *result)
{
    struct service *service = ctx;
    struct version *v = &service->version;
    struct ident now;

    v->probe = NULL;
    v->text[0] = '\0';
    if (result->status == 200 && service_ident(service, &now, NULL) && ident_same_process(&now, &v->ident))
        version_parse(result->body, v->text);
    waiter_wake(&v->waiters);
}

bool version_want(struct service *service, const struct ident *ident, struct waiter *w)
{
    struct version *v = &service->version;
    bool same = ident_same_process(&v->ident, ident);

    if (service->config->version.addr_size == 0 || ident->pid == 0 || service_is_busy(service))
        return false;
    if (v->probe == NULL) {
        if (same && loop_now_ms() - v->asked_ms < ASK_EVERY_MS)
            return false;
        if (!same)
            v->text[0] = '\0';
        v->ident = *ident;
        v->asked_ms = loop_now_ms();
        v->probe = probe_start(service->agent->loop, &service->config->version, service->config->health_timeout_ms,
                               on_answer, service);
    }
    if (loop_now_ms() - v->asked_ms >= VERSION_WAIT_MS)
        return false;
    waiter_add(&v->waiters, w);
    return true;
}

const char *version_of(const struct service *service, const struct ident *ident)
{
    return ident_same_process(&service->version.ident, ident) ? service->version.text : "";
}

void version_close(struct version *version)
{
    probe_cancel(&version->probe);
}
