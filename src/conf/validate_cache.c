/* SPDX-License-Identifier: PostgreSQL
 *
 * The block cache: rules that say what may be cached and for how long; the
 * block writes: what tables change besides themselves.
 *
 * The tables of a rule need no table block: what is not routed can be cached
 * all the same.  Control thread.
 */
#include <string.h>

#include "conf/conf_priv.h"
#include "conf/units.h"

static void
rule_take_tables(struct conf_parse *p, const struct conf_sec *s,
    const char *option, struct conf_strings *out)
{
	const struct conf_opt *o = conf_sec_opt(s, option);
	size_t i, k;

	for (i = 0; o != NULL && i < o->values.n; i++) {
		if (o->values.v[i][0] == '\0')
			conf_complain(p, o->line, "%s: holds an empty "
			    "text, expected names of tables", option);
		for (k = 0; k < i; k++)
			if (strcmp(o->values.v[k], o->values.v[i]) == 0)
				break;
		if (k < i)
			conf_complain(p, o->line, "%s: '%.64s' is named "
			    "twice, expected once", option, o->values.v[i]);
		conf_strings_add(out, o->values.v[i]);
	}
}

/* ------------------------------------------------------------ strong rules */

struct rule_check {
	struct conf_parse *p;
	int line;
	const struct conf_database *db;
	const struct conf_backend *told[8]; /* the last, each once */
	size_t n_told;
};

static void
rule_check_place(void *arg, const struct conf_place *place)
{
	struct rule_check *c = arg;
	size_t i;

	if (place->backend->feed)
		return;
	for (i = 0; i < c->n_told; i++)
		if (c->told[i] == place->backend)
			return;
	if (c->n_told < ARRAY_SIZE(c->told))
		c->told[c->n_told++] = place->backend;
	conf_complain(c->p, c->line, "consistency: '%.64s' of database \"%s\" "
	    "may be on backend \"%s\", which nobody follows, expected "
	    "feed = true there", place->named, c->db->name,
	    place->backend->name);
}

/* What a strong rule cannot have, and what it needs. */
static void
rule_check_strong(struct conf_parse *p, const struct conf_sec *s,
    struct conf_rule *r)
{
	const struct conf_opt *o = conf_sec_opt(s, "consistency");
	struct rule_check c = { .p = p, .line = o->line };
	size_t i;

	o = conf_sec_opt(s, "grace");
	if (r->grace > 0)
		conf_complain(p, o->line, "grace: a strong rule serves "
		    "nothing whose time is over, expected no grace");
	o = conf_sec_opt(s, "stale_if_error");
	if (r->stale_if_error > 0)
		conf_complain(p, o->line, "stale_if_error: a strong rule "
		    "serves nothing whose time is over, expected no "
		    "stale_if_error");
	o = conf_sec_opt(s, "allow_rls");
	if (r->allow_rls)
		conf_complain(p, o->line, "allow_rls: tables that policies "
		    "read are not followed, expected a rule that is not "
		    "strong");
	for (i = 0; i < r->n_databases; i++) {
		c.db = r->databases[i];
		if (!c.db->cache)
			continue;
		conf_rule_places(c.db, r, rule_check_place, &c);
		if (!r->all)
			continue;
		rule_check_place(&c, &(struct conf_place){ .named = "*",
		    .backend = c.db->backend });
		if (c.db->n_tables > 0)
			conf_complain(p, c.line, "consistency: database "
			    "\"%s\" has routed tables, which a rule for all "
			    "tables cannot be strong for, expected a rule that "
			    "names its tables", c.db->name);
	}
}

/* What a rule for all tables cannot have: nobody has looked at these. */
static void
rule_check_all(struct conf_parse *p, const struct conf_sec *s,
    const struct conf_rule *r)
{
	const struct {
		const char *option;
		bool given;
	} cannot[] = {
		{ "query", r->query.text != NULL },
		{ "allow_stable", r->allow_stable },
		{ "allow_rls", r->allow_rls },
		{ "allow_unlogged", r->allow_unlogged },
		{ "allow_foreign", r->allow_foreign },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cannot); i++)
		if (cannot[i].given)
			conf_complain(p, conf_sec_opt(s,
			    cannot[i].option)->line, "%s: a rule for all "
			    "tables cannot have it, expected a rule that "
			    "names its tables", cannot[i].option);
	if (p->conf->revocation_bound == 0)
		conf_complain(p, conf_sec_opt(s, "tables")->line, "tables: "
		    "\"*\" needs the catalogs, expected revocation_bound "
		    "to be more than 0");
}

