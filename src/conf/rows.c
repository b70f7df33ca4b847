/* SPDX-License-Identifier: PostgreSQL
 *
 * A configuration as rows of text: for SHOW CONFIG and to compare two.
 *
 * Every setting and every option of every block gives one row, in the order
 * of the tables and of the file.  Passwords are hidden here, so that no reader
 * of rows has to think of it.  Any thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf_priv.h"
#include "conf/units.h"

#define ROWS_WORD_MAX 64
#define ROWS_WHERE_MAX 512 /* three titles, their kinds and quotes */

struct rows {
	const struct conf *c;
	conf_value_cb *fn;
	void *arg;
	enum conf_block block;
	const char *parent;
	char where[ROWS_WHERE_MAX];
};

/* "a, b, c", malloc'ed. */
static char *
rows_join(char *const *v, size_t n)
{
	size_t size = 1, i;
	char *text, *at;

	for (i = 0; i < n; i++)
		size += strlen(v[i]) + 2;
	at = text = x_malloc(size);
	for (i = 0; i < n; i++)
		at = stpcpy(stpcpy(at, i > 0 ? ", " : ""), v[i]);
	*at = '\0';
	return text;
}

/* ---- settings ---- */

static void
rows_setting(struct rows *r, const char *name, const char *value,
    const char *def, bool reload, const char *doc)
{
	struct conf_value_row row = { .where = "", .parent = "", .name = name,
		.value = value, .exact = value, .def = def,
		.reloadable = reload, .doc = doc };

	r->fn(r->arg, &row);
}

static void
rows_int(struct rows *r, const char *name, int64_t v, int64_t def, bool reload,
    const char *doc)
{
	char value[UNITS_TEXT], dflt[UNITS_TEXT];

	if (conf_value_is_mode(name))
		rows_setting(r, name, units_print_mode(value, v),
		    units_print_mode(dflt, def), reload, doc);
	else
		rows_setting(r, name, units_print_int(value, v),
		    units_print_int(dflt, def), reload, doc);
}

static void
rows_word(struct rows *r, const char *name, int v, int def, const char *words,
    bool reload, const char *doc)
{
	char value[ROWS_WORD_MAX], dflt[ROWS_WORD_MAX];

	rows_setting(r, name,
	    units_print_word(value, sizeof(value), words, v),
	    units_print_word(dflt, sizeof(dflt), words, def), reload, doc);
}

static void
rows_list(struct rows *r, const char *name, const struct conf_strings *l,
    const char *def, bool reload, const char *doc)
{
	char *value = rows_join(l->v, l->n);

	rows_setting(r, name, value, def, reload, doc);
	free(value);
}

