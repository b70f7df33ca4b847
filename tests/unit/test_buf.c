/* SPDX-License-Identifier: PostgreSQL
 *
 * The growable buffer: growth, cap, compaction, release of memory.  Includes
 * buf.c to reach the doubling.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.c"

static void
test_starts_empty(void **state PG_UNUSED)
{
	struct buf b;

	buf_init(&b, 100);
	assert_int_equal(buf_len(&b), 0);
	assert_int_equal(buf_room(&b), 0);
	assert_null(buf_head(&b));
	assert_null(buf_tail(&b));
	assert_true(buf_append(&b, NULL, 0));
	assert_null(b.data);
	buf_reset(&b);
}

static void
test_appends_and_consumes(void **state PG_UNUSED)
{
	struct buf b;

	buf_init(&b, 1000);
	assert_true(buf_append(&b, "hello ", 6));
	assert_true(buf_append(&b, "world", 5));
	assert_int_equal(buf_len(&b), 11);
	assert_memory_equal(buf_head(&b), "hello world", 11);
	buf_consume(&b, 6);
	assert_memory_equal(buf_head(&b), "world", 5);
	buf_consume(&b, 5);
	assert_int_equal(buf_len(&b), 0);
	assert_int_equal(b.start, 0);
	assert_non_null(b.data);
	buf_reset(&b);
	assert_null(b.data);
	assert_true(buf_append(&b, "again", 5));
	buf_reset(&b);
}

static void
test_reserve_then_grow(void **state PG_UNUSED)
{
	struct buf b;

	buf_init(&b, 4096);
	assert_true(buf_reserve(&b, 300));
	assert_true(buf_room(&b) >= 300);
	memset(buf_tail(&b), 'x', 300);
	buf_grow(&b, 300);
	assert_int_equal(buf_len(&b), 300);
	buf_reset(&b);
}

static void
test_cap_is_exact(void **state PG_UNUSED)
{
	struct buf b;
	char block[1000];

	memset(block, 'c', sizeof(block));
	buf_init(&b, 1000);
	assert_true(buf_append(&b, block, 999));
	assert_true(buf_append(&b, block, 1));
	assert_false(buf_append(&b, block, 1));
	assert_int_equal(buf_len(&b), 1000);
	assert_int_equal(b.size, 1000);
	buf_consume(&b, 10);
	assert_true(buf_append(&b, "0123456789", 10));
	assert_int_equal(buf_len(&b), 1000);
	assert_memory_equal(buf_head(&b) + 990, "0123456789", 10);
	assert_false(buf_reserve(&b, 1));
	buf_reset(&b);
}

static void
test_huge_lengths_refused(void **state PG_UNUSED)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	assert_true(buf_append(&b, "abc", 3));
	assert_false(buf_reserve(&b, SIZE_MAX));
	assert_false(buf_reserve(&b, SIZE_MAX - 2));
	assert_false(buf_reserve(&b, 1 << 20));
	assert_memory_equal(buf_head(&b), "abc", 3);
	buf_reset(&b);

	buf_init(&b, 0);
	assert_false(buf_append(&b, "a", 1));

	/* A cap near the end of the address space must not wrap the
	 * doubling. */
	b = (struct buf){ .size = SIZE_MAX / 2 + 1, .cap = SIZE_MAX };
	assert_true(buf_next_size(&b, SIZE_MAX) == SIZE_MAX);
	b.size = 0;
	assert_true(buf_next_size(&b, SIZE_MAX - 1) == SIZE_MAX);
}

static void
test_big_memory_freed_when_empty(void **state PG_UNUSED)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	assert_true(buf_reserve(&b, 20000));
	buf_grow(&b, 20000);
	buf_consume(&b, 19999);
	assert_non_null(b.data);
	buf_consume(&b, 1);
	assert_null(b.data);
	assert_int_equal(b.size, 0);

	assert_true(buf_reserve(&b, 4000));
	buf_grow(&b, 4000);
	buf_consume(&b, 4000);
	assert_non_null(b.data);
	buf_wipe(&b);
	assert_null(b.data);
}

/* Against a plain array as the model: random appends and consumes. */
static void
test_model(void **state PG_UNUSED)
{
	enum { CAP = 5000, STEPS = 20000 };
	static unsigned char model[CAP];
	unsigned char part[600];
	size_t len = 0, n, i;
	unsigned seed = 12345;
	struct buf b;
	int step;

	buf_init(&b, CAP);
	for (step = 0; step < STEPS; step++) {
		n = (size_t)rand_r(&seed) % sizeof(part);
		if (rand_r(&seed) % 2) {
			for (i = 0; i < n; i++)
				part[i] = (unsigned char)rand_r(&seed);
			assert_int_equal(buf_append(&b, part, n),
			    n <= CAP - len);
			if (n <= CAP - len) {
				memcpy(model + len, part, n);
				len += n;
			}
		} else {
			if (n > len)
				n = len;
			buf_consume(&b, n);
			len -= n;
			memmove(model, model + n, len);
		}
		assert_int_equal(buf_len(&b), len);
		assert_true(b.size <= CAP);
		if (len > 0)
			assert_memory_equal(buf_head(&b), model, len);
	}
	buf_reset(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_starts_empty),
		cmocka_unit_test(test_appends_and_consumes),
		cmocka_unit_test(test_reserve_then_grow),
		cmocka_unit_test(test_cap_is_exact),
		cmocka_unit_test(test_huge_lengths_refused),
		cmocka_unit_test(test_big_memory_freed_when_empty),
		cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
