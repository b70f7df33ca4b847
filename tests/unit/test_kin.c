/* SPDX-License-Identifier: PostgreSQL
 *
 * From rows of the catalogs to what results depend on and writes change.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "layout/kin.h"

static const char head[] = "listen = {\"127.0.0.1:6432\"}\n"
    "auth = \"trust\"\n"
    "backend \"main\" { conninfo = \"host=h dbname=d\" }\n"
    "database \"app\" { backend = \"main\" }\n";

static struct conf *conf;
static struct kin found;

static void
configure(const char *more)
{
	struct conf_diag d;
	char text[4096];

	snprintf(text, sizeof(text), "%s%s", head, more);
	conf = conf_load_buffer("f", text, strlen(text), &d);
	if (conf == NULL)
		fail_msg("%s", d.msg[0]);
	conf_diag_fini(&d);
}

/* kind, persistence, rls and rules are one letter each, t and f for the last
 * two. */
static void
relation(const char *oid, const char *name, const char *letters,
    const char *functions, const char *text)
{
	char kind[2] = { letters[0], '\0' };
	const char *cells[KIN_COLUMNS] = { oid, "0", kind, "public", name,
		letters + 1, letters + 2, functions, letters + 3, "f", text };

	assert_true(kin_add(&found, cells));
}

static void
edge(const char *kind, const char *a, const char *b)
{
	const char *cells[KIN_COLUMNS] = { a, b, kind };

	assert_true(kin_add(&found, cells));
}

static void
expect_names(const struct deps_names *l, const char *want)
{
	char text[1024] = "";
	size_t i;

	for (i = 0; i < l->n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "%s%s", i > 0 ? " " : "", l->v[i]);
	if (l->any)
		snprintf(text, sizeof(text), "any");
	assert_string_equal(text, want);
}

static const struct deps_relation *
get(const struct deps *d, const char *name)
{
	size_t i = 0;
	const struct deps_relation *r = deps_find(d, NULL, name, &i);

	assert_non_null(r);
	assert_null(deps_find(d, NULL, name, &i));
	return r;
}

static struct deps *
finish(void)
{
	struct deps *d = kin_close(&found, conf, &conf->backends[0]);

	kin_fini(&found);
	return d;
}

static void
done(struct deps *d)
{
	deps_unref(&d);
	conf_unref(&conf);
}

#define RULE "cache \"r\" { ttl = 60s tables = {\"v\", \"p\", \"p1\", \"t\"} }\n"

static void
test_views(void **state PG_UNUSED)
{
	struct deps *d;

	configure(RULE);
	relation("1", "t", "rpff", NULL, NULL);
	relation("2", "u", "ruff", NULL, NULL);
	relation("3", "w", "vpff", NULL, "SELECT now() FROM public.u");
	relation("4", "v", "vpff", NULL,
	    "SELECT 1 FROM public.t JOIN public.w ON true");
	edge("edgev", "4", "1");
	edge("edgev", "4", "3");
	edge("edgev", "3", "2");
	d = finish();
	expect_names(&get(d, "v")->reads, "v t w u");
	assert_int_equal(get(d, "v")->traits,
	    TRAIT_BIT(STABLE) | TRAIT_BIT(UNLOGGED));
	assert_int_equal(get(d, "t")->traits, 0);
	assert_false(get(d, "u")->asked);
	expect_names(&get(d, "w")->changes, "w u");
	expect_names(&get(d, "t")->changes, "t");
	done(d);
}

static void
test_children(void **state PG_UNUSED)
{
	struct deps *d;

	configure(RULE);
	relation("1", "p", "ppff", NULL, NULL);
	relation("2", "p1", "rpff", NULL, NULL);
	relation("3", "p2", "ppff", NULL, NULL);
	relation("4", "p2a", "fpff", NULL, NULL);
	relation("5", "q", "rpff", NULL, NULL);
	edge("edgei", "2", "1");
	edge("edgei", "3", "1");
	edge("edgei", "4", "3");
	edge("edgei", "2", "5"); /* p1 is a child of two */
	d = finish();
	expect_names(&get(d, "p")->reads, "p");
	assert_int_equal(get(d, "p")->traits, TRAIT_BIT(FOREIGN));
	expect_names(&get(d, "p1")->reads, "p1 p q");
	assert_int_equal(get(d, "p1")->traits, 0);
	expect_names(&get(d, "p")->changes, "p q");
	expect_names(&get(d, "p2a")->changes, "p2a p2 p");
	expect_names(&get(d, "q")->changes, "q p");
	/* A row may move to another partition. */
	assert_true(get(d, "p")->updates.any);
	expect_names(&get(d, "p")->inserts, "p q");
	done(d);
}

