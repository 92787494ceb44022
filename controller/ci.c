#include "ci.h"

#include <stdio.h>
#include <string.h>

static const char *text_of(char *(*look)(const char *), const char *name)
{
    const char *text = look(name);

    return text != NULL ? text : "";
}

static void keep(char to[CI_TEXT_MAX], const char *text)
{
    (void)snprintf(to, CI_TEXT_MAX, "%s", text);
}

static void read_github(struct ci *ci, char *(*look)(const char *))
{
    const char *repository = text_of(look, "GITHUB_REPOSITORY"), *run = text_of(look, "GITHUB_RUN_ID");

    keep(ci->commit, text_of(look, "GITHUB_SHA"));
    keep(ci->actor, text_of(look, "GITHUB_ACTOR"));
    if (repository[0] != '\0' && run[0] != '\0')
        (void)snprintf(ci->job_url, sizeof ci->job_url, "%s/%s/actions/runs/%s", text_of(look, "GITHUB_SERVER_URL"),
                       repository, run);
}

static void read_gitlab(struct ci *ci, char *(*look)(const char *))
{
    keep(ci->commit, text_of(look, "CI_COMMIT_SHA"));
    keep(ci->actor, text_of(look, "GITLAB_USER_LOGIN"));
    keep(ci->job_url, text_of(look, "CI_JOB_URL"));
}

void ci_read(struct ci *ci, char *(*look)(const char *name))
{
    memset(ci, 0, sizeof *ci);
    ci->github = strcmp(text_of(look, "GITHUB_ACTIONS"), "true") == 0;
    ci->gitlab = !ci->github && strcmp(text_of(look, "GITLAB_CI"), "true") == 0;
    if (ci->github)
        read_github(ci, look);
    else if (ci->gitlab)
        read_gitlab(ci, look);
}
