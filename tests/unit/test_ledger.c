/* SPDX-License-Identifier: PostgreSQL
 *
 * The ledger: every kind of entry against every message type, errors and what
 * they skip, replies of our own in their order, flags, growth and the cap.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/ledger.h"

static const struct hash128 none;

static struct hash128 lost[LEDGER_MAX];
static unsigned n_lost, n_refused;

static void
note_lost(void *arg, const struct ledger_entry *e, bool refused)
{
	assert_ptr_equal(arg, &n_lost);
	assert_true(n_lost < LEDGER_MAX);
	n_refused += refused;
	lost[n_lost++] = e->hash;
}

static void
start(struct ledger *l)
{
	n_lost = n_refused = 0;
	ledger_init(l, note_lost, &n_lost);
}

static void
push(struct ledger *l, enum owed kind, unsigned flags, uint64_t hash)
{
	assert_true(ledger_push(l, kind, flags, (struct hash128){ hash, 0 }));
}

static enum ledger_verdict
message(struct ledger *l, int type)
{
	return ledger_message(l, (unsigned char)type, NULL);
}

static void
finish(struct ledger *l)
{
	ledger_fini(l);
	assert_int_equal(l->count, 0);
}

/* ---- the matrix --------------------------------------------------------- */

/* What the protocol's documentation ("Message Flow") says of each request:
 * which replies leave it open and which end it, in its two stages. */
static const struct {
	const char *stay, *end;
	const char *stay2, *end2; /* after a ParameterDescription */
} flow[OWED_COUNT] = {
	[OWED_QUERY] = { "TDCIGHdc", "Z", NULL, NULL },
	[OWED_FUNCTION] = { "V", "Z", NULL, NULL },
	[OWED_PARSE] = { "", "1", NULL, NULL },
	[OWED_BIND] = { "", "2", NULL, NULL },
	[OWED_DESCRIBE_S] = { "t", "", "", "Tn" },
	[OWED_DESCRIBE_P] = { "", "Tn", NULL, NULL },
	[OWED_EXECUTE] = { "DGHdc", "CIs", NULL, NULL },
	[OWED_CLOSE] = { "", "3", NULL, NULL },
	[OWED_SYNC] = { "", "Z", NULL, NULL },
	[OWED_SYNTH] = { "", "", NULL, NULL },
};

static bool
in(const char *set, int type)
{
	return type != 0 && strchr(set, type) != NULL;
}

/* One entry and a Query behind it: what does this message do? */
static void
check_cell(enum owed kind, bool second, int type)
{
	const char *stay = second ? flow[kind].stay2 : flow[kind].stay;
	const char *end = second ? flow[kind].end2 : flow[kind].end;
	struct ledger_entry done;
	enum ledger_verdict v;
	struct ledger l;

	start(&l);
	assert_false(ledger_rows_pass(&l, 'D'));
	if (kind == OWED_SYNTH)
		assert_true(ledger_push_synth(&l, "own", 3));
	else
		push(&l, kind, 0, 7);
	push(&l, OWED_QUERY, 0, 8);
	if (second)
		assert_int_equal(message(&l, 't'), LEDGER_PASS);
	assert_int_equal(ledger_rows_pass(&l, 'D'), in(stay, 'D'));
	v = ledger_message(&l, (unsigned char)type, &done);
	if (in("NSA", type)) {
		assert_int_equal(v, LEDGER_ASYNC);
		assert_int_equal(l.count, 2);
		assert_int_equal(done.kind, OWED_COUNT);
	} else if (type == 'E' && kind != OWED_SYNTH) {
		assert_int_equal(v, LEDGER_PASS);
		assert_int_equal(l.failed, kind);
		assert_int_equal(done.kind, OWED_COUNT);
	} else if (in(stay, type)) {
		assert_int_equal(v, LEDGER_PASS);
		assert_int_equal(l.count, 2);
		assert_int_equal(done.kind, OWED_COUNT);
	} else if (in(end, type)) {
		assert_int_equal(v, LEDGER_PASS);
		assert_int_equal(l.count, 1);
		assert_int_equal(done.kind, kind);
		assert_int_equal(done.hash.lo, 7);
	} else {
		assert_int_equal(v, LEDGER_SURPRISE);
	}
	finish(&l);
}

