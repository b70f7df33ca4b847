/* SPDX-License-Identifier: PostgreSQL
 *
 * Replicas of backends, and the rules for reads on them.
 *
 * After it every replica has one primary, which is none itself, and nothing else
 * names it: statements find their way there from their primary's only.  That
 * two are copies of one database system is for the servers to say (layout/lag.h);
 * here it is seen that they are asked for the same database as the same user.
 * Control thread.
 */
#include <stdlib.h>
#include <string.h>

#include "conf/conf_priv.h"

void
conf_take_replica_rule(struct conf_parse *p, const struct conf_sec *s,
    struct conf_replica_rule *rule)
{
	int reads = (int)rule->reads;

	conf_take_word(p, s, "replica_reads", &reads);
	rule->reads = (enum conf_replica_reads)reads;
	conf_take_time(p, s, "replica_max_age", &rule->max_age);
	conf_take_size(p, s, "replica_max_lag", &rule->max_lag);
}

/* The value of a keyword in both conninfos is the same, or in neither. */
static bool
replica_agrees(const struct conf_backend *a, const struct conf_backend *b,
    const char *keyword)
{
	char *x = conf_backend_option(a, keyword);
	char *y = conf_backend_option(b, keyword);
	bool same = x == NULL || y == NULL ? x == y : strcmp(x, y) == 0;

	free(x);
	free(y);
	return same;
}

/* A list of hosts: which of them has answered would not be known. */
static bool
replica_is_several(const struct conf_backend *b)
{
	static const char *const keywords[] = { "host", "hostaddr" };
	bool several = false;
	char *v;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keywords); i++) {
		v = conf_backend_option(b, keywords[i]);
		several |= v != NULL && strchr(v, ',') != NULL;
		free(v);
	}
	return several;
}

static bool
replica_is_of_variant(const struct conf_variant *v,
    const struct conf_backend *b)
{
	bool named = v->backend == b;
	size_t i;

	for (i = 0; i < v->n_shards; i++)
		named |= v->shards[i].backend == b;
	for (i = 0; i < v->n_spans; i++)
		named |= v->spans[i].backend == b;
	return named;
}

/* Something sends statements there for its own sake. (There may be complaints,
 * and backends that are not known.) */
static bool
replica_is_named(const struct conf *c, const struct conf_backend *b)
{
	bool named = false;
	size_t i, k;

	for (i = 0; i < c->n_databases; i++)
		named |= c->databases[i].backend == b;
	for (i = 0; i < c->n_tables; i++)
		for (k = 0; k < c->tables[i].n_variants; k++)
			named |= replica_is_of_variant(
			    &c->tables[i].variants[k], b);
	return named;
}

static void
replica_check(struct conf_parse *p, int line, const struct conf_backend *of,
    struct conf_backend *b)
{
	static const char *const same[] = { "dbname", "user" };
	size_t i;

	if (b == of)
		conf_complain(p, line, "replicas: backend \"%s\" is its own "
		    "replica, expected another one", b->name);
	else if (b->n_replicas > 0)
		conf_complain(p, line, "replicas: backend \"%s\" has replicas "
		    "itself, expected all of them at \"%s\"", b->name,
		    of->name);
	else if (b->primary != NULL && b->primary != of)
		conf_complain(p, line, "replicas: backend \"%s\" is a replica "
		    "of \"%s\" as well, expected one primary", b->name,
		    b->primary->name);
	else if (replica_is_named(p->conf, b))
		conf_complain(p, line, "replicas: backend \"%s\" is named by "
		    "a database or a variant, expected a backend that nothing "
		    "else names", b->name);
	b->primary = of;
	if (b->conninfo == NULL || of->conninfo == NULL)
		return; /* complained of */
	if (replica_is_several(b))
		conf_complain(p, line, "replicas: conninfo of backend \"%s\" "
		    "has several hosts, expected one", b->name);
	for (i = 0; i < ARRAY_SIZE(same); i++)
		if (!replica_agrees(of, b, same[i]))
			conf_complain(p, line, "replicas: backend \"%s\" has "
			    "another %s in its conninfo than \"%s\", expected "
			    "the same in both or neither", b->name, same[i],
			    of->name);
}

void
conf_check_replicas(struct conf_parse *p)
{
	const struct conf_sec *s = p->root->subs;
	struct conf_backend *b = p->conf->backends;
	const struct conf_opt *o;
	size_t i;

	for (s = conf_sec_next(s, BLOCK_BACKEND); s != NULL;
	     s = conf_sec_next(s->next, BLOCK_BACKEND), b++)
		b->replicas = conf_take_backend_list(p, s, "replicas",
		    &b->n_replicas);
	b = p->conf->backends;
	s = p->root->subs;
	for (s = conf_sec_next(s, BLOCK_BACKEND); s != NULL;
	     s = conf_sec_next(s->next, BLOCK_BACKEND), b++) {
		o = conf_sec_opt(s, "replicas");
		if (b->n_replicas > CONF_MAX_REPLICAS)
			conf_complain(p, o->line, "replicas: backend \"%s\" "
			    "has %zu, expected at most %d", b->name,
			    b->n_replicas, CONF_MAX_REPLICAS);
		for (i = 0; i < b->n_replicas; i++)
			replica_check(p, o->line, b, b->replicas[i]);
	}
}
