/* shared.h - what all workers share, over reloads: which peers were taken out, the leases, who has which requests.
 *
 * nginx makes a new upstream zone at each reload and forgets every change in it. Our own zone stays (same name, size
 * and tag), so it holds the wanted state of each peer, keyed by upstream, address and ordinal. Workers of every
 * generation follow it by `version` (view.h).
 *
 * Lock: the zone's own mutex, which nginx's master releases when its holder dies. The peers' rwlocks, which nobody
 * releases then, are taken for a change of weights only, behind this mutex and never waited for without end (apply.h).
 * `version`, the counts of a peer (counts.h) and what a worker writes in its own entry are not under it. */
#ifndef API_SHARED_H
#define API_SHARED_H

#include <ngx_config.h>
#include <ngx_core.h>

#include "counts.h"
#include "lease.h"
#include "state_file.h"
#include "wanted.h"

/* A zone of another layout is another zone: count up when a struct of this file changes. */
#define SHARED_ZONE_NAME "upstream_api_3"
#define STATE_PATH_MAX   1023
/* Fixed, since a zone of another size would be a new one after a reload. Untouched pages cost nothing; one upstream is
 * some 0.5 kB, one peer 0.6 kB, one worker 4 bytes a peer. */
#define SHARED_ZONE_SIZE_BYTES (32 * 1024 * 1024)
/* Of it, what upstreams and peers leave to the workers' rows. */
#define SHARED_RESERVE_BYTES (SHARED_ZONE_SIZE_BYTES / 8)

struct shared_peer {
    ngx_queue_t link;         /* of shared_upstream.peers */
    struct shared_peer *next; /* of its place in shared.places */
    struct shared_upstream *upstream;
    uint32_t index;           /* of this peer in every worker's counts */
    uint32_t ordinal;         /* among the upstream's peers with the same address */
    uint64_t seen_generation; /* the last configuration that had it */
    uint8_t configured_down;  /* bool: `down` in that configuration */
    uint8_t wanted;           /* enum wanted */
    uint8_t params_wanted;    /* bits of enum shared_param: which of the next are wanted otherwise than configured */
    int64_t param_wanted[SHARED_PARAMS];
    int64_t param_configured[SHARED_PARAMS]; /* in that configuration */
    struct counts counts;
    size_t address_size_bytes;
    u_char address[];
};

struct shared_upstream {
    ngx_queue_t link; /* of shared.upstreams */
    ngx_queue_t peers;
    uint64_t seen_generation;
    uint64_t counted_since; /* workers of an older generation do not count this upstream's requests */
    struct lease lease;
    uint8_t kind; /* enum shared_kind */
    size_t name_size_bytes;
    u_char name[];
};

struct shared_worker {
    ngx_queue_t link;     /* of shared.workers */
    uint64_t start_ticks; /* with pid names one process for all time; 0 = unknown */
    uint64_t generation;  /* of its configuration; 0 = it counts nothing */
    ngx_pid_t pid;
    uint8_t exiting;     /* bool: it only finishes what it has */
    uint8_t spare;       /* bool: of shared.spares, since there was no memory for one that counts */
    uint8_t foreign;     /* bool: of another nginx, in a binary upgrade; it may leave processes behind unseen */
    uint32_t selections; /* odd while it selects a peer that it has not counted yet; written by that worker only */
    uint32_t counts_n;
    uint32_t counts[]; /* its requests in flight, by shared_peer.index; written by that worker only */
};

/* How the state file stands to this zone: see state.h. */
struct shared_state {
    u_char path[STATE_PATH_MAX + 1]; /* of the newest configuration, whichever worker writes; "" = none */
    uint64_t changed;                /* rises with each change that the file must hold */
    uint64_t stored;                 /* of those, what the file holds */
    uint64_t generation;             /* the newest whose peers are all registered */
    struct process other;            /* pid 0: none; it may go on with the file when we end, or we when it ends */
    struct state_mark mark;          /* of the file that we wrote or read last */
    uint64_t writing_ms;             /* since when one of our workers writes; 0 = none does */
    uint8_t owned;                   /* bool: the file has been ours */
    uint8_t let_go;                  /* bool: since then another may have had it: it was seen, or we gave it back */
    uint8_t zone_leads;              /* bool: who takes the file over does not read it first */
    uint8_t failing;                 /* bool: the log knows that it cannot be written */
};

