/* SPDX-License-Identifier: PostgreSQL
 *
 * What catalogs are asked about relations, and the rows of the answer.
 *
 * All names in the queries are found in pg_catalog: search_path is empty.
 * Digests are sums of hashes, so that no order and no sort is needed; they are
 * the same whoever asks.
 */
#include "layout/kin.h"

#include <stdlib.h>
#include <string.h>

#define STR_(x) #x
#define STR(x) STR_(x)

/* What has an oid below this came with the server. */
#define USER_OID "16384"
#define KINDS "('r', 'p', 'v', 'm', 'f')"

/* What is not immutable of what users have made, by how it is called: a function
 * or an operator by its name, all else unseen. */
#define WORDS \
    "SELECT DISTINCT 'wordf', p.proname::text FROM pg_proc p " \
    "WHERE p.oid >= " USER_OID " AND p.prokind IN ('f', 'a', 'w') " \
    "AND p.prorettype NOT IN ('trigger'::regtype, " \
    "'event_trigger'::regtype) AND CASE WHEN p.prokind = 'a' THEN " \
    "EXISTS (SELECT FROM pg_aggregate g JOIN pg_proc t ON t.oid IN " \
    "(g.aggtransfn, g.aggfinalfn, g.aggcombinefn, g.aggserialfn, " \
    "g.aggdeserialfn, g.aggmtransfn, g.aggminvtransfn, g.aggmfinalfn) " \
    "WHERE g.aggfnoid = p.oid AND t.provolatile <> 'i') " \
    "ELSE p.provolatile <> 'i' END " \
    "UNION SELECT 'wordo', o.oprname::text FROM pg_operator o " \
    "JOIN pg_proc p ON p.oid = o.oprcode " \
    "WHERE o.oid >= " USER_OID " AND p.provolatile <> 'i' " \
    "UNION SELECT 'wordx', 'a cast by ' || p.proname FROM pg_cast c " \
    "JOIN pg_proc p ON p.oid = c.castfunc " \
    "WHERE c.oid >= " USER_OID " AND p.provolatile <> 'i' " \
    "UNION SELECT 'wordx', 'type ' || t.typname FROM pg_type t " \
    "JOIN pg_proc p ON p.oid IN (t.typinput, t.typoutput, t.typreceive, " \
    "t.typsend) WHERE p.oid >= " USER_OID " AND p.provolatile <> 'i' " \
    "UNION SELECT 'wordx', 'an order by ' || p.proname FROM pg_amproc a " \
    "JOIN pg_opfamily f ON f.oid = a.amprocfamily " \
    "JOIN pg_proc p ON p.oid = a.amproc " \
    "WHERE a.oid >= " USER_OID " AND f.opfmethod IN (403, 405) " \
    "AND p.provolatile <> 'i'"

