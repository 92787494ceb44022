#include "fleet.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

#define SERVICE_PORT 8080

struct fleet fleet;
struct page page;

void fleet_new(void)
{
    fleet.nodes = mem_zero(fleet.n_nodes, sizeof *fleet.nodes);
    fleet.peers = mem_zero((size_t)fleet.n_nodes * fleet.n_lbs, sizeof *fleet.peers);
    fleet.lbs = mem_zero(fleet.n_lbs, sizeof *fleet.lbs);
    for (uint32_t i = 0; i < fleet.n_nodes; i++) {
        fleet.nodes[i].pid = 1000 + i;
        fleet.nodes[i].start_ticks = 5000 + i;
        memset(fleet.nodes[i].release, 'a', 64);
    }
}

void fleet_free(void)
{
    for (uint32_t i = 0; i < fleet.n_nodes; i++) {
        free(fleet.nodes[i].claim_rest);
        free(fleet.nodes[i].job_before);
    }
    free(fleet.nodes);
    free(fleet.peers);
    free(fleet.lbs);
    free(page.text);
}

struct fleet_peer *fleet_peer(uint32_t lb, uint32_t node)
{
    return &fleet.peers[(size_t)lb * fleet.n_nodes + node];
}

const char *fleet_address(uint32_t node, char text[32])
{
    uint32_t a = FLEET_NODE_BASE + node;

    (void)snprintf(text, 32, "%u.%u.%u.%u:%d", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255, SERVICE_PORT);
    return text;
}

void fleet_changed(void)
{
    fleet.last_ns = timer_now_ns();
    if (fleet.first_ns == 0)
        fleet.first_ns = fleet.last_ns;
}

/* ---- pages */
static void make_room(size_t n)
{
    if (page.n + n + 1 <= page.room)
        return;
    page.room = (page.n + n + 1) * 2;
    page.text = mem_grow(page.text, page.room, 1);
}

void page_begin(void)
{
    page.n = 0;
}

void page_raw(const char *bytes, size_t n)
{
    make_room(n);
    memcpy(page.text + page.n, bytes, n);
    page.n += n;
}

void page_add(const char *format, ...)
{
    va_list list;
    int n;

    make_room(1024);
    va_start(list, format);
    n = vsnprintf(page.text + page.n, page.room - page.n, format, list);
    va_end(list);
    if (page.n + (size_t)n >= page.room) {
        make_room((size_t)n);
        va_start(list, format);
        n = vsnprintf(page.text + page.n, page.room - page.n, format, list);
        va_end(list);
    }
    page.n += (size_t)n;
}

void page_send(struct conn *c, int status, const char *header)
{
    conn_answer(c, status, header, page.text, page.n);
}

void page_error(struct conn *c, int status, const char *code, const char *text)
{
    page_begin();
    page_add("{\"error\":{\"status\":%d,\"text\":\"%s\",\"code\":\"%s\"}}", status, text, code);
    page_send(c, status, "");
}
