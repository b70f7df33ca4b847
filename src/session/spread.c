/* SPDX-License-Identifier: PostgreSQL
 *
 * The course of a write that is spread over several shards: whom to ask, when to
 * commit, how to undo.
 *
 * A part that fails takes all others along: they are rolled back before the client is
 * told, so that what it does next finds nothing of it.  Runs on the session's
 * worker.
 */
#include <stdlib.h>
#include <string.h>

#include "pgwire/msgread.h"
#include "session/explain.h"
#include "session/fill.h"
#include "session/spread_priv.h"

static const struct part_owner spread_owner;
static void spread_step(struct spread *x);

/* ---- life --------------------------------------------------------------------- */

static void
spread_end(struct session *s)
{
	struct spread *x = s->spread;
	size_t i;

	s->spread = NULL;
	for (i = 0; i <= x->n_parts; i++) {
		struct spread_part *p = &x->part[i];

		/* What becomes of its COMMIT nobody will be told. */
		part_drop(&p->base, x->phase >= SPREAD_DECIDING ?
		    session_orphan(s) : NULL);
		buf_reset(&p->out);
		free(p->lines);
	}
	for (i = 0; i < x->n_columns; i++)
		free(x->columns[i]);
	free(x->columns);
	copy_spec_free(&x->spec);
	if (x->stmt != NULL)
		statement_unref(&s->sw->statements, &x->stmt);
	free(x->sql);
	buf_reset(&x->error);
	buf_reset(&x->pending);
	buf_reset(&x->scratch);
	free(x);
}

void
spread_drop(struct session *s)
{
	if (s->spread == NULL)
		return;
	if (s->spread->phase >= SPREAD_DECIDING)
		session_write_bump(s, false);
	spread_end_dropped(s->spread);
	spread_end(s);
}

/* The shards concerned, in the order of their backends' numbers. 0: two of them are
 * on one backend. */
static size_t
spread_order(const struct conf_variant *v, const struct route_shards *shards,
    unsigned *of)
{
	size_t n = 0, k;
	int i;

	for (i = route_shards_first(shards); i >= 0;
	    i = route_shards_next(shards, (unsigned)i + 1)) {
		const struct conf_backend *b = v->shards[i].backend;

		for (k = n; k > 0 && v->shards[of[k - 1]].backend->id > b->id;
		    k--)
			;
		if (k > 0 && v->shards[of[k - 1]].backend == b)
			return 0;
		memmove(&of[k + 1], &of[k], (n - k) * sizeof(*of));
		of[k] = (unsigned)i;
		n++;
	}
	return n;
}

/* false: out of memory. */
static bool
spread_part_init(struct spread *x, size_t i, unsigned shard)
{
	struct spread_part *p = &x->part[i];

	part_init(&p->base, x->s, &spread_owner, x,
	    x->table->use->shards[shard].backend);
	p->shard = shard;
	buf_init(&p->out, 128u * 1024 * 1024);
	if (!x->insert)
		p->lines = calloc(SPREAD_LINES, sizeof(*p->lines));
	return x->insert || p->lines != NULL;
}

static struct spread *
spread_make(struct session *s, const struct query *q,
    const struct route_shards *shards, bool insert)
{
	const struct conf_variant *v = q->plan->variant;
	unsigned of[CONF_MAX_SHARDS + 1];
	size_t n = spread_order(v, shards, of), i;
	bool ok;
	struct spread *x = n == 0 ? NULL :
	    calloc(1, sizeof(*x) + (n + 1) * sizeof(x->part[0]));

	if (x == NULL)
		return NULL;
	x->s = s;
	x->insert = insert;
	x->n_parts = n;
	x->table = q->plan->table;
	x->two_phase = x->table->two_phase_commit && n > 1;
	x->stmt = q->stmt != NULL ? statement_ref(q->stmt) : NULL;
	x->sql = strndup(q->sql.p, q->sql.n);
	ok = x->sql != NULL;
	for (i = 0; i < n; i++)
		ok = spread_part_init(x, i, of[i]) && ok;
	part_init(&x->part[n].base, s, &spread_owner, x, v->backend);
	buf_init(&x->part[n].out, 4096);
	buf_init(&x->error, 1024 * 1024 + 4096);
	buf_init(&x->pending, 64u * 1024 * 1024);
	buf_init(&x->scratch, 64u * 1024 * 1024);
	s->spread = x;
	if (!ok)
		spread_end(s);
	return s->spread;
}

