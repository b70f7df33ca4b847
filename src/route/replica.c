/* SPDX-License-Identifier: PostgreSQL
 *
 * Is a statement a read that a replica may answer, as far as its shape and
 * values tell?
 *
 * Only what gives the same rows on every copy of the data is: no writes, no
 * locks, no catalogs, no function but immutable ones (others tell the server's
 * clock or state, or change something), and of those of the user's what the
 * configuration declares to read only.  What views and such functions do
 * inside is not seen: what a standby cannot do it refuses, and the primary is
 * asked.  A statement that a cache rule covers goes to the primary whether it
 * is cached or not, so that all answers to it come from there.  Pure.
 */
#include "route/route_priv.h"

static const struct {
	const char *name, *doc;
} reasons[] = {
	[REPLICA_REASON_NONE] = { "none", "" },
#define REPLICA_REASON(sym, name, doc) [REPLICA_REASON_##sym] = { name, doc },
#include "tbl/replica_reasons.h"
};

const char *
replica_reason_name(enum replica_reason r)
{
	return reasons[r].name;
}

const char *
replica_reason_doc(enum replica_reason r)
{
	return reasons[r].doc;
}

static int64_t
replica_stricter(int64_t a, int64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

/* What holds for a table, NULL: one that is not routed, on top of all others
 * of the statement. */
static void
replica_add_rule(struct conf_replica_rule *all,
    const struct conf_database *db, const struct conf_table *t)
{
	struct conf_replica_rule r = db->replicas;

	if (t != NULL && t->replicas.reads != REPLICA_READS_INHERIT)
		r.reads = t->replicas.reads;
	if (t != NULL && t->replicas.max_age != REPLICA_AGE_INHERIT)
		r.max_age = t->replicas.max_age;
	if (t != NULL && t->replicas.max_lag != REPLICA_LAG_INHERIT)
		r.max_lag = t->replicas.max_lag;
	if (r.reads < all->reads)
		all->reads = r.reads;
	all->max_age = (nsec_t)replica_stricter((int64_t)all->max_age,
	    (int64_t)r.max_age);
	all->max_lag = replica_stricter(all->max_lag, r.max_lag);
}

static enum replica_reason
replica_reason(const struct route_plan *p, const struct analysis *a)
{
	bool read = false;

	for (size_t i = 0; i < a->n_tables; i++)
		read |= a->tables[i].read;
	if (p->replica_rule.reads == REPLICA_READS_OFF)
		return REPLICA_REASON_OFF;
	if (a->kind != STMT_SELECT || (a->flags & AN_MULTI))
		return REPLICA_REASON_NOT_READ;
	if (a->flags & (AN_STABLE | AN_VOLATILE | AN_UNKNOWN_FN |
	    AN_TABLESAMPLE))
		return REPLICA_REASON_FUNCTION;
	if (a->pins != 0 || a->n_settings > 0 ||
	    (a->flags & (AN_WRITES | AN_WRITES_ALL | AN_LOCKING)))
		return REPLICA_REASON_NOT_READ;
	if (!read)
		return REPLICA_REASON_NO_TABLE;
	if (a->flags & AN_CATALOG)
		return REPLICA_REASON_CATALOG;
	if (p->rule != NULL)
		return REPLICA_REASON_CACHED;
	return REPLICA_REASON_NONE;
}

void
route_plan_replica(struct route_plan *p, const struct analysis *a)
{
	p->replica_rule = (struct conf_replica_rule){
		.reads = REPLICA_READS_INHERIT };
	for (size_t i = 0; i < a->n_tables; i++)
		replica_add_rule(&p->replica_rule, p->db, p->tables != NULL ?
		    p->tables[i] : NULL);
	if (a->n_tables == 0)
		replica_add_rule(&p->replica_rule, p->db, NULL);
	p->replica = replica_reason(p, a);
}

enum replica_reason
route_replica_reason(const struct route_plan *p, const struct shape *s,
    const struct route_values *v)
{
	if (p->replica == REPLICA_REASON_NONE &&
	    (analysis_has_special_literals(s->an, v->sql, v->lx) ||
	    route_values_special(v)))
		return REPLICA_REASON_CLOCK;
	return p->replica;
}
