/* SPDX-License-Identifier: PostgreSQL
 *
 * From wishes about experiments to trials in a new configuration.
 */
#include "admin/experiments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/judge.h"
#include "admin/kept.h"
#include "admin/setup.h"
#include "base/log.h"
#include "experiment/mirror.h"
#include "session/mirror_lane.h"

static bool
experiment_refuse(char *why, size_t size, const char *what)
{
	snprintf(why, size, "%s", what);
	return false;
}

static void
experiment_free_board(void *arg)
{
	struct board *b = arg;

	board_free(&b);
}

/* ---- mirrored writes ---- */

#define MIRROR_BYTES ((size_t)256 << 20)

static struct mirror *
experiment_mirror(const struct conf_trial *t)
{
	return t->run != NULL ? t->run->mirror : NULL;
}

/* Writes of the run there is, or was, that some arm has not got yet. */
static uint64_t
experiment_waiting(const struct conf_experiment *e,
    const struct conf_trial *t, unsigned *arm)
{
	struct mirror *m = experiment_mirror(t);
	uint64_t n;

	for (*arm = 1; m != NULL && *arm < e->n_arms; (*arm)++)
		if ((n = mirror_waiting(m, *arm)) > 0)
			return n;
	return 0;
}

static bool
experiment_is_drained(const struct conf_experiment *e,
    const struct conf_trial *t, char *why, size_t size)
{
	unsigned arm;
	uint64_t n = experiment_waiting(e, t, &arm);

	if (n > 0)
		snprintf(why, size, "%llu writes still wait for arm \"%s\": "
		    "PAUSE its databases, and try again when SHOW EXPERIMENT "
		    "shows 0 in waiting", (unsigned long long)n,
		    e->arms[arm].variant->name);
	return n == 0;
}

/* Other weights change nothing about what arms are to get. */
static struct mirror *
experiment_mirror_for(const struct conf_experiment *e,
    const struct conf_trial *t)
{
	struct mirror *old = experiment_mirror(t);

	if (e->state == EXPERIMENT_RUNNING && old != NULL)
		return mirror_ref(old);
	return mirror_new(e->n_arms, (size_t)e->mirror_queue, MIRROR_BYTES,
	    lane_work_free);
}

/* ---- putting a trial in force ---- */

bool
experiments_use(struct control *c, struct conf_trials *set, char *why,
    size_t size)
{
	struct conf_diag d = { .n = 0 };
	struct session_setup fresh;
	struct conf *conf = conf_with_trials(c->setup.conf, set, &d);

	if (conf == NULL)
		snprintf(why, size, "the configuration cannot be read again: "
		    "%s", d.n > 0 ? d.msg[0] : "");
	conf_diag_fini(&d);
	if (conf == NULL)
		return false;
	setup_with(&c->setup, conf, &fresh);
	control_use(c, &fresh);
	return true;
}

static bool
experiment_use(struct control *c, const struct conf_trial *t, char *why,
    size_t size)
{
	struct conf_trials *set = conf_trials_with(c->setup.conf->trials, t);
	char *name = x_strdup(t->name); /* the old configuration's */
	bool ok = experiments_use(c, set, why, size);

	conf_trials_unref(&set);
	if (ok) {
		log_info("experiment", "msg=\"experiment is now %s\" name=%s "
		    "reason=%s generation=%llu",
		    conf_experiment_state_name(t->state), log_escs(name),
		    log_escs(t->reason),
		    (unsigned long long)c->setup.conf->generation);
		kept_save(c);
	}
	free(name);
	return ok;
}

/* What it is about, and what holds now; to be changed. */
static struct conf_trial
experiment_trial(const struct control *c, const struct conf_experiment *e,
    const char *reason)
{
	const struct conf_trial *old = conf_trial_find(c->setup.conf->trials,
	    e);
	struct conf_trial t = { .name = e->name,
		.about = conf_experiment_about(e), .state = e->state,
		.promoted = e->promoted, .reason = (char *)(uintptr_t)reason,
		.since = clock_wall(), .run = old != NULL ? old->run : NULL };

	memcpy(t.weights, e->weights, sizeof(t.weights));
	return t;
}

