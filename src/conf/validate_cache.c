/* SPDX-License-Identifier: PostgreSQL
 *
 * The block cache: rules that say what may be cached and for how long.
 *
 * The tables of a rule need no table block: what is not routed can be cached
 * all the same.  Control thread.
 */
#include <string.h>

#include "conf/conf_priv.h"

static void
rule_take_tables(struct conf_parse *p, const struct conf_sec *s,
    struct conf_rule *r)
{
	const struct conf_opt *o = conf_sec_opt(s, "tables");
	size_t i, k;

	for (i = 0; o != NULL && i < o->values.n; i++) {
		if (o->values.v[i][0] == '\0')
			conf_complain(p, o->line, "tables: holds an empty "
			    "text, expected names of tables");
		for (k = 0; k < i; k++)
			if (strcmp(o->values.v[k], o->values.v[i]) == 0)
				break;
		if (k < i)
			conf_complain(p, o->line, "tables: '%.64s' is named "
			    "twice, expected once", o->values.v[i]);
		conf_strings_add(&r->tables, o->values.v[i]);
	}
}

static void
rule_take(struct conf_parse *p, const struct conf_sec *s, struct conf_rule *r)
{
	r->name = x_strdup(s->title);
	conf_check_sec(p, s);
	r->databases = conf_take_databases_of(p, s, &r->n_databases);
	rule_take_tables(p, s, r);
	conf_take_tag_keys(p, s, r);
	conf_take_time(p, s, "ttl", &r->ttl);
	r->l1_ttl = r->ttl;
	conf_take_time(p, s, "l1_ttl", &r->l1_ttl);
	conf_take_time(p, s, "grace", &r->grace);
	conf_take_time(p, s, "ttl_closed_month", &r->ttl_closed_month);
	conf_take_bool(p, s, "allow_stable", &r->allow_stable);
	conf_take_bool(p, s, "l2", &r->l2);
}

static void
rule_give(struct conf_parse *p, const struct conf_sec *s,
    struct conf_database *db, struct conf_rule *r)
{
	size_t i;

	for (i = 0; i < db->n_rules; i++)
		if (strcmp(db->rules[i]->name, r->name) == 0) {
			conf_complain(p, s->line, "cache \"%s\" is defined "
			    "twice for database \"%s\", expected once",
			    r->name, db->name);
			return;
		}
	db->rules[db->n_rules++] = r;
}

void
conf_take_rules(struct conf_parse *p)
{
	size_t n = conf_sec_count(p->root, BLOCK_CACHE), i;
	const struct conf_sec *s;
	struct conf *c = p->conf;
	struct conf_rule *r;

	c->rules = x_calloc(n, sizeof(*r));
	for (i = 0; i < c->n_databases; i++)
		c->databases[i].rules = x_calloc(n, sizeof(r));
	for (s = conf_sec_next(p->root->subs, BLOCK_CACHE); s != NULL;
	     s = conf_sec_next(s->next, BLOCK_CACHE)) {
		r = &c->rules[c->n_rules];
		r->id = (unsigned)c->n_rules++;
		rule_take(p, s, r);
		for (i = 0; i < r->n_databases; i++)
			rule_give(p, s, r->databases[i], r);
	}
	conf_collect_tag_keys(c);
}
