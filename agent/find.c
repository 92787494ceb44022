#include "find.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "proc.h"
#include "sockets.h"
#include "tcp_table.h"

#define CGROUP_TEXT 8192

/* ---- pure */

static bool is_in(const struct find_list *list, const struct find_row *row)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->rows[i].pid == row->pid && list->rows[i].start_ticks == row->start_ticks)
            return true;
    }
    return false;
}

static bool has_pid(const struct find_list *list, uint32_t pid)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->rows[i].pid == pid)
            return true;
    }
    return false;
}

const struct find_row *find_top(const struct find_list *list)
{
    const struct find_row *top = NULL;

    for (size_t i = 0; i < list->count; i++) {
        if (has_pid(list, list->rows[i].parent))
            continue;
        if (top != NULL)
            return NULL;
        top = &list->rows[i];
    }
    return top;
}

void find_without(struct find_list *list, const struct find_list *but)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++) {
        if (!is_in(but, &list->rows[i]))
            list->rows[kept++] = list->rows[i];
    }
    list->count = kept;
}

/* ---- one process */

static bool is_ours(const char *exe, const char *executable, const char *real)
{
    return strcmp(exe, executable) == 0 || strcmp(exe, real) == 0;
}

static void real_path(const char *executable, char real[PATH_MAX])
{
    if (realpath(executable, real) == NULL)
        real[0] = '\0';
}

static bool read_row(uint32_t pid, struct find_row *row)
{
    struct proc_stat stat;

    if (!ident_stat(pid, &stat))
        return false;
    *row = (struct find_row){pid, stat.parent, stat.start_ticks};
    return true;
}

static bool is_in_unit(uint32_t pid, const char *unit)
{
    char path[64], text[CGROUP_TEXT];

    (void)snprintf(path, sizeof path, "/proc/%u/cgroup", pid);
    return file_read_small(path, text, sizeof text, NULL) && proc_cgroup_has(text, unit);
}

/* ---- many processes */

struct search {
    const struct service_config *config;
    char real[PATH_MAX];
    struct tcp_rows at; /* of listen-on: the sockets that listen there */
};

static bool holds_one(uint32_t pid, const struct tcp_rows *at)
{
    char path[64], link[64];
    struct dirent *entry;
    bool found = false;
    DIR *dir;

    (void)snprintf(path, sizeof path, "/proc/%u/fd", pid);
    dir = opendir(path);
    while (dir != NULL && !found && (entry = readdir(dir)) != NULL) {
        uint64_t inode;
        ssize_t length = readlinkat(dirfd(dir), entry->d_name, link, sizeof link - 1);

        if (length <= 0)
            continue;
        link[length] = '\0';
        if (!proc_parse_socket_link(link, &inode))
            continue;
        for (size_t i = 0; i < at->count; i++)
            found |= at->list[i].inode == inode;
    }
    if (dir != NULL)
        (void)closedir(dir);
    return found;
}

static bool could_be_it(const struct search *search, uint32_t pid)
{
    char exe[PATH_MAX];

    return ident_exe(pid, exe, NULL) && is_ours(exe, search->config->executable, search->real) &&
           (search->config->listen_on.port != 0 ? holds_one(pid, &search->at) : is_in_unit(pid, search->config->unit));
}

static bool search_proc(const struct search *search, struct find_list *list, struct err *err)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    bool ok = true;
    uint32_t pid;

    if (dir == NULL)
        return err_set(err, "cannot read /proc: %s", strerror(errno));
    while (ok && (entry = readdir(dir)) != NULL) {
        if (!proc_parse_pid(entry->d_name, &pid) || !could_be_it(search, pid))
            continue;
        if (list->count == FIND_MAX)
            ok = err_set(err, "more than %d processes run %s", FIND_MAX, search->config->executable);
        else
            list->count += read_row(pid, &list->rows[list->count]);
    }
    (void)closedir(dir);
    return ok;
}

/* Those that listen at all, where one does. */
static void keep_listening(struct find_list *list)
{
    struct find_list listening = {0};

    for (size_t i = 0; list->count > 1 && i < list->count; i++) {
        struct sockets sockets;

        if (sockets_read(list->rows[i].pid, &sockets, NULL) && sockets.count > 0)
            listening.rows[listening.count++] = list->rows[i];
    }
    if (listening.count > 0)
        *list = listening;
}

