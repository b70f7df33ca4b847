/* SPDX-License-Identifier: PostgreSQL
 *
 * Console commands about experiments.
 *
 * What is shown is read from boards, by the worker of the session that asked;
 * changes are the control thread's, and answered when all workers have taken
 * them up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/console.h"
#include "admin/experiments.h"
#include "admin/judge.h"
#include "admin/tour.h"
#include "experiment/mirror.h"

/* ------------------------------------------------------------ changes */

struct experiment_order {
	struct control_message m;
	struct worker *w;
	uint64_t session;
	enum experiment_change how;
	const char *tag;
	char *name, *value;
};

static void
experiment_done(struct tour *t)
{
	if (t->text == NULL)
		rows_reply(&t->rows, t->origin, t->session, t->data);
	else
		rows_error(t->origin, t->session, "55000",
		    "the experiment was not changed", t->text,
		    "SHOW EXPERIMENTS lists them.");
}

static void
experiment_run(struct control *c, struct control_message *m)
{
	struct experiment_order *o = (struct experiment_order *)(void *)m;
	struct tour *t = tour_new(o->w, o->session);
	char why[EXPERIMENT_WHY_MAX], reason[64];

	snprintf(reason, sizeof(reason), "%s on the console", o->tag);
	if (!experiments_change(c, o->how, o->name, o->value, reason, why,
		sizeof(why)))
		t->text = x_strdup(why);
	t->data = (void *)(uintptr_t)o->tag;
	t->done = experiment_done;
	tour_start(t);
	free(o->name);
	free(o->value);
	free(o);
}

static void
experiment_order(struct console_call *call, enum experiment_change how,
    const char *tag, const char *value)
{
	struct experiment_order *o = x_calloc(1, sizeof(*o));

	o->m.run = experiment_run;
	o->w = call->w;
	o->session = call->session;
	o->how = how;
	o->tag = tag;
	o->name = x_strdup(call->line->name);
	o->value = x_strdup(value);
	control_post(call->control, &o->m);
}

void
console_start_experiment(struct console_call *call)
{
	experiment_order(call, EXPERIMENT_START, "START EXPERIMENT", "");
}

void
console_stop_experiment(struct console_call *call)
{
	experiment_order(call, EXPERIMENT_STOP, "STOP EXPERIMENT", "");
}

void
console_promote_experiment(struct console_call *call)
{
	experiment_order(call, EXPERIMENT_PROMOTE, "PROMOTE EXPERIMENT",
	    call->line->more[0]);
}

void
console_weigh_experiment(struct console_call *call)
{
	experiment_order(call, EXPERIMENT_WEIGH, "WEIGH EXPERIMENT",
	    call->line->more[0]);
}

/* ------------------------------------------------------------ SHOW EXPERIMENTS */

static const char *
experiment_serves(const struct conf_experiment *e)
{
	return e->state == EXPERIMENT_RUNNING ? "" :
	    e->arms[e->state == EXPERIMENT_PROMOTED ? e->promoted : 0].
	    variant->name;
}

static void
experiment_arms_text(const struct conf_experiment *e, char *out, size_t size)
{
	size_t at = 0;
	unsigned i;
	int n;

	out[0] = '\0';
	for (i = 0; i < e->n_arms && at < size; i++) {
		n = snprintf(out + at, size - at, "%s%s:%u", i > 0 ? ", " : "",
		    e->arms[i].variant->name, e->weights[i]);
		CHECK(n >= 0);
		at += (size_t)n;
	}
}

static void
experiment_row(struct rows *r, const struct conf *c,
    const struct conf_experiment *e)
{
	const struct conf_trial *t = conf_trial_find(c->trials, e);
	struct row row = { .n = 0 };
	char arms[1024];

	experiment_arms_text(e, arms, sizeof(arms));
	row_str(&row, e->name);
	row_str(&row, e->table->name);
	row_str(&row, conf_experiment_state_name(e->state));
	row_str(&row, experiment_serves(e));
	row_str(&row, e->shadow ? "shadow" : "split");
	row_str(&row, conf_unit_name(e->unit));
	row_str(&row, arms);
	if (t != NULL)
		row_when(&row, clock_wall() - t->since);
	else
		row_str(&row, NULL);
	row_str(&row, t != NULL ? t->reason : "start = false in the "
	    "configuration");
	rows_add(r, &row);
}

void
console_show_experiments(struct console_call *call)
{
	const struct conf *c = session_conf(call->w);
	struct rows r;
	size_t i;

	console_rows(call, &r);
	for (i = 0; i < c->n_experiments; i++)
		experiment_row(&r, c, &c->experiments[i]);
	rows_reply(&r, call->w, call->session, "SHOW");
}

/* ------------------------------------------------------------ SHOW EXPERIMENT */

static void
row_real(struct row *row, double v, int decimals)
{
	char *text = row->text[row->n];

	snprintf(text, sizeof(row->text[0]), "%.*f", decimals, v);
	row_str(row, text);
}

static void
row_figure_ms(struct row *row, const struct figure *f)
{
	if (f->known)
		row_real(row, f->value / 1e6, 3);
	else
		row_str(row, NULL);
}

