/* SPDX-License-Identifier: PostgreSQL
 *
 * What Redis tells of names, and whose changes are our own.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/hash.h"
#include "cache/track.h"

#define A SLICE_LIT("pgsluice:app:a:1")
#define B SLICE_LIT("pgsluice:app:b:2")

static struct track_mark
mark(struct slice name)
{
	struct track_mark m = { .used = false };

	track_record(&m, name);
	return m;
}

static void
a_word_ends_results_of_its_name(void **state)
{
	const struct track_mark none = { .used = false };
	struct track_mark a = mark(A), b = mark(B);

	(void)state;
	assert_true(track_told(A));
	assert_false(track_current(&a));
	assert_true(track_current(&b));
	a = mark(A);
	assert_true(track_current(&a));
	track_all();
	assert_false(track_current(&a));
	assert_false(track_current(&b));
	assert_true(track_current(&none));
}

static void
silence_ends_all(void **state)
{
	struct track_mark a = mark(A);

	(void)state;
	track_begin();
	assert_true(track_is_on());
	assert_false(track_current(&a));
	a = mark(A);
	track_end();
	assert_false(track_is_on());
	assert_false(track_current(&a));
	a = mark(A);
	track_end(); /* that was known */
	assert_true(track_current(&a));
}

static void
our_own_words_do_not_count(void **state)
{
	struct track_mark a, b;
	struct track_own o;

	(void)state;
	track_begin();
	a = mark(A);
	b = mark(B);
	assert_true(track_own_begin(&o, A));
	assert_false(track_own_told(&o));
	assert_false(track_told(A));
	assert_true(track_own_told(&o));
	assert_true(track_told(B));
	track_own_read(&o);
	assert_true(track_own_end(&o));
	assert_true(track_current(&a));
	assert_false(track_current(&b));
	/* From now on it is somebody else's. */
	assert_true(track_told(A));
	assert_false(track_current(&a));
	track_end();
}

static void
words_behind_the_reading_count(void **state)
{
	struct track_mark a;
	struct track_own o;

	(void)state;
	track_begin();
	a = mark(A);
	assert_true(track_own_begin(&o, A));
	assert_false(track_told(A));
	track_own_read(&o);
	assert_false(track_told(A)); /* a DEL behind it */
	assert_true(track_own_told(&o));
	assert_false(track_own_end(&o));
	assert_false(track_current(&a));
	a = mark(A);
	assert_true(track_own_begin(&o, A));
	track_own_lost(&o);
	assert_false(track_current(&a));
	track_end();
}

static void
one_owner_a_name(void **state)
{
	struct track_own o, other;

	(void)state;
	assert_false(track_own_begin(&o, A)); /* nobody tells */
	track_begin();
	assert_true(track_own_begin(&o, A));
	assert_false(track_own_begin(&other, A));
	assert_true(track_own_end(&o));
	assert_true(track_own_begin(&other, A));
	assert_true(track_own_end(&other));
	track_end();
}

/* Whenever the word comes, either it or the owner ends the result. */

#define ROUNDS 3000
static _Atomic unsigned round_no;

static void *
teller(void *arg)
{
	unsigned seen = 0;

	(void)arg;
	while (seen < ROUNDS) {
		if (round_no == seen) {
			sched_yield();
			continue;
		}
		seen++;
		(void)track_told(A);
		round_no = seen + 1000000;
		while (round_no >= 1000000)
			sched_yield();
	}
	return NULL;
}

static void
no_word_is_lost(void **state)
{
	struct track_mark a;
	struct track_own o;
	unsigned i, spin;
	pthread_t t;

	(void)state;
	track_begin();
	assert_int_equal(pthread_create(&t, NULL, teller, NULL), 0);
	for (i = 1; i <= ROUNDS; i++) {
		a = mark(A);
		assert_true(track_own_begin(&o, A));
		track_own_read(&o);
		round_no = i;
		for (spin = 0; spin < i % 64; spin++)
			__asm__ volatile("");
		(void)!track_own_end(&o);
		while (round_no != i + 1000000)
			sched_yield();
		assert_false(track_current(&a));
		round_no = i;
	}
	assert_int_equal(pthread_join(t, NULL), 0);
	track_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_word_ends_results_of_its_name),
		cmocka_unit_test(silence_ends_all),
		cmocka_unit_test(our_own_words_do_not_count),
		cmocka_unit_test(words_behind_the_reading_count),
		cmocka_unit_test(one_owner_a_name),
		cmocka_unit_test(no_word_is_lost),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
