/* marks.h - what a CI system reads in a log: groups that fold, and annotations. Pure text.
 *
 * GitHub: "Workflow commands for GitHub Actions" (docs.github.com): ::group::TITLE, ::endgroup::, ::error
 * title=T::TEXT; % CR LF are escaped in the text, : and , in a property as well. Groups do not nest. The runner takes
 * the older ##[NAME]TEXT as well, anywhere in a line. GitLab: "Custom collapsible sections" (docs.gitlab.com, CI/CD job
 * logs): ESC[0K section_start:UNIX:NAME[options] CR ESC[0K TITLE and section_end:UNIX:NAME CR ESC[0K; NAME of letters,
 * digits, _ . -. It has no annotations. */
#ifndef CONTROLLER_MARKS_H
#define CONTROLLER_MARKS_H

#include <stdint.h>
#include <stdio.h>

enum mark_level { MARK_NOTICE, MARK_WARNING, MARK_ERROR };

struct marks {
    void (*open)(FILE *, const char *name, const char *title, int64_t wall_ms);
    void (*close)(FILE *, const char *name, int64_t wall_ms);
    void (*annotate)(FILE *, enum mark_level, const char *title, const char *text);
    /* Lines that are about to go out, made harmless where they hold what the CI would take for a command though it does
     * not begin the line. In place. NULL: a CI has no such thing. */
    void (*defuse)(char *lines);
};

extern const struct marks marks_github, marks_gitlab;

#endif