static void
test_foreign_keys(void **state PG_UNUSED)
{
	struct deps *d;

	configure(RULE);
	relation("1", "t", "rpff", NULL, NULL);
	relation("2", "a", "rpff", NULL, NULL);
	relation("3", "b", "rpff", NULL, NULL);
	relation("4", "c", "rpff", "public.f", NULL);
	edge("edged", "2", "1");
	edge("edgeu", "3", "2");
	edge("edgeu", "1", "4");
	d = finish();
	expect_names(&get(d, "a")->changes, "any");
	expect_names(&get(d, "a")->updates, "a");
	expect_names(&get(d, "b")->updates, "b a");
	expect_names(&get(d, "b")->inserts, "b");
	assert_string_equal(get(d, "b")->why,
	    "trigger function public.f on public.c");
	done(d);
}

/* A write that comes back by other ways changes rows it does not name. */
static void
test_again(void **state PG_UNUSED)
{
	struct deps *d;

	configure(RULE);
	relation("1", "t", "rpff", NULL, NULL);
	relation("2", "a", "rpff", NULL, NULL);
	relation("3", "p", "ppff", NULL, NULL);
	relation("4", "p1", "rpff", NULL, NULL);
	relation("5", "v", "vpff", NULL, NULL);
	edge("edged", "1", "2");
	edge("edged", "2", "1");
	edge("edgei", "4", "3");
	edge("edged", "3", "5");
	edge("edgev", "5", "4"); /* for the sake of it */
	d = finish();
	assert_true(get(d, "t")->changes.again);
	assert_true(get(d, "p")->changes.again);
	assert_false(get(d, "p1")->changes.again);
	assert_false(get(d, "v")->changes.again);
	assert_false(get(d, "t")->updates.again);
	expect_names(&get(d, "t")->changes, "t a");
	done(d);
}

static void
test_triggers(void **state PG_UNUSED)
{
	struct deps *d;

	configure(RULE "readonly_functions = {\"ro\", \"s.ro2\"}\n"
	    "writes \"x\" { also = {\"t\", \"public.y\"} }\n");
	relation("1", "t", "rpff", "public.ro\ns.ro2", NULL);
	relation("2", "x", "rpff", "public.other", NULL);
	relation("3", "y", "rpff", NULL, NULL);
	relation("4", "z", "rpff", "public.ro2", NULL);
	relation("5", "r", "rpft", NULL, NULL);
	edge("edged", "3", "2"); /* and back */
	d = finish();
	expect_names(&get(d, "t")->changes, "t");
	expect_names(&get(d, "x")->changes, "x t y");
	assert_true(get(d, "x")->inserts.any);
	expect_names(&get(d, "z")->changes, "any");
	expect_names(&get(d, "r")->changes, "any");
	assert_string_equal(get(d, "r")->why, "rules on public.r");
	done(d);
}

static void
test_policies(void **state PG_UNUSED)
{
	struct deps *d;

	configure(RULE);
	relation("1", "t", "rptf", NULL,
	    "SELECT 1 WHERE ((who = CURRENT_USER) AND (EXISTS ( SELECT FROM "
	    "public.m)))");
	relation("2", "m", "rpff", NULL, NULL);
	relation("3", "p", "rptf", NULL,
	    "SELECT 1 WHERE (random() < 0.5)");
	edge("edgep", "1", "2");
	d = finish();
	expect_names(&get(d, "t")->reads, "t m");
	assert_int_equal(get(d, "t")->traits, TRAIT_BIT(RLS));
	assert_int_equal(get(d, "p")->traits,
	    TRAIT_BIT(RLS) | TRAIT_BIT(VOLATILE));
	done(d);
}

