/* clang-format off */
/* wire.h - the agent's contract (version 1): all that the controller may include of the agent.
 *
 * HTTPS + JSON. Times are seconds unless the name says _ms. Every hex digest is 64 lower-case digits. Unknown members
 * are ignored by both sides; a missing one that is needed is an error. Errors: {"error":{"code":C,"text":SENTENCE}}
 * with C from the list below.
 *
 *   IDENT  = {"pid":4711,"start_ticks":123456,"boot_id":"uuid","sha256":"hex of /proc/PID/exe"}
 *            start_ticks: field 22 of /proc/PID/stat, clock ticks since boot. pid + start_ticks + boot_id name one
 *            process for all time. null where nothing runs.
 *   CLAIM  = {"rollout":ID,"fence":N,"ttl":S,"left":S,"holder":TEXT,"target":{"sha256":HEX|null,"version":TEXT|null},
 *             "before":IDENT|null,
 *             "took_out":[{"lb":NAME,"upstream":NAME,"server":"ADDR:PORT","prior":{"down":BOOL,"drain":BOOL}},...]}
 *            before: what ran when the node was claimed; with target, what repair may put back.
 *            left: what remains of ttl, 0 = it has run out (it may then be taken over with a higher fence).
 *   LOCK   = {"rollout":ID,"fence":N,"ttl":S,"left":S,"holder":TEXT}
 *            this agent's vote on which rollout may change load balancers that have no lease (NGINX Plus). A
 *            majority of the fleet's agents is the lock. Independent of the claim, but for the fence; never two
 *            rollouts' at once.
 *   JOB    = {"id":ID,"rollout":ID,"fence":N,"action":"restart|upgrade|rollback","release":HEX|null,
 *             "state":"running|done|failed","code":C,"text":SENTENCE,"touched":BOOL,"restored":BOOL,
 *             "before":IDENT|null,"after":IDENT|null,"started":UNIX_SECONDS_WITH_FRACTION,"elapsed_ms":N}
 *            touched: a process was signalled or a file was swapped. restored: the old file was put back.
 *   WISH   = {"rollout":ID,"id":N,"wish":"pause|abort|promote","holder":TEXT,"age_ms":N,
 *             "taken":{"holder":TEXT,"effect":BOOL}|null}
 *            what a person (holder) wants of a rollout at work. id: of this wish, made up by who utters it, 1 to
 *            2^63-1. age_ms: since it came. taken: by the rollout's controller; effect: it acts on it.
 *   STATUS = {"service":APP,"node":NAME,"boot_id":UUID,"running":BOOL,"ident":IDENT|null,"installed":HEX|null,
 *             "version":TEXT|null,"listening":["ADDR:PORT",...],"connections":N,"releases":[{"sha256":HEX,"size":N}],
 *             "previous":HEX|null,"claim":CLAIM|null,"lock":LOCK|null,"fence":HIGHEST,"job":JOB|null,
 *             "wish":WISH|null,"warnings":[TEXT,...],"signing":{"required":BOOL,"sequence":N}}
 *            installed: SHA-256 of the file at the configured path. version: what the service answers at its version
 *            URL, null when it does not do so soon. listening: a wildcard address is expanded to every address of the
 *            node's interfaces, loopback included; IPv6 as [ADDR]:PORT. connections: established TCP connections to
 *            those addresses. previous: the release that ran before the one that runs, as jobs of this agent brought
 *            it, and is still here; a rollback goes to it without an upload. null: none is known. wish: the latest that
 *            is not forgotten. warnings: what `rollout-agent --check` says of its units, as of the start or the latest
 *            reload. signing: whether a release must be signed, and the highest sequence installed; 0: none.
 *
 *   GET    /v1                          {"version":1,"agent":TEXT,"node":NAME,"features":["claim","restart","upgrade",
 *                                        "rollback","health","release","previous","wish","health-match",
 *                                        "signature","lock"]}
 *   GET    /v1/services                 {"services":[STATUS,...]}
 *   GET    /v1/services/APP             STATUS
 *   PUT    /v1/services/APP/claim       body CLAIM without "left", with "expect": the fence of the claim that the
 *                                       caller saw there, live or run out, 0 = none -> 200 STATUS. A compare-and-set:
 *                                       another fence there is 409 claim_changed (but the caller's own claim, rollout
 *                                       and fence, may always be put again); a live claim of another rollout is
 *                                       409 claim_held; a fence lower than the highest seen, or equal to it from
 *                                       another rollout, is 412 fence_stale. Durable before it is answered.
 *   DELETE /v1/services/APP/claim?rollout=ID&fence=N[&holder=TEXT]   200 STATUS; gone already: 200; another
 *                                       rollout's, another fence, or (where it is given) another holder: 412. The
 *                                       highest fence stays.
 *   PUT    /v1/services/APP/lock        {"rollout","fence","ttl","holder"} -> 200 {"lock":LOCK}. Taken or renewed.
 *                                       While lock or claim are a living other's 409 claim_held (so is a lock of one
 *                                       rollout's other holder); a fence lower than the highest seen, or that one of
 *                                       another: 412 fence_stale. Durable before it is answered.
 *   DELETE /v1/services/APP/lock?rollout=ID&fence=N[&holder=TEXT]    200 {"lock":null}; another's: 412. The highest
 *                                       fence stays.
 *   PUT    /v1/services/APP/releases/HEX   body: the executable -> 201 {"sha256","size"}, or 200 when it is there
 *                                       already. The header Rollout-Signature: its signature, as minisign makes it,
 *                                       with a trusted comment of common/label.h; needed where the service's "signing"
 *                                       says so. A refusal keeps nothing: 413 too_large, 507 no_space, 422 with a
 *                                       code for each reason. With a signature for a release that is here, that
 *                                       signature is checked and kept.
 *   POST   /v1/services/APP/jobs        {"id","rollout","fence","action","release":HEX|null} -> 202 JOB. The same id
 *                                       again: the same job, 200, nothing is done twice. Needs a live claim of that
 *                                       rollout with that very fence: none 409 no_claim, another 412 fence_stale.
 *                                       Another job runs: 409 busy. A release that is not here: 409 no_release. One
 *                                       whose signature does not hold, or whose sequence is lower than what was
 *                                       installed: 422; not so for a rollback to a release that ran here.
 *                                       The 65th job under one fence: 400, since the first would be forgotten.
 *   GET    /v1/services/APP/jobs/ID[?wait=DURATION]    JOB; with wait: as soon as the job ends, at most that long
 *   GET    /v1/services/APP/health[?wait=DURATION&status=N-N&body=TEXT]
 *                                       {"healthy":BOOL,"status":HTTP_STATUS|0,"text":SENTENCE,"ident":IDENT|null,
 *                                       "elapsed_ms":N}: one check over a fresh connection; with wait: repeated until
 *                                       it is healthy, at most that long. Healthy only when the same process (ident)
 *                                       was there before and after the check, when its answer had a status of that
 *                                       range (N or N-N; 200-299), and when TEXT (at most 1024 bytes) stands in the
 *                                       first 4096 bytes of its body. An agent without the feature "health-match"
 *                                       knows neither status nor body.
 *   PUT    /v1/services/APP/wish        {"rollout","id","wish","holder"} -> 200 {"wish":WISH}. Needs no claim. The same
 *                                       id again changes nothing; another wish with it: 400. A newer wish of a rollout
 *                                       takes the place of the one before; but who wants less to happen goes first:
 *                                       abort, pause, promote. While the controller may still have to hear of that one
 *                                       (WIRE_WISH_FIRST_S), or its author that it has (WIRE_WISH_HEARD_S), one that
 *                                       comes behind it is 409 wish_stands. Kept in memory alone, for WIRE_WISH_KEPT
 *                                       rollouts and WIRE_WISH_MAX_S each.
 *   GET    /v1/services/APP/wish?rollout=ID   {"wish":WISH|null}: the one of that rollout
 *   POST   /v1/services/APP/wish/taken  {"rollout","id","holder","effect"} -> 200 {"wish":WISH}; not there: 404
 *
 *   GET    /metrics                     Prometheus' text format, for whoever may ask here; with metrics-listen for
 *                                       anybody there, over plain HTTP
 *
 * A job id is ROLLOUT/NODE/STEP/ATTEMPT; in a URL everything behind jobs/ is the id, slashes included.
 * A client names a service, never a path, a command or an environment. docs/api-agent.md has an example of each. */
