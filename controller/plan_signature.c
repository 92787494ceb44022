/* Do the agents want a signature, and is there one that they may take? Told once for the whole fleet, with the command
 * that makes it. */
#include <inttypes.h>
#include <string.h>

#include "common/sha256.h"
#include "plan_make.h"

struct wanting { /* nodes that take signed releases only and do not run this one yet */
    uint32_t n;
    const char *first;
    uint64_t highest; /* sequence there */
};

static void count(struct wanting *w, const struct fleet *f, const struct survey_node *n, const struct plan_request *q)
{
    if (!n->good || !n->status.signing_required || ident_runs(&n->status.ident, q->release_sha256))
        return;
    if (w->n++ == 0)
        w->first = survey_node_name(f, n);
    if (n->status.sequence > w->highest)
        w->highest = n->status.sequence;
}

static void complain_how(struct complaints *c, const struct wanting *w, const struct options *o,
                         const struct plan_request *q, const char *why)
{
    char hex[SHA256_DIGITS + 1];

    sha256_hex(q->release_sha256, hex);
    complain(c, EXIT_REFUSED,
             "%s%s takes signed releases only, and %s; sign it: minisign -Sm %s -t \"app:%s version:%s "
             "sequence:%" PRIu64 " arch:%s sha256:%s\"",
             w->first, w->n > 1 ? " (like others)" : "", why, o->release, o->service,
             o->version != NULL && o->version[0] != '\0' ? o->version : "TEXT", w->highest + 1, q->signature.arch, hex);
}

/* The services of the plan are "app,jobs". */
static bool is_for_all(const struct label *label, const struct survey *s)
{
    for (uint32_t i = 0; i < s->n_nodes; i++)
        if (s->nodes[i].good && !label_is_for(label, s->nodes[i].status.service))
            return false;
    return true;
}

void plan_check_signature(const struct fleet *f, const struct options *o, const struct survey *s,
                          const struct plan_request *q, struct complaints *c)
{
    const struct label *label = &q->signature.label;
    struct wanting w = {0};
    char hex[SHA256_DIGITS + 1];

    for (uint32_t i = 0; q->has_release && i < s->n_nodes; i++)
        count(&w, f, &s->nodes[i], q);
    if (w.n == 0)
        return;
    sha256_hex(q->release_sha256, hex);
    if (!q->signature.there)
        complain_how(c, &w, o, q, "there is no signature beside it");
    else if (strcmp(label->sha256, hex) != 0)
        complain_how(c, &w, o, q, "its signature is of another file");
    else if (!is_for_all(label, s))
        complain_how(c, &w, o, q, "its signature is for another service");
    else if (label->sequence < w.highest)
        complain_how(c, &w, o, q, "a later one has been installed, by the sequence of its signature");
}
