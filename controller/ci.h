/* ci.h - what a CI system says of the job that runs us, in the variables that it documents: GitHub Actions ("Default
 * environment variables") and GitLab CI ("Predefined CI/CD variables"). */
#ifndef CONTROLLER_CI_H
#define CONTROLLER_CI_H

#include <stdbool.h>

#define CI_TEXT_MAX 512

struct ci {
    bool github, gitlab;      /* which it is; neither: no CI that we know */
    char commit[CI_TEXT_MAX]; /* "" where it is not told, as those below */
    char job_url[CI_TEXT_MAX];
    char actor[CI_TEXT_MAX]; /* who began the job */
};

/* look: as getenv(3). */
void ci_read(struct ci *, char *(*look)(const char *name));

#endif
