/* SPDX-License-Identifier: PostgreSQL
 *
 * From text to analysis: calls libpg_query, unpacks its tree, has every
 * statement looked at, and frees it all.  The parse*.c files are the only ones
 * that know the library.  It keeps its memory per thread; statements that it
 * cannot parse give the analysis of unparsed text.  Whoever calls this has
 * SQL_STACK_MIN bytes of stack and a lexer result that is LEX_OK.
 *
 * Memory grows with the client's text, so running out of it is no panic: the
 * statement counts as unparsed.
 */
#include <stdlib.h>

#include "sql/parse_priv.h"

bool
parse_reserve(struct parse *p, void *array, size_t n, size_t *size,
    size_t elem, size_t max)
{
	size_t want = *size ? *size * 2 : 4;
	void *old, *grown;

	if (p->failed)
		return false;
	if (n < *size)
		return true;
	memcpy(&old, array, sizeof(old));
	if (n >= max || (grown = realloc(old, want * elem)) == NULL) {
		p->failed = true;
		return false;
	}
	memcpy(array, &grown, sizeof(grown));
	*size = want;
	return true;
}

char *
parse_strdup(struct parse *p, const char *s)
{
	char *copy = strdup(s);

	if (copy == NULL)
		p->failed = true;
	return copy;
}

void
parse_pin(struct parse *p, enum pin_reason r)
{
	p->an->pins |= PIN_BIT(r);
}

void
parse_end(struct parse *p, enum pin_reason r)
{
	p->an->ends |= PIN_BIT(r);
}

void
parse_setting(struct parse *p, const char *name, const struct an_value *value,
    bool reset)
{
	struct an_setting *v;
	char *c;

	if (!parse_reserve(p, &p->an->settings, p->an->n_settings,
	    &p->settings_size, sizeof(*v), PARSE_MAX_SETTINGS))
		return;
	v = &p->an->settings[p->an->n_settings];
	*v = (struct an_setting){ .reset = reset };
	if (value != NULL)
		v->value = *value;
	else if ((v->name = parse_strdup(p, name)) == NULL)
		return;
	/* Names of settings are the same whatever their case. */
	for (c = v->name; c != NULL && *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c |= 32;
	p->an->n_settings++;
}

static void
parse_tree(struct parse *p, const PgQuery__ParseResult *tree)
{
	struct analysis *an = p->an;
	enum stmt_kind kind;
	bool ddl = false;
	size_t i;

	for (i = 0; i < tree->n_stmts && !p->failed; i++) {
		kind = an->kind;
		parse_statement(p, tree->stmts[i]->stmt, true);
		ddl |= an->kind == STMT_DDL;
		if (i > 0 && kind != STMT_SELECT)
			an->kind = kind;
	}
	if (tree->n_stmts > 1) {
		an->flags |= AN_MULTI | (ddl ? AN_DDL : 0);
	} else if (tree->n_stmts == 1 && !p->failed) {
		parse_conditions(p, tree->stmts[0]->stmt);
		parse_identity(p, tree->stmts[0]->stmt);
	}
	an->only_channels = an->n_channels == tree->n_stmts;
	parse_resolve_refs(p);
}

/* The text terminated, with the first n bytes blank: places stay the same. */
static char *
parse_copy(struct slice sql, size_t blank)
{
	char *copy = malloc(sql.n + 1);

	if (copy == NULL)
		return NULL;
	memset(copy, ' ', blank);
	if (sql.n > blank)
		memcpy(copy + blank, sql.p + blank, sql.n - blank);
	copy[sql.n] = '\0';
	return copy;
}

/* rows: left out of it, or NULL. false: libpg_query cannot parse it, it is of no
 * use, or no memory. */
static bool
parse_text(struct parse *p, const char *text, struct parse_rows *rows)
{
	PgQueryProtobufParseResult r = pg_query_parse_protobuf(text);
	PgQuery__ParseResult *tree = NULL;
	bool ok;

	if (r.error == NULL)
		tree = pg_query__parse_result__unpack(NULL, r.parse_tree.len,
		    (const uint8_t *)r.parse_tree.data);
	ok = tree != NULL && (rows == NULL || parse_rows_fit(rows, tree));
	if (ok) {
		p->rows = rows;
		parse_tree(p, tree);
	}
	if (tree != NULL)
		pg_query__parse_result__free_unpacked(tree, NULL);
	pg_query_free_protobuf_parse_result(r);
	return ok;
}

/* Rows that need not be read are not, unless all have to be. */
static bool
parse_copied(struct parse *p, char *text, bool whole)
{
	struct parse_rows *rows = whole ? NULL : parse_rows_new(p->sql,
	    p->lx);
	bool ok = false;

	if (rows != NULL) {
		parse_rows_blank(rows, text);
		ok = parse_text(p, text, rows);
		p->rows = NULL;
		parse_rows_free(&rows);
		memcpy(text, p->sql.p, p->sql.n);
	}
	return (ok || parse_text(p, text, NULL)) && !p->failed;
}

struct analysis *
analysis_new(struct slice sql, const struct lexer *lx,
    const struct an_functions *fns)
{
	return parse_analysis(sql, lx, fns, false);
}

struct analysis *
parse_analysis(struct slice sql, const struct lexer *lx,
    const struct an_functions *fns, bool whole)
{
	struct parse p = { .sql = sql, .lx = lx, .fns = fns };
	struct slice inner;
	uint32_t explain = 0;
	struct explain_options with;
	bool ok;
	char *text;

	inner = analysis_explain_options(sql, &with);
	if (inner.p != NULL)
		explain = AN_EXPLAIN_ROUTE | (with.analyze ?
		    AN_EXPLAIN_ANALYZE : 0);
	text = parse_copy(sql, inner.p == NULL ? 0 :
	    (size_t)(inner.p - sql.p));
	p.an = x_calloc(1, sizeof(*p.an));
	ok = text != NULL && parse_copied(&p, text, whole || inner.p != NULL);
	free(text);
	free(p.refs);
	free(p.ctes);
	free(p.seen_ctes);
	free(p.table_rvs);
	free(p.items);
	free(p.outs);
	free(p.cte_queries);
	split_free_within(p.within, PARSE_MAX_CONFINED);
	split_free_fulls(p.fulls, p.n_fulls);
	if (!ok) {
		analysis_free(&p.an);
		p.an = analysis_unparsed();
	}
	if (explain != 0 && (with.unsupported || (p.an->flags & AN_MULTI) ||
	    p.an->kind == STMT_EMPTY))
		explain |= AN_EXPLAIN_UNSUPPORTED;
	p.an->flags |= explain;
	analysis_mark_repeated(p.an, slice_make(lx->shape, lx->shape_len));
	return p.an;
}
