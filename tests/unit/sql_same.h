/* SPDX-License-Identifier: PostgreSQL
 *
 * Two analyses of one text say the same, to the last field.  For unit tests and
 * fuzz programs: panics where they differ.
 */
#ifndef PGSLUICE_TEST_SQL_SAME_H
#define PGSLUICE_TEST_SQL_SAME_H

#include <string.h>

#include "sql/split.h"

static inline void
sql_same_text(const char *a, const char *b)
{
	CHECK((a == NULL) == (b == NULL));
	CHECK(a == NULL || strcmp(a, b) == 0);
}

static inline void
sql_same_texts(char *const *a, size_t n_a, char *const *b, size_t n_b)
{
	size_t i;

	CHECK(n_a == n_b);
	for (i = 0; i < n_a; i++)
		sql_same_text(a[i], b[i]);
}

static inline void
sql_same_pos(struct textpos a, struct textpos b)
{
	CHECK(a.cut == b.cut && a.off == b.off);
}

static inline void
sql_same_value(const struct an_value *a, const struct an_value *b)
{
	CHECK(a->index == b->index && a->kind == b->kind);
	CHECK(a->cast == b->cast && a->negative == b->negative);
	CHECK(a->repeated == b->repeated);
}

static inline void
sql_same_table(const struct an_table *a, const struct an_table *b)
{
	sql_same_text(a->schema, b->schema);
	sql_same_text(a->name, b->name);
	CHECK(a->read == b->read && a->written == b->written);
	CHECK(a->takes_alias == b->takes_alias);
	CHECK(a->has_alias == b->has_alias && a->temp == b->temp);
	CHECK(a->is_target == b->is_target && a->placed == b->placed);
	sql_same_pos(a->pos, b->pos);
	sql_same_pos(a->end, b->end);
}

static inline void
sql_same_pred(const struct an_pred *a, const struct an_pred *b)
{
	size_t i;

	CHECK(a->table == b->table && a->op == b->op && a->span == b->span);
	CHECK(a->other == b->other && a->unit_cut == b->unit_cut);
	sql_same_text(a->column, b->column);
	sql_same_text(a->other_column, b->other_column);
	CHECK(a->n_values == b->n_values);
	for (i = 0; i < a->n_values; i++)
		sql_same_value(&a->values[i], &b->values[i]);
}

static inline void
sql_same_print(const struct analysis *a, const struct analysis *b)
{
	size_t i;

	CHECK(a->has_print == b->has_print && a->n_places == b->n_places);
	CHECK(!a->has_print || hash_eq(a->print, b->print));
	for (i = 0; i < a->n_places; i++)
		sql_same_value(&a->places[i], &b->places[i]);
}

static inline void
sql_same_lists(const struct analysis *a, const struct analysis *b)
{
	size_t i;

	CHECK(a->n_tables == b->n_tables && a->n_qualrefs == b->n_qualrefs);
	for (i = 0; i < a->n_tables; i++)
		sql_same_table(&a->tables[i], &b->tables[i]);
	for (i = 0; i < a->n_qualrefs; i++) {
		CHECK(a->qualrefs[i].table == b->qualrefs[i].table);
		sql_same_pos(a->qualrefs[i].pos, b->qualrefs[i].pos);
		sql_same_pos(a->qualrefs[i].end, b->qualrefs[i].end);
	}
	CHECK(a->n_preds == b->n_preds);
	for (i = 0; i < a->n_preds; i++)
		sql_same_pred(&a->preds[i], &b->preds[i]);
	CHECK(a->n_settings == b->n_settings);
	for (i = 0; i < a->n_settings; i++) {
		sql_same_text(a->settings[i].name, b->settings[i].name);
		sql_same_value(&a->settings[i].value, &b->settings[i].value);
		CHECK(a->settings[i].reset == b->settings[i].reset);
	}
	sql_same_texts(a->assigned, a->n_assigned, b->assigned,
	    b->n_assigned);
	sql_same_texts(a->arbiters, a->n_arbiters, b->arbiters,
	    b->n_arbiters);
}

/* Channels, wishes and parts are not those of an INSERT: there are none, or as
 * many. */
static inline void
sql_same(const struct analysis *a, const struct analysis *b)
{
	CHECK(a->kind == b->kind && a->flags == b->flags);
	CHECK(a->pins == b->pins && a->ends == b->ends);
	CHECK(a->n_params == b->n_params);
	CHECK(a->n_channels == b->n_channels);
	CHECK(a->only_channels == b->only_channels);
	CHECK(a->n_wishes == b->n_wishes);
	CHECK(a->insert_known == b->insert_known);
	CHECK((a->split == NULL) == (b->split == NULL));
	CHECK(a->group_or_agg == b->group_or_agg);
	sql_same_lists(a, b);
	sql_same_print(a, b);
}

#endif
