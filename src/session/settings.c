/* SPDX-License-Identifier: PostgreSQL
 *
 * Settings that follow a session: noting, asking, replaying.
 *
 * Knows what statements may change and how servers are told; not who pools
 * them.  Runs on the session's worker.  Invariant: a server in a pool stands
 * at its own set (server.vars); one that is leased stands at the session's
 * while nothing is touched or asked.
 */
#include "session/settings.h"

#include <stdlib.h>
#include <string.h>

#include "session/session_priv.h"

#define NAMES_MAX 32
#define NAME_MAX_LEN 63
#define QUERY_BYTES (64 * 1024)

static const struct hash128 no_hash;

static const char *const untracked[] = {
#define UNTRACKED_SETTING(name) #name,
#include "tbl/untracked_settings.h"
};

/* ---- names ---------------------------------------------------------------------- */

static void
names_clear(struct setting_names *l)
{
	free(l->p);
	*l = (struct setting_names){ 0 };
}

/* The first, or the one behind; NULL: no more. */
static const char *
names_next(const struct setting_names *l, const char *name)
{
	const char *next = name == NULL ? l->p : name + strlen(name) + 1;

	return l->count > 0 && next < l->p + l->n ? next : NULL;
}

static bool
names_have(const struct setting_names *l, const char *name)
{
	const char *p;

	for (p = names_next(l, NULL); p != NULL; p = names_next(l, p))
		if (strcmp(p, name) == 0)
			return true;
	return false;
}

/* false: there are too many. */
static bool
names_add(struct setting_names *l, const char *name)
{
	size_t n = strlen(name) + 1;
	char *p;

	if (names_have(l, name))
		return true;
	if (l->count == NAMES_MAX)
		return false;
	p = x_malloc(l->n + n);
	if (l->n > 0)
		memcpy(p, l->p, l->n);
	memcpy(p + l->n, name, n);
	free(l->p);
	l->p = p;
	l->n += n;
	l->count++;
	l->shapes |= !vars_is_harmless(name);
	return true;
}

/* ---- noting ----------------------------------------------------------------------- */

/* It goes into statements of ours as it is, and its value can be had. */
static bool
name_is_tracked(const char *name)
{
	size_t i;

	if (strlen(name) > NAME_MAX_LEN ||
	    name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.$")] !=
	    '\0')
		return false;
	for (i = 0; i < ARRAY_SIZE(untracked); i++)
		if (strcmp(name, untracked[i]) == 0)
			return false;
	return true;
}

/* The server's application_name may become that of its own connection: the client
 * shall see the one that it came with. */
static void
settings_reset_app(struct session *s)
{
	s->set.app_reset = true;
	s->over |= OVER_ASKED;
}

static void
settings_touch(struct session *s, const char *name, bool reset)
{
	/* Each server is told it before a statement, and tells when it
	 * changes; those of the transaction end with it. */
	if (strcmp(name, "application_name") == 0) {
		if (reset)
			settings_reset_app(s);
		return;
	}
	if (strncmp(name, "transaction_", 12) == 0)
		return;
	if (!name_is_tracked(name) || !names_add(&s->set.touched, name)) {
		session_pin(s, PIN_BIT(PIN_SETTING));
		return;
	}
	s->set.touched.resets |= reset;
}

static void
settings_touch_all(struct session *s)
{
	const struct vars *v = s->set.vars;
	const char *p;
	size_t i;

	for (i = 0; v != NULL && i < v->n; i++)
		settings_touch(s, v->var[i].name, true);
	for (p = names_next(&s->set.asked, NULL); p != NULL;
	    p = names_next(&s->set.asked, p))
		settings_touch(s, p, true);
}

