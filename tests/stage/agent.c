#include "tests/stage/agent.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/stage/state.h"

#define AGENT_READY_MS 10000
#define AGENT_STOP_MS  10000

static bool answers(void *ctx)
{
    struct stage_agent *a = ctx;

    if (!a->proc->running)
        stage_fail_log(a->stage, a->proc->out_path, "the agent of %s ended with exit code %d at its start", a->node,
                       a->proc->exit_code);
    return stage_agent_http(a, "GET", "/v1", NULL)->status == 200;
}

void stage_agent_again(struct stage_agent *a)
{
    struct stage *s = a->stage;
    const char *argv[] = {stage_text(s, "%s/rollout-agent", s->build), "--config", a->conf_path, NULL};

    a->proc = stage_start(s, &(struct stage_spawn){.name = stage_text(s, "agent-%s", a->node), .argv = argv});
    stage_wait_until(s, answers, a, AGENT_READY_MS, stage_text(s, "the agent of %s to answer", a->node));
}

static const char *tls_lines(struct stage_agent *a)
{
    const struct stage_tls *tls;

    if (a->plain)
        return "";
    tls = stage_cert(a->stage, a->node);
    return stage_text(a->stage, "tls-cert = %s\ntls-key = %s\ntls-ca = %s\nallow = controller\n", tls->cert, tls->key,
                      tls->ca);
}

/* Its names, folder and config; nothing is started. service: all that stands in [service app]. */
static struct stage_agent *prepare(struct stage *s, const char *node, bool plain, const char *agent_keys,
                                   const char *service)
{
    struct stage_agent *a = stage_alloc(s, sizeof *a);

    a->stage = s;
    a->node = stage_text(s, "%s", node);
    a->port = stage_port(s);
    a->plain = plain;
    a->base = plain ? stage_text(s, "http://127.0.0.1:%u", a->port) : stage_text(s, "https://%s:%u", node, a->port);
    a->state_dir = stage_mkdir(s, stage_text(s, "agent-%s-state", node));
    a->conf_path =
        stage_write(s, stage_text(s, "agent-%s.conf", node),
                    stage_text(s, "[agent]\nnode = %s\nlisten = 127.0.0.1:%u\nstate = %s\n%s%s\n[service app]\n%s%s",
                               node, a->port, a->state_dir, tls_lines(a), agent_keys,
                               strstr(service, "sign-key") != NULL ? "" : "require-signature = off\n", service));
    return a;
}

static const char *service_lines(struct stage *s, const struct stage_server *server, const char *extra)
{
    return stage_text(s, "executable = %s\npidfile = %s\nhealth = %s/healthz\nversion-url = %s/version\n%s",
                      server->exe, server->pidfile, server->url, server->url, extra != NULL ? extra : "");
}

struct stage_agent *stage_agent_start_for(struct stage *s, const char *node, bool plain, const char *service)
{
    struct stage_agent *a = prepare(s, node, plain, "", service);

    stage_agent_again(a);
    return a;
}

void stage_agent_helper_again(struct stage_agent *a)
{
    struct stage *s = a->stage;
    const char *argv[] = {stage_text(s, "%s/rollout-agent", s->build), "--helper", "--config", a->conf_path, NULL};

    a->helper = stage_start(s, &(struct stage_spawn){.name = stage_text(s, "helper-%s", a->node), .argv = argv});
}

static void remove_folder(void *path)
{
    char *socket = NULL;

    if (asprintf(&socket, "%s/helper", (const char *)path) > 0)
        (void)unlink(socket);
    free(socket);
    (void)rmdir(path);
    free(path);
}

/* A unix socket's path is short, and a stage's folder may be deep. */
static const char *socket_path(struct stage *s)
{
    char *folder = strdup("/tmp/rollout-XXXXXX");

    if (folder == NULL || mkdtemp(folder) == NULL)
        stage_fail(s, "cannot make a folder for a socket");
    return stage_text(s, "%s/helper", (const char *)stage_keep(s, folder, remove_folder));
}

struct stage_agent *stage_agent_prepare_halves(struct stage *s, const char *node, struct stage_server *server,
                                               const char *agent_keys, const char *extra)
{
    const char *path = socket_path(s);
    struct stage_agent *a = prepare(s, node, true, stage_text(s, "helper-socket = %s\n%s", path, agent_keys),
                                    service_lines(s, server, extra));

    a->socket = path;
    return a;
}

struct stage_agent *stage_agent_start_halves(struct stage *s, const char *node, struct stage_server *server,
                                             const char *agent_keys, const char *extra)
{
    struct stage_agent *a = stage_agent_prepare_halves(s, node, server, agent_keys, extra);

    stage_agent_helper_again(a);
    stage_agent_again(a);
    return a;
}

static bool helper_listens(void *ctx)
{
    struct stage_agent *a = ctx;

    return strstr(stage_read(a->stage, a->helper->out_path), "event=helper_listening") != NULL;
}

void stage_agent_await_helper(struct stage_agent *a)
{
    stage_wait_until(a->stage, helper_listens, a, AGENT_READY_MS, "the helper half to listen");
}

struct stage_agent *stage_agent_start(struct stage *s, const char *node, struct stage_server *server, bool plain,
                                      const char *extra)
{
    return stage_agent_start_for(s, node, plain, service_lines(s, server, extra));
}

void stage_agent_stop(struct stage_agent *a, int signal)
{
    stage_proc_stop(a->stage, a->proc, signal, AGENT_STOP_MS);
}

struct stage_answer *stage_agent_http(struct stage_agent *a, const char *method, const char *path, const char *body)
{
    return stage_agent_http_as(a, a->plain ? NULL : stage_cert(a->stage, "controller"), method, path, NULL, body,
                               body != NULL ? strlen(body) : 0);
}

struct stage_answer *stage_agent_http_as(struct stage_agent *a, const struct stage_tls *tls, const char *method,
                                         const char *path, const char *headers, const void *body, size_t body_size)
{
    struct stage *s = a->stage;

    return stage_https(s, tls, stage_text(s, "127.0.0.1:%u", a->port), method, stage_text(s, "%s%s", a->base, path),
                       headers, body, body_size);
}