static void
test_every_kind_and_type(void **state PG_UNUSED)
{
	for (int kind = 0; kind < OWED_COUNT; kind++)
		for (int type = 0; type < 256; type++) {
			check_cell((enum owed)kind, false, type);
			if (flow[kind].stay2 != NULL)
				check_cell((enum owed)kind, true, type);
		}
}

static void
test_nothing_owed(void **state PG_UNUSED)
{
	struct ledger l;

	start(&l);
	assert_true(ledger_empty(&l));
	for (int type = 0; type < 256; type++)
		assert_int_equal(message(&l, type), in("NSA", type) ?
		    LEDGER_ASYNC : LEDGER_SURPRISE);
	finish(&l);
}

/* Everything owed has come, and then once more. */
static void
test_one_too_many(void **state PG_UNUSED)
{
	struct ledger l;

	start(&l);
	push(&l, OWED_QUERY, 0, 0);
	assert_int_equal(message(&l, 'C'), LEDGER_PASS);
	assert_int_equal(message(&l, 'Z'), LEDGER_PASS);
	assert_true(ledger_empty(&l));
	assert_int_equal(message(&l, 'Z'), LEDGER_SURPRISE);
	assert_int_equal(message(&l, 'D'), LEDGER_SURPRISE);
	finish(&l);
}

static void
test_replies_in_another_order(void **state PG_UNUSED)
{
	struct ledger l;

	start(&l);
	push(&l, OWED_PARSE, 0, 1);
	push(&l, OWED_BIND, 0, 0);
	push(&l, OWED_SYNC, 0, 0);
	assert_int_equal(message(&l, '2'), LEDGER_SURPRISE);
	finish(&l);
	start(&l);
	push(&l, OWED_BIND, 0, 0);
	push(&l, OWED_EXECUTE, 0, 0);
	push(&l, OWED_SYNC, 0, 0);
	assert_int_equal(message(&l, '2'), LEDGER_PASS);
	assert_int_equal(message(&l, 'D'), LEDGER_PASS);
	/* ReadyForQuery may not come before the CommandComplete. */
	assert_int_equal(message(&l, 'Z'), LEDGER_SURPRISE);
	finish(&l);
}

static void
test_a_whole_extended_unit(void **state PG_UNUSED)
{
	static const enum owed kinds[] = { OWED_PARSE, OWED_DESCRIBE_S,
		OWED_BIND, OWED_DESCRIBE_P, OWED_EXECUTE, OWED_CLOSE,
		OWED_SYNC };
	static const char replies[] = "1NtT2TDDSC3AZ";
	static const int done_at[] = { OWED_PARSE, OWED_COUNT, OWED_COUNT,
		OWED_DESCRIBE_S, OWED_BIND, OWED_DESCRIBE_P, OWED_COUNT,
		OWED_COUNT, OWED_COUNT, OWED_EXECUTE, OWED_CLOSE, OWED_COUNT,
		OWED_SYNC };
	struct ledger_entry done;
	struct ledger l;

	start(&l);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		push(&l, kinds[i], 0, i);
	for (size_t i = 0; replies[i] != '\0'; i++) {
		assert_int_equal(ledger_message(&l, (unsigned char)replies[i],
		    &done), in("NSA", replies[i]) ? LEDGER_ASYNC :
		    LEDGER_PASS);
		assert_int_equal(done.kind, done_at[i]);
	}
	assert_true(ledger_empty(&l));
	assert_int_equal(n_lost, 0);
	finish(&l);
}

/* ---- errors ------------------------------------------------------------- */

/* In a simple query the ReadyForQuery is still owed. */
static void
test_error_in_a_query(void **state PG_UNUSED)
{
	struct ledger l;

	start(&l);
	push(&l, OWED_QUERY, 0, 0);
	push(&l, OWED_PARSE, 0, 5);
	assert_int_equal(message(&l, 'E'), LEDGER_PASS);
	assert_false(l.skipping);
	assert_int_equal(l.count, 2);
	assert_int_equal(message(&l, 'Z'), LEDGER_PASS);
	assert_int_equal(message(&l, '1'), LEDGER_PASS);
	assert_int_equal(n_lost, 0);
	finish(&l);
}