/* More peers than the zone has room for. */
#define SHARED_INDEXES (SHARED_ZONE_SIZE_BYTES / sizeof(struct shared_peer))
#define SHARED_PLACES  16384

struct shared {
    ngx_queue_t upstreams;
    ngx_queue_t workers;
    ngx_queue_t spares;     /* shared_workers without counts: who serves is known also where the zone is full */
    ngx_atomic_t version;   /* rises with each change of a wanted or configured state */
    uint64_t generation;    /* configurations loaded so far */
    uint32_t index_bound;   /* above every index in use */
    uint32_t index_from;    /* none is free below */
    uint32_t worker_missed; /* bool: there was no spare either, so no count is sure, and nothing may be freed */
    uint64_t born_ns;       /* when this zone was made, monotonic: tells it from the others of one master */
    time_t load_s;          /* when the newest configuration was loaded, UTC */
    ngx_msec_t load_ms;     /* 0..999 of it */
    struct shared_state state;
    u_char index_used[SHARED_INDEXES];         /* bools */
    struct shared_peer *places[SHARED_PLACES]; /* all peers, hashed by upstream, address and ordinal */
};

#define SHARED_EACH(q, queue)                                                                                          \
    for (ngx_queue_t *q = ngx_queue_head(queue); q != ngx_queue_sentinel(queue); q = ngx_queue_next(q))

/* For the directive: the zone, made on first use. NULL with a message in the log. */
ngx_shm_zone_t *shared_zone_add(ngx_conf_t *cf);

static inline struct shared *shared_of(const ngx_shm_zone_t *zone)
{
    return zone->data;
}

void shared_lock(ngx_shm_zone_t *zone);
void shared_unlock(ngx_shm_zone_t *zone);

/* All below: the lock is held. NULL = the zone is full. */
struct shared_upstream *shared_upstream_get(ngx_shm_zone_t *zone, enum shared_kind kind, const ngx_str_t *name);
struct shared_peer *shared_peer_find(ngx_shm_zone_t *zone, const struct shared_upstream *upstream,
                                     const ngx_str_t *address, uint32_t ordinal); /* NULL = it is not there */
struct shared_peer *shared_peer_get(ngx_shm_zone_t *zone, struct shared_upstream *upstream, const ngx_str_t *address,
                                    uint32_t ordinal);
/* Frees what no configuration from `oldest_generation` on has had: no living worker can point to it. An upstream that
 * has been leased stays: its fence must not fall. */
void shared_forget(ngx_shm_zone_t *zone, uint64_t oldest_generation);

/* The value for nginx's peer->down: 0 up, 1 down, 8 drain (as nginx 1.29.6 numbers it; any value but 0 stops the
 * selection). */
#define SHARED_DOWN  1
#define SHARED_DRAIN 8
ngx_uint_t shared_peer_down(const struct shared_peer *peer);
/* What equals the configuration is no change: so that a later edit of the file is obeyed at the reload. For a peer that
 * is registered. */
void shared_peer_settle(struct shared_peer *peer);
int64_t shared_peer_param(const struct shared_peer *peer, enum shared_param param);

/* The place to count answers with that status. Without the lock: it is taken here where the peer's first one comes. */
uint64_t *shared_answers_new(ngx_shm_zone_t *zone, struct shared_peer *peer, unsigned status);
static inline uint64_t *shared_answers(ngx_shm_zone_t *zone, struct shared_peer *peer, unsigned status)
{
    struct counts_code *code = counts_code_find(&peer->counts, status);

    return code != NULL ? &code->n : shared_answers_new(zone, peer, status);
}

#endif
