/* SPDX-License-Identifier: PostgreSQL
 *
 * Verdicts.  Pure but for memory.
 *
 * A desk holds what the arms are compared by: their views with and without
 * answers from the cache, and the distributions of both.
 */
#include "experiment/verdict.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "experiment/failures.h"
#include "experiment/quantile.h"
#include "experiment/ratio.h"

static const double verdict_q[VERDICT_QUANTILES] = { 0.5, 0.95, 0.99 };

static const char *const verdict_rulings[] = {
#define RULING(sym, name, doc) #name,
#include "tbl/rulings.h"
};
static const char *const verdict_guards[] = {
#define GUARD(sym, name, doc) #name,
#include "tbl/guards.h"
};

const char *
ruling_name(enum ruling r)
{
	return verdict_rulings[r];
}

const char *
guard_name(enum guard g)
{
	return verdict_guards[g];
}

struct verdict_side { /* of an arm, with or without the cache's answers */
	struct tally_view view;
	struct groups logs;
	struct curve curve;
};

struct verdict_desk {
	const struct verdict_in *in;
	struct verdict *out;
	double alpha;
	struct verdict_side control[2], arm[2]; /* all, served */
};

/* ---- times ---- */

static void
verdict_side_make(struct verdict_side *s, const struct tally_view *served,
    const struct tally_view *cached)
{
	struct groups failures;

	s->view = *served;
	if (cached != NULL)
		tally_view_add(&s->view, cached);
	tally_groups(&s->view, &s->logs, &failures);
	curve_make(&s->curve, &s->view);
}

/* Mean of groups' means, for there may be too few to say more. */
static bool
verdict_mean(const struct groups *logs, double *mean)
{
	double sum = 0;
	unsigned g, n = 0;

	for (g = 0; g < GROUPS; g++)
		if (logs->n[g] > 0) {
			sum += logs->sum[g] / (double)logs->n[g];
			n++;
		}
	*mean = n > 0 ? exp(sum / n) : 0;
	return n > 0;
}

static bool
verdict_difference(const struct verdict_in *in, const struct groups *arm,
    const struct groups *control, struct estimate *e)
{
	return in->paired ? groups_paired(arm, control, e) :
	    groups_difference(arm, control, e);
}

static void
verdict_mean_ratio(const struct verdict_desk *d, const struct verdict_side *a,
    const struct verdict_side *c, struct verdict_times *t)
{
	struct figure *r = &t->mean_ratio;
	struct estimate e;
	struct interval i;
	double control;

	r->known = t->mean.known && verdict_mean(&c->logs, &control);
	if (!r->known)
		return;
	r->value = t->mean.value / control;
	if (!verdict_difference(d->in, &a->logs, &c->logs, &e))
		return;
	i = sequence_interval(&e, log1p(d->in->effect), d->alpha);
	*r = (struct figure){ exp(e.value), exp(i.low), exp(i.high), true,
		isfinite(exp(i.high)) };
}

/* c: NULL if a is the control. */
static void
verdict_times(const struct verdict_desk *d, const struct verdict_side *a,
    const struct verdict_side *c, struct verdict_times *t)
{
	double effect = d->in->effect, alpha = d->in->alpha;
	unsigned i;

	t->mean.known = verdict_mean(&a->logs, &t->mean.value);
	for (i = 0; i < VERDICT_QUANTILES; i++) {
		curve_quantile(&a->curve, verdict_q[i], effect, alpha,
		    &t->q[i]);
		if (c != NULL)
			curve_ratio(&a->curve, &c->curve, verdict_q[i],
			    effect, alpha, &t->q_ratio[i]);
	}
	if (c != NULL)
		verdict_mean_ratio(d, a, c, t);
}

/* ---- rulings ---- */

/* Until an effect of the size that matters is found if there is one; once there
 * is enough for that, until the interval is clear of 1 or of that size. */
static void
verdict_missing(const struct verdict_desk *d, struct verdict_arm *a)
{
	double effect = log1p(d->in->effect), half;
	uint64_t n = a->n + d->out->arms[0].n;
	struct estimate e;

	a->missing_known = verdict_difference(d->in, &d->arm[0].logs,
	    &d->control[0].logs, &e);
	if (!a->missing_known)
		return;
	a->missing = groups_missing(&e, n, effect, d->alpha);
	if (a->missing > 0)
		return;
	half = fabs(e.value);
	if (half < effect - half)
		half = effect - half;
	a->missing = groups_more(n, e.variance, sequence_variance_at(half,
	    effect, d->alpha));
}

