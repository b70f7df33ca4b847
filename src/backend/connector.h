/* SPDX-License-Identifier: PostgreSQL
 *
 * Connector threads: libpq connects and logs in here, never on a worker.
 *
 * One PQconnectPoll() call may hold the CPU for 3 ms (SCRAM); so each connector
 * thread has a loop of its own that drives many attempts at once.  Resolving
 * names blocks, for as long as the resolver likes: attempts that need it go to
 * threads for names, as many as there are distinct hosts up to four, so that
 * a name which nobody knows holds up none but those of its thread.  A finished connection has read its output-affecting
 * settings from pg_settings before it is handed to its worker by mailbox.
 * Cancel requests block until the server closes and have threads of their own.
 */
#ifndef PGSLUICE_BACKEND_CONNECTOR_H
#define PGSLUICE_BACKEND_CONNECTOR_H

#include <libpq-fe.h>

#include "run/worker.h"

/* One attempt. Made by the caller, owned by the connector until `done` runs on
 * worker `w` as a mailbox message; then the receiver's. */
struct connect_job {
	struct message done; /* .run set by the caller */
	struct worker *w;
	void *arg;           /* the caller's */
	char **keywords, **values; /* NULL-terminated, for PQconnectStartParams;
	                              owned by the job; values are wiped */
	nsec_t timeout;
	/* results */
	PGconn *conn;        /* NULL: failed */
	char *error;         /* text for the log; may hold server text */
	bool no_password;    /* it failed for want of one */
	char *settings;      /* "name=value\n..." sorted by name */
	uint64_t instance;   /* when the postmaster started; 0: not told */

	/* private to the connector */
	struct event ev, timer;
	struct connector *c;
	int phase;
	STAILQ_ENTRY(connect_job) next;
};

/* threads: for addresses and unix sockets; those for names come on top. */
void connector_start(unsigned threads);
/* Stop and join, while the workers still run; attempts under way fail, and so
 * do later ones. */
void connector_stop(void);
void connector_submit(struct connect_job *j);
/* Free a job and what it still owns (not conn). */
void connect_job_free(struct connect_job *j);

/* Run PQcancel off the loop; then post m to w. */
void connector_cancel(PGcancel *cancel, struct worker *w, struct message *m);

#endif
