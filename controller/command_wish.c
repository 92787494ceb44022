/* command_wish.c - pause, abort, promote: puts a wish to every agent of the hosts file, says how many took it, and
 * waits until the rollout's controller, wherever it runs, has heard it. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agent_api.h"
#include "clock.h"
#include "command.h"
#include "common/json.h"
#include "common/mem.h"
#include "say.h"
#include "signals.h"

#define HEARD_LIMIT_MS  10000
#define LOOK_EVERY_MS   200
#define RESULTS_AT_ONCE 64

enum seat_state { SEAT_ASKED, SEAT_TOOK, SEAT_FAILED };

/* One service at one agent. */
struct seat {
    uint32_t host;
    char service[OPTION_NAME_MAX + 1];
    enum seat_state state;
    bool calling; /* a call is under way */
};

struct wishing {
    struct session *s;
    enum wish wish;
    uint64_t id;
    struct seat *seats;
    size_t n_seats;
    uint32_t n_took, n_failed;
    enum call_failure failure; /* of one that failed */
    bool heard, effect, interrupted;
    char by[WIRE_HOLDER_MAX + 1];
    enum wish first; /* another's, that goes first; WISH_NONE: there is none */
    char whose[WIRE_HOLDER_MAX + 1];
};

static enum wish wish_of(enum command command)
{
    return command == COMMAND_PAUSE ? WISH_PAUSE : command == COMMAND_ABORT ? WISH_ABORT : WISH_PROMOTE;
}

/* Never 0, and no two alike. */
static uint64_t make_id(void)
{
    uint64_t id = 0;

    if (getrandom(&id, sizeof id, 0) != sizeof id)
        id = (uint64_t)clock_ms();
    return (id & INT64_MAX) | 1;
}

static void call(struct wishing *w, struct seat *seat, const char *method, char *url, char *body)
{
    const struct fleet_host *h = &w->s->fleet->hosts[seat->host];
    struct call_request q = {.method = method,
                             .peer = h->name,
                             .url = url,
                             .connect_to = h->agent_address,
                             .body = body,
                             .body_bytes = body != NULL ? strlen(body) : 0,
                             .limit_ms = w->s->options->request_timeout_ms,
                             .cap_bytes = WIRE_BODY_MAX,
                             .tag = seat};

    calls_start(w->s->calls, &q);
    seat->calling = true;
    free(url);
    free(body);
}

/* All services that the hosts file has on all its nodes. */
static void take_seats(struct wishing *w)
{
    const struct session *s = w->s;
    uint32_t n_services = option_names_count(s->options->service);

    w->seats = mem_zero(s->n_nodes * n_services, sizeof *w->seats);
    for (size_t i = 0; i < s->n_nodes; i++)
        for (uint32_t k = 0; k < n_services; k++) {
            w->seats[w->n_seats].host = s->nodes[i];
            (void)option_name_at(s->options->service, k, w->seats[w->n_seats++].service);
        }
}

static char *url_of(const struct wishing *w, const struct seat *seat, const char *rollout)
{
    return agent_api_url_wish_of(w->s->fleet->hosts[seat->host].agent_url, seat->service, rollout);
}

static void put_all(struct wishing *w)
{
    for (size_t i = 0; i < w->n_seats; i++)
        call(w, &w->seats[i], "PUT", url_of(w, &w->seats[i], NULL),
             agent_api_body_wish(w->s->options->id, w->id, w->wish, w->s->holder));
}

static void look_all(struct wishing *w)
{
    for (size_t i = 0; i < w->n_seats; i++)
        if (w->seats[i].state == SEAT_TOOK && !w->seats[i].calling)
            call(w, &w->seats[i], "GET", url_of(w, &w->seats[i], w->s->options->id), NULL);
}

static void failed(struct wishing *w, struct seat *seat, const struct call_result *r)
{
    struct answer a;

    agent_api_answer(ASK_UNCLAIM, NULL, r, &a); /* any effect whose answer has no body of its own */
    say_why("%s did not take it: %s", w->s->fleet->hosts[seat->host].name, a.text);
    seat->state = SEAT_FAILED;
    w->n_failed++;
    w->failure = r->failure;
}

