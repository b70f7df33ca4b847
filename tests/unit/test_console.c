/* SPDX-License-Identifier: PostgreSQL
 *
 * Console commands: recognising them, and who may run which.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admin/console.c"

/* The words of the command that the text is; "" empty, NULL wrong. */
static const char *
parsed(const char *sql, uint64_t *number)
{
	const struct console_command *c = NULL;
	uint64_t n = 0;

	switch (console_parse(sql, &c, number != NULL ? number : &n)) {
	case PARSED_COMMAND:
		return c->words;
	case PARSED_EMPTY:
		return "";
	case PARSED_WRONG:
		break;
	}
	return NULL;
}

static void
test_recognised(void **state PG_UNUSED)
{
	assert_string_equal(parsed("SHOW POOLS", NULL), "SHOW POOLS");
	assert_string_equal(parsed("show pools;", NULL), "SHOW POOLS");
	assert_string_equal(parsed(" \t\nShOw\n  pOOls ; ;; \r\n", NULL),
	    "SHOW POOLS");
	assert_string_equal(parsed(";show pools", NULL), "SHOW POOLS");
	assert_string_equal(parsed("reload", NULL), "RELOAD");
	assert_string_equal(parsed("flush  cache", NULL), "FLUSH CACHE");
	assert_string_equal(parsed("set a to 'b c'", NULL), "SET *");
	assert_string_equal(parsed("begin", NULL), "BEGIN *");
	assert_string_equal(parsed("BEGIN isolation level serializable",
	    NULL), "BEGIN *");
}

static void
test_every_row(void **state PG_UNUSED)
{
	char text[128];
	char *p;
	unsigned i;

	assert_true(console_n_commands > 20);
	for (i = 0; i < console_n_commands; i++) {
		snprintf(text, sizeof(text), "%s;", console_commands[i].words);
		for (p = text; *p != '\0'; p++)
			*p = *p == '#' ? '7' : *p == '*' ? 'x' :
			    (char)tolower((unsigned char)*p);
		assert_string_equal(parsed(text, NULL),
		    console_commands[i].words);
		assert_int_not_equal(console_commands[i].permission,
		    CONSOLE_DENY);
		assert_true(strlen(console_commands[i].help) > 5);
	}
}

static void
test_empty(void **state PG_UNUSED)
{
	assert_string_equal(parsed("", NULL), "");
	assert_string_equal(parsed(" ;\n; ", NULL), "");
}

static void
test_wrong(void **state PG_UNUSED)
{
	static const char *const texts[] = { "show", "show pool",
		"show poolss", "show pools x", "pools", "select 1",
		"show pools; show pools", "show;pools", "kill_client",
		"kill_client x", "kill_client 1 2", "kill_client -1",
		"kill_client 1x", "kill_client 99999999999999999999",
		"reload now", "setx", "# 1", "*", "show #" };
	char *longer = malloc(CONSOLE_TEXT_MAX + 10);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++)
		if (parsed(texts[i], NULL) != NULL)
			fail_msg("\"%s\" was taken", texts[i]);
	/* Longer than is looked at; more words than are counted. */
	memset(longer, ' ', CONSOLE_TEXT_MAX + 9);
	longer[CONSOLE_TEXT_MAX + 9] = '\0';
	memcpy(longer, "reload", 6);
	assert_null(parsed(longer, NULL));
	longer[0] = '\0';
	for (i = 0; i <= CONSOLE_WORDS_MAX; i++)
		strcat(longer, "set ");
	assert_null(parsed(longer, NULL));
	free(longer);
}

static void
test_number(void **state PG_UNUSED)
{
	uint64_t n = 0;

	assert_string_equal(parsed("kill_client 257", &n), "KILL_CLIENT #");
	assert_int_equal(n, 257);
	assert_string_equal(parsed("kill_client 18446744073709551615", &n),
	    "KILL_CLIENT #");
	assert_true(n == UINT64_MAX);
}

static void
test_permissions(void **state PG_UNUSED)
{
	assert_true(console_may(CONSOLE_LOOK, false, true));
	assert_true(console_may(CONSOLE_LOOK, true, false));
	assert_false(console_may(CONSOLE_LOOK, false, false));
	assert_true(console_may(CONSOLE_ADMIN, true, true));
	assert_false(console_may(CONSOLE_ADMIN, false, true));
	assert_false(console_may(CONSOLE_DENY, true, true));
	assert_false(console_may((enum console_permission)9, true, true));
	/* A row that says nothing is denied. */
	assert_int_equal((struct console_command){ .words = "X" }.permission,
	    CONSOLE_DENY);
}

/* Everything that changes something is for admins. */
static void
test_looking_changes_nothing(void **state PG_UNUSED)
{
	static const char *const harmless[] = { "SHOW ", "SET ", "BEGIN ",
		"COMMIT ", "ROLLBACK " };
	unsigned i;
	size_t k;
	bool ok;

	for (i = 0; i < console_n_commands; i++) {
		if (console_commands[i].permission != CONSOLE_LOOK)
			continue;
		ok = false;
		for (k = 0; k < ARRAY_SIZE(harmless); k++)
			ok = ok || strncmp(console_commands[i].words,
			    harmless[k], strlen(harmless[k])) == 0;
		assert_true(ok);
	}
}

static void
test_diag_text(void **state PG_UNUSED)
{
	struct conf_diag d = { .n = 2, .msg = { x_strdup("a:1: x"),
		x_strdup("a:2: y") } };
	char *text = console_diag_text(&d);

	assert_string_equal(text, "a:1: x\na:2: y");
	free(text);
	conf_diag_fini(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recognised),
		cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_permissions),
		cmocka_unit_test(test_looking_changes_nothing),
		cmocka_unit_test(test_diag_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
