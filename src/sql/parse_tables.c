/* SPDX-License-Identifier: PostgreSQL
 *
 * Relations named in a statement: which they are, what is done to them, and
 * where exactly their names stand in the text.  Names of CTEs in scope are no
 * relations.  The parser gives the first byte of a name; how far it goes is
 * read from the text.
 */
#include <stdlib.h>

#include "sql/parse_priv.h"
#include "sql/scan.h"

/* Behind "a . b . c" (n parts) at pos. */
static size_t
tables_name_end(struct slice sql, size_t pos, unsigned n)
{
	size_t end = pos, next;

	for (;;) {
		next = scan_ident(sql, end);
		if (next == end)
			break;
		end = next;
		if (--n == 0)
			break;
		next = scan_space(sql, end);
		if (next == sql.n || sql.p[next] != '.')
			break;
		end = scan_space(sql, next + 1);
	}
	return end;
}

/* "ONLY (t)": nothing fits between the name and the bracket. */
static bool
tables_in_only(struct slice sql, size_t pos, size_t end)
{
	size_t next = scan_space(sql, end);
	enum scan_class c;

	if (next == sql.n || sql.p[next] != ')')
		return false;
	while (pos > 0 && scan_class_of(sql.p[pos - 1]) == SC_SPACE)
		pos--;
	c = pos == 0 ? SC_OTHER : scan_class_of(sql.p[pos - 1]);
	return c != SC_IDENT && c != SC_DIGIT;
}

static bool
tables_is_cte(const struct parse *p, const PgQuery__RangeVar *rv)
{
	size_t i;

	if (rv->schemaname[0] != '\0' || rv->catalogname[0] != '\0')
		return false;
	for (i = p->n_ctes; i-- > 0;)
		if (strcmp(p->ctes[i], rv->relname) == 0)
			return true;
	return false;
}

static bool
tables_is_catalog(const PgQuery__RangeVar *rv)
{
	const char *s = rv->schemaname;

	if (s[0] == '\0')
		return strncmp(rv->relname, "pg_", 3) == 0;
	return strcmp(s, "pg_catalog") == 0 ||
	    strcmp(s, "information_schema") == 0 ||
	    strcmp(s, "pg_toast") == 0;
}

/* Where the name stands and what may be put behind it. */
static void
tables_place(struct parse *p, struct an_table *t, const PgQuery__RangeVar *rv)
{
	size_t pos, end, star;
	unsigned parts = 1u + (rv->schemaname[0] != '\0') +
	    (rv->catalogname[0] != '\0');

	if (rv->location < 0 || (size_t)rv->location >= p->sql.n) {
		t->takes_alias = false;
		return;
	}
	pos = (size_t)rv->location;
	end = tables_name_end(p->sql, pos, parts);
	if (!rv->inh && tables_in_only(p->sql, pos, end))
		t->takes_alias = false;
	star = scan_space(p->sql, end);
	if (t->takes_alias && star < p->sql.n && p->sql.p[star] == '*')
		end = star + 1; /* "t *" says "t" */
	t->placed = true;
	t->pos = lex_pos_from(p->lx, (uint32_t)pos);
	t->end = lex_pos_from(p->lx, (uint32_t)end);
}

unsigned
parse_table(struct parse *p, const PgQuery__RangeVar *rv, enum parse_use use)
{
	struct analysis *an = p->an;
	struct an_table *t;

	if ((use == USE_READ || use == USE_READ_BARE) && tables_is_cte(p, rv))
		return 0;
	if (!parse_reserve(p, &an->tables, an->n_tables, &p->tables_size,
	    sizeof(*t), PARSE_MAX_TABLES))
		return 0;
	if (!parse_reserve(p, &p->table_rvs, an->n_tables, &p->rvs_size,
	    sizeof(*p->table_rvs), PARSE_MAX_TABLES))
		return 0;
	p->table_rvs[an->n_tables] = rv;
	t = &an->tables[an->n_tables++];
	*t = (struct an_table){ 0 };
	t->name = parse_strdup(p, rv->relname);
	if (rv->schemaname[0] != '\0')
		t->schema = parse_strdup(p, rv->schemaname);
	t->read = use == USE_READ || use == USE_READ_BARE;
	t->written = use == USE_TARGET || use == USE_TARGET_BARE ||
	    use == USE_DDL;
	t->is_target = use == USE_TARGET || use == USE_TARGET_BARE;
	t->has_alias = rv->alias != NULL;
	t->takes_alias = use == USE_READ || use == USE_TARGET;
	tables_place(p, t, rv);
	if (tables_is_catalog(rv))
		an->flags |= AN_CATALOG;
	if (strcmp(rv->relpersistence, "t") == 0 ||
	    parse_is_temp_schema(rv->schemaname)) {
		parse_pin(p, PIN_TEMP);
		t->temp = use == USE_DDL && rv->location >= 0;
	}
	return (unsigned)(an->n_tables - 1);
}

