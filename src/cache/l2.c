/* SPDX-License-Identifier: PostgreSQL
 *
 * L2: lookups, stores and bumps in Redis.
 *
 * Knows what is asked and what an answer means; leases (l2_lease.c), the
 * connection (l2_conn.c),
 * bytes and names (l2_entry.c, l2_name.c) and the counts of unacknowledged
 * bumps (l2_pending.c) are others'.  Runs on one worker; l2_stats() on any thread.
 *
 * Invariants: a lookup's callback runs once, unless cancelled, and never from
 * inside l2_get(); an entry is used only if its tokens equal those read in the
 * same answer, no tag of it moved since the lookup began, and no bump of one
 * is on its way from any worker of this process; a bump is acknowledged or it
 * is in the replay set, which goes first on the next connection.
 *
 * Redis may lose anything at any time: a token that is gone is created anew,
 * at random, and with that everything stored under the old one is void.  It
 * may lose the last bumps only with its life: another server begins with a
 * bump of everything (l2_server.c).
 */
#include <stdio.h>
#include <stdlib.h>

#include "cache/l2_priv.h"
#include "stats/metrics.h"

#define L2_MAX_OBJECT (1024 * 1024)
/* An entry repeats its question: statement, parameters, fingerprint. */
#define L2_ENTRY_SLACK (64 * 1024)
/* Tokens outlive all entries that carry them. */
#define L2_TOKEN_LIFE (7 * 24 * 3600 * NSEC_PER_SEC)
#define L2_TOKEN_LIFE_TEXT "604800000" /* the same in ms */

struct l2_change { /* a SET */
	struct l2_cmd cmd; /* first; arg: the l2 */
	bool is_tag;
	tag_t tag;         /* whose token it is */
	bool again;        /* replayed */
	struct l2_own *own;
};

/* --- SET: entries, tokens, bumps --------------------------------------- */

static bool
l2_reply_is_ok(const redisReply *r)
{
	return r->type == REDIS_REPLY_STATUS && strcmp(r->str, "OK") == 0;
}

/* Send SET with its arguments behind name and value; true: ch is on its way. */
static bool
l2_send_set(struct l2 *l, struct l2_change *ch, struct slice name,
    struct slice value, const char *px, bool only_new)
{
	const char *argv[] = { "SET", name.p, value.p, "PX", px, "NX" };
	const size_t len[] = { 3, name.n, value.n, 2, strlen(px), 2 };

	ch->cmd.arg = l;
	ch->own = l2_own_new(l->conn, name, value, ch->is_tag ? &ch->tag :
	    NULL);
	if (l2_conn_send(l->conn, &ch->cmd, only_new ? 6 : 5, argv, len))
		return true;
	l2_own_undone(ch->own);
	return false;
}

/* Whether it was done; the answer has come. */
static void
l2_change_over(struct l2_change *ch, bool done)
{
	if (done)
		l2_own_check(ch->own);
	else
		l2_own_undone(ch->own);
	free(ch);
}

static void l2_up(void *arg);

/* A bump that found no room goes out as soon as there is some. */
static void
l2_answered(struct l2 *l)
{
	if (l->replay.n > 0 && l2_conn_is_open(l->conn))
		l2_up(l);
}

static void
l2_entry_stored(struct l2_cmd *cmd, const redisReply *r)
{
	struct l2_change *ch = (struct l2_change *)(void *)cmd;
	struct l2 *l = cmd->arg;

	if (r != NULL && l2_reply_is_ok(r)) {
		stat_add(&l->puts, 1);
		l2_answered(l);
	} else if (r != NULL && r->type == REDIS_REPLY_ERROR) {
		/* Out of memory, read-only: reading still serves. */
		stat_add(&l->errors, 1);
	} else if (r != NULL) {
		l2_conn_fail(l->conn, "wrong reply to SET");
	}
	l2_change_over(ch, r != NULL && l2_reply_is_ok(r));
}

