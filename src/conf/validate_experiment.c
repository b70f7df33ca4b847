/* SPDX-License-Identifier: PostgreSQL
 *
 * The blocks experiment, and rewrite of a variant.
 *
 * After it every struct conf_experiment has a table with that many variants
 * as arms, the first of which is in use, and no database has two experiments
 * about one table.  Control thread.
 */
#include <stdlib.h>
#include <string.h>

#include "conf/conf_priv.h"
#include "conf/ident.h"

#define WEIGHT_MAX 10000
#define RATIO_MAX 1000
#define WHY_MAX 300

static conf_rewrite_cb *rewrite_read;

void
conf_read_rewrites_with(conf_rewrite_cb *fn)
{
	rewrite_read = fn;
}

/* ---- rewrites ---- */

void
conf_rewrite_fini(struct conf_rewrite *r)
{
	free(r->name);
	conf_query_fini(&r->query);
	conf_strings_fini(&r->texts);
	free(r->text);
	free(r->pieces);
}

static void
rewrite_take(struct conf_parse *p, const struct conf_sec *s,
    struct conf_rewrite *r)
{
	const struct conf_opt *text = conf_sec_opt(s, "text");
	char why[WHY_MAX];
	size_t i;

	r->name = x_strdup(s->title);
	conf_check_sec(p, s);
	conf_take_str(p, s, "query", &r->query.text);
	for (i = 0; text != NULL && i < text->values.n; i++)
		conf_strings_add(&r->texts, text->values.v[i]);
	if (r->query.text == NULL || text == NULL)
		return;
	if (r->texts.n == 0) {
		conf_complain(p, text->line, "text: is empty, expected at "
		    "least one statement");
		return;
	}
	CHECK(rewrite_read != NULL);
	if (!rewrite_read(p->conf, r, why, sizeof(why)))
		conf_complain(p, s->line, "rewrite \"%s\": %s", s->title, why);
}

void
conf_take_rewrites(struct conf_parse *p, const struct conf_sec *s,
    struct conf_variant *v)
{
	size_t n = conf_sec_count(s, BLOCK_REWRITE);
	const struct conf_sec *sub = conf_sec_next(s->subs, BLOCK_REWRITE);
	const struct conf_opt *o = conf_sec_opt(s, "only_rewrites");

	if (v->only_rewrites && n == 0)
		conf_complain(p, o->line, "only_rewrites: variant \"%s\" has "
		    "no rewrite, expected at least one", s->title);
	if (n > 0 && v->kind != VARIANT_PLAIN)
		conf_complain(p, sub->line, "rewrite \"%s\": variant \"%s\" is "
		    "not plain, expected kind = \"plain\"", sub->title,
		    s->title);
	conf_check_titles(p, s->subs, BLOCK_REWRITE);
	v->rewrites = x_calloc(n, sizeof(v->rewrites[0]));
	for (; sub != NULL; sub = conf_sec_next(sub->next, BLOCK_REWRITE))
		rewrite_take(p, sub, &v->rewrites[v->n_rewrites++]);
}

/* What names another table is never looked at for a rewrite. */
void
conf_check_rewrites(struct conf_parse *p, const struct conf_sec *s,
    const struct conf_table *t)
{
	const struct conf_rewrite *r;
	const struct conf_variant *v;
	size_t i, k, n;

	for (k = 0; k < t->n_variants; k++)
		for (v = &t->variants[k], n = 0; n < v->n_rewrites; n++) {
			r = &v->rewrites[n];
			for (i = 0; i < r->query.tables.n &&
			     !ident_is_table(r->query.tables.v[i], t->schema,
			     t->rel); i++)
				continue;
			if (r->text != NULL && i == r->query.tables.n)
				conf_complain(p, s->line, "rewrite \"%s\" of "
				    "variant \"%s\": its query does not name "
				    "table \"%s\", expected it there", r->name,
				    v->name, t->name);
		}
}

/* ---- arms ---- */

static struct conf_variant *
experiment_variant(const struct conf_table *t, const char *name, size_t n)
{
	size_t i;

	for (i = 0; i < t->n_variants; i++)
		if (strlen(t->variants[i].name) == n &&
		    memcmp(t->variants[i].name, name, n) == 0)
			return &t->variants[i];
	return NULL;
}

/* "variant:weight" */
static bool
arm_take(struct conf_parse *p, const struct conf_opt *o, const char *text,
    struct conf_experiment *e)
{
	const char *colon = strrchr(text, ':');
	struct conf_arm *a = &e->arms[e->n_arms];
	char *end;
	unsigned i;
	long w;

