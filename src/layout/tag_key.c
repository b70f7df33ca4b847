/* SPDX-License-Identifier: PostgreSQL
 *
 * What catalogs say of a column by whose values results are told apart.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/ident.h"
#include "layout/tag_key.h"

/* $1: schema, or empty for any; $2: table; $3: column.  Of all tables of that
 * name, since tags leave schemas out: how many there are, the first thing that
 * speaks against it, the lowest and the highest type, and that type's name. */
static const char tag_key_query[] =
    "WITH RECURSIVE rel AS ("
    "SELECT c.oid, c.relkind, c.relhasrules, a.attnum, a.attgenerated, "
    "COALESCE(NULLIF(y.typbasetype, 0), y.oid) AS type, "
    "format_type(a.atttypid, a.atttypmod) AS type_name, o.collisdeterministic "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = $3 "
    "AND a.attnum > 0 AND NOT a.attisdropped "
    "LEFT JOIN pg_type y ON y.oid = a.atttypid "
    "LEFT JOIN pg_collation o ON o.oid = a.attcollation "
    "WHERE c.relname = $2 AND ($1 = '' OR n.nspname = $1) "
    "AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't' "
    "AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
    "), tree(top, oid) AS (SELECT oid, oid FROM rel UNION "
    "SELECT t.top, i.inhrelid FROM tree t JOIN pg_inherits i "
    "ON i.inhparent = t.oid"
    "), reach(top, oid) AS (SELECT oid, oid FROM rel UNION "
    "SELECT r.top, k.conrelid FROM reach r JOIN pg_constraint k "
    "ON k.confrelid = r.oid AND k.contype = 'f' "
    "AND (k.confdeltype IN ('c', 'n', 'd') "
    "OR k.confupdtype IN ('c', 'n', 'd'))), "
    "found AS (SELECT rel.*, CASE "
    "WHEN relkind NOT IN ('r', 'p') THEN 'is no ordinary table' "
    "WHEN attnum IS NULL THEN 'has no such column' "
    "WHEN attgenerated <> '' THEN 'generates the column' "
    "WHEN collisdeterministic IS FALSE THEN 'has a collation of the column "
    "that is not deterministic' "
    "WHEN EXISTS (SELECT FROM tree t JOIN pg_index x ON x.indrelid = t.oid "
    "AND x.indisunique JOIN pg_attribute b ON b.attrelid = t.oid "
    "AND b.attname = $3 "
    "CROSS JOIN generate_series(0, 31) AS g(k) "
    "JOIN pg_opclass p ON p.oid = x.indclass[g.k] "
    "LEFT JOIN pg_collation l ON l.oid = x.indcollation[g.k] "
    "WHERE t.top = rel.oid AND x.indkey[g.k] = b.attnum "
    "AND (p.opcnamespace <> 'pg_catalog'::regnamespace "
    "OR l.collisdeterministic IS FALSE)) "
    "THEN 'has a unique index on the column with an equality of its own' "
    "WHEN relhasrules THEN 'has rules' "
    "WHEN EXISTS (SELECT FROM tree t JOIN pg_trigger g ON g.tgrelid = t.oid "
    "WHERE t.top = rel.oid AND NOT g.tgisinternal) THEN 'has triggers' "
    "WHEN EXISTS (SELECT FROM tree t JOIN pg_policy g ON g.polrelid = t.oid "
    "JOIN pg_depend d ON d.classid = 'pg_policy'::regclass "
    "AND d.objid = g.oid AND d.refclassid = 'pg_class'::regclass "
    "AND d.refobjid <> g.polrelid WHERE t.top = rel.oid) "
    "THEN 'has policies that read other relations' "
    "WHEN EXISTS (SELECT FROM tree t JOIN pg_class d ON d.oid = t.oid "
    "WHERE t.top = rel.oid AND d.relkind = 'f') AND relkind = 'r' "
    "THEN 'has foreign children' "
    "WHEN EXISTS (SELECT FROM reach r JOIN pg_constraint k "
    "ON k.confrelid = r.oid AND k.conrelid = rel.oid AND k.contype = 'f' "
    "AND (k.confdeltype IN ('c', 'n', 'd') "
    "OR k.confupdtype IN ('c', 'n', 'd')) WHERE r.top = rel.oid) "
    "THEN 'changes rows of its own by a foreign key' END AS why FROM rel) "
    "SELECT count(*), min(why), min(type), max(type), min(type_name), "
    "getdatabaseencoding() FROM found";

