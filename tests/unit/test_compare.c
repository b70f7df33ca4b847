/* SPDX-License-Identifier: PostgreSQL
 *
 * Replies beside what an object holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cache/compare.h"

#define M(type, body) type "\0\0\0" body
#define DESC M("T", "\005d")
#define ROW_A M("D", "\005a")
#define ROW_B M("D", "\005b")
#define DONE M("C", "\005c")
#define READY M("Z", "\005I")
#define BOUND M("1", "\004") M("2", "\004")

static struct object *
stored(const char *frames, size_t n)
{
	struct cache_key k = { .form = KEY_SIMPLE };
	struct tagset tags;

	tagset_init(&tags);
	return object_new(&k, slice_make(frames, 0), slice_make(frames, n),
	    &tags);
}

#define S(text) text, sizeof(text) - 1

static void
assert_compares(const char *had, size_t n_had, const char *reply, size_t n,
    enum compare want)
{
	struct object *o = stored(had, n_had);

	assert_int_equal(compare_reply(o, reply, n), want);
	object_unref(&o);
}

static void
test_same(void **state)
{
	(void)state;
	assert_compares(S(DESC ROW_A ROW_B DONE),
	    S(DESC ROW_A ROW_B DONE READY), COMPARE_SAME);
	assert_compares(S(DESC ROW_A DONE), S(BOUND DESC ROW_A DONE READY),
	    COMPARE_SAME);
	assert_compares(S(DONE), S(BOUND DONE READY), COMPARE_SAME);
}

static void
test_different(void **state)
{
	(void)state;
	assert_compares(S(DESC ROW_A ROW_B DONE),
	    S(DESC ROW_B ROW_A DONE READY), COMPARE_REORDERED);
	assert_compares(S(DESC ROW_A ROW_B DONE),
	    S(DESC ROW_A ROW_A DONE READY), COMPARE_DIFFERENT);
	assert_compares(S(DESC ROW_A ROW_A DONE),
	    S(DESC ROW_A DONE READY), COMPARE_DIFFERENT);
	assert_compares(S(DESC ROW_A DONE), S(ROW_A DONE READY),
	    COMPARE_DIFFERENT);
}

static void
test_unusable(void **state)
{
	(void)state;
	assert_compares(S(DESC DONE), S(M("E", "\005x") READY),
	    COMPARE_UNUSABLE);
	assert_compares(S(DESC DONE), S(DESC READY), COMPARE_UNUSABLE);
	assert_compares(S(DESC DONE), S(DESC DONE), COMPARE_UNUSABLE);
	assert_compares(S(DESC DONE), S(DESC DONE DONE READY),
	    COMPARE_UNUSABLE);
	assert_compares(S(DESC DONE), S(DESC M("N", "\005x") DONE READY),
	    COMPARE_UNUSABLE);
	assert_compares(S(DESC DONE), S(DESC DONE READY READY),
	    COMPARE_UNUSABLE);
	assert_compares(S(DESC DONE), S(DESC "D\0\0\0\011"), COMPARE_UNUSABLE);
	assert_compares(S(DESC DONE), "", 0, COMPARE_UNUSABLE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_different),
		cmocka_unit_test(test_unusable),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
