/* SPDX-License-Identifier: PostgreSQL
 *
 * Mirrored writes: noting, numbers, what becomes of a transaction.
 *
 * Knows nothing of how arms are given what they get: mirror_lane.c does.
 */
#include "session/mirroring.h"

#include <stdlib.h>
#include <string.h>

#include "conf/trial.h"
#include "experiment/board.h"
#include "experiment/mirror.h"
#include "pgwire/msgwrite.h"
#include "session/explain.h"
#include "session/mirror_lane.h"
#include "session/question.h"

#define MIRRORING_MAX ((size_t)64 << 20) /* of a transaction, bytes */
#define MIRRORING_TEXT ((size_t)32 << 20) /* of a statement */
#define MIRRORING_WRITES 100000
#define MIRRORING_SAVEPOINT UINT8_MAX /* in place of an experiment's */

struct mirrored_write {
	TAILQ_ENTRY(mirrored_write) link;
	unsigned index;  /* of those since the last ReadyForQuery */
	bool done;
	uint8_t at;      /* place of its experiment; or MIRRORING_SAVEPOINT, and
	                    then it has a text only */
	uint8_t shape;
	bool unsure;
	bool counts;     /* its tag tells all that it has changed */
	uint64_t digest;
	char tag[LANE_TAG];
	char *text;
	struct aside *ask[CONF_ARMS_MAX];
};

enum mirroring_phase { MIRRORING_RUNS, MIRRORING_COMMITS, MIRRORING_UNDOES };

struct mirroring {
	TAILQ_HEAD(mirrored_writes, mirrored_write) writes;
	size_t n, bytes;
	bool too_much;      /* nothing of the transaction can be handed on */
	bool committed;     /* a COMMIT has completed */
	bool numbered, crowded;
	uint64_t number[CONF_EXPERIMENTS_MAX]; /* 0: none */
	/* of a transaction of ours: */
	enum mirroring_phase phase;
	bool simple;        /* of a Query */
	bool counted, delivers; /* ... and it was committed */
	size_t row_left;    /* of a row that is passing */
	struct buf tail;    /* CommandComplete that waits for the commit */
};

static const struct hash128 no_hash;

/* ---- birth and death ---- */

static struct mirroring *
mirroring_get(struct session *s)
{
	struct mirroring *m = s->mirroring;

	if (m != NULL)
		return m;
	s->mirroring = m = x_calloc(1, sizeof(*m));
	TAILQ_INIT(&m->writes);
	buf_init(&m->tail, 4096);
	return m;
}

static void
mirrored_free(struct mirroring *m, struct mirrored_write *w)
{
	unsigned i;

	TAILQ_REMOVE(&m->writes, w, link);
	for (i = 0; i < CONF_ARMS_MAX; i++)
		aside_free(&w->ask[i]);
	free(w->text);
	free(w);
}

static void
mirroring_forget(struct mirroring *m)
{
	struct mirrored_write *w;

	while ((w = TAILQ_FIRST(&m->writes)) != NULL)
		mirrored_free(m, w);
	m->n = m->bytes = 0;
}

static void
mirroring_free(struct session *s)
{
	struct mirroring *m = s->mirroring;

	s->mirroring = NULL;
	s->wraps = false;
	mirroring_forget(m);
	buf_reset(&m->tail);
	free(m);
}

static void
mirroring_count(const struct session *s, const struct conf_experiment *e,
    enum board_count what)
{
	unsigned arm;

	for (arm = 1; arm < e->n_arms; arm++)
		board_count(e->run->board, s->sw->w->id, arm, what);
}

static bool
mirroring_is_on(const struct conf_experiment *e)
{
	return e->writes == CONF_WRITES_ALL && conf_experiment_runs(e) &&
	    e->run->mirror != NULL;
}

/* ---- noting ---- */

/* Nothing but the experiment's table is written, by words that are one
 * statement's. */
static bool
mirroring_can(const struct query *q, const struct conf_experiment *e)
{
	const struct analysis *an = q->shape->an;
	size_t i;

	if ((!analysis_is_planned(an) && an->kind != STMT_TRUNCATE) ||
	    (an->flags & (AN_MULTI | AN_WRITES_ALL | AN_EXPLAIN_ROUTE)) ||
	    q->plan->tables == NULL)
		return false;
	for (i = 0; i < an->n_tables; i++)
		if (an->tables[i].written && q->plan->tables[i] != e->table)
			return false;
	return true;
}

