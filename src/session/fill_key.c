/* SPDX-License-Identifier: PostgreSQL
 *
 * What a statement's result is known by, what it depends on and who vouches
 * for that, as the session and its configuration have it at the moment.
 *
 * Knows nothing of fills.  Runs on the session's worker; copies nothing but
 * the scope for L2.
 */
#include "session/fill_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/planted.h"
#include "conf/deps.h"
#include "feed/feed.h"
#include "route/touch.h"
#include "session/explain.h"
#include "sql/trailer.h"

/* ---- keys ------------------------------------------------------------------ */

/* Two databases of one backend, and two arms, may route the same text
 * differently, and a reload may change what it means. */
static uint64_t
fill_scope(const struct session *s, const struct scope *scope)
{
	return (uint64_t)scope->results->id << 32 |
	    (uint32_t)(s->conf->generation << 12 | (s->slot & 0xfff));
}

bool
fill_fits(const struct server *srv, const struct scope *base)
{
	return srv->scope != NULL && base != NULL && !srv->settings_changed &&
	    hash_eq(srv->scope->settings, base->settings);
}

bool
fill_may(struct session *s, const struct unit *u,
    const struct statement *stmt, enum bypass_reason *why)
{
	const struct scope *scope;

	*why = BYPASS_EXPLAINED;
	if (explain_runs(s))
		return false;
	*why = BYPASS_PROTOCOL;
	if (stmt != NULL && !u->canonical)
		return false;
	*why = BYPASS_SESSION_STATE;
	if (session_is_pinned(s) || settings_are_unsure(s))
		return false;
	*why = BYPASS_SWITCHED_OFF;
	if (wishes_off(session_wishes(s)))
		return false;
	*why = BYPASS_FILL_WAIT;
	if (s->no_cache)
		return false;
	*why = BYPASS_SESSION_STATE;
	scope = settings_scope(s);
	if (scope == NULL)
		return false;
	/* It began before ALTER ROLE ... SET, and keeps what it has. */
	*why = BYPASS_SETTINGS_DIFFER;
	if (s->server != NULL && !fill_fits(s->server, pool_scope(s->home)))
		return false;
	*why = BYPASS_IN_TRANSACTION;
	if (!scope->read_committed || s->tx == 'E' ||
	    (s->tx == 'T' && s->tx_dirty && !PLANTED(DIRTY_TRANSACTION)))
		return false;
	*why = BYPASS_NONE;
	return true;
}

void
fill_make_key(struct session *s, const struct unit *u, struct slice sql,
    const struct statement *stmt, struct cache_key *k)
{
	k->scope = fill_scope(s, settings_scope(s));
	k->sql = stmt != NULL ? stmt->bare : trailer_cut(sql);
	k->name = slice_make(NULL, 0);
	if (stmt == NULL) {
		k->form = KEY_SIMPLE;
		k->types = k->bind = slice_make(NULL, 0);
		cache_key_hash(k, NULL);
	} else {
		k->form = u->described ? KEY_EXT_PORTAL : KEY_EXT_NODESC;
		k->types = stmt->types;
		k->bind = u->bind.rest;
		cache_key_hash(k, &stmt->bare_hash);
	}
}

bool
fill_key(struct session *s, const struct unit *u, struct slice sql,
    const struct statement *stmt, struct cache_key *k,
    enum bypass_reason *why)
{
	*why = BYPASS_DISABLED;
	if (!s->db->cache || s->db->n_rules == 0 ||
	    session_layer_l1() == NULL)
		return false;
	*why = BYPASS_TAKEOVER;
	if (unlikely(s->sw->yields))
		return false;
	*why = BYPASS_UNWATCHED;
	if (!conf_is_vouched(s->db, s->started) || !fill_may(s, u, stmt, why))
		return false;
	fill_make_key(s, u, sql, stmt, k);
	return true;
}

nsec_t
fill_since(const struct session *s)
{
	nsec_t max = session_wishes(s)->max_staleness;

	return s->started > max ? s->started - max : 0;
}

/* ---- what a result depends on --------------------------------------------- */

