/* SPDX-License-Identifier: PostgreSQL
 *
 * Can the tables of cache rules be followed? What the catalogs say of them,
 * their partitions and children, and of published tables that had better not
 * be.
 *
 * A gate is able if each of its names stands for at least one table and all
 * that hold rows are published whole.  The feed's thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "feed/feed_priv.h"

/* A partition may be published as its parent (publish_via_partition_root); its
 * changes then are that one's, which must be below the table that was asked
 * for. */
static const char tables_query[] =
    "WITH RECURSIVE asked AS ("
    "SELECT * FROM unnest($1::text[], $2::text[]) WITH ORDINALITY a(s, r, n)"
    "), tree (n, oid) AS ("
    "SELECT a.n, c.oid FROM asked a "
    "JOIN pg_class c ON lower(c.relname) = lower(a.r) "
    "JOIN pg_namespace s ON s.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') "
    "AND c.relpersistence <> 't' AND s.nspname !~ '^pg_' "
    "AND s.nspname <> 'information_schema' "
    "AND (a.s = '' OR lower(s.nspname) = lower(a.s)) "
    "UNION SELECT t.n, i.inhrelid FROM tree t "
    "JOIN pg_inherits i ON i.inhparent = t.oid"
    "), listed AS ("
    "SELECT c.oid, to_jsonb(p) ->> 'rowfilter' IS NOT NULL AS cut "
    "FROM pg_publication_tables p "
    "JOIN pg_namespace s ON s.nspname = p.schemaname "
    "JOIN pg_class c ON c.relnamespace = s.oid AND c.relname = p.tablename "
    "WHERE p.pubname = $3"
    "), up (rel, kin) AS ("
    "SELECT DISTINCT oid, oid FROM tree "
    "UNION SELECT u.rel, i.inhparent FROM up u "
    "JOIN pg_class c ON c.oid = u.kin AND c.relispartition "
    "JOIN pg_inherits i ON i.inhrelid = u.kin"
    "), published AS ("
    "SELECT t.n, t.oid, bool_or(l.cut) AS cut FROM tree t "
    "JOIN up u ON u.rel = t.oid JOIN listed l ON l.oid = u.kin "
    "JOIN tree w ON w.n = t.n AND w.oid = u.kin GROUP BY 1, 2"
    "), identity AS ("
    "SELECT c.oid, CASE WHEN c.relreplident = 'f' THEN 'full' "
    "WHEN c.relreplident IN ('d', 'i') AND EXISTS (SELECT FROM pg_index x "
    "WHERE x.indrelid = c.oid AND x.indisvalid AND CASE c.relreplident "
    "WHEN 'i' THEN x.indisreplident ELSE x.indisprimary END) THEN 'key' "
    "ELSE 'none' END AS what FROM pg_class c "
    "WHERE c.oid IN (SELECT oid FROM tree UNION SELECT oid FROM listed)"
    ") SELECT t.n, s.nspname, c.relname, c.relkind, c.relpersistence, "
    "c.relispartition, i.what, p.oid IS NOT NULL, coalesce(p.cut, false) "
    "FROM tree t JOIN pg_class c ON c.oid = t.oid "
    "JOIN pg_namespace s ON s.oid = c.relnamespace "
    "JOIN identity i ON i.oid = t.oid "
    "LEFT JOIN published p ON p.n = t.n AND p.oid = t.oid "
    "UNION ALL SELECT 0, s.nspname, c.relname, c.relkind, c.relpersistence, "
    "c.relispartition, i.what, true, l.cut "
    "FROM listed l JOIN pg_class c ON c.oid = l.oid "
    "JOIN pg_namespace s ON s.oid = c.relnamespace "
    "JOIN identity i ON i.oid = l.oid "
    "WHERE c.relkind = 'r' AND i.what = 'none' "
    "AND l.oid NOT IN (SELECT oid FROM tree) "
    "ORDER BY 1, 2, 3";

/* ------------------------------------------------------------ asking */

/* An element of an array, quoted. */
static void
array_add(struct buf *b, const char *text)
{
	bool ok = buf_append(b, buf_len(b) == 0 ? "{\"" : ",\"", 2);

	for (; *text != '\0'; text++)
		ok = ok && (strchr("\"\\", *text) == NULL ||
		    buf_append(b, "\\", 1)) && buf_append(b, text, 1);
	CHECK(ok && buf_append(b, "\"", 1));
}

