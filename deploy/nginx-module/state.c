#include "state.h"

#include <ngx_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "state_text.h"
#include "state_zone.h"
#include "view.h"
#include "workers.h"

/* Each wait for FILE.lock stops the worker's traffic. Whoever else holds it (a backup) is not waited for: the change is
 * made, and written by the look a second later. Our own workers are, as long as a disk may take. */
#define LOCK_LIMIT_MS    200  /* of a PATCH; none while it fails anyhow */
#define LOOK_LIMIT_MS    100  /* of a GET, and only while the file is not ours */
#define WRITING_LIMIT_MS 2000 /* of a PATCH while another of our workers writes */
#define START_LIMIT_MS   2000 /* of an nginx that starts: nobody waits for it yet */
#define LOOK_EVERY_MS    1000
#define STORE_POLL_NS    (500 * 1000)
#define STORE_TRIES      3

static struct state_owner owner_here; /* the master of this worker, and the zone */

/* ---- configuration */

char *state_set_path(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    ngx_str_t *path = (ngx_str_t *)((u_char *)conf + command->offset);
    ngx_str_t *words = cf->args->elts;

    if (path->len != 0) {
        return "is duplicate";
    }
    *path = words[1];
    if (path->len == 0 || path->data[path->len - 1] == '/') {
        return "needs the name of a file";
    }
    if (ngx_conf_full_name(cf->cycle, path, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }
    if (path->len > STATE_PATH_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "the name of the state file has more than %d bytes", STATE_PATH_MAX);
        return NGX_CONF_ERROR;
    }
    return NGX_CONF_OK;
}

/* ---- reading */

static bool read_rows(const char *path, struct state_rows *rows, char **bytes, char *why, bool *there)
{
    struct state_error error;
    size_t size_bytes;
    enum state_file_found found = state_file_read(path, STATE_TEXT_MAX_BYTES, bytes, &size_bytes, why);

    *there = found != STATE_FILE_NONE;
    if (found != STATE_FILE_READ) {
        return false;
    }
    if (state_text_read(rows, *bytes, size_bytes, &error)) {
        return true;
    }
    (void)snprintf(why, STATE_WHY_MAX, "%s: line %u: %s", path, error.line, error.why);
    if (error.line == 0) {
        (void)snprintf(why, STATE_WHY_MAX, "%s: %s", path, error.why);
    }
    free(*bytes);
    *bytes = NULL;
    return false;
}

/* A file that cannot be read says nothing: what is in the zone, or the configuration, stands. */
static void read_in(ngx_shm_zone_t *zone, const char *path, enum state_put how, bool may_rename, ngx_log_t *log)
{
    char why[STATE_WHY_MAX], aside[STATE_WHY_MAX];
    struct state_rows rows;
    char *bytes;
    bool there;
    struct state_mark mark = state_file_mark(path); /* before: one that comes meanwhile is another */

    shared_lock(zone);
    shared_of(zone)->state.mark = mark;
    shared_unlock(zone);
    if (read_rows(path, &rows, &bytes, why, &there)) {
        if (!state_zone_put(zone, &rows, how)) {
            ngx_log_error(NGX_LOG_ALERT, log, 0, "upstream_api: the shared zone is full: not all of %s is in it", path);
        }
        state_rows_free(&rows);
        free(bytes);
        return;
    }
    if (!there) {
        return;
    }
    ngx_log_error(NGX_LOG_ERR, log, 0, "upstream_api: the state file is not used: %s", why);
    if (!may_rename) {
        return;
    }
    if (state_file_put_aside(path, aside)) {
        ngx_log_error(NGX_LOG_ERR, log, 0, "upstream_api: it is kept as %s.bad", path);
    } else {
        ngx_log_error(NGX_LOG_ERR, log, 0, "upstream_api: %s", aside);
    }
}