/* Every extended kind: what follows up to the Sync falls away. */
static void
test_error_skips_to_sync(void **state PG_UNUSED)
{
	static const enum owed kinds[] = { OWED_PARSE, OWED_BIND,
		OWED_DESCRIBE_S, OWED_DESCRIBE_P, OWED_EXECUTE, OWED_CLOSE };
	struct slice bytes;
	struct ledger l;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		start(&l);
		push(&l, kinds[i], 0, 1);
		push(&l, OWED_PARSE, 0, 2);
		assert_true(ledger_push_synth(&l, "gone", 4));
		push(&l, OWED_EXECUTE, 0, 0);
		push(&l, OWED_SYNC, 0, 0);
		assert_true(ledger_push_synth(&l, "kept", 4));
		push(&l, OWED_PARSE, 0, 3);
		push(&l, OWED_SYNC, 0, 0);
		assert_int_equal(message(&l, 'E'), LEDGER_PASS);
		assert_false(l.skipping);
		assert_int_equal(l.failed, kinds[i]);
		assert_int_equal(n_lost, kinds[i] == OWED_PARSE ? 2 : 1);
		assert_int_equal(lost[n_lost - 1].lo, 2);
		assert_false(ledger_take_synth(&l, &bytes));
		assert_int_equal(message(&l, 'Z'), LEDGER_PASS);
		assert_true(ledger_take_synth(&l, &bytes));
		assert_true(slice_eq_str(bytes, "kept"));
		assert_int_equal(message(&l, '1'), LEDGER_PASS);
		assert_int_equal(message(&l, 'Z'), LEDGER_PASS);
		assert_true(ledger_empty(&l));
		finish(&l);
	}
}

/* The error comes before the client has sent its Sync: what it sends until
 * then is ignored by the server, and must not be waited for. */
static void
test_error_before_the_sync_is_there(void **state PG_UNUSED)
{
	struct slice bytes;
	struct ledger l;

	start(&l);
	push(&l, OWED_PARSE, 0, 1);
	push(&l, OWED_BIND, 0, 0);
	assert_int_equal(message(&l, 'E'), LEDGER_PASS);
	assert_true(l.skipping);
	assert_int_equal(l.count, 0);
	assert_false(ledger_empty(&l));
	assert_int_equal(n_lost, 1);
	push(&l, OWED_PARSE, 0, 2);
	push(&l, OWED_QUERY, 0, 0);
	push(&l, OWED_QUERY, LEDGER_NAME, 3);
	push(&l, OWED_CLOSE, LEDGER_NAME, 4);
	push(&l, OWED_CLOSE, 0, 5);
	push(&l, OWED_EXECUTE, 0, 0);
	assert_true(ledger_push_synth(&l, "1\0\0\0\4", 5));
	assert_int_equal(l.count, 0);
	assert_int_equal(n_lost, 4);
	assert_int_equal(n_refused, 1);
	assert_int_equal(lost[1].lo, 2);
	assert_int_equal(lost[2].lo, 3);
	assert_int_equal(lost[3].lo, 4);
	assert_false(ledger_take_synth(&l, &bytes));
	assert_int_equal(message(&l, 'N'), LEDGER_ASYNC);
	assert_int_equal(message(&l, 'C'), LEDGER_SURPRISE);
	push(&l, OWED_SYNC, 0, 0);
	assert_false(l.skipping);
	assert_int_equal(message(&l, 'Z'), LEDGER_PASS);
	assert_true(ledger_empty(&l));
	finish(&l);
}

static void
test_error_answers_the_sync_itself(void **state PG_UNUSED)
{
	struct ledger l;

	start(&l);
	push(&l, OWED_SYNC, 0, 0);
	assert_int_equal(message(&l, 'E'), LEDGER_PASS);
	assert_int_equal(l.count, 1);
	assert_false(l.skipping);
	assert_int_equal(message(&l, 'Z'), LEDGER_PASS);
	assert_true(ledger_empty(&l));
	finish(&l);
}