/* ---- the end of a unit ------------------------------------------------------------ */

/* What is left of the unit, if rows were not yet taken, goes with its answer. */
static void
spread_answered(struct spread *x)
{
	struct session *s = x->s;
	size_t n = s->unit_len;
	struct unit u = { .first = x->stmt != NULL ? 'B' : 'Q' };

	if (s->state == SESSION_CLOSED)
		return;
	if (!x->taken)
		CHECK(unit_read(&u, buf_head(&s->in), n));
	session_unit_done(s, &u, x->stmt);
	s->body_left = x->left;
	s->body_drop = true;
	spread_end(s);
	parts_answered(s, n);
}

static void
spread_again(struct spread *x)
{
	struct session *s = x->s;

	explain_note(s, "the coordinator was asked, since the shards did not "
	    "take their rows");
	spread_end(s);
	parts_again(s);
}

void
spread_finish(struct spread *x)
{
	if (x->refused) {
		spread_again(x);
		return;
	}
	if (x->phase == SPREAD_COMMITTING)
		session_write_bump(x->s, true);
	else
		memset(&x->s->writes, 0, sizeof(x->s->writes));
	spread_tell_end(x);
	spread_answered(x);
}

/* ---- going on ----------------------------------------------------------------------- */

static bool
spread_all(const struct spread *x, bool (*is)(const struct spread_part *p))
{
	size_t i;

	for (i = 0; i < x->n_parts; i++)
		if (!is(&x->part[i]))
			return false;
	return true;
}

static bool
part_is_open(const struct spread_part *p)
{
	return p->open;
}

static bool
part_is_loaded(const struct spread_part *p)
{
	return p->loaded;
}

bool
spread_is_quiet(const struct spread *x)
{
	size_t i;

	for (i = 0; i <= x->n_parts; i++)
		if (x->part[i].base.server != NULL ||
		    part_waits(&x->part[i].base))
			return false;
	return true;
}

/* The unit is taken: what follows is data. */
static void
spread_take_data(struct spread *x)
{
	struct session *s = x->s;
	size_t n = s->unit_len;
	struct unit u;

	CHECK(unit_read(&u, buf_head(&s->in), n));
	x->phase = SPREAD_COPYING;
	x->taken = true;
	if (u.has_parse)
		statements_set(&s->prepared, &s->sw->statements,
		    u.parse.name, statement_ref(x->stmt));
	spread_invite(x, &u);
	if (s->state == SESSION_CLOSED)
		return;
	s->unit_len = 0;
	session_enter(s, SESSION_SPREAD_COPY);
	buf_consume(&s->in, n);
	session_pump(s);
}

/* The columns have come; they are those of the data. */
static void
spread_columns_known(struct spread *x)
{
	x->phase = SPREAD_OPENING;
	if (!spread_find_keys(x))
		x->refused = true;
}

static void
spread_step(struct spread *x)
{
	if (x->phase == SPREAD_COLUMNS && x->part[x->n_parts].base.over &&
	    !spread_failing(x))
		spread_columns_known(x);
	while (x->phase == SPREAD_OPENING && !spread_failing(x) &&
	    x->started < x->n_parts && (x->started == 0 ||
	    !part_waits(&x->part[x->started - 1].base)))
		part_lease(&x->part[x->started++].base);
	if (x->unit != NULL)
		return;
	if (x->phase >= SPREAD_PREPARING) {
		spread_commit_step(x);
	} else if (spread_failing(x)) {
		if (spread_is_quiet(x))
			spread_finish(x);
	} else if (x->phase == SPREAD_OPENING && !x->insert &&
	    spread_all(x, part_is_open)) {
		spread_take_data(x);
	} else if ((x->phase == SPREAD_LOADING || x->insert) &&
	    spread_all(x, part_is_loaded)) {
		spread_commit(x);
	}
}