void state_load(ngx_shm_zone_t *zone, const ngx_str_t *path, const ngx_cycle_t *cycle)
{
    struct shared *shared = shared_of(zone);
    struct shared_state *state = &shared->state;
    const char *text = path->len != 0 ? (const char *)path->data : "";
    bool first = shared->generation == 0; /* of this zone: a start or a binary upgrade, and no reload */

    if (first && path->len != 0) {
        read_in(zone, text, STATE_PUT_ALL, !ngx_test_config, cycle->log);
    }
    shared_lock(zone);
    if (ngx_strcmp(state->path, text) != 0) {
        (void)ngx_cpystrn(state->path, (u_char *)(uintptr_t)text, sizeof(state->path));
        state->stored = 0;
        state->owned = 0;
        state->let_go = 0;
        state->failing = 0;
        state->zone_leads = !first;
        if (!first) {
            state->mark = (struct state_mark){0};
        }
    }
    shared_unlock(zone);
}

/* ---- whose the file is; with FILE.lock held */

/* Not what we wrote or read last; a file that is gone says nothing. */
static bool is_new(ngx_shm_zone_t *zone, const char *path)
{
    struct state_mark mark = state_file_mark(path);

    shared_lock(zone);
    bool same = state_mark_is(&mark, &shared_of(zone)->state.mark);
    shared_unlock(zone);
    return !same && mark.inode != 0;
}

/* Another nginx has it, so what it writes is what holds. */
static void follow(ngx_shm_zone_t *zone, const char *path)
{
    if (is_new(zone, path)) {
        read_in(zone, path, STATE_PUT_NAMED, false, ngx_cycle->log);
    }
}

/* False = a reload has given the file another name since we looked. */
static bool is_path(ngx_shm_zone_t *zone, const char *path)
{
    shared_lock(zone);
    bool same = ngx_strcmp(shared_of(zone)->state.path, path) == 0;
    shared_unlock(zone);
    return same;
}

enum holder {
    HOLDER_US,
    HOLDER_OTHER, /* and we may not take it */
    HOLDER_NONE,  /* or one that we follow: it may be taken */
};

/* A zone that has had the file leaves it to whoever took it; of two zones of one master the later one has it. */
static enum holder holder_is(const struct shared_state *state, const struct state_owner *owner)
{
    if (owner->master.pid == 0) {
        return HOLDER_NONE;
    }
    if (process_is(&owner->master, &owner_here.master)) {
        return owner->zone > owner_here.zone                    ? HOLDER_OTHER
               : owner->zone == owner_here.zone && state->owned ? HOLDER_US
                                                                : HOLDER_NONE;
    }
    return state->owned && process_lives(&owner->master) ? HOLDER_OTHER : HOLDER_NONE;
}

static void note_other(ngx_shm_zone_t *zone, const struct state_owner *owner)
{
    if (owner->master.pid != owner_here.master.pid) {
        workers_note_other(zone, owner->master.pid);
    }
}

/* While another nginx is there, FILE has a row for each of our servers: see state_zone.h. */
static void note_two(ngx_shm_zone_t *zone, const struct process *other)
{
    struct shared_state *state = &shared_of(zone)->state;

    if (other->pid == 0 || process_is(other, &owner_here.master) || !process_lives(other)) {
        return;
    }
    shared_lock(zone);
    state->other = *other;
    shared_unlock(zone);
}

static void forget_dead_other(ngx_shm_zone_t *zone)
{
    struct shared_state *state = &shared_of(zone)->state;

    shared_lock(zone);
    struct process other = state->other;
    shared_unlock(zone);
    if (other.pid == 0 || process_lives(&other)) {
        return;
    }
    shared_lock(zone);
    if (state->other.pid == other.pid) {
        state->other = (struct process){0};
        state->changed++;
    }
    shared_unlock(zone);
}

/* Whether it had been before. */
static bool let_go(ngx_shm_zone_t *zone)
{
    shared_lock(zone);
    bool before = shared_of(zone)->state.let_go;
    shared_of(zone)->state.let_go = 1;
    shared_unlock(zone);
    return before;
}

/* The zone is right and the file is written from it, unless another has had the file: who finds FILE.lock gone, or the
 * folder as it was some time ago, has not lost it to anyone. */
