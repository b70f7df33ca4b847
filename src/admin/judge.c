/* SPDX-License-Identifier: PostgreSQL
 *
 * From a board to a verdict.
 */
#include "admin/judge.h"

#include <stdlib.h>
#include <string.h>

struct board *
judge_board(const struct conf *c, const struct conf_experiment *e)
{
	const struct conf_trial *t = conf_trial_find(c->trials, e);

	return t != NULL && t->run != NULL ? t->run->board : NULL;
}

struct mirror *
judge_mirror(const struct conf *c, const struct conf_experiment *e)
{
	const struct conf_trial *t = conf_trial_find(c->trials, e);

	return t != NULL && t->run != NULL ? t->run->mirror : NULL;
}

void
judge(const struct conf_experiment *e, const struct board *b, unsigned shape,
    struct verdict *out, struct judge_units *about)
{
	struct tally_view *views = x_calloc(2 * e->n_arms, sizeof(*views));
	struct verdict_in in = { .alpha = (double)e->alpha / 100,
		.effect = (double)e->effect / 100,
		.error_ratio = e->error_ratio, .p95_ratio = e->p95_ratio,
		.paired = e->shadow };
	uint64_t units[ARMS_MAX] = { 0 };
	struct judge_units met = { .moved = 0 };
	unsigned i;

	in.arms.n = e->n_arms;
	memcpy(in.arms.weight, e->weights, sizeof(in.arms.weight));
	for (i = 0; i < e->n_arms; i++) {
		board_view(b, i, shape, false, &views[2 * i]);
		board_view(b, i, shape, true, &views[2 * i + 1]);
		in.served[i] = &views[2 * i];
		in.cached[i] = &views[2 * i + 1];
	}
	if (shape == BOARD_ALL && !e->shadow) {
		board_units(b, units, &met.moved, &met.full);
		in.units = units;
	}
	if (about != NULL)
		*about = met;
	verdict_make(&in, out);
	free(views);
}

void
judge_histogram(const struct board *b, unsigned arm, unsigned shape,
    struct hist_view *out)
{
	struct tally_view *v = x_calloc(1, sizeof(*v));
	unsigned cached, g, k;

	memset(out, 0, sizeof(*out));
	for (cached = 0; cached < 2; cached++) {
		board_view(b, arm, shape, cached, v);
		out->sum += v->sum;
		for (k = 0; k < TALLY_BUCKETS; k++)
			for (g = 0; g < GROUPS; g++) {
				out->count += v->bucket[g][k];
				out->bucket[hist_bucket_of(tally_bucket_upper(
				    k))] += v->bucket[g][k];
			}
	}
	free(v);
}
