/* SPDX-License-Identifier: PostgreSQL
 *
 * Experiments in the JSON API: what SHOW EXPERIMENT tells, with histograms.
 *
 * Control thread; reads boards.
 */
#include "admin/api_own.h"

#include "admin/judge.h"

static void
api_figure(struct json *j, const char *key, const struct figure *f)
{
	json_key(j, key);
	if (!f->known) {
		json_null(j);
		return;
	}
	json_open(j, '{');
	json_key(j, "value");
	json_real(j, f->value);
	if (f->bounded) {
		json_key(j, "low");
		json_real(j, f->low);
		json_key(j, "high");
		json_real(j, f->high);
	}
	json_close(j, '}');
}

static void
api_quantile(struct json *j, const char *key, const struct figure *f)
{
	json_key(j, key);
	if (f->known)
		json_seconds(j, (nsec_t)f->value);
	else
		json_null(j);
}

/* Buckets that are not empty, each by itself. */
static void
api_buckets(struct json *j, const struct board *b, unsigned arm,
    unsigned shape)
{
	struct hist_view h;
	unsigned i;

	judge_histogram(b, arm, shape, &h);
	json_key(j, "histogram");
	json_open(j, '[');
	for (i = 0; i < HIST_BUCKETS; i++) {
		if (h.bucket[i] == 0)
			continue;
		json_open(j, '{');
		json_key(j, "le_seconds");
		json_seconds(j, hist_bucket_upper(i));
		json_key(j, "count");
		json_u64(j, h.bucket[i]);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void
api_arm_figures(struct json *j, const struct verdict_arm *a)
{
	api_quantile(j, "p50_seconds", &a->all.q[VERDICT_P50]);
	api_quantile(j, "p95_seconds", &a->all.q[VERDICT_P95]);
	api_quantile(j, "p99_seconds", &a->all.q[VERDICT_P99]);
	api_figure(j, "ratio_to_control", &a->all.mean_ratio);
	api_figure(j, "p95_ratio_to_control", &a->all.q_ratio[VERDICT_P95]);
	json_key(j, "missing_statements");
	if (a->missing_known)
		json_u64(j, a->missing);
	else
		json_null(j);
	json_key(j, "ruling");
	json_str(j, ruling_name(a->ruling));
	json_key(j, "guard");
	json_str(j, guard_name(a->guard));
}

struct api_part {
	const struct conf_experiment *e;
	const struct board *b;
	const struct verdict *v;
	unsigned shape;
};

static void
api_arm(struct json *j, const struct api_part *x, unsigned arm)
{
	const struct verdict_arm *a = &x->v->arms[arm];
	char text[400];
	unsigned i;

	verdict_say(x->v, arm, text, sizeof(text));
	json_open(j, '{');
	json_key(j, "name");
	json_str(j, x->e->arms[arm].variant->name);
	json_key(j, "weight");
	json_u64(j, x->e->weights[arm]);
	json_key(j, "units");
	json_u64(j, a->units);
	json_key(j, "statements");
	json_u64(j, a->n + a->failed);
	json_key(j, "errors");
	json_u64(j, a->failed);
	json_key(j, "cached");
	json_u64(j, a->cached);
	api_arm_figures(j, a);
	json_key(j, "text");
	json_str(j, text);
	for (i = 0; x->shape == BOARD_ALL && i < BOARD_COUNTS; i++) {
		json_key(j, board_count_name((enum board_count)i));
		json_u64(j, board_counted(x->b, arm, (enum board_count)i));
	}
	api_buckets(j, x->b, arm, x->shape);
	json_close(j, '}');
}

/* The arms, for all statements or those of a shape. */
static void
api_arms(struct json *j, const struct conf_experiment *e,
    const struct board *b, unsigned shape, bool *alarm)
{
	struct verdict v;
	const struct api_part x = { e, b, &v, shape };
	unsigned i;

	judge(e, b, shape, &v, NULL);
	*alarm = v.share_alarm;
	json_key(j, "arms");
	json_open(j, '[');
	for (i = 0; i < e->n_arms; i++)
		api_arm(j, &x, i);
	json_close(j, ']');
}

static void
api_board(struct json *j, const struct conf_experiment *e,
    const struct board *b)
{
	uint64_t hash;
	unsigned i;
	bool alarm, none;

	api_arms(j, e, b, BOARD_ALL, &alarm);
	json_key(j, "sample_ratio_alarm");
	json_bool(j, alarm);
	json_key(j, "shapes");
	json_open(j, '[');
	for (i = 0; i < board_n_shapes(b); i++) {
		json_open(j, '{');
		json_key(j, "statement");
		json_str(j, board_shape_text(b, i, &hash));
		api_arms(j, e, b, i, &none);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void
api_experiment(struct json *j, const struct conf *c,
    const struct conf_experiment *e)
{
	const struct conf_trial *t = conf_trial_find(c->trials, e);
	const struct board *b = judge_board(c, e);

	json_open(j, '{');
	json_key(j, "name");
	json_str(j, e->name);
	json_key(j, "table");
	json_str(j, e->table->name);
	json_key(j, "mode");
	json_str(j, e->shadow ? "shadow" : "split");
	json_key(j, "unit");
	json_str(j, conf_unit_name(e->unit));
	json_key(j, "state");
	json_str(j, conf_experiment_state_name(e->state));
	json_key(j, "promoted");
	json_str(j, e->state == EXPERIMENT_PROMOTED ?
	    e->arms[e->promoted].variant->name : NULL);
	json_key(j, "reason");
	json_str(j, t != NULL ? t->reason : NULL);
	json_key(j, "since_seconds");
	if (t != NULL)
		json_seconds(j, clock_wall() - t->since);
	else
		json_null(j);
	if (b != NULL)
		api_board(j, e, b);
	json_close(j, '}');
}

void
api_experiments(const struct control *c, struct json *j)
{
	const struct conf *conf = c->setup.conf;
	size_t i;

	json_open(j, '[');
	for (i = 0; i < conf->n_experiments; i++)
		api_experiment(j, conf, &conf->experiments[i]);
	json_close(j, ']');
}
