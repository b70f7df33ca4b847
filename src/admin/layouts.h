/* SPDX-License-Identifier: PostgreSQL
 *
 * When layouts are read from catalogs, and what is done with what was found.
 *
 * At the start, after every change of the configuration, every
 * layout_interval, when a statement fails as if the layout had moved, and when
 * the console asks.  What was found comes into force as a new configuration,
 * if it differs; what cannot be used is logged, and what was in force stays.
 */
#ifndef PGSLUICE_ADMIN_LAYOUTS_H
#define PGSLUICE_ADMIN_LAYOUTS_H

#include "admin/control.h"
#include "layout/job.h"

/* What the last reading found. Immutable, shared by reference. */
struct layouts_report {
	atomic_uint refs;
	struct layout_job job; /* conf and results */
	nsec_t read_at;        /* wall clock */
};

/* Control thread: */

void layouts_init(struct control *c);
void layouts_fini(void); /* after the workers have ended */
/* The loop begins; the configuration has changed. */
void layouts_read(void);
/* From the loop, about every second. */
void layouts_tick(nsec_t now);
/* Read, and then call fn with the report, on the control thread; NULL: we are
 * stopping. */
void layouts_read_for(bool check_rows,
    void (*fn)(void *arg, struct layouts_report *r), void *arg);

/* The configuration in force. Borrowed. */
const struct conf *layouts_conf(void);

/* Log errors and notes, unless they are what was said the last time; *said is
 * malloc'ed or NULL. */
void layouts_log(const struct layout_job *j, char **said);

/* Any thread: a reference to the last report; NULL: there is none yet. */
struct layouts_report *layouts_report(void) PG_MUST_CHECK;
void layouts_report_ref(struct layouts_report *r);
void layouts_report_unref(struct layouts_report **r);

#endif
