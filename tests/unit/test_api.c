/* SPDX-License-Identifier: PostgreSQL
 *
 * Who may ask the JSON API, and for what.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admin/api_gate.h"
#include "admin/api_names.h"

static char name[] = "sluice.example";
static char *names[] = { name };

static struct conf
with(enum conf_http_dashboard how)
{
	return (struct conf){ .http_dashboard = how,
		.http_hosts = { names, 1 } };
}

/* ------------------------------------------------------------ the gate */

static void
test_hosts(void **state PG_UNUSED)
{
	static const struct {
		const char *host;
		bool ok;
	} all[] = {
		{ "localhost", true }, { "LOCALHOST:8080", true },
		{ "127.0.0.1", true }, { "10.1.2.3:80", true },
		{ "[::1]", true }, { "[fe80::1]:80", true },
		{ "sluice.example", true }, { "Sluice.Example:443", true },
		{ "evil.example", false }, { "sluice.example.evil", false },
		{ "127.0.0.1.evil.example", false }, { "[::1", false },
		{ "[::1]x", false }, { "", false }, { ":80", false },
		{ NULL, false }, { "localhost.evil", false },
	};
	struct conf c = with(HTTP_DASHBOARD_LOOPBACK);
	char longest[400];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		assert_int_equal(gate_host_ok(&c.http_hosts, all[i].host),
		    all[i].ok);
	memset(longest, '1', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_false(gate_host_ok(&c.http_hosts, longest));
}

static void
test_loopback(void **state PG_UNUSED)
{
	assert_true(gate_is_loopback("127.0.0.1"));
	assert_true(gate_is_loopback("127.8.9.1"));
	assert_true(gate_is_loopback("::1"));
	assert_true(gate_is_loopback("::ffff:127.0.0.1"));
	assert_false(gate_is_loopback("::ffff:10.0.0.1"));
	assert_false(gate_is_loopback("10.0.0.1"));
	assert_false(gate_is_loopback(""));
}

#define TOKEN "0123456789abcdef"

static void
test_gate(void **state PG_UNUSED)
{
	static const char *const here = "127.0.0.1", *const far = "10.0.0.9",
	    *const good = "bearer " TOKEN, *const bad = "Bearer " TOKEN "0",
	    *const basic = "Basic YTpi";
	static const struct {
		enum conf_http_dashboard how;
		const char *token, *peer, *authorization;
		bool action;
		int status;
		enum console_role role;
	} all[] = {
		{ HTTP_DASHBOARD_LOOPBACK, NULL, here, NULL, false, 0, CONSOLE_ROLE_READ },
		{ HTTP_DASHBOARD_LOOPBACK, NULL, far, NULL, false, 403, 0 },
		{ HTTP_DASHBOARD_LOOPBACK, TOKEN, far, good, true, 403, 0 },
		{ HTTP_DASHBOARD_LOOPBACK, NULL, here, basic, false, 0, CONSOLE_ROLE_READ },
		{ HTTP_DASHBOARD_LOOPBACK, NULL, here, good, true, 403, 0 },
		{ HTTP_DASHBOARD_LOOPBACK, "", here, "Bearer ", true, 403, 0 },
		{ HTTP_DASHBOARD_LOOPBACK, TOKEN, here, NULL, true, 401, 0 },
		{ HTTP_DASHBOARD_LOOPBACK, TOKEN, here, bad, true, 401, 0 },
		{ HTTP_DASHBOARD_LOOPBACK, TOKEN, here, bad, false, 401, 0 },
		{ HTTP_DASHBOARD_LOOPBACK, TOKEN, here, good, true, 0, CONSOLE_ROLE_ADMIN },
		{ HTTP_DASHBOARD_EVERYBODY, NULL, far, NULL, false, 0, CONSOLE_ROLE_READ },
		{ HTTP_DASHBOARD_EVERYBODY, TOKEN, far, good, true, 0, CONSOLE_ROLE_ADMIN },
		{ HTTP_DASHBOARD_TOKEN, TOKEN, here, NULL, false, 401, 0 },
		{ HTTP_DASHBOARD_TOKEN, TOKEN, far, good, false, 0, CONSOLE_ROLE_ADMIN },
		{ HTTP_DASHBOARD_OFF, TOKEN, here, good, false, 403, 0 },
	};
	struct gate_answer a;
	struct conf c;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all); i++) {
		c = with(all[i].how);
		a = gate_judge(&c, all[i].token, &(struct gate_request){
		    all[i].peer, "localhost", all[i].authorization,
		    all[i].action });
		assert_int_equal(a.status, all[i].status);
		assert_int_equal(a.role, all[i].role);
	}
	c = with(HTTP_DASHBOARD_EVERYBODY);
	a = gate_judge(&c, TOKEN, &(struct gate_request){ here,
	    "evil.example", good, false });
	assert_int_equal(a.status, 421);
}

