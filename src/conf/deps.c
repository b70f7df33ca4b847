/* SPDX-License-Identifier: PostgreSQL
 *
 * Life of what catalogs say, and finding relations in it.
 */
#include "conf/deps.h"

#include <stdlib.h>
#include <string.h>

const char *
deps_trait_name(unsigned trait)
{
	static const char *const names[] = {
#define TABLE_TRAIT(sym, name, bypass) name,
#include "tbl/table_traits.h"
	};

	CHECK(trait < ARRAY_SIZE(names));
	return names[trait];
}

/* ------------------------------------------------------------ life */

struct deps *
deps_new(const char *backend, size_t n)
{
	struct deps *d = x_calloc(1, sizeof(*d));

	atomic_init(&d->refs, 1);
	d->backend = x_strdup(backend);
	d->v = x_calloc(n, sizeof(d->v[0]));
	d->n = n;
	return d;
}

static int
deps_compare(const void *a, const void *b)
{
	const struct deps_relation *x = a, *y = b;
	int c = strcmp(x->folded, y->folded);

	if (c == 0)
		c = strcmp(x->schema, y->schema);
	return c != 0 ? c : strcmp(x->name, y->name);
}

void
deps_sort(struct deps *d)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		ident_fold(d->v[i].name, d->v[i].folded);
	if (d->n > 0)
		qsort(d->v, d->n, sizeof(d->v[0]), deps_compare);
}

struct deps *
deps_ref(struct deps *d)
{
	CHECK(atomic_fetch_add(&d->refs, 1) > 0);
	return d;
}

void
deps_unref(struct deps **dp)
{
	struct deps *d = *dp;
	size_t i;

	*dp = NULL;
	if (d == NULL || atomic_fetch_sub(&d->refs, 1) > 1)
		return;
	for (i = 0; i < d->n; i++) {
		free(d->v[i].schema);
		free(d->v[i].name);
		free(d->v[i].why);
		free(d->v[i].reads.v);
		free(d->v[i].changes.v);
		free(d->v[i].updates.v);
		free(d->v[i].inserts.v);
	}
	free(d->v);
	free(d->partial);
	conf_strings_fini(&d->functions);
	conf_strings_fini(&d->operators);
	free(d->backend);
	free(d);
}

void
deps_names_add(struct deps_names *l, const char *name)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (strcmp(l->v[i], name) == 0)
			return;
	if (l->n == DEPS_NAMES_MAX) {
		l->any = true;
		return;
	}
	if ((l->n & (l->n - 1)) == 0) { /* grows by doubling */
		l->v = realloc(l->v, (l->n == 0 ? 1 : 2 * l->n) *
		    sizeof(l->v[0]));
		CHECK(l->v != NULL);
	}
	l->v[l->n++] = name;
}

/* ------------------------------------------------------------ finding */

/* The first relation whose folded name is not before this one. */
static size_t
deps_lower(const struct deps *d, const char *folded)
{
	size_t lo = 0, hi = d->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (strcmp(d->v[mid].folded, folded) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool
deps_schema_fits(const struct deps_relation *r, const char *schema)
{
	char a[IDENT_FOLDED_SIZE], b[IDENT_FOLDED_SIZE];

	if (schema == NULL)
		return true;
	ident_fold(schema, a);
	ident_fold(r->schema, b);
	return strcmp(a, b) == 0;
}

const struct deps_relation *
deps_find(const struct deps *d, const char *schema, const char *name,
    size_t *i)
{
	char folded[IDENT_FOLDED_SIZE];
	const struct deps_relation *r;

	ident_fold(name, folded);
	if (*i == 0)
		*i = deps_lower(d, folded);
	while (*i < d->n && strcmp(d->v[*i].folded, folded) == 0) {
		r = &d->v[(*i)++];
		if (deps_schema_fits(r, schema))
			return r;
	}
	return NULL;
}
