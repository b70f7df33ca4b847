/* SPDX-License-Identifier: PostgreSQL
 *
 * One variant surveyed: is it divided as it should be, and into what?
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/ident.h"
#include "layout/survey.h"

/* ------------------------------------------------------------ life */

void
survey_begin(struct survey *s, const struct conf *conf,
    const struct conf_table *t, const struct conf_variant *v)
{
	*s = (struct survey){ .conf = conf, .table = t, .variant = v };
	s->layout.origin = conf_layout_origin(t, v);
}

static void
survey_texts_fini(struct survey_texts *t)
{
	while (t->n > 0)
		free(t->v[--t->n]);
}

void
survey_fini(struct survey *s)
{
	struct survey_place *p;

	for (p = s->places; p < s->places + s->n_places; p++) {
		free(p->backend);
		free(p->conninfo);
		free(p->relation);
		free(p->no_read);
		free(p->no_write);
		facts_fini(&p->found);
	}
	free(s->places);
	free(s->periods);
	facts_fini(&s->facts);
	survey_texts_fini(&s->errors);
	survey_texts_fini(&s->notes);
	layout_fini(&s->layout);
}

static void survey_text(struct survey_texts *t, const char *fmt, va_list ap)
    PG_PRINTF(2, 0);

static void
survey_text(struct survey_texts *t, const char *fmt, va_list ap)
{
	char text[1024];

	if (t->n == SURVEY_TEXTS_MAX)
		return;
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	t->v[t->n++] = x_strdup(text);
}

void
survey_error(struct survey *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	survey_text(&s->errors, fmt, ap);
	va_end(ap);
}

void
survey_note(struct survey *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	survey_text(&s->notes, fmt, ap);
	va_end(ap);
}

void
survey_contradict(struct survey *s)
{
	s->contradicted = true;
}

/* ------------------------------------------------------------ names */

/* A name without schema is looked for where CREATE puts it by default. */
char *
survey_relation(const struct survey *s)
{
	const struct conf_relation *r = &s->variant->relations[0];
	size_t size = strlen(r->sql) + sizeof("public.");
	char *text = x_malloc(size);

	snprintf(text, size, "%s%s", ident_has_schema(r->name) ? "" :
	    "public.", r->sql);
	return text;
}

static char *
survey_sql_name(const char *schema, const char *name)
{
	char *a = ident_name_sql(schema), *b = ident_name_sql(name);
	size_t size = strlen(a) + strlen(b) + 2;
	char *text = x_malloc(size);

	snprintf(text, size, "%s.%s", a, b);
	free(a);
	free(b);
	return text;
}

/* ------------------------------------------------------------ the top */

static const char *
survey_strategy(const struct fact *f)
{
	if (*f->kind != 'p' || f->strategy == NULL)
		return "a table that is not partitioned";
	return *f->strategy == 'h' ? "PARTITION BY HASH" :
	    *f->strategy == 'r' ? "PARTITION BY RANGE" : "PARTITION BY LIST";
}

/* Sharded by hash, or first by time; monthly by time. */
static bool
survey_is_divided(const struct survey *s, const struct fact *top)
{
	bool sharded = s->variant->kind == VARIANT_SHARDED;

	return *top->kind == 'p' && (*top->strategy == 'r' ?
	    s->variant->n_shards == 0 : *top->strategy == 'h' && sharded);
}

static bool
survey_top(struct survey *s)
{
	const struct fact *top = &s->facts.v[0];
	bool sharded = s->variant->kind == VARIANT_SHARDED;

	if (s->facts.n == 0) {
		survey_error(s, "expected a relation %s, found none",
		    s->variant->relations[0].sql);
		return false;
	}
	if (survey_is_divided(s, top))
		return true;
	survey_error(s, "expected %s, found %s", sharded ?
	    "PARTITION BY HASH" : "PARTITION BY RANGE", survey_strategy(top));
	if (sharded)
		survey_contradict(s);
	return false;
}

/* ------------------------------------------------------------ places */

static bool
survey_is_foreign(const struct fact *f)
{
	return *f->kind == 'f' && f->wrapper != NULL &&
	    strcmp(f->wrapper, "postgres_fdw") == 0;
}

static void
survey_locate(struct survey *s, struct survey_place *p)
{
	const struct fact *f = p->fact;

	p->local = !survey_is_foreign(f);
	if (p->local) {
		p->backend = x_strdup(s->variant->backend->name);
		p->relation = survey_sql_name(f->schema_name, f->rel_name);
		return;
	}
	p->relation = survey_sql_name(f->remote_schema != NULL ?
	    f->remote_schema : f->schema_name, f->remote_name != NULL ?
	    f->remote_name : f->rel_name);
	if (!survey_address(s, f, &p->backend, &p->conninfo))
		p->backend = x_strdup(f->server);
}

static bool
survey_is_below(const struct fact *f, const struct fact *top)
{
	return f->parent != NULL && strcmp(f->parent, top->oid) == 0;
}