static bool must_read(ngx_shm_zone_t *zone, const char *path, const struct state_owner *last)
{
    const struct shared_state *state = &shared_of(zone)->state;
    bool later = last->master.pid != 0 && last->zone > owner_here.zone; /* it came, wrote and died unseen */

    return !state->zone_leads && (!state->owned || state->let_go || later) && is_new(zone, path);
}

static enum state_verdict own(ngx_shm_zone_t *zone, const char *path, int lock, char *why)
{
    struct shared_state *state = &shared_of(zone)->state;
    struct state_owner owner;

    if (!is_path(zone, path)) {
        return STATE_GOOD; /* what is written there does not count as stored */
    }
    state_file_owner(lock, &owner);
    enum holder holder = holder_is(state, &owner);
    if (holder == HOLDER_US) {
        return STATE_GOOD;
    }
    if (holder == HOLDER_OTHER) {
        note_other(zone, &owner);
        note_two(zone, &owner.master);
        (void)snprintf(why, STATE_WHY_MAX, "nginx %ld has taken over the state file %s", (long)owner.master.pid, path);
        if (!let_go(zone)) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "upstream_api: %s: nothing can be changed here while it has it", why);
        }
        return STATE_TAKEN;
    }
    if (!state_file_own(lock, &owner_here, why)) {
        return STATE_LOST;
    }
    note_two(zone, &owner.master);
    if (must_read(zone, path, &owner)) {
        read_in(zone, path, state->owned ? STATE_PUT_NAMED : STATE_PUT_ALL, true, ngx_cycle->log);
    }
    shared_lock(zone);
    if (ngx_strcmp(state->path, path) == 0) {
        state->owned = 1;
        state->let_go = 0;
        state->zone_leads = 0;
        state->stored = 0;
    }
    shared_unlock(zone);
    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0, "upstream_api: the state file %s is ours", path);
    return STATE_GOOD;
}

/* ---- writing */

static void copy_path(ngx_shm_zone_t *zone, char path[STATE_PATH_MAX + 1])
{
    shared_lock(zone);
    (void)ngx_cpystrn((u_char *)path, shared_of(zone)->state.path, STATE_PATH_MAX + 1);
    shared_unlock(zone);
}

static void note_writing(ngx_shm_zone_t *zone, uint64_t now_ms)
{
    shared_lock(zone);
    shared_of(zone)->state.writing_ms = now_ms;
    shared_unlock(zone);
}

/* With FILE.lock held. */
static bool write_zone(ngx_shm_zone_t *zone, const char *path, char *why)
{
    struct shared_state *state = &shared_of(zone)->state;
    struct state_text text;
    uint64_t changed;
    note_writing(zone, view_now_ms());
    bool good = state_zone_text(zone, &text, &changed);

    if (!good) {
        (void)snprintf(why, STATE_WHY_MAX, "no memory for the state, or it has more than %d bytes",
                       STATE_TEXT_MAX_BYTES);
    } else {
        good = state_file_write(path, text.bytes, text.size_bytes, why);
    }
    state_text_free(&text);
    struct state_mark mark = state_file_mark(path);
    shared_lock(zone);
    state->writing_ms = 0;
    if (good && ngx_strcmp(state->path, path) == 0) {
        state->stored = ngx_max(state->stored, changed);
        state->mark = mark;
    }
    shared_unlock(zone);
    return good;
}

static bool is_stored(ngx_shm_zone_t *zone, uint64_t changed)
{
    shared_lock(zone);
    bool stored = shared_of(zone)->state.path[0] == '\0' || shared_of(zone)->state.stored >= changed;
    shared_unlock(zone);
    return stored;
}

static uint32_t lock_limit_ms(ngx_shm_zone_t *zone)
{
    return shared_of(zone)->state.failing ? 0 : LOCK_LIMIT_MS;
}

/* One that was killed meanwhile counts no longer than WRITING_LIMIT_MS. */
static bool is_being_written(ngx_shm_zone_t *zone, uint64_t now_ms)
{
    shared_lock(zone);
    uint64_t since_ms = shared_of(zone)->state.writing_ms;
    shared_unlock(zone);
    return since_ms != 0 && now_ms < since_ms + WRITING_LIMIT_MS;
}

/* Whoever holds the lock may have written our change with his. So nobody waits for more than two writings, however
 * unfair the lock is. */