static void
l2_token_created(struct l2_cmd *cmd, const redisReply *r)
{
	struct l2_change *ch = (struct l2_change *)(void *)cmd;
	struct l2 *l = cmd->arg;

	if (r != NULL && r->type == REDIS_REPLY_ERROR)
		stat_add(&l->errors, 1);
	else if (r != NULL && r->type != REDIS_REPLY_NIL && !l2_reply_is_ok(r))
		l2_conn_fail(l->conn, "wrong reply to SET NX");
	l2_change_over(ch, r != NULL && l2_reply_is_ok(r));
}

static void
l2_bump_answered(struct l2_cmd *cmd, const redisReply *r)
{
	struct l2_change *ch = (struct l2_change *)(void *)cmd;
	struct l2 *l = cmd->arg;

	if (ch->again)
		l->replaying--;
	if (r != NULL && l2_reply_is_ok(r) && l2_conn_is_open(l->conn)) {
		l2_pending_remove(ch->tag);
		l2_answered(l);
	} else {
		l2_replay_add(&l->replay, ch->tag);
		if (r != NULL && !l2_reply_is_ok(r)) {
			/* Not done: nothing may be read until it is. */
			stat_add(&l->errors, 1);
			l2_conn_fail(l->conn, r->type == REDIS_REPLY_ERROR ?
			    r->str : "wrong reply to a bump");
		}
	}
	l2_change_over(ch, r != NULL && l2_reply_is_ok(r));
}

/* Give a tag a fresh token, or only if it has none. */
static bool
l2_send_token(struct l2 *l, struct l2_change *ch, tag_t t, bool only_new)
{
	char name[L2_NAME_MAX], value[L2_TOKEN_LEN + 1];
	size_t n = l2_name_tag(name, l->prefix, t);
	uint64_t token;

	ch->is_tag = true;
	ch->tag = t;
	hash_random(&token, sizeof(token));
	l2_token_format(value, token);
	return l2_send_set(l, ch, slice_make(name, n),
	    slice_make(value, L2_TOKEN_LEN), L2_TOKEN_LIFE_TEXT, only_new);
}

static void
l2_create_token(struct l2 *l, tag_t t, bool only_new)
{
	struct l2_change *ch = x_calloc(1, sizeof(*ch));

	ch->cmd.done = l2_token_created;
	if (!l2_send_token(l, ch, t, only_new))
		free(ch); /* the next lookup tries again */
}

/* Takes over one pending count of t. */
static void
l2_send_bump(struct l2 *l, tag_t t, bool again)
{
	struct l2_change *ch = x_calloc(1, sizeof(*ch));

	ch->cmd.done = l2_bump_answered;
	ch->again = again;
	if (l2_send_token(l, ch, t, false)) {
		l->replaying += again;
		return;
	}
	free(ch);
	l2_replay_add(&l->replay, t);
}

static void
l2_up(void *arg)
{
	struct l2 *l = arg;
	struct l2_replay todo = l->replay;
	unsigned i;

	l->replay.n = 0;
	for (i = 0; i < todo.n; i++)
		l2_send_bump(l, todo.tag[i], true);
}

static void
l2_other(void *arg)
{
	struct l2 *l = arg;

	l2_replay_add(&l->replay, TAG_ALL);
}

void
l2_bump_pending(struct l2 *l, const tag_t *tags, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		l2_send_bump(l, tags[i], false);
	stat_add(&l->bumps, n);
}

void
l2_bump(struct l2 *l, const tag_t *tags, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		l2_pending_add(tags[i]);
	l2_bump_pending(l, tags, n);
}

bool
l2_usable(const struct l2 *l, const struct tagset *tags)
{
	return l2_conn_is_open(l->conn) && l->replaying == 0 &&
	    l->replay.n == 0 && !l2_pending_any(tags);
}

