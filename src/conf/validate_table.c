/* SPDX-License-Identifier: PostgreSQL
 *
 * The block table with its variants and spans.
 *
 * After it every struct conf_table is complete: at least one variant, one of
 * them in use, spans in order of months, shards in order of remainders, and
 * every database has at most one table of a name.  Control thread.
 */
#include <stdlib.h>
#include <string.h>

#include "conf/conf_priv.h"
#include "conf/units.h"

/* Options that mean something for one kind only. */
static void
table_check_kind(struct conf_parse *p, const struct conf_sec *s,
    enum conf_variant_kind kind)
{
	static const char *const sharded[] = { "shard_relation", "shards" };
	const struct conf_sec *span = conf_sec_next(s->subs, BLOCK_SPAN);
	const struct conf_opt *o;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sharded); i++) {
		o = conf_sec_opt(s, sharded[i]);
		if (kind != VARIANT_SHARDED && o != NULL)
			conf_complain(p, o->line, "%s: variant \"%s\" is not "
			    "sharded, expected kind = \"sharded\"", o->name,
			    s->title);
		if (kind == VARIANT_SHARDED && o == NULL &&
		    conf_sec_opt(s, sharded[1 - i]) != NULL)
			conf_complain(p, s->line, "sharded variant \"%s\" has "
			    "no %s, expected both %s and %s, or neither and "
			    "the catalogs are asked", s->title, sharded[i],
			    sharded[0], sharded[1]);
	}
	o = conf_sec_opt(s, "target_leaf");
	if (kind != VARIANT_MONTHLY && o != NULL)
		conf_complain(p, o->line, "target_leaf: variant \"%s\" is not "
		    "monthly, expected kind = \"monthly\"", s->title);
	if (kind != VARIANT_MONTHLY && span != NULL)
		conf_complain(p, span->line, "span \"%s\": variant \"%s\" is "
		    "not monthly, expected kind = \"monthly\"", span->title,
		    s->title);
}

