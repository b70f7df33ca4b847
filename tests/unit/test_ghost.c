/* SPDX-License-Identifier: PostgreSQL
 *
 * The ghost cache: what counts as a hit, what a write does, and that it forgets
 * what is worth least.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "cache/ghost.h"

#define S NSEC_PER_SEC

static int
setup(void **state)
{
	*state = ghost_new();
	return 0;
}

static int
teardown(void **state)
{
	struct ghost *g = *state;

	ghost_free(&g);
	return 0;
}

static void
run(struct ghost *g, struct ghost_shape *s, uint64_t key, uint64_t generation,
    nsec_t now, nsec_t took)
{
	struct ghost_run r;

	ghost_begin(s, key, generation, now, &r);
	r.bytes += 100;
	ghost_end(g, &r, took);
	assert_null(r.shape);
}

static void
test_hits(void **state)
{
	struct ghost *g = *state;
	struct ghost_shape *s = ghost_add(g, 5);

	assert_ptr_equal(ghost_find(g, 5), s);
	assert_null(ghost_find(g, 6));
	run(g, s, 1, 10, 1 * S, 7);
	run(g, s, 1, 10, 2 * S, 8);
	run(g, s, 2, 10, 3 * S, 9);
	run(g, s, 1, 10, 4 * S, 10);
	assert_int_equal(s->count, 4);
	assert_int_equal(s->hits, 2);
	assert_int_equal(s->saved, 18);
	assert_int_equal(s->took, 34);
	assert_int_equal(s->bytes, 400);
	assert_int_equal(s->writes, 0);
	/* Its time is counted from the fetch, not from the last hit. */
	run(g, s, 1, 10, 1 * S + GHOST_TTL, 1);
	assert_int_equal(s->hits, 2);
	assert_int_equal(s->written, 0);
	run(g, s, 1, 10, 1 * S + GHOST_TTL, 1);
	assert_int_equal(s->hits, 3);
}

static void
test_writes(void **state)
{
	struct ghost *g = *state;
	struct ghost_shape *s = ghost_add(g, 5);

	run(g, s, 1, 10, 1 * S, 7);
	run(g, s, 1, 13, 2 * S, 7);
	assert_int_equal(s->hits, 0);
	assert_int_equal(s->written, 1);
	assert_int_equal(s->writes, 3);
	run(g, s, 1, 13, 3 * S, 7);
	assert_int_equal(s->hits, 1);
}

/* A run whose shape was pushed out counts for nobody. */
static void
test_pushed_out(void **state)
{
	struct ghost *g = *state;
	struct ghost_shape *s = ghost_add(g, 5);
	struct ghost_run r;
	uint64_t id;

	ghost_begin(s, 1, 0, S, &r);
	for (id = 1000; id < 1000 + GHOST_SHAPES; id++)
		run(g, ghost_add(g, id), id, 0, S, id);
	assert_null(ghost_find(g, 5));
	ghost_end(g, &r, 1);
	for (id = 1001; id < 1000 + GHOST_SHAPES; id++)
		assert_int_equal(ghost_find(g, id)->count, 1);
	/* The one that took least goes. */
	run(g, ghost_add(g, 3), 3, 0, S, 1);
	run(g, ghost_add(g, 4), 4, 0, S, 1000000);
	assert_null(ghost_find(g, 3));
	ghost_clear(g);
	assert_null(ghost_find(g, 4));
}

static void
count(const struct ghost_shape *s, void *arg)
{
	*(uint64_t *)arg += s->count;
}

static void
test_merge(void **state)
{
	struct ghost *g = *state;
	struct ghost_shape *s = ghost_add(g, 5), a, b;
	uint64_t n = 0;

	run(g, s, 1, 10, 4 * S, 7);
	a = b = *s;
	b.first = 2 * S;
	b.writes = 9;
	ghost_merge(&a, &b);
	assert_int_equal(a.count, 2);
	assert_int_equal(a.writes, 9);
	assert_int_equal(a.first, 2 * S);
	(void)ghost_add(g, 6);
	ghost_each(g, count, &n);
	assert_int_equal(n, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_writes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pushed_out, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_merge, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
