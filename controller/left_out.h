/* left_out.h - I4 for what does not begin: the nodes that a dead rollout left out are named, with the command that
 * mends it, also where this run ends before it has done anything. */
#ifndef CONTROLLER_LEFT_OUT_H
#define CONTROLLER_LEFT_OUT_H

#include "session.h"

/* Of the last survey, said: nodes with a claim that took something out, of any rollout for a repair, else of an
 * earlier run of this one. `lapsed`: only where the claim has run out, since a living one answers for it itself. False:
 * there are none. */
bool left_out_tell(const struct session *, bool repair, bool lapsed);

/* The same of the hosts that --limit leaves out now, by their claims: an earlier run of this rollout had them. */
bool left_out_by_limit(const struct session *);

/* The same by the journal: nodes that an earlier run of this rollout had in its hands, whose agent is not asked any
 * more, does not answer or has lost its claim, and which the load balancers still show out, or cannot be asked about;
 * without a survey, all of them. */
bool left_out_by_journal(const struct session *);

/* A signal came before the first survey, so what the fleet holds of an earlier run is not known. Names what the journal
 * knows; where there is none, says that it is unknown. False: nobody has said that there was an earlier run; where the
 * rollout was given an id, that is said to be unknown as well, but most are run once. */
bool left_out_unread(const struct session *);

#endif
