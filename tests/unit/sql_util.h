/* SPDX-License-Identifier: PostgreSQL
 *
 * An analysis told in one line, for tables of expectations.
 */
#ifndef PGSLUICE_TEST_SQL_UTIL_H
#define PGSLUICE_TEST_SQL_UTIL_H

#include <stdio.h>
#include <stdlib.h>

#include "sql/analysis.h"

struct sql_text {
	char *p;
	size_t n;
	FILE *f;
};

static inline void
sql_put_flags(FILE *f, uint32_t flags)
{
	static const char *const names[] = { "LOCKING", "WRITES", "WRITES_ALL",
	    "STABLE", "VOLATILE", "UNKNOWN_FN", "CATALOG", "TX_BEGIN",
	    "TX_END", "TX_PLAIN", "MULTI", "PARAMS", "EXPLAIN_ROUTE",
	    "DISCARD_ALL", "SUBLINK", "SET_ISOLATION", "SET_LOCAL",
	    "TABLESAMPLE", "DATETIME_LITERAL", "EXPLAIN_UNSUPPORTED",
	    "SAVEPOINT", "RESET_ALL", "RENAMES", "TX_CHAIN", "DDL",
	    "EXPLAIN_ANALYZE", "READONLY_FN" };
	unsigned i;

	for (i = 0; i < 32; i++)
		if (flags & (1u << i))
			fprintf(f, " %s", i < ARRAY_SIZE(names) ? names[i] :
			    "?");
}

static inline void
sql_put_value(FILE *f, struct slice sql, const struct lexer *lx,
    const struct an_value *v)
{
	static const char *const casts[] = { "", "::int2", "::int4", "::int8",
	    "::text", "::uuid", "::date", "::timestamp", "::timestamptz",
	    "::bool", "::numeric", "::varchar", "::bpchar", "::other" };

	fprintf(f, "%s", v->negative ? "-" : "");
	switch (v->kind) {
	case AN_VAL_CUT:
		fprintf(f, "%.*s", (int)lx->cuts[v->index].len,
		    sql.p + lx->cuts[v->index].pos);
		break;
	case AN_VAL_PARAM:
		fprintf(f, "$%u", v->index + 1);
		break;
	case AN_VAL_NULL:
		fprintf(f, "NULL");
		break;
	case AN_VAL_TRUE:
	case AN_VAL_FALSE:
		fprintf(f, "%s", v->kind == AN_VAL_TRUE ? "true" : "false");
		break;
	case AN_VAL_NOW:
		fprintf(f, "NOW");
		break;
	case AN_VAL_OTHER:
		fprintf(f, "?");
		break;
	}
	fprintf(f, "%s", casts[v->cast]);
}

static inline void
sql_put_table(FILE *f, struct slice sql, const struct lexer *lx,
    const struct an_table *t)
{
	fprintf(f, " %s%s%s%s%s%s:", t->read ? "r" : "",
	    t->written ? "w" : "", t->temp ? "T" : "",
	    t->is_target ? "t" : "", t->has_alias ? "A" : "",
	    t->takes_alias ? "a" : "");
	if (t->schema != NULL)
		fprintf(f, "%s.", t->schema);
	fprintf(f, "%s@%.*s", t->name,
	    (int)(lex_pos(lx, t->end) - lex_pos(lx, t->pos)),
	    sql.p + lex_pos(lx, t->pos));
}

/* kind flags; pin=..; sets ..; tables; refs; preds; set=..; agg; free() it. */
static inline char *
sql_describe(struct slice sql, const struct lexer *lx,
    const struct analysis *a)
{
	static const char *const ops[] = { "=", "in", "<", "<=", ">", ">=",
	    "month", "rows", "in array", "=", "= inner", "from", "any of",
	    "all of" };
	char *text = NULL, pins[PIN_TEXT_MAX];
	size_t n, i, k;
	FILE *f = open_memstream(&text, &n);

	fprintf(f, "%s", stmt_kind_name(a->kind));
	sql_put_flags(f, a->flags);
	if (a->pins != 0)
		fprintf(f, "; pin %s", pin_reasons_text(a->pins, pins));
	if (a->ends != 0)
		fprintf(f, "; ends %s", pin_reasons_text(a->ends, pins));
	for (i = 0; i < a->n_channels; i++)
		fprintf(f, "; %s %s", a->channels[i].listen ? "listen" :
		    "unlisten", a->channels[i].name != NULL ?
		    a->channels[i].name : "*");
	if (a->n_channels > 0 && !a->only_channels)
		fprintf(f, " and more");
	for (i = 0; i < a->n_settings; i++) {
		fprintf(f, "; %s ", a->settings[i].reset ? "reset" : "sets");
		if (a->settings[i].name != NULL)
			fprintf(f, "%s", a->settings[i].name);
		else
			sql_put_value(f, sql, lx, &a->settings[i].value);
	}
	if (a->n_params > 0)
		fprintf(f, "; params %u", a->n_params);
	for (i = 0; i < a->n_tables; i++) {
		fprintf(f, "%s", i == 0 ? ";" : "");
		sql_put_table(f, sql, lx, &a->tables[i]);
	}
	for (i = 0; i < a->n_qualrefs; i++)
		fprintf(f, "; ref %u %.*s", a->qualrefs[i].table,
		    (int)(lex_pos(lx, a->qualrefs[i].end) -
		    lex_pos(lx, a->qualrefs[i].pos)),
		    sql.p + lex_pos(lx, a->qualrefs[i].pos));
	for (i = 0; i < a->n_preds; i++) {
		const struct an_pred *p = &a->preds[i];

		if (an_pred_is_group(p))
			fprintf(f, "; %s next %u", ops[p->op], p->span);
		else
			fprintf(f, "; %u.%s %s", p->table, p->column,
			    ops[p->op]);
		if (p->other_column != NULL)
			fprintf(f, " %u.%s", p->other, p->other_column);
		for (k = 0; k < p->n_values; k++) {
			fputc(' ', f);
			sql_put_value(f, sql, lx, &p->values[k]);
		}
		if (!analysis_pred_applies(p, sql, lx))
			fprintf(f, " (not)");
	}
	for (i = 0; i < a->n_assigned; i++)
		fprintf(f, "%s%s", i == 0 ? "; set " : ",", a->assigned[i]);
	fprintf(f, "%s%s", a->insert_known ? "; rows" : "",
	    a->group_or_agg ? "; agg" : "");
	fclose(f);
	return text;
}

#endif
