/* golden.h - a text as it should be, in golden/NAME beside the test. GOLDEN=write writes it anew: look at the diff. */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN_MAX (256 * 1024)

static void golden(const char *name, const char *text)
{
    static char want[GOLDEN_MAX];
    const char *mode = getenv("GOLDEN");
    char path[256];
    FILE *f;

    (void)snprintf(path, sizeof path, "tests/unit/controller/golden/%s", name);
    if (mode != NULL && strcmp(mode, "write") == 0) {
        f = fopen(path, "we");
        assert_non_null(f);
        (void)fputs(text, f);
        assert_int_equal(fclose(f), 0);
        return;
    }
    f = fopen(path, "re");
    if (f == NULL)
        fail_msg("%s is not there", path);
    want[fread(want, 1, sizeof want - 1, f)] = '\0';
    (void)fclose(f);
    if (strcmp(want, text) != 0)
        fail_msg("%s should be\n%s\nbut is\n%s", path, want, text);
}

#endif
