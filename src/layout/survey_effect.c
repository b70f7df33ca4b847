/* SPDX-License-Identifier: PostgreSQL
 *
 * What a statement would miss, or meet, if it went to a part directly.
 *
 * Everything that PostgreSQL does for a table is done for the one that is
 * named.  Through the top a statement meets the top's grants, row security,
 * triggers, defaults and constraints; directly those of the part.  Only where
 * both come to the same is the part asked directly.  Pure.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layout/survey.h"

#define EFFECT_MAX 400

static char *effect(const char *fmt, ...) PG_PRINTF(1, 2);

static char *
effect(const char *fmt, ...)
{
	char text[EFFECT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return x_strdup(text);
}

static bool
effect_same(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

/* Two lists that must say the same. */
static char *
effect_lists(const char *top, const char *part)
{
	const char *line;
	int n;

	if (facts_line_lacking(top, part, &line, &n))
		return effect("expected %.*s, as the whole table has it", n,
		    line);
	if (facts_line_lacking(part, top, &line, &n))
		return effect("found %.*s, which the whole table has not", n,
		    line);
	return NULL;
}

static char *
effect_columns(const struct fact *top, const struct fact *part)
{
	char *why;

	if (effect_same(top->columns, part->columns))
		return NULL;
	why = effect_lists(top->columns, part->columns);
	return why != NULL ? why : effect("expected the columns in the order "
	    "of the whole table, found another");
}

/* On another server than the top: roles are known by their names. */
static char *
effect_remote(const struct fact *top, const struct fact *foreign,
    const struct fact *part)
{
	char *why;

	if (foreign->renamed != NULL)
		return effect("column \"%s\" has another name there",
		    foreign->renamed);
	if (!effect_same(top->encoding, part->encoding))
		return effect("expected encoding %s, found %s", top->encoding,
		    part->encoding);
	if (!effect_same(top->locale, part->locale))
		return effect("expected collation %s, found %s", top->locale,
		    part->locale);
	why = effect_lists(top->grants, part->grants);
	return why != NULL ? why : effect_lists(top->column_grants,
	    part->column_grants);
}

static char *
effect_local(const struct fact *top, const struct fact *part)
{
	if (!effect_same(top->owner, part->owner))
		return effect("expected owner \"%s\", found \"%s\"",
		    top->owner, part->owner);
	if (!effect_same(top->acl, part->acl))
		return effect("expected grants %s, found %s", top->acl,
		    part->acl);
	return NULL;
}

static char *
effect_on_reads(const struct survey_place *p, const struct fact *top,
    const struct fact *part)
{
	char *why;

	if (strchr("rpf", *part->kind) == NULL)
		return effect("expected a table, found relkind %s",
		    part->kind);
	if (top->rules != NULL || part->rules != NULL)
		return effect("%s: rules go with one of the names", top->rules
		    != NULL ? top->rules : part->rules);
	why = p->local ? effect_local(top, part) :
	    effect_remote(top, p->fact, part);
	if (why == NULL)
		why = effect_lists(top->policies, part->policies);
	if (why == NULL && p->local && part->policies != NULL)
		why = effect("row security on both, which is not compared");
	return why != NULL ? why : effect_columns(top, part);
}

static char *
effect_counted(const char *defaults)
{
	const char *p = defaults;

	while (p != NULL && *p != '\0') {
		size_t n = strcspn(p, "\n");

		if (memmem(p, n, "nextval(", 8) != NULL ||
		    memmem(p, n, "counts by itself", 16) != NULL)
			return effect("%.*s: each server would count on its "
			    "own", n < 200 ? (int)n : 200, p);
		p += n + (p[n] == '\n');
	}
	return NULL;
}

static char *
effect_on_writes(const struct survey_place *p, const struct fact *top,
    const struct fact *part)
{
	const char *line;
	char *why;
	int n;

	if (p->local) {
		why = effect_lists(top->triggers, part->triggers);
		if (why != NULL)
			return why;
	} else if (top->triggers != NULL || p->fact->triggers != NULL) {
		return effect("%s of the whole table would not fire",
		    top->triggers != NULL ? top->triggers :
		    p->fact->triggers);
	}
	why = effect_lists(top->defaults, part->defaults);
	if (why == NULL && !p->local)
		why = effect_counted(top->defaults);
	if (why == NULL && facts_line_lacking(top->constraints,
	    part->constraints, &line, &n))
		why = effect("expected constraint %.*s, as the whole table "
		    "has it", n, line);
	return why;
}

void
survey_effects(const struct survey *s, struct survey_place *p)
{
	const struct fact *top = &s->facts.v[0];
	const struct fact *part = p->local ? p->fact : &p->found.v[0];

	p->no_read = effect_on_reads(p, top, part);
	if (p->no_read == NULL)
		p->no_write = effect_on_writes(p, top, part);
}
