#include "options.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/nearest.h"
#include "hook_facts.h"

_Static_assert(OPT_COUNT <= 64, "one bit an option in `seen`");

#define HELP_FLAG (256 + OPT_COUNT) /* getopt's value of --help; 256 + id for the others */

static void list_clear(struct text_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        free(list->items[i]);
    list->count = 0;
}

static bool list_add(struct text_list *list, const char *text, const char *between, uint32_t most, struct err *err)
{
    for (const char *p = text; *(p += strspn(p, between));) {
        size_t size = strcspn(p, between);
        char *item = list->count < most ? strndup(p, size) : NULL;
        if (!item)
            return err_set(err, "there are more than %u of them", most);
        list->items[list->count++] = item;
        p += size;
    }
    return true;
}

/* Written for each row by its type; in options_store. */
#define STORE_TEXT(field)     o->field = v.text
#define STORE_LABEL(field)    o->field = v.text
#define STORE_NAME(field)     o->field = v.text
#define STORE_NAMES(field)    o->field = v.text
#define STORE_PATH(field)     o->field = v.text
#define STORE_TEMPLATE(field) o->field = v.text
#define STORE_DURATION(field) o->field##_ms = v.number
#define STORE_NUMBER(field)   o->field = v.number
#define STORE_PERCENT(field)  o->field##_bp = v.number
#define STORE_STATUSES(field) o->field = v.statuses
#define STORE_SHARE(field)    o->field = v.share
#define STORE_SHARES(field)   o->field = v.shares
#define STORE_WORD(field)     o->field = v.number
#define STORE_MARK(field)     o->field = v.number
#define STORE_FLAG(field)     o->field = v.flag
#define STORE_URLS(field)                                                                                              \
    if (!store_list(o, row, &o->field, text, ", ", URLS_MAX, source, err))                                             \
    return false
#define STORE_HOOKS(field)                                                                                             \
    if (!store_list(o, row, &o->field, text, "\n", HOOKS_MAX, source, err))                                            \
    return false

/* Repeated flags add up; a better source replaces a worse one. */
static bool store_list(struct options *o, const struct option_row *row, struct text_list *list, const char *text,
                       const char *between, uint32_t most, enum option_source source, struct err *err)
{
    if (o->source[row->id] != source)
        list_clear(list);
    return list_add(list, text, between, most, err);
}

bool options_store(struct options *o, const struct option_row *row, const char *text, enum option_source source,
                   struct err *err)
{
    union option_value v;
    if (!option_read(row, text, &v, err))
        return false;
    switch (row->id) {
#define OPTION(field, flag, env, hosts_key, type, ...)                                                                 \
    case OPT_##field:                                                                                                  \
        STORE_##type(field);                                                                                           \
        break;
#include "options.def"
    default:
        assert(!"an option without a row");
    }
    o->source[row->id] = (uint8_t)source;
    return true;
}

static void options_defaults(struct options *o)
{
    for (size_t i = 0; i < OPT_COUNT; i++) {
        struct err err = {0};
        bool ok = !option_rows[i].fallback ||
                  options_store(o, &option_rows[i], option_rows[i].fallback, SOURCE_DEFAULT, &err);
        assert(ok && "a fallback of options.def is out of its own bounds");
        (void)ok;
    }
}

static const char *env_find(char **env, const char *name)
{
    size_t size = strlen(name);
    for (; env && *env; env++)
        if (!strncmp(*env, name, size) && (*env)[size] == '=' && (*env)[size + 1])
            return *env + size + 1;
    return NULL;
}

static bool options_env(struct options *o, char **env, struct err *err)
{
    for (size_t i = 0; i < OPT_COUNT; i++) {
        const struct option_row *row = &option_rows[i];
        bool mine = row->env && o->source[i] == SOURCE_DEFAULT && !hook_tells(env, row->env);
        const char *text = mine ? env_find(env, row->env) : NULL;
        if (text && !options_store(o, row, text, SOURCE_ENV, err))
            return err_context(err, "environment variable %s", row->env);
    }
    return true;
}

/* The state folder where nobody named one: below XDG_STATE_HOME, which must be absolute to count, or HOME. */
static bool options_state(struct options *o, char **env, struct err *err)
{
    const char *xdg = env_find(env, "XDG_STATE_HOME"), *home = env_find(env, "HOME");
    int size = 0;
    if (o->state)
        return true;
    if (xdg && *xdg == '/')
        size = asprintf(&o->owned[OPT_state], "%s/rollout", xdg);
    else if (home && *home == '/')
        size = asprintf(&o->owned[OPT_state], "%s/.local/state/rollout", home);
    else
        return err_set(err, "--state DIR is needed where neither HOME nor XDG_STATE_HOME is set");
    if (size < 0)
        return err_set(err, "no memory");
    o->state = o->owned[OPT_state];
    return true;
}