void
mirroring_mark(struct query *q, const struct conf_experiment *e)
{
	const struct analysis *an = q->shape->an;
	bool writes = false;
	size_t i;

	if (!mirroring_is_on(e))
		return;
	for (i = 0; i < an->n_tables; i++)
		writes |= an->tables[i].written;
	q->mirrors = writes && mirroring_can(q, e);
	q->unmirrored = !q->mirrors && (writes ||
	    (an->flags & (AN_WRITES | AN_WRITES_ALL)) != 0);
}

/* It writes one table, and is no SELECT with a WITH. */
static bool
mirroring_counts(const struct analysis *an)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < an->n_tables; i++)
		n += an->tables[i].written;
	return n == 1 && (an->kind == STMT_INSERT || an->kind == STMT_UPDATE ||
	    an->kind == STMT_DELETE || an->kind == STMT_MERGE);
}

static void
mirroring_add(struct session *s, const struct query *q, unsigned index)
{
	const struct conf_experiment *e = q->experiment;
	struct mirroring *m = mirroring_get(s);
	struct mirrored_write *w = x_calloc(1, sizeof(*w));
	struct slice bind = q->stmt != NULL && q->bind != NULL ?
	    q->bind->rest : slice_make(NULL, 0);
	unsigned at = q->plan->experiment_at, arm;

	w->index = index;
	w->at = (uint8_t)at;
	w->shape = (uint8_t)q->plan->board_shape;
	w->unsure = (q->shape->an->flags & (AN_STABLE | AN_VOLATILE |
	    AN_UNKNOWN_FN | AN_READONLY_FN)) != 0;
	w->counts = mirroring_counts(q->shape->an);
	w->digest = hash_mix(hash_bytes(q->sql.p, q->sql.n),
	    hash_bytes(bind.p, bind.n)).lo;
	TAILQ_INSERT_TAIL(&m->writes, w, link);
	for (arm = 1; arm < e->n_arms; arm++) {
		w->ask[arm] = question_new(s, q, query_plan_of(s, q->shape,
		    s->db->views[at * CONF_ARMS_MAX + arm]), bind, false,
		    MIRRORING_TEXT);
		if (w->ask[arm] != NULL)
			m->bytes += sizeof(*w) + aside_size(w->ask[arm]);
		else
			board_count(e->run->board, s->sw->w->id, arm,
			    BOARD_UNMIRRORED);
	}
	m->too_much |= ++m->n > MIRRORING_WRITES ||
	    m->bytes > MIRRORING_MAX;
}

/* Arms have savepoints where the control has them. */
static void
mirroring_add_savepoint(struct session *s, const struct query *q,
    unsigned index)
{
	struct mirroring *m = mirroring_get(s);
	struct mirrored_write *w = x_calloc(1, sizeof(*w));

	w->index = index;
	w->at = MIRRORING_SAVEPOINT;
	w->text = x_strndup(q->sql.p, q->sql.n);
	TAILQ_INSERT_TAIL(&m->writes, w, link);
	m->bytes += sizeof(*w) + q->sql.n;
	m->too_much |= ++m->n > MIRRORING_WRITES ||
	    m->bytes > MIRRORING_MAX;
}

/* Of each experiment whose table was written, before the commit is sent. */
static void
mirroring_number(struct session *s)
{
	struct mirroring *m = s->mirroring;
	const struct mirrored_write *w;
	const struct conf_experiment *e;
	bool crowded;

	TAILQ_FOREACH(w, &m->writes, link) {
		if (w->at == MIRRORING_SAVEPOINT || m->number[w->at] != 0)
			continue;
		e = s->db->experiments[w->at];
		m->number[w->at] = mirror_take(e->run->mirror, &crowded);
		m->crowded |= crowded;
		m->numbered = true;
	}
}

