/* SPDX-License-Identifier: PostgreSQL
 *
 * By what a table is divided: the columns of the hash, the column of time.
 *
 * A key that routing cannot compute with is noted, not an error: the table is
 * served by its coordinator.  Pure.
 */
#include <stdlib.h>
#include <string.h>

#include "layout/survey.h"

static bool
survey_is_true(const char *cell)
{
	return cell != NULL && *cell == 't';
}

/* One column of the key; a note says why it cannot be computed with. */
static bool
survey_key_column(struct survey *s, const struct fact *top, size_t i)
{
	char *oid = facts_line(top->key_oids, i);
	char *name = facts_line(top->key_types, i);
	struct conf_key *k = &s->layout.keys[i];
	bool ok = conf_key_type_of((uint32_t)facts_number(oid),
	    &k->type);

	if (!ok)
		survey_note(s, "the key's column \"%s\": expected a type of "
		    "key_type, found %s", k->column, name);
	if (ok && conf_key_type_is_text(k->type) &&
	    strcmp(top->encoding, "UTF8") != 0) {
		survey_note(s, "expected encoding UTF8 for a key of text, "
		    "found %s", top->encoding);
		ok = false;
	}
	free(oid);
	free(name);
	return ok;
}

/* All columns of the key that have names: none where some are expressions. */
static bool
survey_key_columns(struct survey *s, const struct fact *top)
{
	size_t n = (size_t)facts_number(top->n_keys), i;
	struct layout *l = &s->layout;

	if (facts_lines(top->key_columns) != n) {
		survey_note(s, "expected columns as the key, found an "
		    "expression");
		return false;
	}
	if (n > CONF_MAX_KEYS) {
		survey_note(s, "expected at most %d key columns, found %zu",
		    CONF_MAX_KEYS, n);
		return false;
	}
	l->keys = x_calloc(n, sizeof(*l->keys));
	for (i = 0; i < n; i++)
		l->keys[l->n_keys++].column = facts_line(top->key_columns, i);
	for (i = 0; i < n; i++)
		if (!survey_key_column(s, top, i))
			return false;
	return true;
}

static void
survey_drop_key(struct layout *l)
{
	while (l->n_keys > 0)
		free(l->keys[--l->n_keys].column);
}

/* The key can be computed with; else a note says why not. */
static bool
survey_key(struct survey *s, const struct fact *top)
{
	bool ok = survey_key_columns(s, top);

	if (ok && !survey_is_true(top->key_default_opclass)) {
		survey_note(s, "expected the default operator class for the "
		    "key, found another");
		ok = false;
	}
	if (ok && top->key_deterministic != NULL &&
	    !survey_is_true(top->key_deterministic)) {
		survey_note(s, "expected a deterministic collation of the "
		    "key, found one that is not");
		ok = false;
	}
	if (!ok)
		survey_drop_key(&s->layout);
	return ok;
}

static void
survey_check_key(struct survey *s)
{
	const struct conf_table *t = s->table;
	const struct layout *l = &s->layout;
	size_t i;

	if (t->n_keys == 0)
		return;
	if (t->n_keys != l->n_keys) {
		survey_error(s, "key_column: expected %zu columns, found %zu",
		    t->n_keys, l->n_keys);
		survey_contradict(s);
		return;
	}
	for (i = 0; i < t->n_keys; i++) {
		if (strcmp(t->keys[i].column, l->keys[i].column) == 0 &&
		    t->keys[i].type == l->keys[i].type)
			continue;
		survey_error(s, "key_column: expected \"%s\" of type %s, "
		    "found \"%s\" of type %s", t->keys[i].column,
		    conf_key_type_name(t->keys[i].type), l->keys[i].column,
		    conf_key_type_name(l->keys[i].type));
		survey_contradict(s);
	}
}

static bool
survey_same(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

void
survey_hashed(struct survey *s, const struct fact *top)
{
	const struct fact *first = s->hashed;

	if (first == NULL) {
		s->hashed = top;
		if (survey_key(s, top))
			survey_check_key(s);
		else
			survey_contradict(s);
	} else if (!survey_same(first->key_columns, top->key_columns) ||
	    !survey_same(first->key_oids, top->key_oids) ||
	    !survey_same(first->n_keys, top->n_keys) ||
	    !survey_same(first->key_default_opclass,
	    top->key_default_opclass) ||
	    !survey_same(first->key_deterministic, top->key_deterministic)) {
		survey_note(s, "expected the key of %s for %s, too, found "
		    "another", first->rel_name, top->rel_name);
		survey_drop_key(&s->layout);
	}
}

bool
survey_time(struct survey *s, const struct fact *top)
{
	const char *by_hand = s->table->time_column;

	if (facts_number(top->n_keys) != 1 || top->key_columns == NULL) {
		survey_note(s, "expected ranges of one column, found %s",
		    top->n_keys);
		return false;
	}
	if (strncmp(top->key_types, "timestamp", 9) != 0 &&
	    strcmp(top->key_types, "date") != 0) {
		survey_note(s, "expected ranges of a date or time, found %s",
		    top->key_types);
		return false;
	}
	s->layout.time_column = x_strdup(top->key_columns);
	if (by_hand != NULL && strcmp(by_hand, top->key_columns) != 0) {
		survey_note(s, "time_column: expected \"%s\", found \"%s\"",
		    by_hand, top->key_columns);
		return false;
	}
	/* A value means the same in every zone, and is stored as it is given. */
	return strcmp(top->key_types, "timestamp with time zone") == 0;
}
