/* SPDX-License-Identifier: PostgreSQL
 *
 * What a statement that is sent does to its session: pins, writes that count
 * when they are committed, settings, the state of its transaction.
 *
 * Knows a statement's analysis and plan, not whether it succeeds: relay.c hears
 * that.  Runs on the session's worker.
 */
#include <string.h>

#include "base/planted.h"
#include "conf/deps.h"
#include "route/touch.h"
#include "session/mirroring.h"

static void
write_set_add(struct write_set *w, tag_t tag)
{
	unsigned i;

	w->any = true;
	for (i = 0; i < w->n; i++)
		if (w->tag[i] == tag)
			return;
	if (w->n == WRITES_MAX)
		w->all = true;
	else
		w->tag[w->n++] = tag;
}

/* By each column that tells results apart: the rows' values, or any. */
static void
query_note_values(struct write_set *w, const struct query *q, size_t i)
{
	const struct route_plan *p = q->plan;
	const struct conf_tag_key *key;
	struct route_touch t;
	unsigned n;

	for (key = p->tag_keys; key < p->tag_keys + p->n_tag_keys; key++) {
		if (strcmp(key->rel, p->writes[i]) != 0)
			continue;
		if (!route_touch_write(p, q->shape, &q->values, i, key, &t) ||
		    w->n + t.n > WRITES_MAX / 2) {
			write_set_add(w, tag_of_column(key->rel, key->column));
			continue;
		}
		for (n = 0; n < t.n; n++)
			write_set_add(w, tag_of_value(key->rel, key->column,
			    t.value[n]));
	}
}

static void
query_note_writes(struct session *s, const struct query *q)
{
	struct write_set *w = &s->writes;
	const struct route_plan *p = q->plan;
	size_t i;

	if (p->n_writes == 0 && !p->writes_all && !(q->shape->an->flags &
	    AN_WRITES_ALL) && !analysis_is_ddl(q->shape->an))
		return;
	if ((q->shape->an->flags & AN_WRITES_ALL) ||
	    analysis_is_ddl(q->shape->an))
		w->doubt = true;
	/* What the tables change besides is not known. */
	if (!conf_is_vouched(s->db, s->started))
		w->any = w->all = true;
	if (analysis_is_ddl(q->shape->an)) {
		w->ddl = true;
		session_statements_outdated();
	}
	if (p->writes_all || (q->shape->an->flags & AN_WRITES_ALL)) {
		w->any = w->all = true;
		if (q->shape->an->flags & AN_RENAMES)
			session_note_rename(s);
	}
	for (i = 0; i < p->n_writes && !w->all; i++) {
		write_set_add(w, tag_of_table(p->writes[i]));
		query_note_values(w, q, i);
	}
	if (PLANTED(BUMPED_TOO_EARLY))
		session_write_bump(s, true);
}

static bool
text_has(struct slice sql, const char *word)
{
	size_t n = strlen(word), i;

	for (i = 0; i + n <= sql.n; i++)
		if (strncasecmp(sql.p + i, word, n) == 0)
			return true;
	return false;
}

/* Ends a transaction, or goes back to a savepoint of it. */
static bool
query_takes_back(const struct query *q)
{
	uint32_t flags = q->shape->an->flags;

	return (flags & AN_TX_END) || ((flags & AN_SAVEPOINT) &&
	    text_has(q->sql, "rollback"));
}

void
query_note(struct session *s, const struct query *q)
{
	const struct analysis *an = q->shape->an;

	/* What was prepared behind DDL that comes to nothing may have a result
	 * that nobody is to see again. */
	if (s->writes.ddl && query_takes_back(q))
		session_statements_outdated();
	if ((an->pins | an->ends) != 0)
		session_note_pins(s, an);
	query_note_writes(s, q);
	if (unlikely(s->db->n_experiments > 0))
		mirroring_note(s, q, s->noted);
	s->noted++;
	if (an->n_channels > 0 && s->listening != NULL)
		session_listen_note(s, an);
	if (an->flags & AN_SAVEPOINT)
		s->savepoints = true;
	else if ((an->flags & (AN_TX_END | AN_TX_PLAIN)) == AN_TX_END)
		s->savepoints = false; /* AND CHAIN */
	if ((an->flags & (AN_WRITES | AN_WRITES_ALL | AN_LOCKING |
	    AN_SET_ISOLATION | AN_SET_LOCAL | AN_UNKNOWN_FN)) != 0 ||
	    ((an->flags & AN_TX_BEGIN) && !(an->flags & AN_TX_PLAIN)))
		s->tx_dirty = true;
	if ((an->pins & PIN_BIT(PIN_PREPARE)) &&
	    text_has(q->sql, "deallocate"))
		session_renamed(s, q);
}

void
query_note_settings(struct session *s, const struct query *q)
{
	const struct analysis *an = q->shape->an;

	if (an->n_settings > 0 || an->n_wishes > 0 || (an->flags &
	    (AN_RESET_ALL | AN_DISCARD_ALL | AN_SET_LOCAL)))
		settings_note(s, q);
	else if (query_takes_back(q))
		settings_differ(s); /* what SET did */
	if (s->set.wishing && query_takes_back(q))
		session_wish_doubt(s);
}
