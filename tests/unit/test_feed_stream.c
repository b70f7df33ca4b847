/* SPDX-License-Identifier: PostgreSQL
 *
 * Transactions of a stream, and what they bump: a feed without connections.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/log.h"
#include "feed/feed_priv.h"

#define ITEM 16400u
#define OTHER 16401u

static const char text[] = "auth = trust\nfeed_user = f\n"
    "backend \"b\" { conninfo = \"host=h\" feed = true }\n"
    "database \"d\" { backend = \"b\" }\n";

static struct event_base *base;
static struct feed_setup setup;
static struct gate_plan *plan;
static uint64_t seen[3];

static void
row(void *arg, tag_t tag)
{
	(void)arg;
	(void)tag;
}

static struct feed *
make(void)
{
	struct conf_diag d;
	struct feed *f;

	base = event_base_new();
	setup = (struct feed_setup){ .conf = conf_load_buffer("f", text,
	    sizeof(text) - 1, &d) };
	conf_diag_fini(&d);
	assert_non_null(setup.conf);
	plan = gate_plan_new(setup.conf);
	f = feed_new(base, setup.conf, &setup.conf->backends[0]);
	feed_set_setup(f, &setup, plan);
	f->state = FEED_STARTING;
	f->token = 0xabc;
	relations_load(&f->relations);
	relations_row(&f->relations, ITEM, "item");
	relations_row(&f->relations, OTHER, "other");
	relations_loaded(&f->relations, row, NULL);
	return f;
}

static void
drop(struct feed *f)
{
	feed_free(&f);
	gate_plan_free(&plan);
	conf_unref(&setup.conf);
	event_base_free(base);
}

/* Which of item, other, everything have been bumped since the last time. */
static const char *
bumped(void)
{
	const tag_t tags[] = { tag_of_table("item"), tag_of_table("other"),
		TAG_ALL };
	static char out[8];
	char *p = out;

	for (unsigned i = 0; i < 3; i++) {
		uint64_t now = tag_generation(tags[i]);

		if (now != seen[i])
			*p++ = "ioA"[i];
		seen[i] = now;
	}
	*p = '\0';
	return out;
}

/* A message; in fmt q, i and b stand for numbers of 8, 4 and 1 bytes, @ for the
 * prefix of our messages and the head of one of 5 bytes, anything else for
 * itself. */
static void
give(struct feed *f, const char *fmt, ...)
{
	char out[256] = "w";
	char *p = out + 25;
	uint64_t v;
	va_list ap;
	int i, n;

	va_start(ap, fmt);
	for (; *fmt != '\0'; fmt++) {
		n = *fmt == 'q' ? 8 : *fmt == 'i' ? 4 : *fmt == 'b' ? 1 : 0;
		if (*fmt == '@') {
			memcpy(p, "pgsluice\0\0\0\0\5ab", 15);
			p += 15;
			continue;
		}
		if (n == 0) {
			*p++ = *fmt;
			continue;
		}
		v = va_arg(ap, unsigned);
		for (i = n - 1; i >= 0; i--)
			*p++ = (char)(v >> (8 * i));
	}
	va_end(ap);
	feed_stream_data(f, slice_make(out, (size_t)(p - out)));
}

static void
begin(struct feed *f, unsigned xid)
{
	give(f, "Bqqi", 100u, 1u, xid);
}

static void
commit(struct feed *f)
{
	give(f, "Cbqqq", 0u, 100u, 120u, 1u);
}

static void
insert(struct feed *f, unsigned relation)
{
	give(f, "IiNbb", relation, 0u, 0u);
}

static void
insert_streamed(struct feed *f, unsigned xid, unsigned relation)
{
	give(f, "IiiNbb", xid, relation, 0u, 0u);
}

static void
commit_streamed(struct feed *f, unsigned xid)
{
	give(f, "cibqqq", xid, 0u, 100u, 120u, 1u);
}

static void
test_transactions(void **state PG_UNUSED)
{
	struct feed *f = make();

	(void)bumped();
	begin(f, 700);
	insert(f, ITEM);
	assert_string_equal(bumped(), ""); /* not before it commits */
	commit(f);
	assert_string_equal(bumped(), "i");
	assert_int_equal(f->settle.n, 1);
	assert_int_equal(f->received, 120);
	begin(f, 701);
	commit(f);
	assert_int_equal(f->settle.n, 1);
	begin(f, 702);
	insert(f, 99999); /* of which nothing is known */
	commit(f);
	assert_string_equal(bumped(), "A");
	drop(f);
}