void
l2_put(struct l2 *l, const struct object *o, struct slice scope_text,
    const char *db, const struct l2_tokens *tokens)
{
	nsec_t wall = clock_wall(), left = o->ttl;
	nsec_t age = wall > o->fetched_wall ? wall - o->fetched_wall : 0;
	char name[L2_NAME_MAX], px[24];
	struct l2_change *ch;
	char *entry = NULL;
	size_t n, size;

	if (!tokens->valid || !l2_usable(l, &o->tags) || !object_current(o) ||
	    o->frames.n > l->max_object || left < age + NSEC_PER_MSEC)
		return;
	left -= age;
	if (left > L2_TOKEN_LIFE)
		left = L2_TOKEN_LIFE;
	if (!l2_entry_encode(o, scope_text, tokens, l->seal, &entry, &size))
		return;
	if (size > l->max_object + L2_ENTRY_SLACK) {
		free(entry);
		return;
	}
	snprintf(px, sizeof(px), "%llu",
	    (unsigned long long)(left / NSEC_PER_MSEC));
	n = l2_name_entry(name, l->prefix, &o->key, scope_text, db);
	ch = x_calloc(1, sizeof(*ch));
	ch->cmd.done = l2_entry_stored;
	if (!l2_send_set(l, ch, slice_make(name, n), slice_make(entry, size),
		px, false))
		free(ch);
	free(entry);
}

bool
l2_drop(struct l2 *l, const char *pattern, l2_drop_cb cb, void *arg)
{
	return l2_drop_start(l->conn, l->prefix, pattern, cb, arg);
}

/* --- MGET: lookups ----------------------------------------------------- */

void
l2_request_end(struct l2 *l, struct l2_request *r)
{
	struct l2_wait *w = r->wait;

	if (w != NULL && w->owed) {
		w->abandoned = true; /* and called again */
		return;
	}
	if (w != NULL && w->state == L2_WAIT_WON)
		l2_release(l, &w->lease);
	l2_wait_free(&r->wait);
	free(r);
}

static void
l2_answer(struct l2 *l, struct l2_request *r, const struct l2_found *found,
    const struct l2_tokens *tokens)
{
	struct l2_lease *lease = NULL;

	stat_add(found != NULL ? &l->hits : &l->misses, 1);
	if (r->cb != NULL) {
		if (r->wait != NULL)
			lease = l2_wait_result(l, r->wait, found != NULL);
		r->cb(r->arg, found, tokens, lease);
		r->cb = NULL;
	}
	l2_request_end(l, r);
}

/* Read the tokens behind the entry; those that are missing are created. */
static void
l2_read_tokens(struct l2 *l, const struct l2_request *r,
    const redisReply *reply, struct l2_tokens *tokens)
{
	unsigned i;

	tokens->valid = true;
	for (i = 0; i < r->tags.n; i++) {
		const redisReply *e = reply->element[i + 1];

		if (e->type == REDIS_REPLY_STRING &&
		    l2_token_parse(e->str, e->len, &tokens->token[i]))
			continue;
		tokens->valid = false;
		stat_add(&l->corrupt, e->type != REDIS_REPLY_NIL);
		l2_create_token(l, r->tags.tag[i], e->type == REDIS_REPLY_NIL);
	}
}

static bool
l2_read_entry(struct l2 *l, const struct l2_request *r, const redisReply *e,
    const struct l2_tokens *tokens, struct l2_found *found)
{
	nsec_t wall = clock_wall();

	if (e->type != REDIS_REPLY_STRING)
		return false;
	switch (l2_entry_read(e->str, e->len, &r->key, r->scope, &r->tags,
	    tokens, l->seal, found)) {
	case L2_ENTRY_VALID:
		break;
	case L2_ENTRY_STALE:
		return false;
	case L2_ENTRY_BAD:
		stat_add(&l->corrupt, 1);
		return false;
	}
	return wall < found->fetched_wall ||
	    wall - found->fetched_wall <= r->max_age;
}

static bool
l2_send_mget(struct l2 *l, struct l2_request *r, const char *entry, size_t n)
{
	char name[TAGSET_MAX][L2_NAME_MAX];
	const char *argv[TAGSET_MAX + 2] = { "MGET", entry };
	size_t len[TAGSET_MAX + 2] = { 4, n };
	unsigned i;

	/* One that another process has stored meanwhile is no change. */
	if (track_is_wanted())
		track_record(&r->mark, slice_make(entry, n));
	for (i = 0; i < r->tags.n; i++) {
		len[i + 2] = l2_name_tag(name[i], l->prefix, r->tags.tag[i]);
		argv[i + 2] = name[i];
	}
	return l2_conn_send(l->conn, &r->cmd, (int)r->tags.n + 2, argv, len);
}