/* clang-format on */
#ifndef AGENT_WIRE_H
#define AGENT_WIRE_H

#define WIRE_VERSION       1
#define WIRE_BODY_MAX      (256 * 1024) /* bytes of any JSON body */
#define WIRE_WAIT_MAX_MS   25000        /* longest long poll */
#define WIRE_ID_MAX        128          /* a rollout's id: [A-Za-z0-9._/-] */
#define WIRE_NODE_MAX      253          /* a node's name: as long as DNS has them, [A-Za-z0-9._-] */
#define WIRE_JOB_MAX       448          /* a job's id: a rollout's, a node's name, step and attempt */
#define WIRE_HOLDER_MAX    128          /* printable ASCII */
#define WIRE_SHA256_DIGITS 64

/* Of PUT releases/HEX: the base64 of FILE.minisig as it is, at most 2048 bytes before that (common/minisign.h). */
#define WIRE_SIGNATURE_HEADER "Rollout-Signature"

#define WIRE_WISH_KEPT    8
#define WIRE_WISH_MAX_S   3600
#define WIRE_WISH_FIRST_S 10 /* so long who utters a wish waits for it to be heard */
#define WIRE_WISH_HEARD_S 1  /* and so soon sees it */

/* WIRE_WISH(NAME, "word on wire", caution): of two who wish at the same moment, who wants less to happen goes first. */
#define WIRE_WISHES(X)                                                                                                 \
    X(PAUSE, "pause", 2)                                                                                               \
    X(ABORT, "abort", 3)                                                                                               \
    X(PROMOTE, "promote", 1)