static void
test_streamed(void **state PG_UNUSED)
{
	struct feed *f = make();

	(void)bumped();
	give(f, "Sib", 800u, 1u);
	insert_streamed(f, 800, ITEM);
	give(f, "E");
	/* Another one in between. */
	begin(f, 700);
	insert(f, OTHER);
	commit(f);
	assert_string_equal(bumped(), "o");
	give(f, "Sib", 800u, 0u);
	insert_streamed(f, 801, OTHER); /* a subtransaction */
	give(f, "E");
	give(f, "Aii", 800u, 801u);
	commit_streamed(f, 800);
	assert_string_equal(bumped(), "io");
	assert_int_equal(f->n_txns, 0);
	give(f, "Sib", 900u, 1u);
	insert_streamed(f, 900, ITEM);
	give(f, "E");
	give(f, "Aii", 900u, 900u);
	assert_int_equal(f->n_txns, 0);
	assert_string_equal(bumped(), "");
	drop(f);
}

/* There is no room for all of them: what was not kept is everything, also if
 * there is room again before it commits. */
static void
test_too_many_streamed(void **state PG_UNUSED)
{
	struct feed *f = make();
	unsigned i;

	(void)bumped();
	for (i = 0; i <= TXNS_MAX; i++) {
		give(f, "Sib", 1000 + i, 1u);
		insert_streamed(f, 1000 + i, ITEM);
		give(f, "E");
	}
	assert_int_equal(f->n_txns, TXNS_MAX);
	commit_streamed(f, 1000);
	assert_string_equal(bumped(), "i");
	give(f, "Sib", 1000u + TXNS_MAX, 0u);
	insert_streamed(f, 1000 + TXNS_MAX, OTHER);
	give(f, "E");
	commit_streamed(f, 1000 + TXNS_MAX);
	assert_string_equal(bumped(), "A");
	drop(f);
}

static void
test_beats(void **state PG_UNUSED)
{
	struct feed *f = make();

	assert_int_equal(beats_send(&f->beats, 1000), 1);
	begin(f, 700); /* of another process */
	give(f, "Mbq@d:1", 1u, 1u);
	commit(f);
	assert_int_equal(f->beats.back, 0);
	begin(f, 701);
	give(f, "Mbq@c:1", 1u, 1u);
	assert_int_equal(f->beats.back, 0);
	commit(f);
	assert_int_equal(f->beats.back, 1);
	assert_int_equal(f->beats.proven, 1000);
	/* One that was never sent is no proof of anything. */
	begin(f, 702);
	give(f, "Mbq@c:7", 1u, 1u);
	commit(f);
	assert_int_equal(f->state, FEED_FAILED);
	drop(f);
}

static void
test_broken_streams(void **state PG_UNUSED)
{
	struct feed *f = make();

	insert(f, ITEM); /* outside of a transaction */
	assert_int_equal(f->state, FEED_FAILED);
	drop(f);
	f = make();
	give(f, "X");
	assert_int_equal(f->state, FEED_FAILED);
	drop(f);
	f = make();
	feed_stream_data(f, SLICE_LIT("nonsense"));
	assert_int_equal(f->state, FEED_FAILED);
	drop(f);
}

/* What was read under another configuration may mean something else now. */
static void
test_a_new_setup_widens(void **state PG_UNUSED)
{
	struct feed *f = make();

	(void)bumped();
	begin(f, 700);
	insert(f, ITEM);
	commit(f);
	begin(f, 701);
	insert(f, ITEM);
	(void)bumped();
	feed_set_setup(f, &setup, plan);
	commit(f);
	assert_string_equal(bumped(), "A");
	assert_int_equal(f->settle.n, 2);
	drop(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transactions),
		cmocka_unit_test(test_streamed),
		cmocka_unit_test(test_too_many_streamed),
		cmocka_unit_test(test_beats),
		cmocka_unit_test(test_broken_streams),
		cmocka_unit_test(test_a_new_setup_widens),
	};

	hash_init();
	log_threshold = LOG_L_ERROR;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
