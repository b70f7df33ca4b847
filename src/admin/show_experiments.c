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
#include "admin/tour.h"
#include "experiment/board.h"

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