/* value, low, high */
static void
row_ratio(struct row *row, const struct figure *f)
{
	if (f->known)
		row_real(row, f->value, 4);
	else
		row_str(row, NULL);
	if (f->bounded) {
		row_real(row, f->low, 4);
		row_real(row, f->high, 4);
	} else {
		row_str(row, NULL);
		row_str(row, NULL);
	}
}

struct experiment_part {
	const struct conf_experiment *e;
	const struct board *b;
	const struct verdict *v;
	const char *statement; /* of a shape; NULL: all */
	struct mirror *mirror; /* or NULL */
};

static void
arm_counts(struct row *row, const struct experiment_part *x, unsigned arm)
{
	unsigned i;

	for (i = 0; i < BOARD_COUNTS; i++)
		if (x->statement == NULL)
			row_u64(row, board_counted(x->b, arm,
			    (enum board_count)i));
		else
			row_str(row, NULL);
	if (x->statement == NULL && x->mirror != NULL)
		row_u64(row, mirror_waiting(x->mirror, arm));
	else
		row_str(row, NULL);
}

static void
arm_row(struct rows *r, const struct experiment_part *x, unsigned arm)
{
	const struct verdict_arm *a = &x->v->arms[arm];
	struct row row = { .n = 0 };
	char text[400];

	verdict_say(x->v, arm, text, sizeof(text));
	row_str(&row, x->e->arms[arm].variant->name);
	row_u64(&row, x->e->weights[arm]);
	row_u64(&row, a->units);
	row_u64(&row, a->n + a->failed);
	row_u64(&row, a->failed);
	row_real(&row, a->cached_share * 100, 1);
	row_figure_ms(&row, &a->all.q[VERDICT_P50]);
	row_figure_ms(&row, &a->all.q[VERDICT_P95]);
	row_figure_ms(&row, &a->all.q[VERDICT_P99]);
	row_ratio(&row, &a->all.mean_ratio);
	row_ratio(&row, &a->all.q_ratio[VERDICT_P95]);
	if (a->missing_known)
		row_u64(&row, a->missing);
	else
		row_str(&row, NULL);
	row_str(&row, ruling_name(a->ruling));
	row_str(&row, text);
	arm_counts(&row, x, arm);
	row_str(&row, x->statement);
	rows_add(r, &row);
}

static void
experiment_part(struct rows *r, const struct conf *c,
    const struct conf_experiment *e, const struct board *b, unsigned shape)
{
	struct verdict v;
	struct experiment_part x = { .e = e, .b = b, .v = &v,
		.mirror = judge_mirror(c, e) };
	uint64_t hash;
	unsigned i;

	if (shape != BOARD_ALL)
		x.statement = board_shape_text(b, shape, &hash);
	judge(e, b, shape, &v, NULL);
	for (i = 0; i < e->n_arms; i++)
		arm_row(r, &x, i);
}

/* That the command names; NULL: there is none, and the client has been told. */
static const struct conf_experiment *
experiment_named(struct console_call *call)
{
	const struct conf_experiment *e = conf_find_experiment(
	    session_conf(call->w), call->line->name);

	if (e == NULL)
		rows_error(call->w, call->session, "42704",
		    "there is no experiment of this name", NULL,
		    "SHOW EXPERIMENTS lists them.");
	return e;
}

void
console_show_experiment(struct console_call *call)
{
	const struct conf *c = session_conf(call->w);
	const struct conf_experiment *e = experiment_named(call);
	const struct board *b;
	struct rows r;
	unsigned i;

	if (e == NULL)
		return;
	console_rows(call, &r);
	b = judge_board(c, e);
	if (b != NULL)
		experiment_part(&r, c, e, b, BOARD_ALL);
	for (i = 0; b != NULL && i < board_n_shapes(b); i++)
		experiment_part(&r, c, e, b, i);
	rows_reply(&r, call->w, call->session, "SHOW");
}

/* ------------------------------------------------------------ SHOW MISMATCHES */

static void
sample_row(struct rows *r, const struct conf_experiment *e,
    const struct board *b, const struct board_sample *x)
{
	struct row row = { .n = 0 };
	char digest[20];
	uint64_t hash;

	snprintf(digest, sizeof(digest), "%016llx",
	    (unsigned long long)x->digest);
	row_when(&row, clock_wall() - x->at);
	row_str(&row, e->arms[x->arm].variant->name);
	row_str(&row, x->what);
	row_u64(&row, x->rows[0]);
	row_u64(&row, x->rows[1]);
	row_str(&row, digest);
	row_str(&row, x->shape < board_n_shapes(b) ?
	    board_shape_text(b, x->shape, &hash) : NULL);
	rows_add(r, &row);
}

void
console_show_mismatches(struct console_call *call)
{
	const struct conf_experiment *e = experiment_named(call);
	struct board_sample samples[BOARD_SAMPLES];
	struct board *b;
	struct rows r;
	unsigned i, n = 0;

	if (e == NULL)
		return;
	console_rows(call, &r);
	b = judge_board(session_conf(call->w), e);
	if (b != NULL)
		n = board_samples(b, samples);
	for (i = 0; i < n; i++)
		sample_row(&r, e, b, &samples[i]);
	rows_reply(&r, call->w, call->session, "SHOW");
}
