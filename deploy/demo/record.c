/* record - the screen of a rollout as an SVG that moves: the demo's fleet is rolled in a terminal (tmux) under load,
 * what stands there is read over and over, and written down as text. `record FILE` (make recording); exit 0 only when
 * the rollout has ended well and no request was lost.
 *
 * A line of the screen is one element for as long as it stays the same, so a recording of half a minute is some 50 kB.
 * Who draws no animation (a printer) sees the end. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/stage/fleet.h"
#include "tests/stage/load.h"
#include "tests/stage/tmux.h"

#define COLUMNS    "96"
#define ROWS       14
#define ROWS_TEXT  "14"
#define FRAMES_MAX 400
#define EVERY_US   200000
#define HOLD_MS    6000 /* the end stays for so long */
#define LIMIT_MS   60000

/* Pixels of a cell in the monospace fonts that browsers take. */
#define CELL_W 8.43
#define CELL_H 19
#define MARGIN 14

struct recording {
    struct stage *stage;
    struct stage_tmux *terminal;
    unsigned n;
    uint64_t at_ms[FRAMES_MAX], end_ms; /* of each frame, from the first one on */
    const char *line[FRAMES_MAX][ROWS]; /* with its SGR sequences */
};

/* ---- the terminal */

static void split(struct recording *r, const char *text, const char *line[ROWS])
{
    for (unsigned i = 0; i < ROWS; i++) {
        size_t n = strcspn(text, "\n");

        line[i] = stage_text(r->stage, "%.*s", (int)n, text);
        text += n + (text[n] == '\n' ? 1 : 0);
    }
}

static bool same(const char *const a[ROWS], const char *const b[ROWS])
{
    for (unsigned i = 0; i < ROWS; i++)
        if (strcmp(a[i], b[i]) != 0)
            return false;
    return true;
}

/* What stands there now is a frame, where it is another than the last one. */
static void capture(struct recording *r, uint64_t began_ms)
{
    const char *line[ROWS];

    if (r->n == FRAMES_MAX)
        stage_fail(r->stage, "more than %d frames", FRAMES_MAX);
    split(r, STAGE_TMUX(r->terminal, "capture-pane", "-e", "-p").out, line);
    r->end_ms = stage_now_ms() - began_ms;
    if (r->n > 0 && same(r->line[r->n - 1], line))
        return;
    r->at_ms[r->n] = r->n == 0 ? 0 : r->end_ms;
    memcpy(r->line[r->n++], line, sizeof line);
}

/* ---- the picture */

static void put_char(FILE *f, char c)
{
    if (c == '<')
        (void)fputs("&lt;", f);
    else if (c == '&')
        (void)fputs("&amp;", f);
    else
        (void)fputc(c, f);
}

/* What is switched on: a letter each, or 0. */
struct look {
    char color, weight;
};

/* SGR: 0 all off, 1 bold, 2 faint, 31 red, 32 green, 33 yellow (controller/pen.c); tmux says 39 for no colour, too. */
static void take_sgr(const char *codes, struct look *look)
{
    for (char *end;; codes = end + 1) {
        switch (strtol(codes, &end, 10)) {
        case 0:
            *look = (struct look){0};
            break;
        case 1:
            look->weight = 'b';
            break;
        case 2:
            look->weight = 'd';
            break;
        case 31:
            look->color = 'r';
            break;
        case 32:
            look->color = 'g';
            break;
        case 33:
            look->color = 'y';
            break;
        case 39:
            look->color = 0;
            break;
        default:
            break;
        }
        if (*end != ';')
            return;
    }
}

static void put_text(FILE *f, const char *line)
{
    struct look look = {0};
    bool open = false;

    for (const char *c = line; *c != '\0'; c++) {
        if (strncmp(c, "\033[", 2) != 0) {
            put_char(f, *c);
            continue;
        }
        take_sgr(c + 2, &look);
        c = strchr(c, 'm');
        (void)fputs(open ? "</tspan>" : "", f);
        open = look.color != 0 || look.weight != 0;
        if (open)
            (void)fprintf(f, "<tspan class=\"%c %c\">", look.color != 0 ? look.color : 'n',
                          look.weight != 0 ? look.weight : 'n');
    }
    (void)fputs(open ? "</tspan>" : "", f);
}

/* Visible from `from` to `to`, parts of the whole time; without animation only where it lasts to the end. */
static void put_time(FILE *f, double from, double to, double seconds)
{
    if (from <= 0 && to >= 1)
        return;
    (void)fputs("<animate attributeName=\"visibility\" calcMode=\"discrete\" repeatCount=\"indefinite\" ", f);
    if (from <= 0)
        (void)fprintf(f, "values=\"visible;hidden\" keyTimes=\"0;%.4f\"", to);
    else if (to >= 1)
        (void)fprintf(f, "values=\"hidden;visible\" keyTimes=\"0;%.4f\"", from);
    else
        (void)fprintf(f, "values=\"hidden;visible;hidden\" keyTimes=\"0;%.4f;%.4f\"", from, to);
    (void)fprintf(f, " dur=\"%.1fs\"/>", seconds);
}

