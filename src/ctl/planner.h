/* SPDX-License-Identifier: PostgreSQL
 *
 * Statements under a configuration that nobody serves: shape, plan and decision
 * by the code of the daemon.
 *
 * What catalogs would tell is not known here: planned_each_divided() says of
 * which tables the parts are not.  One thread.
 */
#ifndef PGSLUICE_CTL_PLANNER_H
#define PGSLUICE_CTL_PLANNER_H

#include "route/route.h"

struct planner {
	struct conf *conf;
	struct shape_table shapes;
	struct lexer lx;
};

/* One statement; borrows its text, and is valid until the next one of the same
 * planner. */
struct planned {
	struct shape *shape;
	struct route_plan *plan;
	struct route_values values;
	struct route_decision where;
};

/* Takes over the reference. */
void planner_init(struct planner *p, struct conf *c);
void planner_fini(struct planner *p);
/* By its name; NULL: the only one there is. NULL with a line in why. */
const struct conf_database *planner_database(const struct planner *p,
    const char *name, char *why, size_t size);
/* As a Query, so that parameters have no values. */
void planner_plan(struct planner *p, const struct conf_database *db,
    struct slice sql, struct planned *out);
/* The same for the words of a shape: *sql is the reading that was taken,
 * malloc'ed. false: there is none that can be parsed. */
bool planner_plan_words(struct planner *p, const struct conf_database *db,
    const char *words, char **sql, struct planned *out) PG_MUST_CHECK;
void planned_fini(struct planned *pd);

/* Are the parts of the table known without catalogs? */
bool planned_is_known(const struct conf_table *t);
/* Each variant that the statement needs which is divided; known: its parts stand
 * in the configuration. */
void planned_each_divided(const struct planned *pd,
    void (*fn)(void *arg, const struct conf_table *t, bool known), void *arg);

#endif