static const char *word_name(const void *ctx, size_t i)
{
    return ((const char *const *)ctx)[i];
}

static bool word_find(const char *word, enum command *command)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (!strcmp(word, command_words[i])) {
            *command = (enum command)i;
            return true;
        }
    return false;
}

static bool command_find(const char *word, enum command *command, struct err *err)
{
    const char *near = nearest_name(word, COMMAND_COUNT, word_name, command_words);
    if (word_find(word, command))
        return true;
    if (strpbrk(word, "./"))
        return err_set(err, "there is no command \"%.64s\"; a hosts file is given as --hosts %.64s", word, word);
    return near ? err_set(err, "there is no command \"%.64s\"; did you mean %s?", word, near)
                : err_set(err, "there is no command \"%.64s\"; `rollout help` names them", word);
}

/* `help WORD`: a command, or "options". */
static bool topic_find(const char *word, enum command *topic, struct err *err)
{
    const char *words[COMMAND_COUNT + 1];
    memcpy(words, command_words, sizeof command_words);
    words[COMMAND_COUNT] = "options";
    if (word_find(word, topic))
        return true;
    *topic = COMMAND_COUNT;
    if (!strcmp(word, words[COMMAND_COUNT]))
        return true;
    const char *near = nearest_name(word, COMMAND_COUNT + 1, word_name, words);
    return err_set(err, "help is for a command or for \"options\", not for \"%.64s\"%s%s%s", word,
                   near ? "; did you mean " : "", near ? near : "", near ? "?" : "; `rollout help` names the commands");
}

/* getopt takes abbreviations, which a later version's new flag would break: only whole names are taken. */
static bool flag_is_whole(char **argv, const char *flag)
{
    const char *token = optarg && optarg == argv[optind - 1] ? argv[optind - 2] : argv[optind - 1];
    size_t size = strlen(flag);
    return !strncmp(token, "--", 2) && !strncmp(token + 2, flag, size) && (!token[2 + size] || token[2 + size] == '=');
}

static bool flag_unknown(const char *token, struct err *err)
{
    char typed[65];
    size_t size = strcspn(token, "=");
    snprintf(typed, sizeof typed, "%.*s", (int)(size < 64 ? size : 64), token);
    const char *near = option_nearest_flag(typed + strspn(typed, "-"));
    return near ? err_set(err, "there is no option %s; did you mean --%s?", typed, near)
                : err_set(err, "there is no option %s; `rollout help options` names them", typed);
}

static bool flag_refused(int what, char **argv, struct err *err)
{
    /* Of one dash and many letters getopt has not passed the word over yet. */
    const char *token =
        optopt > 0 && optopt < 256 && argv[optind] && argv[optind][0] == '-' && strchr(argv[optind] + 1, optopt)
            ? argv[optind]
            : argv[optind - 1];
    if (what == ':' && optopt == 256 + OPT_version)
        return err_set(err, "--version needs a value, the label of the release; "
                            "this program's own version is told by `rollout version`");
    if (what == ':')
        return err_set(err, "%.64s needs a value", token);
    const struct option_row *row = optopt >= 256 && optopt < HELP_FLAG ? &option_rows[optopt - 256] : NULL;
    if (row && !strncmp(token + 2, row->flag, strlen(row->flag)))
        return err_set(err, "--%s takes no value", row->flag);
    return flag_unknown(token, err);
}

static bool options_flags(struct options *o, int argc, char **argv, uint64_t *seen, bool *help, struct err *err)
{
    struct option table[OPT_COUNT + 2] = {{"help", no_argument, NULL, HELP_FLAG}};
    size_t n = 1;
    for (size_t i = 0; i < OPT_COUNT; i++)
        if (option_rows[i].flag)
            table[n++] = (struct option){option_rows[i].flag,
                                         option_rows[i].type == OPTION_FLAG ? no_argument : required_argument, NULL,
                                         256 + (int)i};
    optind = 0; /* GNU: start afresh */
    opterr = 0;
    for (int what; (what = getopt_long(argc, argv, ":h", table, NULL)) != -1;) {
        if (what == '?' || what == ':')
            return flag_refused(what, argv, err);
        if (what == 'h' || what == HELP_FLAG) {
            *help = true;
            continue;
        }
        const struct option_row *row = &option_rows[what - 256];
        if (!flag_is_whole(argv, row->flag))
            return flag_unknown(optarg && optarg == argv[optind - 1] ? argv[optind - 2] : argv[optind - 1], err);
        if (!options_store(o, row, optarg ? optarg : "true", SOURCE_FLAG, err))
            return err_context(err, "--%s", row->flag);
        *seen |= UINT64_C(1) << row->id;
    }
    return true;
}

