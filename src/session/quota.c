/* SPDX-License-Identifier: PostgreSQL
 *
 * The table of quotas.
 *
 * Knows names, not what is limited nor why.  Any thread; one short lock, a
 * leaf, taken when clients come and go and never for a statement.
 */
#include "session/quota.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/htab.h"

struct quota {
	struct htab_node node;
	enum quota_kind kind;
	int64_t count;
	char name[];
};

static struct {
	pthread_mutex_t lock;
	struct htab all;
} quotas = { .lock = PTHREAD_MUTEX_INITIALIZER };

void
quota_init(void)
{
	htab_init(&quotas.all);
}

void
quota_fini(void)
{
	CHECK(quotas.all.count == 0);
	htab_fini(&quotas.all);
}

/* Under the lock. */
static struct quota *
quota_find(enum quota_kind kind, const char *name, uint64_t hash)
{
	struct htab_node *n;
	struct quota *q;

	for (n = htab_find(&quotas.all, hash); n != NULL; n = htab_next(n)) {
		q = htab_entry(n, struct quota, node);
		if (q->kind == kind && strcmp(q->name, name) == 0)
			return q;
	}
	return NULL;
}

struct quota *
quota_take(enum quota_kind kind, const char *name, int64_t limit)
{
	size_t n = strlen(name) + 1;
	uint64_t hash = hash_bytes(name, n).lo;
	struct quota *q;

	pthread_mutex_lock(&quotas.lock);
	q = quota_find(kind, name, hash);
	if (q == NULL) {
		q = x_calloc(1, sizeof(*q) + n);
		q->kind = kind;
		memcpy(q->name, name, n);
		htab_insert(&quotas.all, &q->node, hash);
	}
	if (limit == 0 || q->count < limit)
		q->count++;
	else
		q = NULL;
	pthread_mutex_unlock(&quotas.lock);
	return q;
}

void
quota_give(struct quota **qp)
{
	struct quota *q = *qp;

	*qp = NULL;
	if (q == NULL)
		return;
	pthread_mutex_lock(&quotas.lock);
	CHECK(q->count > 0);
	if (--q->count == 0)
		htab_remove(&quotas.all, &q->node);
	else
		q = NULL;
	pthread_mutex_unlock(&quotas.lock);
	free(q);
}

int64_t
quota_count(const struct quota *q)
{
	int64_t n;

	pthread_mutex_lock(&quotas.lock);
	n = q->count;
	pthread_mutex_unlock(&quotas.lock);
	return n;
}
