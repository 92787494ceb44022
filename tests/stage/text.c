/* text.c - the stage's memory and files. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/stage/state.h"

void *stage_keep(struct stage *s, void *what, void (*free_it)(void *))
{
    struct stage_kept *k = malloc(sizeof *k);

    if (k == NULL || what == NULL)
        abort();
    *k = (struct stage_kept){s->state->kept, what, free_it};
    s->state->kept = k;
    return what;
}

void *stage_alloc(struct stage *s, size_t size_bytes)
{
    return stage_keep(s, calloc(1, size_bytes), free);
}

const char *stage_text(struct stage *s, const char *format, ...)
{
    va_list args;
    char *text = NULL;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    return stage_keep(s, text, free);
}

static const char *below_dir(struct stage *s, const char *path)
{
    return path[0] == '/' ? path : stage_text(s, "%s/%s", s->dir, path);
}

const char *stage_write(struct stage *s, const char *path, const char *text)
{
    const char *whole = below_dir(s, path);
    FILE *f = fopen(whole, "we");

    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
        stage_fail(s, "cannot write %s: %s", whole, strerror(errno));
    return whole;
}

const char *stage_read(struct stage *s, const char *path)
{
    const char *whole = below_dir(s, path);
    FILE *f = fopen(whole, "re");
    struct stat st;
    char *text;
    size_t n;

    if (f == NULL || fstat(fileno(f), &st) != 0)
        stage_fail(s, "cannot read %s: %s", whole, strerror(errno));
    text = stage_alloc(s, (size_t)st.st_size + 1);
    n = fread(text, 1, (size_t)st.st_size, f);
    text[n] = '\0';
    (void)fclose(f);
    return text;
}

const char *stage_copy(struct stage *s, const char *from, const char *to)
{
    const char *whole = below_dir(s, to), *aside = stage_text(s, "%s.new", whole);
    int in = open(from, O_RDONLY | O_CLOEXEC), out;
    struct stat st;
    char block[65536];
    ssize_t n;

    if (in < 0 || fstat(in, &st) != 0)
        stage_fail(s, "cannot open %s: %s", from, strerror(errno));
    (void)unlink(aside);
    out = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, st.st_mode & 07777);
    if (out < 0)
        stage_fail(s, "cannot write %s: %s", aside, strerror(errno));
    while ((n = read(in, block, sizeof block)) > 0)
        if (write(out, block, (size_t)n) != n)
            stage_fail(s, "cannot write %s: %s", aside, strerror(errno));
    close(in);
    close(out);
    if (n < 0 || rename(aside, whole) != 0)
        stage_fail(s, "cannot copy %s to %s: %s", from, whole, strerror(errno));
    return whole;
}

const char *stage_mkdir(struct stage *s, const char *name)
{
    const char *path = below_dir(s, name);

    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        stage_fail(s, "cannot make the folder %s: %s", path, strerror(errno));
    return path;
}
