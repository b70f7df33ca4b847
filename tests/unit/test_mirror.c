/* SPDX-License-Identifier: PostgreSQL
 *
 * Mirrored transactions: one order, each arm at its own pace, nothing lost or
 * leaked.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "experiment/mirror.h"

static atomic_int alive;

static void *
thing(uint64_t number)
{
	uint64_t *t = x_malloc(sizeof(*t));

	*t = number;
	atomic_fetch_add(&alive, 1);
	return t;
}

static void
thing_free(void *t)
{
	atomic_fetch_sub(&alive, 1);
	free(t);
}

static uint64_t
take(struct mirror *m)
{
	bool crowded;

	return mirror_take(m, &crowded);
}

/* To arms of a set. */
static unsigned
settle(struct mirror *m, uint64_t number, unsigned arms)
{
	void *what[ARMS_MAX] = { NULL };
	unsigned i;

	for (i = 0; i < ARMS_MAX; i++)
		if (arms >> i & 1)
			what[i] = thing(number);
	return mirror_settle(m, number, what, 10);
}

static uint64_t
next(struct mirror *m, unsigned arm)
{
	uint64_t *t = mirror_next(m, arm), n = t != NULL ? *t : 0;

	if (t != NULL)
		thing_free(t);
	return n;
}

static void
test_order(void **state PG_UNUSED)
{
	struct mirror *m = mirror_new(3, 100, 100000, thing_free);
	uint64_t a = take(m), b = take(m), c = take(m);

	assert_int_equal(a, 1);
	/* What is open holds up all behind it. */
	assert_int_equal(settle(m, b, 6), 0);
	assert_int_equal(next(m, 1), 0);
	assert_int_equal(mirror_applied(m, 1), 0);
	/* Nothing came of the first: both arms have something to do. */
	assert_int_equal(mirror_settle(m, a, NULL, 0), 6);
	assert_int_equal(mirror_applied(m, 1), 1);
	assert_int_equal(next(m, 1), b);
	assert_int_equal(mirror_waiting(m, 1), 1);
	/* It is awake, and for arm 2 it is nothing. */
	assert_int_equal(settle(m, c, 2), 0);
	mirror_done(m, 1);
	assert_int_equal(mirror_applied(m, 1), b);
	assert_int_equal(next(m, 1), c);
	mirror_done(m, 1);
	assert_int_equal(next(m, 1), 0);
	assert_int_equal(mirror_applied(m, 1), c);
	assert_int_equal(mirror_waiting(m, 1), 0);
	assert_int_equal(next(m, 2), b);
	assert_int_equal(mirror_applied(m, 2), a);
	mirror_done(m, 2);
	assert_int_equal(mirror_applied(m, 2), c);
	/* It has not asked in vain yet, so it is awake. */
	assert_int_equal(settle(m, take(m), 4), 0);
	assert_int_equal(next(m, 2), 4);
	mirror_done(m, 2);
	assert_int_equal(next(m, 2), 0);
	assert_int_equal(settle(m, take(m), 4), 4);
	mirror_unref(&m);
	assert_int_equal(alive, 0);
}

static void
test_alone(void **state PG_UNUSED)
{
	struct mirror *m = mirror_new(2, 100, 100000, thing_free);
	bool crowded;
	uint64_t a = mirror_take(m, &crowded), b;

	assert_false(crowded);
	assert_true(mirror_is_alone(m, a));
	b = mirror_take(m, &crowded);
	assert_true(crowded);
	assert_false(mirror_is_alone(m, a));
	assert_int_equal(mirror_settle(m, a, NULL, 0), 0);
	assert_true(mirror_is_alone(m, b));
	assert_int_equal(mirror_settle(m, b, NULL, 0), 0);
	mirror_unref(&m);
}