void
mirroring_note(struct session *s, const struct query *q, unsigned index)
{
	const struct conf_database *db = s->db;
	bool on = false;
	size_t i;

	for (i = 0; i < db->n_experiments; i++)
		on |= mirroring_is_on(db->experiments[i]);
	if (!on)
		return;
	if (q->mirrors) {
		mirroring_add(s, q, index);
		/* It commits with its group, not when we say so. */
		if (s->tx == 'I' && !s->wraps)
			mirroring_number(s);
		return;
	}
	if ((q->shape->an->flags & AN_SAVEPOINT) && s->tx != 'I')
		mirroring_add_savepoint(s, q, index);
	else if ((q->shape->an->flags & AN_TX_END) && s->mirroring != NULL)
		mirroring_number(s);
	if (q->unmirrored)
		mirroring_count(s, q->experiment, BOARD_UNMIRRORED);
	else if ((q->shape->an->flags & AN_WRITES_ALL) ||
	    q->shape->an->kind == STMT_UNPARSED)
		for (i = 0; i < db->n_experiments; i++)
			if (mirroring_is_on(db->experiments[i]))
				mirroring_count(s, db->experiments[i],
				    BOARD_UNMIRRORED);
}

static bool
mirroring_is_none(const char *tag)
{
	size_t n = strlen(tag);

	return n > 2 && strcmp(tag + n - 2, " 0") == 0;
}

void
mirroring_completed(struct session *s, const char *tag, unsigned index)
{
	struct mirroring *m = s->mirroring;
	struct mirrored_write *w;

	if (strcmp(tag, "COMMIT") == 0)
		m->committed = true;
	/* Somebody may commit it some time. */
	if (strcmp(tag, "PREPARE TRANSACTION") == 0)
		m->committed = m->too_much = true;
	TAILQ_FOREACH_REVERSE(w, &m->writes, mirrored_writes, link)
		if (!w->done && w->index == index)
			break;
	if (w == NULL)
		return;
	w->done = true;
	strncpy(w->tag, tag, sizeof(w->tag) - 1);
	/* What has changed nothing has waited for nobody, and its place among
	 * others is not that of its number. */
	if (w->counts && mirroring_is_none(tag))
		mirrored_free(m, w);
}

void
mirroring_completed_own(struct session *s, const char *tag)
{
	if (s->wraps && strcmp(tag, "COMMIT") == 0)
		s->mirroring->committed = true;
}

/* ---- handing on ---- */

/* What one backend of the arm gets, in one transaction: with all savepoints, so that
 * what the control has undone is undone there. */
static void
mirroring_fill(struct session *s, unsigned at, unsigned arm,
    struct pool *pool, struct lane_work *x)
{
	struct mirrored_write *w;
	struct aside *ask;

	lane_work_begin(x);
	TAILQ_FOREACH(w, &s->mirroring->writes, link) {
		ask = NULL;
		if (w->at == MIRRORING_SAVEPOINT) {
			ask = aside_new(s, pool, KEY_SIMPLE,
			    slice_str(w->text), slice_make(NULL, 0),
			    slice_make(NULL, 0), MIRRORING_TEXT);
		} else if (w->at == at && w->ask[arm] != NULL &&
		    aside_pool(w->ask[arm]) == pool) {
			ask = w->ask[arm];
			w->ask[arm] = NULL;
		}
		if (ask != NULL)
			lane_work_add(x, ask, w->tag, w->shape, w->digest);
	}
}

/* The arm's part of an experiment at this place; NULL: nothing. */
static struct lane_work *
mirroring_work(struct session *s, unsigned at, unsigned arm)
{
	const struct conf_experiment *e = s->db->experiments[at];
	struct lane_work *x = NULL;
	struct mirrored_write *w;

	TAILQ_FOREACH(w, &s->mirroring->writes, link) {
		if (w->at != at || w->ask[arm] == NULL)
			continue;
		if (x == NULL)
			x = lane_work_new(e, arm);
		mirroring_fill(s, at, arm, aside_pool(w->ask[arm]), x);
	}
	return x;
}