static void
rows_settings(struct rows *r)
{
	const struct conf *c = r->c;
	char value[UNITS_TEXT], dflt[UNITS_TEXT];

#define SETTING_BOOL(name, def, reload, doc) \
	rows_word(r, #name, c->name, def, "false|true", reload, doc);
#define SETTING_INT(name, def, lo, hi, reload, doc) \
	rows_int(r, #name, c->name, def, reload, doc);
#define SETTING_SIZE(name, def, lo, hi, reload, doc) \
	rows_setting(r, #name, units_print_size(value, c->name), \
	    units_print_size(dflt, def), reload, doc);
#define SETTING_TIME(name, def, lo, hi, reload, doc) \
	rows_setting(r, #name, units_print_time(value, c->name), \
	    units_print_time(dflt, def), reload, doc);
#define SETTING_STR(name, def, reload, doc) \
	rows_setting(r, #name, c->name, def, reload, doc);
#define SETTING_ENUM(name, type, def, words, reload, doc) \
	rows_word(r, #name, (int)c->name, def, words, reload, doc);
#define SETTING_LIST(name, def, reload, doc) \
	rows_list(r, #name, &c->name, def, reload, doc);
#include "tbl/settings.h"
}

/* ---- blocks ---- */

static void
rows_option_secret(struct rows *r, const char *name, const char *value,
    const char *exact)
{
	const struct conf_row *o = conf_row_find(r->block, name);
	struct conf_value_row row = { .where = r->where, .parent = r->parent,
		.name = name, .value = value != NULL ? value : "",
		.reloadable = true, .def = "", .doc = "" };

	row.exact = exact != NULL ? exact : row.value;
	if (o != NULL) {
		row.def = o->def;
		row.doc = o->doc;
	}
	r->fn(r->arg, &row);
}

static void
rows_option(struct rows *r, const char *name, const char *value)
{
	rows_option_secret(r, name, value, NULL);
}

static void
rows_option_int(struct rows *r, const char *name, int64_t v)
{
	char text[UNITS_TEXT];

	rows_option(r, name, units_print_int(text, v));
}

static void
rows_option_time(struct rows *r, const char *name, nsec_t v)
{
	char text[UNITS_TEXT];

	rows_option(r, name, units_print_time(text, v));
}

static void
rows_option_word(struct rows *r, const char *name, int v)
{
	char text[ROWS_WORD_MAX];

	rows_option(r, name, units_print_word(text, sizeof(text),
	    conf_row_find(r->block, name)->accepts, v));
}

static void
rows_option_bool(struct rows *r, const char *name, bool v)
{
	rows_option(r, name, v ? "true" : "false");
}

/* Start a block. nth: how often the title came before in the file. */
static void
rows_block(struct rows *r, enum conf_block b, const char *parent,
    const char *title, unsigned nth)
{
	char again[16] = "";

	if (nth > 0)
		(void)snprintf(again, sizeof(again), " #%u", nth + 1);
	r->block = b;
	r->parent = parent;
	(void)snprintf(r->where, sizeof(r->where), "%s%s%s \"%s\"%s",
	    parent, parent[0] != '\0' ? " " : "", conf_block_name(b), title,
	    again);
	rows_option(r, "", "");
}

static void
rows_databases(struct rows *r, struct conf_database *const *v, size_t n)
{
	char **names = x_calloc(n, sizeof(*names)), *value;
	size_t i;

	for (i = 0; i < n; i++)
		names[i] = v[i]->name;
	value = rows_join(names, n);
	rows_option(r, "databases", value);
	free(value);
	free(names);
}

static void
rows_backend(struct rows *r, const struct conf_backend *b)
{
	char *shown = conf_hide_conninfo(b->written), **names, *value;
	size_t i;

	rows_block(r, BLOCK_BACKEND, "", b->name, 0);
	rows_option_secret(r, "conninfo", shown, b->written);
	rows_option_int(r, "pool_size", b->pool_size);
	rows_option_int(r, "reserve_pool_size", b->reserve_pool_size);
	rows_option_int(r, "max_db_connections", b->max_db_connections);
	rows_option_bool(r, "feed", b->feed);
	names = x_calloc(b->n_replicas, sizeof(*names));
	for (i = 0; i < b->n_replicas; i++)
		names[i] = b->replicas[i]->name;
	value = rows_join(names, b->n_replicas);
	rows_option(r, "replicas", value);
	free(value);
	free(names);
	free(shown);
}

static void
rows_replica_rule(struct rows *r, const struct conf_replica_rule *rule)
{
	char text[UNITS_TEXT];

	if (rule->reads == REPLICA_READS_INHERIT)
		rows_option(r, "replica_reads", "");
	else
		rows_option_word(r, "replica_reads", (int)rule->reads);
	rows_option(r, "replica_max_age", rule->max_age ==
	    REPLICA_AGE_INHERIT ? "" : units_print_time(text, rule->max_age));
	rows_option(r, "replica_max_lag", rule->max_lag ==
	    REPLICA_LAG_INHERIT ? "" : units_print_size(text, rule->max_lag));
}

static void
rows_log_after(struct rows *r, nsec_t v)
{
	char text[UNITS_TEXT];

	rows_option(r, "log_min_duration_statement", v == LOG_INHERIT ? "" :
	    v == LOG_NEVER ? "-1" : units_print_time(text, v));
}

static void
rows_database(struct rows *r, const struct conf_database *db)
{
	rows_block(r, BLOCK_DATABASE, "", db->name, 0);
	rows_option(r, "backend", db->backend->name);
	rows_option_word(r, "pool_mode", (int)db->pool_mode);
	rows_option_bool(r, "cache", db->cache);
	rows_option_int(r, "max_db_client_connections",
	    db->max_db_client_connections);
	rows_log_after(r, db->log_after);
	rows_replica_rule(r, &db->replicas);
}

static void
rows_spans(struct rows *r, const struct conf_variant *v, const char *parent)
{
	const struct conf_month_span *s;
	char title[UNITS_TEXT], text[UNITS_TEXT];
	size_t i;

	for (i = 0; i < v->n_spans; i++) {
		s = &v->spans[i];
		rows_block(r, BLOCK_SPAN, parent,
		    units_print_int(title, (int64_t)i + 1), 0);
		rows_option(r, "backend", s->backend->name);
		rows_option(r, "from", s->from == INT64_MIN ? "" :
		    units_print_month(text, s->from));
		rows_option(r, "until", s->until == INT64_MAX ? "" :
		    units_print_month(text, s->until));
	}
}

static void
rows_variant(struct rows *r, const struct conf_variant *v, const char *parent)
{
	char where[sizeof(r->where)], **names, *value;
	size_t i;

	rows_block(r, BLOCK_VARIANT, parent, v->name, 0);
	rows_option_word(r, "kind", (int)v->kind);
	rows_option(r, "backend", v->backend->name);
	rows_option(r, "relation", v->relations[0].name);
	rows_option(r, "shard_relation", v->shard_relation);
	rows_option(r, "target_leaf", v->target_leaf ? "true" : "false");
	names = x_calloc(v->n_shards, sizeof(*names));
	for (i = 0; i < v->n_shards; i++)
		names[i] = v->shards[i].backend->name;
	value = rows_join(names, v->n_shards);
	rows_option(r, "shards", value);
	free(value);
	free(names);
	rows_option_bool(r, "only_rewrites", v->only_rewrites);
	memcpy(where, r->where, sizeof(where));
	rows_spans(r, v, where);
	for (i = 0; i < v->n_rewrites; i++) {
		rows_block(r, BLOCK_REWRITE, where, v->rewrites[i].name, 0);
		rows_option(r, "query", v->rewrites[i].query.text);
		value = rows_join(v->rewrites[i].texts.v,
		    v->rewrites[i].texts.n);
		rows_option(r, "text", value);
		free(value);
	}
}

static void
rows_keys(struct rows *r, const struct conf_table *t)
{
	char *columns[CONF_MAX_KEYS], *types[CONF_MAX_KEYS], *value;
	size_t i;

	for (i = 0; i < t->n_keys; i++) {
		columns[i] = t->keys[i].column;
		types[i] = (char *)(uintptr_t)
		    conf_key_type_name(t->keys[i].type);
	}
	value = rows_join(columns, t->n_keys);
	rows_option(r, "key_column", value);
	free(value);
	value = rows_join(types, t->n_keys);
	rows_option(r, "key_type", value);
	free(value);
}

static void
rows_table(struct rows *r, const struct conf_table *t)
{
	char where[sizeof(r->where)];
	unsigned nth = 0, i;

	for (i = 0; i < t->id; i++)
		nth += strcmp(r->c->tables[i].name, t->name) == 0;
	rows_block(r, BLOCK_TABLE, "", t->name, nth);
	rows_databases(r, t->databases, t->n_databases);
	rows_keys(r, t);
	rows_option(r, "time_column", t->time_column);
	rows_option(r, "month_of", t->month_of);
	rows_option_word(r, "transactions", t->stays);
	rows_option_bool(r, "approximate_floats", t->approximate_floats);
	rows_option_bool(r, "split_inserts", t->split_inserts);
	rows_option_bool(r, "two_phase_commit", t->two_phase_commit);
	rows_replica_rule(r, &t->replicas);
	rows_option(r, "use", t->use->name);
	memcpy(where, r->where, sizeof(where));
	for (i = 0; i < t->n_variants; i++)
		rows_variant(r, &t->variants[i], where);
}

static void
rows_option_list(struct rows *r, const char *name,
    const struct conf_strings *list)
{
	char *text = rows_join(list->v, list->n);

	rows_option(r, name, text);
	free(text);
}

static void
rows_rule(struct rows *r, const struct conf_rule *rule)
{
	unsigned nth = 0, i;

	for (i = 0; i < rule->id; i++)
		nth += strcmp(r->c->rules[i].name, rule->name) == 0;
	rows_block(r, BLOCK_CACHE, "", rule->name, nth);
	rows_databases(r, rule->databases, rule->n_databases);
	rows_option_list(r, "tables", &rule->tables);
	rows_option_list(r, "keys", &rule->keys);
	if (rule->query.text != NULL)
		rows_option(r, "query", rule->query.text);
	if (rule->key != NULL)
		rows_option(r, "key", rule->key);
	rows_option_time(r, "ttl", rule->ttl);
	if (rule->ttl_column != NULL)
		rows_option(r, "ttl_column", rule->ttl_column);
	rows_option_time(r, "l1_ttl", rule->l1_ttl);
	rows_option_word(r, "consistency", rule->strong);
	rows_option_time(r, "grace", rule->grace);
	rows_option_time(r, "stale_if_error", rule->stale_if_error);
	if (rule->empty_differs)
		rows_option_time(r, "ttl_empty", rule->ttl_empty);
	rows_option_int(r, "ttl_jitter", rule->ttl_jitter);
	rows_option_int(r, "refresh_ahead", rule->refresh_ahead);
	rows_option_time(r, "ttl_closed_month", rule->ttl_closed_month);
	rows_option_bool(r, "allow_stable", rule->allow_stable);
	rows_option_bool(r, "allow_rls", rule->allow_rls);
	rows_option_bool(r, "allow_unlogged", rule->allow_unlogged);
	rows_option_bool(r, "allow_foreign", rule->allow_foreign);
	rows_option(r, "verify", rule->verify != NULL ? rule->verify : "");
	rows_option_bool(r, "l2", rule->l2);
	rows_option_time(r, "l2_lease", rule->l2_lease);
}

static void
rows_writes(struct rows *r, const struct conf_writes *w)
{
	unsigned nth = 0, i;
	char *also;

	for (i = 0; i < w->id; i++)
		nth += strcmp(r->c->writes[i].name, w->name) == 0;
	rows_block(r, BLOCK_WRITES, "", w->name, nth);
	rows_databases(r, w->databases, w->n_databases);
	also = rows_join(w->also.v, w->also.n);
	rows_option(r, "also", also);
	free(also);
}

static void
rows_ratio(struct rows *r, const char *name, double ratio)
{
	char text[32] = "";

	if (ratio > 0)
		snprintf(text, sizeof(text), "%g", ratio);
	rows_option(r, name, text);
}

static void
rows_experiment(struct rows *r, const struct conf_experiment *e)
{
	char text[CONF_ARMS_MAX][CONF_NAME_MAX + 16], *arms[CONF_ARMS_MAX];
	char *value;
	unsigned i;

	rows_block(r, BLOCK_EXPERIMENT, "", e->name, 0);
	rows_option(r, "table", e->table->name);
	rows_databases(r, e->databases, e->n_databases);
	for (i = 0; i < e->n_arms; i++) {
		snprintf(text[i], sizeof(text[i]), "%s:%u",
		    e->arms[i].variant->name, e->arms[i].weight);
		arms[i] = text[i];
	}
	value = rows_join(arms, e->n_arms);
	rows_option(r, "arms", value);
	free(value);
	rows_option_word(r, "unit", (int)e->unit);
	rows_option_word(r, "mode", e->shadow);
	rows_option_word(r, "writes", (int)e->writes);
	rows_option_bool(r, "cache", e->cache);
	rows_option_bool(r, "start", e->start);
	rows_option_int(r, "alpha", e->alpha);
	rows_option_int(r, "effect", e->effect);
	rows_ratio(r, "stop_if_error_ratio", e->error_ratio);
	rows_ratio(r, "stop_if_p95_ratio", e->p95_ratio);
	rows_option_int(r, "shadow_share", e->shadow_share);
	rows_option_int(r, "shadow_queue", e->shadow_queue);
	rows_option_int(r, "shadow_running", e->shadow_running);
	rows_option_int(r, "mirror_queue", e->mirror_queue);
}

static void
rows_check(struct rows *r, const struct conf_check *k)
{
	rows_block(r, BLOCK_CHECK, "", k->name, 0);
	rows_option(r, "backend", k->backend->name);
	rows_option(r, "query", k->query);
	rows_option_time(r, "interval", k->interval);
	rows_option_time(r, "timeout", k->timeout);
}

static void
rows_peer(struct rows *r, const struct conf_peer *k)
{
	rows_block(r, BLOCK_PEER, "", k->title, 0);
	rows_option(r, "host", k->host);
	rows_option_int(r, "port", k->port);
}

static void
rows_user(struct rows *r, const struct conf_user *u)
{
	rows_block(r, BLOCK_USER, "", u->name, 0);
	rows_option_int(r, "max_user_client_connections",
	    u->max_user_client_connections);
	rows_option_int(r, "max_user_connections", u->max_user_connections);
	rows_option_time(r, "client_idle_timeout", u->client_idle_timeout);
	rows_option_time(r, "idle_transaction_timeout",
	    u->idle_transaction_timeout);
	rows_option_time(r, "transaction_timeout", u->transaction_timeout);
	rows_option_time(r, "query_timeout", u->query_timeout);
	rows_log_after(r, u->log_after);
}

void
conf_each_value(const struct conf *c, conf_value_cb *fn, void *arg)
{
	struct rows r = { .c = c, .fn = fn, .arg = arg, .parent = "" };
	size_t i;

	rows_settings(&r);
	for (i = 0; i < c->n_backends; i++)
		rows_backend(&r, &c->backends[i]);
	for (i = 0; i < c->n_databases; i++)
		rows_database(&r, &c->databases[i]);
	for (i = 0; i < c->n_tables; i++)
		rows_table(&r, &c->tables[i]);
	for (i = 0; i < c->n_rules; i++)
		rows_rule(&r, &c->rules[i]);
	for (i = 0; i < c->n_writes; i++)
		rows_writes(&r, &c->writes[i]);
	for (i = 0; i < c->n_experiments; i++)
		rows_experiment(&r, &c->experiments[i]);
	for (i = 0; i < c->n_checks; i++)
		rows_check(&r, &c->checks[i]);
	for (i = 0; i < c->n_peers; i++)
		rows_peer(&r, &c->peers[i]);
	for (i = 0; i < c->n_users; i++)
		rows_user(&r, &c->users[i]);
	for (i = 0; i < c->n_user_map; i++) {
		rows_block(&r, BLOCK_USER_MAP, "", c->user_map[i].from, 0);
		rows_option(&r, "to", c->user_map[i].to);
	}
}

/* ---- for SHOW CONFIG ---- */

struct rows_each {
	void (*fn)(void *, const char *, const char *, const char *, bool,
	    const char *);
	void *arg;
};

static void
rows_each_setting(void *arg, const struct conf_value_row *row)
{
	const struct rows_each *e = arg;
	char name[ROWS_WHERE_MAX + 64];

	if (row->name[0] == '\0')
		return;
	(void)snprintf(name, sizeof(name), "%s%s%s", row->where,
	    row->where[0] != '\0' ? " " : "", row->name);
	e->fn(e->arg, name, row->value, row->def, row->reloadable, row->doc);
}

void
conf_each_setting(const struct conf *c,
    void (*fn)(void *arg, const char *name, const char *value,
	const char *def, bool reloadable, const char *doc),
    void *arg)
{
	struct rows_each e = { fn, arg };

	CHECK_MAGIC(c, CONF_MAGIC);
	conf_each_value(c, rows_each_setting, &e);
}