void
spread_data_over(struct spread *x)
{
	struct session *s = x->s;
	size_t i;

	x->phase = SPREAD_LOADING;
	session_enter(s, SESSION_SPREAD_WAIT);
	for (i = 0; i < x->n_parts && !spread_failing(x); i++)
		spread_end_copy(&x->part[i], true);
	spread_step(x);
}

/* ---- failing ---------------------------------------------------------------------------- */

/* What runs is ended, what has been done is undone. */
static void
spread_undo(struct spread_part *p)
{
	struct part *b = &p->base;

	if (p->ending)
		return;
	if (b->server == NULL) {
		if (part_waits(b))
			part_cancel(b);
	} else if (p->open) {
		spread_end_copy(p, false);
	} else if (ledger_empty(&b->server->owed)) {
		spread_rollback(p);
	} else if (!b->server->owed.copy_in && !p->prepares) {
		server_cancel(b->server);
	}
}

void
spread_stop(struct spread *x)
{
	size_t i;

	if (x->phase >= SPREAD_DECIDING)
		return;
	for (i = 0; i <= x->n_parts; i++)
		spread_undo(&x->part[i]);
}

void
spread_fail(struct spread *x, const char *sqlstate, const char *message,
    uint64_t line)
{
	if (spread_failing(x))
		return;
	spread_write_error(x, sqlstate, message, line);
	spread_stop(x);
}

/* Before the client was invited to send, the coordinator may know better. */
static bool
spread_may_refuse(const struct spread *x, struct slice sqlstate)
{
	return x->phase <= SPREAD_OPENING && !part_error_is_outside(sqlstate);
}

/* ---- part_owner ------------------------------------------------------------------------- */

static void
spread_on_error(struct part *base, const char *body, size_t n)
{
	struct spread_part *p = (struct spread_part *)(void *)base;
	struct spread *x = base->of;
	struct wire_error e;

	p->open = false;
	if (!msgread_error(body, n, &e))
		e.sqlstate = SLICE_LIT("XX000");
	if (spread_end_failed(p, &e.sqlstate) || spread_failing(x))
		return;
	if (!msgread_error(body, n, &e))
		spread_fail(x, "XX000", "a shard sent a malformed error", 0);
	else if (spread_may_refuse(x, e.sqlstate))
		x->refused = true;
	else
		spread_take_error(p, body, n);
	spread_stop(x);
}

static void
spread_on_broken(struct part *p, const char *sqlstate, const char *message)
{
	if (!spread_end_failed((struct spread_part *)(void *)p, NULL))
		spread_fail(p->of, sqlstate, message, 0);
}

static void
spread_on_unlike(struct part *p)
{
	struct spread *x = p->of;

	if (spread_failing(x))
		return;
	x->refused = true;
	spread_stop(x);
}

static bool
spread_on_failing(const struct part *p)
{
	return spread_failing(p->of);
}

static void
spread_on_input(struct part *base, const char *data, size_t n)
{
	struct spread_part *p = (struct spread_part *)(void *)base;
	struct spread *x = base->of;
	struct frame f;
	size_t pos;

	for (pos = 0; pos < n; pos += f.size) {
		if (frame_next(data + pos, n - pos, UINT32_MAX, &f) !=
		    FRAME_WHOLE)
			return;
		if (f.type == 'D' && x->phase == SPREAD_COLUMNS)
			spread_add_column(x, f.p, f.body);
		else if (f.type == 'D')
			spread_name(p, f.p, f.body);
		else if (f.type == 'C' && f.body > 5 &&
		    memcmp(f.p, "COPY ", 5) == 0)
			x->done += strtoull(f.p + 5, NULL, 10);
		else if (f.type == 'C' && f.body > 9 &&
		    memcmp(f.p, "INSERT 0 ", 9) == 0)
			x->done += strtoull(f.p + 9, NULL, 10);
		else if (f.type == 'C')
			spread_end_done(p, f.p);
	}
}

