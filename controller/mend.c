#include "mend.h"

#include <stdio.h>

#include "common/mem.h"
#include "words.h"

static void flag(FILE *f, enum option_id id, const char *text)
{
    (void)fprintf(f, " --%s ", option_rows[id].flag);
    words_quote(f, text);
}

char *mend_command(const struct options *o, const char *service)
{
    const struct {
        enum option_id id;
        const char *text;
    } given[] = {{OPT_cert, o->cert}, {OPT_key, o->key}, {OPT_cacert, o->cacert}, {OPT_lb_auth_file, o->lb_auth_file}};
    char *text = NULL;
    size_t size = 0;
    FILE *f = mem_must(open_memstream(&text, &size));

    (void)fputs("rollout repair", f);
    flag(f, OPT_hosts, o->hosts);
    flag(f, OPT_service, service);
    for (uint32_t i = 0; i < o->lb.count; i++)
        flag(f, OPT_lb, o->lb.items[i]);
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        if (given[i].text != NULL && o->source[given[i].id] >= SOURCE_ENV)
            flag(f, given[i].id, given[i].text);
    mem_close(f, &text);
    return text;
}
