/* SPDX-License-Identifier: PostgreSQL
 *
 * The options query and key of a cache rule.
 *
 * What a query says is read by the layer above (conf_read_queries_with());
 * here it is put together with the rest of the rule.  Control thread.
 */
#include <stdlib.h>
#include <string.h>

#include "conf/conf_priv.h"
#include "conf/ident.h"

#define QUERY_WHY_MAX 300

static conf_query_cb *query_read;

void
conf_read_queries_with(conf_query_cb *fn)
{
	query_read = fn;
}

void
conf_query_fini(struct conf_query *q)
{
	size_t i;

	for (i = 0; i < q->n_named; i++)
		free(q->named[i].name);
	conf_strings_fini(&q->tables);
	free(q->text);
}

/* Each table of the query must be one of the rule, or no statement would ever
 * be both. */
static void
query_take_tables(struct conf_parse *p, const struct conf_sec *s,
    const struct conf_opt *o, struct conf_rule *r)
{
	char *schema, *name;
	size_t i, k;

	if (conf_sec_opt(s, "tables") == NULL) {
		for (i = 0; i < r->query.tables.n; i++)
			conf_strings_add(&r->tables, r->query.tables.v[i]);
		return;
	}
	for (i = 0; i < r->query.tables.n; i++) {
		ident_parts(r->query.tables.v[i], &schema, &name);
		for (k = 0; k < r->tables.n && !ident_is_table(
		     r->tables.v[k], schema, name); k++)
			continue;
		if (k == r->tables.n)
			conf_complain(p, o->line, "query: reads '%.64s', "
			    "which tables does not name, expected it there",
			    r->query.tables.v[i]);
		free(schema);
		free(name);
	}
}

static int
query_named(const struct conf_query *q, struct slice name)
{
	size_t i;

	for (i = 0; i < q->n_named; i++)
		if (slice_eq_str(name, q->named[i].name))
			return (int)i;
	return -1;
}

static bool
key_is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || (c != '\0' && strchr("._-:", c) != NULL);
}

/* Cut the key into parts. false: complained. */
static bool
key_split(struct conf_parse *p, const struct conf_opt *o, struct conf_rule *r)
{
	const char *at = r->key, *end;
	struct conf_key_part *part;

	for (;;) {
		part = &r->parts[r->n_parts++];
		part->text.p = at;
		while (key_is_plain(*at))
			at++;
		part->text.n = (size_t)(at - part->text.p);
		part->named = -1;
		if (*at == '\0')
			return true;
		end = *at == '{' ? strchr(at, '}') : NULL;
		if (end == NULL) {
			conf_complain(p, o->line, "key: cannot hold '%.16s', "
			    "expected letters, digits, . _ - : and {name}",
			    at);
			return false;
		}
		part->named = query_named(&r->query, slice_make(at + 1,
		    (size_t)(end - at - 1)));
		if (part->named < 0) {
			conf_complain(p, o->line, "key: the query has no "
			    ":%.*s, expected the name of one of its values",
			    (int)(end - at - 1 < 64 ? end - at - 1 : 64),
			    at + 1);
			return false;
		}
		if (r->n_parts > CONF_NAMED_MAX) {
			conf_complain(p, o->line, "key: has more than %d "
			    "values, expected fewer", CONF_NAMED_MAX);
			return false;
		}
		at = end + 1;
	}
}

static void
query_take_key(struct conf_parse *p, const struct conf_sec *s,
    struct conf_rule *r)
{
	const struct conf_opt *o = conf_sec_opt(s, "key");

	conf_take_str(p, s, "key", &r->key);
	if (r->key == NULL)
		return;
	if (conf_sec_opt(s, "query") == NULL)
		conf_complain(p, o->line, "key: the rule has no query whose "
		    "answers it could name, expected one");
	else if (strlen(r->key) > CONF_KEY_MAX)
		conf_complain(p, o->line, "key: has %zu bytes, expected at "
		    "most %d", strlen(r->key), CONF_KEY_MAX);
	else if (r->query.text == NULL || !key_split(p, o, r))
		r->n_parts = 0;
}

void
conf_take_query(struct conf_parse *p, const struct conf_sec *s,
    struct conf_rule *r)
{
	const struct conf_opt *o = conf_sec_opt(s, "query");
	char why[QUERY_WHY_MAX];

	if (o == NULL && conf_sec_opt(s, "tables") == NULL)
		conf_complain(p, s->line, "cache \"%s\" has neither tables "
		    "nor a query, expected one of them", s->title);
	conf_take_str(p, s, "query", &r->query.text);
	if (r->query.text != NULL) {
		CHECK(query_read != NULL);
		if (!query_read(p->conf, &r->query, why, sizeof(why))) {
			conf_complain(p, o->line, "query: %s", why);
			conf_query_fini(&r->query);
			r->query = (struct conf_query){ .text = NULL };
		} else if (r->query.stable && !r->allow_stable) {
			conf_complain(p, o->line, "query: calls a stable "
			    "function, expected allow_stable = true");
		}
	}
	if (r->query.text != NULL)
		query_take_tables(p, s, o, r);
	query_take_key(p, s, r);
}