static void
test_error_ends_copy_in(void **state PG_UNUSED)
{
	struct ledger l;

	start(&l);
	push(&l, OWED_QUERY, 0, 0);
	assert_int_equal(message(&l, 'G'), LEDGER_PASS);
	assert_true(l.copy_in);
	assert_int_equal(message(&l, 'E'), LEDGER_PASS);
	assert_false(l.copy_in);
	finish(&l);
}

static void
test_copy_in_ends(void **state PG_UNUSED)
{
	struct ledger l;

	start(&l);
	push(&l, OWED_EXECUTE, 0, 0);
	assert_int_equal(message(&l, 'G'), LEDGER_PASS);
	assert_true(l.copy_in);
	assert_int_equal(message(&l, 'N'), LEDGER_ASYNC);
	assert_true(l.copy_in);
	assert_int_equal(message(&l, 'C'), LEDGER_PASS);
	assert_false(l.copy_in);
	push(&l, OWED_SYNC, 0, 0);
	assert_int_equal(message(&l, 'Z'), LEDGER_PASS);
	assert_true(ledger_empty(&l));
	finish(&l);
}

/* PostgreSQL ignores Sync while it reads COPY data. */
static void
test_copy_data_that_is_late(void **state PG_UNUSED)
{
	struct ledger l;

	start(&l);
	assert_false(ledger_copy_is_late(&l));
	push(&l, OWED_EXECUTE, 0, 0);
	assert_int_equal(message(&l, 'G'), LEDGER_PASS);
	assert_false(ledger_copy_is_late(&l));
	l.copy_in = false;
	l.copy_over = true;
	assert_true(ledger_copy_is_late(&l));
	/* Data behind another unit may be for a COPY in that. */
	push(&l, OWED_SYNC, 0, 0);
	assert_false(ledger_copy_is_late(&l));
	assert_int_equal(message(&l, 'C'), LEDGER_PASS);
	assert_false(l.copy_over);
	finish(&l);

	/* A Query may hold a second COPY. */
	start(&l);
	push(&l, OWED_QUERY, 0, 0);
	assert_int_equal(message(&l, 'G'), LEDGER_PASS);
	l.copy_over = true;
	assert_false(ledger_copy_is_late(&l));
	finish(&l);
}

static void
test_sync_in_copy_in(void **state PG_UNUSED)
{
	struct ledger l;

	/* Sent with the Execute, by libpq for one, */
	start(&l);
	push(&l, OWED_BIND, 0, 0);
	push(&l, OWED_EXECUTE, 0, 0);
	push(&l, OWED_SYNC, 0, 0);
	push(&l, OWED_SYNC, 0, 0);
	push(&l, OWED_PARSE, 0, 1);
	assert_int_equal(message(&l, '2'), LEDGER_PASS);
	assert_int_equal(message(&l, 'G'), LEDGER_PASS);
	assert_int_equal(l.count, 2);
	/* and in the middle of the data. */
	push(&l, OWED_SYNC, 0, 0);
	assert_int_equal(l.count, 2);
	assert_int_equal(message(&l, 'C'), LEDGER_PASS);
	assert_int_equal(message(&l, '1'), LEDGER_PASS);
	push(&l, OWED_SYNC, 0, 0);
	assert_int_equal(message(&l, 'Z'), LEDGER_PASS);
	assert_true(ledger_empty(&l));
	finish(&l);
	/* A Query's ReadyForQuery is its own. */
	start(&l);
	push(&l, OWED_QUERY, 0, 0);
	assert_int_equal(message(&l, 'G'), LEDGER_PASS);
	assert_int_equal(message(&l, 'C'), LEDGER_PASS);
	assert_int_equal(message(&l, 'Z'), LEDGER_PASS);
	assert_true(ledger_empty(&l));
	finish(&l);
}

/* ---- flags -------------------------------------------------------------- */

