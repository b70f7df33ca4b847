/* SPDX-License-Identifier: PostgreSQL
 *
 * The option keys of cache rules: columns by whose values results are told
 * apart.
 *
 * Whether a column is fit for that only catalogs can tell; see
 * conf_use_layouts().  Control thread.
 */
#include <stdlib.h>
#include <string.h>

#include "conf/conf_priv.h"
#include "conf/layout.h"

#define TAG_KEY_NAME_MAX 59 /* bytes; longer names may share a tag */

/* Letters, digits and _ of ASCII: the same for every server and client. */
static bool
tag_key_is_name(const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((p[i] < 'a' || p[i] > 'z') && (p[i] < 'A' || p[i] > 'Z') &&
		    (p[i] < '0' || p[i] > '9') && p[i] != '_')
			return false;
	return n > 0 && n <= TAG_KEY_NAME_MAX;
}

bool
conf_tag_key_read(const char *text, struct conf_tag_place *out)
{
	size_t n = strlen(text);
	const char *end, *p;

	*out = (struct conf_tag_place){ .month = strncmp(text, "month(", 6) ==
	    0 && text[n - 1] == ')' };
	if (out->month) {
		text += 6;
		n -= 7;
	}
	end = text + n;
	for (p = end; p > text && p[-1] != '.'; p--)
		;
	if (p == text)
		return false;
	out->column = slice_make(p, (size_t)(end - p));
	out->table = slice_make(text, (size_t)(p - 1 - text));
	for (end = --p; p > text && p[-1] != '.'; p--)
		;
	out->rel = slice_make(p, (size_t)(end - p));
	return tag_key_is_name(out->column.p, out->column.n) &&
	    tag_key_is_name(out->rel.p, out->rel.n);
}

/* It is one of the rule's tables. */
static bool
tag_key_fits(const struct conf_rule *r, struct slice table)
{
	size_t i;

	for (i = 0; i < r->tables.n; i++)
		if (slice_eq_str(table, r->tables.v[i]))
			return true;
	return false;
}

void
conf_take_tag_keys(struct conf_parse *p, const struct conf_sec *s,
    struct conf_rule *r)
{
	const struct conf_opt *o = conf_sec_opt(s, "keys");
	struct conf_tag_place at;
	size_t i;

	for (i = 0; o != NULL && i < o->values.n; i++) {
		if (!conf_tag_key_read(o->values.v[i], &at))
			conf_complain(p, o->line, "keys: found '%.64s', "
			    "expected table.column or month(table.column), "
			    "names of letters, digits and _",
			    o->values.v[i]);
		else if (!tag_key_fits(r, at.table))
			conf_complain(p, o->line, "keys: '%.64s' is of no "
			    "table of this rule, expected one as spelled in "
			    "tables", o->values.v[i]);
		else
			conf_strings_add(&r->keys, o->values.v[i]);
	}
}

struct conf_tag_key *
conf_tag_key_find(const struct conf *c, const struct conf_tag_place *at)
{
	struct conf_tag_key *k;

	for (k = c->tag_keys; k < c->tag_keys + c->n_tag_keys; k++)
		if (k->month == at->month && slice_eq_str(at->rel, k->rel) &&
		    slice_eq_str(at->column, k->column))
			return k;
	return NULL;
}

bool
conf_tag_keys_eq(const struct conf *a, const struct conf *b)
{
	size_t i;

	if (a->n_tag_keys != b->n_tag_keys)
		return false;
	for (i = 0; i < a->n_tag_keys; i++)
		if (a->tag_keys[i].month != b->tag_keys[i].month ||
		    strcmp(a->tag_keys[i].rel, b->tag_keys[i].rel) != 0 ||
		    strcmp(a->tag_keys[i].column, b->tag_keys[i].column) != 0)
			return false;
	return true;
}

void
conf_collect_tag_keys(struct conf *c)
{
	struct conf_tag_place at;
	size_t n = 0, i, k;

	for (i = 0; i < c->n_rules; i++)
		n += c->rules[i].keys.n;
	c->tag_keys = x_calloc(n, sizeof(*c->tag_keys));
	for (i = 0; i < c->n_rules; i++)
		for (k = 0; k < c->rules[i].keys.n; k++) {
			CHECK(conf_tag_key_read(c->rules[i].keys.v[k], &at));
			if (conf_tag_key_find(c, &at) != NULL)
				continue;
			c->tag_keys[c->n_tag_keys++] = (struct conf_tag_key){
				.rel = x_strndup(at.rel.p, at.rel.n),
				.column = x_strndup(at.column.p, at.column.n),
				.month = at.month };
		}
}

/* ---- where their columns are ---- */

struct tag_key_each {
	void (*fn)(void *arg, const struct conf_place *p);
	void *arg;
	struct slice table; /* as the rule names it */
};

static void
tag_key_place(void *arg, const struct conf_place *p)
{
	const struct tag_key_each *e = arg;

	if (slice_eq_str(e->table, p->named))
		e->fn(e->arg, p);
}

void
conf_tag_key_each(const struct conf *c, const struct conf_tag_key *key,
    void (*fn)(void *arg, const struct conf_place *p), void *arg)
{
	struct tag_key_each e = { .fn = fn, .arg = arg };
	const struct conf_rule *r;
	struct conf_tag_place at;
	size_t i, k;

	for (r = c->rules; r < c->rules + c->n_rules; r++)
		for (i = 0; i < r->keys.n; i++) {
			CHECK(conf_tag_key_read(r->keys.v[i], &at));
			if (conf_tag_key_find(c, &at) != key)
				continue;
			e.table = at.table;
			for (k = 0; k < r->n_databases; k++)
				conf_rule_places(r->databases[k], r,
				    tag_key_place, &e);
		}
}

static void
tag_key_mix_place(void *arg, const struct conf_place *p)
{
	struct hash128 *h = arg;

	*h = hash_mix_text(hash_mix_text(*h, p->backend->name),
	    p->backend->conninfo);
	*h = hash_mix_text(*h, p->relation);
}

struct hash128
conf_tag_key_origin(const struct conf *c, const struct conf_tag_key *key)
{
	struct hash128 h = { key->month, 0 };

	h = hash_mix_text(hash_mix_text(h, key->rel), key->column);
	conf_tag_key_each(c, key, tag_key_mix_place, &h);
	return h;
}

const struct layout_tag_key *
conf_tag_key_vouched(const struct conf_layouts *l, struct hash128 origin)
{
	size_t i;

	for (i = 0; l != NULL && i < l->n_tag_keys; i++)
		if (hash_eq(l->tag_keys[i].origin, origin))
			return &l->tag_keys[i];
	return NULL;
}
