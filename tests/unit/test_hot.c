/* SPDX-License-Identifier: PostgreSQL
 *
 * The sketch of hot keys, beside exact counts of the same hits: few and many,
 * floods, what is over, long rests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "cache/hot.h"

#define START (1000 * NSEC_PER_SEC)

static struct hot *hot;
static unsigned looks; /* hits that were of the sample */

static struct hash128
key(uint64_t n)
{
	return (struct hash128){ .lo = n, .hi = n * 0x9e3779b97f4a7c15u };
}

static void
hit(uint64_t n, nsec_t now)
{
	struct hash128 k = key(n);

	if (!hot_hit(hot))
		return;
	looks++;
	hot_meet(hot, &k, now)->bytes = n;
}

struct found {
	uint64_t n;
	double rate, all;
	unsigned keys;
};

static void
note(const struct hot_key *k, double rate, void *arg)
{
	struct found *f = arg;

	assert_true(rate >= 0);
	f->keys++;
	f->all += rate;
	if (k->hash.lo == f->n) {
		assert_int_equal(k->bytes, f->n);
		f->rate = rate;
	}
}

static struct found
look(uint64_t n, nsec_t now)
{
	struct found f = { .n = n };

	hot_each(hot, now, note, &f);
	return f;
}

static double
rate(uint64_t n, nsec_t now)
{
	return look(n, now).rate;
}

#define assert_near(v, expected, part) \
	assert_true((v) >= (expected) * (1 - (part)) && \
	    (v) <= (expected) * (1 + (part)))

/* What is hit seldom is counted to the hit, from the first second on. */
static void
test_few_hits_are_exact(void **state PG_UNUSED)
{
	unsigned i;

	for (i = 0; i < 60; i++) {
		hit(1, START + i * NSEC_PER_SEC / 60);
		if (i % 3 == 0)
			hit(2, START + i * NSEC_PER_SEC / 60);
	}
	hit(3, START + NSEC_PER_SEC);
	assert_int_equal(looks, 81);
	assert_near(rate(1, START + NSEC_PER_SEC), 60, 0.02);
	assert_near(rate(2, START + NSEC_PER_SEC), 20, 0.02);
	assert_near(hot_rate(hot, START + NSEC_PER_SEC), 81, 0.02);
	/* Once is not hot. */
	assert_int_equal(look(3, START + NSEC_PER_SEC).keys, 2);
	/* As many a second go on for an hour. */
	for (i = 0; i < 3600 * 5; i++)
		hit(1, START + i * NSEC_PER_SEC / 5);
	assert_near(rate(1, START + 3600 * NSEC_PER_SEC), 5, 0.02);
}

/* A million a second cost no more looks than there are to be. */
static void
test_many_hits_are_sampled(void **state PG_UNUSED)
{
	uint64_t dice = 1, i, n;
	nsec_t now = START;

	for (i = 0; i < 10000000; i++, now += NSEC_PER_USEC) {
		dice = dice * 6364136223846793005u + 1442695040888963407u;
		n = (dice >> 33) % 100;
		/* Half of all, a fifth, a tenth, and the rest: many keys. */
		hit(n < 50 ? 1 : n < 70 ? 2 : n < 80 ? 3 :
		    1000 + (dice >> 40) % 100000, now);
	}
	assert_in_range(looks, 5 * HOT_SAMPLES, 15 * HOT_SAMPLES);
	assert_near(hot_rate(hot, now), 1e6, 0.05);
	assert_near(rate(1, now), 5e5, 0.05);
	assert_near(rate(2, now), 2e5, 0.1);
	assert_near(rate(3, now), 1e5, 0.15);
	/* The rest is no key's. */
	assert_true(look(0, now).all < 9.5e5);
}

/* In a loop over as many keys as hits between two looks all are met. */
static void
test_loops(void **state PG_UNUSED)
{
	nsec_t now = START;
	uint64_t i;

	for (i = 0; i < 5000000; i++, now += NSEC_PER_USEC)
		hit(1 + i % 10, now);
	assert_int_equal(look(0, now).keys, 10);
	for (i = 1; i <= 10; i++)
		assert_near(rate(i, now), 1e5, 0.15);
}