/* Rows that do not listen at `addr`, or on any address at its port, are left out. */
static void keep_there(struct tcp_rows *rows, const struct tcp_addr *addr)
{
    size_t kept = 0;

    for (size_t i = 0; i < rows->count; i++) {
        const struct tcp_addr *local = &rows->list[i].local;

        if (local->port == addr->port &&
            (tcp_addr_is_any(addr) || tcp_addr_is_any(local) || tcp_addr_same(local, addr)))
            rows->list[kept++] = rows->list[i];
    }
    rows->count = kept;
}

static bool find_listening(struct search *search, struct find_list *list, struct err *err)
{
    const struct tcp_addr *addr = &search->config->listen_on;
    const struct tcp_ask ask = {.state = PROC_TCP_LISTEN, .port_count = 1, .ports = &addr->port};
    char text[TCP_ADDR_TEXT];
    bool ok = tcp_table_read((uint32_t)getpid(), &ask, &search->at, err);

    if (ok)
        keep_there(&search->at, addr);
    if (ok && search->at.count == 0)
        ok = err_set(err, "nobody listens on %s", tcp_addr_format(addr, text));
    ok = ok && search_proc(search, list, err);
    free(search->at.list);
    if (ok && list->count == 0)
        ok = err_set(err, "%s belongs to no process that we can see running %s", tcp_addr_format(addr, text),
                     search->config->executable);
    return ok;
}

static bool find_in_unit(struct search *search, struct find_list *list, struct err *err)
{
    if (!search_proc(search, list, err))
        return false;
    keep_listening(list);
    return list->count > 0 ||
           err_set(err, "no process of %s that we can see runs %s", search->config->unit, search->config->executable);
}

static bool find_named(const struct search *search, struct find_list *list, struct err *err)
{
    const char *pidfile = search->config->pidfile;
    char text[64], exe[PATH_MAX];
    uint32_t pid;

    if (!file_read_small(pidfile, text, sizeof text, err))
        return false;
    if (!proc_parse_pid(text, &pid))
        return err_set(err, "the pid file %s holds no pid", pidfile);
    if (!read_row(pid, &list->rows[0]))
        return err_set(err, "the pid file %s is stale: process %u does not exist", pidfile, pid);
    if (!ident_exe(pid, exe, err))
        return err_context(err, "the pid file %s is stale", pidfile);
    if (!is_ours(exe, search->config->executable, search->real))
        return err_set(err, "the pid file %s names process %u, which runs %.200s", pidfile, pid, exe);
    list->count = 1;
    return true;
}

bool find_all(const struct service_config *config, struct find_list *list, struct err *err)
{
    struct search search = {.config = config};

    list->count = 0;
    real_path(config->executable, search.real);
    if (config->pidfile[0] != '\0')
        return find_named(&search, list, err);
    return config->listen_on.port != 0 ? find_listening(&search, list, err) : find_in_unit(&search, list, err);
}

static bool tell_several(const struct service_config *config, const struct find_list *list, struct err *err)
{
    if (list->count == 0)
        return err_set(err, "there is no other process of %s yet", config->name);
    return err_set(err, "several processes could be it, %u and %u among them: which one is the service?",
                   list->rows[0].pid, list->rows[list->count - 1].pid);
}

bool find_main(const struct service_config *config, const struct find_list *but, struct hash_cache *hashes,
               struct ident *ident, struct err *err)
{
    char exe[PATH_MAX], real[PATH_MAX];
    const struct find_row *top;
    struct find_list list;

    *ident = (struct ident){0};
    if (!find_all(config, &list, err))
        return false;
    if (but != NULL)
        find_without(&list, but);
    top = find_top(&list);
    if (top == NULL)
        return tell_several(config, &list, err);
    real_path(config->executable, real);
    if (ident_read(top->pid, hashes, ident, exe, err) && ident->start_ticks == top->start_ticks &&
        is_ours(exe, config->executable, real))
        return true;
    *ident = (struct ident){0};
    return err_set(err, "process %u ended while we looked at it", top->pid);
}
