/* SPDX-License-Identifier: PostgreSQL
 *
 * How far behind a replica is, and which reads it may have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "layout/lag.h"

static const struct lag_bounds any;

static void
test_samples(void **state PG_UNUSED)
{
	struct lag_history *h = x_calloc(1, sizeof(*h));

	assert_int_equal(lag_upto(h, 100), 0);
	assert_int_equal(lag_bytes(h, 100), 0);
	lag_add(h, 10, 100);
	lag_add(h, 20, 200);
	lag_add(h, 30, 300);
	assert_int_equal(lag_upto(h, 99), 0);
	assert_int_equal(lag_upto(h, 100), 10);
	assert_int_equal(lag_upto(h, 199), 10);
	assert_int_equal(lag_upto(h, 200), 20);
	assert_int_equal(lag_upto(h, 1000), 30);
	assert_int_equal(lag_bytes(h, 120), 180);
	assert_int_equal(lag_bytes(h, 301), 0);
	/* Nothing was written since: what was current is so still. */
	lag_add(h, 40, 300);
	assert_int_equal(h->n, 3);
	assert_int_equal(lag_upto(h, 299), 20);
	assert_int_equal(lag_upto(h, 300), 40);
	/* Asked earlier, answered later. */
	lag_add(h, 35, 400);
	assert_int_equal(lag_bytes(h, 300), 0);
	/* Another history. */
	lag_add(h, 50, 250);
	assert_int_equal(h->n, 1);
	assert_int_equal(lag_upto(h, 249), 0);
	assert_int_equal(lag_upto(h, 250), 50);
	free(h);
}

static void
test_ring(void **state PG_UNUSED)
{
	struct lag_history *h = x_calloc(1, sizeof(*h));
	unsigned i;

	for (i = 1; i <= 3 * LAG_SAMPLES + 7; i++)
		lag_add(h, i, 10 * (uint64_t)i);
	assert_int_equal(h->n, LAG_SAMPLES);
	for (i = 1; i <= 2 * LAG_SAMPLES + 7; i++)
		assert_int_equal(lag_upto(h, 10 * (uint64_t)i + 9), 0);
	for (; i <= 3 * LAG_SAMPLES + 7; i++) {
		assert_int_equal(lag_upto(h, 10 * (uint64_t)i), i);
		assert_int_equal(lag_upto(h, 10 * (uint64_t)i + 9), i);
	}
	lag_clear(h);
	assert_int_equal(lag_upto(h, UINT64_MAX), 0);
	free(h);
}

static void
test_compare(void **state PG_UNUSED)
{
	const struct lag_answer p = { .system = 7, .timeline = 2,
		.version = 150004 };
	const struct lag_answer good = { .standby = true, .system = 7,
		.timeline = 2, .version = 150004 };
	struct lag_answer a = good;

	assert_int_equal(lag_compare(&p, &a), REPLICA_FIT);
	a.standby = false;
	assert_int_equal(lag_compare(&p, &a), REPLICA_PROMOTED);
	assert_int_equal(lag_compare(&good, &good), REPLICA_NO_PRIMARY);
	a = good;
	a.system = 8;
	assert_int_equal(lag_compare(&p, &a), REPLICA_OTHER_SYSTEM);
	a = good;
	a.timeline = 1;
	assert_int_equal(lag_compare(&p, &a), REPLICA_OTHER_TIMELINE);
	a.timeline = 3;
	assert_int_equal(lag_compare(&p, &a), REPLICA_OTHER_TIMELINE);
	a = good;
	a.version = 150005;
	assert_int_equal(lag_compare(&p, &a), REPLICA_OTHER_VERSION);
}

static void
test_bounds(void **state PG_UNUSED)
{
	struct lag_state s = { .state = REPLICA_FIT, .epoch = 1, .upto = 100,
		.bytes = 50 };
	const struct lag_reader r = { .elsewhere = 0 };
	struct lag_bounds b = { .max_age = 10, .max_bytes = 50 };

	assert_int_equal(lag_fit(&s, &b, &r, 0, 110), REPLICA_FIT);
	assert_int_equal(lag_fit(&s, &b, &r, 0, 111), REPLICA_AGE);
	assert_int_equal(lag_fit(&s, &any, &r, 0, 1000), REPLICA_FIT);
	s.bytes = 51;
	assert_int_equal(lag_fit(&s, &b, &r, 0, 110), REPLICA_LAG);
	assert_int_equal(lag_fit(&s, &any, &r, 0, 110), REPLICA_FIT);
	s.upto = 0;
	assert_int_equal(lag_fit(&s, &any, &r, 0, 1), REPLICA_BEHIND);
	s.state = REPLICA_PROMOTED;
	assert_int_equal(lag_fit(&s, &any, &r, 0, 1), REPLICA_PROMOTED);
}

