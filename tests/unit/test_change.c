/* SPDX-License-Identifier: PostgreSQL
 *
 * Values before and after, as far as the stream and the replica identity tell.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "feed/change.h"
#include "route/month.h"
#include "route/tenant.h"

#define COLUMNS(k1, k2, k3) SLICE_LIT( \
	k1 "id\0\0\0\0\27\377\377\377\377" \
	k2 "tenant\0\0\0\0\31\377\377\377\377" \
	k3 "at\0\0\0\4\240\377\377\377\377")

static const struct conf_tag_key tenant = { .rel = (char *)(uintptr_t)"event",
	.column = (char *)(uintptr_t)"tenant", .known = true,
	.type = KEY_TYPE_TEXT };
static const struct conf_tag_key month = { .rel = (char *)(uintptr_t)"event",
	.column = (char *)(uintptr_t)"at", .known = true, .month = true };

static struct change_key
find(const struct conf_tag_key *key, struct slice columns, char identity)
{
	struct change_key k = { .key = key,
		.any = tag_of_column(key->rel, key->column) };
	const struct pgo_message m = { .kind = PGO_RELATION,
		.identity = identity, .columns = {
		columns.n > 0 ? 3 : 0, columns } };

	change_key_find(&k, &m);
	return k;
}

/* The columns id, tenant, at; NULL: null, "u": untouched. */
static struct pgo_tuple
row(char *space, const char *t, const char *at)
{
	const char *v[] = { "1", t, at };
	char *p = space;

	for (unsigned i = 0; i < 3; i++) {
		size_t n = v[i] != NULL ? strlen(v[i]) : 0;

		if (v[i] == NULL || strcmp(v[i], "u") == 0) {
			*p++ = v[i] == NULL ? 'n' : 'u';
			continue;
		}
		*p++ = 't';
		*p++ = 0;
		*p++ = 0;
		*p++ = 0;
		*p++ = (char)n;
		memcpy(p, v[i], n);
		p += n;
	}
	return (struct pgo_tuple){ 3, { space, (size_t)(p - space) } };
}

static struct feed_tags
change(const struct change_key *k, enum pgo_kind kind, bool key_only,
    const struct pgo_tuple *old, const struct pgo_tuple *new)
{
	struct pgo_message m = { .kind = kind, .old_is_key = key_only };
	struct feed_tags t = { .n = 0 };

	if (old != NULL) {
		m.has_old = true;
		m.old = *old;
	}
	if (new != NULL) {
		m.has_new = true;
		m.new = *new;
	}
	change_values(k, &m, &t);
	return t;
}

static bool
is_any(struct feed_tags t, const struct change_key *k)
{
	return feed_tags_has(&t, k->any);
}

static bool
is_of(struct feed_tags t, const char *a, const char *b)
{
	const char *v[] = { a, b };
	unsigned n = a == NULL ? 0 : b == NULL ? 1 : 2, i;

	for (i = 0; i < n; i++)
		if (!feed_tags_has(&t, tag_of_value("event", "tenant",
		    tenant_hash_text(slice_str(v[i])))))
			return false;
	return t.n == n;
}

static void
test_full_identity(void **state PG_UNUSED)
{
	struct change_key k = find(&tenant, COLUMNS("\1", "\1", "\1"), 'f');
	char x[99], y[99];
	struct pgo_tuple a = row(x, "a", NULL), b = row(y, "b", NULL);

	assert_true(is_of(change(&k, PGO_INSERT, 0, NULL, &a), "a", NULL));
	assert_true(is_of(change(&k, PGO_UPDATE, 0, &a, &b), "a", "b"));
	assert_true(is_of(change(&k, PGO_UPDATE, 0, &a, &a), "a", NULL));
	assert_true(is_of(change(&k, PGO_DELETE, 0, &a, NULL), "a", NULL));
	assert_true(is_any(change(&k, PGO_TRUNCATE, 0, NULL, NULL), &k));
}

