/* SPDX-License-Identifier: PostgreSQL
 * Experiments as text: what comes back, and what is refused. */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <cmocka.h>
#include "experiment/keep.h"

static struct board *
a_board(void)
{
	struct board *b = board_new(3, 2);
	struct board_measure m = { .shape = BOARD_ALL };
	unsigned i;

	(void)!board_shape(b, 0xabc, SLICE_LIT("select $1\n from x\\y"));
	(void)!board_shape(b, 0xdef, SLICE_LIT("select"));
	for (i = 0; i < 5000; i++) {
		m.arm = i % 2;
		m.group = i * 7 % GROUPS;
		m.cached = i % 5 == 0;
		m.failed = i % 11 == 0;
		m.shape = i % 3 == 0 ? BOARD_ALL : i % 3 - 1;
		board_add(b, i % 3, &m, 1000 + i * 997);
		board_unit(b, i % 3, (i % 700) * UINT64_C(0x9e3779b97f4a7c15),
		    i % 700 == 13 ? i / 700 % 2 : i % 2);
		board_count(b, i % 3, m.arm, i % BOARD_COUNTS);
	}
	return b;
}

static struct keep_trial
a_trial(struct board *b)
{
	struct keep_trial t = { .name = (char *)(uintptr_t)"events \"layout\"",
		.about = (char *)(uintptr_t)"arms\nunit\\n\r",
		.reason = (char *)(uintptr_t)"", .state = "running",
		.n_arms = 2, .promoted = 1, .weights = { 50, 4000000000 },
		.since = 1764553920123456789, .board = b };

	return t;
}

static void
same_board(const struct board *a, const struct board *b)
{
	struct tally_view *v = calloc(2, sizeof(*v));
	uint64_t n[2][2], moved[2], hash[2];
	unsigned arm, shape, i;
	bool full;

	assert_non_null(v);
	assert_int_equal(board_n_shapes(a), board_n_shapes(b));
	for (i = 0; i < board_n_shapes(a); i++) {
		assert_string_equal(board_shape_text(a, i, &hash[0]),
		    board_shape_text(b, i, &hash[1]));
		assert_int_equal(hash[0], hash[1]);
	}
	for (arm = 0; arm < 2; arm++) {
		for (shape = 0; shape <= BOARD_ALL; shape++)
			for (i = 0; i < 2; i++) {
				board_view(a, arm, shape, i, &v[0]);
				board_view(b, arm, shape, i, &v[1]);
				assert_memory_equal(&v[0], &v[1], sizeof(*v));
			}
		for (i = 0; i < BOARD_COUNTS; i++)
			assert_int_equal(board_counted(a, arm, i),
			    board_counted(b, arm, i));
	}
	board_units(a, n[0], &moved[0], &full);
	board_units(b, n[1], &moved[1], &full);
	assert_memory_equal(n[0], n[1], sizeof(n[0]));
	assert_int_equal(moved[0], moved[1]);
	assert_int_equal(moved[0], 1);
	free(v);
}

static void
test_comes_back(void **arg)
{
	struct keep_trial t[2] = { a_trial(a_board()), a_trial(NULL) };
	struct keep *k = calloc(1, sizeof(*k));
	struct buf b;
	char why[200];

	(void)arg;
	assert_non_null(k);
	buf_init(&b, KEEP_MAX);
	assert_true(keep_write(t, 2, &b));
	print_message("a board of 5,000 measurements is %zu bytes\n",
	    buf_len(&b));
	/* With another number of workers. */
	assert_true(keep_read(slice_make(buf_head(&b), buf_len(&b)), 2, k, why,
	    sizeof(why)));
	assert_int_equal(k->n, 2);
	assert_string_equal(k->v[0].name, t[0].name);
	assert_string_equal(k->v[0].about, t[0].about);
	assert_string_equal(k->v[1].reason, "");
	assert_string_equal(k->v[0].state, "running");
	assert_int_equal(k->v[0].n_arms, 2);
	assert_int_equal(k->v[0].promoted, 1);
	assert_int_equal(k->v[0].weights[1], 4000000000);
	assert_int_equal(k->v[0].since, t[0].since);
	assert_null(k->v[1].board);
	same_board(t[0].board, k->v[0].board);
	board_free(&t[0].board);
	keep_fini(k);
	buf_reset(&b);
	assert_true(keep_write(NULL, 0, &b));
	assert_true(keep_read(slice_make(buf_head(&b), buf_len(&b)), 2, k, why,
	    sizeof(why)));
	assert_int_equal(k->n, 0);
	buf_reset(&b);
	free(k);
}

/* A cap that is too small is told, wherever it is met. */
static void
test_no_room(void **arg)
{
	struct keep_trial t = a_trial(NULL);
	struct buf b;
	size_t cap, fits = 0;

	(void)arg;
	for (cap = 1; cap < 400; cap++) {
		buf_init(&b, cap);
		fits += keep_write(&t, 1, &b);
		buf_reset(&b);
	}
	assert_in_range(fits, 1, 300);
}

/* Every byte that is another, and every end that is too early. */
static void
test_damage(void **arg)
{
	struct keep_trial t = a_trial(NULL);
	struct keep *k = calloc(1, sizeof(*k));
	char why[200];
	struct buf b;
	size_t i, n;

	(void)arg;
	assert_non_null(k);
	buf_init(&b, KEEP_MAX);
	assert_true(keep_write(&t, 1, &b));
	n = buf_len(&b);
	for (i = 0; i < n; i++) {
		assert_false(keep_read(slice_make(buf_head(&b), i), 2, k, why,
		    sizeof(why)));
		assert_int_equal(k->n, 0);
		buf_head(&b)[i] ^= 1;
		assert_false(keep_read(slice_make(buf_head(&b), n), 2, k, why,
		    sizeof(why)));
		assert_memory_equal(why, "line ", 5);
		buf_head(&b)[i] ^= 1;
	}
	assert_string_equal(why, "line 10: the checksum is another than "
	    "expected: the file was cut off or changed");
	buf_reset(&b);
	free(k);
}

