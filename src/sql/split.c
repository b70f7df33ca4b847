/* SPDX-License-Identifier: PostgreSQL
 *
 * The end of a statement's parts.  Any thread.
 */
#include <stdlib.h>

#include "sql/split.h"

static void
split_free_items(struct an_item *items, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free(items[i].column);
		free(items[i].of_column);
		free(items[i].name);
	}
	free(items);
}

void
split_free_within(struct an_within *w, size_t n)
{
	size_t i, k;

	for (i = 0; i < n; i++) {
		for (k = 0; k < w[i].n; k++)
			free(w[i].columns[k]);
		free(w[i].columns);
	}
}

void
split_free_fulls(struct an_full *f, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free(f[i].a_column);
		free(f[i].b_column);
	}
	free(f);
}

void
split_free(struct an_split **sp)
{
	struct an_split *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	split_free_items(s->targets, s->n_targets);
	split_free_items(s->groups, s->n_groups);
	split_free_items(s->orders, s->n_orders);
	split_free_items(s->ons, s->n_ons);
	free(s->having.column);
	free(s->having.of_column);
	free(s->aggs);
	free(s->drivers);
	split_free_within(s->within, s->n_within);
	free(s->within);
	split_free_fulls(s->fulls, s->n_fulls);
	free(s);
}
