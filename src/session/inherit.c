/* SPDX-License-Identifier: PostgreSQL
 *
 * Results from one process's L1 to the next one's.
 *
 * A key says by numbers of its process where its result holds; here they become
 * words, the same as in Redis (fill_shared_scope()), and back.  Leaving runs on
 * the thread of the takeover, with a configuration of its own; what is of
 * another generation stays.  Taking runs on the session's worker.
 *
 * Why what is taken is right: it was in force in the process before when that
 * copied it.  Since then both have counted writes in the same memory: what either
 * wrote has moved a tag, by which it is told apart in both, since they work by the
 * same settings.  A write that comes while it is copied moves a tag that was
 * noted before.  What catalogs say has not changed, as the words tell, and
 * somebody has vouched for it all the time (warm.c).
 */
#include "session/inherit.h"

#include <stdlib.h>
#include <string.h>

#include "cache/warm.h"
#include "conf/deps.h"

#define LEAVE_TIME NSEC_PER_SEC

/* ---- leaving -------------------------------------------------------------- */

struct leave_scope {
	uint64_t of;     /* as keys have it */
	uint32_t number; /* WARM_SCOPES_MAX: it stays */
};

struct leaving {
	struct conf *conf;
	bool (*send)(void *arg, const struct buf *b);
	void *arg;
	size_t limit, bytes, results;
	nsec_t until;
	struct buf b;
	struct leave_scope *scope;
	size_t n_scopes, n_numbers;
	bool broken;
};

/* What decides where a result holds; malloc'ed, or NULL. */
static char *
inherit_scope(const struct conf_database *db, const struct scope *scope)
{
	char *shared = fill_shared_scope(db, scope), *text;

	if (shared == NULL)
		return NULL;
	if (asprintf(&text, "%s\ndatabase=%s", shared, db->name) < 0)
		text = NULL;
	free(shared);
	return text;
}

static bool
inherit_fits(const struct conf_database *db)
{
	return db->base == NULL && db->n_experiments == 0 &&
	    db->n_watches > 0;
}

static nsec_t
leave_vouched(const struct conf_database *db)
{
	nsec_t until = UINT64_MAX, one;
	size_t i;

	for (i = 0; i < db->n_watches; i++) {
		one = atomic_load(&db->watches[i]->vouch->until);
		until = one < until ? one : until;
	}
	return until;
}

/* ... of a scope that was not met yet. false: its results stay. */
static bool
leave_new_scope(struct leaving *l, uint64_t of)
{
	const struct conf *c = l->conf;
	const struct conf_database *db;
	const struct scope *scope;
	uint32_t slot = of & 0xfff;
	nsec_t vouched;
	char *text;
	bool ok;

	if (slot >= c->n_databases || (uint32_t)of !=
	    (uint32_t)(c->generation << 12 | slot))
		return false;
	db = &c->databases[slot];
	scope = scope_find_id((uint32_t)(of >> 32));
	vouched = leave_vouched(db);
	if (scope == NULL || db->id != slot || !inherit_fits(db) ||
	    !conf_is_vouched(db, clock_mono()))
		return false;
	text = inherit_scope(db, scope);
	if (text == NULL)
		return false;
	ok = warm_put_scope(&l->b, vouched, slice_str(text));
	l->bytes += strlen(text);
	free(text);
	l->broken |= !ok;
	return ok;
}

static uint32_t
leave_scope(struct leaving *l, uint64_t of)
{
	struct leave_scope *v;
	size_t i;

	for (i = 0; i < l->n_scopes; i++)
		if (l->scope[i].of == of)
			return l->scope[i].number;
	if (l->n_scopes == WARM_SCOPES_MAX)
		return WARM_SCOPES_MAX;
	v = realloc(l->scope, (l->n_scopes + 1) * sizeof(*v));
	CHECK(v != NULL);
	l->scope = v;
	v[l->n_scopes++] = (struct leave_scope){ of, leave_new_scope(l, of) ?
	    (uint32_t)l->n_numbers++ : WARM_SCOPES_MAX };
	return v[l->n_scopes - 1].number;
}

static void
leave_send(struct leaving *l)
{
	if (buf_len(&l->b) > 0 && !l->broken)
		l->broken = !l->send(l->arg, &l->b);
	buf_consume(&l->b, buf_len(&l->b));
}

/* limit: up to here. */
static void
leave_object(struct leaving *l, const struct object *o, size_t limit)
{
	struct trial_mark trial;
	uint32_t scope;

	memcpy(&trial, &o->trial, sizeof(trial));
	if (l->broken || o->live != NULL || o->mark.used || trial.at != 0 ||
	    l->bytes + o->size > limit)
		return;
	scope = leave_scope(l, o->key.scope);
	if (scope == WARM_SCOPES_MAX || l->broken)
		return;
	if (!warm_put_result(&l->b, scope, o)) {
		l->broken = true;
		return;
	}
	l->bytes += o->size;
	l->results++;
	if (buf_len(&l->b) >= WARM_BATCH)
		leave_send(l);
}

size_t
session_leave_results(struct conf *c, size_t limit,
    bool (*send)(void *arg, const struct buf *b), void *arg)
{
	struct leaving l = { .conf = c, .send = send, .arg = arg,
		.limit = limit, .until = clock_mono() + LEAVE_TIME };
	struct object **v = x_calloc(L1_USED_MAX, sizeof(*v));
	struct l1 *l1 = session_layer_l1();
	unsigned part, parts;
	size_t n, i;

	parts = l1_parts(l1);
	buf_init(&l.b, WARM_BATCH + 2 * (size_t)c->cache_max_object +
	    (1u << 20));
	for (part = 0; l1_used(l1, part, clock_mono(), v, &n); part++) {
		for (i = 0; i < n; i++) {
			if (clock_mono() < l.until)
				leave_object(&l, v[i],
				    limit / parts * (part + 1));
			object_unref(&v[i]);
		}
	}
	leave_send(&l);
	buf_reset(&l.b);
	free(l.scope);
	free(v);
	return l.results;
}

/* ---- taking --------------------------------------------------------------- */

struct object *
inherit(const struct session *s, struct fill *f)
{
	struct warm_found found;
	struct object *o = NULL;
	char *text;
	bool got;

	if (!warm_is_there() || f->live != NULL || f->renews ||
	    f->trial.at != 0 || (f->rule->l2 && s->sw->l2 != NULL) ||
	    !inherit_fits(f->view))
		return NULL;
	text = inherit_scope(f->view, f->scope);
	if (text == NULL)
		return NULL;
	got = warm_take(slice_str(text), &f->key, &f->tags, fill_since(s),
	    clock_mono(), &found);
	free(text);
	if (!got)
		return NULL;
	if (!l1_had_younger(session_layer_l1(), &f->key,
	    found.fetched_wall) && fill_limit(f, found.desc, found.data,
	    found.fetched_wall))
		o = object_new(&f->key, found.desc, found.data, &f->tags);
	if (o != NULL)
		fill_date(o, f, found.fetched_mono, found.fetched_wall);
	warm_found_fini(&found);
	if (o != NULL && o->l1_until <= clock_mono())
		object_unref(&o);
	return o;
}