static void
verdict_rule(const struct verdict_desk *d, struct verdict_arm *a)
{
	const struct figure *r = &a->all.mean_ratio;
	double most = 1 + d->in->effect;

	a->small = r->bounded && r->low > 1 / most && r->high < most;
	a->ruling = r->bounded && r->high < 1 ? RULING_FASTER :
	    r->bounded && r->low > 1 ? RULING_SLOWER :
	    a->small ? RULING_SAME : RULING_UNDECIDED;
	if (a->ruling == RULING_UNDECIDED)
		verdict_missing(d, a);
}

static void
verdict_guard(const struct verdict_desk *d, struct verdict_arm *a)
{
	double alpha = VERDICT_GUARD_ALPHA / (d->in->arms.n - 1);
	struct figure f;

	if (d->in->error_ratio > 0) {
		failures_over(&d->arm[0].view, &d->control[0].view,
		    d->in->error_ratio, alpha, &f);
		if (f.bounded && f.low > 0)
			a->guard = GUARD_ERRORS;
	}
	if (d->in->p95_ratio > 0 && a->guard == GUARD_NONE) {
		curve_ratio(&d->arm[0].curve, &d->control[0].curve, 0.95,
		    d->in->effect, alpha, &f);
		if (f.bounded && f.low > d->in->p95_ratio)
			a->guard = GUARD_P95;
	}
}

static void
verdict_shares(const struct verdict_in *in, struct verdict *out)
{
	unsigned i;

	if (in->units == NULL)
		return;
	for (i = 0; i < in->arms.n; i++)
		out->arms[i].units = in->units[i];
	out->share_evidence = ratio_evidence(&in->arms, in->units);
	out->share_alarm = out->share_evidence > -log(VERDICT_SHARES_ALPHA);
}

static void
verdict_counts(const struct verdict_in *in, const struct verdict_side *all,
    unsigned arm, struct verdict_arm *a)
{
	a->n = tally_count(&all->view);
	a->cached = tally_count(in->cached[arm]);
	a->failed = tally_failures(&all->view);
	a->cached_share = a->n > 0 ? (double)a->cached / (double)a->n : 0;
	a->cached_time = all->view.sum > 0 ? (double)in->cached[arm]->sum /
	    (double)all->view.sum : 0;
	failures_share(&all->view, in->alpha, &a->failures);
}

void
verdict_make(const struct verdict_in *in, struct verdict *out)
{
	struct verdict_desk *d = x_calloc(1, sizeof(*d));
	struct verdict_side *at;
	struct verdict_arm *a;
	unsigned i, side;

	CHECK(in->arms.n >= 2 && in->arms.n <= ARMS_MAX);
	*out = (struct verdict){ .n = in->arms.n, .effect = in->effect,
		.alpha = in->alpha / (in->arms.n - 1) };
	d->in = in;
	d->out = out;
	d->alpha = out->alpha;
	verdict_shares(in, out);
	for (i = 0; i < in->arms.n; i++) {
		a = &out->arms[i];
		at = i == 0 ? d->control : d->arm;
		for (side = 0; side < 2; side++) {
			verdict_side_make(&at[side], in->served[i],
			    side == 0 ? in->cached[i] : NULL);
			verdict_times(d, &at[side], i == 0 ? NULL :
			    &d->control[side],
			    side == 0 ? &a->all : &a->served);
		}
		verdict_counts(in, &at[0], i, a);
		if (i == 0)
			continue;
		verdict_rule(d, a);
		verdict_guard(d, a);
	}
	free(d);
}

/* ---- words ---- */

static void
verdict_say_missing(const struct verdict_arm *a, char *out, size_t size)
{
	if (!a->missing_known)
		(void)snprintf(out, size, "not decided: too few units yet");
	else
		(void)snprintf(out, size, "not decided: about %llu more "
		    "statements, from ever more units",
		    (unsigned long long)a->missing);
}

void
verdict_say(const struct verdict *v, unsigned arm, char *out, size_t size)
{
	const struct verdict_arm *a = &v->arms[arm];
	const struct figure *r = &a->all.mean_ratio;

	if (a->ruling == RULING_CONTROL)
		(void)snprintf(out, size, "the control");
	else if (v->share_alarm)
		(void)snprintf(out, size, "nothing can be said: arms do not "
		    "get the units that their weights promise");
	else if (a->ruling == RULING_UNDECIDED)
		verdict_say_missing(a, out, size);
	else if (a->ruling == RULING_SAME)
		(void)snprintf(out, size, "no difference larger than %g %%: "
		    "%.3f (%.3f to %.3f) of the control's time",
		    v->effect * 100, r->value, r->low, r->high);
	else
		(void)snprintf(out, size, "%s: %.3f (%.3f to %.3f) of the "
		    "control's time%s", ruling_name(a->ruling), r->value,
		    r->low, r->high, a->small ?
		    ", less of a difference than matters" : "");
}