/* Of the setting it has been said whether it is one. */
static void
rule_take_verify(struct conf_parse *p, const struct conf_sec *s,
    struct conf_rule *r)
{
	conf_take_str(p, s, "verify", &r->verify);
	if (r->verify == NULL)
		(void)!units_parse_share(p->conf->verify, &r->verify_share);
	else if (!units_parse_share(r->verify, &r->verify_share))
		conf_complain(p, conf_sec_opt(s, "verify")->line, "verify: "
		    "'%.64s' is no share, expected 0 or one like 0.1%%",
		    r->verify);
}

static void
rule_take(struct conf_parse *p, const struct conf_sec *s, struct conf_rule *r)
{
	int strong = 0;

	r->name = x_strdup(s->title);
	conf_check_sec(p, s);
	r->databases = conf_take_databases_of(p, s, &r->n_databases);
	rule_take_tables(p, s, "tables", &r->tables);
	r->all = r->tables.n == 1 && strcmp(r->tables.v[0], "*") == 0;
	conf_take_bool(p, s, "allow_stable", &r->allow_stable);
	conf_take_query(p, s, r);
	conf_take_tag_keys(p, s, r);
	conf_take_time(p, s, "ttl", &r->ttl);
	r->l1_ttl = r->ttl;
	conf_take_time(p, s, "l1_ttl", &r->l1_ttl);
	conf_take_time(p, s, "grace", &r->grace);
	conf_take_str(p, s, "ttl_column", &r->ttl_column);
	conf_take_time(p, s, "ttl_closed_month", &r->ttl_closed_month);
	conf_take_time(p, s, "stale_if_error", &r->stale_if_error);
	conf_take_time(p, s, "ttl_empty", &r->ttl_empty);
	r->empty_differs = conf_sec_opt(s, "ttl_empty") != NULL;
	conf_take_int(p, s, "ttl_jitter", &r->ttl_jitter);
	conf_take_int(p, s, "refresh_ahead", &r->refresh_ahead);
	conf_take_word(p, s, "consistency", &strong);
	r->strong = strong != 0;
	r->l2 = true;
	conf_take_bool(p, s, "allow_rls", &r->allow_rls);
	conf_take_bool(p, s, "allow_unlogged", &r->allow_unlogged);
	conf_take_bool(p, s, "allow_foreign", &r->allow_foreign);
	conf_take_bool(p, s, "l2", &r->l2);
	conf_take_time(p, s, "l2_lease", &r->l2_lease);
	rule_take_verify(p, s, r);
	if (r->all)
		rule_check_all(p, s, r);
	if (r->strong)
		rule_check_strong(p, s, r);
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

static void
writes_give(struct conf_parse *p, const struct conf_sec *s,
    struct conf_database *db, const struct conf_writes *w)
{
	size_t i;

	for (i = 0; i < db->n_writes; i++)
		if (strcmp(db->writes[i]->name, w->name) == 0) {
			conf_complain(p, s->line, "writes \"%s\" is defined "
			    "twice for database \"%s\", expected once",
			    w->name, db->name);
			return;
		}
	db->writes[db->n_writes++] = w;
}

void
conf_take_writes(struct conf_parse *p)
{
	size_t n = conf_sec_count(p->root, BLOCK_WRITES), i;
	const struct conf_sec *s;
	struct conf *c = p->conf;
	struct conf_writes *w;

	c->writes = x_calloc(n, sizeof(*w));
	for (i = 0; i < c->n_databases; i++)
		c->databases[i].writes = x_calloc(n, sizeof(w));
	for (s = conf_sec_next(p->root->subs, BLOCK_WRITES); s != NULL;
	     s = conf_sec_next(s->next, BLOCK_WRITES)) {
		w = &c->writes[c->n_writes];
		w->id = (unsigned)c->n_writes++;
		w->name = x_strdup(s->title);
		conf_check_sec(p, s);
		w->databases = conf_take_databases_of(p, s, &w->n_databases);
		rule_take_tables(p, s, "also", &w->also);
		for (i = 0; i < w->n_databases; i++)
			writes_give(p, s, w->databases[i], w);
	}
}
