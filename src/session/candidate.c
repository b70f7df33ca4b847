/* SPDX-License-Identifier: PostgreSQL
 *
 * Statements that could be cached if a rule named their tables: told to the
 * worker's ghost cache (cache/ghost.h), from which SHOW CACHE CANDIDATES says
 * what a rule would save.
 *
 * What has been looked at is what stands in the statement: of a view, only
 * writes to the view itself are seen.  Runs on the session's worker; an
 * execution costs it two hashes and a look at two small tables.
 */
#include <stdio.h>
#include <string.h>

#include "conf/ident.h"
#include "session/fill.h"

static bool
name_is_plain(const char *name)
{
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] == '\0';
}

/* false: there is no room, or the name would have to be quoted. */
static bool
tables_add(char *out, size_t size, const char *schema, const char *name)
{
	char one[160];
	size_t n = strlen(out);
	int k = schema != NULL ?
	    snprintf(one, sizeof(one), "\"%s.%s\"", schema, name) :
	    snprintf(one, sizeof(one), "\"%s\"", name);

	if (k < 0 || (size_t)k >= sizeof(one) || !name_is_plain(name) ||
	    (schema != NULL && !name_is_plain(schema)))
		return false;
	if (strstr(out, one) != NULL)
		return true;
	return snprintf(out + n, size - n, "%s%s", n > 0 ? ", " : "", one) <
	    (int)(size - n);
}

/* Those that a rule would have to name; "": that cannot be written here. */
static void
candidate_tables(const struct query *q, char *out, size_t size)
{
	const struct analysis *an = q->shape->an;
	const struct conf_table *c;
	bool ok = true;
	size_t i;

	*out = '\0';
	for (i = 0; i < an->n_tables && ok; i++) {
		if (!an->tables[i].read)
			continue;
		c = q->plan->tables != NULL ? q->plan->tables[i] : NULL;
		ok = tables_add(out, size, c != NULL ? c->schema :
		    an->tables[i].schema, c != NULL ? c->rel :
		    an->tables[i].name);
	}
	if (!ok)
		*out = '\0';
}

/* The shape as people read it: no comments, ? for literals, one line. */
static void
candidate_text(const struct shape *sh, char *out, size_t size)
{
	size_t i, n = 0;
	char c;

	for (i = 0; i < sh->len && n < size - 1; i++) {
		c = sh->text[i];
		if (c == CUT_COMMENT)
			continue;
		if (c > 0 && c < CUT_COMMENT)
			c = '?';
		else if (c > 0 && c < ' ')
			c = ' ';
		if (c == ' ' && (n == 0 || out[n - 1] == ' '))
			continue;
		out[n++] = c;
	}
	if (i < sh->len) /* not within a character */
		while (n > 0 && (out[n - 1] & 0x80) != 0)
			n--;
	out[n] = '\0';
}

static struct ghost_shape *
candidate_shape(struct session *s, const struct query *q)
{
	uint64_t id = hash_mix_text(q->shape->hash, s->db->name).lo | 1;
	struct ghost_shape *g;

	if (s->sw->ghost == NULL)
		s->sw->ghost = ghost_new();
	g = ghost_find(s->sw->ghost, id);
	if (g != NULL)
		return g;
	g = ghost_add(s->sw->ghost, id);
	snprintf(g->database, sizeof(g->database), "%s", s->db->name);
	candidate_tables(q, g->tables, sizeof(g->tables));
	candidate_text(q->shape, g->query, sizeof(g->query));
	return g;
}

void
session_candidate(struct session *s, const struct unit *u,
    const struct query *q)
{
	uint64_t generation = tag_generation(TAG_ALL);
	enum bypass_reason why;
	struct cache_key k;
	size_t i;

	if ((q->shape->an->flags & AN_STABLE) || q->where.hint.nocache ||
	    !fill_may(s, u, q->stmt, &why))
		return;
	if (analysis_has_special_literals(q->shape->an, q->sql, q->values.lx))
		return;
	fill_make_key(s, u, q->sql, q->stmt, &k);
	for (i = 0; i < q->plan->n_reads; i++)
		generation += tag_generation(tag_of_table(q->plan->reads[i]));
	ghost_begin(candidate_shape(s, q), k.hash.lo ^ k.scope, generation,
	    s->started, &s->candidate);
}

void
session_candidate_done(struct session *s, nsec_t now)
{
	/* Not one whose answer did not come this way. */
	if (s->candidate.started == s->started && s->started <= now)
		ghost_end(s->sw->ghost, &s->candidate,
		    now - s->candidate.started);
	s->candidate.shape = NULL;
}

void
session_each_candidate(struct worker *w,
    void (*fn)(const struct ghost_shape *s, void *arg), void *arg)
{
	struct session_worker *sw = w->sessions;

	if (sw->ghost != NULL)
		ghost_each(sw->ghost, fn, arg);
}
