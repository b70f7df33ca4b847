/* SPDX-License-Identifier: PostgreSQL
 *
 * May a shape's results be cached, by which rule, and what do they depend on?
 *
 * The static part only: session state, transactions and values are looked at
 * by the layer above and by route_decide().  A name that does not fit the
 * fixed arrays makes the answer more careful, never less.  Pure.
 */
#include "route/route_priv.h"

/* false: no room. Names are few; duplicates are dropped by comparing. */
static bool
verdict_add(const char **names, size_t *n, const char *name)
{
	for (size_t i = 0; i < *n; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	if (*n == ROUTE_MAX_DEPS)
		return false;
	names[(*n)++] = name;
	return true;
}

static const char *
verdict_bare(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot != NULL ? dot + 1 : name;
}

static bool
verdict_rule_names(const struct conf_rule *r, const struct route_plan *p,
    const struct an_table *t)
{
	const struct conf_table *second;
	const struct conf_table *c = route_table_find(p->db, t, &second);

	for (size_t i = 0; i < r->tables.n; i++) {
		const char *name = r->tables.v[i];

		/* A routed table is meant by its logical name, however the
		 * statement qualified it. */
		if (c != NULL && ident_is_table(name, c->schema, c->rel))
			return true;
		if (c == NULL && ident_is_table(name, t->schema, t->name))
			return true;
	}
	return false;
}

static const struct conf_rule *
verdict_rule(const struct route_plan *p, const struct analysis *a)
{
	for (size_t i = 0; i < p->db->n_rules; i++) {
		const struct conf_rule *r = p->db->rules[i];
		bool all = true;

		for (size_t k = 0; k < a->n_tables && all; k++) {
			if (a->tables[k].read)
				all = verdict_rule_names(r, p, &a->tables[k]);
		}
		if (all)
			return r;
	}
	return NULL;
}

/* Everything but the rule, in the order of tbl/bypass_reasons.h as far as a
 * statement may have several. */
static enum bypass_reason
verdict_statement(const struct route_plan *p, const struct analysis *a)
{
	bool read = false;

	for (size_t i = 0; i < a->n_tables; i++)
		read |= a->tables[i].read;
	if (!p->db->cache)
		return BYPASS_DISABLED;
	if (a->kind == STMT_UNPARSED)
		return BYPASS_UNPARSED;
	if (a->kind != STMT_SELECT || (a->flags & (AN_MULTI | AN_WRITES)))
		return BYPASS_NOT_SELECT;
	if (!read)
		return BYPASS_NO_TABLE;
	if (a->flags & AN_LOCKING)
		return BYPASS_LOCKING;
	if (a->flags & AN_CATALOG)
		return BYPASS_CATALOG;
	if (a->flags & AN_UNKNOWN_FN)
		return BYPASS_UNKNOWN_FN;
	if ((a->flags & (AN_VOLATILE | AN_TABLESAMPLE)) || a->pins != 0)
		return BYPASS_VOLATILE;
	if (a->flags & AN_WRITES_ALL)
		return BYPASS_NOT_SELECT;
	return BYPASS_NONE;
}

static bool
verdict_reads(struct route_plan *p, const struct analysis *a)
{
	const struct conf_rule *r = p->rule;

	for (size_t i = 0; r != NULL && i < r->tables.n; i++) {
		const char *name = r->tables.v[i];
		const char *dep = verdict_bare(name);

		for (size_t k = 0; k < p->db->n_tables; k++) {
			const struct conf_table *c = p->db->tables[k];

			if (ident_is_table(name, c->schema, c->rel))
				dep = c->rel;
		}
		if (!verdict_add(p->reads, &p->n_reads, dep))
			return false;
	}
	for (size_t i = 0; i < a->n_tables; i++) {
		if (a->tables[i].read &&
		    !verdict_add(p->reads, &p->n_reads,
			route_table_dep(p->db, &a->tables[i])))
			return false;
	}
	return true;
}

static void
verdict_writes(struct route_plan *p, const struct analysis *a)
{
	p->writes_all = a->kind == STMT_UNPARSED || analysis_is_ddl(a) ||
	    (a->flags & AN_WRITES_ALL) != 0;
	for (size_t i = 0; i < a->n_tables && !p->writes_all; i++) {
		if (a->tables[i].written &&
		    !verdict_add(p->writes, &p->n_writes,
			route_table_dep(p->db, &a->tables[i])))
			p->writes_all = true;
	}
	if ((a->flags & AN_WRITES) && p->n_writes == 0)
		p->writes_all = true;
}

void
route_plan_verdict(struct route_plan *p, const struct analysis *a)
{
	verdict_writes(p, a);
	p->bypass = verdict_statement(p, a);
	if (p->bypass == BYPASS_NONE) {
		p->rule = verdict_rule(p, a);
		if (p->rule == NULL)
			p->bypass = BYPASS_NO_RULE;
		else if ((a->flags & AN_STABLE) && !p->rule->allow_stable)
			p->bypass = BYPASS_STABLE;
	}
	if (!verdict_reads(p, a) && p->bypass == BYPASS_NONE)
		p->bypass = BYPASS_TOO_LARGE;
	if (p->bypass != BYPASS_NONE)
		p->rule = NULL;
}