const char kin_query[] =
    "WITH RECURSIVE edge(a, b, kind) AS MATERIALIZED ("
    "SELECT i.inhrelid, i.inhparent, 'i' FROM pg_inherits i "
    "JOIN pg_class c ON c.oid = i.inhrelid "
    "WHERE c.relkind IN ('r', 'p', 'f') "
    "UNION SELECT w.ev_class, d.refobjid, 'v' FROM pg_rewrite w "
    "JOIN pg_class c ON c.oid = w.ev_class AND c.relkind = 'v' "
    "JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass "
    "AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass "
    "AND d.refobjid <> w.ev_class "
    "WHERE w.oid >= " USER_OID " AND w.rulename = '_RETURN' "
    "UNION SELECT p.polrelid, d.refobjid, 'p' FROM pg_policy p "
    "JOIN pg_depend d ON d.classid = 'pg_policy'::regclass "
    "AND d.objid = p.oid AND d.refclassid = 'pg_class'::regclass "
    "AND d.refobjid <> p.polrelid "
    "UNION SELECT f.confrelid, f.conrelid, x.kind FROM pg_constraint f, "
    "LATERAL (VALUES ('d', f.confdeltype), ('u', f.confupdtype)) "
    "AS x(kind, action) WHERE f.contype = 'f' "
    "AND x.action IN ('c', 'n', 'd')), "
    "link(a, b) AS MATERIALIZED ("
    "SELECT a, b FROM edge UNION SELECT b, a FROM edge), "
    "seed(oid) AS (SELECT oid FROM pg_class WHERE (relname = ANY ($1) "
    "OR ('*' = ANY ($1) AND oid >= " USER_OID ")) AND relkind IN " KINDS " AND relpersistence <> 't'), "
    "down(oid) AS (SELECT oid FROM seed UNION SELECT e.b FROM down "
    "JOIN edge e ON e.a = down.oid AND e.kind IN ('v', 'p')), "
    "acts(oid, fns, rules) AS ("
    "SELECT oid, string_agg(fn, E'\\n' ORDER BY fn), bool_or(rule) FROM ("
    "SELECT t.tgrelid, n.nspname || '.' || p.proname, false "
    "FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid "
    "JOIN pg_namespace n ON n.oid = p.pronamespace "
    "WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' "
    "AND n.nspname <> 'pg_catalog' "
    "UNION SELECT w.ev_class, NULL, true FROM pg_rewrite w "
    "WHERE w.oid >= " USER_OID " AND w.rulename <> '_RETURN' "
    "AND w.ev_enabled <> 'D') AS x(oid, fn, rule) GROUP BY oid), "
    "part(oid) AS (SELECT oid FROM (SELECT oid FROM seed "
    "UNION SELECT oid FROM acts) AS s "
    "UNION SELECT link.b FROM part JOIN link ON link.a = part.oid) "
    "(SELECT oid, 0::oid, kind, schema, name, persistence, rls, fns, rules, "
    "code, CASE WHEN octet_length(text) > " STR(KIN_ONE_TEXT_MAX) " "
    "OR sum(octet_length(text)) FILTER (WHERE octet_length(text) <= "
    STR(KIN_ONE_TEXT_MAX) ") OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND "
    "1 PRECEDING) > " STR(KIN_TEXT_MAX) " THEN '' ELSE text END FROM ("
    "SELECT c.oid, c.relkind::text, n.nspname, c.relname, "
    "c.relpersistence, c.relrowsecurity, acts.fns, "
    "coalesce(acts.rules, false), "
    "down.oid IS NOT NULL AND EXISTS (SELECT FROM pg_depend d "
    "LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass "
    "AND w.oid = d.objid "
    "LEFT JOIN pg_policy p ON d.classid = 'pg_policy'::regclass "
    "AND p.oid = d.objid "
    "WHERE d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass) "
    "AND (w.ev_class = c.oid OR p.polrelid = c.oid)), "
    "CASE WHEN down.oid IS NULL THEN NULL "
    "WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) "
    "WHEN c.relrowsecurity THEN (SELECT 'SELECT 1 WHERE ' || "
    "string_agg('(' || pg_get_expr(p.polqual, p.polrelid) || ')', ' AND ') "
    "FROM pg_policy p WHERE p.polrelid = c.oid) END "
    "FROM part JOIN pg_class c ON c.oid = part.oid "
    "JOIN pg_namespace n ON n.oid = c.relnamespace "
    "LEFT JOIN acts ON acts.oid = c.oid "
    "LEFT JOIN down ON down.oid = c.oid "
    "WHERE c.relkind IN " KINDS " AND c.relpersistence <> 't' LIMIT 50001) "
    "AS x(oid, kind, schema, name, persistence, rls, fns, rules, code, text)) "
    "UNION ALL (SELECT e.a, e.b, 'edge' || e.kind, NULL, NULL, NULL, NULL, "
    "NULL, NULL, NULL, NULL FROM edge e JOIN part ON part.oid = e.a "
    "LIMIT 200001) "
    "UNION ALL (SELECT 0::oid, 0::oid, x.kind, '', x.name, '', NULL, NULL, NULL, NULL, "
    "NULL FROM (" WORDS ") AS x(kind, name) WHERE '*' = ANY ($1) "
    "LIMIT 20001)";

