#include "session.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "common/sha256.h"
#include "given.h"
#include "hook.h"
#include "pattern.h"
#include "plan_order.h"
#include "signals.h"

/* 20261122-170000-1a2b: sorts by time, and two at once differ. */
static void make_rollout_id(struct session *s)
{
    time_t now = time(NULL);
    struct tm tm;
    unsigned salt;
    size_t n;

    if (getrandom(&salt, sizeof salt, GRND_NONBLOCK) != sizeof salt)
        salt = (unsigned)getpid();
    (void)gmtime_r(&now, &tm);
    n = strftime(s->rollout, sizeof s->rollout, "%Y%m%d-%H%M%S", &tm);
    (void)snprintf(s->rollout + n, sizeof s->rollout - n, "-%04x", salt & 0xffff);
}

/* "ann@ci-7 pid 4711", printable ASCII alone: it travels in a header. */
static void make_holder(struct session *s)
{
    const struct passwd *user = getpwuid(getuid());
    char host[64] = "unknown";

    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(s->holder, sizeof s->holder, "%.40s@%.60s pid %d", user == NULL ? "?" : user->pw_name, host,
                   (int)getpid());
    for (char *c = s->holder; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
}

static bool read_release(struct session *s, struct err *err)
{
    struct plan_request *q = &s->request;
    const char *file = s->options->release;

    q->rollback = s->options->command == COMMAND_ROLLBACK;
    /* The hosts file may name one, also on a machine that does not have it. */
    q->has_release = file != NULL && (option_rows[OPT_release].commands >> s->options->command & 1) != 0;
    q->rolls_back = s->options->failure_action == FAILURE_ACTION_ROLLBACK;
    if (!q->has_release)
        return true;
    if (!sha256_file(file, q->release_sha256, &q->release_size, err))
        return err_context(err, "--release");
    if (q->release_size == 0)
        return err_set(err, "--release %s: the file is empty", file);
    return release_signature_read(file, &q->signature, err);
}

static bool read_services(const struct session *s, struct err *err)
{
    uint32_t n = option_names_count(s->options->service);

    if (s->n_nodes * n > PLAN_NODES_MAX)
        return err_set(err, "%s: %zu nodes, %u service%s each, at most %d together; use --limit", s->fleet->path,
                       s->n_nodes, n, n == 1 ? "" : "s", PLAN_NODES_MAX);
    for (size_t i = 0; n > 1 && i < s->n_nodes; i++)
        if (s->fleet->hosts[s->nodes[i]].peer != NULL)
            return err_set(err,
                           "%s: %s has a rollout_peer, which does not say of which of the services %s it is; roll "
                           "them one by one",
                           s->fleet->path, s->fleet->hosts[s->nodes[i]].name, s->options->service);
    return true;
}

/* The hosts file; where none is named and there is a journal, the fleet that it holds. */
static bool load_fleet(struct session *s, const struct plan *journal, struct err *err)
{
    struct options *o = s->options;
    bool named = o->hosts != NULL;

    if (journal != NULL && journal->given[0] != '\0' && !given_options_again(o, journal->given, named, err))
        return false;
    if (named)
        return fleet_load(o->hosts, &s->fleet, err);
    if (journal == NULL)
        return err_set(err, "no hosts file: give --hosts FILE or set ROLLOUT_HOSTS");
    if (journal->hosts[0] == '\0')
        return err_set(err, "the journal of rollout %s is of an older version and holds no hosts: give --hosts FILE",
                       journal->rollout);
    s->by_journal = true;
    return fleet_parse("the journal's hosts", journal->hosts, strlen(journal->hosts), &s->fleet, err);
}

static bool match_nodes(struct session *s, struct err *err)
{
    char *limit = s->by_journal ? given_limit(s->fleet, s->options->limit) : NULL;
    bool matched = pattern_match(s->fleet, limit != NULL ? limit : s->options->limit, &s->nodes, &s->n_nodes, err);

    free(limit);
    return matched;
}

static bool read_fleet(struct session *s, const struct plan *journal, struct err *err)
{
    const struct options *o = s->options;

    if (!load_fleet(s, journal, err))
        return false;
    for (uint32_t i = 0; i < o->lb.count; i++)
        if (!fleet_add_lb(s->fleet, o->lb.items[i], err))
            return err_context(err, "--lb");
    if (!match_nodes(s, err))
        return o->limit == NULL ? false : err_context(err, "%s", s->fleet->path);
    if (s->fleet->n_lbs == 0)
        return err_set(err, "%s: no load balancer: give a host rollout_api=URL, or name one with --lb URL",
                       s->fleet->path);
    if (s->fleet->n_lbs > PLAN_LBS_MAX)
        return err_set(err, "%s: %u load balancers, at most %d", s->fleet->path, s->fleet->n_lbs, PLAN_LBS_MAX);
    if (!options_merge_fleet(s->options, s->fleet, s->nodes, s->n_nodes, err) || !read_services(s, err))
        return false;
    return o->order != ORDER_ZONE || o->command == COMMAND_REPAIR ||
           plan_order_by_zone(s->fleet, s->nodes, s->n_nodes, err);
}

/* A typing error is better found now than at the first node. */
static bool check_hooks(const struct options *o, struct err *err)
{
    const char *command;

    for (uint32_t i = 0; i < o->hook.count; i++) {
        int point = hook_split(o->hook.items[i], &command);

        if (!hook_can_run(command, err))
            return err_context(err, "--hook %s", hook_point_words[point]);
    }
    return true;
}

static bool keep_given(struct session *s, struct err *err)
{
    char *cwd = getcwd(NULL, 0);

    if (cwd == NULL)
        return err_set(err, "the folder that we run in: %s", strerror(errno));
    s->hosts = given_hosts(s->fleet, s->nodes, s->n_nodes, cwd);
    s->given = given_options(s->options, cwd);
    free(cwd);
    return true;
}

bool session_open(struct session *s, struct options *o, const struct plan *journal, struct err *err)
{
    memset(s, 0, sizeof *s);
    s->began_ms = clock_ms();
    s->options = o;
    s->journal = journal;
    if (!read_fleet(s, journal, err) || !check_hooks(o, err) || !keep_given(s, err) || !read_release(s, err))
        return false;
    s->calls = calls_open(o->connect_timeout_ms, err);
    if (s->calls == NULL || !survey_set_profiles(s->calls, s->fleet, o, err))
        return false;
    if (o->rollout_id != NULL)
        (void)snprintf(s->rollout, sizeof s->rollout, "%s", o->rollout_id);
    else
        make_rollout_id(s);
    make_holder(s);
    s->request.rollout = s->rollout;
    s->request.holder = s->holder;
    s->request.hosts = s->hosts;
    s->request.given = s->given;
    return true;
}

bool session_open_agents(struct session *s, struct options *o, struct err *err)
{
    memset(s, 0, sizeof *s);
    s->options = o;
    if (!fleet_load(o->hosts, &s->fleet, err) || !options_merge_common(o, s->fleet, err))
        return false;
    if (!pattern_match(s->fleet, o->limit, &s->nodes, &s->n_nodes, err))
        return o->limit == NULL ? false : err_context(err, "%s", s->fleet->path);
    s->calls = calls_open(o->connect_timeout_ms, err);
    return s->calls != NULL && survey_set_profiles(s->calls, s->fleet, o, err);
}

bool session_survey(struct session *s)
{
    struct survey *now;

    signals_attach(s->calls);
    if (signals_seen(NULL) != 0)
        return false;
    now = survey_make(s->calls, s->fleet, s->options, s->nodes, s->n_nodes);
    if (now == NULL)
        return false;
    if (s->survey != NULL)
        survey_free(&s->survey);
    s->survey = now;
    return true;
}

void session_close(struct session *s)
{
    signals_detach();
    if (s->survey != NULL)
        survey_free(&s->survey);
    if (s->calls != NULL)
        calls_close(&s->calls);
    free(s->hosts);
    free(s->given);
    free(s->nodes);
    if (s->fleet != NULL)
        fleet_free(&s->fleet);
}