static void
test_too_many(void **state PG_UNUSED)
{
	char oid[16], name[16];
	struct deps *d;
	unsigned i;

	configure(RULE);
	relation("1", "t", "rpff", NULL, NULL);
	relation("2", "v", "vpff", NULL, "SELECT 1");
	for (i = 0; i < DEPS_NAMES_MAX; i++) {
		snprintf(oid, sizeof(oid), "%u", 100 + i);
		snprintf(name, sizeof(name), "t%u", i);
		relation(oid, name, "rpff", NULL, NULL);
		edge("edgev", "2", oid);
		edge("edged", "1", oid);
	}
	d = finish();
	assert_true(get(d, "v")->reads.any);
	assert_true(get(d, "t")->changes.any);
	assert_null(get(d, "t")->why);
	expect_names(&get(d, "t")->updates, "t");
	done(d);
}

static void
test_names(void **state PG_UNUSED)
{
	struct deps *d = deps_new("b", 4);
	size_t i = 0;

	d->v[0] = (struct deps_relation){ .schema = x_strdup("s"),
		.name = x_strdup("Tab") };
	d->v[1] = (struct deps_relation){ .schema = x_strdup("r"),
		.name = x_strdup("tab") };
	d->v[2] = (struct deps_relation){ .schema = x_strdup("r"),
		.name = x_strdup("t\xc3\xa4") };
	d->v[3] = (struct deps_relation){ .schema = x_strdup("r"),
		.name = x_strdup("zz") };
	deps_sort(d);
	assert_string_equal(deps_find(d, NULL, "TAB", &i)->schema, "r");
	assert_string_equal(deps_find(d, NULL, "TAB", &i)->schema, "s");
	assert_null(deps_find(d, NULL, "TAB", &i));
	i = 0;
	assert_string_equal(deps_find(d, "S", "tab", &i)->name, "Tab");
	assert_null(deps_find(d, "S", "tab", &i));
	i = 0; /* whatever its encoding */
	assert_non_null(deps_find(d, NULL, "x\xe4", &i));
	i = 0;
	assert_null(deps_find(d, NULL, "nothing", &i));
	deps_unref(&d);
}

static void
test_bad_rows(void **state PG_UNUSED)
{
	const char *cells[KIN_COLUMNS] = { "1", "0", "r" };

	assert_false(kin_add(&found, cells));
	cells[KIN_KIND] = NULL;
	assert_false(kin_add(&found, cells));
	kin_fini(&found);
}

