/* SPDX-License-Identifier: PostgreSQL
 *
 * pgsluicectl diff: what differs between two configurations, in settings and for
 * captured shapes.
 *
 * Each shape is planned under both, and what is said of its ways is compared as
 * text.  Shapes that cannot be read are counted, never taken for the same.
 */
#include "ctl/diff.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/offline.h"
#include "ctl/itinerary.h"
#include "ctl/shapes.h"
#include "ctl/trouble.h"

struct count {
	uint64_t shapes, calls;
};

struct comparison {
	struct planner from, to;
	struct count all, same, unread;
	size_t settings, differing; /* that have been printed */
};

/* What becomes of a shape under one configuration. */
struct way {
	bool there;             /* it has the database */
	bool read;              /* the words can be planned */
	struct itinerary legs;  /* then */
};

/* ---- settings ------------------------------------------------------------------- */

static void
diff_setting(void *arg, const char *line)
{
	struct comparison *c = arg;

	if (c->settings++ == 0)
		puts("settings:");
	printf("  %s\n", line);
}

/* ---- shapes ------------------------------------------------------------------------ */

static void
way_init(struct way *w, struct planner *p, const struct captured *c)
{
	const struct conf_database *db = conf_find_database(p->conf,
	    c->database);
	struct planned pd;
	char *sql;

	*w = (struct way){ .there = db != NULL };
	if (db == NULL || c->cut ||
	    !planner_plan_words(p, db, c->text, &sql, &pd))
		return;
	w->read = true;
	itinerary_init(&w->legs, p, &pd);
	planned_fini(&pd);
	free(sql);
}

static void
way_fini(struct way *w)
{
	if (w->read)
		itinerary_fini(&w->legs);
}

static bool
ways_are_same(const struct way *a, const struct way *b)
{
	enum leg l;

	if (a->there != b->there)
		return false;
	for (l = 0; l < LEG_COUNT && a->read && b->read; l++)
		if (strcmp(a->legs.leg[l], b->legs.leg[l]) != 0)
			return false;
	return true;
}

static void
count_add(struct count *n, const struct captured *c)
{
	n->shapes++;
	n->calls += c->calls;
}

static double
percent(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
}

static void
diff_print(const struct comparison *c, const struct captured *shape,
    const struct way *a, const struct way *b)
{
	enum leg l;

	printf("  %s: %" PRIu64 " calls (%.1f %%)", shape->database,
	    shape->calls, percent(shape->calls, c->all.calls));
	if (shape->mean_ms >= 0)
		printf(", mean %.3f ms", shape->mean_ms);
	printf(": %s\n", shape->text);
	if (a->there != b->there)
		printf("    database %s: %s\n", shape->database,
		    a->there ? "removed" : "added");
	for (l = 0; l < LEG_COUNT && a->read && b->read; l++)
		if (strcmp(a->legs.leg[l], b->legs.leg[l]) != 0)
			printf("    %s: %s -> %s\n", leg_name(l),
			    a->legs.leg[l], b->legs.leg[l]);
}

static void
diff_shape(struct comparison *c, const struct captured *shape)
{
	struct way a, b;

	way_init(&a, &c->from, shape);
	way_init(&b, &c->to, shape);
	if ((!a.there && !b.there) ||
	    (a.there && b.there && !(a.read && b.read))) {
		count_add(&c->unread, shape);
	} else if (ways_are_same(&a, &b)) {
		count_add(&c->same, shape);
	} else {
		if (c->differing++ == 0)
			puts("ways:");
		diff_print(c, shape, &a, &b);
	}
	way_fini(&a);
	way_fini(&b);
}

static bool
diff_wants(const struct ctl_options *o, const struct captured *c)
{
	return o->database == NULL || strcmp(o->database, c->database) == 0;
}

static void
diff_sum(const struct comparison *c, const char *database)
{
	bool one = c->unread.shapes == 1;

	if (c->all.shapes == 0) {
		printf("there are no shapes%s%s\n", database != NULL ?
		    " of database " : "", database != NULL ? database : "");
		return;
	}
	printf("%" PRIu64 " of %" PRIu64 " shapes, %.1f %% of calls, are the "
	    "same\n", c->same.shapes, c->all.shapes,
	    c->all.calls > 0 ? percent(c->same.calls, c->all.calls) :
	    percent(c->same.shapes, c->all.shapes));
	if (c->unread.shapes > 0)
		printf("%" PRIu64 " shape%s, %.1f %% of calls, %s not "
		    "compared: %s cut, cannot be read, or %s of no "
		    "database here\n", c->unread.shapes, one ? "" : "s",
		    percent(c->unread.calls, c->all.calls),
		    one ? "was" : "were", one ? "it was" : "they were",
		    one ? "is" : "are");
}

/* Does anything differ? */
static bool
diff_shapes(struct comparison *c, const struct ctl_options *o,
    const struct captures *shapes)
{
	size_t i;

	for (i = 0; i < shapes->n; i++)
		if (diff_wants(o, &shapes->v[i]))
			count_add(&c->all, &shapes->v[i]);
	for (i = 0; i < shapes->n; i++)
		if (diff_wants(o, &shapes->v[i]))
			diff_shape(c, &shapes->v[i]);
	diff_sum(c, o->database);
	return c->differing > 0;
}

/* ---- all of it ------------------------------------------------------------------------ */

static int
diff_confs(struct conf *from, struct conf *to, const struct ctl_options *o,
    const struct captures *shapes)
{
	struct comparison c = { .settings = 0 };
	bool differ;
	int status;

	if (!o->routes)
		(void)conf_diff(from, to, diff_setting, &c);
	planner_init(&c.from, from);
	planner_init(&c.to, to);
	differ = diff_shapes(&c, o, shapes);
	status = trouble_of_output();
	if (status == 0 && (differ || c.settings > 0))
		status = 1;
	planner_fini(&c.from);
	planner_fini(&c.to);
	return status;
}

/* false: it has been said why. */
static bool
diff_can(const struct conf *from, const struct conf *to,
    const struct ctl_options *o)
{
	if (from == NULL || to == NULL)
		return false;
	if (o->database == NULL ||
	    conf_find_database(from, o->database) != NULL ||
	    conf_find_database(to, o->database) != NULL)
		return true;
	(void)trouble("there is no database %s in %s, nor in %s", o->database,
	    o->words[0], o->words[1]);
	return false;
}

int
ctl_diff(const struct ctl_options *o)
{
	struct conf *from, *to;
	struct captures shapes;
	char why[400];
	int status;

	if (!captures_read(&shapes, o->shapes, why, sizeof(why)))
		return trouble("%s", why);
	captures_sort(&shapes);
	from = offline_conf(o->words[0]);
	to = offline_conf(o->words[1]);
	if (diff_can(from, to, o)) {
		status = diff_confs(from, to, o, &shapes);
	} else {
		status = TROUBLE;
		if (from != NULL)
			conf_unref(&from);
		if (to != NULL)
			conf_unref(&to);
	}
	captures_fini(&shapes);
	return status;
}