static void
test_too_many(void **state PG_UNUSED)
{
	struct mirror *m = mirror_new(2, 3, 100000, thing_free);
	unsigned i;

	assert_int_equal(settle(m, take(m), 2), 2);
	assert_int_equal(next(m, 1), 1); /* under way */
	for (i = 0; i < 2; i++)
		assert_int_equal(settle(m, take(m), 2), 0);
	assert_false(mirror_is_broken(m));
	assert_int_equal(settle(m, take(m), 2), 0);
	assert_true(mirror_is_broken(m));
	assert_int_equal(alive, 0);
	assert_int_equal(mirror_waiting(m, 1), 1);
	mirror_done(m, 1);
	assert_int_equal(mirror_waiting(m, 1), 0);
	assert_int_equal(settle(m, take(m), 2), 0);
	assert_int_equal(alive, 0);
	assert_int_equal(next(m, 1), 0);
	mirror_unref(&m);
	/* ... or too large. */
	m = mirror_new(2, 100, 25, thing_free);
	for (i = 0; i < 2; i++)
		(void)!settle(m, take(m), 2);
	assert_false(mirror_is_broken(m));
	(void)!settle(m, take(m), 2);
	assert_true(mirror_is_broken(m));
	mirror_unref(&m);
	assert_int_equal(alive, 0);
}

/* ---- many threads ---- */

#define WRITERS 4
#define EACH 20000

struct stress {
	struct mirror *m;
	pthread_mutex_t lock;
	pthread_cond_t woken;
	unsigned wakes[2]; /* of arms 1 and 2 */
	bool over;
};

static void
stress_wake(struct stress *s, unsigned arms)
{
	unsigned i;

	if (arms == 0)
		return;
	assert_int_equal(arms & ~6u, 0);
	pthread_mutex_lock(&s->lock);
	for (i = 0; i < 2; i++)
		s->wakes[i] += arms >> (i + 1) & 1;
	pthread_cond_broadcast(&s->woken);
	pthread_mutex_unlock(&s->lock);
}

static void *
stress_writer(void *arg)
{
	struct stress *s = arg;
	unsigned seed = (unsigned)(uintptr_t)&seed, i;
	uint64_t number[3];

	for (i = 0; i < EACH; i++) {
		unsigned n = 1 + (unsigned)rand_r(&seed) % 3, k;

		for (k = 0; k < n; k++)
			number[k] = take(s->m);
		while (k-- > 0) {
			unsigned kind = (unsigned)rand_r(&seed) % 8;

			stress_wake(s, kind == 0 ? mirror_settle(s->m,
			    number[k], NULL, 0) : settle(s->m, number[k],
			    kind == 1 ? 2 : kind == 2 ? 4 : 6));
		}
	}
	return NULL;
}

struct stress_arm {
	struct stress *s;
	unsigned arm;
	uint64_t got, last;
};

static void *
stress_reader(void *arg)
{
	struct stress_arm *a = arg;
	struct stress *s = a->s;
	uint64_t n;
	bool over;

	for (;;) {
		pthread_mutex_lock(&s->lock);
		while (s->wakes[a->arm - 1] == 0 && !s->over)
			pthread_cond_wait(&s->woken, &s->lock);
		over = s->wakes[a->arm - 1] == 0;
		if (!over)
			s->wakes[a->arm - 1]--;
		pthread_mutex_unlock(&s->lock);
		if (over)
			return NULL;
		while ((n = next(s->m, a->arm)) != 0) {
			CHECK(n > a->last && mirror_applied(s->m, a->arm) ==
			    n - 1);
			a->last = n;
			a->got++;
			mirror_done(s->m, a->arm);
		}
	}
}

static void
test_threads(void **state PG_UNUSED)
{
	struct stress s = { .m = mirror_new(3, 1u << 30, (size_t)1 << 40,
	    thing_free) };
	struct stress_arm arms[2] = { { .s = &s, .arm = 1 },
		{ .s = &s, .arm = 2 } };
	pthread_t writers[WRITERS], readers[2];
	unsigned i;

	assert_int_equal(pthread_mutex_init(&s.lock, NULL), 0);
	assert_int_equal(pthread_cond_init(&s.woken, NULL), 0);
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&readers[i], NULL,
		    stress_reader, &arms[i]), 0);
	for (i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&writers[i], NULL,
		    stress_writer, &s), 0);
	for (i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_join(writers[i], NULL), 0);
	pthread_mutex_lock(&s.lock);
	s.over = true;
	pthread_cond_broadcast(&s.woken);
	pthread_mutex_unlock(&s.lock);
	for (i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(readers[i], NULL), 0);
		assert_int_equal(mirror_waiting(s.m, arms[i].arm), 0);
		assert_true(arms[i].got > WRITERS * EACH);
	}
	assert_int_equal(alive, 0);
	mirror_unref(&s.m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
