/* SPDX-License-Identifier: PostgreSQL
 *
 * Gates: whether what a cache rule reads on one backend is vouched for.
 *
 * A gate is the tables of a rule that may be on a backend.  Gates of the same
 * backend and tables are the same, through reloads; they and sets of them live
 * until gates_fini(), so that cached objects may refer to them.  They are made
 * on the control thread; what the catalogs say of them and whether they are
 * open is the feed's, on its thread; any thread reads live.
 */
#ifndef PGSLUICE_FEED_GATE_H
#define PGSLUICE_FEED_GATE_H

#include <sys/queue.h>

#include "base/hash.h"
#include "cache/live.h"
#include "cache/tags.h"
#include "conf/conf.h"

/* A table of a rule, as a name on a backend. */
struct watch {
	char *named;        /* in the rule */
	char *schema, *rel; /* without quotes; schema "": any */
	bool maybe;         /* there need not be any */
	bool foreign;       /* foreign partitions are followed elsewhere */
	bool found;         /* by the last look at the catalogs */
};

struct gate {
	struct live live;   /* first: a struct live of ours is a gate */
	atomic_bool unable; /* a table cannot be followed */
	STAILQ_ENTRY(gate) next;
	struct hash128 key; /* of what it is */
	char *backend;
	struct watch *v;
	size_t n;
	tag_t *tags;        /* to be bumped before it opens */
	size_t n_tags;
	unsigned id;
	/* the feed's thread */
	bool known;         /* the catalogs have been asked */
	bool open;
	nsec_t since;       /* able since then */
};

/* Of a rule for all tables, by name; none: they are not known, or too many. */
struct gate_name;
struct gate_names {
	struct gate_name *v;
	size_t n;
};
#define GATE_NAMES_MAX 2000u
#define GATE_SET_MAX 32u     /* gates of one set that is asked for */
#define GATES_MAX 100000u    /* of such rules, as long as the process lives */
#define GATE_SETS_MAX 65536u /* ... sets */

/* The gates of a configuration. */
struct gate_plan {
	size_t n_rules;
	struct gate **gates; /* those of every rule, as far as feeds are on */
	size_t n;
	/* By database and rule; NULL: not strong. */
	const struct live_set **sets;
	size_t n_sets;
	struct gate_names *names; /* by database */
	size_t n_names;
};
struct gate_plan *gate_plan_new(const struct conf *c) PG_MUST_CHECK;
void gate_plan_free(struct gate_plan **p);
static inline const struct live_set *
gate_plan_set(const struct gate_plan *p, const struct conf_database *d,
    const struct conf_rule *r)
{
	return p->sets[d->id * p->n_rules + r->id];
}
/* Who vouches for what is read by these names, by a strong rule for all tables;
 * NULL: nobody. Any thread, as long as p is there. */
const struct live_set *gate_names_set(const struct gate_names *l,
    const char *const *names, size_t n);
/* For gate_names.c alone. */
void gate_names_make(struct gate_names *l, const struct conf *c,
    const struct conf_database *d, struct gate_plan *p);
void gate_names_free(struct gate_names *l);
/* NULL: there are too many. */
struct gate *gate_of_name(const struct conf_backend *b, const char *name,
    const struct conf *c, struct gate_plan *p);
const struct live_set *gates_set(struct gate *const *v, size_t n);
/* One of the set's gates has a table that cannot be followed. */
bool gates_unable(const struct live_set *s);
void gates_fini(void);

#endif