	if (colon == NULL) {
		conf_complain(p, o->line, "arms: '%.64s' has no weight, "
		    "expected variant:weight", text);
		return false;
	}
	w = strtol(colon + 1, &end, 10);
	if (end == colon + 1 || *end != '\0' || w < 0 || w > WEIGHT_MAX) {
		conf_complain(p, o->line, "arms: weight '%.64s', expected a "
		    "whole number from 0 to %d", colon + 1, WEIGHT_MAX);
		return false;
	}
	a->variant = experiment_variant(e->table, text,
	    (size_t)(colon - text));
	a->weight = (uint32_t)w;
	if (a->variant == NULL) {
		conf_complain(p, o->line, "arms: unknown variant '%.*s', "
		    "expected the title of a variant of table \"%s\"",
		    (int)(colon - text < 64 ? colon - text : 64), text,
		    e->table->name);
		return false;
	}
	for (i = 0; i < e->n_arms; i++)
		if (e->arms[i].variant == a->variant) {
			conf_complain(p, o->line, "arms: '%.64s' stands in it "
			    "twice, expected each variant once",
			    a->variant->name);
			return false;
		}
	e->n_arms++;
	return true;
}

static void
experiment_take_arms(struct conf_parse *p, const struct conf_sec *s,
    struct conf_experiment *e)
{
	const struct conf_opt *o = conf_sec_opt(s, "arms");
	uint64_t sum = 0;
	size_t i;

	if (o == NULL)
		return;
	if (o->values.n < 2 || o->values.n > CONF_ARMS_MAX) {
		conf_complain(p, o->line, "arms: %zu of them, expected 2 to "
		    "%d", o->values.n, CONF_ARMS_MAX);
		return;
	}
	for (i = 0; i < o->values.n; i++)
		if (!arm_take(p, o, o->values.v[i], e))
			return;
	for (i = 0; i < e->n_arms; i++)
		sum += e->weights[i] = e->arms[i].weight;
	if (sum == 0)
		conf_complain(p, o->line, "arms: all weights are 0, expected "
		    "one above it");
	if (e->arms[0].variant != e->table->use)
		conf_complain(p, o->line, "arms: the first, '%.64s', is not "
		    "the variant in use, expected '%.64s': it is the control",
		    e->arms[0].variant->name, e->table->use->name);
}

/* ---- table and databases ---- */

static bool
experiment_has_databases(const struct conf_table *t,
    struct conf_database *const *dbs, size_t n)
{
	size_t i, k;

	for (i = 0; i < n; i++) {
		for (k = 0; k < t->n_databases; k++)
			if (t->databases[k] == dbs[i])
				break;
		if (k == t->n_databases)
			return false;
	}
	return true;
}

static bool
experiment_meets(const struct conf_experiment *a,
    const struct conf_experiment *b)
{
	size_t i, k;

	for (i = 0; i < a->n_databases; i++)
		for (k = 0; k < b->n_databases; k++)
			if (a->databases[i] == b->databases[k])
				return true;
	return false;
}

static void
experiment_take_table(struct conf_parse *p, const struct conf_sec *s,
    struct conf_experiment *e)
{
	const struct conf_opt *o = conf_sec_opt(s, "table");
	const struct conf_opt *named = conf_sec_opt(s, "databases");
	const struct conf *c = p->conf;
	struct conf_database **all;
	size_t i, n, fit = 0;
	bool any = false;

	if (o == NULL)
		return;
	all = conf_take_databases_of(p, s, &n);
	for (i = 0; i < c->n_tables; i++) {
		if (strcmp(c->tables[i].name, o->values.v[0]) != 0)
			continue;
		any = true;
		if (named != NULL && !experiment_has_databases(&c->tables[i],
		    all, n))
			continue;
		e->table = &c->tables[i];
		fit++;
	}
	if (fit != 1) {
		conf_complain(p, o->line, !any ? "table: there is no table "
		    "\"%.64s\", expected the title of a block table" :
		    fit > 1 ? "table: several blocks have the title "
		    "\"%.64s\", expected databases of one of them" :
		    "table: no block \"%.64s\" is for all of databases, "
		    "expected databases that one has", o->values.v[0]);
		e->table = NULL;
	} else if (named == NULL) {
		free(all);
		n = e->table->n_databases;
		all = x_calloc(n, sizeof(all[0]));
		memcpy(all, e->table->databases, n * sizeof(all[0]));
	}
	e->databases = all;
	e->n_databases = n;
}

/* ---- the rest ---- */

static void
experiment_take_ratio(struct conf_parse *p, const struct conf_sec *s,
    const char *name, double *out)
{
	const struct conf_opt *o = conf_sec_opt(s, name);
	char *end;

	if (o == NULL)
		return;
	*out = strtod(o->values.v[0], &end);
	if (end == o->values.v[0] || *end != '\0' || !(*out > 1) ||
	    !(*out <= RATIO_MAX))
		conf_complain(p, o->line, "%s: '%.64s', expected a number "
		    "above 1, at most %d", name, o->values.v[0], RATIO_MAX);
}

