/* page.h - the documentation's pages as tests read them: blocks, tables, headings, lists that are made from tables of
 * the code. Paths are from the top of the tree. All texts live to the end of the program. */
#ifndef TESTS_DOCS_PAGE_H
#define TESTS_DOCS_PAGE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_CELLS_MAX 8

/* Reachable to the end, so that no text is a leak. */
static struct page_kept {
    struct page_kept *next;
    char text[];
} * page_all;

/* n bytes of `from` and a NUL; from NULL: all of it zero. */
static inline char *page_keep(const char *from, size_t n)
{
    struct page_kept *kept = calloc(1, sizeof *kept + n + 1);

    if (kept == NULL)
        abort();
    if (from != NULL)
        memcpy(kept->text, from, n);
    kept->next = page_all;
    page_all = kept;
    return kept->text;
}

/* NULL: it is not there. */
static inline char *page_read(const char *path)
{
    FILE *f = fopen(path, "re");
    char *text = NULL, *kept;
    size_t size = 0;
    ssize_t n;

    if (f == NULL)
        return NULL;
    n = getdelim(&text, &size, EOF, f);
    (void)fclose(f);
    kept = page_keep(n > 0 ? text : NULL, n > 0 ? (size_t)n : 0);
    free(text);
    return kept;
}

/* A page that must be there. cmocka.h comes before this file. */
static inline char *page_of(const char *path)
{
    char *page = page_read(path);

    if (page == NULL) {
        fail_msg("%s is not there", path);
        abort(); /* fail_msg does not come back */
    }
    return page;
}

/* The next line from *at, without its end; false: there is none. */
static inline bool page_line(const char **at, char **line)
{
    size_t n = strcspn(*at, "\n");

    if (**at == '\0')
        return false;
    *line = page_keep(*at, n);
    *at += n + ((*at)[n] == '\n');
    return true;
}

/* The next fenced block whose fence says `info` ("http"), without its fences; NULL: no more. */
static inline char *page_block(const char **at, const char *info)
{
    char fence[64];

    (void)snprintf(fence, sizeof fence, "\n```%s\n", info);
    for (const char *from = strstr(*at, fence); from != NULL;) {
        from += strlen(fence);
        const char *end = strncmp(from, "```", 3) == 0 ? from : strstr(from, "\n```\n");
        if (end == NULL)
            return NULL;
        *at = end + 1;
        return page_keep(from, (size_t)(end + (*end == '\n') - from));
    }
    return NULL;
}

/* A table's cell as it is meant: without the blanks and the backticks around it, \| is |. */
static inline char *page_cell(const char *from, const char *to)
{
    char *cell = page_keep(NULL, (size_t)(to - from));
    size_t n = 0;

    while (from < to && *from == ' ')
        from++;
    while (to > from && to[-1] == ' ')
        to--;
    if (to - from >= 2 && *from == '`' && to[-1] == '`' && memchr(from + 1, '`', (size_t)(to - from) - 2) == NULL) {
        from++;
        to--;
    }
    for (; from < to; from++)
        if (!(from[0] == '\\' && from + 1 < to && from[1] == '|'))
            cell[n++] = *from;
    return cell;
}

struct page_row {
    size_t n;
    char *cells[PAGE_CELLS_MAX]; /* behind the n-th: "" */
};

/* The rows of all tables whose first line is exactly `head`. Begin with *at at the page. False: no more. */
struct page_rows {
    const char *at, *head;
    bool within;
};
static inline bool page_row(struct page_rows *rows, struct page_row *row)
{
    char *line;

    while (page_line(&rows->at, &line)) {
        if (strcmp(line, rows->head) == 0) {
            rows->within = page_line(&rows->at, &line); /* the dashes */
            continue;
        }
        rows->within = rows->within && *line == '|';
        if (!rows->within)
            continue;
        row->n = 0;
        for (size_t i = 0; i < PAGE_CELLS_MAX; i++)
            row->cells[i] = page_keep(NULL, 0);
        for (const char *p = line + 1, *end; *p != '\0' && row->n < PAGE_CELLS_MAX; p = end + 1) {
            for (end = p; *end != '\0' && !(*end == '|' && end[-1] != '\\'); end++)
                ;
            if (*end == '\0')
                break;
            row->cells[row->n++] = page_cell(p, end);
        }
        return true;
    }
    return false;
}

/* The text of the section whose heading line is exactly `heading`, to the next one of the same or a higher level; NULL:
 * there is none. */
static inline char *page_section(const char *page, const char *heading)
{
    size_t level = strspn(heading, "#"), n = strlen(heading);

    for (const char *at = strstr(page, heading); at != NULL; at = strstr(at + 1, heading)) {
        if ((at != page && at[-1] != '\n') || at[n] != '\n')
            continue;
        const char *end = at + n;
        while ((end = strstr(end, "\n#")) != NULL && strspn(end + 1, "#") > level)
            end++;
        return page_keep(at, end != NULL ? (size_t)(end + 1 - at) : strlen(at));
    }
    return NULL;
}

#endif