#define START "experiment x\nabout y\nstate running\n"
#define STATE START "promoted 0\nweights 1 1\nsince 1\nreason\n"
#define BOARD STATE "board\n"

static const struct {
	const char *text, *why;
} refused[] = {
	{ "nonsense\n", "line 2: expected \"experiment\"" },
	{ "experiment x\nreason y\n", "line 3: expected \"about\"" },
	{ "experiment x\n",
	    "line 2: it ends where a line \"about\" should follow" },
	{ "experiment a\\b\n", "line 2: a text with an unknown escape" },
	{ START "promoted 8\n", "line 5: expected a number up to 7" },
	{ START "promoted 0 0\n", "line 5: more on the line than expected" },
	{ START "promoted 0\nweights 1\n", "line 6: expected weights of 2 to 8 "
	    "arms, that of the promoted one among them" },
	{ START "promoted 2\nweights 1 1\n", "line 6: expected weights of 2 to "
	    "8 arms, that of the promoted one among them" },
	{ START "promoted 0\nweights 1 1 1 1 1 1 1 1 1\n",
	    "line 6: more on the line than expected" },
	{ START "promoted 0\nweights 1 x\n",
	    "line 6: expected a number up to 4294967295" },
	{ "experiment x\nabout y\nstate much-too-long-a-state\n",
	    "line 4: expected a state" },
	{ "experiment x\nabout y\nstate Running\n",
	    "line 4: expected a state" },
	{ STATE, "line 8: it ends inside an experiment" },
	{ STATE "bored\n", "line 9: expected \"board\" or \"end\"" },
	{ BOARD, "line 9: it ends inside an experiment" },
	{ BOARD "what\n",
	    "line 10: expected shape, count, tally, group, units or end" },
	{ BOARD "shape 12 x\n", "line 10: expected 16 hexadecimal digits" },
	{ BOARD "shape 0123456789abcdeF x\n",
	    "line 10: expected 16 hexadecimal digits" },
	{ BOARD "shape 0123456789abcdef x\nshape 0123456789abcdef x\n",
	    "line 11: a shape for the second time, or one more than 24" },
	{ BOARD "count 0 nothing 1\n", "line 10: expected the name of a count" },
	{ BOARD "count 2 astray 1\n", "line 10: expected a number up to 1" },
	{ BOARD "tally 0 0 served 1\n",
	    "line 10: expected \"all\" or the number of a shape" },
	{ BOARD "tally 0 all from 1\n",
	    "line 10: expected \"served\" or \"cached\"" },
	{ BOARD "tally 0 all served 1\ntally 0 all served 1\n",
	    "line 11: a tally for the second time" },
	{ BOARD "group 0 1 0 0x1p+1\n", "line 10: a group without its tally, or "
	    "for the second time" },
	{ BOARD "tally 0 all served 1\ngroup 64 1 0 0x1p+1\n",
	    "line 11: expected a number up to 63" },
	{ BOARD "tally 0 all served 1\ngroup 1 1 0 0x1p+9\n",
	    "line 11: expected a sum of 1 logarithms" },
	{ BOARD "tally 0 all served 1\ngroup 1 1 0 nan\n",
	    "line 11: expected a sum of 1 logarithms" },
	{ BOARD "tally 0 all served 1\ngroup 1 1 0 -1\n",
	    "line 11: expected a sum of 1 logarithms" },
	{ BOARD "tally 0 all served 1\ngroup 1 1 0 1 769:1\n",
	    "line 11: expected buckets as PLACE:NUMBER" },
	{ BOARD "tally 0 all served 1\ngroup 1 1 0 1 7:\n",
	    "line 11: expected buckets as PLACE:NUMBER" },
	{ BOARD "tally 0 all served 1\ngroup 1 1 0 1\ngroup 1 1 0 1\n",
	    "line 12: a group without its tally, or for the second time" },
	{ BOARD "units 0123456789abcde2\n",
	    "line 10: a unit on an arm that there is not" },
	{ BOARD "units\n", "line 10: expected 16 hexadecimal digits" },
	{ BOARD "end", "line 10: it has no end" },
};

static void
test_refused(void **arg)
{
	struct keep *k = calloc(1, sizeof(*k));
	char text[600], why[200];
	size_t i, n;

	(void)arg;
	assert_non_null(k);
	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		n = (size_t)snprintf(text, sizeof(text),
		    "pgsluice-experiments 1\n%s", refused[i].text);
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "sum %016" PRIx64 "\n", (uint64_t)XXH3_64bits(text, n));
		assert_false(keep_read(slice_make(text, n), 1, k, why,
		    sizeof(why)));
		assert_string_equal(why, refused[i].why);
		assert_int_equal(k->n, 0);
	}
	assert_false(keep_read(SLICE_LIT("pgsluice-experiments 2\n"), 1, k,
	    why, sizeof(why)));
	assert_string_equal(why, "line 1: expected \"pgsluice-experiments 1\"");
	assert_false(keep_read(SLICE_LIT(""), 1, k, why, sizeof(why)));
	free(k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_comes_back),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
