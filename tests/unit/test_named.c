/* SPDX-License-Identifier: PostgreSQL
 *
 * Cache rules with a query: which statements they are for, what the results
 * are called, and what is refused at load.
 */
#include "route_util.h"

#include "base/hash.h"
#include "route/named.h"
#include "route/translate.h"

#define HEAD "backend \"b\" { conninfo = \"host=h\" }\n" \
	"database \"d\" { backend = b }\n"
#define RULE(query, key) HEAD "cache \"r\" { ttl = 1h\nquery = " query \
	"\nkey = " key "\n}\n"

static struct lexer lx;
static struct shape_table shapes;

static struct conf *
load(const char *text)
{
	struct conf_diag d;
	struct conf *c = conf_load_buffer("f", text, strlen(text), &d);

	for (int i = 0; i < d.n; i++)
		print_message("%s\n", d.msg[i]);
	assert_non_null(c);
	return c;
}

/* Name of sql's result; "-": the rule is not for it. */
static void
name_of(const struct conf *c, const char *sql, const struct wire_bind *bind,
    const char *oids, unsigned n_oids, char out[ROUTE_NAME_MAX])
{
	struct route_values v = { .sql = slice_str(sql), .lx = &lx,
		.bind = bind, .oids = oids, .n_oids = n_oids };
	struct shape *s = shape_get(&shapes, &lx, v.sql, true, 1 << 20);
	struct route_plan *p = route_plan_new(c, &c->databases[0], s);

	strcpy(out, "-");
	if (p->rule != NULL)
		route_name(p, s, &v, out);
	route_plan_free(&p);
	shape_table_clear(&shapes, NULL);
}

static const struct {
	const char *sql, *name;
} literals[] = {
	/* the same but for text */
	{ "SELECT * FROM models WHERE id = 42", "model:42:details" },
	{ "select  *\nfrom Models where (id=42) -- mine", "model:42:details" },
	{ "SELECT * FROM \"models\" WHERE id = '42'::int8",
	  "model:42:details" },
	{ "SELECT * FROM models WHERE id = CAST(42 AS text);",
	  "model:42:details" },
	/* another statement */
	{ "SELECT id FROM models WHERE id = 42", "-" },
	{ "SELECT * FROM models WHERE id > 42", "-" },
	{ "SELECT * FROM models WHERE id = 42 AND true", "-" },
	{ "SELECT * FROM models WHERE id = 42 LIMIT 1", "-" },
	{ "SELECT * FROM models m WHERE id = 42", "-" },
	{ "SELECT * FROM public.models WHERE id = 42", "-" },
	{ "SELECT * FROM models WHERE id IN (42)", "-" },
	{ "SELECT * FROM models WHERE id = NULL", "-" },
	{ "SELECT * FROM models WHERE id = now()", "-" },
	{ "SELECT * FROM models WHERE id = 42; SELECT 1", "-" },
	/* one number, one name */
	{ "SELECT * FROM models WHERE id = 0042", "model:42:details" },
	{ "SELECT * FROM models WHERE id = -7", "model:-7:details" },
	{ "SELECT * FROM models WHERE id = - 007", "model:-7:details" },
	{ "SELECT * FROM models WHERE id = ' +042 '", "model:42:details" },
	{ "SELECT * FROM models WHERE id = '-0'", "model:0:details" },
	{ "SELECT * FROM models WHERE id = 000", "model:0:details" },
	{ "SELECT * FROM models WHERE id = 1.50", "model:1.50:details" },
	/* nothing that could be read as something else */
	{ "SELECT * FROM models WHERE id = '42:details:x'",
	  "model:42%3Adetails%3Ax:details" },
	{ "SELECT * FROM models WHERE id = '*?[a]\\{}%'",
	  "model:%2A%3F%5Ba%5D%5C%7B%7D%25:details" },
	{ "SELECT * FROM models WHERE id = 'a b\tc'",
	  "model:a%20b%09c:details" },
	{ "SELECT * FROM models WHERE id = 'it''s'",
	  "model:it%27s:details" },
	{ "SELECT * FROM models WHERE id = '\xc3\xa9'",
	  "model:%C3%A9:details" },
	{ "SELECT * FROM models WHERE id = ''", "model::details" },
	{ "SELECT * FROM models WHERE id = '%null'",
	  "model:%25null:details" },
	{ "SELECT * FROM models WHERE id = E'\\x41'",
	  "model:%unknown:details" },
	{ "SELECT * FROM models WHERE id = 'abcdefghijabcdefghijabcdefghij"
	  "abcdefghijabcdefghijabcdefghijabcd'", "model:abcdefghijabcdefghij"
	  "abcdefghijabcdefghijabcdefghijabcdefghijabcd:details" },
	{ "SELECT * FROM models WHERE id = 'abcdefghijabcdefghijabcdefghij"
	  "abcdefghijabcdefghijabcdefghijabcde'", "model:abcdefghijabcdefghij"
	  "abcdefghijab%~be662f95eba0d74c:details" },
};