static bool
l2_ask_again(struct l2 *l, struct l2_request *r)
{
	struct l2_wait *w = r->wait;

	return l2_wait_send(l, w) && l2_send_mget(l, r, w->entry, w->entry_n);
}

void
l2_request_again(struct l2 *l, struct l2_request *r)
{
	static const struct l2_tokens none = { .valid = false };

	/* A write meanwhile: nothing that comes could be used. */
	if (!l2_usable(l, &r->tags) || !tagset_current(&r->tags) ||
	    !l2_gives_leases(l) || !l2_ask_again(l, r))
		l2_answer(l, r, NULL, &none);
}

/* No entry. Wait for another's? */
static bool
l2_waits(struct l2 *l, struct l2_request *r, bool has_tokens)
{
	struct l2_wait *w = r->wait;

	if (w == NULL || r->cb == NULL)
		return false;
	/* Its tags had no tokens, and now have: without any, what we fill could
	 * not be stored, and all others would have waited for nothing. */
	if (w->state == L2_WAIT_WON && !has_tokens && !w->again) {
		w->again = true;
		return l2_ask_again(l, r);
	}
	return l2_wait_sleep(l, w);
}

static void
l2_get_answered(struct l2_cmd *cmd, const redisReply *reply)
{
	struct l2_request *r = (struct l2_request *)(void *)cmd;
	struct l2_tokens tokens = { .valid = false };
	struct l2 *l = cmd->arg;
	struct l2_found found;
	bool hit = false, moved;

	if (reply == NULL) {
		l2_answer(l, r, NULL, &tokens);
		return;
	}
	if (reply->type != REDIS_REPLY_ARRAY ||
	    reply->elements != r->tags.n + 1) {
		stat_add(&l->errors, 1);
		l2_conn_fail(l->conn, reply->type == REDIS_REPLY_ERROR ?
		    reply->str : "wrong reply to MGET");
		l2_answer(l, r, NULL, &tokens);
		return;
	}
	l2_answered(l);
	l2_read_tokens(l, r, reply, &tokens);
	/* A write since the question: neither what was read nor what could be
	 * stored with these tokens is of use. */
	moved = l2_pending_any(&r->tags) || !tagset_current(&r->tags) ||
	    !l2_conn_is_open(l->conn);
	if (!moved && tokens.valid)
		hit = l2_read_entry(l, r, reply->element[0], &tokens, &found);
	if (!moved && !hit && l2_waits(l, r, tokens.valid))
		return;
	if (moved)
		tokens.valid = false;
	tokens.mark = r->mark;
	l2_answer(l, r, hit ? &found : NULL, &tokens);
}

static struct slice
l2_request_copy(char **at, struct slice s)
{
	struct slice copy = slice_make(*at, s.n);

	if (s.n > 0)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return copy;
}

/* NULL: too large to be in Redis, or out of memory. */
static struct l2_request *
l2_request_new(const struct cache_key *k, struct slice scope_text,
    const struct tagset *tags)
{
	const size_t max = L2_ENTRY_SLACK;
	struct l2_request *r;
	char *at;

	if (k->sql.n > max || k->types.n > max || k->bind.n > max ||
	    scope_text.n > max ||
	    k->sql.n + k->types.n + k->bind.n + k->name.n + scope_text.n > max)
		return NULL;
	r = malloc(sizeof(*r) + k->sql.n + k->types.n + k->bind.n +
	    k->name.n + scope_text.n);
	if (r == NULL)
		return NULL;
	*r = (struct l2_request){ .key = *k, .tags = *tags };
	at = (char *)(r + 1);
	r->key.sql = l2_request_copy(&at, k->sql);
	r->key.types = l2_request_copy(&at, k->types);
	r->key.bind = l2_request_copy(&at, k->bind);
	r->key.name = l2_request_copy(&at, k->name);
	r->scope = l2_request_copy(&at, scope_text);
	return r;
}

