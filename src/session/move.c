/* SPDX-License-Identifier: PostgreSQL
 *
 * Sessions that leave for another process, and those that come from one.
 *
 * A session leaves between two transactions, when all that is known of it can
 * be told (parcel.h): with a copy of its descriptor it is put into a parcel,
 * and ends here without a word to its client.  Until the other process has
 * unpacked it, what the client sends waits in the kernel.  Knows nothing of how
 * parcels travel (session_abroad).  Runs on the session's worker; the counts
 * are for all.
 *
 * Not moved, since it can be had again or is allowed to be lost: which plans
 * and repeated statements are known, what it is measured as (a session that is
 * a unit of an experiment becomes another one), and how far a replica has to
 * be for it: what it has seen counts as seen elsewhere, now.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "session/explain.h"
#include "session/parcel.h"
#include "session/session_priv.h"

static const char *const stay_names[STAY_REASON_COUNT] = {
#define STAY_REASON(sym, name, doc) [STAY_##sym] = name,
#include "tbl/stay_reasons.h"
};

static const char *const stay_docs[STAY_REASON_COUNT] = {
#define STAY_REASON(sym, name, doc) [STAY_##sym] = doc,
#include "tbl/stay_reasons.h"
};

static struct session_abroad abroad;
static _Atomic uint64_t moved, received, refused;
static _Atomic uint64_t closed[STAY_REASON_COUNT];

void
session_abroad_init(const struct session_abroad *a)
{
	abroad = *a;
}

const struct session_abroad *
session_abroad_ops(void)
{
	return &abroad;
}

const char *
session_stay_name(enum stay_reason why)
{
	return stay_names[why];
}

struct session_moves
session_moves(void)
{
	struct session_moves m = { .left = atomic_load(&moved),
		.came = atomic_load(&received),
		.refused = atomic_load(&refused) };
	unsigned i;

	for (i = 0; i < STAY_REASON_COUNT; i++)
		m.closed[i] = atomic_load(&closed[i]);
	return m;
}

/* ---- leaving ---------------------------------------------------------------- */

static void
stay_statement(void *arg, struct slice name PG_UNUSED, struct statement *st)
{
	if (st->told && st->epoch > 0 && st->epoch != session_statement_epoch())
		*(bool *)arg = true;
}

/* STAY_REASON_COUNT: nothing holds it. */
static enum stay_reason
session_stays(const struct session *s)
{
	bool outdated = false;

	if (s->console != NULL)
		return STAY_CONSOLE;
	if (s->login != NULL || s->db == NULL || s->state == SESSION_WELCOME)
		return STAY_LOGIN;
	if (s->tls)
		return STAY_TLS;
	if (s->tx != 'I' || s->state != SESSION_IDLE || s->open_unit ||
	    s->body_left > 0 || s->unit_len > 0 || s->skip_to_sync ||
	    s->leaving || s->pumping || !TAILQ_EMPTY(&s->parsing) ||
	    s->held_begin != NULL || s->writes.any || s->mirroring != NULL ||
	    explain_runs(s) || settings_are_open(s))
		return STAY_TRANSACTION;
	if (s->listening != NULL)
		return STAY_LISTEN;
	if (s->server != NULL || session_is_pinned(s) || s->native ||
	    s->hidden != 0)
		return STAY_SERVER;
	if (!stream_is_open(&s->st) || stream_backlog(&s->st) > 0)
		return STAY_UNREAD;
	/* It would read in Redis, from there, what was before its own write. */
	if (!l2_is_settled())
		return STAY_REDIS;
	statements_each(&s->prepared, stay_statement, &outdated);
	return outdated ? STAY_STATEMENTS : STAY_REASON_COUNT;
}

struct pack {
	struct buf statements, vars;
	uint32_t n_statements;
	bool failed;
};