static void
test_hidden_replies(void **state PG_UNUSED)
{
	struct ledger_entry done;
	struct ledger l;

	start(&l);
	push(&l, OWED_QUERY, LEDGER_HIDE, 0);
	assert_false(ledger_rows_pass(&l, 'D'));
	push(&l, OWED_PARSE, LEDGER_HIDE | LEDGER_UNNAMED, 9);
	push(&l, OWED_BIND, 0, 0);
	assert_true(ledger_hidden(&l));
	assert_int_equal(message(&l, 'C'), LEDGER_DROP);
	assert_int_equal(message(&l, 'S'), LEDGER_ASYNC);
	assert_int_equal(message(&l, 'N'), LEDGER_ASYNC);
	assert_int_equal(message(&l, 'A'), LEDGER_ASYNC);
	assert_int_equal(message(&l, 'Z'), LEDGER_DROP);
	assert_true(ledger_hidden(&l));
	assert_int_equal(ledger_message(&l, '1', &done), LEDGER_DROP);
	assert_false(ledger_hidden(&l));
	assert_int_equal(done.kind, OWED_PARSE);
	assert_int_equal(done.hash.lo, 9);
	assert_true(done.flags & LEDGER_UNNAMED);
	assert_int_equal(message(&l, 'S'), LEDGER_ASYNC);
	assert_int_equal(message(&l, '2'), LEDGER_PASS);
	assert_false(ledger_hidden(&l));
	finish(&l);
}

/* The client has to know that its unit failed; and what was sent behind a
 * statement of ours counted on its success. */
static void
test_error_of_a_hidden_request(void **state PG_UNUSED)
{
	struct ledger l;

	start(&l);
	push(&l, OWED_QUERY, LEDGER_HIDE, 0);
	push(&l, OWED_QUERY, 0, 0);
	assert_int_equal(message(&l, 'E'), LEDGER_SURPRISE);
	finish(&l);
	start(&l);
	push(&l, OWED_EXECUTE, LEDGER_HIDE | LEDGER_VITAL, 0);
	push(&l, OWED_SYNC, LEDGER_HIDE, 0);
	push(&l, OWED_QUERY, 0, 0);
	assert_int_equal(message(&l, 'E'), LEDGER_SURPRISE);
	finish(&l);
	/* One that is meant to fail. */
	start(&l);
	push(&l, OWED_QUERY, LEDGER_HIDE | LEDGER_MUTE, 0);
	push(&l, OWED_QUERY, 0, 0);
	assert_int_equal(message(&l, 'N'), LEDGER_DROP);
	assert_int_equal(message(&l, 'S'), LEDGER_ASYNC);
	assert_int_equal(message(&l, 'E'), LEDGER_DROP);
	assert_int_equal(message(&l, 'Z'), LEDGER_DROP);
	assert_int_equal(message(&l, 'N'), LEDGER_ASYNC);
	assert_int_equal(message(&l, 'E'), LEDGER_PASS);
	assert_int_equal(message(&l, 'Z'), LEDGER_PASS);
	finish(&l);
	start(&l);
	push(&l, OWED_PARSE, LEDGER_HIDE, 4);
	push(&l, OWED_BIND, 0, 0);
	push(&l, OWED_SYNC, 0, 0);
	assert_int_equal(message(&l, 'E'), LEDGER_PASS);
	assert_int_equal(n_lost, 1);
	assert_int_equal(message(&l, 'Z'), LEDGER_PASS);
	finish(&l);
}

/* The client's name of a statement is there when an error is about it, and
 * only then; replies of our own keep their bytes. */