/* In the place of ours there may be another's by now. One that wants the same does as well. */
static void look_at(struct wishing *w, const struct agent_wish *there)
{
    if ((there->id == w->id || there->wish == w->wish) && there->taken) {
        w->heard = true;
        w->effect = there->effect;
        memcpy(w->by, there->taker, sizeof w->by);
    } else if (agent_api_wish_caution(there->wish) > agent_api_wish_caution(w->wish)) {
        w->first = there->wish;
        memcpy(w->whose, there->holder, sizeof w->whose);
    }
}

static void came(struct wishing *w, const struct call_result *r)
{
    struct seat *seat = r->tag;
    bool good = r->failure == CALL_FINE && r->status >= 200 && r->status <= 299;
    struct agent_wish there;

    seat->calling = false;
    if (seat->state == SEAT_ASKED && good) {
        seat->state = SEAT_TOOK;
        w->n_took++;
    } else if (seat->state == SEAT_ASKED) {
        failed(w, seat, r);
    } else if (good && !w->heard && agent_api_read_wish(r, &there)) {
        look_at(w, &there);
    }
}

static void wait_until_heard(struct wishing *w)
{
    int64_t until_ms = clock_ms() + HEARD_LIMIT_MS, look_ms = 0, now = clock_ms();

    while (!w->heard && w->first == WISH_NONE && !w->interrupted && now < until_ms && w->n_failed < w->n_seats) {
        struct call_result results[RESULTS_AT_ONCE];
        size_t n;

        if (now >= look_ms) {
            look_all(w);
            look_ms = now + LOOK_EVERY_MS;
        }
        n = calls_collect(w->s->calls, (uint32_t)(look_ms - now), results, RESULTS_AT_ONCE, &w->interrupted);
        for (size_t i = 0; i < n; i++) {
            came(w, &results[i]);
            call_result_free(&results[i]);
        }
        now = clock_ms();
    }
}

static void tell_seats(const struct wishing *w)
{
    const char *word = agent_api_wish_word(w->wish), *id = w->s->options->id;
    size_t open = w->n_seats - w->n_took - w->n_failed;
    char more[64] = "";

    if (!say_is_text()) {
        say_document(json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:o,s:b}", "wish", word, "rollout", id, "asked",
                               (json_int_t)w->n_seats, "took", (json_int_t)w->n_took, "failed", (json_int_t)w->n_failed,
                               "unanswered", (json_int_t)open, "heard_by", w->heard ? json_text(w->by) : json_null(),
                               "acts", w->heard && w->effect));
        return;
    }
    if (open > 0)
        (void)snprintf(more, sizeof more, ", %zu have not answered yet", open);
    say("%s of rollout %s: %u of %zu %s took it%s", word, id, w->n_took, w->n_seats,
        w->n_seats > w->s->n_nodes ? "services at agents" : "agents", more);
}

static int end(const struct wishing *w)
{
    const char *word = agent_api_wish_word(w->wish), *id = w->s->options->id;

    tell_seats(w);
    if (w->heard && w->effect) {
        if (say_is_text())
            say("heard by %s, who acts on it", w->by);
        return 0;
    }
    if (w->heard) {
        say_why("heard by %s: there is nothing to %s%s", w->by, word,
                w->wish == WISH_PROMOTE ? "; it does not wait for a promotion" : ", it ends already");
        return EXIT_REFUSED;
    }
    if (w->first != WISH_NONE) {
        say_why("the %s by %s goes first", agent_api_wish_word(w->first), w->whose);
        return EXIT_REFUSED;
    }
    if (w->n_took == 0)
        return w->failure == CALL_FINE ? EXIT_REFUSED : EXIT_UNREACHABLE;
    if (w->interrupted)
        return 128 + signals_seen(NULL);
    say_why("nobody has heard it within %d s: is rollout %s at work on these nodes? `rollout status %s` tells on the "
            "machine that it runs on",
            HEARD_LIMIT_MS / 1000, id, id);
    return EXIT_UNREACHABLE;
}

int command_wish(struct options *o)
{
    struct session s;
    struct err err = {.text = ""};
    struct wishing w = {.s = &s, .wish = wish_of(o->command), .id = make_id()};
    int code;

    if (!session_open(&s, o, NULL, &err)) {
        code = command_bad(EXIT_CONFIG, &err);
    } else {
        take_seats(&w);
        signals_attach(s.calls);
        put_all(&w);
        wait_until_heard(&w);
        code = end(&w);
        free(w.seats);
    }
    session_close(&s);
    return code;
}
