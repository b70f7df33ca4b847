/* SPDX-License-Identifier: PostgreSQL
 *
 * Experiments on the page /metrics.  Control thread.
 *
 * Series are as many as arms, whatever the number of shapes and units.
 */
#include "admin/exposition_priv.h"
#include "admin/judge.h"
#include "experiment/mirror.h"

#define TRIALS_MAX CONF_EXPERIMENTS_MAX

struct trial_view {
	const struct conf_experiment *e;
	struct board *b; /* NULL: it never ran */
	struct mirror *mirror; /* NULL: writes are not mirrored */
	struct verdict v;
};

struct trial_views {
	struct prom *p;
	size_t n;
	struct trial_view *view;
};

/* Each arm of each that has run. */
static void
trials_arms(struct trial_views *t, enum family f,
    void (*fn)(struct prom *p, const char *name, const struct trial_view *x,
	unsigned arm))
{
	size_t i;
	unsigned arm;

	exposition_family(t->p, f);
	for (i = 0; i < t->n; i++)
		for (arm = 0; arm < t->view[i].e->n_arms; arm++)
			if (t->view[i].b != NULL)
				fn(t->p, families[f].name, &t->view[i], arm);
}

#define ARM_LABELS { "experiment", x->e->name }, \
	{ "arm", x->e->arms[arm].variant->name }

static void
trial_weight(struct prom *p, const char *name, const struct trial_view *x,
    unsigned arm)
{
	const struct prom_label l[] = { ARM_LABELS };

	prom_number(p, name, l, 2, x->e->weights[arm]);
}

static void
trial_units(struct prom *p, const char *name, const struct trial_view *x,
    unsigned arm)
{
	const struct prom_label l[] = { ARM_LABELS };

	prom_number(p, name, l, 2, x->v.arms[arm].units);
}

static void
trial_statements(struct prom *p, const char *name,
    const struct trial_view *x, unsigned arm)
{
	const struct verdict_arm *a = &x->v.arms[arm];
	struct prom_label l[] = { ARM_LABELS, { "outcome", "served" } };

	prom_number(p, name, l, 3, a->n - a->cached);
	l[2].value = "cached";
	prom_number(p, name, l, 3, a->cached);
	l[2].value = "failed";
	prom_number(p, name, l, 3, a->failed);
}

static void
trial_seconds(struct prom *p, const char *name, const struct trial_view *x,
    unsigned arm)
{
	const struct prom_label l[] = { ARM_LABELS };
	struct hist_view h;

	judge_histogram(x->b, arm, BOARD_ALL, &h);
	prom_histogram(p, name, l, 2, &h);
}

static void
trial_ratio(struct prom *p, const char *name, const struct trial_view *x,
    unsigned arm)
{
	const struct figure *f = &x->v.arms[arm].all.mean_ratio;
	struct prom_label l[] = { ARM_LABELS, { "bound", "value" } };

	if (arm == 0 || !f->bounded)
		return;
	prom_real(p, name, l, 3, f->value);
	l[2].value = "low";
	prom_real(p, name, l, 3, f->low);
	l[2].value = "high";
	prom_real(p, name, l, 3, f->high);
}

static void
trial_missing(struct prom *p, const char *name, const struct trial_view *x,
    unsigned arm)
{
	const struct prom_label l[] = { ARM_LABELS };

	if (x->v.arms[arm].missing_known)
		prom_number(p, name, l, 2, x->v.arms[arm].missing);
}

static void
trial_waiting(struct prom *p, const char *name, const struct trial_view *x,
    unsigned arm)
{
	const struct prom_label l[] = { ARM_LABELS };

	if (arm > 0 && x->mirror != NULL)
		prom_number(p, name, l, 2, mirror_waiting(x->mirror, arm));
}

static void
trial_events(struct prom *p, const char *name, const struct trial_view *x,
    unsigned arm)
{
	struct prom_label l[] = { ARM_LABELS, { "event", NULL } };
	unsigned i;

	for (i = 0; i < BOARD_COUNTS; i++) {
		l[2].value = board_count_name((enum board_count)i);
		prom_number(p, name, l, 3, board_counted(x->b, arm,
		    (enum board_count)i));
	}
}

static void
trials_states(struct trial_views *t)
{
	const char *name = families[FAMILY_EXPERIMENT_STATE].name;
	unsigned s;
	size_t i;

	exposition_family(t->p, FAMILY_EXPERIMENT_STATE);
	for (i = 0; i < t->n; i++)
		for (s = EXPERIMENT_STOPPED; s <= EXPERIMENT_PROMOTED; s++) {
			const struct prom_label l[] = {
				{ "experiment", t->view[i].e->name },
				{ "state", conf_experiment_state_name(
				    (enum conf_experiment_state)s) } };

			prom_number(t->p, name, l, 2,
			    t->view[i].e->state == s);
		}
}

static void
trials_shares(struct trial_views *t)
{
	size_t i;

	exposition_family(t->p, FAMILY_EXPERIMENT_SHARES);
	for (i = 0; i < t->n; i++) {
		const struct prom_label l = { "experiment",
			t->view[i].e->name };

		if (t->view[i].b != NULL)
			prom_number(t->p,
			    families[FAMILY_EXPERIMENT_SHARES].name, &l, 1,
			    t->view[i].v.share_alarm);
	}
}

void
exposition_experiments(struct prom *p, const struct conf *c)
{
	struct trial_views t = { .p = p, .n = c->n_experiments,
		.view = x_calloc(c->n_experiments, sizeof(*t.view)) };
	size_t i;

	for (i = 0; i < t.n; i++) {
		t.view[i].e = &c->experiments[i];
		t.view[i].b = judge_board(c, t.view[i].e);
		t.view[i].mirror = judge_mirror(c, t.view[i].e);
		if (t.view[i].b != NULL)
			judge(t.view[i].e, t.view[i].b, BOARD_ALL,
			    &t.view[i].v, NULL);
	}
	trials_states(&t);
	trials_arms(&t, FAMILY_EXPERIMENT_WEIGHT, trial_weight);
	trials_arms(&t, FAMILY_EXPERIMENT_UNITS, trial_units);
	trials_arms(&t, FAMILY_EXPERIMENT_STATEMENTS, trial_statements);
	trials_arms(&t, FAMILY_EXPERIMENT_SECONDS, trial_seconds);
	trials_arms(&t, FAMILY_EXPERIMENT_RATIO, trial_ratio);
	trials_arms(&t, FAMILY_EXPERIMENT_MISSING, trial_missing);
	trials_arms(&t, FAMILY_EXPERIMENT_COUNTS, trial_events);
	trials_arms(&t, FAMILY_EXPERIMENT_WAITING, trial_waiting);
	trials_shares(&t);
	free(t.view);
}