static void
mirroring_settle(struct session *s, unsigned at, bool committed)
{
	const struct conf_experiment *e = s->db->experiments[at];
	struct mirroring *m = s->mirroring;
	void *what[ARMS_MAX] = { NULL };
	struct mirror *mirror = e->run->mirror;
	uint64_t number = m->number[at];
	unsigned arm;
	size_t bytes = m->bytes;

	m->number[at] = 0;
	for (arm = 1; committed && arm < e->n_arms; arm++)
		what[arm] = mirroring_work(s, at, arm);
	if (committed) {
		s->trial[at].wrote = number;
		s->trial[at].wrote_in = mirror;
	}
	lane_wake(e, mirror_settle(mirror, number, what, bytes));
}

static void
mirroring_count_writes(struct session *s, enum board_count what,
    bool only_unsure)
{
	const struct mirrored_write *w;

	TAILQ_FOREACH(w, &s->mirroring->writes, link)
		if (w->at != MIRRORING_SAVEPOINT && (!only_unsure ||
		    w->unsure))
			mirroring_count(s, s->db->experiments[w->at], what);
}

/* The order of what commits in its own time is not certain beside others. */
static bool
mirroring_is_certain(const struct session *s)
{
	const struct mirroring *m = s->mirroring;
	size_t i;

	if (m->crowded)
		return false;
	for (i = 0; i < s->db->n_experiments; i++)
		if (m->number[i] != 0 && !mirror_is_alone(
		    s->db->experiments[i]->run->mirror, m->number[i]))
			return false;
	return true;
}

/* The transaction is over. orderly: its number was taken between its last answer and its
 * commit. */
static void
mirroring_over(struct session *s, bool committed, bool orderly)
{
	struct mirroring *m = s->mirroring;
	size_t i;

	if (committed && m->too_much)
		mirroring_count_writes(s, BOARD_UNMIRRORED, false);
	else if (committed)
		mirroring_count_writes(s, BOARD_UNSURE, orderly ||
		    mirroring_is_certain(s));
	for (i = 0; i < s->db->n_experiments; i++)
		if (m->number[i] != 0)
			mirroring_settle(s, (unsigned)i, committed &&
			    !m->too_much);
	mirroring_forget(m);
	m->numbered = m->crowded = m->committed = m->too_much = false;
}

/* The group was no whole transaction: its number was taken too early. */
static void
mirroring_give_up_numbers(struct session *s)
{
	struct mirroring *m = s->mirroring;
	size_t i;

	for (i = 0; i < s->db->n_experiments; i++)
		if (m->number[i] != 0)
			mirroring_settle(s, (unsigned)i, false);
	m->numbered = m->crowded = false;
}

/* Statements of the group that have not completed have done nothing, or (no error
 * came) were not run as often as they were bound. */
static void
mirroring_prune(struct session *s, bool erred)
{
	struct mirroring *m = s->mirroring;
	struct mirrored_write *w, *next;

	for (w = TAILQ_FIRST(&m->writes); w != NULL; w = next) {
		next = TAILQ_NEXT(w, link);
		if (w->done)
			continue;
		if (!erred && w->at != MIRRORING_SAVEPOINT)
			mirroring_count(s, s->db->experiments[w->at],
			    BOARD_UNMIRRORED);
		mirrored_free(m, w);
	}
}

void
mirroring_synced(struct session *s, char status, bool erred)
{
	struct mirroring *m = s->mirroring;
	bool wrapped = s->wraps, alone = s->tx == 'I' && !wrapped;

	mirroring_prune(s, erred);
	m->counted = true;
	m->delivers = m->committed || m->phase == MIRRORING_RUNS;
	if (status == 'I')
		mirroring_over(s, m->committed || (alone && !erred),
		    !alone);
	else if (m->committed) /* AND CHAIN */
		mirroring_over(s, true, true);
	else if (m->numbered)
		mirroring_give_up_numbers(s);
	if (status == 'I' && !wrapped)
		mirroring_free(s);
}

bool
mirroring_is_counted(const struct session *s)
{
	return s->mirroring->counted;
}

void
mirroring_drop(struct session *s)
{
	struct mirroring *m = s->mirroring;

	if (m == NULL)
		return;
	/* What became of it nobody will know. */
	if (m->numbered)
		mirroring_count_writes(s, BOARD_UNSURE, false);
	mirroring_give_up_numbers(s);
	mirroring_free(s);
}

