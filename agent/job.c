#include "job.h"

#include <stdio.h>
#include <string.h>

#include "claim.h"
#include "common/json.h"
#include "file.h"

static const char *const actions[] = {
    [JOB_RESTART] = "restart", [JOB_UPGRADE] = "upgrade", [JOB_ROLLBACK] = "rollback"};
static const char *const states[] = {[JOB_RUNNING] = "running", [JOB_DONE] = "done", [JOB_FAILED] = "failed"};

static bool find_text(const char *const *list, size_t count, const char *text, unsigned *index)
{
    for (*index = 0; *index < count; (*index)++) {
        if (strcmp(list[*index], text) == 0)
            return true;
    }
    return false;
}

const char *job_action_text(enum job_action action)
{
    return actions[action];
}

struct job *jobs_find(struct jobs *jobs, const char *id)
{
    for (size_t i = 0; i < jobs->count; i++) {
        if (strcmp(jobs->list[i].id, id) == 0)
            return &jobs->list[i];
    }
    return NULL;
}

struct job *jobs_last(struct jobs *jobs)
{
    return jobs->count > 0 ? &jobs->list[jobs->count - 1] : NULL;
}

bool jobs_have_room(const struct jobs *jobs, uint64_t fence)
{
    return jobs->count < JOBS_KEPT || jobs->list[0].fence < fence;
}

struct job *jobs_add(struct jobs *jobs, const struct job *job)
{
    if (jobs->count == JOBS_KEPT)
        memmove(jobs->list, jobs->list + 1, --jobs->count * sizeof *jobs->list);
    jobs->list[jobs->count] = *job;
    return &jobs->list[jobs->count++];
}

bool job_same_ask(const struct job *a, const struct job *b)
{
    return strcmp(a->id, b->id) == 0 && strcmp(a->rollout, b->rollout) == 0 && a->action == b->action &&
           strcmp(a->release, b->release) == 0;
}

bool job_from_ask(const json_t *body, struct job *job, struct err *err)
{
    const char *id, *rollout, *action, *release = json_opt_string(body, "release");
    uint8_t digest[SHA256_BYTES];
    unsigned index;

    *job = (struct job){.code = CODE_JOB_OK};
    if (!json_get_string(body, "id", &id, err) || !json_get_string(body, "rollout", &rollout, err) ||
        !json_get_uint(body, "fence", &job->fence, err) || !json_get_string(body, "action", &action, err))
        return false;
    if (!claim_id_ok(id, WIRE_JOB_MAX))
        return err_set(err, "\"id\" is not 1 to %d of A-Z a-z 0-9 . _ / -", WIRE_JOB_MAX);
    if (!claim_id_ok(rollout, WIRE_ID_MAX))
        return err_set(err, "\"rollout\" is not 1 to %d of A-Z a-z 0-9 . _ / -", WIRE_ID_MAX);
    if (job->fence == 0)
        return err_set(err, "\"fence\" is 0; the first is 1");
    if (!find_text(actions, sizeof actions / sizeof *actions, action, &index))
        return err_set(err, "\"action\" is none of restart, upgrade, rollback");
    job->action = (enum job_action)index;
    if (!json_opt_is(body, "release", JSON_STRING))
        return err_set(err, "\"release\" is no string");
    if (job->action == JOB_RESTART && release != NULL)
        return err_set(err, "a restart takes no \"release\"");
    if (job->action != JOB_RESTART && (release == NULL || !sha256_parse(release, digest)))
        return err_set(err, "\"release\" is not 64 lower-case hex digits");
    (void)snprintf(job->id, sizeof job->id, "%s", id);
    (void)snprintf(job->rollout, sizeof job->rollout, "%s", rollout);
    (void)snprintf(job->release, sizeof job->release, "%s", release != NULL ? release : "");
    return true;
}

json_t *job_to_json(const struct job *job)
{
    return json_pack("{s:s, s:s, s:I, s:s, s:o, s:s, s:s, s:o, s:b, s:b, s:o, s:o, s:f, s:I}", "id", job->id, "rollout",
                     job->rollout, "fence", (json_int_t)job->fence, "action", actions[job->action], "release",
                     job->release[0] != '\0' ? json_string(job->release) : json_null(), "state", states[job->state],
                     "code", code_text(job->code), "text", json_text(job->text), "touched", job->touched, "restored",
                     job->restored, "before", ident_to_json(&job->before), "after", ident_to_json(&job->after),
                     "started", job->started_unix_s, "elapsed_ms", (json_int_t)job->elapsed_ms);
}

static bool take_job(const json_t *json, struct job *job, struct err *err)
{
    const char *state, *code, *text, *previous;
    unsigned index;

    if (!job_from_ask(json, job, err) || !json_get_string(json, "state", &state, err) ||
        !json_get_string(json, "code", &code, err) || !json_get_string(json, "text", &text, err) ||
        !json_get_bool(json, "touched", &job->touched, err) || !json_get_bool(json, "restored", &job->restored, err) ||
        !json_get_uint(json, "elapsed_ms", &job->elapsed_ms, err) || !json_get_string(json, "previous", &previous, err))
        return false;
    job->code = code_parse(code);
    if (job->code == CODE_COUNT || !find_text(states, sizeof states / sizeof *states, state, &index))
        return err_set(err, "\"state\" or \"code\" is unknown");
    job->state = (enum job_state)index;
    if (!ident_from_json(json_object_get(json, "before"), &job->before) ||
        !ident_from_json(json_object_get(json, "after"), &job->after))
        return err_set(err, "\"before\" or \"after\" names no process");
    job->started_unix_s = json_number_value(json_object_get(json, "started"));
    (void)snprintf(job->text, sizeof job->text, "%s", text);
    (void)snprintf(job->previous, sizeof job->previous, "%.64s", previous);
    return true;
}

/* An agent of before has written no history: what its jobs tell is better than nothing. */
static bool load_history(const json_t *root, struct jobs *jobs, struct err *err)
{
    const json_t *list = json_object_get(root, "history");

    if (list != NULL)
        return history_from_json(list, &jobs->history) || err_set(err, "\"history\" is no list of SHA-256");
    for (size_t i = 0; i < jobs->count; i++)
        if (jobs->list[i].state == JOB_DONE)
            history_note(&jobs->history, &jobs->list[i]);
    return true;
}

bool jobs_load(const char *path, struct jobs *jobs, struct err *err)
{
    json_t *root, *list;
    const json_t *item;
    bool ok = true;
    size_t i;

    jobs->count = jobs->history.count = 0;
    if (!file_read_json(path, &root, err))
        return false;
    if (root == NULL)
        return true;
    list = json_opt_array(root, "jobs");
    if (list == NULL)
        ok = err_set(err, "\"jobs\" is missing");
    json_array_foreach(list, i, item)
    {
        struct job job;
        if (ok && (ok = take_job(item, &job, err)))
            (void)jobs_add(jobs, &job);
    }
    if (!(ok = ok && load_history(root, jobs, err)))
        err_context(err, "%s", path);
    json_decref(root);
    return ok;
}

bool jobs_save(const char *path, const struct jobs *jobs, struct err *err)
{
    json_t *list = json_array(), *root = json_pack("{s:o}", "jobs", list);
    bool ok;

    for (size_t i = 0; i < jobs->count; i++) {
        json_t *item = job_to_json(&jobs->list[i]);
        (void)json_object_set_new(item, "previous", json_string(jobs->list[i].previous));
        (void)json_array_append_new(list, item);
    }
    (void)json_object_set_new(root, "history", history_to_json(&jobs->history));
    ok = file_write_json(path, root, err);
    json_decref(root);
    return ok;
}