/* ---------------------------------------------------------- column names */

void
parse_column_ref(struct parse *p, const PgQuery__ColumnRef *ref)
{
	struct parse_ref *r;
	const char *schema, *name;

	if (ref->n_fields < 3 || ref->location < 0 ||
	    (size_t)ref->location >= p->sql.n)
		return;
	schema = parse_string(ref->fields[ref->n_fields - 3]);
	name = parse_string(ref->fields[ref->n_fields - 2]);
	if (schema == NULL || name == NULL)
		return;
	if (parse_is_temp_schema(schema))
		parse_pin(p, PIN_TEMP);
	if (!parse_reserve(p, &p->refs, p->n_refs, &p->refs_size, sizeof(*r),
	    LEX_MAX_CUTS))
		return;
	r = &p->refs[p->n_refs++];
	*r = (struct parse_ref){ schema, name, (uint32_t)ref->location,
	    (unsigned)ref->n_fields - 1 };
}

/* Index of the table that schema.name stands for; n_tables: none. */
static size_t
tables_find(const struct analysis *an, const struct parse_ref *r)
{
	size_t i, loose = an->n_tables;

	for (i = an->n_tables; i-- > 0;) {
		const struct an_table *t = &an->tables[i];

		if (t->has_alias || strcmp(t->name, r->name) != 0)
			continue;
		if (t->schema != NULL && strcmp(t->schema, r->schema) == 0)
			return i;
		if (t->schema == NULL)
			loose = i;
	}
	return loose;
}

/* Once all tables are known: the tree must still be there. */
void
parse_resolve_refs(struct parse *p)
{
	struct analysis *an = p->an;
	size_t i, k;

	if (p->failed || p->n_refs == 0)
		return;
	an->qualrefs = calloc(p->n_refs, sizeof(*an->qualrefs));
	if (an->qualrefs == NULL) {
		p->failed = true;
		return;
	}
	for (i = 0; i < p->n_refs; i++) {
		const struct parse_ref *r = &p->refs[i];

		k = tables_find(an, r);
		if (k == an->n_tables)
			continue;
		an->qualrefs[an->n_qualrefs++] = (struct an_qualref){
			.table = (unsigned)k,
			.pos = lex_pos_from(p->lx, r->location),
			.end = lex_pos_from(p->lx, (uint32_t)tables_name_end(
			    p->sql, r->location, r->parts)),
		};
	}
}

/* ------------------------------------------------------------------- CTEs */

static void
tables_add_cte(struct parse *p, const PgQuery__CommonTableExpr *cte)
{
	if (parse_reserve(p, &p->ctes, p->n_ctes, &p->ctes_size,
	    sizeof(*p->ctes), PARSE_MAX_CTES))
		p->ctes[p->n_ctes++] = cte->ctename;
	if (parse_reserve(p, &p->seen_ctes, p->n_seen_ctes, &p->seen_size,
	    sizeof(*p->seen_ctes), PARSE_MAX_CTES))
		p->seen_ctes[p->n_seen_ctes++] = cte->ctename;
}

/* Walk the queries of a WITH and bring its names into scope, in the order the
 * server does: each sees those before it, all of them when RECURSIVE. */
size_t
parse_ctes_push(struct parse *p, const PgQuery__WithClause *with)
{
	size_t mark = p->n_ctes, i;

	if (with == NULL)
		return mark;
	p->an->flags |= AN_SUBLINK;
	for (i = 0; i < with->n_ctes && with->recursive; i++)
		if (NODE_IS(with->ctes[i], COMMON_TABLE_EXPR))
			tables_add_cte(p, with->ctes[i]->common_table_expr);
	for (i = 0; i < with->n_ctes; i++) {
		parse_walk_node(p, with->ctes[i]);
		if (!with->recursive &&
		    NODE_IS(with->ctes[i], COMMON_TABLE_EXPR))
			tables_add_cte(p, with->ctes[i]->common_table_expr);
	}
	return mark;
}

void
parse_ctes_pop(struct parse *p, size_t mark)
{
	p->n_ctes = mark;
}