const char kin_digest_query[] =
    "SELECT left(encode(sha256(convert_to(concat_ws(' ', "
    "(SELECT concat(count(*), ' ', sum(hashtextextended(concat_ws(' ', "
    "relname, relnamespace, relkind, relpersistence, relowner, "
    "relrowsecurity, relforcerowsecurity, "
    "CASE relkind WHEN 'v' THEN reloptions END), oid::int8)), ' ', "
    "sum(hash_array_extended(coalesce(relacl, '{}'), oid::int8))) "
    "FROM pg_class WHERE oid >= " USER_OID " AND relkind IN " KINDS
    " AND relpersistence <> 't'), "
    "(SELECT sum(hash_array_extended(attacl, attrelid::int8 * 2048 + "
    "attnum)) FROM pg_attribute WHERE attacl IS NOT NULL AND attrelid IN "
    "(SELECT oid FROM pg_class WHERE relname = ANY ($1) "
    "OR ('*' = ANY ($1) AND oid >= " USER_OID "))), "
    /* What WORDS may tell. */
    "(SELECT sum(hashint8extended(oid, version)) FROM ("
    "SELECT oid::int8, xmin::text::int8 FROM pg_proc "
    "UNION ALL SELECT oid::int8, xmin::text::int8 FROM pg_operator "
    "UNION ALL SELECT oid::int8, xmin::text::int8 FROM pg_cast "
    "UNION ALL SELECT oid::int8, xmin::text::int8 FROM pg_amproc "
    "UNION ALL SELECT oid::int8, xmin::text::int8 FROM pg_type "
    "WHERE typtype = 'b' AND typcategory <> 'A') AS x(oid, version) "
    "WHERE '*' = ANY ($1) AND oid >= " USER_OID "), "
    "(SELECT sum(hashint8extended(inhrelid::int8 << 32 | inhparent::int8, "
    "0)) FROM pg_inherits), "
    "(SELECT sum(hashint8extended(tgrelid::int8 << 32 | tgfoid::int8, "
    "ascii(tgenabled::text))) FROM pg_trigger WHERE NOT tgisinternal), "
    "(SELECT sum(hashint8extended(ev_class::int8 << 32 | oid::int8, "
    "xmin::text::int8)) FROM pg_rewrite WHERE oid >= " USER_OID "), "
    "(SELECT sum(hashint8extended(conrelid::int8 << 32 | confrelid::int8, "
    "ascii(confdeltype::text) * 256 + ascii(confupdtype::text))) "
    "FROM pg_constraint WHERE contype = 'f'), "
    "(SELECT sum(hashint8extended(oid::int8, xmin::text::int8)) "
    "FROM pg_policy), "
    "(SELECT sum(hashtextextended(concat_ws(' ', nspname, nspowner, "
    "nspacl), oid::int8)) FROM pg_namespace "
    "WHERE nspname !~ '^pg_(toast_)?temp_'), "
    "(SELECT sum(hash_array_extended(proacl, oid::int8)) FROM pg_proc "
    "WHERE proacl IS NOT NULL), "
    "(SELECT concat_ws(' ', datdba, datacl) FROM pg_database "
    "WHERE datname = current_database()), "
    "(SELECT sum(hashtextextended(concat_ws(' ', rolname, rolsuper, "
    "rolinherit, rolbypassrls, rolcanlogin, rolvaliduntil), oid::int8)) "
    "FROM pg_roles), "
    "(SELECT sum(hashtextextended(m::text, 0)) FROM pg_auth_members m)), "
    "'UTF8')), 'hex'), 32), "
    "(SELECT coalesce(sum(hashtextextended(s::text, 0)), 0)::text "
    "FROM pg_db_role_setting s JOIN pg_database d "
    "ON d.datname = current_database() WHERE s.setdatabase IN (0, d.oid)), "
    "(extract(epoch FROM pg_conf_load_time()) * 1000000)::int8";

/* ------------------------------------------------------------ rows */

