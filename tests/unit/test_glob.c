/* SPDX-License-Identifier: PostgreSQL
 *
 * Patterns mean what Redis takes them for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "cache/glob.h"

static const struct {
	const char *pattern, *text;
	bool fits;
} rows[] = {
	{ "", "", true }, { "", "a", false }, { "a", "", false },
	{ "*", "", true }, { "*", "abc", true }, { "**", "a", true },
	{ "model:42:*", "model:42:details", true },
	{ "model:42:*", "model:421:details", false },
	{ "model:42:*", "my:model:42:details", false },
	{ "model:*:details", "model:a:b:details", true },
	{ "*:details", "model:42:details", true },
	{ "*:details", "model:42:details:", false },
	{ "*ab*ab", "abab", true }, { "*ab*ab", "ab", false },
	{ "*aab", "aaaab", true },
	{ "a?c", "abc", true }, { "a?c", "ac", false }, { "?", "", false },
	{ "[abc]x", "bx", true }, { "[abc]x", "dx", false },
	{ "[a-c]", "b", true }, { "[c-a]", "b", true }, { "[a-c]", "d", false },
	{ "[^a]", "b", true }, { "[^a]", "a", false }, { "[\\]]", "]", true },
	{ "[a", "a", true }, { "[", "a", false }, { "[]", "a", false },
	{ "\\*", "*", true }, { "\\*", "a", false }, { "\\", "\\", true },
	{ "of:%2A", "of:%2A", true },
};

static void
patterns(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (glob_match(slice_str(rows[i].pattern),
		    slice_str(rows[i].text)) != rows[i].fits)
			fail_msg("'%s' and '%s': not %d", rows[i].pattern,
			    rows[i].text, rows[i].fits);
}

static void
many_stars_end_soon(void **state)
{
	char text[300], pattern[300];

	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = i % 2 ? 'a' : '*';
	pattern[299] = 'b';
	assert_false(glob_match(slice_make(pattern, sizeof(pattern)),
	    slice_make(text, sizeof(text))));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns),
		cmocka_unit_test(many_stars_end_soon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