static void
test_named(void **state PG_UNUSED)
{
	static const struct hash128 hash = { 7, 0 };
	struct slice bytes;
	struct ledger l;

	start(&l);
	for (unsigned round = 0; round < 2; round++) {
		assert_true(ledger_push_text(&l, OWED_BIND, 0, none,
		    SLICE_LIT("first")));
		assert_true(ledger_push_synth(&l, "own", 3));
		assert_true(ledger_push_text(&l, OWED_PARSE, 0, hash,
		    SLICE_LIT("second")));
		push(&l, OWED_EXECUTE, 0, 0);
		assert_true(ledger_push_text(&l, OWED_BIND, 0, none,
		    SLICE_LIT("skipped")));
		push(&l, OWED_SYNC, 0, 0);
		assert_true(ledger_push_text(&l, OWED_DESCRIBE_S, 0, none,
		    SLICE_LIT("third")));
		push(&l, OWED_SYNC, 0, 0);
		assert_int_equal(message(&l, '2'), LEDGER_PASS);
		assert_true(ledger_take_synth(&l, &bytes));
		assert_true(slice_eq_str(bytes, "own"));
		assert_int_equal(message(&l, 'E'), LEDGER_PASS);
		assert_true(slice_eq_str(l.failed_text, "second"));
		assert_int_equal(lost[n_lost - 1].lo, 7);
		assert_int_equal(message(&l, 'Z'), LEDGER_PASS);
		assert_int_equal(message(&l, 'E'), LEDGER_PASS);
		assert_true(slice_eq_str(l.failed_text, "third"));
		assert_int_equal(message(&l, 'Z'), LEDGER_PASS);
		assert_int_equal(buf_len(&l.synth), 0);
	}
	push(&l, OWED_BIND, 0, 0);
	assert_int_equal(message(&l, 'E'), LEDGER_PASS);
	assert_int_equal(l.failed_text.n, 0);
	/* Nothing of it is kept while skipping. */
	assert_true(ledger_push_text(&l, OWED_BIND, 0, none,
	    SLICE_LIT("none")));
	assert_int_equal(buf_len(&l.synth), 0);
	finish(&l);
}

/* Syncs behind a COPY that are not answered take no bytes with them. */
static void
test_text_of_a_copy(void **state PG_UNUSED)
{
	struct slice bytes;
	struct ledger l;

	start(&l);
	assert_true(ledger_push_text(&l, OWED_EXECUTE, 0, none,
	    SLICE_LIT("copy")));
	push(&l, OWED_SYNC, 0, 0);
	push(&l, OWED_SYNC, 0, 0);
	assert_true(ledger_push_synth(&l, "own", 3));
	assert_int_equal(message(&l, 'G'), LEDGER_PASS);
	assert_int_equal(message(&l, 'C'), LEDGER_PASS);
	assert_true(ledger_take_synth(&l, &bytes));
	assert_true(slice_eq_str(bytes, "own"));
	assert_int_equal(buf_len(&l.synth), 0);
	finish(&l);
}

/* Whether a Sync amid COPY data is answered depends on which of the data made
 * the COPY fail, which nobody can tell. */
static void
test_sync_amid_copy_data(void **state PG_UNUSED)
{
	static const struct {
		bool data, fails, unsure;
	} cases[] = {
		{ false, true, false }, { true, false, false },
		{ true, true, true },
	};
	struct ledger l;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		start(&l);
		push(&l, OWED_QUERY, 0, 0);
		assert_int_equal(message(&l, 'G'), LEDGER_PASS);
		l.copy_data = cases[i].data;
		push(&l, OWED_SYNC, 0, 0);
		assert_int_equal(l.count, 1);
		assert_int_equal(message(&l, cases[i].fails ? 'E' : 'C'),
		    LEDGER_PASS);
		assert_int_equal(l.unsure, cases[i].unsure);
		assert_false(l.copy_sync || l.copy_data);
		finish(&l);
	}
}

static void
test_replaced_error(void **state PG_UNUSED)
{
	struct ledger l;

	start(&l);
	push(&l, OWED_QUERY, LEDGER_REPLACE, 0);
	push(&l, OWED_QUERY, 0, 0);
	assert_int_equal(message(&l, 'N'), LEDGER_ASYNC);
	assert_int_equal(message(&l, 'E'), LEDGER_OWN_ERROR);
	assert_int_equal(message(&l, 'Z'), LEDGER_PASS);
	assert_int_equal(message(&l, 'E'), LEDGER_PASS);
	assert_int_equal(message(&l, 'Z'), LEDGER_PASS);
	assert_true(ledger_empty(&l));
	finish(&l);
}

/* ---- replies of our own --------------------------------------------------- */