static void
spread_on_copy_in(struct part *base)
{
	struct spread_part *p = (struct spread_part *)(void *)base;
	struct spread *x = base->of;

	p->open = true;
	if (spread_failing(x))
		spread_undo(p);
	else
		spread_step(x);
}

static bool
spread_on_ready(struct part *base, char status)
{
	struct spread_part *p = (struct spread_part *)(void *)base;
	struct spread *x = base->of;

	if (status == 'I')
		return !spread_keeps(p);
	/* What should have ended the transaction was cancelled: the end of the
	 * connection does. */
	if (status == 'E' && (p->ending || p->prepares))
		return true;
	if (p->ending || x->phase >= SPREAD_PREPARING)
		return false;
	if (status == 'E' || spread_failing(x)) {
		spread_rollback(p);
		return false;
	}
	p->loaded = true;
	return false;
}

static void
spread_on_step(struct part *p)
{
	spread_step(p->of);
}

/* It takes more: so may the client send. */
static void
spread_on_drained(struct part *p)
{
	struct session *s = p->s;

	if (s->partial_since != 0)
		s->partial_since = clock_mono();
	if (s->state == SESSION_SPREAD_COPY && !spread_is_full(s))
		stream_read_start(&s->st);
}

static const struct part_owner spread_owner = {
	.compose = spread_compose,
	.unlike = spread_on_unlike,
	.input = spread_on_input,
	.failed = spread_on_error,
	.broken = spread_on_broken,
	.failing = spread_on_failing,
	.copy_in = spread_on_copy_in,
	.drained = spread_on_drained,
	.ready = spread_on_ready,
	.step = spread_on_step,
};

/* ---- from the session ---------------------------------------------------------------------- */

/* Bytes of its data mean the same everywhere. */
static bool
spread_is_possible(struct session *s)
{
	const struct scope *scope = settings_scope(s);

	return parts_are_possible(s) && !scope->recoded &&
	    !scope->ascii_tails && !s->other_encoding;
}

/* The key alone says where a row belongs, and every shard takes it as the whole
 * table would. */
static bool
spread_is_direct(const struct conf_variant *v)
{
	size_t i;

	for (i = 0; i < v->n_shards; i++)
		if (v->shards[i].no_read != NULL ||
		    v->shards[i].no_write != NULL)
			return false;
	return v->n_shards > 0 && v->n_periods == 0;
}

/* What is stored may be another value than what is written: the column's scale
 * or precision is not known. */
static bool
spread_is_certain(const struct conf_table *t)
{
	size_t i;

	for (i = 0; i < t->n_keys; i++)
		if (t->keys[i].type == KEY_TYPE_NUMERIC ||
		    t->keys[i].type == KEY_TYPE_TIMESTAMPTZ)
			return false;
	return t->n_keys > 0;
}

static bool
spread_may_copy(const struct query *q)
{
	const struct analysis *a = q->shape->an;
	const struct route_plan *p = q->plan;

	return a->kind == STMT_COPY_IN && p->table != NULL &&
	    p->variant->kind == VARIANT_SHARDED &&
	    spread_is_direct(p->variant) && spread_is_certain(p->table) &&
	    a->n_tables == 1 && a->pins == 0 && (q->bind == NULL ||
	    q->bind->n_params == 0) &&
	    !(a->flags & (AN_MULTI | AN_UNKNOWN_FN | AN_SUBLINK |
	    AN_VOLATILE | AN_READONLY_FN | AN_EXPLAIN_ROUTE));
}

/* Ready to begin with the columns, or what is asked of the shards. NULL: the
 * coordinator's. */
