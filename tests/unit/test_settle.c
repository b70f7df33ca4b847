/* SPDX-License-Identifier: PostgreSQL
 *
 * Snapshots, commits that wait for them, and heartbeats.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "feed/beats.h"
#include "feed/settle.h"

static void
test_snapshots(void **state PG_UNUSED)
{
	static const char *const bad[] = { "", "1", "1:2", "1:2:x", "1:2:,",
		"1:2:3,", "1:2:3 ", ":2:", "1::", "99999999999999999999:1:",
		"-1:2:" };
	struct snapshot s;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(snapshot_read(&s, bad[i]));
	assert_true(snapshot_read(&s, "10:20:10,15"));
	assert_int_equal(s.xmin, 10);
	assert_int_equal(s.xmax, 20);
	assert_int_equal(s.n, 2);
	assert_true(snapshot_done(&s, 9));
	assert_false(snapshot_done(&s, 10));
	assert_true(snapshot_done(&s, 11));
	assert_false(snapshot_done(&s, 15));
	assert_true(snapshot_done(&s, 19));
	assert_false(snapshot_done(&s, 20));
	assert_false(snapshot_done(&s, 21));
	snapshot_fini(&s);
}

/* The log has the lower half of a number only. */
static void
test_wrapping(void **state PG_UNUSED)
{
	struct snapshot s;

	/* xmax is 2^32 + 5, and 2^32 - 1 is under way. */
	assert_true(snapshot_read(&s, "4294967295:4294967301:4294967295"));
	assert_false(snapshot_done(&s, 0xffffffffu));
	assert_true(snapshot_done(&s, 0xfffffffeu));
	assert_true(snapshot_done(&s, 4));
	assert_false(snapshot_done(&s, 5));
	assert_false(snapshot_done(&s, 0x7fffffffu));
	snapshot_fini(&s);
}

static void
test_many_running(void **state PG_UNUSED)
{
	static char text[SNAPSHOT_MAX * 8];
	struct snapshot s;
	size_t at = (size_t)sprintf(text, "1:900000:");

	for (unsigned i = 0; i < SNAPSHOT_MAX; i++)
		at += (size_t)sprintf(text + at, "%s%u", i > 0 ? "," : "",
		    100000 + i);
	assert_true(snapshot_read(&s, text));
	assert_false(snapshot_done(&s, 100000 + SNAPSHOT_MAX - 1));
	snapshot_fini(&s);
	strcpy(text + at, ",7");
	assert_false(snapshot_read(&s, text));
}

static unsigned bumped[16], n_bumped;

static void
bump(void *arg PG_UNUSED, const struct feed_tags *t)
{
	bumped[n_bumped++] = t->all ? 0 : t->v[0];
}

static void
take(struct settle *s, const char *text)
{
	struct snapshot now;

	n_bumped = 0;
	assert_true(snapshot_read(&now, text));
	settle_take(s, &now, bump, NULL);
	snapshot_fini(&now);
}

static void
test_settling(void **state PG_UNUSED)
{
	struct feed_tags t = { .n = 1 };
	struct settle s;

	settle_init(&s);
	t.v[0] = 5;
	assert_true(settle_add(&s, 100, &t));
	t.v[0] = 6;
	assert_true(settle_add(&s, 101, &t));
	take(&s, "100:100:"); /* neither had begun */
	assert_int_equal(n_bumped, 0);
	take(&s, "100:103:100"); /* the later one is done */
	assert_int_equal(n_bumped, 1);
	assert_int_equal(bumped[0], 6);
	assert_int_equal(s.n, 1);
	take(&s, "103:103:");
	assert_int_equal(n_bumped, 1);
	assert_int_equal(bumped[0], 5);
	take(&s, "103:103:");
	assert_int_equal(n_bumped, 0);
	assert_true(settle_add(&s, 104, &t));
	settle_widen(&s);
	take(&s, "105:105:");
	assert_int_equal(n_bumped, 1);
	assert_int_equal(bumped[0], 0);
	for (unsigned i = 0; i < SETTLE_MAX; i++)
		assert_true(settle_add(&s, i, &t));
	assert_false(settle_add(&s, 1, &t));
	settle_fini(&s);
}

static void
test_sets_of_tags(void **state PG_UNUSED)
{
	struct feed_tags t = { .n = 0 };

	assert_false(feed_tags_any(&t));
	for (unsigned i = 0; i < FEED_TAGS_MAX; i++) {
		feed_tags_add(&t, i + 1);
		feed_tags_add(&t, 1);
		assert_int_equal(t.n, i + 1);
	}
	assert_false(t.all);
	feed_tags_add(&t, 99);
	assert_true(t.all);
}

/* ------------------------------------------------------------ beats */

static void
test_beats_prove_their_sending(void **state PG_UNUSED)
{
	struct beats b = { .last = 0 };

	assert_int_equal(beats_send(&b, 1000), 1);
	assert_int_equal(b.proven, 0);
	assert_int_equal(beats_send(&b, 2000), 2);
	assert_true(beats_return(&b, 1, false));
	assert_int_equal(b.proven, 1000);
	/* Not twice, not out of order, not one that was never sent. */
	assert_false(beats_return(&b, 1, false));
	assert_false(beats_return(&b, 3, false));
	assert_false(beats_return(&b, 0, false));
	assert_true(beats_return(&b, 2, false));
	assert_int_equal(b.proven, 2000);
}

static void
test_what_is_unsettled_proves_nothing(void **state PG_UNUSED)
{
	struct beats b = { .last = 0 };

	(void)beats_send(&b, 1000);
	(void)beats_send(&b, 2000);
	/* A snapshot that was asked for before the beat came back may not show
	 * what came with it. */
	beats_ask(&b);
	assert_true(beats_return(&b, 1, true));
	beats_answer(&b);
	assert_int_equal(b.proven, 0);
	beats_ask(&b);
	assert_true(beats_return(&b, 2, true));
	beats_answer(&b);
	assert_int_equal(b.proven, 1000);
	beats_ask(&b);
	beats_answer(&b);
	assert_int_equal(b.proven, 2000);
}

static void
test_a_stream_that_is_late(void **state PG_UNUSED)
{
	struct beats b = { .last = 0 };

	for (unsigned i = 1; i <= BEATS_MAX; i++)
		assert_int_equal(beats_send(&b, i * 10), i);
	assert_int_equal(beats_send(&b, 1000), 0);
	for (unsigned i = 1; i <= BEATS_MAX; i++) {
		assert_true(beats_return(&b, i, false));
		assert_int_equal(b.proven, i * 10);
	}
	assert_int_equal(beats_send(&b, 1000), BEATS_MAX + 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_snapshots),
		cmocka_unit_test(test_wrapping),
		cmocka_unit_test(test_many_running),
		cmocka_unit_test(test_settling),
		cmocka_unit_test(test_sets_of_tags),
		cmocka_unit_test(test_beats_prove_their_sending),
		cmocka_unit_test(test_what_is_unsettled_proves_nothing),
		cmocka_unit_test(test_a_stream_that_is_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
