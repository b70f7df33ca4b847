/* SPDX-License-Identifier: PostgreSQL
 *
 * Walks over the places of a survey and what lies below them.
 */
#include "admin/parts.h"

#include <string.h>

#define PARTS_MONTH_US (INT64_C(30436875) * 86400) /* a mean month */

static void
size_add(struct part_size *sum, const struct fact *f)
{
	int64_t rows = facts_number(f->n_rows);
	int64_t bytes = facts_number(f->n_bytes);

	if (*f->kind == 'p')
		return;
	sum->rows = rows < 0 || sum->rows < 0 ? -1 : sum->rows + rows;
	sum->bytes = bytes < 0 || sum->bytes < 0 ? -1 : sum->bytes + bytes;
}

struct part_size
part_size(const struct survey_place *p)
{
	const struct part_size unknown = { -1, -1 };
	struct part_size sum = { 0, 0 };
	size_t i;

	if (p->local && *p->fact->kind != 'r')
		return unknown;
	if (!p->local && p->found.n == 0)
		return unknown;
	if (p->local)
		size_add(&sum, p->fact);
	for (i = 0; i < p->found.n; i++)
		size_add(&sum, &p->found.v[i]);
	return sum;
}

double
parts_mean_rows(const struct survey *s)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < s->n_places; i++) {
		struct part_size size = part_size(&s->places[i]);

		if (size.rows < 0)
			return 0;
		sum += (double)size.rows;
	}
	return s->n_places > 0 ? sum / (double)s->n_places : 0;
}

static void
parts_give(const struct survey *s, const char *backend, const struct fact *f,
    void (*fn)(const struct part *p, void *arg), void *arg)
{
	struct part part = { .s = s, .backend = backend, .fact = f };

	if (*f->kind == 'p')
		return;
	if (f->bound != NULL)
		part.has_range = bound_range(f->bound, &part.range);
	fn(&part, arg);
}

void
parts_each(const struct survey *s,
    void (*fn)(const struct part *p, void *arg), void *arg)
{
	const struct survey_place *p;
	size_t i, k;

	/* Foreign tables hold nothing themselves. */
	for (i = 0; i < s->facts.n; i++)
		if (*s->facts.v[i].kind != 'f')
			parts_give(s, s->variant->backend->name,
			    &s->facts.v[i], fn, arg);
	for (i = 0; i < s->n_places; i++) {
		p = &s->places[i];
		for (k = 0; k < p->found.n; k++)
			parts_give(s, p->backend, &p->found.v[k], fn, arg);
	}
}

struct parts_end {
	const char *backend;
	int64_t end;
};

static void
parts_find_end(const struct part *p, void *arg)
{
	struct parts_end *e = arg;

	if (strcmp(p->backend, e->backend) == 0 && p->has_range &&
	    !p->range.is_default && p->range.hi > e->end)
		e->end = p->range.hi;
}

int64_t
parts_months_left(const struct survey *s, const char *backend, nsec_t now)
{
	struct parts_end e = { backend, INT64_MIN };
	int64_t us = (int64_t)(now / NSEC_PER_USEC);

	parts_each(s, parts_find_end, &e);
	if (e.end == INT64_MIN || e.end == INT64_MAX)
		return -1;
	return e.end > us ? (e.end - us) / PARTS_MONTH_US : 0;
}

struct parts_default {
	const char *backend;
	int64_t rows;
	bool any;
};

static void
parts_add_default(const struct part *p, void *arg)
{
	struct parts_default *d = arg;
	int64_t rows = facts_number(p->fact->n_rows);

	if (!p->has_range || !p->range.is_default ||
	    (d->backend != NULL && strcmp(d->backend, p->backend) != 0))
		return;
	d->any = true;
	d->rows = rows < 0 || d->rows < 0 ? -1 : d->rows + rows;
}

int64_t
parts_default_rows(const struct survey *s, const char *backend)
{
	struct parts_default d = { backend, 0, false };

	parts_each(s, parts_add_default, &d);
	return d.any ? d.rows : -1;
}