/* id alone is the key: of the old row nothing else is known. */
static void
test_other_identity(void **state PG_UNUSED)
{
	struct change_key k = find(&tenant, COLUMNS("\1", "\0", "\0"), 'd');
	char x[99], y[99];
	struct pgo_tuple a = row(x, "a", NULL), old = row(y, NULL, NULL);

	assert_true(is_of(change(&k, PGO_INSERT, 0, NULL, &a), "a", NULL));
	assert_true(is_any(change(&k, PGO_UPDATE, 0, NULL, &a), &k));
	assert_true(is_any(change(&k, PGO_UPDATE, 1, &old, &a), &k));
	assert_true(is_any(change(&k, PGO_DELETE, 1, &old, NULL), &k));
}

/* (id, tenant) is the key. */
static void
test_in_the_identity(void **state PG_UNUSED)
{
	struct change_key k = find(&tenant, COLUMNS("\1", "\1", "\0"), 'd');
	char x[99], y[99];
	struct pgo_tuple a = row(x, "a", NULL), b = row(y, "b", NULL);

	assert_true(is_of(change(&k, PGO_UPDATE, 0, NULL, &a), "a", NULL));
	assert_true(is_of(change(&k, PGO_UPDATE, 1, &a, &b), "a", "b"));
	assert_true(is_of(change(&k, PGO_DELETE, 1, &a, NULL), "a", NULL));
}

static void
test_values_that_are_not_known(void **state PG_UNUSED)
{
	struct change_key k = find(&tenant, COLUMNS("\1", "\1", "\1"), 'f');
	struct conf_tag_key doubtful = tenant;
	struct change_key none = find(&tenant, SLICE_LIT(""), 'f');
	char x[99];
	struct pgo_tuple r;

	r = row(x, "u", NULL);
	assert_true(is_any(change(&k, PGO_INSERT, 0, NULL, &r), &k));
	r = row(x, "\xc3\xa4", NULL);
	assert_true(is_any(change(&k, PGO_INSERT, 0, NULL, &r), &k));
	r = row(x, NULL, NULL);
	assert_true(is_of(change(&k, PGO_INSERT, 0, NULL, &r), NULL, NULL));
	r = row(x, "a", NULL);
	assert_int_equal(none.column, -1);
	assert_true(is_any(change(&none, PGO_INSERT, 0, NULL, &r), &none));
	doubtful.known = false;
	k.key = &doubtful;
	assert_true(is_any(change(&k, PGO_INSERT, 0, NULL, &r), &k));
}

static void
test_months(void **state PG_UNUSED)
{
	struct change_key k = find(&month, COLUMNS("\1", "\1", "\1"), 'f');
	struct feed_tags t;
	char x[99];
	struct pgo_tuple r = row(x, NULL, "2026-01-31 23:59:59.999999+00");

	t = change(&k, PGO_INSERT, 0, NULL, &r);
	assert_true(t.n == 1 && feed_tags_has(&t, tag_of_value("event", "at",
	    (2026 - 1970) * 12)));
	r = row(x, NULL, "infinity");
	assert_true(is_any(change(&k, PGO_INSERT, 0, NULL, &r), &k));
	r = row(x, NULL, "0044-03-15 12:00:00+00 BC");
	assert_true(is_any(change(&k, PGO_INSERT, 0, NULL, &r), &k));
}

/* A transaction with many values leaves room for tables. */
static void
test_many_values(void **state PG_UNUSED)
{
	struct change_key k = find(&tenant, COLUMNS("\1", "\1", "\1"), 'f');
	struct pgo_message m = { .kind = PGO_INSERT, .has_new = true };
	struct feed_tags t = { .n = 0 };
	char x[99], name[16];

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		m.new = row(x, name, NULL);
		change_values(&k, &m, &t);
	}
	assert_false(t.all);
	assert_int_equal(t.n, FEED_TAGS_MAX / 2 + 1);
	assert_true(is_any(t, &k));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full_identity),
		cmocka_unit_test(test_other_identity),
		cmocka_unit_test(test_in_the_identity),
		cmocka_unit_test(test_values_that_are_not_known),
		cmocka_unit_test(test_months),
		cmocka_unit_test(test_many_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