static struct spread *
spread_new_copy(struct session *s, const struct query *q)
{
	struct route_shards all;
	struct copy_spec *spec;
	struct spread *x;
	size_t i;

	if (!spread_may_copy(q) || (spec = copy_spec_new(q->sql)) == NULL)
		return NULL;
	all = route_shards_all(q->plan->variant->n_shards);
	x = spread_make(s, q, &all, false);
	if (x == NULL) {
		copy_spec_free(&spec);
		return NULL;
	}
	x->spec = spec;
	x->phase = spec->n_columns == 0 ? SPREAD_COLUMNS : SPREAD_OPENING;
	if (spec->n_columns > 0)
		x->columns = x_calloc(spec->n_columns, sizeof(*x->columns));
	for (i = 0; i < spec->n_columns; i++)
		x->columns[x->n_columns++] = x_strdup(spec->columns[i]);
	if (spec->n_columns == 0 || spread_find_keys(x))
		return x;
	spread_end(s);
	return NULL;
}

static struct spread *
spread_new_insert(struct session *s, const struct query *q)
{
	struct route_shards shards;
	struct spread *x;

	if (!spread_has_portions(q, &shards))
		return NULL;
	x = spread_make(s, q, &shards, true);
	if (x != NULL)
		x->phase = SPREAD_OPENING;
	return x;
}

/* The first servers could not be had. false: the coordinator's may. */
static bool
spread_failed_at_once(struct spread *x, enum unit_result *r)
{
	struct session *s = x->s;
	bool refused = x->refused;

	memset(&s->writes, 0, sizeof(s->writes));
	*r = UNIT_CLOSED;
	if (!refused)
		spread_tell_end(x);
	if (s->state == SESSION_CLOSED)
		return true;
	spread_end(s);
	session_enter(s, SESSION_IDLE);
	s->no_gather = refused;
	*r = UNIT_DONE;
	return !refused;
}

bool
spread_begin(struct session *s, const struct unit *u, const struct query *q,
    enum unit_result *r)
{
	struct spread *x;

	if ((u->first != 'Q' && !u->canonical) || u->rest > 0 ||
	    !spread_is_possible(s))
		return false;
	x = q->where.splits ? spread_new_insert(s, q) :
	    spread_new_copy(s, q);
	if (x == NULL)
		return false;
	query_note(s, q);
	query_account(s, q, q->where.backend, OUT_BYPASS);
	stat_add(&session_metrics(s)->c.spreads, 1);
	session_enter(s, SESSION_SPREAD_WAIT);
	if (unlikely(s->trail.on))
		trail_asked(s);
	x->unit = u;
	if (x->phase == SPREAD_COLUMNS)
		part_lease(&x->part[x->n_parts].base);
	spread_step(x);
	x->unit = NULL;
	*r = UNIT_WAIT;
	return !spread_failing(x) || !spread_is_quiet(x) ||
	    spread_failed_at_once(x, r);
}

bool
spread_is_full(const struct session *s)
{
	const struct spread *x = s->spread;
	size_t i;

	for (i = 0; x != NULL && i < x->n_parts; i++)
		if (x->part[i].base.server != NULL && stream_backlog(
		    &x->part[i].base.server->st) > STREAM_HIGH_WATER)
			return true;
	return false;
}

void
spread_cancel(struct session *s)
{
	spread_fail(s->spread, "57014",
	    "canceling statement due to user request", 0);
	spread_step(s->spread);
}

void
spread_tick(struct session *s, nsec_t now)
{
	struct spread *x = s->spread;
	const struct part *p = x->phase == SPREAD_COLUMNS ?
	    &x->part[x->n_parts].base : x->started == 0 ? NULL :
	    &x->part[x->started - 1].base;

	if (p == NULL || !part_waits(p) || s->conf->query_wait_timeout == 0 ||
	    now - p->waiter.since <= s->conf->query_wait_timeout)
		return;
	stat_add(&session_metrics(s)->c.wait_timeouts, 1);
	spread_fail(x, "53300", "no server became free within "
	    "query_wait_timeout", 0);
	spread_step(x);
}