static void
experiment_check(struct conf_parse *p, const struct conf_sec *s,
    const struct conf_experiment *e)
{
	const struct conf_opt *o;
	bool keyed = e->table->n_keys > 0;
	unsigned i;

	for (i = 0; i < e->table->n_variants; i++)
		keyed |= e->table->variants[i].kind == VARIANT_SHARDED;
	o = conf_sec_opt(s, "unit");
	if (e->unit == CONF_UNIT_TENANT && !keyed)
		conf_complain(p, o->line, "unit: table \"%s\" has no "
		    "key_column, expected one that names the tenant",
		    e->table->name);
	o = conf_sec_opt(s, "writes");
	if (e->writes == CONF_WRITES_ARM && e->shadow)
		conf_complain(p, o->line, "writes: an arm has none in shadow "
		    "mode, expected \"control\" or \"all\"");
	if (e->writes == CONF_WRITES_ARM && e->unit == CONF_UNIT_STATEMENT)
		conf_complain(p, o->line, "writes: rows are not divided by "
		    "statements, expected another unit, \"control\" or \"all\"");
}

static void
experiment_take(struct conf_parse *p, const struct conf_sec *s,
    struct conf_experiment *e)
{
	int unit = CONF_UNIT_SESSION, mode = 0, writes = 0;

	e->name = x_strdup(s->title);
	conf_check_sec(p, s);
	conf_take_word(p, s, "unit", &unit);
	conf_take_word(p, s, "mode", &mode);
	conf_take_word(p, s, "writes", &writes);
	e->unit = (enum conf_unit)unit;
	e->shadow = mode == 1;
	e->writes = (enum conf_arm_writes)writes;
	conf_take_bool(p, s, "cache", &e->cache);
	conf_take_bool(p, s, "start", &e->start);
	conf_take_int(p, s, "alpha", &e->alpha);
	conf_take_int(p, s, "effect", &e->effect);
	experiment_take_ratio(p, s, "stop_if_error_ratio", &e->error_ratio);
	experiment_take_ratio(p, s, "stop_if_p95_ratio", &e->p95_ratio);
	conf_take_int(p, s, "shadow_share", &e->shadow_share);
	conf_take_int(p, s, "shadow_queue", &e->shadow_queue);
	conf_take_int(p, s, "shadow_running", &e->shadow_running);
	conf_take_int(p, s, "mirror_queue", &e->mirror_queue);
	experiment_take_table(p, s, e);
	if (e->table == NULL || e->table->use == NULL)
		return;
	experiment_take_arms(p, s, e);
	experiment_check(p, s, e);
}

/* Two about one table of a database. */
static void
experiment_check_others(struct conf_parse *p, const struct conf_sec *s,
    const struct conf_experiment *e)
{
	const struct conf_experiment *o;

	for (o = p->conf->experiments; o < e; o++)
		if (e->table != NULL && o->table == e->table &&
		    experiment_meets(o, e))
			conf_complain(p, s->line, "experiment \"%s\" is about "
			    "the table of experiment \"%s\", expected one for "
			    "each table", e->name, o->name);
}

/* Cached answers are told apart by the arms of all experiments of a database
 * whose units are known before the statement is: that many numbers there
 * are. */
static void
experiment_check_slots(struct conf_parse *p)
{
	const struct conf *c = p->conf;
	const struct conf_experiment *e;
	size_t i, k, most = 1, n;

	for (i = 0; i < c->n_databases; i++) {
		n = 1;
		for (e = c->experiments; e < c->experiments +
		     c->n_experiments; e++)
			for (k = 0; k < e->n_databases; k++)
				if (e->databases[k] == &c->databases[i] &&
				    n < CONF_SLOTS_MAX)
					n *= e->n_arms;
		most = n > most ? n : most;
	}
	if (c->n_experiments > 0 && most * c->n_databases > CONF_SLOTS_MAX)
		conf_complain(p, conf_sec_next(p->root->subs,
		    BLOCK_EXPERIMENT)->line, "experiments of one database "
		    "have %zu combinations of arms for %zu databases, expected "
		    "a product up to %d", most, c->n_databases,
		    CONF_SLOTS_MAX);
}

void
conf_take_experiments(struct conf_parse *p)
{
	size_t n = conf_sec_count(p->root, BLOCK_EXPERIMENT);
	const struct conf_sec *s = conf_sec_next(p->root->subs,
	    BLOCK_EXPERIMENT);
	struct conf *c = p->conf;
	struct conf_experiment *e;

	c->experiments = x_calloc(n, sizeof(*e));
	if (n > CONF_EXPERIMENTS_MAX) {
		conf_complain(p, s->line, "%zu experiments, expected at most "
		    "%d", n, CONF_EXPERIMENTS_MAX);
		return;
	}
	conf_check_titles(p, s, BLOCK_EXPERIMENT);
	for (; s != NULL; s = conf_sec_next(s->next, BLOCK_EXPERIMENT)) {
		e = &c->experiments[c->n_experiments];
		e->id = (unsigned)c->n_experiments++;
		experiment_take(p, s, e);
		experiment_check_others(p, s, e);
	}
	experiment_check_slots(p);
}

void
conf_free_experiments(struct conf *c)
{
	size_t i;

	for (i = 0; i < c->n_experiments; i++) {
		free(c->experiments[i].name);
		free(c->experiments[i].databases);
	}
	free(c->experiments);
}