static int lock_unless_stored(ngx_shm_zone_t *zone, const char *path, uint64_t changed, uint32_t limit_ms, char *why)
{
    uint64_t begin_ms = view_now_ms();

    for (;;) {
        int lock = state_file_lock(path, 0, why);
        uint64_t now_ms = view_now_ms();
        bool wait =
            now_ms < begin_ms + limit_ms || (now_ms < begin_ms + WRITING_LIMIT_MS && is_being_written(zone, now_ms));

        if (lock != STATE_LOCK_BUSY || !wait || is_stored(zone, changed)) {
            return lock;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = STORE_POLL_NS}, NULL);
    }
}

static enum state_verdict store_once(ngx_shm_zone_t *zone, uint64_t changed, uint32_t limit_ms, bool undo, char *why)
{
    char path[STATE_PATH_MAX + 1];

    copy_path(zone, path);
    int lock = lock_unless_stored(zone, path, changed, limit_ms, why);
    if (lock == STATE_LOCK_BUSY && is_stored(zone, changed)) {
        return STATE_GOOD;
    }
    if (lock < 0) {
        return lock == STATE_LOCK_BUSY ? STATE_BUSY : STATE_LOST;
    }
    enum state_verdict verdict = own(zone, path, lock, why);
    if (verdict == STATE_TAKEN && undo) {
        read_in(zone, path, STATE_PUT_ALL, false, ngx_cycle->log); /* undoes what the new owner has not seen */
    } else if (verdict == STATE_GOOD && !is_stored(zone, changed) && !write_zone(zone, path, why)) {
        verdict = STATE_LOST;
    }
    state_file_unlock(&lock);
    return verdict;
}

/* The log has one line when it begins to fail, and one when it ends. */
static void note_failing(ngx_shm_zone_t *zone, bool failing, const char *why)
{
    struct shared_state *state = &shared_of(zone)->state;

    shared_lock(zone);
    bool was_failing = state->failing;
    state->failing = failing;
    shared_unlock(zone);
    if (failing && !was_failing) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "upstream_api: changes would not outlive nginx: %s; tried again every second", why);
    } else if (!failing && was_failing) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0, "upstream_api: the state file is written again");
    }
}

/* undo: it is for a PATCH, which answers that nothing is changed where the file was taken meanwhile. More than once
 * only where a reload has changed the path meanwhile. */
static enum state_verdict store(ngx_shm_zone_t *zone, uint32_t limit_ms, bool undo, char *why)
{
    enum state_verdict verdict = STATE_GOOD;

    shared_lock(zone);
    uint64_t changed = shared_of(zone)->state.changed;
    shared_unlock(zone);
    for (int i = 0; i < STORE_TRIES && verdict == STATE_GOOD && !is_stored(zone, changed); i++) {
        verdict = store_once(zone, changed, limit_ms, undo, why);
    }
    if (verdict == STATE_GOOD && !is_stored(zone, changed)) {
        (void)snprintf(why, STATE_WHY_MAX, "the path of the state file changed again and again");
        verdict = STATE_LOST;
    }
    return verdict;
}

enum state_verdict state_keep(ngx_shm_zone_t *zone, char *why)
{
    struct shared_state *state = &shared_of(zone)->state;
    enum state_verdict verdict = store(zone, lock_limit_ms(zone), true, why);

    if (verdict == STATE_BUSY) {
        (void)snprintf(why, STATE_WHY_MAX, "another process holds its FILE.lock");
        verdict = STATE_LOST;
    }
    if (verdict == STATE_LOST) {
        shared_lock(zone);
        state->zone_leads = !state->owned; /* a change stands that no file has */
        shared_unlock(zone);
    }
    if (verdict != STATE_TAKEN) {
        note_failing(zone, verdict == STATE_LOST, why);
    }
    return verdict;
}

/* ---- looking after it */

static enum state_verdict claim(ngx_shm_zone_t *zone, uint32_t limit_ms, char *why)
{
    char path[STATE_PATH_MAX + 1];
    struct state_owner owner;