static bool
experiment_begin(struct control *c, const struct conf_experiment *e,
    struct conf_trial *t, char *why, size_t size)
{
	struct conf_run *run = conf_run_new(board_new(c->n_workers,
	    e->n_arms), experiment_free_board);
	bool ok;

	if (e->writes == CONF_WRITES_ALL)
		conf_run_mirror(run, experiment_mirror_for(e, t),
		    mirror_unref);
	t->state = EXPERIMENT_RUNNING;
	t->run = run;
	ok = experiment_use(c, t, why, size);
	conf_run_unref(&run);
	return ok;
}

/* ---- values ---- */

static int
experiment_arm(const struct conf_experiment *e, const char *name, size_t n)
{
	unsigned i;

	for (i = 0; i < e->n_arms; i++)
		if (strlen(e->arms[i].variant->name) == n &&
		    memcmp(e->arms[i].variant->name, name, n) == 0)
			return (int)i;
	return -1;
}

/* "variant:weight" with other weights; what is not named keeps its own. */
static bool
experiment_weigh(const struct conf_experiment *e, const char *text,
    uint32_t weights[CONF_ARMS_MAX], char *why, size_t size)
{
	const char *p = text, *colon;
	uint64_t sum = 0;
	char *end;
	unsigned i;
	long w;
	int arm;

	while (*p != '\0') {
		p += strspn(p, " ,");
		colon = strchr(p, ':');
		arm = colon != NULL ? experiment_arm(e, p,
		    (size_t)(colon - p)) : -1;
		w = colon != NULL ? strtol(colon + 1, &end, 10) : -1;
		if (arm < 0 || w < 0 || w > 10000 || end == colon + 1 ||
		    (*end != '\0' && *end != ',' && *end != ' ')) {
			snprintf(why, size, "\"%.64s\" is not weights, expected "
			    "\"arm:weight, arm:weight\" with arms of the "
			    "experiment and whole numbers to 10000", p);
			return false;
		}
		weights[arm] = (uint32_t)w;
		p = end + strspn(end, " ,");
	}
	for (i = 0; i < e->n_arms; i++)
		sum += weights[i];
	return sum > 0 || experiment_refuse(why, size, "all weights would be "
	    "0, expected one above it");
}

/* ---- changes ---- */

static bool
experiment_start(struct control *c, const struct conf_experiment *e,
    struct conf_trial *t, char *why, size_t size)
{
	if (e->state == EXPERIMENT_RUNNING)
		return experiment_refuse(why, size, "it is running already");
	if (!experiment_is_drained(e, t, why, size))
		return false;
	return experiment_begin(c, e, t, why, size);
}

static bool
experiment_stop(struct control *c, const struct conf_experiment *e,
    struct conf_trial *t, char *why, size_t size)
{
	if (e->state == EXPERIMENT_STOPPED)
		return experiment_refuse(why, size, "it is not running");
	t->state = EXPERIMENT_STOPPED;
	return experiment_use(c, t, why, size);
}

static bool
experiment_promote(struct control *c, const struct conf_experiment *e,
    struct conf_trial *t, const char *value, char *why, size_t size)
{
	int arm = experiment_arm(e, value, strlen(value));

	if (arm < 0) {
		snprintf(why, size, "it has no arm \"%.64s\"", value);
		return false;
	}
	if (!experiment_is_drained(e, t, why, size))
		return false;
	t->state = EXPERIMENT_PROMOTED;
	t->promoted = (unsigned)arm;
	return experiment_use(c, t, why, size);
}

/* Shares of units are no longer those of before, so that what was measured
 * under others must not be added up with what comes: a new run begins. */
static bool
experiment_reweigh(struct control *c, const struct conf_experiment *e,
    struct conf_trial *t, const char *value, char *why, size_t size)
{
	if (!experiment_weigh(e, value, t->weights, why, size))
		return false;
	if (e->state == EXPERIMENT_RUNNING)
		return experiment_begin(c, e, t, why, size);
	return experiment_use(c, t, why, size);
}

