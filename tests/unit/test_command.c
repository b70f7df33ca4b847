/* SPDX-License-Identifier: PostgreSQL
 *
 * Console commands: recognising them, and who may run which.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admin/command.c"

static struct command_line line;

/* The words of the command that the text is; NULL: none. */
static const char *
parsed(const char *sql)
{
	return command_parse(&line, sql) == COMMAND_FITS ?
	    line.command->words : NULL;
}

static void
test_recognised(void **state PG_UNUSED)
{
	assert_string_equal(parsed("SHOW POOLS"), "SHOW POOLS");
	assert_string_equal(parsed("show pools;"), "SHOW POOLS");
	assert_string_equal(parsed(" \t\nShOw\n  pOOls ; ;; \r\n"),
	    "SHOW POOLS");
	assert_string_equal(parsed(";show pools"), "SHOW POOLS");
	assert_string_equal(parsed("/* by: me */ show -- this\npools"),
	    "SHOW POOLS");
	assert_string_equal(parsed("reload"), "RELOAD");
	assert_string_equal(parsed("flush  cache"), "FLUSH CACHE");
	assert_string_equal(parsed("set DateStyle to 'ISO'"), "SET & *");
	assert_string_equal(parsed("SET SESSION CHARACTERISTICS AS "
	    "TRANSACTION READ ONLY"), "SET & *");
	assert_string_equal(parsed("begin"), "BEGIN *");
	assert_string_equal(parsed("BEGIN isolation level serializable"),
	    "BEGIN *");
}

static void
test_names(void **state PG_UNUSED)
{
	assert_non_null(parsed("invalidate table 'app.events' tenant 'a b' "
	    "month 2026-01"));
	assert_int_equal(line.n_names, 3);
	assert_string_equal(line.name, "app.events");
	assert_string_equal(line.more[0], "a b");
	assert_string_equal(line.more[1], "2026-01");
	assert_null(parsed("invalidate table t month 2026-01 tenant 1"));
	assert_null(parsed("invalidate table"));
	assert_string_equal(parsed("pause app"), "PAUSE $");
	assert_int_equal(line.n_names, 1);
	assert_string_equal(line.name, "app");
}

/* A text that fits the pattern of a command. */
static void
example(const char *words, char *out)
{
	for (; *words != '\0'; words++)
		switch (*words) {
		case '#': out = stpcpy(out, "7"); break;
		case '$': out = stpcpy(out, "\"Name x\""); break;
		case '%': out = stpcpy(out, "Query_Timeout"); break;
		case '&': out = stpcpy(out, "TimeZone"); break;
		case '+': out = stpcpy(out, "'a b' c"); break;
		case '*': out = stpcpy(out, "x"); break;
		default: *out++ = (char)tolower((unsigned char)*words);
		}
	strcpy(out, ";");
}

static void
test_every_row(void **state PG_UNUSED)
{
	char text[200];
	unsigned i;

	assert_true(n_commands > 20);
	for (i = 0; i < n_commands; i++) {
		example(commands[i].words, text);
		assert_string_equal(parsed(text), commands[i].words);
		assert_true(strlen(commands[i].help) > 5);
		assert_non_null(commands[i].run);
		assert_int_equal(commands[i].columns[0] != '\0',
		    (strncmp(commands[i].words, "SHOW", 4) == 0 ||
		    strncmp(commands[i].words, "CHECK", 5) == 0 ||
		    strncmp(commands[i].words, "INVALIDATE ", 11) == 0) &&
		    strcmp(commands[i].words, "INVALIDATE ALL") != 0 &&
		    commands[i].run != console_absent);
	}
}

static void
test_refused(void **state PG_UNUSED)
{
	static const struct {
		const char *text;
		enum command_verdict verdict;
	} all[] = {
		{ "", COMMAND_EMPTY }, { " ;\n; -- x", COMMAND_EMPTY },
		{ "/* x */", COMMAND_EMPTY },
		{ "show", COMMAND_UNKNOWN }, { "show pool", COMMAND_UNKNOWN },
		{ "show poolss", COMMAND_UNKNOWN },
		{ "show pools x", COMMAND_UNKNOWN },
		{ "show \"pools\"", COMMAND_UNKNOWN },
		{ "pools", COMMAND_UNKNOWN }, { "set", COMMAND_UNKNOWN },
		{ "kill_client", COMMAND_UNKNOWN },
		{ "kill_client x", COMMAND_UNKNOWN },
		{ "kill_client 1 2", COMMAND_UNKNOWN },
		{ "kill_client -1", COMMAND_UNKNOWN },
		{ "kill_client 1x", COMMAND_UNKNOWN },
		{ "kill_client 99999999999999999999", COMMAND_UNKNOWN },
		{ "reload now", COMMAND_UNKNOWN },
		{ "setx", COMMAND_UNKNOWN }, { "# 1", COMMAND_UNKNOWN },
		{ "*", COMMAND_UNKNOWN }, { "show #", COMMAND_UNKNOWN },
		{ "show pools; show pools", COMMAND_SEVERAL },
		{ "show;pools", COMMAND_SEVERAL },
		{ "kill_client $1", COMMAND_PARAMETER },
		{ "select 1", COMMAND_SQL },
		{ "/* x */ WITH a AS (SELECT 1) TABLE a", COMMAND_SQL },
		{ "set nothing = 1", COMMAND_SETTING },
		{ "show 'pools", COMMAND_OPEN },
		{ "show \"pools", COMMAND_OPEN },
		{ "show pools /*", COMMAND_OPEN },
		{ "show pools /*/", COMMAND_OPEN },
	};
	char *longer = malloc(COMMAND_TEXT_MAX + 1);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		if (command_parse(&line, all[i].text) != all[i].verdict)
			fail_msg("\"%s\" was taken for something else",
			    all[i].text);
	for (i = COMMAND_LONG; i < COMMAND_VERDICT_COUNT; i++) {
		assert_int_equal(strlen(command_refusal(i)->sqlstate), 5);
		assert_non_null(command_refusal(i)->hint);
	}
	/* More bytes, and more words, than are looked at. */
	memset(longer, ' ', COMMAND_TEXT_MAX);
	longer[COMMAND_TEXT_MAX] = '\0';
	memcpy(longer, "reload", 6);
	assert_int_equal(command_parse(&line, longer), COMMAND_LONG);
	longer[COMMAND_TEXT_MAX - 1] = '\0';
	assert_int_equal(command_parse(&line, longer), COMMAND_FITS);
	longer[0] = '\0';
	for (i = 0; i <= COMMAND_WORDS_MAX; i++)
		strcat(longer, "set ");
	assert_int_equal(command_parse(&line, longer), COMMAND_LONG);
	free(longer);
}