static void
names_of_literals(void **state)
{
	struct conf *c = load(RULE("\"SELECT * FROM models "
	    "WHERE id = :model_id::int4\"", "\"model:{model_id}:details\""));
	char name[ROUTE_NAME_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(literals); i++) {
		name_of(c, literals[i].sql, NULL, NULL, 0, name);
		if (strcmp(name, literals[i].name) != 0)
			fail_msg("%s: %s, expected %s", literals[i].sql, name,
			    literals[i].name);
	}
	conf_unref(&c);
}

static const struct {
	const char *query; /* of the rule: WHERE id = ... */
	const char *oid;   /* of Parse; or NULL */
	int format;
	struct slice value;
	const char *name;
} params[] = {
	{ ":id", NULL, 0, SLICE_LIT("42"), "42" },
	{ ":id", NULL, 0, SLICE_LIT("042"), "042" },
	{ ":id::int8", NULL, 0, SLICE_LIT("042"), "42" },
	{ ":id", "\0\0\0\x17", 0, SLICE_LIT("042"), "42" },
	{ ":id", "\0\0\0\x17", 1, SLICE_LIT("\0\0\0\x2a"), "42" },
	{ ":id", "\0\0\0\x15", 1, SLICE_LIT("\xff\xfe"), "-2" },
	{ ":id", "\0\0\0\x14", 1, SLICE_LIT("\x80\0\0\0\0\0\0\0"),
	  "-9223372036854775808" },
	{ ":id::int4", NULL, 1, SLICE_LIT("\0\0\0\x2a"), "42" },
	{ ":id", NULL, 1, SLICE_LIT("\0\0\0\x2a"), "%x0000002a" },
	{ ":id::int8", NULL, 1, SLICE_LIT("\0\0\0\x2a"), "%x0000002a" },
	{ ":id", "\0\0\0\x19", 1, SLICE_LIT("a:b"), "a%3Ab" },
	{ ":id::uuid", NULL, 0,
	  SLICE_LIT("{55222014-7ED0-EE56-B348-B6399C5C9C3D}"),
	  "55222014-7ed0-ee56-b348-b6399c5c9c3d" },
	{ ":id::uuid", NULL, 1, SLICE_LIT("\x55\x22\x20\x14\x7e\xd0\xee\x56"
	  "\xb3\x48\xb6\x39\x9c\x5c\x9c\x3d"),
	  "55222014-7ed0-ee56-b348-b6399c5c9c3d" },
	{ ":id", NULL, 1, SLICE_LIT("0123456789abcdefg"),
	  "%x30313233343536373839616263646566%~d2e63ed5466f5c32" },
	{ ":id", NULL, 0, { NULL, 0 }, "%null" },
};

static void
names_of_parameters(void **state)
{
	char text[600], value[64], formats[2], name[ROUTE_NAME_MAX];
	struct wire_bind b;
	struct conf *c;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(params); i++) {
		size_t n = params[i].value.n;

		snprintf(text, sizeof(text), RULE("\"SELECT * FROM models "
		    "WHERE id = %s\"", "\"{id}\""), params[i].query);
		c = load(text);
		formats[0] = 0;
		formats[1] = (char)params[i].format;
		memset(value, 0, 3);
		value[3] = (char)n;
		if (params[i].value.p == NULL)
			memset(value, 0xff, 4);
		else
			memcpy(value + 4, params[i].value.p, n);
		b = (struct wire_bind){
			.n_param_formats = 1, .param_formats = formats,
			.n_params = 1, .params = value, .params_len = 4 + n };
		name_of(c, "SELECT * FROM models WHERE id = $1", &b,
		    params[i].oid, params[i].oid != NULL, name);
		if (strcmp(name, params[i].name) != 0)
			fail_msg("%zu: %s, expected %s", i, name,
			    params[i].name);
		conf_unref(&c);
	}
}

static void
first_rule_counts(void **state)
{
	struct conf *c = load(HEAD
	    "cache \"one\" { ttl = 1h key = \"one:{a}:{b}\" query = \"SELECT "
	    "x AS \\\":c\\\", ':d', y[1 : 2] FROM s.t WHERE a = :a AND b = "
	    "/* :e */ :b\" }\n"
	    "cache \"the rest\" { ttl = 1min tables = {\"s.t\"} }\n");
	const struct conf_rule *r = &c->rules[0];
	char name[ROUTE_NAME_MAX];

	(void)state;
	assert_int_equal(r->tables.n, 1);
	assert_string_equal(r->tables.v[0], "s.t");
	name_of(c, "SELECT x \":c\", 'other', y[1:9] FROM s.t "
	    "WHERE a = 'A' AND b = 2", NULL, NULL, 0, name);
	assert_string_equal(name, "one:A:2");
	name_of(c, "SELECT x FROM s.t WHERE a = 'A' AND b = 2", NULL, NULL, 0,
	    name);
	assert_string_equal(name, "the_rest");
	conf_unref(&c);
}

