/* SPDX-License-Identifier: PostgreSQL
 *
 * The intrusive hash table: growth, equal hashes, removal while walking.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/htab.h"

struct item {
	int value;
	struct htab_node node;
};

static void
test_empty(void **state PG_UNUSED)
{
	struct htab t;

	htab_init(&t);
	assert_null(htab_find(&t, 1));
	assert_int_equal(t.count, 0);
	htab_fini(&t);
}

static void
test_many(void **state PG_UNUSED)
{
	enum { N = 10000 };
	struct item *items = x_calloc(N, sizeof(*items));
	struct htab_node *n;
	struct htab t;
	int i;

	htab_init(&t);
	for (i = 0; i < N; i++) {
		items[i].value = i;
		htab_insert(&t, &items[i].node,
		    (uint64_t)i * 0x9e3779b97f4a7c15u);
	}
	assert_int_equal(t.count, N);
	assert_true(t.mask + 1 >= N);
	for (i = 0; i < N; i++) {
		n = htab_find(&t, (uint64_t)i * 0x9e3779b97f4a7c15u);
		assert_non_null(n);
		assert_int_equal(htab_entry(n, struct item, node)->value, i);
	}
	for (i = 0; i < N; i += 2)
		htab_remove(&t, &items[i].node);
	assert_int_equal(t.count, N / 2);
	for (i = 0; i < N; i++) {
		n = htab_find(&t, (uint64_t)i * 0x9e3779b97f4a7c15u);
		assert_ptr_equal(n, i % 2 ? &items[i].node : NULL);
	}
	htab_fini(&t);
	free(items);
}

/* Equal hashes, and others that only share the slot, over a growth. */
static void
test_same_hash(void **state PG_UNUSED)
{
	struct item same[40], other[40];
	struct htab_node *n;
	bool seen[40] = { false };
	struct htab t;
	int i, count = 0;

	htab_init(&t);
	for (i = 0; i < 40; i++) {
		same[i].value = i;
		other[i].value = -1;
		htab_insert(&t, &same[i].node, 7);
		htab_insert(&t, &other[i].node, 7 + 4096u * (unsigned)(i + 1));
	}
	for (n = htab_find(&t, 7); n != NULL; n = htab_next(n)) {
		i = htab_entry(n, struct item, node)->value;
		assert_in_range(i, 0, 39);
		assert_false(seen[i]);
		seen[i] = true;
		count++;
	}
	assert_int_equal(count, 40);
	htab_fini(&t);
}

struct walk {
	struct htab *table;
	int calls;
};

static void
remove_and_free(struct htab_node *n, void *arg)
{
	struct walk *w = arg;

	w->calls++;
	htab_remove(w->table, n);
	free(htab_entry(n, struct item, node));
}

static void
test_each_may_free(void **state PG_UNUSED)
{
	struct htab t;
	struct walk w = { .table = &t };
	struct item *it;
	int i;

	htab_init(&t);
	htab_each(&t, remove_and_free, &w);
	assert_int_equal(w.calls, 0);
	for (i = 0; i < 500; i++) {
		it = x_calloc(1, sizeof(*it));
		htab_insert(&t, &it->node, (uint64_t)i % 60);
	}
	htab_each(&t, remove_and_free, &w);
	assert_int_equal(w.calls, 500);
	assert_int_equal(t.count, 0);
	htab_fini(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_same_hash),
		cmocka_unit_test(test_each_may_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