/* Arms share nothing, whatever they have in common. */
static bool
fill_shared_arm(struct buf *b, const struct conf_variant *v)
{
	bool ok = buf_append(b, "\narm=", 5) &&
	    buf_append(b, v->name, strlen(v->name));

	for (size_t i = 0; ok && i < v->n_rewrites; i++)
		ok = buf_append(b, "\nrewrite=", 9) &&
		    buf_append(b, v->rewrites[i].text,
		    strlen(v->rewrites[i].text));
	return ok;
}

char *
fill_shared_scope(const struct conf_database *db, const struct scope *scope)
{
	const struct conf_table *t;
	struct buf b;
	char *text = NULL;
	bool ok;
	size_t i;

	buf_init(&b, 1024 * 1024);
	ok = buf_append(&b, scope->results->text,
	    strlen(scope->results->text));
	for (i = 0; ok && i < db->n_watches; i++)
		ok = db->watches[i]->deps != NULL &&
		    buf_append(&b, "\ncatalogs=", 10) &&
		    buf_append(&b, db->watches[i]->deps->digest,
		    strlen(db->watches[i]->deps->digest));
	for (i = 0; ok && i < db->n_tables; i++) {
		t = db->tables[i];
		ok = buf_append(&b, "\ntable=", 7) &&
		    buf_append(&b, t->name, strlen(t->name)) &&
		    buf_append(&b, " backend=", 9) &&
		    buf_append(&b, t->use->backend->name,
		    strlen(t->use->backend->name)) &&
		    buf_append(&b, " relation=", 10) &&
		    buf_append(&b, t->use->relations[0].name,
		    strlen(t->use->relations[0].name)) &&
		    buf_append(&b, " layout=", 8) &&
		    buf_append(&b, t->use->digest, strlen(t->use->digest)) &&
		    (db->base == NULL || t == db->base->tables[i] ||
		    fill_shared_arm(&b, t->use));
	}
	if (ok)
		text = x_strndup(buf_head(&b), buf_len(&b));
	buf_reset(&b);
	return text;
}

uint32_t
fill_tenant(const struct query *q)
{
	const struct route_plan *p = q->plan;
	struct route_touch t;
	uint64_t tenant;
	size_t i;

	if (route_touch_tenant(p, q->shape, &q->values, &tenant))
		return (uint32_t)hash_bytes(&tenant, sizeof(tenant)).lo;
	for (i = 0; i < p->n_reads; i++) {
		route_touch_read(p, q->shape, &q->values, i, &t);
		if (t.key != NULL && t.n == 1)
			return (uint32_t)hash_bytes(t.value,
			    sizeof(t.value[0])).lo;
	}
	return (uint32_t)hash_bytes(p->rule->name, strlen(p->rule->name)).lo;
}

void
fill_tags(struct tagset *tags, const struct query *q)
{
	const struct route_plan *p = q->plan;
	struct route_touch t;
	unsigned n;
	size_t i;

	tagset_init(tags);
	for (i = 0; i < p->n_reads; i++) {
		route_touch_read(p, q->shape, &q->values, i, &t);
		if (t.key == NULL || tags->n + 1 + t.n + (p->n_reads - i - 1) >
		    TAGSET_MAX) {
			tagset_add(tags, tag_of_table(p->reads[i]));
			continue;
		}
		tagset_add(tags, tag_of_column(t.key->rel, t.key->column));
		for (n = 0; n < t.n; n++)
			tagset_add(tags, tag_of_value(t.key->rel,
			    t.key->column, t.value[n]));
	}
}

uint64_t
fill_shape(const struct session *s, const struct query *q)
{
	uint64_t id = q->shape->hash.lo + q->plan->db->id * 0x9e3779b97f4a7c15u;

	return !s->conf->cache_governor ? 0 : id != 0 ? id : 1;
}

enum bypass_reason
fill_vouched(const struct session *s, struct route_plan *p,
    const struct live_set **live)
{
	const struct conf_rule *r = p->rule;

	*live = NULL;
	if (!r->strong)
		return BYPASS_NONE;
	if (!r->all) {
		*live = feed_set(s->conf, s->db, r);
	} else {
		if (p->live == NULL)
			p->live = feed_set_of(s->conf, s->db, p->reads,
			    p->n_reads);
		*live = p->live;
	}
	if (*live == NULL)
		return BYPASS_FEED_STALE;
	if (live_now(*live, clock_mono()))
		return BYPASS_NONE;
	return feed_is_unable(*live) ? BYPASS_FEED_UNABLE : BYPASS_FEED_STALE;
}