static void put_row(FILE *f, const struct recording *r, unsigned row)
{
    double whole_ms = (double)(r->end_ms + HOLD_MS);

    for (unsigned i = 0, j; i < r->n; i = j) {
        for (j = i + 1; j < r->n && strcmp(r->line[j][row], r->line[i][row]) == 0; j++)
            ;
        if (r->line[i][row][0] == '\0')
            continue;
        (void)fprintf(f, "<text x=\"%d\" y=\"%d\"%s>", MARGIN, MARGIN + CELL_H * ((int)row + 1) - 5,
                      j == r->n ? "" : " visibility=\"hidden\"");
        put_text(f, r->line[i][row]);
        put_time(f, (double)r->at_ms[i] / whole_ms, j == r->n ? 1 : (double)r->at_ms[j] / whole_ms, whole_ms / 1000);
        (void)fputs("</text>\n", f);
    }
}

static void put_picture(FILE *f, const struct recording *r)
{
    int width = (int)(CELL_W * atoi(COLUMNS)) + 2 * MARGIN, height = CELL_H * ROWS + 2 * MARGIN;

    (void)fprintf(f,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
                  "xml:space=\"preserve\">\n"
                  "<title>a rollout of four nodes behind two nginx, in a terminal</title>\n<style>\n"
                  "text{font:14px ui-monospace,Menlo,Consolas,\"DejaVu Sans Mono\",\"Liberation Mono\",monospace;"
                  "white-space:pre;fill:#d8dee4}\n"
                  ".r{fill:#ff7b72}.g{fill:#56d364}.y{fill:#e3b341}.b{font-weight:bold}.d{fill:#8b949e}\n</style>\n"
                  "<rect width=\"100%%\" height=\"100%%\" rx=\"8\" fill=\"#0d1117\"/>\n",
                  width, height, width, height);
    for (unsigned row = 0; row < ROWS; row++)
        put_row(f, r, row);
    (void)fputs("</svg>\n", f);
}

/* ---- the whole */

static const char *write_hosts(struct stage_fleet *f)
{
    struct stage *s = f->stage;

    return stage_write(
        s, "fleet.ini",
        stage_read(s, stage_fleet_hosts(f, stage_text(s,
                                                      "rollout_cert=%s\nrollout_key=%s\nrollout_cacert=%s\n"
                                                      "rollout_min_healthy_time=2s\n"
                                                      "rollout_health_interval=250ms\n",
                                                      f->controller->cert, f->controller->key, f->controller->ca))));
}

static void record(struct recording *r, const char *path)
{
    struct stage *s = r->stage;
    struct stage_fleet *f = stage_fleet(s, 4, 2);
    struct stage_load *load;
    uint64_t began_ms, limit_ms = stage_now_ms() + LIMIT_MS;
    const char *ended = stage_text(s, "%s/ended", s->dir);
    FILE *out;

    (void)write_hosts(f);
    (void)stage_copy(s, stage_server_variant(s, "v2"), "app-2");
    load = stage_load_start_fleet(f);
    r->terminal = stage_tmux(
        s, COLUMNS, ROWS_TEXT,
        stage_text(s,
                   "cd %s; echo '$ rollout --hosts fleet.ini --release app-2 --version 2'; LC_ALL=C.UTF-8 "
                   "ROLLOUT_STATE=state %s/rollout --hosts fleet.ini --release app-2 --version 2; echo $? >ended.new; "
                   "mv ended.new ended; read x",
                   s->dir, s->build));
    began_ms = stage_now_ms();
    do {
        capture(r, began_ms);
        (void)usleep(EVERY_US);
    } while (access(ended, F_OK) != 0 && stage_now_ms() < limit_ms);
    capture(r, began_ms);
    if (atoi(stage_read(s, ended)) != 0)
        stage_fail(s, "the rollout ended with %s", stage_read(s, ended));
    stage_tmux_end(r->terminal);
    stage_load_end_whole(s, load);
    out = fopen(path, "w");
    if (out == NULL)
        stage_fail(s, "cannot write %s", path);
    put_picture(out, r);
    if (fclose(out) != 0)
        stage_fail(s, "cannot write %s", path);
    (void)printf("record: %s, %u frames of %.1f s; %" PRIu64 " requests meanwhile, %" PRIu64 " failed\n", path, r->n,
                 (double)r->end_ms / 1000, load->sent, load->failed);
}

static void give_up(struct stage *s)
{
    (void)stage_close(&s, true);
    exit(1);
}

int main(int argc, char **argv)
{
    static struct recording r;

    if (argc != 2) {
        (void)fprintf(stderr, "usage: record FILE.svg\n");
        return 64;
    }
    r.stage = stage_open("record", give_up);
    record(&r, argv[1]);
    return stage_close(&r.stage, false) ? 0 : 1;
}
