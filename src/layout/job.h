/* SPDX-License-Identifier: PostgreSQL
 *
 * Surveys of all variants of a configuration, made on a thread of their own.
 *
 * A job is a struct its maker allocates; it belongs to the layout thread from
 * job_submit() until done is called there, and then to its maker again.  One
 * job is done at a time.
 */
#ifndef PGSLUICE_LAYOUT_JOB_H
#define PGSLUICE_LAYOUT_JOB_H

#include <sys/queue.h>

#include "base/clock.h"
#include "base/slice.h"
#include "layout/survey.h"

struct layout_job {
	/* In which no layout is applied; the maker's reference. */
	struct conf *conf;
	/* Arguments for libpq: arrays of malloc'ed strings that end with NULL.
	 * false: there is nobody to log in as. On the layout thread. */
	bool (*login)(struct layout_job *j, const char *conninfo,
	    char ***keywords, char ***values);
	void (*done)(struct layout_job *j);
	void *arg; /* the maker's */
	bool check_rows; /* CHECK SHARDS: look for rows on wrong shards */

	/* results, one for each variant that is not plain */
	struct layout_result *results;
	size_t n_results;
	/* ... and one for each of conf->tag_keys */
	struct layout_tag_result *tag_results;
	unsigned committed; /* prepared transactions that were left, see resolve.h */
	bool unsettled;     /* ... some are left, or may be: read again soon */

	STAILQ_ENTRY(layout_job) next; /* private to job.c */
};

struct layout_result {
	struct survey s;
	bool good;         /* no errors: s.layout counts */
	bool not_asked;    /* nobody to log in as */
	int64_t *misplaced; /* by place, with check_rows; -1: not known */
};

struct layout_tag_result {
	bool good;       /* the catalogs vouch for it */
	bool not_asked;  /* a server could not be asked */
	enum conf_key_type type; /* if good */
	char *why;       /* what else, in words; NULL: good */
};

/* Once; the thread sleeps until there is a job. */
void layout_start(void);
/* Jobs that wait or are under way end early, with errors; done is called. */
void layout_stop(void);
/* Any thread. false: stopped; the job is still the caller's. */
bool layout_submit(struct layout_job *j) PG_MUST_CHECK;
void layout_results_free(struct layout_job *j);

/* A statement over parts of a table has failed. If it has in a way that may
 * mean that the layout has moved, calls what layout_on_doubt() was given, at
 * most once a second. Any thread. */
void layout_doubt(struct slice sqlstate);
/* A write over several shards has left prepared transactions: calls the same. */
void layout_left(void);
/* Before other threads start. fn: any thread. */
void layout_on_doubt(void (*fn)(void));

#endif
