/* SPDX-License-Identifier: PostgreSQL
 *
 * Extended-protocol units, first half: what each message means, and one
 * backend for all of them.
 *
 * A unit is looked at in two passes.  The first has no lasting effect, since the
 * unit may have to wait for a server and will be looked at again; the second
 * (compose.c) writes.  Runs on the session's worker.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/trial.h"

struct statement *
session_statement(struct session *s, const struct wire_parse *p)
{
	struct statement *st = statement_get(&s->sw->statements, p->sql, NULL,
	    slice_make(p->oids, (size_t)p->n_oids * 4), false,
	    p->name.n > 0 ? session_statement_epoch() : 0);

	if (st != NULL && s->prepared.bytes + p->sql.n <=
	    (size_t)s->conf->max_prepared_bytes)
		return st;
	if (st != NULL)
		statement_unref(&s->sw->statements, &st);
	session_close(s, CLOSE_PREPARED_MEMORY, NULL);
	return NULL;
}

/* ---- choosing a backend -------------------------------------------------------------- */

struct choice {
	const struct conf_backend *backend; /* all agree on it so far */
	const struct conf_backend *wide;    /* variant backends agree */
	bool differ, wide_differ, any;
	const char *err_sqlstate, *err_message, *err_hint;
	bool stays;         /* a transaction begins that belongs on wide */
	bool open;          /* a name is used whose fate is not known yet */
};

static void
choice_add(struct choice *c, const struct session *s, const struct query *q)
{
	const struct conf_backend *b = q->where.backend, *w = b;
	const struct analysis *an = q->shape->an;

	s->sw->unit_pins |= q->shape->an->pins;
	s->sw->unit_flags |= q->shape->an->flags;
	s->sw->unit_mirrors |= q->mirrors;
	/* What stands behind it may mean something else. */
	s->sw->unit_sets |= an->n_settings > 0 || an->pins != 0 ||
	    (an->flags & (AN_RESET_ALL | AN_DISCARD_ALL | AN_SET_LOCAL)) != 0;
	if (q->plan->err_sqlstate != NULL && c->err_sqlstate == NULL) {
		c->err_sqlstate = q->plan->err_sqlstate;
		c->err_message = q->plan->err_message;
		c->err_hint = q->plan->err_hint;
	}
	if (q->plan->table == NULL && q->shape->an->n_tables == 0 &&
	    (s->server != NULL || c->any))
		return; /* runs anywhere */
	if (q->where.variant != NULL)
		w = q->where.variant->backend;
	c->stays |= (s->sw->unit_flags & AN_TX_BEGIN) != 0 &&
	    q->plan->table != NULL && q->plan->table->stays;
	c->differ |= c->backend != NULL && c->backend != b;
	c->wide_differ |= c->wide != NULL && c->wide != w;
	c->backend = b;
	c->wide = w;
	c->any = q->shape->an->n_tables > 0 || q->plan->table != NULL;
}

/* ---- which statement each message means ----------------------------------------------- */

static void
pass_clear(struct session_worker *sw)
{
	while (sw->n_meant > 0)
		statement_unref(&sw->statements, &sw->meant[--sw->n_meant]);
	while (sw->n_changes > 0)
		statement_unref(&sw->statements,
		    &sw->changes[--sw->n_changes].st);
}

/* Room for one more element of an array that grows by doubling. */
static bool
pass_room(void *array, size_t n, size_t *size, size_t each)
{
	size_t more = *size == 0 ? 64 : *size * 2;
	void *p;

	if (n < *size)
		return true;
	p = realloc(*(void **)array, more * each);
	if (p == NULL)
		return false;
	*(void **)array = p;
	*size = more;
	return true;
}

static bool
meant_add(struct session_worker *sw, struct statement *st)
{
	if (!pass_room(&sw->meant, sw->n_meant, &sw->meant_size,
	    sizeof(sw->meant[0])))
		return false;
	sw->meant[sw->n_meant++] = st != NULL ? statement_ref(st) : NULL;
	return true;
}

