/* SPDX-License-Identifier: PostgreSQL
 *
 * Copies of the pools' numbers, merged by backend and user.
 *
 * Prometheus refuses two samples with the same labels, and people do not ask
 * for startup settings.  Any thread.
 */
#include "admin/pools.h"

#include <stdlib.h>
#include <string.h>

static void
pools_take(const struct pool_info *i, void *arg)
{
	struct pools *p = arg;
	unsigned resting = i->idle + i->connecting + i->cleaning +
	    i->draining;
	struct pools_row *bigger;

	if (p->n == p->size) {
		p->size = p->size > 0 ? 2 * p->size : 16;
		bigger = realloc(p->v, p->size * sizeof(*p->v));
		CHECK(bigger != NULL);
		p->v = bigger;
	}
	p->v[p->n++] = (struct pools_row){
		.backend = x_strdup(i->backend), .user = x_strdup(i->user),
		.limit = i->limit, .idle = i->idle,
		/* They are read at one moment, almost: a server under way
		 * between workers is counted in total alone, so it is lent;
		 * one that changes its state may be counted twice. */
		.active = i->total > resting ? i->total - resting : 0,
		.cleaning = i->cleaning, .draining = i->draining,
		.clients = i->clients,
		.connecting = i->connecting, .waiting = i->waiting,
		.longest_wait = i->longest_wait, .paused = i->paused,
		.last_error = x_strdup(i->last_error),
	};
}

static int
pools_compare(const void *a, const void *b)
{
	const struct pools_row *x = a, *y = b;
	int c = strcmp(x->backend, y->backend);

	return c != 0 ? c : strcmp(x->user, y->user);
}

static void
pools_row_free(struct pools_row *r)
{
	free(r->backend);
	free(r->user);
	free(r->last_error);
}

static void
pools_row_merge(struct pools_row *to, struct pools_row *from)
{
	char *error;

	to->idle += from->idle;
	to->active += from->active;
	to->connecting += from->connecting;
	to->cleaning += from->cleaning;
	to->draining += from->draining;
	to->clients += from->clients;
	to->waiting += from->waiting;
	if (from->longest_wait > to->longest_wait)
		to->longest_wait = from->longest_wait;
	if (to->last_error[0] == '\0') {
		error = to->last_error;
		to->last_error = from->last_error;
		from->last_error = error;
	}
	pools_row_free(from);
}

void
pools_gather(struct pools *p)
{
	size_t i, out = 0;

	*p = (struct pools){ .v = NULL };
	pool_each(pools_take, p);
	if (p->n == 0)
		return;
	qsort(p->v, p->n, sizeof(*p->v), pools_compare);
	for (i = 1; i < p->n; i++) {
		if (pools_compare(&p->v[out], &p->v[i]) == 0)
			pools_row_merge(&p->v[out], &p->v[i]);
		else
			p->v[++out] = p->v[i];
	}
	p->n = out + 1;
}

void
pools_free(struct pools *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		pools_row_free(&p->v[i]);
	free(p->v);
	*p = (struct pools){ .v = NULL };
}