/* The name that an argument of set_config() holds. */
static bool
settings_named(const struct query *q, const struct an_value *v, char *out,
    size_t size)
{
	const struct lexer *lx = q->values.lx;
	struct slice name = slice_make(NULL, 0);
	char scratch[NAME_MAX_LEN + 1];
	bool null = true;
	size_t i;

	if (v->kind == AN_VAL_PARAM && q->bind != NULL)
		name = wire_bind_param(q->bind, v->index, &null);
	else if (v->kind == AN_VAL_CUT && lx != NULL &&
	    v->index < lx->n_cuts)
		null = !analysis_literal(q->sql, &lx->cuts[v->index], scratch,
		    sizeof(scratch), &name);
	if (null || name.n == 0 || name.n >= size ||
	    memchr(name.p, '\0', name.n) != NULL)
		return false;
	for (i = 0; i < name.n; i++)
		out[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ?
		    (char)(name.p[i] | 32) : name.p[i];
	out[name.n] = '\0';
	return true;
}

void
settings_differ(struct session *s)
{
	s->set.salt = ++s->sw->next_ticket;
}

/* Nothing but what the session wants of the cache. */
static bool
settings_only_wishes(const struct analysis *an)
{
	size_t i;

	for (i = 0; i < an->n_settings; i++)
		if (an->settings[i].name == NULL ||
		    wish_find(an->settings[i].name) == WISH_COUNT)
			return false;
	return an->n_wishes > 0 && !(an->flags & (AN_MULTI | AN_RESET_ALL |
	    AN_DISCARD_ALL | AN_SET_LOCAL));
}

void
settings_note(struct session *s, const struct query *q)
{
	const struct analysis *an = q->shape->an;
	const struct an_setting *v;
	char name[NAME_MAX_LEN + 1];
	size_t i;

	settings_differ(s);
	if (an->n_wishes > 0)
		session_wish_note(s, q);
	for (i = 0; i < an->n_settings; i++) {
		v = &an->settings[i];
		if (v->name != NULL)
			settings_touch(s, v->name, v->reset);
		else if (settings_named(q, &v->value, name, sizeof(name)))
			settings_touch(s, name, v->reset);
		else
			session_pin(s, PIN_BIT(PIN_SETTING));
	}
	if (an->flags & (AN_RESET_ALL | AN_DISCARD_ALL)) {
		settings_touch_all(s);
		settings_reset_app(s);
	}
	if (an->flags & AN_SET_LOCAL)
		s->set.local = true;
	if (settings_only_wishes(an))
		return;
	s->tx_dirty = true;
}

bool
settings_are_unsure(const struct session *s)
{
	return s->set.touched.shapes || s->set.asked.shapes || s->set.local;
}

bool
settings_are_open(const struct session *s)
{
	return s->set.touched.count > 0 || s->set.asked.count > 0 ||
	    s->set.local;
}

void
settings_transaction_ended(struct session *s)
{
	s->set.local = s->set.app_reset = false;
	if (s->set.wishing)
		session_wish_settle(s);
	s->set.app_portal = no_hash;
}

/* ---- asking -------------------------------------------------------------------------- */

static void
put(struct buf *b, const char *text, bool *ok)
{
	*ok = *ok && buf_append(b, text, strlen(text));
}

/* Each name in quotes, between before and after, with commas. */
static void
put_names(struct buf *b, const struct setting_names *l, const char *before,
    const char *after, bool *ok)
{
	const char *p;

	for (p = names_next(l, NULL); p != NULL; p = names_next(l, p)) {
		put(b, p == l->p ? "" : ",", ok);
		put(b, before, ok);
		put(b, "'", ok);
		put(b, p, ok);
		put(b, "'", ok);
		put(b, after, ok);
	}
}

/* One row: the values, and which of the names are at their default (if any
 * may be). */
static bool
settings_question(const struct setting_names *l, struct buf *b)
{
	bool ok = true;

	put(b, "SELECT ", &ok);
	put_names(b, l, "pg_catalog.current_setting(", ",true)", &ok);
	if (!l->resets) {
		put(b, ",NULL", &ok);
		return ok;
	}
	put(b, ",(SELECT pg_catalog.string_agg(pg_catalog.lower(s.name),"
	    "' ') FROM pg_catalog.pg_settings s WHERE s.source "
	    "OPERATOR(pg_catalog.<>) 'session' AND pg_catalog.lower(s.name) "
	    "OPERATOR(pg_catalog.=) ANY (ARRAY[", &ok);
	put_names(b, l, "", "", &ok);
	put(b, "]::pg_catalog.text[]))", &ok);
	return ok;
}

/* An answer that did not come: the values cannot be read. */
static void
settings_unanswered(struct session *s)
{
	if (s->set.asked.count == 0)
		return;
	names_clear(&s->set.asked);
	session_pin(s, PIN_BIT(PIN_SETTING));
}

bool
settings_ask(struct session *s)
{
	struct buf q;

	if (s->set.asked.count != 0)
		settings_unanswered(s);
	if (s->set.touched.count == 0)
		return false;
	s->set.asked = s->set.touched;
	s->set.touched = (struct setting_names){ 0 };
	buf_init(&q, QUERY_BYTES);
	if (settings_question(&s->set.asked, &q))
		session_ask(s, slice_make(buf_head(&q), buf_len(&q)));
	else
		session_close(s, CLOSE_MEMORY, NULL);
	buf_reset(&q);
	return true;
}

/* It can stand in a literal of ours, whatever the encoding. */
static bool
value_is_plain(struct slice v)
{
	size_t i;

	for (i = 0; i < v.n; i++)
		if (v.p[i] < 32 || v.p[i] > 126)
			return false;
	return true;
}

/* Whether words, separated by spaces, hold this one. */
static bool
words_have(struct slice words, const char *word)
{
	size_t n = strlen(word), i;

	for (i = 0; i + n <= words.n; i++)
		if (memcmp(words.p + i, word, n) == 0 &&
		    (i == 0 || words.p[i - 1] == ' ') &&
		    (i + n == words.n || words.p[i + n] == ' '))
			return true;
	return false;
}

/* A role is as it was when the server was born. */
static bool
role_is_default(const struct scope *sc, const char *name, const char *value)
{
	if (sc == NULL)
		return false;
	if (strcmp(name, "role") == 0)
		return strcmp(value, "none") == 0 && scope_keeps_user(sc);
	return strcmp(name, "session_authorization") == 0 &&
	    scope_has(sc, "session_user", value);
}

/* false: not the row that was asked for, or not to be kept. */
static bool
settings_read(struct session *s, struct msgread *r, struct var *change,
    struct slice *defaults)
{
	const char *name;
	struct slice v;
	bool null, ok = true;
	size_t i = 0;

	if (msgread_u16(r) != s->set.asked.count + 1)
		return false;
	for (name = names_next(&s->set.asked, NULL); name != NULL;
	    name = names_next(&s->set.asked, name)) {
		v = msgread_value(r, &null);
		ok = ok && !r->error && (null || (v.n <= VARS_BYTES &&
		    value_is_plain(v)));
		change[i].name = name;
		change[i++].value = null || !ok ? NULL : x_strndup(v.p, v.n);
	}
	v = msgread_value(r, &null);
	if (!null)
		*defaults = v;
	return ok && msgread_done(r);
}

void
settings_answer(struct session *s, const char *row, size_t n)
{
	struct var change[NAMES_MAX] = { { NULL, NULL } };
	const struct scope *sc = s->server->scope;
	struct slice defaults = slice_make(NULL, 0);
	struct msgread r;
	char *value[NAMES_MAX];
	size_t i;
	bool ok;

	if (s->set.asked.count == 0)
		return;
	msgread_init(&r, row, n);
	ok = settings_read(s, &r, change, &defaults);
	for (i = 0; i < NAMES_MAX; i++) {
		value[i] = (char *)(uintptr_t)change[i].value;
		if (value[i] != NULL && (words_have(defaults,
		    change[i].name) || role_is_default(sc, change[i].name,
		    value[i])))
			change[i].value = NULL;
	}
	ok = ok && vars_change(&s->set.vars, change, s->set.asked.count);
	for (i = 0; i < NAMES_MAX; i++)
		free(value[i]);
	if (!ok) {
		settings_unanswered(s);
		return;
	}
	names_clear(&s->set.asked);
	vars_unref(&s->server->vars);
	s->server->vars = vars_ref(s->set.vars);
	session_wish_settle(s);
}

void
settings_discarded(struct session *s)
{
	vars_unref(&s->set.vars);
	names_clear(&s->set.touched);
	vars_unref(&s->server->vars);
	session_wish_settle(s);
}

void
settings_free(struct session *s)
{
	vars_unref(&s->set.vars);
	vars_unref(&s->set.scoped);
	names_clear(&s->set.touched);
	names_clear(&s->set.asked);
}

/* ---- replaying ----------------------------------------------------------------------- */

static bool
is_role(const char *name)
{
	return strcmp(name, "role") == 0 ||
	    strcmp(name, "session_authorization") == 0;
}

static bool
vars_hold_role(const struct vars *v)
{
	return vars_get(v, "role") != NULL ||
	    vars_get(v, "session_authorization") != NULL;
}

/* A call of set_config(); the value's quotes and backslashes doubled, since
 * some client encodings forbid \'. */
static void
put_set(struct buf *b, const struct var *v, bool first, bool *ok)
{
	char pair[3] = { 0 };
	const char *p;

	put(b, first ? "SELECT " : ",", ok);
	put(b, "pg_catalog.set_config('", ok);
	put(b, v->name, ok);
	put(b, "',E'", ok);
	for (p = v->value; *p != '\0'; p++) {
		pair[0] = *p;
		pair[1] = *p == '\'' || *p == '\\' ? *p : '\0';
		put(b, pair, ok);
	}
	put(b, "',false)", ok);
}

/* What brings a server from one set to another; anew: from where it was born,
 * since values must go, or a role stands in the way. Roles come last: what the
 * session set before it took one may need more rights. */
static bool
settings_way(const struct vars *from, const struct vars *to, bool anew,
    struct buf *b)
{
	static const char *const roles[] = { "session_authorization", "role" };
	bool ok = true, first = true;
	const char *had;
	struct var v;
	size_t i;

	if (anew && vars_hold_role(from))
		put(b, "RESET SESSION AUTHORIZATION;RESET ROLE;", &ok);
	if (anew)
		put(b, "RESET ALL;", &ok);
	for (i = 0; to != NULL && i < to->n; i++) {
		had = anew ? NULL : vars_get(from, to->var[i].name);
		if (is_role(to->var[i].name) || (had != NULL &&
		    strcmp(had, to->var[i].value) == 0))
			continue;
		put_set(b, &to->var[i], first, &ok);
		first = false;
	}
	for (i = 0; i < ARRAY_SIZE(roles); i++) {
		v = (struct var){ roles[i], vars_get(to, roles[i]) };
		if (v.value == NULL)
			continue;
		put_set(b, &v, first, &ok);
		first = false;
	}
	return ok;
}

bool
settings_bring(struct server *srv, struct vars *to, struct msgwrite *w)
{
	struct buf b;
	bool ok, anew;

	anew = srv->vars != NULL && (!vars_covers(to, srv->vars) ||
	    vars_hold_role(srv->vars) || vars_hold_role(to));
	buf_init(&b, QUERY_BYTES);
	ok = settings_way(srv->vars, to, anew, &b);
	if (ok)
		msgwrite_query(w, slice_make(buf_head(&b), buf_len(&b)));
	buf_reset(&b);
	if (anew) { /* RESET ALL takes it away */
		free(srv->app_name);
		srv->app_name = NULL;
	}
	vars_unref(&srv->vars);
	srv->vars = vars_ref(to);
	srv->replaying = true;
	srv->has_unnamed = false;
	stat_add(&srv->w->metrics->c.settings_replays, 1);
	return ok && !w->failed && server_owe(srv, OWED_QUERY, LEDGER_HIDE,
	    no_hash);
}

bool
settings_replay(struct session *s, struct msgwrite *w)
{
	return settings_bring(s->server, s->set.vars, w);
}

/* ---- what depends on them -------------------------------------------------------------- */

const struct scope *
settings_scope(struct session *s)
{
	const struct scope *base = pool_scope(s->home);

	if (s->set.vars == NULL || base == NULL)
		return base;
	if (base != s->set.base || s->set.vars != s->set.scoped) {
		s->set.base = base;
		vars_unref(&s->set.scoped);
		s->set.scoped = vars_ref(s->set.vars);
		s->set.scope = scope_with(base, s->set.vars);
	}
	return s->set.scope;
}

struct hash128
settings_mark(const struct session *s, struct hash128 h)
{
	if (settings_are_unsure(s))
		return hash_mix(h, (struct hash128){ s->id, s->set.salt });
	if (s->set.vars == NULL || hash_eq(s->set.vars->shaping, no_hash))
		return h;
	return hash_mix(h, s->set.vars->shaping);
}
