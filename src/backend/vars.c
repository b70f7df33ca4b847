/* SPDX-License-Identifier: PostgreSQL
 *
 * Intern table of sets of settings.  Any thread.  A set whose last reference
 * is given up leaves the table under the lock; until then nobody who finds it
 * there takes it, so a count never rises from zero.
 */
#include "backend/vars.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "conf/wishes.h"

static pthread_mutex_t vars_lock = PTHREAD_MUTEX_INITIALIZER;
static struct htab vars_tab;

static const char *const vars_harmless[] = {
#define HARMLESS_SETTING(name) #name,
#include "tbl/harmless_settings.h"
};

static int
vars_compare_names(const void *name, const void *row)
{
	return strcmp(name, *(const char *const *)row);
}

bool
vars_is_harmless(const char *name)
{
	return wish_find(name) < WISH_COUNT || bsearch(name, vars_harmless,
	    ARRAY_SIZE(vars_harmless), sizeof(*vars_harmless),
	    vars_compare_names) != NULL;
}

struct vars *
vars_ref(struct vars *v)
{
	if (v != NULL)
		atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
	return v;
}

void
vars_unref(struct vars **vp)
{
	struct vars *v = *vp;

	*vp = NULL;
	if (v == NULL || atomic_fetch_sub(&v->refs, 1) != 1)
		return;
	pthread_mutex_lock(&vars_lock);
	htab_remove(&vars_tab, &v->node);
	pthread_mutex_unlock(&vars_lock);
	free(v);
}

/* Place of a name in a sorted list; *found: it is there. */
static size_t
vars_place(const struct var *list, size_t n, const char *name, bool *found)
{
	size_t lo = 0, hi = n, mid;
	int c;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		c = strcmp(name, list[mid].name);
		if (c == 0) {
			*found = true;
			return mid;
		}
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	*found = false;
	return lo;
}

const char *
vars_get(const struct vars *v, const char *name)
{
	bool found = false;
	size_t i = v == NULL ? 0 : vars_place(v->var, v->n, name, &found);

	return found ? v->var[i].value : NULL;
}

bool
vars_covers(const struct vars *a, const struct vars *b)
{
	size_t i;

	for (i = 0; b != NULL && i < b->n; i++)
		if (vars_get(a, b->var[i].name) == NULL)
			return false;
	return true;
}

static bool
vars_same(const struct vars *v, const struct var *list, size_t n)
{
	size_t i;

	if (v->n != n)
		return false;
	for (i = 0; i < n; i++)
		if (strcmp(v->var[i].name, list[i].name) != 0 ||
		    strcmp(v->var[i].value, list[i].value) != 0)
			return false;
	return true;
}

static struct hash128
vars_mix(struct hash128 h, const struct var *one)
{
	h = hash_mix(h, hash_bytes(one->name, strlen(one->name) + 1));
	return hash_mix(h, hash_bytes(one->value, strlen(one->value) + 1));
}

static struct vars *
vars_new(const struct var *list, size_t n, struct hash128 hash, size_t bytes)
{
	struct vars *v = x_calloc(1, sizeof(*v) + n * sizeof(v->var[0]) +
	    bytes);
	char *p = (char *)&v->var[n];
	size_t i;

	atomic_init(&v->refs, 1);
	v->hash = hash;
	v->n = n;
	for (i = 0; i < n; i++) {
		v->var[i].name = p;
		p = stpcpy(p, list[i].name) + 1;
		v->var[i].value = p;
		p = stpcpy(p, list[i].value) + 1;
		if (!vars_is_harmless(list[i].name))
			v->shaping = vars_mix(v->shaping, &list[i]);
	}
	return v;
}

/* A reference to the one set that holds this list. */
static struct vars *
vars_intern(const struct var *list, size_t n, size_t bytes)
{
	struct hash128 hash = { 0, 0 };
	struct htab_node *node;
	struct vars *v = NULL;
	unsigned refs;
	size_t i;

	for (i = 0; i < n; i++)
		hash = vars_mix(hash, &list[i]);
	pthread_mutex_lock(&vars_lock);
	for (node = htab_find(&vars_tab, hash.lo); node != NULL && v == NULL;
	    node = htab_next(node)) {
		if (!vars_same(htab_entry(node, struct vars, node), list, n))
			continue;
		v = htab_entry(node, struct vars, node);
		refs = atomic_load(&v->refs);
		while (refs > 0 && !atomic_compare_exchange_weak(&v->refs,
		    &refs, refs + 1))
			;
		if (refs == 0)
			v = NULL;
	}
	if (v == NULL) {
		v = vars_new(list, n, hash, bytes);
		htab_insert(&vars_tab, &v->node, hash.lo);
	}
	pthread_mutex_unlock(&vars_lock);
	return v;
}

bool
vars_change(struct vars **v, const struct var *changes, size_t n)
{
	struct var list[VARS_MAX];
	struct vars *old = *v;
	size_t count = old == NULL ? 0 : old->n, bytes = 0, i, at;
	bool found;

	if (count > 0)
		memcpy(list, old->var, count * sizeof(list[0]));
	for (i = 0; i < n; i++) {
		at = vars_place(list, count, changes[i].name, &found);
		if (found && changes[i].value == NULL) {
			count--;
			memmove(&list[at], &list[at + 1], (count - at) *
			    sizeof(list[0]));
		} else if (found) {
			list[at] = changes[i];
		} else if (changes[i].value != NULL) {
			if (count == VARS_MAX)
				return false;
			memmove(&list[at + 1], &list[at], (count - at) *
			    sizeof(list[0]));
			list[at] = changes[i];
			count++;
		}
	}
	for (i = 0; i < count; i++)
		bytes += strlen(list[i].name) + strlen(list[i].value) + 2;
	if (bytes > VARS_BYTES)
		return false;
	*v = count == 0 ? NULL : vars_intern(list, count, bytes);
	vars_unref(&old);
	return true;
}
