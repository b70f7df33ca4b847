/* SPDX-License-Identifier: PostgreSQL
 *
 * From a configuration to a report.
 */
#include "admin/report.h"

#include <stdio.h>
#include <stdlib.h>

#include "admin/judge.h"
#include "admin/kept.h"
#include "base/clock.h"

static const char *const report_kinds[] = {
	[VARIANT_PLAIN] = "plain",
	[VARIANT_MONTHLY] = "monthly",
	[VARIANT_SHARDED] = "sharded",
};

#define REPORT_FORM 200

/* What item borrows from. */
struct report_stock {
	struct verdict verdict;
	struct verdict shapes[BOARD_SHAPES];
	char forms[ARMS_MAX][REPORT_FORM];
};

static void
report_arm(const struct conf_experiment *e, unsigned i,
    struct report_stock *s, struct report_item *out)
{
	const struct conf_variant *v = e->arms[i].variant;

	(void)snprintf(s->forms[i], REPORT_FORM, "%s on %.120s%s",
	    report_kinds[v->kind], v->backend->name,
	    v->n_rewrites > 0 ? ", in other words" : "");
	out->arms[i] = (struct report_arm){ v->name, s->forms[i],
		e->weights[i] };
}

static void
report_measured(const struct conf_experiment *e, struct report_stock *s,
    struct report_item *out)
{
	struct judge_units met;
	unsigned i;

	judge(e, out->board, BOARD_ALL, &s->verdict, &met);
	out->moved = met.moved;
	out->units_full = met.full;
	out->verdict = &s->verdict;
	out->shapes = s->shapes;
	/* Those that come later are left out. */
	out->n_shapes = board_n_shapes(out->board);
	for (i = 0; i < out->n_shapes; i++)
		judge(e, out->board, i, &s->shapes[i], NULL);
}

static void
report_experiment(const struct conf *c, const struct conf_experiment *e,
    struct report_stock *s, struct report_item *out)
{
	const struct conf_trial *t = conf_trial_find(c->trials, e);
	unsigned i;

	*out = (struct report_item){ .name = e->name, .table = e->table->name,
		.unit = conf_unit_name(e->unit),
		.mode = e->shadow ? "shadow" : "split",
		.state = conf_experiment_state_name(e->state),
		.reason = t != NULL ? t->reason : "never started",
		.since = t != NULL ? t->since / NSEC_PER_SEC : 0,
		.n_arms = e->n_arms, .error_ratio = e->error_ratio,
		.p95_ratio = e->p95_ratio, .board = judge_board(c, e) };
	for (i = 0; i < e->n_arms; i++)
		report_arm(e, i, s, out);
	if (out->board != NULL)
		report_measured(e, s, out);
}

bool
report_conf(const struct conf *c, enum report_format format, struct buf *out)
{
	struct report_item *items = x_calloc(c->n_experiments + 1,
	    sizeof(*items));
	struct report_stock *stock = x_calloc(c->n_experiments + 1,
	    sizeof(*stock));
	size_t i;
	bool ok;

	for (i = 0; i < c->n_experiments; i++)
		report_experiment(c, &c->experiments[i], &stock[i],
		    &items[i]);
	ok = report_write(format, items, c->n_experiments, clock_wall() /
	    NSEC_PER_SEC, PACKAGE_VERSION, out);
	free(stock);
	free(items);
	return ok;
}

bool
report_kept(const struct conf *c, enum report_format format, struct buf *out,
    char *why, size_t size)
{
	struct conf_trials *set;
	struct conf *with;
	struct conf_diag d;
	char what[200];
	bool ok;

	if (c->experiment_file[0] == '\0') {
		(void)snprintf(why, size, "experiment_file is not set: nothing "
		    "is kept that could be reported");
		return false;
	}
	if (!kept_peek(c->experiment_file, &set, what, sizeof(what))) {
		(void)snprintf(why, size, "%s: %s", c->experiment_file, what);
		return false;
	}
	with = conf_with_trials(c, set, &d);
	conf_trials_unref(&set);
	(void)snprintf(why, size, "%s", with == NULL && d.n > 0 ? d.msg[0] :
	    "the report is too large");
	ok = with != NULL && report_conf(with, format, out);
	conf_diag_fini(&d);
	if (with != NULL)
		conf_unref(&with);
	return ok;
}
