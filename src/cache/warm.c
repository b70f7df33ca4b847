/* SPDX-License-Identifier: PostgreSQL
 *
 * Results of the process before.
 *
 * Knows keys, tags and bytes, nothing of who sends them or what rules say.  One
 * lock, taken only while something waits.  Invariants: an entry is in the table
 * once and of one of the scopes; bytes are the sum of what entries and scopes
 * take; a scope that was not asked for while somebody vouched for it is
 * useless: between then and the next look at catalogs a write may have had
 * other effects than those that both processes knew of.
 */
#include "cache/warm.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/htab.h"
#include "pgwire/msgread.h"

struct warm_scope {
	char *text;
	size_t n;
	nsec_t vouched;
	bool proven; /* it was asked for in time */
};

struct warm_entry {
	struct htab_node node;
	size_t size;          /* of the allocation */
	struct cache_key key; /* scope: the number of ours */
	struct tagset tags;
	struct warm_found found;
};

static struct {
	pthread_mutex_t lock;
	atomic_bool there;
	nsec_t until;
	size_t limit, bytes, came;
	struct htab table;
	struct warm_scope *scope;
	size_t n_scopes;
} warm = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- going --------------------------------------------------------------- */

static bool
put_u8(struct buf *b, uint8_t v)
{
	return buf_append(b, &v, 1);
}

static bool
put_slice(struct buf *b, struct slice s)
{
	return s.n <= UINT32_MAX && buf_put_u32(b, (uint32_t)s.n) &&
	    (s.n == 0 || buf_append(b, s.p, s.n));
}

bool
warm_put_scope(struct buf *b, nsec_t vouched, struct slice text)
{
	return put_u8(b, 'S') && buf_put_u64(b, vouched) && put_slice(b, text);
}

static bool
put_tags(struct buf *b, const struct tagset *t)
{
	unsigned i;
	bool ok = put_u8(b, (uint8_t)t->n);

	for (i = 0; ok && i < t->n; i++)
		ok = buf_put_u32(b, t->tag[i]) && buf_put_u64(b, t->gen[i]);
	return ok;
}

bool
warm_put_result(struct buf *b, uint32_t scope, const struct object *o)
{
	return put_u8(b, 'R') && buf_put_u32(b, scope) &&
	    put_u8(b, (uint8_t)o->key.form) &&
	    buf_put_u64(b, o->fetched_mono) &&
	    buf_put_u64(b, o->fetched_wall) && put_tags(b, &o->tags) &&
	    put_slice(b, o->key.sql) && put_slice(b, o->key.types) &&
	    put_slice(b, o->key.bind) &&
	    put_slice(b, slice_make(o->frames.p, o->desc_len)) &&
	    put_slice(b, slice_make(o->frames.p + o->desc_len,
	    o->frames.n - o->desc_len));
}

/* ---- coming -------------------------------------------------------------- */

static uint64_t
get_u64(struct msgread *r)
{
	uint64_t high = msgread_u32(r);

	return high << 32 | msgread_u32(r);
}

static struct slice
get_slice(struct msgread *r)
{
	return msgread_bytes(r, msgread_u32(r));
}

/* false: there is no room. */
static bool
warm_charge(size_t n)
{
	if (n > warm.limit - warm.bytes)
		return false;
	warm.bytes += n;
	return true;
}

static bool
add_scope(struct msgread *r)
{
	struct warm_scope *v;
	nsec_t vouched = get_u64(r);
	struct slice text = get_slice(r);
	char *copy;

	if (r->error || warm.n_scopes == WARM_SCOPES_MAX ||
	    !warm_charge(text.n))
		return false;
	v = realloc(warm.scope, (warm.n_scopes + 1) * sizeof(*v));
	CHECK(v != NULL);
	warm.scope = v;
	copy = x_malloc(text.n + 1);
	memcpy(copy, text.p, text.n);
	v[warm.n_scopes++] = (struct warm_scope){ copy, text.n, vouched,
		false };
	return true;
}

static bool
get_tags(struct msgread *r, struct tagset *t)
{
	unsigned n = msgread_u8(r), i;

	*t = (struct tagset){ .n = n };
	if (n > TAGSET_MAX)
		return false;
	for (i = 0; i < n; i++) {
		t->tag[i] = msgread_u32(r);
		t->gen[i] = get_u64(r);
	}
	return true;
}

static struct slice
warm_copy(char **at, struct slice s)
{
	struct slice copy = slice_make(*at, s.n);

	if (s.n > 0)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return copy;
}

