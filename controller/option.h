/* option.h - one setting: its row in options.def, and the reading of a text as its typed value.
 *
 * Knows neither the command line nor the fleet; options.h and fleet.h are built on it. */
#ifndef CONTROLLER_OPTION_H
#define CONTROLLER_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/status_range.h"

#define OPTION_NAME_MAX  64  /* bytes of a NAME: a service, a zone, a rollout id */
#define OPTION_LABEL_MAX 128 /* bytes of a LABEL */
#define OPTION_TEXT_MAX  1024

enum command {
#define COMMAND(id, ...) COMMAND_##id,
#include "options.def"
    COMMAND_COUNT
};

extern const char *const command_words[COMMAND_COUNT];
extern const char *const command_arguments[COMMAND_COUNT]; /* "", "ID", "[ID]", "[WORD]" */

/* OPT_max_unavailable and so on. */
enum option_id {
#define OPTION(field, ...) OPT_##field,
#include "options.def"
    OPT_COUNT
};

enum option_type {
    OPTION_TEXT,     /* const char *: printable UTF-8 */
    OPTION_LABEL,    /* const char *: printable ASCII, as the agents take it */
    OPTION_NAME,     /* const char *: letters, digits, . _ - ; begins with a letter or digit */
    OPTION_NAMES,    /* const char *: NAMEs, separated by commas, none of them twice */
    OPTION_PATH,     /* const char *: of a file or folder; whether it is there is seen by whoever opens it */
    OPTION_TEMPLATE, /* const char *: text where {host} and {address} stand for the host's */
    OPTION_URLS,     /* struct text_list: http:// or https:// URLs, separated by commas or blanks */
    OPTION_HOOKS,    /* struct text_list: POINT=COMMAND (hook.h), one a line */
    OPTION_DURATION, /* uint32_t FIELD_ms: as Go and nginx write them */
    OPTION_NUMBER,   /* uint32_t */
    OPTION_PERCENT,  /* uint32_t FIELD_bp: hundredths of a percent; written "1%", "0.25%" */
    OPTION_STATUSES, /* struct status_range */
    OPTION_SHARE,    /* struct share: a number or a percentage */
    OPTION_SHARES,   /* struct share_list */
    OPTION_WORD,     /* uint32_t: index of the word in `argument` */
    OPTION_MARK,     /* uint32_t: a number, or MARK_WORD for the word before the | of `argument`; 0 = not set */
    OPTION_FLAG      /* bool */
};

/* Whose value in the hosts file counts. */
enum option_scope {
    SCOPE_NOT_HOSTS, /* it has no key */
    SCOPE_OF_HOST,   /* each host its own */
    SCOPE_OF_NODES,  /* all nodes of the rollout must agree */
    SCOPE_OF_ALL     /* all its nodes and load balancers must agree: it belongs below [all:vars] */
};

enum option_commands {
    IN_PLAN = 1u << COMMAND_PLAN,
    IN_DOCTOR = 1u << COMMAND_DOCTOR,
    IN_UPGRADES = 1u << COMMAND_ROLL | 1u << COMMAND_PLAN | 1u << COMMAND_RESUME | IN_DOCTOR,
    IN_RUNS = IN_UPGRADES | 1u << COMMAND_ROLLBACK,
    IN_ALL = IN_RUNS | 1u << COMMAND_REPAIR,
    IN_ACTS = IN_ALL & ~(1u << COMMAND_PLAN | IN_DOCTOR), /* those that change something */
    IN_AGENTS = 1u << COMMAND_AGENTS,
    IN_WISHES = 1u << COMMAND_PAUSE | 1u << COMMAND_ABORT | 1u << COMMAND_PROMOTE,
    IN_FLEET = IN_ALL | IN_AGENTS | IN_WISHES,
    IN_LBS = IN_FLEET | 1u << COMMAND_INIT,
    IN_HOSTS = 1u << COMMAND_HOSTS,
    IN_NAMED = IN_ALL & ~(1u << COMMAND_RESUME | IN_DOCTOR),                      /* the others take the id as a word */
    IN_READS = 1u << COMMAND_STATUS | 1u << COMMAND_HISTORY | 1u << COMMAND_SHOW, /* the journal alone */
    IN_REPORTS = IN_READS | IN_PLAN | IN_AGENTS | IN_DOCTOR | IN_HOSTS | IN_WISHES | 1u << COMMAND_VERSION
};

struct option_row {
    enum option_id id;
    const char *flag, *env, *key; /* NULL: cannot be set that way */
    enum option_type type;
    const char *argument, *fallback;
    uint32_t low, high;
    enum option_scope scope;
    unsigned commands; /* of enum option_commands */
    const char *help;
};

extern const struct option_row option_rows[OPT_COUNT]; /* by id */

/* A part of a whole: 2 nodes, or 20 percent of them. Never 0. */
struct share {
    uint32_t value;
    bool percent;
};
/* How many of `total`: at most total; a percentage is rounded down, but at least 1 (of a total above 0). */
uint32_t share_of(struct share, uint32_t total);

#define SHARES_MAX 16
/* --batch 1,5,20%; pace.h says which holds when. */
struct share_list {
    uint32_t count; /* at least 1 */
    struct share items[SHARES_MAX];
};

#define MARK_WORD UINT32_MAX

/* The i-th of NAMES into `name` (OPTION_NAME_MAX + 1 bytes); false where there are not so many. */
bool option_name_at(const char *names, uint32_t i, char *name);
uint32_t option_names_count(const char *names);

#define URLS_MAX 256
struct text_list {
    uint32_t count;
    char *items[URLS_MAX];
};

/* Room for the value of any option. */
union option_value {
    const char *text;
    uint32_t number; /* DURATION: ms. PERCENT: hundredths of one. WORD: index */
    struct status_range statuses;
    struct share share;
    struct share_list shares;
    bool flag;
};

/* Read `text` as the row's type within its bounds, into *value (the member that fits the type; URLS, HOOKS: only
 * checked, `text` stays as it is). `text` is borrowed by the value. The sentence says what is wrong and what would be
 * right; the caller puts in front where it stood. */
bool option_read(const struct option_row *row, const char *text, union option_value *value, struct err *err);

/* Whether `url` is http(s)://HOST[:PORT][/PATH]: no user and password (secrets come from files), query, fragment,
 * blank. host (256 bytes, or NULL) gets the host, an IPv6 address without its brackets. */
bool option_url(const char *url, char *host, struct err *err);

/* The word of that index, as option_read takes it; the caller frees it. */
char *option_word(const struct option_row *row, uint32_t index);

const struct option_row *option_by_key(const char *key); /* rollout_zone; NULL = unknown */

/* The word of a WORD that is nearest, or NULL; the caller frees it. */
char *option_nearest_word(const struct option_row *row, const char *typed);

/* The nearest known one, or NULL (nearest.h). */
const char *option_nearest_flag(const char *typed);
const char *option_nearest_key(const char *typed);

#endif