static void
array_end(struct buf *b)
{
	CHECK(buf_append(b, buf_len(b) == 0 ? "{}" : "}",
	    buf_len(b) == 0 ? 3 : 2));
}

void
feed_ask_tables(struct feed *f)
{
	struct buf schemas, names;
	const char *values[3];
	size_t i, k;

	buf_init(&schemas, 64 * 1024 * 1024);
	buf_init(&names, 64 * 1024 * 1024);
	for (i = 0; i < f->n_gates; i++)
		for (k = 0; k < f->gates[i]->n; k++) {
			array_add(&schemas, f->gates[i]->v[k].schema);
			array_add(&names, f->gates[i]->v[k].rel);
		}
	array_end(&schemas);
	array_end(&names);
	values[0] = buf_head(&schemas);
	values[1] = buf_head(&names);
	values[2] = f->publication;
	link_ask(&f->ask, tables_query, 3, values);
	buf_reset(&schemas);
	buf_reset(&names);
}

/* ------------------------------------------------------------ verdicts */

enum column { COL_N, COL_SCHEMA, COL_NAME, COL_KIND, COL_PERSISTENCE,
	COL_PARTITION, COL_IDENTITY, COL_PUBLISHED, COL_CUT, COLUMNS };

static bool
cell_is(const PGresult *r, int row, enum column c, const char *text)
{
	return strcmp(PQgetvalue(r, row, c), text) == 0;
}

/* Why a relation cannot be followed; NULL: it can, or has no rows of its
 * own. */
static const char *
table_unable(const PGresult *r, int row, const struct watch *w)
{
	if (cell_is(r, row, COL_KIND, "v"))
		return "a view: strong rules take tables only";
	if (cell_is(r, row, COL_KIND, "m"))
		return "a materialized view: its changes are not in the log";
	if (cell_is(r, row, COL_KIND, "f"))
		return w->foreign && cell_is(r, row, COL_PARTITION, "t") ?
		    NULL : "a foreign table: its changes are not in this "
		    "server's log";
	if (cell_is(r, row, COL_PERSISTENCE, "u"))
		return "an unlogged table: its changes are not in the log";
	if (cell_is(r, row, COL_KIND, "p"))
		return NULL;
	if (cell_is(r, row, COL_PUBLISHED, "f"))
		return "not published: ALTER PUBLICATION ... ADD TABLE, but "
		    "only with a usable replica identity";
	if (cell_is(r, row, COL_CUT, "t"))
		return "published with a row filter: some changes are left out";
	return NULL;
}

static const char *
table_kind(const PGresult *r, int row)
{
	switch (*PQgetvalue(r, row, COL_KIND)) {
	case 'r':
		return cell_is(r, row, COL_PARTITION, "t") ? "partition" :
		    "table";
	case 'p':
		return "partitioned table";
	case 'v':
		return "view";
	case 'm':
		return "materialized view";
	default:
		return "foreign table";
	}
}

static struct feed_check *
check_add(struct feed *f, const struct watch *w)
{
	struct feed_check *more = realloc(f->checks,
	    (f->n_checks + 1) * sizeof(*more)), *c;

	CHECK(more != NULL);
	f->checks = more;
	c = &more[f->n_checks++];
	*c = (struct feed_check){ .backend = x_strdup(f->name),
		.named = w != NULL ? x_strdup(w->named) : NULL,
		.at = clock_mono() };
	return c;
}

static void
check_missing(struct feed *f, const struct watch *w)
{
	struct feed_check *c = check_add(f, w);

	c->state = x_strdup("unable");
	c->text = x_strdup("there is no such table");
}

