/* SPDX-License-Identifier: PostgreSQL
 *
 * Threads for what authentication may not do on a worker: PBKDF2, and asking
 * the system for a user's name.
 *
 * One bounded queue in order of arrival.  A job is a struct the caller
 * allocates with struct auth_job first; it belongs to the queue from
 * auth_work_submit() on, to one thread while work runs, and then, as a mailbox
 * message, to done.run on its worker, which frees it.
 */
#ifndef PGSLUICE_AUTH_WORK_H
#define PGSLUICE_AUTH_WORK_H

#include "run/worker.h"

#define AUTH_WORK_MAX 1000u /* jobs that wait */

struct auth_job {
	struct message done;  /* .run set by the caller */
	struct worker *w;
	void (*work)(struct auth_job *j); /* on a thread of ours */
	STAILQ_ENTRY(auth_job) next;
};

void auth_work_start(unsigned threads);
/* Jobs that wait come back with no work done; those under way are finished.
 * Call while the workers still run. */
void auth_work_stop(void);
/* false: the queue is full or stopped; the job is still the caller's. */
bool auth_work_submit(struct auth_job *j) PG_MUST_CHECK;

#endif