/* What stands behind the command's word. */
static bool options_id(struct options *o, char **words, struct err *err)
{
    const char *argument = command_arguments[o->command];
    union option_value v;
    if (!words[0])
        return *argument != 'I' || err_set(err, "`rollout %s` needs the id of a rollout; `rollout history` lists them",
                                           command_words[o->command]);
    if (words[1])
        return err_set(err, "one rollout at a time: \"%.64s\" is one too many", words[1]);
    o->id = words[0];
    return option_read(&option_rows[OPT_rollout_id], o->id, &v, err) ||
           err_context(err, "rollout %s", command_words[o->command]);
}

static bool options_command(struct options *o, char **words, bool help, struct err *err)
{
    o->command = COMMAND_ROLL;
    o->help_on = COMMAND_HELP;
    if (words[0] && !command_find(words[0], &o->command, err))
        return false;
    bool topic = o->command == COMMAND_HELP && words[0] && words[1];
    if (topic && !topic_find(words[1], &o->help_on, err))
        return false;
    bool takes_id = words[0] && o->command != COMMAND_HELP && *command_arguments[o->command];
    if (takes_id && !help)
        return options_id(o, words + 1, err);
    if (words[0] && words[1] && (!topic || words[2]) && !takes_id)
        return err_set(err,
                       "one command at a time: \"%.64s\" is one too many; files are given by flags, as --hosts FILE",
                       words[topic ? 2 : 1]);
    if (help && o->command != COMMAND_HELP) {
        o->help_on = words[0] ? o->command : COMMAND_HELP;
        o->command = COMMAND_HELP;
    }
    return true;
}

static bool flag_misplaced(const struct option_row *row, enum command command, struct err *err)
{
    char fit[160] = "";
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (row->commands >> i & 1)
            snprintf(fit + strlen(fit), sizeof fit - strlen(fit), "%s%s", *fit ? ", " : "", command_words[i]);
    return err_set(err, "--%s is not for `rollout %s`, only for: %s", row->flag, command_words[command], fit);
}

static bool options_fit(const struct options *o, uint64_t seen, struct err *err)
{
    for (size_t i = 0; i < OPT_COUNT; i++)
        if (seen >> i & 1 && !(option_rows[i].commands >> o->command & 1) && !(i == OPT_output && o->explain))
            return flag_misplaced(&option_rows[i], o->command, err);
    if (o->command == COMMAND_RESUME)
        return true; /* the journal may know it */
    if (!o->explain && !o->hosts && option_rows[OPT_hosts].commands >> o->command & 1)
        return err_set(err, "--hosts FILE is needed: the Ansible INI inventory with the nodes and load balancers");
    return true;
}

/* The command, and whether JSON is wanted, of a line that was not understood: so that it is said in that form. */
static void options_guess(struct options *o, int argc, char **argv, char **env)
{
    static const enum option_id ids[] = {OPT_output, OPT_log_format};
    struct err unused = {.text = ""};

    for (int i = argc - 1; i > 0; i--)
        (void)word_find(argv[i], &o->command);
    for (size_t k = 0; k < sizeof ids / sizeof *ids; k++) {
        const struct option_row *row = &option_rows[ids[k]];
        const char *env_text = env_find(env, row->env);
        bool json = env_text && !strcmp(env_text, "json");
        char flag[32];
        int size = snprintf(flag, sizeof flag, "--%s", row->flag);

        for (int i = 1; i < argc; i++)
            if (!strncmp(argv[i], flag, (size_t)size) && argv[i][size] == '=')
                json = !strcmp(argv[i] + size + 1, "json");
            else if (!strcmp(argv[i], flag) && i + 1 < argc)
                json = !strcmp(argv[i + 1], "json");
        (void)options_store(o, row, json ? "json" : row->fallback, SOURCE_DEFAULT, &unused);
    }
}

static bool options_read(int argc, char **argv, char **env, struct options *o, struct err *err)
{
    uint64_t seen = 0;
    bool help = false;
    memset(o, 0, sizeof *o);
    options_defaults(o);
    if (!options_flags(o, argc, argv, &seen, &help, err) || !options_command(o, argv + optind, help, err))
        return false;
    if (o->command == COMMAND_HELP || o->command == COMMAND_VERSION)
        return true;
    bool has_state = option_rows[OPT_state].commands >> o->command & 1;
    bool opens = has_state && !o->explain && o->command != COMMAND_PLAN && o->command != COMMAND_DOCTOR;
    if (!options_env(o, env, err) || !options_fit(o, seen, err) || (opens && !options_state(o, env, err)))
        return false;
    if (o->command == COMMAND_RESUME)
        o->rollout_id = o->id;
    return true;
}

bool options_parse(int argc, char **argv, char **env, struct options *o, struct err *err)
{
    bool good = options_read(argc, argv, env, o, err);

    if (!good)
        options_guess(o, argc, argv, env);
    return good;
}

void options_free(struct options *o)
{
    list_clear(&o->lb);
    list_clear(&o->hook);
    for (size_t i = 0; i < OPT_COUNT; i++)
        free(o->owned[i]);
    memset(o, 0, sizeof *o);
}
