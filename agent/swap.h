/* swap.h - the executable of a job: what runs is kept, the wanted one is put in place, the old one is put back. */
#ifndef AGENT_SWAP_H
#define AGENT_SWAP_H

#include "job.h"

struct service;

/* Where somebody replaced the file under the process, what runs is in no file: it is kept before an upgrade, so that
 * there is a way back, and a restart, which would change the release, is refused. JOB_OK, SWAP_FAILED or
 * WRONG_EXECUTABLE with a sentence. */
enum code swap_keep(struct service *service, struct err *err);

/* The file that the job wants; its hash into `wanted`. Where it is there already nothing is swapped. The job's
 * `previous` is durable before the file changes. */
bool swap_in(struct service *service, uint8_t wanted[SHA256_BYTES], struct err *err);

/* The file from before the swap back in its place; `restored` of the job says whether. Nothing where there was none. */
void swap_back(struct service *service, struct job *job);

/* The last job has ended, on record: what lies beside the executable goes, unless the old file is still to come back.
 */
void swap_sweep(struct service *service);

#endif
