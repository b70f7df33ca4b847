/* SPDX-License-Identifier: PostgreSQL
 *
 * SHOW HOT KEYS: which cached results are hit most, lately.
 *
 * A tour takes what the workers have counted; on the worker of the session that
 * asked it is added up by key, put in order, and L1 is asked for how long each
 * result will live.  Of a key the words of its shape are told and its name, never its
 * values: the digest that tells keys of a shape apart is keyed with a secret of
 * the process, so that nobody can try values out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/console.h"
#include "admin/tour.h"

#define ROWS_MAX 100
#define SHOWN_FROM 0.005 /* hits a second: less would be shown as 0 */

struct hot_row {
	struct hot_key key;
	double rate;
};

struct hot_rows {
	double rate; /* of all keys */
	size_t n, room;
	struct hot_row v[];
};

static void
hot_take(const struct hot_key *k, double rate, void *arg)
{
	struct hot_rows *all = arg;

	CHECK(all->n < all->room);
	all->v[all->n++] = (struct hot_row){ .key = *k, .rate = rate };
}

static void
hot_visit(struct tour *t, struct worker *w)
{
	struct hot_rows *all = (struct hot_rows *)(void *)t->text;
	const struct hot *h = session_hot(w);
	size_t n = all != NULL ? all->n : 0;
	nsec_t now = clock_mono();

	all = realloc(all, sizeof(*all) + (n + HOT_KEYS) * sizeof(all->v[0]));
	CHECK(all != NULL);
	if (t->text == NULL)
		*all = (struct hot_rows){ .n = 0 };
	t->text = (char *)all;
	all->room = n + HOT_KEYS;
	all->rate += hot_rate(h, now);
	hot_each(h, now, hot_take, all);
}

static int
hot_by_key(const void *a, const void *b)
{
	const struct hot_row *x = a, *y = b;

	return memcmp(&x->key.hash, &y->key.hash, sizeof(x->key.hash));
}

static int
hot_by_rate(const void *a, const void *b)
{
	const struct hot_row *x = a, *y = b;

	return x->rate < y->rate ? 1 : x->rate > y->rate ? -1 :
	    hot_by_key(a, b);
}

/* One row a key, the hottest first. */
static void
hot_add_up(struct hot_rows *all)
{
	size_t i, n = 0;

	qsort(all->v, all->n, sizeof(all->v[0]), hot_by_key);
	for (i = 0; i < all->n; i++)
		if (n > 0 && hot_by_key(&all->v[n - 1], &all->v[i]) == 0)
			all->v[n - 1].rate += all->v[i].rate;
		else
			all->v[n++] = all->v[i];
	all->n = n;
	qsort(all->v, all->n, sizeof(all->v[0]), hot_by_rate);
}

static void
hot_hex(struct row *row, uint64_t v)
{
	char *text = row->text[row->n];

	snprintf(text, sizeof(row->text[0]), "%016llx",
	    (unsigned long long)v);
	row->v[row->n++] = text;
}

static void
hot_number(struct row *row, double v, int decimals)
{
	char *text = row->text[row->n];

	snprintf(text, sizeof(row->text[0]), "%.*f", decimals, v);
	row->v[row->n++] = text;
}

static void
hot_row(struct rows *rows, const struct hot_row *r, double all, nsec_t left)
{
	const struct hot_key *k = &r->key;
	struct row row = { .n = 0 };

	row_str(&row, k->name);
	row_str(&row, k->database);
	hot_hex(&row, k->hash.hi);
	hot_hex(&row, k->shape);
	hot_number(&row, r->rate, 2);
	hot_number(&row, r->rate / all, 4);
	row_str(&row, k->l2 ? "l2" : "l1");
	row_u64(&row, k->bytes);
	if (left > 0)
		row_ms(&row, left);
	else
		row_str(&row, NULL);
	row_str(&row, k->text);
	rows_add(rows, &row);
}

static void
hot_done(struct tour *t)
{
	struct hot_rows *all = (struct hot_rows *)(void *)t->text;
	struct l1 *l1 = session_layer_l1();
	nsec_t now = clock_mono();
	size_t i;

	hot_add_up(all);
	for (i = 0; i < all->n && i < ROWS_MAX &&
	     all->v[i].rate >= SHOWN_FROM; i++)
		hot_row(&t->rows, &all->v[i], all->rate, l1 == NULL ? 0 :
		    l1_left(l1, &all->v[i].key.hash, now));
	rows_reply(&t->rows, t->origin, t->session, "SHOW");
}

void
console_show_hot_keys(struct console_call *call)
{
	struct tour *t = tour_new(call->w, call->session);

	rows_columns(&t->rows, call->line->command->columns);
	t->visit = hot_visit;
	t->done = hot_done;
	tour_start(t);
}