static bool
change_add(struct session_worker *sw, struct slice name,
    struct statement *st)
{
	if (!pass_room(&sw->changes, sw->n_changes, &sw->changes_size,
	    sizeof(sw->changes[0])))
		return false;
	sw->changes[sw->n_changes++] = (struct name_change){ name,
		st != NULL ? statement_ref(st) : NULL };
	return true;
}

/* What a name means at this point of the unit. */
static struct statement *
pass_find(const struct session *s, struct slice name)
{
	const struct session_worker *sw = s->sw;
	size_t i;

	for (i = sw->n_changes; i > 0; i--)
		if (slice_eq(sw->changes[i - 1].name, name))
			return sw->changes[i - 1].st;
	return statements_find(&s->prepared, name);
}

/* The unit has been answered, but for a server: its changes of names take effect. */
static void
pass_commit(struct session *s)
{
	struct session_worker *sw = s->sw;
	struct name_change *c;
	size_t i;

	for (i = 0; i < sw->n_changes; i++) {
		c = &sw->changes[i];
		if (c->st == NULL)
			statements_remove(&s->prepared, &sw->statements,
			    c->name);
		else
			statements_set(&s->prepared, &sw->statements,
			    c->name, statement_ref(c->st));
	}
}

bool
session_name_is_open(const struct session *s, struct slice name)
{
	const struct parsing *p;

	if (s->server == NULL || (s->native && name.n > 0))
		return false;
	TAILQ_FOREACH(p, &s->parsing, link)
		if (p->group != s->server->group &&
		    slice_eq_str(name, p->name))
			return true;
	return false;
}

static bool
choose_parse(struct session *s, const struct frame *f, struct choice *c,
    struct statement **out)
{
	struct wire_parse parse;
	struct statement *st;
	struct query q;
	bool ok;

	if (!msgread_parse(f->p, f->body, &parse))
		return false;
	c->open |= session_name_is_open(s, parse.name);
	if (parse.name.n > 0 && pass_find(s, parse.name) != NULL) {
		/* By this very message, the first time; or perhaps not any
		 * more. */
		if (!s->repeating && !s->native && !s->sw->unit_native) {
			s->sw->refuses = true;
			return meant_add(s->sw, NULL);
		}
		if (!change_add(s->sw, parse.name, NULL))
			return false;
	}
	st = session_statement(s, &parse);
	if (st == NULL)
		return false;
	query_prepare(s, &q, st->sql, st, NULL);
	/* Describe looks the statement up. */
	s->sw->unit_native |= (q.shape->an->pins & PIN_BIT(PIN_PREPARE)) != 0;
	/* Without values nothing is known of a shard, or an arm. */
	if (!q.arm_open && (q.where.variant == NULL ||
	    q.where.variant->n_shards == 0 ||
	    q.where.variant->kind != VARIANT_SHARDED))
		choice_add(c, s, &q);
	*out = st;
	ok = meant_add(s->sw, st) && change_add(s->sw, parse.name, st);
	statement_unref(&s->sw->statements, &st);
	return ok;
}

/* Take one message of the first pass. last: a statement the unit is about. */
static bool
choose_message(struct session *s, const struct frame *f, struct choice *c,
    struct statement **last)
{
	struct statement *st = NULL;
	struct wire_bind bind;
	struct slice name;
	struct query q;

	if (f->type == 'P')
		return choose_parse(s, f, c, last);
	if ((f->type == 'B' && msgread_bind(f->p, f->body, &bind)) ||
	    (f->type == UNIT_BIND_HEAD &&
	    msgread_bind_head(f->p, f->body, &bind))) {
		c->open |= session_name_is_open(s, bind.statement);
		st = pass_find(s, bind.statement);
		if (st != NULL) {
			query_prepare(s, &q, st->sql, st, &bind);
			choice_add(c, s, &q);
			s->sw->unit_native |= (q.shape->an->pins &
			    PIN_BIT(PIN_PREPARE)) != 0 ||
			    (q.shape->an->flags & AN_DISCARD_ALL) != 0;
			*last = st;
		}
	} else if ((f->type == 'D' || f->type == 'C') && f->p[0] == 'S') {
		name = slice_make(f->p + 1, f->body - 2);
		c->open |= session_name_is_open(s, name);
		st = pass_find(s, name);
		if (f->type == 'C' && st != NULL &&
		    !change_add(s->sw, name, NULL))
			return false;
		if (f->type == 'D' && st != NULL) {
			query_prepare(s, &q, st->sql, st, NULL);
			s->sw->unit_native |= (q.shape->an->pins &
			    PIN_BIT(PIN_PREPARE)) != 0;
			*last = st;
		}
	}
	return meant_add(s->sw, st);
}