struct l2_request *
l2_get(struct l2 *l, const struct cache_key *k, struct slice scope_text,
    const char *db, const struct tagset *tags, nsec_t max_age,
    nsec_t lease, l2_get_cb cb, void *arg)
{
	char entry[L2_NAME_MAX];
	struct l2_request *r;
	size_t n;

	if (!l2_usable(l, tags))
		return NULL;
	r = l2_request_new(k, scope_text, tags);
	if (r == NULL)
		return NULL;
	r->cmd.arg = l;
	r->cmd.done = l2_get_answered;
	r->arg = arg;
	r->max_age = max_age;
	n = l2_name_entry(entry, l->prefix, &r->key, r->scope, db);
	if (lease > 0 && l2_gives_leases(l))
		r->wait = l2_wait_new(r, l->prefix, entry, n, lease);
	if ((r->wait != NULL && !l2_wait_send(l, r->wait)) ||
	    !l2_send_mget(l, r, entry, n)) {
		l2_request_end(l, r);
		return NULL;
	}
	r->cb = cb;
	stat_add(&l->gets, 1);
	return r;
}

void
l2_mark(const struct l2 *l, const struct cache_key *k,
    struct slice scope_text, const char *db, struct track_mark *m)
{
	char name[L2_NAME_MAX];

	track_record(m, slice_make(name, l2_name_entry(name, l->prefix, k,
	    scope_text, db)));
}

void
l2_cancel(struct l2_request *r)
{
	r->cb = NULL; /* an answer is still owed to the connection */
	if (r->wait != NULL && r->wait->sleeping) {
		l2_wait_stop(r->wait);
		l2_request_end(r->cmd.arg, r);
	}
}

/* --- life -------------------------------------------------------------- */

struct l2 *
l2_new(struct event_base *base, const struct l2_options *o)
{
	struct l2 *l = x_calloc(1, sizeof(*l));

	l->base = base;
	LIST_INIT(&l->sleeping);
	l->prefix = x_strdup(o->prefix);
	l->max_object = o->max_object > 0 ? o->max_object : L2_MAX_OBJECT;
	l2_replay_adopt(&l->replay);
	l->conn = l2_conn_new(base, o, l->max_object + L2_ENTRY_SLACK, l2_up,
	    l);
	l2_conn_set_other(l->conn, l2_other);
	return l;
}

void
l2_free(struct l2 **l)
{
	static const struct l2_tokens none = { .valid = false };
	struct l2 *old = *l;
	struct l2_wait *w;

	if (old == NULL)
		return;
	*l = NULL;
	while ((w = LIST_FIRST(&old->sleeping)) != NULL) {
		l2_wait_stop(w);
		l2_answer(old, w->r, NULL, &none);
	}
	l2_conn_free(&old->conn);
	l2_replay_abandon(&old->replay);
	l2_sealer_free(&old->seal);
	free(old->prefix);
	free(old);
}

void
l2_set_times(struct l2 *l, nsec_t timeout, nsec_t retry)
{
	l2_conn_set_times(l->conn, timeout, retry);
}

void
l2_set_tls(struct l2 *l, SSL_CTX *tls)
{
	l2_conn_set_tls(l->conn, tls);
}

void
l2_set_keys(struct l2 *l, struct l2_keys *keys)
{
	l2_sealer_free(&l->seal);
	l->seal = keys != NULL ? l2_sealer_new(keys) : NULL;
}

void
l2_stats(const struct l2 *l, struct l2_stats *st)
{
	const struct l2_conn_stats *c = l2_conn_stats(l->conn);
	unsigned i;

#define READ(v) atomic_load_explicit(&(v), memory_order_relaxed)
	*st = (struct l2_stats){
		.connected = READ(c->open),
		.gets = READ(l->gets),
		.hits = READ(l->hits),
		.misses = READ(l->misses),
		.timeouts = READ(c->timeouts),
		.errors = READ(l->errors),
		.puts = READ(l->puts),
		.bumps = READ(l->bumps),
		.corrupt = READ(l->corrupt),
		.breaker_opens = READ(c->losses),
	};
	for (i = 0; i < LEASE_OUTCOMES; i++)
		st->leases[i] = READ(l->leases[i]);
#undef READ
}