static bool
add_result(struct msgread *r)
{
	struct warm_entry in = { .key = { .scope = msgread_u32(r) } }, *e;
	uint8_t form = msgread_u8(r);
	char *at;

	in.found.fetched_mono = get_u64(r);
	in.found.fetched_wall = get_u64(r);
	if (!get_tags(r, &in.tags))
		return false;
	in.key.sql = get_slice(r);
	in.key.types = get_slice(r);
	in.key.bind = get_slice(r);
	in.found.desc = get_slice(r);
	in.found.data = get_slice(r);
	if (r->error || in.key.scope >= warm.n_scopes ||
	    form > KEY_EXT_STATEMENT)
		return false;
	in.key.form = (enum key_form)form;
	in.size = sizeof(in) + in.key.sql.n + in.key.types.n +
	    in.key.bind.n + in.found.desc.n + in.found.data.n;
	if (!warm_charge(in.size))
		return false;
	e = x_malloc(in.size);
	*e = in;
	at = (char *)(e + 1);
	e->key.sql = warm_copy(&at, in.key.sql);
	e->key.types = warm_copy(&at, in.key.types);
	e->key.bind = warm_copy(&at, in.key.bind);
	e->found.desc = warm_copy(&at, in.found.desc);
	e->found.data = warm_copy(&at, in.found.data);
	e->found.memory = e;
	cache_key_hash(&e->key, NULL);
	htab_insert(&warm.table, &e->node, e->key.hash.lo);
	warm.came++;
	return true;
}

void
warm_begin(size_t limit, nsec_t now)
{
	warm_drop();
	warm.limit = limit;
	warm.came = 0;
	warm.until = now + WARM_TIME;
	atomic_store(&warm.there, true);
}

bool
warm_add(const void *p, size_t n)
{
	struct msgread r;
	bool ok = true;

	msgread_init(&r, p, n);
	while (ok && msgread_left(&r) > 0) {
		switch (msgread_u8(&r)) {
		case 'S':
			ok = add_scope(&r);
			break;
		case 'R':
			ok = add_result(&r);
			break;
		default:
			ok = false;
		}
	}
	if (ok && msgread_done(&r))
		return true;
	warm_drop();
	return false;
}

size_t
warm_count(void)
{
	return warm.came;
}

/* ---- asking -------------------------------------------------------------- */

bool
warm_is_there(void)
{
	return atomic_load_explicit(&warm.there, memory_order_relaxed);
}

/* With the lock. */
static size_t
warm_find_scope(struct slice text, nsec_t now)
{
	struct warm_scope *s;
	size_t i;

	for (i = 0; i < warm.n_scopes; i++) {
		s = &warm.scope[i];
		if (s->n != text.n || memcmp(s->text, text.p, text.n) != 0)
			continue;
		s->proven |= now <= s->vouched;
		return s->proven ? i : warm.n_scopes;
	}
	return i;
}

static struct warm_entry *
warm_find(struct cache_key k, size_t scope)
{
	struct htab_node *n;
	struct warm_entry *e;

	k.scope = scope;
	cache_key_hash(&k, NULL);
	for (n = htab_find(&warm.table, k.hash.lo); n != NULL;
	     n = htab_next(n)) {
		e = htab_entry(n, struct warm_entry, node);
		if (cache_key_eq(&e->key, &k))
			return e;
	}
	return NULL;
}

/* The same tags, with the same generations. */
static bool
tags_agree(const struct tagset *a, const struct tagset *b)
{
	unsigned i, k;

	for (i = 0; i < a->n; i++) {
		for (k = 0; k < b->n && b->tag[k] != a->tag[i]; k++)
			;
		if (a->tag[i] >= TAG_SLOTS || k == b->n ||
		    b->gen[k] != a->gen[i])
			return false;
	}
	return a->n == b->n;
}

bool
warm_take(struct slice text, const struct cache_key *k,
    const struct tagset *tags, nsec_t since, nsec_t now,
    struct warm_found *out)
{
	struct warm_entry *e = NULL;
	bool good = false;
	size_t scope;

	pthread_mutex_lock(&warm.lock);
	scope = warm_find_scope(text, now);
	if (scope < warm.n_scopes)
		e = warm_find(*k, scope);
	/* Too old for one who asks may be good for another. */
	if (e != NULL && e->found.fetched_mono >= since) {
		good = tags_agree(&e->tags, tags);
		htab_remove(&warm.table, &e->node);
		warm.bytes -= e->size;
	} else {
		e = NULL;
	}
	pthread_mutex_unlock(&warm.lock);
	if (good)
		*out = e->found;
	else
		free(e);
	return good;
}

void
warm_found_fini(struct warm_found *f)
{
	free(f->memory);
	f->memory = NULL;
}

/* ---- the end ------------------------------------------------------------- */

static void
warm_free(struct htab_node *n, void *arg PG_UNUSED)
{
	free(htab_entry(n, struct warm_entry, node));
}

void
warm_drop(void)
{
	size_t i;

	pthread_mutex_lock(&warm.lock);
	atomic_store(&warm.there, false);
	htab_each(&warm.table, warm_free, NULL);
	htab_fini(&warm.table);
	htab_init(&warm.table);
	for (i = 0; i < warm.n_scopes; i++)
		free(warm.scope[i].text);
	free(warm.scope);
	warm.scope = NULL;
	warm.n_scopes = warm.bytes = 0;
	pthread_mutex_unlock(&warm.lock);
}

void
warm_tick(nsec_t now)
{
	if (unlikely(warm_is_there()) && now > warm.until)
		warm_drop();
}
