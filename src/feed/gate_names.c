/* SPDX-License-Identifier: PostgreSQL
 *
 * Gates of a strong rule for all tables: one for each name that the catalogs
 * of its database's backend have, so that a table which cannot be followed
 * shuts out what reads it and nothing else.
 *
 * Views have none: they hold no rows, and what is read through them has gates
 * of its own.  Made on the control thread; any thread looks names up.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "conf/deps.h"
#include "feed/gate.h"

struct gate_name {
	const char *name; /* of the configuration */
	struct gate *gate; /* NULL: only views have the name */
};

static int
name_compare(const void *a, const void *b)
{
	const struct gate_name *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Sorted, each once. */
static void
names_take(struct gate_names *l, const struct deps *d, bool *held)
{
	size_t i, n = 0;

	l->v = x_calloc(d->n > 0 ? d->n : 1, sizeof(l->v[0]));
	for (i = 0; i < d->n; i++)
		l->v[i] = (struct gate_name){ .name = d->v[i].name };
	qsort(l->v, d->n, sizeof(l->v[0]), name_compare);
	for (i = 0; i < d->n; i++)
		if (n == 0 || strcmp(l->v[n - 1].name, l->v[i].name) != 0)
			l->v[n++].name = l->v[i].name;
	l->n = n;
	for (i = 0; i < d->n; i++) {
		const struct gate_name key = { .name = d->v[i].name };
		struct gate_name *at = bsearch(&key, l->v, n, sizeof(key),
		    name_compare);

		held[at - l->v] |= d->v[i].kind != 'v';
	}
}

void
gate_names_make(struct gate_names *l, const struct conf *c,
    const struct conf_database *d, struct gate_plan *p)
{
	const struct conf_watch *w = conf_find_watch(c, d->backend->name);
	size_t i, n = 0;
	bool *held;

	if (w == NULL || w->deps == NULL || w->deps->partial != NULL)
		return;
	held = x_calloc(w->deps->n > 0 ? w->deps->n : 1, sizeof(*held));
	names_take(l, w->deps, held);
	for (i = 0; i < l->n; i++)
		n += held[i];
	for (i = 0; i < l->n && n <= GATE_NAMES_MAX; i++) {
		if (!held[i])
			continue;
		l->v[i].gate = gate_of_name(d->backend, l->v[i].name, c, p);
		if (l->v[i].gate == NULL)
			n = GATE_NAMES_MAX + 1;
	}
	/* None at all rather than one that is missing. */
	if (n > GATE_NAMES_MAX)
		gate_names_free(l);
	free(held);
}

void
gate_names_free(struct gate_names *l)
{
	free(l->v);
	*l = (struct gate_names){ .v = NULL };
}

const struct live_set *
gate_names_set(const struct gate_names *l, const char *const *names, size_t n)
{
	struct gate *v[GATE_SET_MAX];
	size_t i, k = 0;

	if (n > GATE_SET_MAX)
		return NULL;
	for (i = 0; i < n; i++) {
		const struct gate_name key = { .name = names[i] };
		const struct gate_name *at = l->n == 0 ? NULL : bsearch(&key,
		    l->v, l->n, sizeof(key), name_compare);

		if (at == NULL)
			return NULL;
		if (at->gate != NULL)
			v[k++] = at->gate;
	}
	return k > 0 ? gates_set(v, k) : NULL;
}