static bool
choose_all(struct session *s, const struct unit *u, struct choice *c)
{
	struct statement *last = NULL;
	struct frame f;
	struct query q;
	size_t pos;

	for (pos = 0; pos < u->n; pos += f.size) {
		unit_message(u, pos, &f);
		if (!choose_message(s, &f, c, &last))
			return false;
	}
	/* It would have to be told amid the group. */
	if (u->last != 'S' && (s->sw->unit_flags & AN_DISCARD_ALL))
		s->sw->unit_native = true;
	if (c->backend == NULL && last != NULL && s->server == NULL) {
		query_prepare(s, &q, last->sql, last, NULL);
		choice_add(c, s, &q);
	}
	return true;
}

/* First pass, in order: which statement each message means, what becomes of
 * names, which backend. Nothing of it lasts, since the unit may have to wait and
 * will be looked at again. */
static bool
extended_choose(struct session *s, const struct unit *u, struct choice *c)
{
	bool ok;

	memset(c, 0, sizeof(*c));
	s->sw->unit_pins = s->sw->unit_flags = 0;
	s->sw->refuses = s->sw->unit_native = s->sw->unit_sets = false;
	s->sw->unit_mirrors = false;
	ok = choose_all(s, u, c);
	s->sw->unit_sets = false; /* when it is sent, what is sent is noted */
	return ok;
}

/* ... so that arms of experiments do not lead apart what could run together
 * without them. */
static bool
extended_choose_arms(struct session *s, const struct unit *u,
    struct choice *c)
{
	if (!extended_choose(s, u, c))
		return false;
	if (likely(s->db->n_experiments == 0) || s->server != NULL ||
	    (!c->differ && !(s->sw->unit_flags & AN_TX_BEGIN)))
		return true;
	pass_clear(s->sw);
	trial_yield(s);
	return extended_choose(s, u, c);
}

/* The backend for the whole unit; NULL: there is none. */
static const struct conf_backend *
choice_backend(const struct session *s, const struct choice *c)
{
	if (s->server != NULL && (c->backend == NULL ||
	    (!c->differ && c->backend == s->backend) ||
	    (!c->wide_differ && c->wide == s->backend)))
		return s->backend;
	if (c->backend == NULL)
		return s->db->backend;
	if (c->stays && !c->wide_differ)
		return c->wide;
	if (!c->differ)
		return c->backend;
	return c->wide_differ ? NULL : c->wide;
}

/* ---- the unit ------------------------------------------------------------------------------ */

/* Parse of statements that the pool's servers are known to accept, and Sync:
 * needs no server now. (A driver may send it while its other connections hold
 * the whole pool and wait for this answer.) */
static bool
extended_known(struct session *s, const struct unit *u)
{
	struct statement *st;
	struct hash128 hash;
	struct pool *pool;
	struct slice sql;
	struct query q;
	size_t pos, i = 0;

	if (s->server != NULL || s->tx == 'E' || u->last != 'S' ||
	    u->has_bind || s->sw->refuses)
		return false;
	for (pos = 0; u->p[pos] == 'P'; pos += 1 + wire_u32(u->p + pos + 1)) {
		st = s->sw->meant[i++];
		query_prepare(s, &q, st->sql, st, NULL);
		pool = session_pool(s, q.where.backend);
		if (u->p[pos + 5] == '\0' || q.plan->err_sqlstate != NULL ||
		    (q.shape->an->pins & PIN_BIT(PIN_PREPARE)) ||
		    pool == NULL || !statement_physical(s, st, q.plan->db,
		    q.where.form, &sql, &hash) || !pool_knows(pool, hash))
			return false;
	}
	return i > 0 && u->p[pos] == 'S';
}