/* Room for one more of so many; false: there are too many. */
static bool
kin_room(void **v, size_t n, size_t *room, size_t size, size_t max)
{
	if (n == max)
		return false;
	if (n < *room)
		return true;
	*room = *room == 0 ? 64 : 2 * *room;
	*v = realloc(*v, *room * size);
	CHECK(*v != NULL);
	return true;
}

static char *
kin_strdup(const char *s)
{
	return s != NULL ? x_strdup(s) : NULL;
}

static bool
kin_is(const char *cell)
{
	return cell != NULL && cell[0] == 't';
}

static bool
kin_add_edge(struct kin *r, const char *const *cells)
{
	void *v = r->edges;

	if (!kin_room(&v, r->n_edges, &r->edges_room,
	    sizeof(r->edges[0]), KIN_EDGES_MAX))
		return false;
	r->edges = v;
	r->edges[r->n_edges++] = (struct kin_edge){
		(uint32_t)strtoul(cells[KIN_A], NULL, 10),
		(uint32_t)strtoul(cells[KIN_B], NULL, 10),
		cells[KIN_KIND][4] };
	return true;
}

/* Names that statements call something by that is not immutable. */
static bool
kin_add_word(struct kin *r, char kind, const char *name)
{
	static const char *const implied[] = { "=", "<>", "<", ">", "<=", ">=",
		"~~", "!~~", "~~*", "!~~*", "~", "!~" };
	struct conf_strings *l = kind == 'f' ? &r->functions : &r->operators;
	bool unseen = kind == 'x';
	size_t i;

	/* IN, LIKE, DISTINCT and the like. */
	for (i = 0; kind == 'o' && i < ARRAY_SIZE(implied); i++)
		unseen |= strcmp(name, implied[i]) == 0;
	if (unseen) {
		if (r->odd == NULL)
			r->odd = x_strdup(name);
		return true;
	}
	if (l->n == KIN_WORDS_MAX)
		return false;
	conf_strings_add(l, name);
	return true;
}

bool
kin_add(struct kin *r, const char *const cells[KIN_COLUMNS])
{
	void *v = r->v;

	if (cells[KIN_A] == NULL || cells[KIN_B] == NULL ||
	    cells[KIN_KIND] == NULL)
		return false;
	if (strncmp(cells[KIN_KIND], "word", 4) == 0)
		return cells[KIN_NAME] != NULL && kin_add_word(r,
		    cells[KIN_KIND][4], cells[KIN_NAME]);
	if (cells[KIN_TEXT] != NULL &&
	    (r->text_bytes += strlen(cells[KIN_TEXT])) > KIN_TEXT_MAX)
		return false;
	if (strncmp(cells[KIN_KIND], "edge", 4) == 0)
		return kin_add_edge(r, cells);
	if (cells[KIN_SCHEMA] == NULL || cells[KIN_NAME] == NULL ||
	    cells[KIN_PERSISTENCE] == NULL ||
	    !kin_room(&v, r->n, &r->room, sizeof(r->v[0]),
	    KIN_MAX))
		return false;
	r->v = v;
	r->v[r->n++] = (struct kin_relation){
		.oid = (uint32_t)strtoul(cells[KIN_A], NULL, 10),
		.schema = x_strdup(cells[KIN_SCHEMA]),
		.name = x_strdup(cells[KIN_NAME]),
		.kind = cells[KIN_KIND][0],
		.persistence = cells[KIN_PERSISTENCE][0],
		.rls = kin_is(cells[KIN_RLS]),
		.functions = kin_strdup(cells[KIN_FUNCTIONS]),
		.rules = kin_is(cells[KIN_RULES]),
		.code = kin_is(cells[KIN_CODE]),
		.text = kin_strdup(cells[KIN_TEXT]),
	};
	return true;
}

void
kin_fini(struct kin *r)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		free(r->v[i].schema);
		free(r->v[i].name);
		free(r->v[i].functions);
		free(r->v[i].text);
	}
	free(r->v);
	free(r->edges);
	free(r->odd);
	conf_strings_fini(&r->functions);
	conf_strings_fini(&r->operators);
	memset(r, 0, sizeof(*r));
}