/* ------------------------------------------------------------ names */

static const char *
show_of(const char *text)
{
	const struct command *c = api_show(slice_str(text));

	return c != NULL ? c->words : NULL;
}

static void
test_names(void **state PG_UNUSED)
{
	assert_string_equal(show_of("pools"), "SHOW POOLS");
	assert_string_equal(show_of("cache"), "SHOW CACHE");
	assert_string_equal(show_of("cache_candidates"),
	    "SHOW CACHE CANDIDATES");
	assert_string_equal(show_of("stats_totals"), "SHOW STATS_TOTALS");
	assert_string_equal(show_of("experiment"), "SHOW EXPERIMENT $");
	assert_null(show_of("Pools"));
	assert_null(show_of("pool"));
	assert_null(show_of(""));
	assert_null(show_of("fds"));
	assert_string_equal(api_page(SLICE_LIT("cache"))->name, "cache");
	assert_null(api_page(SLICE_LIT("counters")));
	assert_string_equal(api_action(SLICE_LIT("reload")), "RELOAD");
	assert_null(api_action(SLICE_LIT("shutdown")));
}

static void
test_compose(void **state PG_UNUSED)
{
	static const char *const two[] = { "a\"b", "c d" };
	static const char *const number[] = { "12" }, *const none[] = { "1x" };
	char out[64];

	assert_true(api_compose("SHOW POOLS", NULL, 0, out, sizeof(out)));
	assert_string_equal(out, "SHOW POOLS");
	assert_true(api_compose("X $ Y $", two, 2, out, sizeof(out)));
	assert_string_equal(out, "X \"a\"\"b\" Y \"c d\"");
	assert_true(api_compose("KILL #", number, 1, out, sizeof(out)));
	assert_string_equal(out, "KILL 12");
	assert_false(api_compose("KILL #", none, 1, out, sizeof(out)));
	assert_false(api_compose("X $", two, 2, out, sizeof(out)));
	assert_false(api_compose("X $ $ $", two, 2, out, sizeof(out)));
	assert_false(api_compose("X $ Y $", two, 2, out, 10));
}

/* Every command that pages and actions name is one, and has as many places. */
static void
test_tables(void **state PG_UNUSED)
{
	static const char *const words[] = {
#define API_SHOW(key, command, doc) command,
#include "tbl/api_pages.h"
#define API_ACTION(key, command, doc) command,
#include "tbl/api_actions.h"
	};
	static const char *const args[] = { "1", "1", "1" };
	struct command_line *line = x_malloc(sizeof(*line));
	char out[200];
	unsigned n;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		for (n = 0; !api_compose(words[i], args, n, out, sizeof(out));)
			assert_true(++n <= API_ARGS_MAX);
		assert_int_equal(command_parse(line, out), COMMAND_FITS);
		assert_string_equal(line->command->words, words[i]);
	}
	free(line);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_gate),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_compose),
		cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