bool
experiments_change(struct control *c, enum experiment_change how,
    const char *name, const char *value, const char *reason, char *why,
    size_t size)
{
	const struct conf_experiment *e = conf_find_experiment(c->setup.conf,
	    name);
	struct conf_run *old;
	struct conf_trial t;
	bool ok = false;

	CHECK_MAGIC(c, CONTROL_MAGIC);
	if (e == NULL) {
		snprintf(why, size, "there is no experiment \"%.128s\"", name);
		return false;
	}
	t = experiment_trial(c, e, reason);
	/* Every change ends the run there was. */
	old = e->state == EXPERIMENT_RUNNING ? conf_run_ref(e->run) : NULL;
	switch (how) {
	case EXPERIMENT_START:
		ok = experiment_start(c, e, &t, why, size);
		break;
	case EXPERIMENT_STOP:
		ok = experiment_stop(c, e, &t, why, size);
		break;
	case EXPERIMENT_PROMOTE:
		ok = experiment_promote(c, e, &t, value, why, size);
		break;
	case EXPERIMENT_WEIGH:
		ok = experiment_reweigh(c, e, &t, value, why, size);
		break;
	}
	if (ok && old != NULL)
		atomic_store(&old->over, true);
	conf_run_unref(&old);
	free(t.about);
	return ok;
}

/* ---- by themselves ---- */

/* The first that wants to run and of which nothing is known. */
static const struct conf_experiment *
experiment_new(const struct conf *c)
{
	const struct conf_experiment *e;

	for (e = c->experiments; e < c->experiments + c->n_experiments; e++)
		if (e->start && conf_trial_find(c->trials, e) == NULL)
			return e;
	return NULL;
}

void
experiments_follow(struct control *c)
{
	const struct conf_experiment *e;
	char why[EXPERIMENT_WHY_MAX];

	while ((e = experiment_new(c->setup.conf)) != NULL)
		if (!experiments_change(c, EXPERIMENT_START, e->name, "",
			"start = true in the configuration", why,
			sizeof(why))) {
			log_error("experiment", "msg=\"cannot be started\" "
			    "name=%s error=%s", log_escs(e->name),
			    log_escs(why));
			return;
		}
}

/* ---- guards ---- */

/* The first arm that a guard speaks against; false: none. */
static bool
experiment_guarded(const struct conf_experiment *e, char *reason,
    size_t size)
{
	struct verdict v;
	unsigned i;

	if (e->run->mirror != NULL && mirror_is_broken(e->run->mirror)) {
		snprintf(reason, size, "more writes waited for an arm than "
		    "mirror_queue allows: the arms lack writes");
		return true;
	}
	if (e->error_ratio <= 0 && e->p95_ratio <= 0)
		return false;
	judge(e, e->run->board, BOARD_ALL, &v, NULL);
	for (i = 1; i < e->n_arms; i++)
		if (v.arms[i].guard != GUARD_NONE) {
			snprintf(reason, size, "guard: %s of arm %s",
			    guard_name(v.arms[i].guard),
			    e->arms[i].variant->name);
			return true;
		}
	return false;
}

void
experiments_tick(struct control *c, nsec_t now)
{
	const struct conf *conf = c->setup.conf;
	const struct conf_experiment *e;
	char reason[EXPERIMENT_WHY_MAX], why[EXPERIMENT_WHY_MAX];
	size_t i;

	(void)now;
	for (i = 0; i < conf->n_experiments; i++) {
		e = &conf->experiments[i];
		if (e->state != EXPERIMENT_RUNNING ||
		    !experiment_guarded(e, reason, sizeof(reason)))
			continue;
		if (!experiments_change(c, EXPERIMENT_STOP, e->name, "",
			reason, why, sizeof(why)))
			log_error("experiment", "msg=\"cannot be stopped\" "
			    "error=%s", log_escs(why));
		return; /* the configuration is another one now */
	}
}