static void
pack_statement(void *arg, struct slice name, struct statement *st)
{
	struct pack *k = arg;
	const struct parcel_statement out = { .name = name, .sql = st->sql,
		.types = st->types, .declared = st->declared,
		.named = st->epoch > 0, .told = st->told };

	k->failed |= !parcel_add_statement(&k->statements, &out);
	k->n_statements++;
}

static struct slice
pack_text(const char *s)
{
	return s != NULL ? slice_str(s) : slice_make("", 0);
}

static void
pack_names(const struct session *s, struct parcel *p)
{
	const struct credentials *own = s->own;

	p->text[PARCEL_USER] = pack_text(s->user);
	p->text[PARCEL_DATABASE] = pack_text(s->dbname);
	p->text[PARCEL_PEER] = pack_text(s->peer);
	p->text[PARCEL_APP_NAME] = pack_text(s->app_name);
	p->text[PARCEL_APP_BORN] = pack_text(s->app_born);
	p->text[PARCEL_STARTUP] = slice_make(s->startup, s->startup_len);
	p->text[PARCEL_SECRET] = slice_make(s->cancel_secret, s->cancel_len);
	p->text[PARCEL_INPUT] = slice_make(buf_head(&s->in), buf_len(&s->in));
	p->text[PARCEL_PASSWORD] = pack_text(own != NULL ? own->password :
	    NULL);
	p->text[PARCEL_CLIENT_KEY] = pack_text(own != NULL ? own->client_key :
	    NULL);
	p->text[PARCEL_SERVER_KEY] = pack_text(own != NULL ? own->server_key :
	    NULL);
}

static bool
session_pack(const struct session *s, struct buf *out)
{
	const struct vars *vars = s->set.vars;
	struct pack k = { .failed = false };
	struct parcel p = { .born = s->born, .queries = s->queries,
		.cancel_pid = (uint32_t)s->cancel_pid,
		.renamed = s->app_born != NULL, .app_news = s->app_news,
		.own = s->own != NULL, .backslashes = s->backslashes,
		.other_encoding = s->other_encoding };
	bool ok;
	size_t i;

	buf_init(&k.statements, PARCEL_MAX);
	buf_init(&k.vars, PARCEL_MAX);
	for (i = 0; vars != NULL && i < vars->n; i++)
		k.failed |= !parcel_add_var(&k.vars, vars->var[i].name,
		    vars->var[i].value);
	if (s->prepared.unnamed != NULL)
		pack_statement(&k, slice_make("", 0), s->prepared.unnamed);
	statements_each(&s->prepared, pack_statement, &k);
	pack_names(s, &p);
	p.n_vars = vars != NULL ? (uint32_t)vars->n : 0;
	p.vars = slice_make(buf_head(&k.vars), buf_len(&k.vars));
	p.n_statements = k.n_statements;
	p.statements = slice_make(buf_head(&k.statements),
	    buf_len(&k.statements));
	ok = !k.failed && parcel_write(out, &p);
	buf_reset(&k.statements);
	buf_reset(&k.vars);
	return ok;
}

enum stay_reason
session_move(struct session *s)
{
	enum stay_reason why = session_stays(s);
	struct buf out;
	int fd;

	if (why != STAY_REASON_COUNT)
		return why;
	buf_init(&out, PARCEL_MAX);
	fd = fcntl(s->st.fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0 || !session_pack(s, &out)) {
		if (fd >= 0)
			close(fd);
		buf_wipe(&out);
		return STAY_FILES;
	}
	if (!abroad.move(&out, fd))
		return STAY_CHANNEL;
	atomic_fetch_add(&moved, 1);
	session_close(s, CLOSE_MOVED, NULL);
	return STAY_REASON_COUNT;
}

/* The time for moving is over. */
static void
session_move_close(struct session *s, enum stay_reason why)
{
	char detail[256];

	atomic_fetch_add(&closed[why], 1);
	snprintf(detail, sizeof(detail), "This client could not be moved to "
	    "the new process: %s.", stay_docs[why]);
	session_close(s, CLOSE_TAKEOVER, detail);
}