bool
mirroring_is_ahead(const struct session *s, const struct conf_experiment *e,
    unsigned at, unsigned arm)
{
	const struct session_trial *t = &s->trial[at];

	return e->writes == CONF_WRITES_ALL && t->wrote != 0 &&
	    t->wrote_in == e->run->mirror &&
	    mirror_applied(e->run->mirror, arm) < t->wrote;
}

/* ---- transactions of ours ---- */

void
mirroring_wrap(struct session *s, const struct unit *u, uint32_t flags)
{
	const struct server *srv = s->server;

	if (s->tx != 'I' || s->open_unit || s->held_begin != NULL ||
	    srv->tx != 'I' || !ledger_empty(&srv->owed) ||
	    (u->first != 'Q' && u->last != 'S') || u->rest > 0 ||
	    explain_runs(s) ||
	    (flags & (AN_TX_BEGIN | AN_TX_END | AN_SAVEPOINT | AN_MULTI)))
		return;
	mirroring_get(s)->simple = u->first == 'Q';
	s->wraps = true;
	s->held_begin = x_strdup("BEGIN");
	s->held_extended = false;
}

bool
mirroring_holds(struct session *s, char status)
{
	return s->wraps && status != 'I';
}

void
mirroring_pass(struct session *s, const char *p, size_t n)
{
	struct mirroring *m = s->mirroring;
	const char *end = p + n, *from = p;
	struct frame f;
	size_t here;

	if (m->row_left > 0) {
		here = m->row_left < n ? m->row_left : n;
		m->row_left -= here;
		p += here;
	}
	for (; p < end; p += here) {
		if (frame_next(p, (size_t)(end - p), UINT32_MAX, &f) ==
		    FRAME_NEED_MORE)
			break; /* never: headers come whole */
		here = f.size < (size_t)(end - p) ? f.size :
		    (size_t)(end - p);
		m->row_left = f.size - here;
		if (f.type != 'Z' && (f.type != 'C' || !m->simple))
			continue;
		if (from < p)
			session_send(s, from, (size_t)(p - from));
		from = p + here;
		if (s->state == SESSION_CLOSED)
			return;
		if (f.type == 'C')
			CHECK(buf_append(&m->tail, p, here));
	}
	if (from < end)
		session_send(s, from, (size_t)(end - from));
}

static bool
mirroring_ask(struct session *s, struct slice sql, unsigned flags)
{
	struct buf *c = &s->sw->compose;
	struct msgwrite w;
	struct iovec iov;

	buf_consume(c, buf_len(c));
	msgwrite_init(&w, c);
	msgwrite_query(&w, sql);
	if (w.failed || !server_owe(s->server, OWED_QUERY, flags, no_hash)) {
		session_close(s, CLOSE_MEMORY, NULL);
		return true;
	}
	s->server->has_unnamed = false;
	iov = (struct iovec){ buf_head(c), buf_len(c) };
	(void)!server_send(s->server, &iov, 1);
	return true;
}

bool
mirroring_asks(struct session *s, char status)
{
	struct mirroring *m = s->mirroring;

	if (m->phase != MIRRORING_RUNS || status == 'I')
		return false;
	if (status == 'E') {
		m->phase = MIRRORING_UNDOES;
		return mirroring_ask(s, SLICE_LIT("ROLLBACK"), LEDGER_HIDE);
	}
	mirroring_number(s);
	m->phase = MIRRORING_COMMITS;
	return mirroring_ask(s, SLICE_LIT("COMMIT"), LEDGER_HIDE |
	    LEDGER_STEP);
}

void
mirroring_tell(struct session *s)
{
	struct mirroring *m = s->mirroring;
	struct buf b;
	struct msgwrite w;

	buf_init(&b, 4096 + 16);
	if (m->phase != MIRRORING_UNDOES && m->delivers)
		CHECK(buf_append(&b, buf_head(&m->tail), buf_len(&m->tail)));
	msgwrite_init(&w, &b);
	msgwrite_ready(&w, 'I');
	CHECK(!w.failed);
	mirroring_free(s);
	session_send(s, buf_head(&b), buf_len(&b));
	buf_reset(&b);
}
