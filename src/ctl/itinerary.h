/* SPDX-License-Identifier: PostgreSQL
 *
 * All that a configuration says about the way of a shape, as texts that can be
 * compared: where it goes, by what, in which words, how it is cached.
 *
 * The shape's literals have no value here.  What would follow from them is told
 * as the choice there is: the shards one of which a tenant's value would prove.
 * Pure.
 */
#ifndef PGSLUICE_CTL_ITINERARY_H
#define PGSLUICE_CTL_ITINERARY_H

#include "ctl/planner.h"

enum leg {
	LEG_ERROR, LEG_TABLE, LEG_VARIANT, LEG_BACKEND, LEG_TENANT, LEG_MONTHS,
	LEG_REWRITE, LEG_SQL, LEG_CACHE, LEG_TTL, LEG_DEPENDS, LEG_WRITES,
	LEG_REPLICAS, LEG_EXPERIMENT, LEG_COUNT
};

struct itinerary {
	char *leg[LEG_COUNT]; /* malloc'ed */
};

const char *leg_name(enum leg l);
void itinerary_init(struct itinerary *it, const struct planner *pl,
    const struct planned *pd);
void itinerary_fini(struct itinerary *it);

/* The experiments of the plan's table in its database, one after the other; what
 * became of them is not known. */
void itinerary_each_experiment(const struct planner *pl,
    const struct planned *pd,
    void (*fn)(void *arg, const struct conf_experiment *e), void *arg);

#endif