/* Those who asked on the console for all this get their answer first. */
static void
session_move_console(struct session *s, nsec_t now)
{
	if (s->state == SESSION_IDLE && now - s->since > NSEC_PER_SEC / 2)
		session_close(s, CLOSE_SHUTDOWN, NULL);
}

void
session_move_tick(struct session_worker *sw, nsec_t now)
{
	struct session *s, *next;
	enum stay_reason why;

	for (s = TAILQ_FIRST(&sw->sessions); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (s->console != NULL) {
			session_move_console(s, now);
			continue;
		}
		why = session_move(s);
		if (why != STAY_REASON_COUNT && sw->draining &&
		    session_may_drain(s))
			session_move_close(s, why);
	}
}

void
session_yield(struct worker *w, bool on)
{
	struct session_worker *sw = w->sessions;

	/* What is here may have missed a write of the other process. */
	if (sw->yields && !on) {
		l1_flush(session_layer_l1());
		tag_bump(TAG_ALL);
	}
	sw->yields = on;
}

void
session_move_all(struct worker *w)
{
	struct session_worker *sw = w->sessions;

	sw->moving = true;
	session_move_tick(sw, clock_mono());
}

bool
session_boundary(struct session *s)
{
	enum stay_reason why;

	if (s->sw->moving) {
		/* While its input is at work, some of it is nowhere yet: a
		 * tick sees to it. */
		why = s->pumping ? STAY_TRANSACTION : session_move(s);
		if (why != STAY_REASON_COUNT && (s->pumping ||
		    !s->sw->draining))
			return false;
		if (why != STAY_REASON_COUNT)
			session_move_close(s, why);
		return true;
	}
	session_close(s, CLOSE_SHUTDOWN, NULL);
	return true;
}

/* ---- coming ------------------------------------------------------------------ */

static char *
unpack_text(struct slice s)
{
	return x_strndup(s.p, s.n);
}

static void
unpack_names(struct session *s, const struct parcel *p)
{
	s->user = unpack_text(p->text[PARCEL_USER]);
	s->dbname = unpack_text(p->text[PARCEL_DATABASE]);
	s->app_name = unpack_text(p->text[PARCEL_APP_NAME]);
	if (p->renamed)
		s->app_born = unpack_text(p->text[PARCEL_APP_BORN]);
	s->app_news = p->app_news;
	s->startup_len = p->text[PARCEL_STARTUP].n;
	s->startup = x_malloc(s->startup_len + 1);
	memcpy(s->startup, p->text[PARCEL_STARTUP].p, s->startup_len);
	s->backslashes = p->backslashes;
	s->other_encoding = p->other_encoding;
	s->queries = p->queries;
}

static void
unpack_own(struct session *s, const struct parcel *p)
{
	if (!p->own)
		return;
	s->own = x_calloc(1, sizeof(*s->own));
	s->own->clients_own = true;
	if (p->text[PARCEL_PASSWORD].n > 0)
		s->own->password = unpack_text(p->text[PARCEL_PASSWORD]);
	if (p->text[PARCEL_CLIENT_KEY].n == 0)
		return;
	s->own->client_key = unpack_text(p->text[PARCEL_CLIENT_KEY]);
	s->own->server_key = unpack_text(p->text[PARCEL_SERVER_KEY]);
}

/* false: there are more than fit into one set. */
static bool
unpack_vars(struct session *s, const struct parcel *p)
{
	struct var change[VARS_MAX];
	struct slice name, value;
	size_t n = 0, i;
	struct msgread r;
	bool ok;

	if (p->n_vars == 0)
		return true;
	msgread_init(&r, p->vars.p, p->vars.n);
	while (n < VARS_MAX && parcel_next_var(&r, &name, &value))
		change[n++] = (struct var){ unpack_text(name),
			unpack_text(value) };
	ok = msgread_done(&r) && vars_change(&s->set.vars, change, n);
	for (i = 0; i < n; i++) {
		free((char *)(uintptr_t)change[i].name);
		free((char *)(uintptr_t)change[i].value);
	}
	return ok;
}