static int
table_span_order(const void *a, const void *b)
{
	const struct conf_month_span *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

/* Sorted spans must touch: the end of one is the start of the next. */
static void
table_check_spans(struct conf_parse *p, const struct conf_sec *s,
    const struct conf_variant *v)
{
	char a[UNITS_TEXT], b[UNITS_TEXT];
	size_t i;

	for (i = 1; i < v->n_spans; i++) {
		if (v->spans[i].from == v->spans[i - 1].until)
			continue;
		if (v->spans[i].from == INT64_MIN ||
		    v->spans[i - 1].until == INT64_MAX)
			conf_complain(p, s->line, "spans of variant \"%s\" "
			    "overlap: two have no %s, expected each month "
			    "once", s->title, v->spans[i].from == INT64_MIN ?
			    "from" : "upper end before the next from");
		else
			conf_complain(p, s->line, "spans of variant \"%s\" "
			    "%s: one ends %s, the next starts %s, expected "
			    "the same month", s->title,
			    v->spans[i].from < v->spans[i - 1].until ?
			    "overlap" : "leave a gap",
			    units_print_month(a, v->spans[i - 1].until),
			    units_print_month(b, v->spans[i].from));
	}
}

static void
table_take_spans(struct conf_parse *p, const struct conf_sec *s,
    struct conf_variant *v)
{
	size_t n = conf_sec_count(s, BLOCK_SPAN);
	const struct conf_sec *sub;
	struct conf_month_span *span;
	int before = p->diag->n;

	conf_check_titles(p, s->subs, BLOCK_SPAN);
	v->spans = x_calloc(n, sizeof(*span));
	for (sub = conf_sec_next(s->subs, BLOCK_SPAN); sub != NULL;
	     sub = conf_sec_next(sub->next, BLOCK_SPAN)) {
		span = &v->spans[v->n_spans++];
		span->from = INT64_MIN;
		span->until = INT64_MAX;
		conf_check_sec(p, sub);
		span->backend = conf_take_backend(p, sub, "backend");
		conf_take_month(p, sub, "from", &span->from);
		conf_take_month(p, sub, "until", &span->until);
		if (span->from >= span->until)
			conf_complain(p, sub->line, "span \"%s\" holds no "
			    "month, expected from before until", sub->title);
	}
	if (v->n_spans > 1)
		qsort(v->spans, v->n_spans, sizeof(*v->spans),
		    table_span_order);
	/* A month that could not be read would show up as a gap. */
	if (p->diag->n == before)
		table_check_spans(p, s, v);
}

/* Remainders are given by the order. */
static void
table_take_shards(struct conf_parse *p, const struct conf_sec *s,
    struct conf_variant *v)
{
	struct conf_backend **b;
	size_t n, i;

	b = conf_take_backend_list(p, s, "shards", &n);
	if (n > CONF_MAX_SHARDS) {
		conf_complain(p, s->line, "variant \"%s\" has %zu shards, "
		    "expected at most %d", s->title, n, CONF_MAX_SHARDS);
		n = CONF_MAX_SHARDS;
	}
	if (n > 0 && v->shard_relation != NULL) {
		v->shards = x_calloc(n, sizeof(*v->shards));
		v->n_shards = n;
	}
	for (i = 0; i < v->n_shards; i++)
		v->shards[i] = (struct conf_shard){ .backend = b[i],
			.relation = conf_variant_relation(v,
			    v->shard_relation),
			.modulus = (unsigned)n, .remainder = (unsigned)i };
	free(b);
	if (v->n_shards > 0)
		CHECK(conf_variant_place(v));
}

static void
table_take_variant(struct conf_parse *p, const struct conf_sec *s,
    struct conf_variant *v)
{
	char *relation = NULL;
	int kind = -1;

	v->name = x_strdup(s->title);
	conf_check_sec(p, s);
	conf_take_word(p, s, "kind", &kind);
	v->backend = conf_take_backend(p, s, "backend");
	conf_take_bool(p, s, "only_rewrites", &v->only_rewrites);
	conf_take_str(p, s, "relation", &relation);
	if (relation == NULL && v->only_rewrites)
		relation = x_strdup(s->parent->title); /* which nobody asks for */
	if (relation != NULL)
		(void)conf_variant_relation(v, relation);
	else
		conf_complain(p, s->line, "variant \"%s\" has no relation, "
		    "expected one", s->title);
	free(relation);
	conf_take_str(p, s, "shard_relation", &v->shard_relation);
	conf_take_bool(p, s, "target_leaf", &v->target_leaf);
	table_take_shards(p, s, v);
	table_take_spans(p, s, v);
	if (kind < 0)
		return;
	v->kind = (enum conf_variant_kind)kind;
	conf_take_rewrites(p, s, v);
	table_check_kind(p, s, v->kind);
}

static void
table_take_keys(struct conf_parse *p, const struct conf_sec *s,
    struct conf_table *t)
{
	const struct conf_opt *names = conf_sec_opt(s, "key_column");
	const struct conf_opt *types = conf_sec_opt(s, "key_type");
	struct conf_opt one;
	size_t i, n = names != NULL ? names->values.n : 0;
	int type;

	if (names == NULL && types != NULL)
		conf_complain(p, types->line,
		    "key_type: without key_column, expected its name");
	if (names != NULL && types == NULL)
		conf_complain(p, names->line, "key_column: without key_type, "
		    "expected the type of each column");
	if (names == NULL || types == NULL)
		return;
	if (n != types->values.n)
		conf_complain(p, types->line, "key_type: %zu types for %zu "
		    "columns, expected one for each", types->values.n, n);
	if (n > CONF_MAX_KEYS)
		conf_complain(p, names->line, "key_column: %zu columns, "
		    "expected at most %d", n, CONF_MAX_KEYS);
	if (n != types->values.n || n > CONF_MAX_KEYS)
		return;
	t->keys = x_calloc(n, sizeof(*t->keys));
	for (i = 0; i < n; i++) {
		type = 0;
		one = *types;
		one.values.v = &types->values.v[i];
		one.values.n = 1;
		(void)conf_value_word(p, &one, conf_row_find(s->block,
		    "key_type")->accepts, &type);
		t->keys[i] = (struct conf_key){
			x_strdup(names->values.v[i]),
			(enum conf_key_type)type };
	}
	t->n_keys = n;
}

/* What a variant needs of its table. */
static void
table_check_columns(struct conf_parse *p, const struct conf_sec *s,
    const struct conf_table *t)
{
	const struct conf_sec *sub;
	size_t i = 0;

	for (sub = conf_sec_next(s->subs, BLOCK_VARIANT); sub != NULL;
	     sub = conf_sec_next(sub->next, BLOCK_VARIANT), i++) {
		if (t->variants[i].n_shards > 0 &&
		    conf_sec_opt(s, "key_column") == NULL)
			conf_complain(p, sub->line, "sharded variant \"%s\": "
			    "table has no key_column, expected one",
			    sub->title);
		if (t->variants[i].n_spans > 0 &&
		    conf_sec_opt(s, "time_column") == NULL)
			conf_complain(p, sub->line, "variant \"%s\" has spans: "
			    "table has no time_column, expected one",
			    sub->title);
	}
}

static void
table_take_variants(struct conf_parse *p, const struct conf_sec *s,
    struct conf_table *t)
{
	size_t n = conf_sec_count(s, BLOCK_VARIANT), i;
	const struct conf_opt *use = conf_sec_opt(s, "use");
	const struct conf_sec *sub;

	if (n == 0)
		conf_complain(p, s->line, "table \"%s\" has no variant, "
		    "expected at least one", s->title);
	conf_check_titles(p, s->subs, BLOCK_VARIANT);
	t->variants = x_calloc(n, sizeof(*t->variants));
	for (sub = conf_sec_next(s->subs, BLOCK_VARIANT); sub != NULL;
	     sub = conf_sec_next(sub->next, BLOCK_VARIANT))
		table_take_variant(p, sub, &t->variants[t->n_variants++]);
	t->use = n > 0 ? &t->variants[0] : NULL;
	if (use == NULL)
		return;
	for (i = 0; i < n; i++)
		if (strcmp(t->variants[i].name, use->values.v[0]) == 0)
			break;
	if (i < n)
		t->use = &t->variants[i];
	else
		conf_complain(p, use->line, "use: unknown variant '%.64s', "
		    "expected the title of a variant of this table",
		    use->values.v[0]);
}

static void
table_take_name(struct conf_parse *p, const struct conf_sec *s,
    struct conf_table *t)
{
	const char *dot = strchr(s->title, '.');

	t->name = x_strdup(s->title);
	if (dot == NULL) {
		t->rel = x_strdup(s->title);
		return;
	}
	t->schema = x_strndup(s->title, (size_t)(dot - s->title));
	t->rel = x_strdup(dot + 1);
	if (dot == s->title || dot[1] == '\0' || strchr(dot + 1, '.') != NULL)
		conf_complain(p, s->line, "table \"%s\": not a table's name, "
		    "expected schema.table or table", s->title);
}

static void
table_take_month_of(struct conf_parse *p, const struct conf_sec *s,
    struct conf_table *t)
{
	static const char before[] = "uuidv7(";
	size_t n, skip = sizeof(before) - 1;

	conf_take_str(p, s, "month_of", &t->month_of);
	if (t->month_of == NULL)
		return;
	n = strlen(t->month_of);
	if (n > skip + 1 && strncmp(t->month_of, before, skip) == 0 &&
	    t->month_of[n - 1] == ')')
		t->month_id = x_strndup(t->month_of + skip, n - skip - 1);
	else
		conf_complain(p, conf_sec_opt(s, "month_of")->line,
		    "month_of: \"%s\", expected uuidv7(column)", t->month_of);
}

static void
table_take(struct conf_parse *p, const struct conf_sec *s,
    struct conf_table *t)
{
	int transactions = 0;

	table_take_name(p, s, t);
	conf_check_sec(p, s);
	t->databases = conf_take_databases_of(p, s, &t->n_databases);
	table_take_keys(p, s, t);
	conf_take_str(p, s, "time_column", &t->time_column);
	table_take_month_of(p, s, t);
	conf_take_word(p, s, "transactions", &transactions);
	t->stays = transactions == 1;
	conf_take_bool(p, s, "approximate_floats", &t->approximate_floats);
	conf_take_bool(p, s, "split_inserts", &t->split_inserts);
	conf_take_bool(p, s, "two_phase_commit", &t->two_phase_commit);
	t->replicas = (struct conf_replica_rule){ REPLICA_READS_INHERIT,
		REPLICA_AGE_INHERIT, REPLICA_LAG_INHERIT };
	conf_take_replica_rule(p, s, &t->replicas);
	table_take_variants(p, s, t);
	if (t->use != NULL && t->use->only_rewrites)
		conf_complain(p, s->line, "table \"%s\": variant \"%s\", "
		    "which is in use, serves its rewrites only, expected use "
		    "of another", s->title, t->use->name);
	table_check_columns(p, s, t);
	conf_check_rewrites(p, s, t);
}

/* Give t to a database, unless it has one of that name. */
static void
table_give(struct conf_parse *p, const struct conf_sec *s,
    struct conf_database *db, struct conf_table *t)
{
	size_t i;

	for (i = 0; i < db->n_tables; i++)
		if (strcmp(db->tables[i]->name, t->name) == 0) {
			conf_complain(p, s->line, "table \"%s\" is defined "
			    "twice for database \"%s\", expected once",
			    t->name, db->name);
			return;
		}
	db->tables[db->n_tables++] = t;
}

void
conf_take_tables(struct conf_parse *p)
{
	size_t n = conf_sec_count(p->root, BLOCK_TABLE), i;
	const struct conf_sec *s;
	struct conf *c = p->conf;
	struct conf_table *t;

	c->tables = x_calloc(n, sizeof(*t));
	for (i = 0; i < c->n_databases; i++)
		c->databases[i].tables = x_calloc(n, sizeof(t));
	for (s = conf_sec_next(p->root->subs, BLOCK_TABLE); s != NULL;
	     s = conf_sec_next(s->next, BLOCK_TABLE)) {
		t = &c->tables[c->n_tables];
		t->id = (unsigned)c->n_tables++;
		table_take(p, s, t);
		for (i = 0; i < t->n_databases; i++)
			table_give(p, s, t->databases[i], t);
	}
}