/* period: 0 if the table is not divided by time. */
static struct survey_place *
survey_add(struct survey *s, const struct fact *f, size_t period)
{
	struct survey_place *p = &s->places[s->n_places++];

	p->fact = f;
	p->period = period;
	survey_locate(s, p);
	return p;
}

static void
survey_add_hash(struct survey *s, const struct fact *f, size_t period)
{
	struct survey_place *p = survey_add(s, f, period);

	if (f->bound == NULL || !bound_hash(f->bound, &p->modulus,
	    &p->remainder))
		survey_error(s, "partition %s: its bound \"%s\" is not "
		    "understood", f->rel_name, f->bound != NULL ? f->bound :
		    "");
}

/* All partitions of a table that is divided by hash. */
static void
survey_hash(struct survey *s, const struct fact *top, size_t period)
{
	size_t i;

	survey_hashed(s, top);
	for (i = 1; i < s->facts.n; i++)
		if (survey_is_below(&s->facts.v[i], top))
			survey_add_hash(s, &s->facts.v[i], period);
}

/* One partition of a table that is divided by time. */
static void
survey_add_range(struct survey *s, const struct fact *f)
{
	struct bound_range range;
	bool known = f->bound != NULL && bound_range(f->bound, &range);
	size_t period = s->n_periods, before = s->n_places;

	if (known)
		s->periods[s->n_periods++] = (struct conf_period){ range.lo,
			range.hi, range.is_default };
	else
		s->timed = false;
	if (s->variant->kind == VARIANT_SHARDED && *f->kind == 'p' &&
	    *f->strategy == 'h')
		survey_hash(s, f, period);
	else
		(void)survey_add(s, f, period);
	for (; known && before < s->n_places; before++) {
		s->places[before].has_range = true;
		s->places[before].range = range;
	}
}

static void
survey_ranges(struct survey *s, const struct fact *top)
{
	size_t i;

	s->timed = survey_time(s, top);
	s->periods = x_calloc(s->facts.n, sizeof(*s->periods));
	for (i = 1; i < s->facts.n; i++)
		if (survey_is_below(&s->facts.v[i], top))
			survey_add_range(s, &s->facts.v[i]);
}

bool
survey_places(struct survey *s)
{
	if (!survey_top(s))
		return false;
	s->places = x_calloc(s->facts.n, sizeof(*s->places));
	if (*s->facts.v[0].strategy == 'h')
		survey_hash(s, &s->facts.v[0], 0);
	else
		survey_ranges(s, &s->facts.v[0]);
	if (s->n_places > CONF_MAX_SHARDS &&
	    s->variant->kind == VARIANT_SHARDED)
		survey_error(s, "expected at most %d partitions, found %zu",
		    CONF_MAX_SHARDS, s->n_places);
	return s->errors.n == 0;
}

void
survey_found(struct survey *s, size_t place, const char *why)
{
	struct survey_place *p = &s->places[place];

	p->asked = true;
	if (why != NULL)
		survey_error(s, "backend \"%s\", which holds %s: cannot be "
		    "asked: %s", p->backend, p->relation, why);
	else if (p->found.n == 0)
		survey_error(s, "backend \"%s\": expected a relation %s, "
		    "found none", p->backend, p->relation);
}

/* ------------------------------------------------------------ the end */

/* Partitions on the variant's own backend may be asked directly. */
static bool
survey_asks_local(const struct survey *s)
{
	return s->variant->kind == VARIANT_SHARDED || s->variant->target_leaf;
}

/* Columns with a collation of their own say so. */
static void
survey_columns(struct survey *s)
{
	const struct fact *top = &s->facts.v[0];

	s->layout.columns = top->names != NULL ? x_strdup(top->names) : NULL;
	s->layout.sorts_text = s->n_places > 0 && top->columns != NULL &&
	    strstr(top->columns, " collated ") == NULL;
}

static void
survey_compare(struct survey *s)
{
	struct survey_place *p;

	survey_columns(s);
	for (p = s->places; p < s->places + s->n_places; p++) {
		if (p->local ? !survey_asks_local(s) : p->found.n == 0) {
			s->layout.sorts_text = false;
			continue;
		}
		survey_effects(s, p);
		s->layout.sorts_text &= p->no_read == NULL;
		if (p->no_read != NULL)
			survey_note(s, "%s on backend \"%s\" is not asked "
			    "directly: %s", p->relation, p->backend,
			    p->no_read);
		else if (p->no_write != NULL)
			survey_note(s, "%s on backend \"%s\" is not written "
			    "directly: %s", p->relation, p->backend,
			    p->no_write);
	}
}

bool
survey_end(struct survey *s)
{
	if (s->errors.n == 0) {
		survey_compare(s);
		/* More are not asked directly, and of months that is no error. */
		if (s->n_places <= CONF_MAX_SHARDS)
			survey_check_doubles(s);
		survey_check_remainders(s);
		if (s->errors.n == 0)
			survey_check_shards(s);
	}
	if (s->errors.n == 0) {
		survey_shards(s);
		survey_agree(s);
	}
	/* What pgsluice was told by hand is not so. */
	s->layout.refuted = s->contradicted && s->variant->n_shards > 0;
	return s->errors.n == 0;
}
