/* SPDX-License-Identifier: PostgreSQL
 *
 * Servers that a job asks: each is called once, and one that does not answer
 * costs its timeout once.  The layout thread.
 */
#ifndef PGSLUICE_LAYOUT_CALL_H
#define PGSLUICE_LAYOUT_CALL_H

#include "base/hash.h"
#include "layout/ask.h"
#include "layout/job.h"

#define CALLS_MAX 16

/* A server that a job has asked, or tried to. */
struct call {
	struct hash128 where; /* its connection string */
	struct ask a;
	bool good;            /* else a.error says why not, whoever asks */
	bool nobody;          /* there is nobody to log in as */
};

struct calls {
	struct layout_job *job;
	const atomic_bool *stopping;
	struct call v[CALLS_MAX];
	unsigned n; /* made so far; the oldest makes room */
};

/* The call to this server, made if need be; see whether it is good. Borrowed
 * until the next one. */
struct call *calls_to(struct calls *all, const char *conninfo);
void calls_close(struct calls *all);
/* false: see error. */
bool call_facts(struct call *c, const char *relation, struct facts *out)
    PG_MUST_CHECK;

#endif
