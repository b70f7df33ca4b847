/* SPDX-License-Identifier: PostgreSQL
 *
 * Experiments: what becomes of them, and when.
 *
 *   STOPPED --START--> RUNNING --STOP, guard--> STOPPED
 *      \                  \--PROMOTE--> PROMOTED --START, STOP-->
 *       \----PROMOTE----------------------/
 *
 * Each change is a new configuration with another set of trials (conf/trial.h),
 * so that workers take it up as they do a reload: between transactions.  Each
 * start begins a run with a board of its own.  Control thread.
 */
#ifndef PGSLUICE_ADMIN_EXPERIMENTS_H
#define PGSLUICE_ADMIN_EXPERIMENTS_H

#include "admin/control.h"
#include "conf/trial.h"

enum experiment_change {
	EXPERIMENT_START, EXPERIMENT_STOP, EXPERIMENT_PROMOTE,
	EXPERIMENT_WEIGH
};

#define EXPERIMENT_WHY_MAX 300

/* value: the arm to promote; or weights as in the option arms. reason: of the
 * change, for people. false: why says what is wrong. */
bool experiments_change(struct control *c, enum experiment_change how,
    const char *name, const char *value, const char *reason, char *why,
    size_t size) PG_MUST_CHECK;
/* Put another set in force; takes no reference over. */
bool experiments_use(struct control *c, struct conf_trials *set, char *why,
    size_t size) PG_MUST_CHECK;
/* The loop begins, or the configuration has changed: those begin that start by
 * themselves. */
void experiments_follow(struct control *c);
/* Every second. */
void experiments_tick(struct control *c, nsec_t now);

#endif