static void
extended_answer_known(struct session *s, const struct unit *u)
{
	struct buf b;
	size_t pos;

	pass_commit(s);
	buf_init(&b, u->n + 64);
	for (pos = 0; u->p[pos] == 'P'; pos += 1 + wire_u32(u->p + pos + 1))
		CHECK(buf_append(&b, "1\0\0\0\4", 5));
	session_reply(s, u, slice_make(buf_head(&b), buf_len(&b)), s->tx);
	buf_reset(&b);
}

/* b: its backend, or NULL. */
static void
extended_refuse(struct session *s, const struct unit *u,
    const struct choice *c, const struct conf_backend *b)
{
	if (c->err_sqlstate != NULL)
		session_unit_error(s, u, c->err_sqlstate, c->err_message,
		    NULL, c->err_hint);
	else if (b == NULL || b != s->backend)
		session_unit_error(s, u, "0A000", "statements of one pipeline "
		    "need different backends", NULL, "Send Sync between "
		    "them.");
	else
		session_sequences_refuse(s, u);
}

/* A unit whose messages have been looked at, see extended_choose(). */
static enum unit_result
extended_run(struct session *s, struct unit *u, const struct choice *c)
{
	const struct conf_backend *b = choice_backend(s, c);
	bool relaying = s->state == SESSION_RELAY;
	enum unit_result r;

	if (relaying && (c->open || (s->sw->unit_mirrors && !s->open_unit) ||
	    (s->sw->unit_native && !s->native &&
	    !ledger_empty(&s->server->owed))))
		return UNIT_WAIT;
	if (relaying && (c->err_sqlstate != NULL || b != s->backend ||
	    session_asks_others(s, s->sw->unit_pins))) {
		if (!s->open_unit)
			return UNIT_WAIT;
		extended_refuse(s, u, c, b);
		return s->state == SESSION_CLOSED ? UNIT_CLOSED : UNIT_DONE;
	}
	if (s->tx != 'E' && (c->err_sqlstate != NULL || b == NULL)) {
		extended_refuse(s, u, c, b);
		return UNIT_WAIT;
	}
	if (s->tx == 'E')
		b = s->server != NULL ? s->backend : s->db->backend;
	if (!relaying && extended_known(s, u)) {
		extended_answer_known(s, u);
		return UNIT_DONE;
	}
	if (!relaying) {
		r = session_acquire(s, u, b);
		if (r != UNIT_DONE)
			return r;
	}
	if (session_asks_past_failure(s, s->sw->unit_pins,
	    s->sw->unit_flags) && !session_group_ends_failed(s)) {
		session_sequences_refuse(s, u);
		return UNIT_WAIT;
	}
	session_bypass(s, s->long_bind ? BYPASS_LONG : relaying ?
	    BYPASS_PIPELINED : BYPASS_PROTOCOL, u->executes);
	return session_compose(s, u, NULL);
}

void
session_extended_again(struct session *s, struct unit *u)
{
	bool sent = false;
	struct choice c;

	if (extended_choose(s, u, &c))
		sent = session_compose(s, u, NULL) == UNIT_DONE;
	pass_clear(s->sw);
	if (!sent && s->state != SESSION_CLOSED)
		session_close(s, CLOSE_MEMORY, NULL);
}

bool
session_drops_names(const struct session *s)
{
	size_t i;

	for (i = 0; i < s->sw->n_changes; i++)
		if (s->sw->changes[i].st == NULL)
			return true;
	return false;
}

enum unit_result
session_extended(struct session *s, struct unit *u, struct query *q)
{
	enum unit_result r = UNIT_CLOSED;
	struct choice c;

	if (q != NULL && s->server != NULL && s->backend == q->where.backend)
		return session_compose(s, u, q);
	if (extended_choose_arms(s, u, &c))
		r = extended_run(s, u, &c);
	else if (s->state != SESSION_CLOSED)
		session_close(s, CLOSE_MEMORY, NULL);
	pass_clear(s->sw);
	return r;
}
