#include "tcp_table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "log.h"

static bool is_asked(const struct tcp_ask *ask, const struct proc_tcp *row)
{
    if (row->state != ask->state)
        return false;
    for (size_t i = 0; i < ask->port_count; i++) {
        if (ask->ports[i] == row->local.port)
            return true;
    }
    return ask->port_count == 0;
}

bool tcp_table_read_proc(uint32_t pid, const struct tcp_ask *ask, struct tcp_rows *rows, struct err *err)
{
    static const char *const tables[] = {"tcp", "tcp6"}; /* a kernel without IPv6 has no tcp6 */
    char path[64], line[512];
    bool any = false;

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        (void)snprintf(path, sizeof path, "/proc/%u/net/%s", pid, tables[i]);
        FILE *file = fopen(path, "re");
        if (file == NULL) {
            err_set(err, "cannot open %s: %s", path, strerror(errno));
            continue;
        }
        any = true;
        while (fgets(line, sizeof line, file) != NULL) {
            struct proc_tcp row;
            if (proc_parse_tcp(line, &row) && is_asked(ask, &row))
                tcp_rows_add(rows, &row);
        }
        (void)fclose(file);
    }
    return any;
}

bool tcp_table_is_ours(uint32_t pid)
{
    struct stat ours, theirs;
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/%u/ns/net", pid);
    return stat("/proc/self/ns/net", &ours) == 0 && stat(path, &theirs) == 0 && ours.st_dev == theirs.st_dev &&
           ours.st_ino == theirs.st_ino;
}

bool tcp_table_read(uint32_t pid, const struct tcp_ask *ask, struct tcp_rows *rows, struct err *err)
{
    static bool told;
    struct log_quoted quoted;
    struct err why = {""};

    if (tcp_table_is_ours(pid)) {
        if (diag_read(ask, rows, &why))
            return true;
        if (!told)
            log_event("sockets_from_proc", "text=%s", log_quote(&quoted, why.text));
        told = true;
    }
    return tcp_table_read_proc(pid, ask, rows, err);
}