static void
test_texts(void **state PG_UNUSED)
{
	static const struct {
		const char *text;
		uint32_t traits;
	} rows[] = {
		{ "SELECT a, lower(b) FROM s.t", 0 },
		{ " SELECT a\n   FROM t\n  WHERE (at > 'now'::timestamptz);",
		    TRAIT_BIT(STABLE) },
		{ "SELECT a FROM t FOR UPDATE", TRAIT_BIT(LOCKING) },
		{ "SELECT relname FROM pg_class", TRAIT_BIT(SYSTEM) },
		{ "SELECT a FROM t TABLESAMPLE system (1)",
		    TRAIT_BIT(VOLATILE) },
		{ "SELECT s.mine(a) FROM t", TRAIT_BIT(UNKNOWN_FN) },
		{ "SELECT a FROM", TRAIT_BIT(UNKNOWN_FN) },
		{ "", TRAIT_BIT(UNKNOWN_FN) },
		{ "SELECT 'open", TRAIT_BIT(UNKNOWN_FN) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if ((kin_text_traits(rows[i].text) & rows[i].traits) !=
		    rows[i].traits || (rows[i].traits == 0 &&
		    kin_text_traits(rows[i].text) != 0))
			fail_msg("%s: %x", rows[i].text,
			    kin_text_traits(rows[i].text));
}

static bool
word(const char *kind, const char *name)
{
	const char *cells[KIN_COLUMNS] = { "0", "0", kind, "", name, "" };

	return kin_add(&found, cells);
}

static void
seen(const char *more, const char *name)
{
	relation("1", "t", "rpff", NULL, NULL);
	relation("2", "w", "vpff", NULL, "SELECT 1 FROM public.t");
	edge("edgev", "2", "1");
	assert_true(word(more, name));
	found.all = true;
}

/* Where all are asked for, all that is read is known, and what calls cannot be
 * seen through. */
static void
test_all(void **state PG_UNUSED)
{
	struct deps *d;

	configure("cache \"all\" { ttl = 60s tables = \"*\" }\n");
	seen("wordf", "zeta");
	assert_true(word("wordf", "Alpha"));
	assert_true(word("wordo", "#"));
	d = finish();
	assert_true(get(d, "t")->asked);
	expect_names(&get(d, "w")->reads, "w t");
	assert_null(d->partial);
	assert_int_equal(d->functions.n, 2);
	assert_string_equal(d->functions.v[0], "alpha");
	assert_string_equal(d->functions.v[1], "zeta");
	assert_int_equal(d->operators.n, 1);
	deps_unref(&d);

	/* Operators that syntax stands for are called unseen. */
	seen("wordo", "<=");
	d = finish();
	assert_string_equal(d->partial,
	    "not immutable, and called unseen: <=");
	assert_int_equal(d->operators.n, 0);
	deps_unref(&d);
	seen("wordx", "type t");
	d = finish();
	assert_string_equal(d->partial,
	    "not immutable, and called unseen: type t");
	done(d);
}

static void
test_all_bounded(void **state PG_UNUSED)
{
	const char *cells[KIN_COLUMNS] = { "1", "0", "v", "public", "v", "p",
		"f", NULL, "f", "f" };
	char name[32], *text = malloc(KIN_TEXT_MAX / 2 + 2);
	unsigned i;

	for (i = 0; i < KIN_WORDS_MAX; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		assert_true(word("wordf", name));
	}
	assert_false(word("wordf", "one_more"));
	assert_non_null(text);
	memset(text, 'x', KIN_TEXT_MAX / 2 + 1);
	text[KIN_TEXT_MAX / 2 + 1] = '\0';
	cells[KIN_TEXT] = text;
	assert_true(kin_add(&found, cells));
	assert_false(kin_add(&found, cells));
	free(text);
	kin_fini(&found);
}

/* So many views of a table of so many partitions. */
static void
views_of_partitions(unsigned views, unsigned partitions)
{
	char oid[16], name[32];
	unsigned i;

	relation("1", "p", "ppff", NULL, NULL);
	for (i = 2; i < 2 + partitions + views; i++) {
		snprintf(oid, sizeof(oid), "%u", i);
		snprintf(name, sizeof(name), "r%u", i);
		relation(oid, name, i < 2 + partitions ? "rpff" : "vpff", NULL,
		    NULL);
		edge(i < 2 + partitions ? "edgei" : "edgev", oid, "1");
	}
}

/* Partitions of one table are not as much as they look. */
static void
test_all_partitions(void **state PG_UNUSED)
{
	struct deps *d;

	configure("cache \"all\" { ttl = 60s tables = \"*\" }\n");
	views_of_partitions(1, KIN_MAX - 2);
	found.all = true;
	d = finish();
	assert_non_null(d);
	expect_names(&get(d, "r2")->reads, "r2 p");
	expect_names(&get(d, "r2")->changes, "r2 p");
	assert_false(get(d, "p")->changes.any);
	done(d);
}

/* What is too much to be followed says nothing of all, and what is known of
 * those that rules name is not cut short by it. */
static void
test_all_too_much(void **state PG_UNUSED)
{
	configure("cache \"all\" { ttl = 60s tables = \"*\" }\n");
	views_of_partitions(3000, 3000);
	found.all = true;
	assert_null(finish());
	conf_unref(&conf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_all_bounded),
		cmocka_unit_test(test_all_partitions),
		cmocka_unit_test(test_all_too_much),
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_children),
		cmocka_unit_test(test_foreign_keys),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_triggers),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_bad_rows),
		cmocka_unit_test(test_texts),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