/* Nothing is longer than its room: one byte words, each its own. */
static void
test_room(void **state PG_UNUSED)
{
	char *text = malloc(COMMAND_TEXT_MAX);

	memset(text, '=', COMMAND_TEXT_MAX - 1);
	text[COMMAND_TEXT_MAX - 1] = '\0';
	assert_int_equal(command_parse(&line, text), COMMAND_LONG);
	memset(text, 'x', COMMAND_TEXT_MAX - 1);
	memcpy(text, "set names ", 10);
	assert_int_equal(command_parse(&line, text), COMMAND_FITS);
	free(text);
}

static void
test_number(void **state PG_UNUSED)
{
	assert_string_equal(parsed("kill_client 257"), "KILL_CLIENT #");
	assert_int_equal(line.number, 257);
	assert_string_equal(parsed("kill_client 18446744073709551615"),
	    "KILL_CLIENT #");
	assert_true(line.number == UINT64_MAX);
}

/* ---- permission ---- */

/* Every command x every role, counted out by hand from the words of the
 * table, not from the function under test. */
static void
test_matrix(void **state PG_UNUSED)
{
	static const struct {
		const char *words, *permission;
	} table[] = {
#define COMMAND(words, permission, handler, columns, help) \
		{ words, #permission },
#define ABSENT(words, permission, why) { words, #permission },
#include "tbl/console_commands.h"
	};
	static const struct {
		const char *permission, *allowed; /* n, r, o, a */
	} expect[] = { { "DENY", "----" }, { "READ", "-roa" },
		{ "OPERATE", "--oa" }, { "ADMIN", "---a" } };
	static const enum console_role roles[] = { CONSOLE_ROLE_NONE,
		CONSOLE_ROLE_READ, CONSOLE_ROLE_OPERATE, CONSOLE_ROLE_ADMIN };
	unsigned i, k, r, cells = 0;

	assert_int_equal(ARRAY_SIZE(table), n_commands);
	for (i = 0; i < n_commands; i++) {
		for (k = 0; k < ARRAY_SIZE(expect); k++)
			if (strcmp(expect[k].permission,
			    table[i].permission) == 0)
				break;
		assert_in_range(k, 0, ARRAY_SIZE(expect) - 1);
		for (r = 0; r < ARRAY_SIZE(roles); r++, cells++)
			if (command_may(roles[r], commands[i].permission) !=
			    (expect[k].allowed[r] != '-'))
				fail_msg("%s as role %u", table[i].words, r);
	}
	assert_int_equal(cells, n_commands * 4);
}

static void
test_deny_by_default(void **state PG_UNUSED)
{
	/* A row that says nothing is denied. */
	assert_int_equal((struct command){ .words = "X" }.permission,
	    COMMAND_DENY);
	assert_false(command_may(CONSOLE_ROLE_ADMIN, COMMAND_DENY));
	assert_false(command_may(CONSOLE_ROLE_ADMIN,
	    (enum command_permission)9));
	assert_string_equal(command_permission_name(COMMAND_DENY), "nobody");
	assert_string_equal(command_permission_name(COMMAND_READ), "read");
	assert_string_equal(command_permission_setting(COMMAND_OPERATE),
	    "operator_users");
}

/* Whoever may only look changes nothing; settings and the end are for
 * admins. */
static void
test_permissions_make_sense(void **state PG_UNUSED)
{
	static const char *const harmless[] = { "SHOW ", "SET &", "BEGIN ",
		"START TRANSACTION ", "COMMIT ", "ROLLBACK ", "RESET *", "DISCARD " };
	static const char *const grave[] = { "SET %", "SHUTDOWN", "RELOAD" };
	unsigned i;
	size_t k;
	bool ok;

	for (i = 0; i < n_commands; i++) {
		ok = false;
		for (k = 0; k < ARRAY_SIZE(harmless); k++)
			ok = ok || strncmp(commands[i].words, harmless[k],
			    strlen(harmless[k])) == 0;
		/* Texts of statements may hold what others should not see. */
		if (strcmp(commands[i].words, "SHOW PREPARED_STATEMENTS") == 0)
			ok = false;
		assert_int_equal(ok, commands[i].permission == COMMAND_READ);
		for (k = 0; k < ARRAY_SIZE(grave); k++)
			if (strncmp(commands[i].words, grave[k],
			    strlen(grave[k])) == 0)
				assert_int_equal(commands[i].permission,
				    COMMAND_ADMIN);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recognised),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_matrix),
		cmocka_unit_test(test_deny_by_default),
		cmocka_unit_test(test_permissions_make_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
