/* SPDX-License-Identifier: PostgreSQL
 *
 * pgsluicectl explain.
 *
 * From a configuration the lines are those of route_explain().  Where a line
 * would say what holds only until catalogs are read, its value is "unknown"; what
 * else is not known follows in lines that begin with that word.
 */
#include "ctl/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/offline.h"
#include "conf/trial.h"
#include "ctl/dial.h"
#include "ctl/itinerary.h"
#include "ctl/trouble.h"

struct offline_explain {
	const struct planned *pd;
	bool parts_open; /* where parts are is not known */
};

/* ---- what is not known ---------------------------------------------------------- */

/* Lines that follow from where the parts are. */
static bool
explain_is_place(const char *line, size_t n)
{
	static const char *const keys[] = { "key", "shard", "shards", "months",
		"backend", "relation", "sql", "why", "difference" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (strlen(keys[i]) == n && memcmp(keys[i], line, n) == 0)
			return true;
	return false;
}

static void
explain_line(void *arg, const char *line)
{
	const struct offline_explain *x = arg;
	size_t n = strcspn(line, ":");

	if (x->parts_open && explain_is_place(line, n))
		printf("%.*s: unknown\n", (int)n, line);
	else
		puts(line);
}

static void
explain_open(void *arg, const struct conf_table *t PG_UNUSED, bool known)
{
	struct offline_explain *x = arg;

	x->parts_open |= !known;
}

static void
explain_divided(void *arg PG_UNUSED, const struct conf_table *t, bool known)
{
	const struct conf_variant *v = t->use;

	if (known)
		printf("unknown: whether the catalogs of backend %s bear out "
		    "the parts of table %s (variant %s)\n", v->backend->name,
		    t->name, v->name);
	else
		printf("unknown: where the parts of table %s (variant %s) are; "
		    "the catalogs of backend %s say it\n", t->name, v->name,
		    v->backend->name);
}

static bool
explain_writes(const struct route_plan *p)
{
	return p->n_writes > 0 && !p->writes_all;
}

static void
explain_catalogs(const struct planned *pd)
{
	const struct route_plan *p = pd->plan;

	if (p->db->n_watches == 0)
		return;
	if (p->rule != NULL)
		printf("unknown: whether the catalogs allow it to be cached "
		    "(row level security, kinds of tables%s), what it depends "
		    "on through views and foreign tables, and by which columns "
		    "its rows are told apart\n",
		    p->rule->all ? ", tables and functions of users" : "");
	if (explain_writes(p))
		printf("unknown: what changes with it by foreign keys, "
		    "triggers and rules\n");
	if (p->rule != NULL && p->rule->ttl_closed_month > 0 &&
	    p->table != NULL && p->table->time_column == NULL)
		printf("unknown: the column of months, and with it whether "
		    "ttl_closed_month counts\n");
	if (p->rule != NULL && p->rule->strong)
		printf("unknown: whether the feeds are live, without which the "
		    "rule is not used\n");
}

static void
explain_experiment(void *arg PG_UNUSED, const struct conf_experiment *e)
{
	unsigned k;

	printf("unknown: whether experiment %s is running or promoted; its "
	    "arms, by %s%s:", e->name, conf_unit_name(e->unit),
	    e->shadow ? ", in shadow mode" : "");
	for (k = 0; k < e->n_arms; k++)
		printf("%s %s (%u)", k > 0 ? "," : "",
		    e->arms[k].variant->name, e->arms[k].weight);
	putchar('\n');
}

static void
explain_replicas(const struct planned *pd)
{
	const struct conf_backend *b = pd->where.backend;
	enum replica_reason why;

	if (b->n_replicas == 0 || pd->where.gathers)
		return;
	why = route_replica_reason(pd->plan, pd->shape, &pd->values);
	if (why != REPLICA_REASON_NONE)
		printf("replica: none: %s - %s\n", replica_reason_name(why),
		    replica_reason_doc(why));
	else
		printf("unknown: which of %zu replicas of backend %s has come "
		    "far enough\n", b->n_replicas, b->name);
}

/* ---- from a configuration ---------------------------------------------------------- */

/* Who the client is there; each backend once. */
static void
explain_user(const struct planner *pl, const struct planned *pd,
    const char *user)
{
	const struct conf *c = pl->conf;
	const struct route_decision *d = &pd->where;
	bool there[UINT8_MAX + 1] = { false };
	const struct conf_backend *b;
	int i;

	printf("user: %s", user);
	if (!d->gathers && !d->splits) {
		printf(", on backend %s %s\n", d->backend->name,
		    conf_backend_user(c, d->backend, user));
		return;
	}
	for (i = route_shards_first(&d->shards); i >= 0;
	    i = route_shards_next(&d->shards, (unsigned)i + 1)) {
		b = pd->plan->variant->shards[i].backend;
		if (b->id < ARRAY_SIZE(there) && there[b->id])
			continue;
		if (b->id < ARRAY_SIZE(there))
			there[b->id] = true;
		printf(", on backend %s %s", b->name,
		    conf_backend_user(c, b, user));
	}
	putchar('\n');
}

static bool
explain_is_one(const struct analysis *an)
{
	return an->kind != STMT_EMPTY && (an->flags & AN_MULTI) == 0;
}

static int
explain_with(struct planner *pl, const struct ctl_options *o)
{
	const struct conf_database *db;
	struct offline_explain x = { .parts_open = false };
	struct planned pd;
	char why[400];

	db = planner_database(pl, o->database, why, sizeof(why));
	if (db == NULL)
		return trouble("%s", why);
	planner_plan(pl, db, slice_str(o->words[0]), &pd);
	if (!explain_is_one(pd.shape->an)) {
		planned_fini(&pd);
		return trouble("explain takes one statement");
	}
	x.pd = &pd;
	planned_each_divided(&pd, explain_open, &x);
	route_explain(pd.plan, pd.shape, &pd.values, &pd.where, explain_line,
	    &x);
	if (pd.plan->err_sqlstate == NULL) {
		if (o->user != NULL && !x.parts_open)
			explain_user(pl, &pd, o->user);
		if (!x.parts_open)
			explain_replicas(&pd);
		explain_catalogs(&pd);
	}
	planned_each_divided(&pd, explain_divided, &x);
	itinerary_each_experiment(pl, &pd, explain_experiment, NULL);
	planned_fini(&pd);
	return trouble_of_output();
}

static int
explain_offline(const struct ctl_options *o)
{
	struct conf *c = offline_conf(o->conf);
	struct planner pl;
	int status;

	if (c == NULL)
		return TROUBLE;
	planner_init(&pl, c);
	status = explain_with(&pl, o);
	planner_fini(&pl);
	return status;
}

/* ---- from a running pgsluice --------------------------------------------------------- */

/* What is explained, if the text says so itself. */
static char *
explain_question(const char *sql)
{
	static const char before[] = "EXPLAIN (ROUTE)";
	struct slice inner = analysis_explain_inner(slice_str(sql));
	char *text;

	if (inner.p != NULL)
		sql = inner.p; /* up to the end of the text */
	text = x_malloc(sizeof(before) + strlen(sql));
	stpcpy(stpcpy(text, before), sql);
	return text;
}

/* PostgreSQL, in whatever language, names the option that it has not. */
static int
explain_refused(const struct dial *l)
{
	bool other = strcmp(l->sqlstate, "42601") == 0 &&
	    strstr(l->why, "\"route\"") != NULL;

	return trouble("%s%s", l->why, other ? "; this is no pgsluice, which "
	    "would know it" : "");
}

static int
explain_live(const struct ctl_options *o)
{
	char *question = explain_question(o->words[0]);
	struct dial l = { .conn = NULL };
	PGresult *r = NULL;
	int i;

	if (dial_open(&l, o, NULL))
		r = dial_ask(&l, question);
	free(question);
	if (r == NULL) {
		dial_fini(&l);
		return explain_refused(&l);
	}
	for (i = 0; i < PQntuples(r); i++)
		puts(PQgetvalue(r, i, 0));
	PQclear(r);
	dial_fini(&l);
	return trouble_of_output();
}

int
ctl_explain(const struct ctl_options *o)
{
	return o->live ? explain_live(o) : explain_offline(o);
}
