/* SPDX-License-Identifier: PostgreSQL
 *
 * What became of experiments: running, stopped, promoted, with which weights.
 *
 * A configuration refers to one set of trials, which stays with it through
 * reloads and changes of settings until another set takes its place.  A trial
 * belongs to an experiment by its name and by what it is about; where that has
 * changed, it does not count any more.  Sets are immutable and shared by
 * reference; any thread.
 */
#ifndef PGSLUICE_CONF_TRIAL_H
#define PGSLUICE_CONF_TRIAL_H

#include <stdatomic.h>

#include "conf/conf.h"

struct mirror; /* experiment/mirror.h */

/* From one start to the stop: what is measured meanwhile belongs to it. Lives
 * as long as a configuration or somebody else refers to it. */
struct conf_run {
	atomic_uint refs;
	/* Stopped. For sessions that keep a server, and with it the configuration
	 * in which it was running. */
	atomic_bool over;
	void *board;               /* for the layers above */
	void (*free_board)(void *);
	struct mirror *mirror;     /* with writes = all, else NULL: theirs, too */
	void (*unref_mirror)(struct mirror **);
};
/* Takes over board. One reference. */
struct conf_run *conf_run_new(void *board, void (*free_board)(void *))
    PG_MUST_CHECK;
/* Takes over a reference. Of a run that nobody else knows yet. */
void conf_run_mirror(struct conf_run *r, struct mirror *m,
    void (*unref_mirror)(struct mirror **));
struct conf_run *conf_run_ref(struct conf_run *r);
void conf_run_unref(struct conf_run **r); /* NULL is fine */
/* The experiment runs, in this configuration and at all. */
static inline bool
conf_experiment_runs(const struct conf_experiment *e)
{
	return e->state == EXPERIMENT_RUNNING &&
	    !atomic_load_explicit(&e->run->over, memory_order_relaxed);
}

struct conf_trial {
	char *name;   /* of the experiment */
	char *about;  /* conf_experiment_about() */
	enum conf_experiment_state state;
	unsigned promoted;
	uint32_t weights[CONF_ARMS_MAX];
	char *reason; /* of its state, for people */
	nsec_t since; /* it is in that state, by the wall's clock */
	struct conf_run *run; /* running, or the last one; or NULL */
};

struct conf_trials {
	atomic_uint refs;
	size_t n;
	struct conf_trial v[];
};

/* A copy of set (NULL: none) with t in place of what there is of that name; t
 * is copied, its run referenced. One reference. */
struct conf_trials *conf_trials_with(const struct conf_trials *set,
    const struct conf_trial *t) PG_MUST_CHECK;
struct conf_trials *conf_trials_ref(struct conf_trials *t);
void conf_trials_unref(struct conf_trials **t); /* NULL is fine */
/* That of the experiment, or NULL. */
const struct conf_trial *conf_trial_find(const struct conf_trials *set,
    const struct conf_experiment *e);

/* What an experiment is about: what is measured of it belongs to no other. The
 * same text in every process; malloc'ed. */
char *conf_experiment_about(const struct conf_experiment *e) PG_MUST_CHECK;
const char *conf_unit_name(enum conf_unit u);
const char *conf_arm_writes_name(enum conf_arm_writes w);
const char *conf_experiment_state_name(enum conf_experiment_state s);
/* NULL: there is none of that name. */
const struct conf_experiment *conf_find_experiment(const struct conf *c,
    const char *name);

/* The same text and changes with these trials; takes no reference over. NULL
 * with messages in *d: a file it names is gone. Control thread. */
struct conf *conf_with_trials(const struct conf *from,
    struct conf_trials *t, struct conf_diag *d) PG_MUST_CHECK;

#endif