enum { CELL_COUNT, CELL_WHY, CELL_LOW, CELL_HIGH, CELL_NAME, CELL_ENCODING,
	CELLS };

#define TIMESTAMPTZ_OID 1184u

struct tag_key_state {
	struct calls *all;
	const struct conf_tag_key *key;
	struct layout_tag_result *out;
	bool first;
};

static void
tag_key_why(struct layout_tag_result *out, const struct conf_place *p,
    const char *what, const char *detail)
{
	char line[700];

	snprintf(line, sizeof(line), "%s on backend \"%s\" %s%s",
	    p->relation, p->backend->name, what, detail);
	free(out->why);
	out->why = x_strdup(line);
	out->good = false;
}

static bool
tag_key_type(const struct conf_tag_key *key, char *const *cells,
    enum conf_key_type *type)
{
	uint32_t oid = (uint32_t)facts_number(cells[CELL_LOW]);

	if (facts_number(cells[CELL_LOW]) != facts_number(cells[CELL_HIGH]))
		return false;
	if (key->month)
		return oid == TIMESTAMPTZ_OID;
	return conf_key_type_of(oid, type);
}

static void
tag_key_judge(struct tag_key_state *s, const struct conf_place *p,
    char *const *cells)
{
	struct layout_tag_result *out = s->out;
	enum conf_key_type type = KEY_TYPE_INT8;

	if (facts_number(cells[CELL_COUNT]) == 0) {
		if (!p->maybe)
			tag_key_why(out, p, "is not there", "");
		return;
	}
	if (cells[CELL_WHY] != NULL)
		tag_key_why(out, p, cells[CELL_WHY], "");
	else if (!tag_key_type(s->key, cells, &type))
		tag_key_why(out, p, s->key->month ? "has a column that "
		    "is no timestamptz: " : "has a column of no type of "
		    "key_type: ", cells[CELL_NAME]);
	else if (!s->key->month && conf_key_type_is_text(type) &&
	    strcmp(cells[CELL_ENCODING], "UTF8") != 0)
		tag_key_why(out, p, "has text of encoding ",
		    cells[CELL_ENCODING]);
	else if (!s->first && type != out->type)
		tag_key_why(out, p, "has another type than elsewhere: ",
		    cells[CELL_NAME]);
	out->type = type;
	s->first = false;
}

static void
tag_key_place(void *arg, const struct conf_place *p)
{
	struct tag_key_state *s = arg;
	struct call *c = calls_to(s->all, p->backend->conninfo);
	char *cells[CELLS] = { NULL }, *schema, *name;
	const char *params[3];
	int i;

	if (!s->out->good)
		return;
	ident_parts(p->relation, &schema, &name);
	params[0] = schema != NULL ? schema : "";
	params[1] = name;
	params[2] = s->key->column;
	c->good = c->good && ask_row(&c->a, tag_key_query, params, 3, cells,
	    CELLS);
	if (c->good) {
		tag_key_judge(s, p, cells);
	} else {
		tag_key_why(s->out, p, "cannot be asked about: ",
		    c->a.error);
		s->out->not_asked = true;
	}
	for (i = 0; i < CELLS; i++)
		free(cells[i]);
	free(schema);
	free(name);
}

void
tag_key_ask(struct calls *all, const struct conf_tag_key *key,
    struct layout_tag_result *out)
{
	struct tag_key_state s = { all, key, out, true };

	*out = (struct layout_tag_result){ .good = true };
	conf_tag_key_each(all->job->conf, key, tag_key_place, &s);
}