/* Keys that come once push out none that come again, and are not told of. */
static void
test_flood(void **state PG_UNUSED)
{
	nsec_t now = START;
	uint64_t i;

	for (i = 0; i < 100000; i++, now += NSEC_PER_MSEC)
		hit(i % 50 == 0 ? 1 : 1000 + i, now);
	assert_near(rate(1, now), 20, 0.1);
	assert_int_equal(look(1, now).keys, 1);
	assert_near(hot_rate(hot, now), 1000, 0.02);
}

/* More keys than are kept, a few of them hot: these are found, with what was
 * counted of them and not what they were lent. */
static void
test_more_keys_than_places(void **state PG_UNUSED)
{
	uint64_t dice = 7, i, n, exact[11] = { 0 };
	nsec_t now = START;

	for (i = 0; i < 100000; i++, now += NSEC_PER_MSEC) {
		dice = dice * 6364136223846793005u + 1442695040888963407u;
		n = (dice >> 33) % 1000 < 200 ? 1 + (dice >> 50) % 10 :
		    1000 + (dice >> 44) % 2000;
		if (n <= 10)
			exact[n]++;
		hit(n, now);
	}
	for (i = 1; i <= 10; i++) {
		assert_near(rate(i, now), (double)exact[i] / 100, 0.2);
		assert_true(rate(i, now) > 0);
	}
	/* Of 2,000 keys at 0.4 hits a second none is taken for one of them. */
	for (i = 1000; i < 3000; i++)
		assert_true(rate(i, now) < 5);
}

/* What was hot once is not any more: a minute, two halves, weighs 3/4 of all time,
 * 3/16 a minute later, when there have been 15/16 of it. */
static void
test_what_is_over(void **state PG_UNUSED)
{
	nsec_t now = START, end;
	unsigned i;

	for (i = 0; i < 60000; i++, now += NSEC_PER_MSEC)
		hit(1, now);
	end = now;
	assert_near(rate(1, now), 1000, 0.02);
	for (i = 0; i < 6000; i++, now += 10 * NSEC_PER_MSEC)
		hit(2, now);
	assert_near(rate(1, now), 1000.0 * 3 / 15, 0.02);
	assert_near(rate(2, now), 100.0 * 12 / 15, 0.02);
	for (i = 0; i < 18000; i++, now += 10 * NSEC_PER_MSEC)
		hit(2, now);
	assert_near(rate(2, now), 100, 0.02);
	assert_true(rate(1, now) < 10);
	assert_true(now - end == 240 * NSEC_PER_SEC);
}

/* A year at rest, and then again. */
static void
test_long_rest(void **state PG_UNUSED)
{
	nsec_t now = START;
	unsigned i;

	for (i = 0; i < 1000; i++, now += NSEC_PER_MSEC)
		hit(1, now);
	now += 365ull * 86400 * NSEC_PER_SEC;
	assert_true(rate(1, now) < 1e-9);
	for (i = 0; i < 30000; i++, now += 10 * NSEC_PER_MSEC)
		hit(2, now);
	assert_near(rate(2, now), 100, 0.02);
	assert_near(hot_rate(hot, now), 100, 0.02);
	assert_true(rate(1, now) < 1e-9);
}

/* After a rush, little is counted exactly again. */
static void
test_pace_comes_back(void **state PG_UNUSED)
{
	nsec_t now = START;
	unsigned i;

	for (i = 0; i < 1000000; i++, now += NSEC_PER_USEC)
		hit(1, now);
	for (i = 0; i < 3000; i++, now += 10 * NSEC_PER_MSEC)
		hit(2, now);
	looks = 0;
	for (i = 0; i < 100; i++, now += 10 * NSEC_PER_MSEC)
		hit(3, now);
	assert_int_equal(looks, 100);
}

static int
setup(void **state PG_UNUSED)
{
	hot = hot_new(42, START);
	looks = 0;
	return 0;
}

static int
teardown(void **state PG_UNUSED)
{
	hot_free(&hot);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_few_hits_are_exact),
		TEST(test_many_hits_are_sampled),
		TEST(test_loops),
		TEST(test_flood),
		TEST(test_more_keys_than_places),
		TEST(test_what_is_over),
		TEST(test_long_rest),
		TEST(test_pace_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