/* Error and job codes as they stand on the wire: WIRE_CODE(NAME, http status or 0 for a job's end, "text on wire") */
#define WIRE_CODES(X)                                                                                                  \
    X(BAD_REQUEST, 400, "bad_request")                                                                                 \
    X(FORBIDDEN, 403, "forbidden")                                                                                     \
    X(NOT_FOUND, 404, "not_found")                                                                                     \
    X(METHOD, 405, "method_not_allowed")                                                                               \
    X(CLAIM_HELD, 409, "claim_held")                                                                                   \
    X(CLAIM_CHANGED, 409, "claim_changed")                                                                             \
    X(NO_CLAIM, 409, "no_claim")                                                                                       \
    X(BUSY, 409, "busy")                                                                                               \
    X(NO_RELEASE, 409, "no_release")                                                                                   \
    X(WISH_STANDS, 409, "wish_stands") /* another wish goes first */                                                   \
    X(FENCE_STALE, 412, "fence_stale")                                                                                 \
    X(TIMEOUT, 408, "timeout")                                                                                         \
    X(HEAD_TOO_LARGE, 431, "head_too_large")                                                                           \
    X(TOO_LARGE, 413, "too_large")                                                                                     \
    X(HASH_MISMATCH, 422, "hash_mismatch")                                                                             \
    X(EMPTY_RELEASE, 422, "empty_release")                                                                             \
    X(SCRIPT, 422, "script") /* #! where a binary is expected */                                                       \
    X(NOT_EXECUTABLE, 422, "not_executable")                                                                           \
    X(WRONG_ARCH, 422, "wrong_arch")                                                                                   \
    X(UNSIGNED, 422, "unsigned")                                                                                       \
    X(BAD_SIGNATURE, 422, "bad_signature") /* none of minisign's, or not of these bytes */                             \
    X(UNKNOWN_KEY, 422, "unknown_key")                                                                                 \
    X(SIGNED_FOR_ANOTHER, 422, "signed_for_another") /* service, release or architecture */                            \
    X(OLD_SEQUENCE, 422, "old_sequence")             /* a later release has been installed */                          \
    X(INTERNAL, 500, "internal")                                                                                       \
    X(NO_SPACE, 507, "no_space")                                                                                       \
    X(UNAVAILABLE, 503, "unavailable") /* the half of the agent that works is not there; ask again */                  \
    X(JOB_OK, 0, "ok")                                                                                                 \
    X(JOB_NOT_RUNNING, 0, "not_running")           /* there is no process to restart */                                \
    X(JOB_NO_SUCCESSOR, 0, "no_successor")         /* the old process goes on, no new one came in time or will come */ \
    X(JOB_DIED, 0, "died")                         /* neither the old nor a new process is there */                    \
    X(JOB_WRONG_EXECUTABLE, 0, "wrong_executable") /* untouched: what is installed is not what a restart would keep */ \
    X(JOB_TWO_SERVERS, 0, "two_servers")           /* the old one still accepts connections beside the new */          \
    X(JOB_SWAP_FAILED, 0, "swap_failed")           /* the file could not be put in place; nothing was signalled */     \
    X(JOB_OLD_STAYS, 0, "old_still_there")         /* it holds on, though a new process is there or it was killed */   \
    X(JOB_NOT_HEALTHY, 0, "not_healthy")           /* the new process took over, but answers nothing at its URL */     \
    X(JOB_DIED_LATER, 0, "died_later")             /* the new process took over, and ended before it answered */       \
    X(JOB_SIGNAL_IGNORED, 0, "signal_ignored")     /* it does not heed the signal; the text says what became of it */  \
    X(JOB_NOT_STARTED, 0, "not_started")           /* the executable, or its unit, cannot be started */                \
    X(JOB_INTERRUPTED, 0, "interrupted")           /* the agent was stopped in mid-job; look at the status */

#endif