static bool
unpack_statements(struct session *s, const struct parcel *p)
{
	struct statement_table *t = &s->sw->statements;
	struct parcel_statement in;
	struct statement *st;
	struct msgread r;

	msgread_init(&r, p->statements.p, p->statements.n);
	while (parcel_next_statement(&r, &in)) {
		if (statements_find(&s->prepared, in.name) != NULL)
			return false;
		st = statement_get(t, in.sql, NULL, in.types, in.declared,
		    in.named ? session_statement_epoch() : 0);
		if (st == NULL)
			return false;
		st->told |= in.told;
		statements_set(&s->prepared, t, in.name, st);
		if (s->prepared.no_memory)
			return false;
	}
	return true;
}

/* The places it has taken already: limits are for those who come new. */
static void
unpack_places(struct session *s)
{
	const char *port = strrchr(s->peer, ':');
	char *address;

	s->places[QUOTA_DATABASE] = quota_take(QUOTA_DATABASE, s->dbname, 0);
	s->places[QUOTA_USER] = quota_take(QUOTA_USER, s->user, 0);
	if (port == NULL)
		return;
	address = x_strndup(s->peer, (size_t)(port - s->peer));
	s->places[QUOTA_ADDRESS] = quota_take(QUOTA_ADDRESS, address, 0);
	free(address);
}

static bool
session_unpack(struct session *s, const struct parcel *p)
{
	unpack_names(s, p);
	unpack_own(s, p);
	unpack_places(s);
	s->limits = conf_find_user(s->conf, s->user);
	if (!cancel_restore(s, p->cancel_pid, p->text[PARCEL_SECRET])) {
		session_close(s, CLOSE_TAKEOVER, NULL);
		return false;
	}
	s->db = conf_find_database(s->conf, s->dbname);
	if (s->db == NULL) {
		session_close(s, CLOSE_CONFIG, NULL);
		return false;
	}
	session_set_dbstate(s, dbstate_get(s->db->name));
	session_set_home(s, session_pool(s, s->db->backend));
	if (s->home == NULL || !unpack_vars(s, p) ||
	    !unpack_statements(s, p) || !buf_append(&s->in,
	    p->text[PARCEL_INPUT].p, p->text[PARCEL_INPUT].n)) {
		session_close(s, CLOSE_MEMORY, NULL);
		return false;
	}
	session_wish_settle(s);
	lag_read_elsewhere(&s->reader, clock_mono());
	return true;
}

static void
session_come(struct worker *w, int fd, const struct parcel *p)
{
	char *peer = unpack_text(p->text[PARCEL_PEER]);
	struct session *s = session_new(w, fd, peer);

	free(peer);
	if (p->born < s->born)
		s->born = p->born;
	if (!session_unpack(s, p)) {
		atomic_fetch_add(&refused, 1);
		return;
	}
	atomic_fetch_add(&received, 1);
	session_enter(s, SESSION_IDLE);
	session_pump(s);
}

struct come_message {
	struct message m;
	int fd;
	struct buf bytes;
};

static void
come_run(struct worker *w, struct message *m)
{
	struct come_message *cm = (struct come_message *)(void *)m;
	struct parcel p;

	CHECK(parcel_read(buf_head(&cm->bytes), buf_len(&cm->bytes), &p));
	session_come(w, cm->fd, &p);
	buf_wipe(&cm->bytes);
	free(cm);
}

bool
session_adopt(struct worker *w, int fd, struct buf *bytes)
{
	struct come_message *cm;
	struct parcel p;

	if (!parcel_read(buf_head(bytes), buf_len(bytes), &p)) {
		close(fd);
		buf_wipe(bytes);
		return false;
	}
	cm = x_calloc(1, sizeof(*cm));
	cm->m.run = come_run;
	cm->fd = fd;
	cm->bytes = *bytes;
	buf_init(bytes, 0);
	worker_post(w, &cm->m);
	return true;
}
