/* options.h - what the caller wants: flag over environment over hosts file over default, as typed values.
 *
 * struct options is generated from options.def: a row `OPTION(batch, ..., SHARES, ...)` is the member
 * `struct share_list batch`; a DURATION gets `_ms` behind its name, a PERCENT `_bp`. */
#ifndef CONTROLLER_OPTIONS_H
#define CONTROLLER_OPTIONS_H

#include "option.h"

struct fleet;

enum { ON_DRAIN_TIMEOUT_FAIL, ON_DRAIN_TIMEOUT_PROCEED };                       /* on_drain_timeout */
enum { ORDER_INVENTORY, ORDER_ZONE };                                           /* order */
enum { FAILURE_ACTION_STOP, FAILURE_ACTION_CONTINUE, FAILURE_ACTION_ROLLBACK }; /* failure_action */
enum { HEALTH_FROM_AGENT, HEALTH_FROM_CONTROLLER };                             /* health_from */
enum { ON_INCONCLUSIVE_CONTINUE, ON_INCONCLUSIVE_PAUSE };                       /* on_inconclusive */
enum { LOG_FORMAT_AUTO, LOG_FORMAT_PLAIN, LOG_FORMAT_GITHUB, LOG_FORMAT_GITLAB, LOG_FORMAT_JSON }; /* log_format */
enum { OUTPUT_TEXT, OUTPUT_JSON };                                                                 /* output */

enum option_source { SOURCE_DEFAULT, SOURCE_HOSTS, SOURCE_ENV, SOURCE_FLAG };

#define MEMBER_TEXT(field)     const char *field;
#define MEMBER_LABEL(field)    const char *field;
#define MEMBER_NAME(field)     const char *field;
#define MEMBER_NAMES(field)    const char *field;
#define MEMBER_PATH(field)     const char *field;
#define MEMBER_TEMPLATE(field) const char *field;
#define MEMBER_URLS(field)     struct text_list field;
#define MEMBER_HOOKS(field)    struct text_list field;
#define MEMBER_DURATION(field) uint32_t field##_ms;
#define MEMBER_NUMBER(field)   uint32_t field;
#define MEMBER_PERCENT(field)  uint32_t field##_bp;
#define MEMBER_STATUSES(field) struct status_range field;
#define MEMBER_SHARE(field)    struct share field;
#define MEMBER_SHARES(field)   struct share_list field;
#define MEMBER_WORD(field)     uint32_t field;
#define MEMBER_MARK(field)     uint32_t field;
#define MEMBER_FLAG(field)     bool field;

struct options {
    enum command command; /* ROLL without a word; HELP also for --help */
    enum command help_on; /* HELP: which command's options; COMMAND_HELP: the first page; COMMAND_COUNT: all options */
    const char *id;       /* the rollout that a command is about; NULL = none was named */

/* Texts: NULL = not set. Those of OF_HOST options are what flag, environment or default say; ask options_host_text for
 * the one of a host. */
#define OPTION(field, flag, env, hosts_key, type, ...) MEMBER_##type(field)
#include "options.def"

    uint8_t source[OPT_COUNT]; /* enum option_source of each */
    char *owned[OPT_COUNT];    /* texts we made ourselves; not for others */
};

/* Set one option from a text, unless it is out of bounds; a URL is added to what the same source gave before. */
bool options_store(struct options *o, const struct option_row *row, const char *text, enum option_source source,
                   struct err *err);

/* Read the command line (argv[0] is passed over) and the environment (`env` as environ; NULL = empty), put the defaults
 * where neither speaks. Texts are borrowed from argv and env. False with a sentence is a usage error (exit 64): unknown
 * word, flag or abbreviation with the nearest known one, a value out of bounds with where it stood, a flag that the
 * command does not take; command, output and log_format then are what the line seems to want, for whoever says it. Call
 * options_free in either case. argv may be put in another order. */
bool options_parse(int argc, char **argv, char **env, struct options *o, struct err *err);

/* In options_env.c. The variables that begin with ROLLOUT_ and are neither a setting nor, within a hook, a fact that it
 * is told: "ROLLOUT_BACTH (did you mean ROLLOUT_BATCH?), ROLLOUT_COLOUR". To be freed; NULL: there are none. */
char *options_env_unknown(char **env);

/* In options_merge.c. Fill in what the hosts file says where neither flag nor environment spoke. nodes: the n_nodes
 * indexes into fleet->hosts that the rollout is about. False (exit 78) with both hosts named where they do not agree on
 * what must be one for all; also when what is needed at all (--service) is nowhere. Texts are borrowed from the fleet.
 */
bool options_merge_fleet(struct options *o, const struct fleet *fleet, const uint32_t *nodes, size_t n_nodes,
                         struct err *err);

/* In options_merge.c too. Only what is one for all hosts, such as the limits of calls. */
bool options_merge_common(struct options *o, const struct fleet *fleet, struct err *err);

/* The text that holds for one host (index into fleet->hosts) of an option that is a text: flag, environment, the hosts
 * file's value for that host, default; NULL = nowhere. */
const char *options_host_text(const struct options *o, const struct fleet *fleet, uint32_t host, enum option_id id);

void options_free(struct options *o);

/* In options_help.c. The text of --help for one command, the first page (COMMAND_HELP), or all
 * options (COMMAND_COUNT). The caller frees it. */
char *options_help(enum command command);

#endif
