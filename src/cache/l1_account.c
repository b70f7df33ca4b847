/* SPDX-License-Identifier: PostgreSQL
 *
 * Accounts of one stripe: what each tenant's objects take, and which of them
 * go when it takes too much.
 *
 * Knows tenants as numbers, of which several may share an account: then they
 * share its limit, so that none has more than its own.  Within an account
 * objects go in the order of their arrival, those that were hit later than
 * others.  Runs under the stripe's lock.  Invariants: bytes of an account are
 * the sum over its list; an entry is in a list if and only if it has an object.
 */
#include "base/check.h"
#include "cache/l1_priv.h"

/* So many objects are spared for their hits before one goes all the same. */
#define SPARED_MAX 16

void
l1_accounts_init(struct l1_accounts *a)
{
	unsigned i;

	for (i = 0; i < L1_ACCOUNTS; i++) {
		TAILQ_INIT(&a->account[i].entries);
		a->account[i].bytes = 0;
	}
}

static struct l1_account *
l1_account_of(struct l1_accounts *a, const struct object *o)
{
	return &a->account[o->tenant % L1_ACCOUNTS];
}

void
l1_account_add(struct l1_accounts *a, struct l1_entry *e)
{
	struct l1_account *of = l1_account_of(a, e->obj);

	TAILQ_INSERT_HEAD(&of->entries, e, account);
	of->bytes += l1_cost(e->obj);
}

void
l1_account_remove(struct l1_accounts *a, struct l1_entry *e)
{
	struct l1_account *of = l1_account_of(a, e->obj);

	CHECK(of->bytes >= l1_cost(e->obj));
	TAILQ_REMOVE(&of->entries, e, account);
	of->bytes -= l1_cost(e->obj);
}

struct l1_entry *
l1_account_victim(struct l1_accounts *a, const struct object *o, size_t limit)
{
	struct l1_account *of = l1_account_of(a, o);
	struct l1_entry *e;
	unsigned spared;

	if (of->bytes + l1_cost(o) <= limit)
		return NULL;
	e = TAILQ_LAST(&of->entries, l1_entries);
	for (spared = 0; spared < SPARED_MAX && e->freq > 0; spared++) {
		e->freq--;
		TAILQ_REMOVE(&of->entries, e, account);
		TAILQ_INSERT_HEAD(&of->entries, e, account);
		e = TAILQ_LAST(&of->entries, l1_entries);
	}
	return e;
}