    copy_path(zone, path);
    if (path[0] == '\0') {
        return STATE_GOOD;
    }
    state_file_look(path, &owner);
    enum holder holder = holder_is(&shared_of(zone)->state, &owner);
    if (holder == HOLDER_US) {
        return STATE_GOOD;
    }
    if (holder == HOLDER_OTHER) {
        note_other(zone, &owner); /* whether or not we get the lock */
    }
    int lock = state_file_lock(path, limit_ms, why);
    if (lock < 0) {
        return lock == STATE_LOCK_BUSY ? STATE_BUSY : STATE_LOST;
    }
    enum state_verdict verdict = own(zone, path, lock, why);
    if (verdict == STATE_TAKEN) {
        follow(zone, path);
    }
    state_file_unlock(&lock);
    return verdict;
}

enum state_verdict state_may_change(ngx_shm_zone_t *zone, char *why)
{
    /* A lock that cannot be had: the change is made, and state_keep will say so. */
    return claim(zone, lock_limit_ms(zone), why) == STATE_TAKEN ? STATE_TAKEN : STATE_GOOD;
}

void state_look(ngx_shm_zone_t *zone)
{
    char why[STATE_WHY_MAX];

    if (!ngx_exiting) {
        (void)claim(zone, ngx_min(lock_limit_ms(zone), LOOK_LIMIT_MS), why);
    }
}

static void look_after(ngx_shm_zone_t *zone, uint32_t limit_ms)
{
    char why[STATE_WHY_MAX];
    enum state_verdict verdict = claim(zone, limit_ms, why);

    forget_dead_other(zone);
    if (verdict == STATE_GOOD) {
        verdict = store(zone, limit_ms, false, why);
    }
    if (verdict == STATE_GOOD || verdict == STATE_LOST) {
        note_failing(zone, verdict == STATE_LOST, why);
    }
}

/* An nginx on its way out may wait for its last connections for long: another one may want to change something. */
static void give_back(ngx_shm_zone_t *zone)
{
    const struct state_owner nobody = {0};
    char path[STATE_PATH_MAX + 1], why[STATE_WHY_MAX];
    struct state_owner owner;

    workers_reap(zone);
    if (workers_note_exiting(zone)) {
        return;
    }
    copy_path(zone, path);
    int lock = path[0] != '\0' ? state_file_lock(path, 0, why) : STATE_LOCK_FAILED;
    if (lock < 0) {
        return;
    }
    state_file_owner(lock, &owner);
    if (process_is(&owner.master, &owner_here.master) && owner.zone == owner_here.zone &&
        state_file_own(lock, &nobody, why)) {
        (void)let_go(zone);
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0, "upstream_api: the state file %s is given back", path);
    }
    state_file_unlock(&lock);
}

static void tick(ngx_event_t *event)
{
    if (ngx_exiting) {
        give_back(event->data);
    } else {
        look_after(event->data, 0);
    }
    ngx_add_timer(event, LOOK_EVERY_MS);
}

void state_begin(ngx_shm_zone_t *zone, uint64_t generation)
{
    static ngx_event_t event;
    struct shared_state *state = &shared_of(zone)->state;

    owner_here.master.pid = ngx_process == NGX_PROCESS_SINGLE ? ngx_pid : ngx_parent;
    owner_here.master.start_ticks = process_start_ticks(owner_here.master.pid);
    owner_here.zone = shared_of(zone)->born_ns;
    shared_lock(zone);
    if (generation > state->generation) {
        state->generation = generation;
        state->changed++; /* a reload forgets servers that are out of the configuration */
    }
    bool any = state->path[0] != '\0';
    shared_unlock(zone);
    if (!any) {
        return;
    }
    look_after(zone, shared_of(zone)->state.owned ? lock_limit_ms(zone) : START_LIMIT_MS);
    if (ngx_process == NGX_PROCESS_SINGLE) {
        return; /* it stays over reloads, and the zone's place does not */
    }
    event.handler = tick;
    event.data = zone;
    event.log = ngx_cycle->log;
    event.cancelable = 1; /* a worker that shuts down does not wait for it */
    ngx_add_timer(&event, LOOK_EVERY_MS);
}