/* A replica must have what was written or seen strictly before its upto. */
static void
test_floor(void **state PG_UNUSED)
{
	struct lag_state a = { .state = REPLICA_FIT, .epoch = 1, .upto = 100 };
	struct lag_state b = { .state = REPLICA_FIT, .epoch = 2, .upto = 100 };
	struct lag_reader r = { .elsewhere = 0 };

	lag_read_elsewhere(&r, 99);
	assert_int_equal(lag_fit(&a, &any, &r, 0, 110), REPLICA_FIT);
	assert_int_equal(lag_fit(&a, &any, &r, 99, 110), REPLICA_FIT);
	assert_int_equal(lag_fit(&a, &any, &r, 100, 110), REPLICA_FLOOR);
	lag_read_elsewhere(&r, 100);
	assert_int_equal(lag_fit(&a, &any, &r, 0, 110), REPLICA_FLOOR);
	a.upto = 101;
	assert_int_equal(lag_fit(&a, &any, &r, 0, 110), REPLICA_FIT);
	/* It may stay where it is, but another one has to catch up. */
	lag_read(&r, 1, 110);
	b.upto = 105;
	assert_int_equal(lag_fit(&a, &any, &r, 0, 120), REPLICA_FIT);
	assert_int_equal(lag_fit(&b, &any, &r, 0, 120), REPLICA_FLOOR);
	b.upto = 111;
	assert_int_equal(lag_fit(&b, &any, &r, 0, 120), REPLICA_FIT);
	/* Having moved there, so has the first one. */
	lag_read(&r, 2, 120);
	assert_int_equal(lag_fit(&a, &any, &r, 0, 130), REPLICA_FLOOR);
	a.upto = 110;
	assert_int_equal(lag_fit(&a, &any, &r, 0, 130), REPLICA_FLOOR);
	a.upto = 121;
	assert_int_equal(lag_fit(&a, &any, &r, 0, 130), REPLICA_FIT);
	/* What it saw on the first counts on the second for ever. */
	b.upto = 110;
	assert_int_equal(lag_fit(&b, &any, &r, 0, 130), REPLICA_FLOOR);
	/* The same server after a restart is another one. */
	b.upto = 119;
	b.epoch = 3;
	assert_int_equal(lag_fit(&b, &any, &r, 0, 130), REPLICA_FLOOR);
	b.upto = 121;
	assert_int_equal(lag_fit(&b, &any, &r, 0, 130), REPLICA_FIT);
}

/* A sample of the session's own, for a replica that says that it has it. */
static void
test_proof(void **state PG_UNUSED)
{
	struct lag_state a = { .state = REPLICA_FIT, .epoch = 1, .upto = 100 };
	struct lag_state b = { .state = REPLICA_FIT, .epoch = 2, .upto = 100 };
	struct lag_reader r = { .elsewhere = 150 };

	assert_false(lag_provable(&a, &r, 0));
	r.own = (struct lag_sample){ 150, 7 };
	assert_false(lag_provable(&a, &r, 0));
	r.own.at = 151;
	assert_true(lag_provable(&a, &r, 0));
	assert_true(lag_provable(&a, &r, 150));
	assert_false(lag_provable(&a, &r, 151));
	/* What it then sees there is behind the sample for any other. */
	lag_read(&r, 1, 160);
	assert_true(lag_provable(&a, &r, 0));
	assert_false(lag_provable(&b, &r, 0));
	lag_read_elsewhere(&r, 170);
	assert_false(lag_provable(&a, &r, 0));
}

/* Random histories: a primary whose position is its commit count, replicas
 * that replay at will, a session that writes, reads where it may, and must
 * never see less than before. */
static void
test_histories(void **state PG_UNUSED)
{
	struct lag_history *h = x_calloc(1, sizeof(*h));
	unsigned long reads = 0, moves = 0;
	unsigned i, k, last = 0;

	srandom(20261130);
	for (unsigned round = 0; round < 200; round++) {
		struct lag_state s[2] = { { .epoch = 2 * round + 1 },
			{ .epoch = 2 * round + 2 } };
		uint64_t position = 1, replayed[2] = { 1, 1 }, seen = 0;
		struct lag_reader r = { .elsewhere = 0 };
		nsec_t now = 1;

		lag_clear(h);
		for (i = 0; i < 400; i++) {
			now += (nsec_t)(random() % 3);
			k = (unsigned)random() % 2;
			switch (random() % 6) {
			case 0: /* somebody commits */
				position += 1 + (uint64_t)random() % 3;
				break;
			case 1: /* the session writes, or reads the primary */
				position += (uint64_t)random() % 2;
				seen = position;
				lag_read_elsewhere(&r, now);
				break;
			case 2:
				lag_add(h, now, position);
				break;
			case 3:
				replayed[k] += (uint64_t)random() %
				    (position - replayed[k] + 1);
				break;
			case 4:
				s[k].state = REPLICA_FIT;
				s[k].asked = now;
				s[k].upto = lag_upto(h, replayed[k]);
				break;
			default:
				if (s[k].state != REPLICA_FIT || lag_fit(&s[k],
				    &any, &r, 0, now) != REPLICA_FIT)
					break;
				/* It may have replayed more since. */
				assert_true(replayed[k] >= seen);
				seen = replayed[k];
				lag_read(&r, s[k].epoch, now);
				reads++;
				moves += k != last;
				last = k;
			}
		}
	}
	assert_true(reads > 300);
	assert_true(moves > 50);
	free(h);
}

static void
test_names(void **state PG_UNUSED)
{
	int i;

	for (i = 0; i < REPLICA_STATE_COUNT; i++) {
		assert_non_null(replica_state_name((enum replica_state)i));
		assert_non_null(replica_state_doc((enum replica_state)i));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_floor),
		cmocka_unit_test(test_proof),
		cmocka_unit_test(test_histories),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