/* A row for CHECK CACHE. */
static void
check_table(struct feed *f, const PGresult *r, int row, const struct watch *w,
    const char *unable)
{
	struct feed_check *c = check_add(f, w);
	bool rows = cell_is(r, row, COL_KIND, "r");
	bool none = rows && cell_is(r, row, COL_IDENTITY, "none");

	c->published = cell_is(r, row, COL_PUBLISHED, "t");
	CHECK(asprintf(&c->relation, "%s.%s", PQgetvalue(r, row, COL_SCHEMA),
	    PQgetvalue(r, row, COL_NAME)) >= 0);
	c->kind = x_strdup(table_kind(r, row));
	if (rows) {
		c->identity = x_strdup(PQgetvalue(r, row, COL_IDENTITY));
		c->tells = x_strdup(none ? "unusable" :
		    cell_is(r, row, COL_IDENTITY, "full") ? "exact" : "wide");
	}
	if (none && c->published) {
		c->state = x_strdup("danger");
		c->text = x_strdup("published without a usable replica "
		    "identity: UPDATE and DELETE fail on the server; ALTER "
		    "TABLE ... REPLICA IDENTITY, or take it out of the "
		    "publication");
	} else if (unable != NULL) {
		c->state = x_strdup("unable");
		c->text = x_strdup(unable);
	} else {
		c->state = x_strdup("ok");
	}
}

void
feed_checks_free(struct feed *f)
{
	struct feed_check *c;

	for (c = f->checks; c < f->checks + f->n_checks; c++) {
		free(c->backend);
		free(c->named);
		free(c->relation);
		free(c->kind);
		free(c->identity);
		free(c->tells);
		free(c->state);
		free(c->text);
	}
	free(f->checks);
	f->checks = NULL;
	f->n_checks = 0;
}

/* The gate of the n-th name that was asked for, from 1, and its place there. */
static struct gate *
gate_at(const struct feed *f, size_t n, size_t *at)
{
	size_t i;

	for (i = 0; i < f->n_gates; i++) {
		if (n <= f->gates[i]->n) {
			*at = n - 1;
			return f->gates[i];
		}
		n -= f->gates[i]->n;
	}
	return NULL;
}

static void
gate_judge(struct feed *f, struct gate *g, bool unable, nsec_t now)
{
	bool was = g->known && !atomic_load(&g->unable);

	g->known = true;
	atomic_store(&g->unable, unable);
	if (unable) {
		g->open = false;
		atomic_store(&g->live.until, 0);
	} else if (!was) {
		/* What was under way when it was published may be missing,
		 * just as when the stream begins. */
		g->since = now;
		f->own = 0;
		f->suspects_known = false;
	}
}

static void
gates_judge(struct feed *f, bool *unable)
{
	struct gate *g;
	size_t i, k;

	for (i = 0; i < f->n_gates; i++) {
		g = f->gates[i];
		for (k = 0; k < g->n; k++)
			if (!g->v[k].found && !g->v[k].maybe) {
				unable[i] = true;
				check_missing(f, &g->v[k]);
			}
		gate_judge(f, g, unable[i], clock_mono());
	}
}

static void
tables_row(struct feed *f, const PGresult *r, int row, bool *unable)
{
	size_t n = strtoul(PQgetvalue(r, row, COL_N), NULL, 10), at = 0, i;
	struct gate *g = n > 0 ? gate_at(f, n, &at) : NULL;
	const char *why;

	if (n == 0) {
		check_table(f, r, row, NULL, NULL);
		return;
	}
	if (g == NULL)
		return;
	g->v[at].found = true;
	why = table_unable(r, row, &g->v[at]);
	check_table(f, r, row, &g->v[at], why);
	for (i = 0; why != NULL && i < f->n_gates; i++)
		unable[i] |= f->gates[i] == g;
}

void
feed_take_tables(struct feed *f, const PGresult *r)
{
	bool *unable;
	size_t i, k;
	int row;

	if (f->wants[FEED_ASK_TABLES])
		return; /* the gates are others by now */
	if (PQnfields(r) != COLUMNS) {
		feed_fail(f, "unexpected answer about tables");
		return;
	}
	unable = x_calloc(f->n_gates > 0 ? f->n_gates : 1, sizeof(*unable));
	for (i = 0; i < f->n_gates; i++)
		for (k = 0; k < f->gates[i]->n; k++)
			f->gates[i]->v[k].found = false;
	feed_lock();
	feed_checks_free(f);
	for (row = 0; row < PQntuples(r); row++)
		tables_row(f, r, row, unable);
	gates_judge(f, unable);
	feed_unlock();
	free(unable);
	feed_advance(f);
}
