/* SPDX-License-Identifier: PostgreSQL
 *
 * What auth_query answered lately.
 *
 * One table under one lock, which is a leaf and held for a copy only.  Entries
 * are told apart by a keyed 128-bit hash of the whole question.  Two lists in
 * order of age bound users and non-users apart.
 */
#include <stdlib.h>
#include <string.h>

#include "auth/lookup_priv.h"
#include "base/htab.h"

#define DOUBT_AFTER NSEC_PER_SEC

struct answer {
	struct htab_node node;
	TAILQ_ENTRY(answer) link; /* oldest first */
	struct hash128 key;
	nsec_t at;
	bool found;
	struct secret secret; /* found */
};

TAILQ_HEAD(answer_list, answer);

static struct {
	pthread_mutex_t lock;
	struct htab by_key;
	struct answer_list found, none;
	unsigned n_found, n_none;
} memory = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.found = TAILQ_HEAD_INITIALIZER(memory.found),
	.none = TAILQ_HEAD_INITIALIZER(memory.none) };

/* All below: under the lock. */

static struct answer *
answer_find(struct hash128 key)
{
	struct htab_node *n;
	struct answer *a;

	for (n = htab_find(&memory.by_key, key.lo); n != NULL;
	    n = htab_next(n)) {
		a = htab_entry(n, struct answer, node);
		if (hash_eq(a->key, key))
			return a;
	}
	return NULL;
}

static void
answer_drop(struct answer *a)
{
	htab_remove(&memory.by_key, &a->node);
	if (a->found) {
		TAILQ_REMOVE(&memory.found, a, link);
		memory.n_found--;
		secret_fini(&a->secret);
	} else {
		TAILQ_REMOVE(&memory.none, a, link);
		memory.n_none--;
	}
	free(a);
}

static void
answer_add(const struct lookup *l, nsec_t now)
{
	struct answer *a = x_calloc(1, sizeof(*a));

	a->key = l->key;
	a->at = now;
	a->found = l->result == LOOKUP_FOUND;
	htab_insert(&memory.by_key, &a->node, a->key.lo);
	if (a->found) {
		secret_copy(&a->secret, &l->secret);
		TAILQ_INSERT_TAIL(&memory.found, a, link);
		if (++memory.n_found > LOOKUP_FOUND_MAX)
			answer_drop(TAILQ_FIRST(&memory.found));
	} else {
		TAILQ_INSERT_TAIL(&memory.none, a, link);
		if (++memory.n_none > LOOKUP_NONE_MAX)
			answer_drop(TAILQ_FIRST(&memory.none));
	}
}

/* ---- what others call ---- */

void
lookup_remember(const struct lookup *l, nsec_t now)
{
	struct answer *a;

	pthread_mutex_lock(&memory.lock);
	a = answer_find(l->key);
	if (a != NULL)
		answer_drop(a);
	answer_add(l, now);
	pthread_mutex_unlock(&memory.lock);
}

enum lookup_result
lookup_cached(struct hash128 key, nsec_t now, nsec_t keep, struct secret *out)
{
	enum lookup_result r = LOOKUP_UNKNOWN;
	struct answer *a;

	pthread_mutex_lock(&memory.lock);
	a = answer_find(key);
	if (a != NULL && now - a->at >= keep) {
		answer_drop(a);
	} else if (a != NULL) {
		r = a->found ? LOOKUP_FOUND : LOOKUP_NONE;
		if (a->found)
			secret_copy(out, &a->secret);
	}
	pthread_mutex_unlock(&memory.lock);
	return r;
}

void
lookup_doubt(struct hash128 key, nsec_t now)
{
	struct answer *a;

	pthread_mutex_lock(&memory.lock);
	a = answer_find(key);
	if (a != NULL && now - a->at >= DOUBT_AFTER)
		answer_drop(a);
	pthread_mutex_unlock(&memory.lock);
}

void
lookup_forget_all(void)
{
	struct answer *a;

	pthread_mutex_lock(&memory.lock);
	while ((a = TAILQ_FIRST(&memory.found)) != NULL)
		answer_drop(a);
	while ((a = TAILQ_FIRST(&memory.none)) != NULL)
		answer_drop(a);
	htab_fini(&memory.by_key);
	htab_init(&memory.by_key);
	pthread_mutex_unlock(&memory.lock);
}

unsigned
lookup_count(void)
{
	unsigned n;

	pthread_mutex_lock(&memory.lock);
	n = memory.n_found + memory.n_none;
	pthread_mutex_unlock(&memory.lock);
	return n;
}
