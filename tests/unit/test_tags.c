/* SPDX-License-Identifier: PostgreSQL
 *
 * Tags: slots of names, sets and their generations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/check.h"
#include "cache/tags.h"

static void
names_are_folded(void **state)
{
	(void)state;
	assert_int_equal(tag_of_table("Events"), tag_of_table("events"));
	assert_int_equal(tag_of_table("\"Events\""), tag_of_table("events"));
	assert_int_not_equal(tag_of_table("events"), tag_of_table("event"));
	assert_int_not_equal(tag_of_table("tb_post"), tag_of_table("tv_post"));
	/* Digits and signs next to the letters stay as they are. */
	assert_int_not_equal(tag_of_table("a["), tag_of_table("a{"));
	assert_int_not_equal(tag_of_table("a@"), tag_of_table("a`"));
}

static void
slots_are_the_same_in_every_process(void **state)
{
	(void)state;
	/* Unkeyed XXH3: these are constants of the format. */
	assert_int_equal(tag_of_table("events"), 11754);
	assert_int_equal(tag_of_table("t"), 174873);
	assert_int_equal(tag_of_column("events", "tenant_id"), 144495);
	assert_int_equal(tag_of_value("events", "tenant_id", 7), 52087);
}

static void
columns_and_values_are_told_apart(void **state)
{
	tag_t t[] = { tag_of_table("a"), tag_of_column("a", "k"),
		tag_of_column("b", "k"), tag_of_column("a", "l"),
		tag_of_value("a", "k", 0), tag_of_value("a", "k", 1),
		tag_of_value("b", "k", 1), tag_of_value("a", "l", 1) };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(t[i], t[k]);
	assert_int_equal(tag_of_value("A", "k", 1), tag_of_value("a", "k", 1));
}

static void
cut_names_share_a_slot(void **state)
{
	/* 63 bytes, as the server stores it, and longer as a client wrote it */
	char server[64], client[100];

	(void)state;
	memset(server, 'x', sizeof(server));
	memset(client, 'x', sizeof(client));
	server[63] = client[99] = '\0';
	assert_int_equal(tag_of_table(server), tag_of_table(client));
}

static void
encodings_share_a_slot(void **state)
{
	(void)state;
	/* The same name from a LATIN1 and from a UTF-8 client. */
	assert_int_equal(tag_of_table("t\xe4" "b"),
	    tag_of_table("t\xc3\xa4" "b"));
}

static void
no_table_is_slot_zero(void **state)
{
	unsigned i, low = 0;
	char name[32];

	(void)state;
	for (i = 0; i < 300000; i++) {
		snprintf(name, sizeof(name), "table_%u", i);
		tag_t t = tag_of_table(name);

		assert_true(t != TAG_ALL && t < TAG_SLOTS);
		low += t < TAG_SLOTS / 2;
	}
	assert_in_range(low, 148000, 152000); /* and they are spread */
}

static void
bumps_end_currency(void **state)
{
	tag_t a = tag_of_table("a"), b = tag_of_table("b");
	struct tagset s;

	(void)state;
	tagset_init(&s);
	tagset_add(&s, a);
	tagset_record(&s);
	assert_true(tagset_current(&s));
	tag_bump(b);
	assert_true(tagset_current(&s));
	tag_bump(a);
	assert_false(tagset_current(&s));
	tagset_record(&s);
	assert_true(tagset_current(&s));
	tag_bump(TAG_ALL);
	assert_false(tagset_current(&s));
}

static void
sets_hold_no_duplicates(void **state)
{
	struct tagset s;

	(void)state;
	tagset_init(&s);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.tag[0], TAG_ALL);
	tagset_add(&s, 5);
	tagset_add(&s, 5);
	tagset_add(&s, TAG_ALL);
	assert_int_equal(s.n, 2);
}

static void
full_sets_are_never_current(void **state)
{
	struct tagset s;
	tag_t t;

	(void)state;
	tagset_init(&s);
	for (t = 1; t < TAGSET_MAX; t++)
		tagset_add(&s, t);
	tagset_record(&s);
	assert_int_equal(s.n, TAGSET_MAX);
	assert_true(tagset_current(&s));
	tagset_add(&s, 3); /* there already */
	tagset_record(&s);
	assert_true(tagset_current(&s));
	tagset_add(&s, 1000);
	tagset_record(&s);
	assert_int_equal(s.n, TAGSET_MAX);
	assert_false(tagset_current(&s));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_folded),
		cmocka_unit_test(slots_are_the_same_in_every_process),
		cmocka_unit_test(columns_and_values_are_told_apart),
		cmocka_unit_test(cut_names_share_a_slot),
		cmocka_unit_test(encodings_share_a_slot),
		cmocka_unit_test(no_table_is_slot_zero),
		cmocka_unit_test(bumps_end_currency),
		cmocka_unit_test(sets_hold_no_duplicates),
		cmocka_unit_test(full_sets_are_never_current),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