static void
test_synth_takes_its_place(void **state PG_UNUSED)
{
	struct slice bytes;
	struct ledger l;

	start(&l);
	assert_true(ledger_push_synth(&l, "one", 3));
	push(&l, OWED_BIND, 0, 0);
	assert_true(ledger_push_synth(&l, "two", 3));
	assert_true(ledger_push_synth(&l, "", 0));
	assert_true(ledger_push_synth(&l, "three", 5));
	push(&l, OWED_SYNC, 0, 0);
	assert_true(ledger_take_synth(&l, &bytes));
	assert_true(slice_eq_str(bytes, "one"));
	assert_false(ledger_take_synth(&l, &bytes));
	assert_int_equal(message(&l, '2'), LEDGER_PASS);
	assert_true(ledger_take_synth(&l, &bytes));
	assert_true(slice_eq_str(bytes, "two"));
	assert_true(ledger_take_synth(&l, &bytes));
	assert_int_equal(bytes.n, 0);
	assert_true(ledger_take_synth(&l, &bytes));
	assert_true(slice_eq_str(bytes, "three"));
	assert_false(ledger_take_synth(&l, &bytes));
	assert_int_equal(message(&l, 'Z'), LEDGER_PASS);
	assert_false(ledger_take_synth(&l, &bytes));
	assert_true(ledger_empty(&l));
	/* Nothing is kept of what has been taken. */
	assert_int_equal(buf_len(&l.synth), 0);
	finish(&l);
}

static void
test_synth_is_capped(void **state PG_UNUSED)
{
	enum { PIECE = 64 * 1024 };
	char *p = calloc(1, PIECE);
	struct slice bytes;
	struct ledger l;
	unsigned n = 0;

	start(&l);
	push(&l, OWED_BIND, 0, 0);
	while (ledger_push_synth(&l, p, PIECE))
		assert_true(++n < 1000);
	assert_true(n >= 8);
	/* What had been taken in is all there. */
	assert_int_equal(message(&l, '2'), LEDGER_PASS);
	for (; n > 0; n--) {
		assert_true(ledger_take_synth(&l, &bytes));
		assert_int_equal(bytes.n, PIECE);
	}
	assert_true(ledger_empty(&l));
	free(p);
	finish(&l);
}

/* ---- the ring ------------------------------------------------------------- */

/* Pushing and answering at different speeds: order is kept over every growth
 * and every turn of the ring. */
static void
test_ring_grows_and_turns(void **state PG_UNUSED)
{
	struct ledger_entry done;
	uint64_t pushed = 0, popped = 0;
	struct ledger l;

	start(&l);
	for (unsigned round = 0; round < 300; round++) {
		for (unsigned i = 0; i <= round % 17; i++)
			push(&l, OWED_PARSE, 0, pushed++);
		for (unsigned i = 0; i <= round % 13 && popped < pushed; i++) {
			assert_int_equal(ledger_message(&l, '1', &done),
			    LEDGER_PASS);
			assert_int_equal(done.hash.lo, popped++);
		}
		assert_int_equal(l.count, pushed - popped);
		assert_true(l.size >= l.count);
		assert_int_equal(l.size & (l.size - 1), 0);
	}
	while (popped < pushed) {
		assert_int_equal(ledger_message(&l, '1', &done), LEDGER_PASS);
		assert_int_equal(done.hash.lo, popped++);
	}
	assert_int_equal(n_lost, 0);
	finish(&l);
}

static void
test_ring_is_capped(void **state PG_UNUSED)
{
	struct ledger l;

	start(&l);
	for (unsigned i = 0; i < LEDGER_MAX; i++)
		push(&l, OWED_PARSE, 0, i);
	assert_false(ledger_push(&l, OWED_SYNC, 0, none));
	assert_false(ledger_push_synth(&l, "x", 1));
	assert_int_equal(l.count, LEDGER_MAX);
	/* One answered makes room for one. */
	assert_int_equal(message(&l, '1'), LEDGER_PASS);
	push(&l, OWED_SYNC, 0, 0);
	assert_false(ledger_push(&l, OWED_SYNC, 0, none));
	/* An error loses the whole string of them, each told once. */
	assert_int_equal(message(&l, 'E'), LEDGER_PASS);
	assert_int_equal(n_lost, LEDGER_MAX - 1);
	for (unsigned i = 0; i < n_lost; i++)
		assert_int_equal(lost[i].lo, i + 1);
	assert_int_equal(l.count, 1);
	assert_int_equal(message(&l, 'Z'), LEDGER_PASS);
	finish(&l);
}

