/* SPDX-License-Identifier: PostgreSQL
 *
 * The texts that servers are given for a client's statement: one for each form
 * the router may ask for, made once for a configuration, with the hash that
 * names it on servers.
 *
 * Knows routes and statements, no messages.  Runs on the session's worker.
 */
#include <stdlib.h>
#include <string.h>

#include "session/session_priv.h"

static bool
statement_make(struct session *s, struct statement *st,
    const struct conf_database *db, unsigned form, struct statement_phys *ph)
{
	struct buf *t = &s->sw->text;
	struct query q;

	query_prepare(s, &q, st->sql, st, NULL);
	if (q.plan->db != db)
		q.plan = query_plan_of(s, q.shape, db);
	buf_consume(t, buf_len(t));
	if (!route_rewrite(q.plan, q.shape, &q.values, form, t))
		return false;
	ph->sql = strndup(buf_head(t), buf_len(t));
	if (ph->sql == NULL)
		return false;
	ph->n = buf_len(t);
	ph->form = form;
	ph->db = db;
	ph->hash = hash_mix(hash_bytes(buf_head(t), buf_len(t)),
	    hash_bytes(st->types.p, st->types.n));
	return true;
}

/* The text a server is given for a statement, and the hash of its content. */
static bool
statement_text(struct session *s, struct statement *st,
    const struct conf_database *db, unsigned form, struct slice *sql, struct hash128 *hash)
{
	struct statement_phys *ph;

	if (form == FORM_ASIS) {
		*sql = st->sql;
		*hash = st->hash;
		return true;
	}
	if (st->generation != s->conf->generation || st->db != s->db ||
	    st->hidden != s->hidden) {
		statement_forget_phys(st);
		st->generation = s->conf->generation;
		st->db = s->db;
		st->hidden = s->hidden;
	}
	ph = statement_phys(st, db, form);
	if (ph->sql == NULL && !statement_make(s, st, db, form, ph))
		return false;
	*sql = slice_make(ph->sql, ph->n);
	*hash = ph->hash;
	return true;
}

bool
statement_physical(struct session *s, struct statement *st,
    const struct conf_database *db, unsigned form, struct slice *sql, struct hash128 *hash)
{
	bool fixed = st->told && st->epoch > 0 && !s->sw->tells;
	uint64_t epoch = fixed ? st->epoch : session_statement_epoch();

	s->sw->fixed |= fixed;
	if (!statement_text(s, st, db, form, sql, hash))
		return false;
	*hash = settings_mark(s, hash_mix(*hash, (struct hash128){ epoch,
	    epoch }));
	return true;
}

bool
statement_form(const struct query *q, const struct conf_backend *b,
    unsigned *form)
{
	const struct conf_variant *v = q->where.variant;
	size_t i;

	if (b->primary != NULL)
		b = b->primary; /* a replica takes what that takes */
	*form = FORM_ASIS;
	if (v == NULL)
		return q->shape->an->n_tables == 0 || q->where.backend == b;
	if (q->where.backend == b && (q->bind != NULL ||
	    q->where.shard != NULL)) {
		*form = q->where.form;
		return true;
	}
	*form = FORM_RELATION;
	if (v->backend == b || q->where.backend == b)
		return true;
	/* A Parse without values may be tried on any shard. */
	if (q->bind != NULL || !q->plan->alike)
		return false;
	for (i = 0; i < v->n_shards; i++)
		if (v->shards[i].backend == b) {
			*form = FORM_OF(v->shards[i].relation);
			return true;
		}
	return false;
}
