/* SPDX-License-Identifier: PostgreSQL
 *
 * Layouts, shards and partitions on the page /metrics.
 *
 * What is not known has no sample.  A family's samples stand together, so each
 * is a walk of its own over the last report.  Control thread.
 */
#include "admin/exposition_priv.h"

#include <stdio.h>
#include <string.h>

#include "admin/layouts.h"
#include "admin/parts.h"

static void
layout_sample(struct prom *p, enum family f, const struct survey *s,
    const char *backend, int64_t v)
{
	const struct prom_label l[] = { { "table", s->table->name },
		{ "variant", s->variant->name }, { "backend", backend } };

	if (v >= 0)
		prom_number(p, families[f].name, l, backend != NULL ? 3 : 2,
		    (uint64_t)v);
}

static void
layout_shard_sample(struct prom *p, enum family f, const struct survey *s,
    const struct survey_place *place, int64_t v)
{
	char remainder[16], modulus[16];
	const struct prom_label l[] = { { "table", s->table->name },
		{ "variant", s->variant->name }, { "backend", place->backend },
		{ "remainder", remainder }, { "modulus", modulus } };

	snprintf(remainder, sizeof(remainder), "%u", place->remainder);
	snprintf(modulus, sizeof(modulus), "%u", place->modulus);
	if (v >= 0)
		prom_number(p, families[f].name, l, 5, (uint64_t)v);
}

static int64_t
layout_shard_rows(const struct survey_place *p)
{
	return part_size(p).rows;
}

static int64_t
layout_shard_bytes(const struct survey_place *p)
{
	return part_size(p).bytes;
}

static int64_t
layout_shard_direct(const struct survey_place *p)
{
	return p->no_read == NULL && p->no_write == NULL;
}

static int64_t
layout_shard_prepared(const struct survey_place *p)
{
	return p->prepared;
}

static void
layout_shards(struct prom *p, enum family f, const struct layout_job *j,
    int64_t (*value)(const struct survey_place *))
{
	const struct survey *s;
	size_t i, k;

	exposition_family(p, f);
	for (i = 0; i < j->n_results; i++) {
		s = &j->results[i].s;
		for (k = 0; k < s->n_places; k++)
			if (s->places[k].modulus > 0)
				layout_shard_sample(p, f, s, &s->places[k],
				    value(&s->places[k]));
	}
}

static int64_t
layout_months(const struct survey *s, const char *backend)
{
	return parts_months_left(s, backend, clock_wall());
}

/* Every backend of every variant, once. */
static void
layout_backends(struct prom *p, enum family f, const struct layout_job *j,
    int64_t (*value)(const struct survey *, const char *))
{
	const struct survey *s;
	const char *home;
	size_t i, k, m;

	exposition_family(p, f);
	for (i = 0; i < j->n_results; i++) {
		s = &j->results[i].s;
		home = s->variant->backend->name;
		layout_sample(p, f, s, home, value(s, home));
		for (k = 0; k < s->n_places; k++) {
			for (m = 0; m < k && strcmp(s->places[m].backend,
			    s->places[k].backend) != 0; m++)
				;
			if (m == k && strcmp(s->places[k].backend, home) != 0)
				layout_sample(p, f, s, s->places[k].backend,
				    value(s, s->places[k].backend));
		}
	}
}

void
exposition_layouts(struct prom *p)
{
	struct layouts_report *r = layouts_report();
	const struct layout_job *j;
	size_t i;

	if (r == NULL)
		return;
	j = &r->job;
	exposition_family(p, FAMILY_LAYOUT_OK);
	for (i = 0; i < j->n_results; i++)
		layout_sample(p, FAMILY_LAYOUT_OK, &j->results[i].s, NULL,
		    j->results[i].good);
	exposition_family(p, FAMILY_LAYOUT_NOTES);
	for (i = 0; i < j->n_results; i++)
		layout_sample(p, FAMILY_LAYOUT_NOTES, &j->results[i].s, NULL,
		    (int64_t)j->results[i].s.notes.n);
	layout_shards(p, FAMILY_SHARD_ROWS, j, layout_shard_rows);
	layout_shards(p, FAMILY_SHARD_BYTES, j, layout_shard_bytes);
	layout_shards(p, FAMILY_SHARD_DIRECT, j, layout_shard_direct);
	layout_shards(p, FAMILY_SHARD_PREPARED, j, layout_shard_prepared);
	layout_backends(p, FAMILY_PARTITION_MONTHS, j, layout_months);
	layout_backends(p, FAMILY_PARTITION_DEFAULT, j, parts_default_rows);
	layouts_report_unref(&r);
}