/* A step of ours: hidden while it goes well, the client's when it does not. */
static void
test_step(void **state PG_UNUSED)
{
	struct ledger_entry done;
	struct ledger l;

	start(&l);
	push(&l, OWED_QUERY, LEDGER_HIDE | LEDGER_STEP, 7);
	assert_int_equal(message(&l, 'C'), LEDGER_DROP);
	assert_int_equal(ledger_message(&l, 'Z', &done), LEDGER_DROP);
	assert_int_equal(done.hash.lo, 7);
	push(&l, OWED_QUERY, LEDGER_HIDE | LEDGER_STEP, 7);
	assert_int_equal(message(&l, 'E'), LEDGER_PASS);
	assert_int_equal(ledger_message(&l, 'Z', &done), LEDGER_PASS);
	assert_int_equal(done.hash.lo, 0);
	push(&l, OWED_PARSE, LEDGER_HIDE | LEDGER_STEP, 8);
	push(&l, OWED_SYNC, LEDGER_HIDE, 0);
	assert_int_equal(message(&l, '1'), LEDGER_DROP);
	assert_int_equal(message(&l, 'Z'), LEDGER_DROP);
	push(&l, OWED_PARSE, LEDGER_HIDE | LEDGER_STEP, 9);
	push(&l, OWED_SYNC, LEDGER_HIDE, 0);
	assert_int_equal(message(&l, 'E'), LEDGER_PASS);
	assert_int_equal(n_lost, 1);
	assert_int_equal(message(&l, 'Z'), LEDGER_PASS);
	assert_true(ledger_empty(&l));
	finish(&l);
}

/* An error that the client shall not see: the rest of the unit is ours. */
static void
test_swallowed(void **state PG_UNUSED)
{
	struct slice bytes;
	struct ledger l;

	start(&l);
	assert_true(ledger_push_synth(&l, "1", 1));
	push(&l, OWED_PARSE, LEDGER_HIDE, 7);
	push(&l, OWED_BIND, 0, 0);
	push(&l, OWED_SYNC, 0, 0);
	push(&l, OWED_QUERY, 0, 0);
	ledger_swallow(&l);
	assert_int_equal(n_lost, 1);
	assert_false(ledger_take_synth(&l, &bytes));
	assert_int_equal(message(&l, 'Z'), LEDGER_DROP);
	assert_int_equal(message(&l, 'C'), LEDGER_PASS);
	ledger_swallow(&l);
	assert_int_equal(message(&l, 'Z'), LEDGER_DROP);
	assert_true(ledger_empty(&l));
	/* The Sync is still to come. */
	push(&l, OWED_BIND, 0, 0);
	ledger_swallow(&l);
	assert_true(l.skipping);
	finish(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind_and_type),
		cmocka_unit_test(test_nothing_owed),
		cmocka_unit_test(test_one_too_many),
		cmocka_unit_test(test_replies_in_another_order),
		cmocka_unit_test(test_a_whole_extended_unit),
		cmocka_unit_test(test_error_in_a_query),
		cmocka_unit_test(test_error_skips_to_sync),
		cmocka_unit_test(test_error_before_the_sync_is_there),
		cmocka_unit_test(test_error_answers_the_sync_itself),
		cmocka_unit_test(test_error_ends_copy_in),
		cmocka_unit_test(test_copy_in_ends),
		cmocka_unit_test(test_copy_data_that_is_late),
		cmocka_unit_test(test_sync_in_copy_in),
		cmocka_unit_test(test_hidden_replies),
		cmocka_unit_test(test_error_of_a_hidden_request),
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_text_of_a_copy),
		cmocka_unit_test(test_sync_amid_copy_data),
		cmocka_unit_test(test_replaced_error),
		cmocka_unit_test(test_swallowed),
		cmocka_unit_test(test_step),
		cmocka_unit_test(test_synth_takes_its_place),
		cmocka_unit_test(test_synth_is_capped),
		cmocka_unit_test(test_ring_grows_and_turns),
		cmocka_unit_test(test_ring_is_capped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
