/* SPDX-License-Identifier: PostgreSQL
 *
 * The query about a relation and its partitions, and what it answered.
 *
 * Pure, any thread.
 */
#include <stdlib.h>
#include <string.h>

#include "layout/facts.h"

/* A partition that is being detached does not belong to the table any more. */
const char facts_query[] =
    "WITH RECURSIVE t(oid, parent, level) AS ("
    "SELECT to_regclass($1)::oid, NULL::oid, 0 UNION ALL "
    "SELECT i.inhrelid, i.inhparent, t.level + 1 FROM t "
    "JOIN pg_class c ON c.oid = t.oid AND c.relkind = 'p' "
    "JOIN pg_inherits i ON i.inhparent = t.oid "
    "WHERE t.level < 8 AND "
    "(to_jsonb(i)->>'inhdetachpending') IS DISTINCT FROM 'true') SELECT "
#define FACT(name, sql) sql " AS " #name ", "
#include "tbl/layout_facts.h"
    "NULL FROM t JOIN pg_class c ON c.oid = t.oid "
    "JOIN pg_namespace n ON n.oid = c.relnamespace "
    "LEFT JOIN pg_partitioned_table p ON p.partrelid = c.oid "
    "LEFT JOIN pg_foreign_table f ON f.ftrelid = c.oid "
    "LEFT JOIN pg_foreign_server s ON s.oid = f.ftserver "
    "ORDER BY t.level, c.relname, c.oid";

void
facts_init(struct facts *f, size_t n)
{
	f->v = x_calloc(n, sizeof(*f->v));
	f->n = n;
}

static char *
facts_copy(const char *s)
{
	return s != NULL ? x_strdup(s) : NULL;
}

void
facts_set(struct facts *f, size_t i, const char *const v[FACT_COUNT])
{
	CHECK(i < f->n);
#define FACT(name, sql) f->v[i].name = facts_copy(v[FACT_##name]);
#include "tbl/layout_facts.h"
}

void
facts_fini(struct facts *f)
{
	size_t i;

	for (i = 0; i < f->n; i++) {
#define FACT(name, sql) free(f->v[i].name);
#include "tbl/layout_facts.h"
	}
	free(f->v);
	*f = (struct facts){ NULL, 0 };
}

static bool
facts_has_line(const char *list, const char *line, size_t n)
{
	const char *p = list;

	while (p != NULL && *p != '\0') {
		size_t len = strcspn(p, "\n");

		if (len == n && memcmp(p, line, n) == 0)
			return true;
		p += len + (p[len] == '\n');
	}
	return false;
}

bool
facts_line_lacking(const char *list, const char *in, const char **line,
    int *len)
{
	const char *p = list;

	while (p != NULL && *p != '\0') {
		size_t n = strcspn(p, "\n");

		if (n > 0 && !facts_has_line(in, p, n)) {
			*line = p;
			*len = n < 200 ? (int)n : 200;
			return true;
		}
		p += n + (p[n] == '\n');
	}
	return false;
}

size_t
facts_lines(const char *list)
{
	size_t n = list != NULL && *list != '\0';

	for (; list != NULL && (list = strchr(list, '\n')) != NULL; list++)
		n++;
	return n;
}

char *
facts_line(const char *list, size_t i)
{
	for (; i > 0; i--) {
		list = strchr(list, '\n');
		CHECK(list != NULL);
		list++;
	}
	return x_strndup(list, strcspn(list, "\n"));
}

int64_t
facts_number(const char *text)
{
	return text != NULL ? strtoll(text, NULL, 10) : -1;
}
