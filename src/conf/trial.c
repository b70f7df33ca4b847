/* SPDX-License-Identifier: PostgreSQL
 *
 * Sets of trials, and how they become part of a configuration.
 */
#include "conf/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "conf/conf_priv.h"

#define ABOUT_MAX (64 * 1024)

/* ---- runs ---- */

struct conf_run *
conf_run_new(void *board, void (*free_board)(void *))
{
	struct conf_run *r = x_calloc(1, sizeof(*r));

	atomic_init(&r->refs, 1);
	r->board = board;
	r->free_board = free_board;
	return r;
}

struct conf_run *
conf_run_ref(struct conf_run *r)
{
	CHECK(atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed) >
	    0);
	return r;
}

void
conf_run_unref(struct conf_run **rp)
{
	struct conf_run *r = *rp;

	*rp = NULL;
	if (r == NULL || atomic_fetch_sub_explicit(&r->refs, 1,
	    memory_order_acq_rel) != 1)
		return;
	r->free_board(r->board);
	if (r->mirror != NULL)
		r->unref_mirror(&r->mirror);
	free(r);
}

void
conf_run_mirror(struct conf_run *r, struct mirror *m,
    void (*unref_mirror)(struct mirror **))
{
	CHECK(r->mirror == NULL);
	r->mirror = m;
	r->unref_mirror = unref_mirror;
}

/* ---- sets ---- */

static void
trial_copy(struct conf_trial *to, const struct conf_trial *from)
{
	*to = *from;
	to->name = x_strdup(from->name);
	to->about = x_strdup(from->about);
	to->reason = x_strdup(from->reason);
	if (to->run != NULL)
		(void)conf_run_ref(to->run);
}

struct conf_trials *
conf_trials_with(const struct conf_trials *set, const struct conf_trial *t)
{
	size_t n = set != NULL ? set->n : 0, i;
	struct conf_trials *to = x_calloc(1, sizeof(*to) +
	    (n + 1) * sizeof(to->v[0]));

	atomic_init(&to->refs, 1);
	for (i = 0; i < n; i++)
		if (strcmp(set->v[i].name, t->name) != 0)
			trial_copy(&to->v[to->n++], &set->v[i]);
	trial_copy(&to->v[to->n++], t);
	return to;
}

struct conf_trials *
conf_trials_ref(struct conf_trials *t)
{
	CHECK(atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed) >
	    0);
	return t;
}

void
conf_trials_unref(struct conf_trials **tp)
{
	struct conf_trials *t = *tp;
	size_t i;

	*tp = NULL;
	if (t == NULL || atomic_fetch_sub_explicit(&t->refs, 1,
	    memory_order_acq_rel) != 1)
		return;
	for (i = 0; i < t->n; i++) {
		free(t->v[i].name);
		free(t->v[i].about);
		free(t->v[i].reason);
		conf_run_unref(&t->v[i].run);
	}
	free(t);
}

const struct conf_trial *
conf_trial_find(const struct conf_trials *set,
    const struct conf_experiment *e)
{
	const struct conf_trial *found = NULL;
	char *about;
	size_t i;

	if (set == NULL)
		return NULL;
	about = conf_experiment_about(e);
	for (i = 0; i < set->n && found == NULL; i++)
		if (strcmp(set->v[i].name, e->name) == 0 &&
		    strcmp(set->v[i].about, about) == 0)
			found = &set->v[i];
	free(about);
	return found;
}

/* ---- words ---- */

static const char *const unit_names[] = {
	[CONF_UNIT_SESSION] = "session", [CONF_UNIT_USER] = "user",
	[CONF_UNIT_TENANT] = "tenant", [CONF_UNIT_STATEMENT] = "statement",
};

static const char *const state_names[] = {
	[EXPERIMENT_STOPPED] = "stopped", [EXPERIMENT_RUNNING] = "running",
	[EXPERIMENT_PROMOTED] = "promoted",
};

const char *
conf_unit_name(enum conf_unit u)
{
	return unit_names[u];
}

const char *
conf_arm_writes_name(enum conf_arm_writes w)
{
	static const char *const names[] = {
		[CONF_WRITES_CONTROL] = "control", [CONF_WRITES_ARM] = "arm",
		[CONF_WRITES_ALL] = "all",
	};

	return names[w];
}

const char *
conf_experiment_state_name(enum conf_experiment_state s)
{
	return state_names[s];
}

static void
about_put(struct buf *b, const char *word)
{
	CHECK(buf_append(b, word, strlen(word)));
	CHECK(buf_append(b, "\n", 1));
}

char *
conf_experiment_about(const struct conf_experiment *e)
{
	char weight[16], *text;
	struct buf b;
	unsigned i;

	buf_init(&b, ABOUT_MAX);
	about_put(&b, e->table->name);
	about_put(&b, conf_unit_name(e->unit));
	about_put(&b, e->shadow ? "shadow" : "split");
	about_put(&b, conf_arm_writes_name(e->writes));
	about_put(&b, e->cache ? "cache" : "no cache");
	for (i = 0; i < e->n_arms; i++) {
		about_put(&b, e->arms[i].variant->name);
		snprintf(weight, sizeof(weight), "%u", e->arms[i].weight);
		about_put(&b, weight);
	}
	text = x_strndup(buf_head(&b), buf_len(&b));
	buf_reset(&b);
	return text;
}

const struct conf_experiment *
conf_find_experiment(const struct conf *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->n_experiments; i++)
		if (strcmp(c->experiments[i].name, name) == 0)
			return &c->experiments[i];
	return NULL;
}

/* ---- use ---- */

void
conf_use_trials(struct conf *c)
{
	const struct conf_trial *t;
	struct conf_experiment *e;

	for (e = c->experiments; e < c->experiments + c->n_experiments; e++) {
		t = conf_trial_find(c->trials, e);
		if (t == NULL)
			continue;
		e->state = t->state;
		e->promoted = t->promoted;
		e->run = t->run;
		memcpy(e->weights, t->weights, sizeof(e->weights));
	}
}