static const struct {
	const char *text, *want;
} wrong[] = {
	{ "key = \"k\" tables = t", "f:3: key: the rule has no query whose "
	  "answers it could name, expected one" },
	{ "query = \"SELECT * FROM t WHERE id = :a\" key = \"k:{b}\"",
	  "f:3: key: the query has no :b, expected the name of one of its "
	  "values" },
	{ "query = \"SELECT * FROM t WHERE id = :a\" key = \"k {a}\"",
	  "f:3: key: cannot hold ' {a}', expected letters, digits, . _ - : "
	  "and {name}" },
	{ "query = \"SELECT * FROM t WHERE id = :a\" key = \"k*\"",
	  "f:3: key: cannot hold '*', expected letters, digits, . _ - : "
	  "and {name}" },
	{ "query = \"SELECT * FROM t WHERE id = :a\" key = \"{a}{a}{a}{a}{a}"
	  "\"", "f:3: key: has more than 4 values, expected fewer" },
	{ "query = \"SELEKT * FROM t\"", "f:3: query: cannot be parsed, "
	  "expected a SELECT with :name where its values are" },
	{ "query = \"SELECT * FROM :t\"", "f:3: query: cannot be parsed, "
	  "expected a SELECT with :name where its values are" },
	{ "query = \"SELECT 'a FROM t\"", "f:3: query: is too long, too deep, "
	  "or has a quote or comment that does not end, expected one "
	  "statement" },
	{ "query = \"SELECT * FROM t WHERE id = $1\"", "f:3: query: has a "
	  "parameter by number, expected :name" },
	{ "query = \"SELECT * FROM t WHERE id = :a OR id = :a\"",
	  "f:3: query: :a stands in it twice, expected another name for "
	  "another value" },
	{ "query = \"SELECT * FROM t WHERE id IN (:a, :b, :c, :d, :e, :f, :g, :h, :i, :j, :k, :l, "
	  ":m, :n, :o, :p, :q, :r, :s, :t, :u, :v, :w, :x, :y, :z, :A, :B, :C, :D, :E, :F, :G)\"",
	  "f:3: query: has more than 32 names, or one over 32 bytes, expected "
	  "fewer: literals stand for any value" },
	{ "query = \"UPDATE t SET id = 1\"", "f:3: query: could never be "
	  "cached: not_select - not a single plain SELECT, expected another" },
	{ "query = \"SELECT 1; SELECT 2\"", "f:3: query: could never be "
	  "cached: not_select - not a single plain SELECT, expected another" },
	{ "query = \"SELECT 1\"", "f:3: query: could never be cached: "
	  "no_table - reads no table, expected another" },
	{ "query = \"SELECT random() FROM t\"", "f:3: query: could never be "
	  "cached: volatile - calls a volatile function, expected another" },
	{ "query = \"SELECT * FROM t FOR UPDATE\"", "f:3: query: could never "
	  "be cached: locking - takes row or advisory locks, expected "
	  "another" },
	{ "query = \"SELECT * FROM t WHERE at < now()\"", "f:3: query: calls "
	  "a stable function, expected allow_stable = true" },
	{ "tables = u query = \"SELECT * FROM s.t\"", "f:3: query: reads "
	  "'s.t', which tables does not name, expected it there" },
	{ "query = \"SELECT * FROM \\\"a.b\\\"\"", "f:3: query: reads 'a.b', "
	  "whose name needs quotes, expected tables to name it" },
};

static void
wrong_rules_are_refused(void **state)
{
	struct conf_diag d;
	char text[600];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(text, sizeof(text), HEAD "cache \"r\" { %s ttl = 1h "
		    "}\n", wrong[i].text);
		assert_null(conf_load_buffer("f", text, strlen(text), &d));
		assert_int_equal(d.n, 1);
		assert_string_equal(d.msg[0], wrong[i].want);
		conf_diag_fini(&d);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_literals),
		cmocka_unit_test(names_of_parameters),
		cmocka_unit_test(first_rule_counts),
		cmocka_unit_test(wrong_rules_are_refused),
	};
	int failed;

	hash_init();
	conf_read_queries_with(route_query_read);
	conf_read_rewrites_with(route_rewrite_read);
	lexer_init(&lx);
	shape_table_init(&shapes, 100, NULL);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	shape_table_fini(&shapes);
	lexer_fini(&lx);
	return failed;
}
