/* SPDX-License-Identifier: PostgreSQL
 *
 * Rules and user name maps: what is taken, what is refused and why, and which
 * rule a connection meets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "auth/hba.h"
#include "auth/tokens.h"
#include "base/check.h"

static char err[512];

static struct hba *
parse(const char *rules, const char *ident)
{
	return hba_parse("r", slice_str(rules), "i", slice_str(ident), err,
	    sizeof(err));
}

static void
refuse_both(const char *rules, const char *ident, const char *expected)
{
	struct hba *h = parse(rules, ident);

	if (h != NULL)
		fail_msg("taken: %s%s", rules, ident);
	if (strncmp(err, expected, strlen(expected)) != 0)
		fail_msg("\"%s\", expected \"%s\"", err, expected);
}

#define refuse(rules, expected) refuse_both(rules, "", expected)

/* ---- tokens ---- */

/* All tokens as "line:field:text" with q before quoted ones. */
static const char *
cut(const char *text)
{
	static struct tokens t;
	static char out[2000];
	const char *why;
	char *at = out;
	unsigned i;
	int r;

	*at = '\0';
	tokens_init(&t, text, strlen(text));
	while ((r = tokens_next(&t, &why)) == 1)
		for (i = 0; i < t.n; i++)
			at += sprintf(at, "%d.%u%s%s ", t.line, t.v[i].field,
			    t.v[i].quoted ? "q" : ":", t.v[i].text);
	if (r < 0)
		sprintf(at, "%d!%s", t.line, why);
	return out;
}

static void
test_tokens(void **state PG_UNUSED)
{
	static const struct { const char *text, *cut; } cases[] = {
		{ "", "" }, { "\n\n", "" }, { "# all\n  # more", "" },
		{ "a b\tc", "1.0:a 1.1:b 1.2:c " },
		{ "a,b c", "1.0:a 1.0:b 1.1:c " },
		{ "a, b ,c d", "1.0:a 1.0:b 1.1:c 1.2:d " },
		{ "a b#c\nd", "1.0:a 1.1:b 2.0:d " },
		{ "\"a b,c#\" d", "1.0qa b,c# 1.1:d " },
		{ "\"a\"\"b\" \"\"", "1.0qa\"b 1.1q " },
		{ "a\"b c\"d", "1.0:ab cd " },
		{ "a \\\n b\nc", "1.0:a 1.1:b 3.0:c " },
		{ "a\\\r\nb\r\nc", "1.0:ab 3.0:c " },
		{ "a\\", "1.0:a\\ " },
		{ "a,,b", "1.0:a 1.0:b " },
		{ "a\n\"b", "1.0:a 2!a quote is never closed, expected a \"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(cut(cases[i].text), cases[i].cut);
}

static void
test_long_lines(void **state PG_UNUSED)
{
	static char text[TOKENS_LINE_MAX + 2];

	memset(text, 'x', TOKENS_LINE_MAX);
	assert_int_equal(strlen(cut("x")), 6);
	memset(text, ' ', TOKENS_LINE_MAX);
	text[TOKENS_LINE_MAX - 1] = 'x';
	assert_string_equal(cut(text), "1.0:x ");
	text[TOKENS_LINE_MAX] = 'y';
	assert_non_null(strstr(cut(text), "line too long"));
	for (size_t i = 0; i < TOKENS_LINE_MAX; i++)
		text[i] = i % 2 == 0 ? 'x' : ' ';
	text[TOKENS_LINE_MAX] = '\0';
	assert_non_null(strstr(cut(text), "too many values"));
}

/* ---- matching ---- */

/* Line of the rule that fits; 0: none. from NULL: unix socket. */
static int
ask_full(const struct hba *h, const char *from, bool tls, bool replication,
    const char *database, const char *user)
{
	struct sockaddr_storage ss = { .ss_family = AF_UNIX };
	struct hba_ask a = { .database = database, .user = user, .tls = tls,
		.replication = replication, .from = (struct sockaddr *)&ss };
	const struct hba_rule *r;

	if (from != NULL && strchr(from, ':') != NULL) {
		ss.ss_family = AF_INET6;
		assert_int_equal(inet_pton(AF_INET6, from,
		    &((struct sockaddr_in6 *)&ss)->sin6_addr), 1);
	} else if (from != NULL) {
		ss.ss_family = AF_INET;
		assert_int_equal(inet_pton(AF_INET, from,
		    &((struct sockaddr_in *)&ss)->sin_addr), 1);
	}
	r = hba_match(h, &a);
	return r != NULL ? r->line : 0;
}

static int
ask(const struct hba *h, const char *from, bool tls, const char *database,
    const char *user)
{
	return ask_full(h, from, tls, false, database, user);
}

/* Every transport against every kind of line: the one in force counts. */
static void
test_transports(void **state PG_UNUSED)
{
	static const struct { const char *type; bool local, plain, tls; }
	cases[] = {
		{ "local all all trust", true, false, false },
		{ "host all all all trust", false, true, true },
		{ "hostssl all all all trust", false, false, true },
		{ "hostnossl all all all trust", false, true, false },
		{ "hostnogssenc all all all trust", false, true, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct hba *h = parse(cases[i].type, "");

		assert_non_null(h);
		assert_int_equal(ask(h, NULL, false, "d", "u"),
		    cases[i].local);
		assert_int_equal(ask(h, NULL, true, "d", "u"), cases[i].local);
		assert_int_equal(ask(h, "10.1.2.3", false, "d", "u"),
		    cases[i].plain);
		assert_int_equal(ask(h, "10.1.2.3", true, "d", "u"),
		    cases[i].tls);
		assert_int_equal(ask(h, "2001:db8::1", true, "d", "u"),
		    cases[i].tls);
		hba_unref(&h);
	}
}

static void
test_first_match_wins(void **state PG_UNUSED)
{
	struct hba *h = parse(
	    "host  sales     bob        10.0.0.0/8       reject\n"
	    "host  sales,hr  bob,alice  10.0.0.0 255.0.0.0 md5\n"
	    "host  sameuser  all        2001:db8::/32    scram-sha-256\n"
	    "host  /^app_    /[0-9]$    192.168.7.0/25   trust\n"
	    "host  \"all\"   \"all\"    0.0.0.0/0        trust\n"
	    "host  replication all      127.0.0.1/32     password\n"
	    "local all       all                         peer\n", "");

	assert_non_null(h);
	assert_int_equal(hba_count(h), 7);
	assert_int_equal(ask(h, "10.9.9.9", false, "sales", "bob"), 1);
	assert_int_equal(ask(h, "10.9.9.9", false, "sales", "alice"), 2);
	assert_int_equal(ask(h, "10.9.9.9", true, "hr", "bob"), 2);
	assert_int_equal(ask(h, "11.0.0.1", false, "hr", "bob"), 0);
	assert_int_equal(ask(h, "2001:db8:1::1", false, "eve", "eve"), 3);
	assert_int_equal(ask(h, "2001:db8:1::1", false, "eve", "bob"), 0);
	assert_int_equal(ask(h, "2001:db9::1", false, "eve", "eve"), 0);
	assert_int_equal(ask(h, "192.168.7.127", false, "app_x", "u1"), 4);
	assert_int_equal(ask(h, "192.168.7.128", false, "app_x", "u1"), 0);
	assert_int_equal(ask(h, "192.168.7.1", false, "xapp_", "u1"), 0);
	assert_int_equal(ask(h, "192.168.7.1", false, "app_x", "u"), 0);
	/* Quoted keywords are names. */
	assert_int_equal(ask(h, "8.8.8.8", false, "all", "all"), 5);
	assert_int_equal(ask(h, "8.8.8.8", false, "d", "u"), 0);
	/* An IPv4 client at a socket for both families. */
	assert_int_equal(ask(h, "::ffff:10.9.9.9", false, "sales", "bob"), 1);
	/* Physical replication fits that word and no other. */
	assert_int_equal(ask_full(h, "127.0.0.1", false, true, "d", "u"), 6);
	assert_int_equal(ask_full(h, "10.9.9.9", false, true, "hr", "bob"), 0);
	assert_int_equal(ask_full(h, NULL, false, true, "d", "u"), 0);
	assert_int_equal(ask(h, "127.0.0.1", false, "replication", "u"), 0);
	assert_int_equal(ask(h, NULL, false, "d", "u"), 7);
	hba_unref(&h);
	assert_null(h);
}

static void
test_own_addresses(void **state PG_UNUSED)
{
	struct hba *h = parse("host all all samehost trust\n"
	    "host all all samenet reject", "");

	assert_non_null(h);
	assert_int_equal(ask(h, "127.0.0.1", false, "d", "u"), 1);
	assert_int_equal(ask(h, "127.0.0.2", false, "d", "u"), 2);
	assert_int_equal(ask(h, "240.1.2.3", false, "d", "u"), 0);
	hba_unref(&h);
}

static void
test_options(void **state PG_UNUSED)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct hba_ask a = { .database = "d", .user = "u", .tls = true,
		.from = (struct sockaddr *)&in };
	const struct hba_rule *r;
	struct hba *h = parse("hostssl d u all cert map=m clientname=DN",
	    "m x y");

	assert_non_null(h);
	assert_true(hba_wants_certificates(h));
	r = hba_match(h, &a);
	assert_int_equal(r->method, AUTH_CERT);
	assert_int_equal(r->clientcert, CLIENTCERT_VERIFY_FULL);
	assert_true(r->clientname_dn);
	assert_string_equal(r->map, "m");
	hba_unref(&h);
	h = parse("hostssl d u all md5 clientcert=verify-ca", "");
	r = hba_match(h, &a);
	assert_int_equal(r->clientcert, CLIENTCERT_VERIFY_CA);
	assert_null(r->map);
	hba_unref(&h);
	h = parse("hostssl d u all md5", "");
	assert_false(hba_wants_certificates(h));
	hba_unref(&h);
}

/* What a method alone, without a file, lets in. */
static void
test_of_method(void **state PG_UNUSED)
{
	static const struct { enum auth_method m; bool local, plain, tls; }
	cases[] = {
		{ AUTH_TRUST, true, true, true },
		{ AUTH_REJECT, false, false, false },
		{ AUTH_PASSWORD, true, false, true },
		{ AUTH_MD5, true, true, true },
		{ AUTH_SCRAM, true, true, true },
		{ AUTH_CERT, false, false, true },
		{ AUTH_PEER, true, false, false },
	};

	assert_int_equal(ARRAY_SIZE(cases), AUTH_METHOD_COUNT);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct hba *h = hba_of_method(cases[i].m);

		assert_int_equal(ask(h, NULL, false, "d", "u") != 0,
		    cases[i].local);
		assert_int_equal(ask(h, "::1", false, "d", "u") != 0,
		    cases[i].plain);
		assert_int_equal(ask(h, "::1", true, "d", "u") != 0,
		    cases[i].tls);
		hba_unref(&h);
	}
}

/* ---- mistakes ---- */

static void
test_mistakes(void **state PG_UNUSED)
{
	refuse("\n\nhos all all all trust", "r:3: unknown connection type");
	refuse("hostgssenc all all all trust", "r:1: GSSAPI encryption");
	refuse("host", "r:1: line ends early, expected a database");
	refuse("host all", "r:1: line ends early, expected a user");
	refuse("host all all", "r:1: line ends early, expected an address");
	refuse("host all all 1.2.3.4", "r:1: line ends early, expected a mask");
	refuse("local all all", "r:1: line ends early, expected a method");
	refuse("host all all all", "r:1: line ends early, expected a method");
	refuse("host,local all all all trust", "r:1: a list, expected a conn");
	refuse("host all all 1.2.3.4,5.6.7.8 trust", "r:1: a list, expected an");
	refuse("local all all trust,md5", "r:1: a list, expected a method");
	refuse("host all all 1.2.3.4 trust", "r:1: 'trust' is not a mask");
	refuse("host all all 1.2.3.4 ::1 trust", "r:1: '::1' is not a mask");
	refuse("host all all 1.2.3.4/33 trust", "r:1: '1.2.3.4/33' has no such");
	refuse("host all all ::1/129 trust", "r:1: '::1/129' has no such mask");
	refuse("host all all 1.2.3.4/ trust", "r:1: '1.2.3.4/' has no such");
	refuse("host all all 1.2.3.4/-1 trust", "r:1: '1.2.3.4/-1' has no");
	refuse("host all all 1.2.3/8 trust", "r:1: '1.2.3/8' is not an addr");
	refuse("host all all example.com trust", "r:1: 'example.com' is a host");
	refuse("host all all .example.com trust", "r:1: '.example.com' is a");
	refuse("host all all all ident", "r:1: method 'ident' is not supported");
	refuse("host all all all scram", "r:1: unknown method 'scram'");
	refuse("host all all all peer", "r:1: peer needs a unix socket");
	refuse("host all all all cert", "r:1: cert needs TLS");
	refuse("local all all cert", "r:1: cert needs TLS");
	refuse("host all +dba all trust", "r:1: '+dba': membership");
	refuse("host all @dba all trust", "r:1: '@dba': names out of a file");
	refuse("host samerole all all trust", "r:1: 'samerole' is not supp");
	refuse("host all /( all trust", "r:1: '/(' is not a regular expr");
	refuse("local all all trust x", "r:1: 'x' is not an option");
	refuse("local all all trust x=y", "r:1: unknown option 'x=y'");
	refuse("local all all trust map=m", "r:1: map with trust");
	refuse("local all all md5 clientcert=verify-ca", "r:1: clientcert need");
	refuse("hostssl all all all md5 clientcert=1", "r:1: clientcert=1: exp");
	refuse("hostssl all all all cert clientcert=verify-ca", "r:1: clientce");
	refuse("hostssl all all all cert clientname=X", "r:1: clientname=X");
	refuse("local all all peer\nlocal all all peer map=m",
	    "r:2: map=m: no such map");
	refuse("local all \"bob trust", "r:1: a quote is never closed");
	refuse("local all bob\1\n", "r:1: line ends early");
	refuse_both("local all all trust", "m x", "i:1: expected map-name");
	refuse_both("local all all trust", "\nm x y z", "i:2: more than three");
	refuse_both("local all all trust", "m x,y z", "i:1: expected map-name");
	refuse_both("local all all trust", "m /( z", "i:1: '/(' is not");
	refuse_both("local all all trust", "m /x \\1", "i:1: '/x' has no group");
	refuse_both("local all all trust", "m x +y", "i:1: user '+y': groups");
	refuse_both("local all all trust", "include a b", "i:1: 'include' is");
}

static void
test_zero_byte(void **state PG_UNUSED)
{
	static const char text[] = "local all a\0b trust";

	assert_null(hba_parse("r", slice_make(text, sizeof(text) - 1), "",
	    slice_make(NULL, 0), err, sizeof(err)));
	assert_string_equal(err, "r:1: zero byte, expected text");
}

/* ---- maps ---- */

static void
test_maps(void **state PG_UNUSED)
{
	struct hba *h = parse("local all all peer map=m",
	    "m  root           postgres\n"
	    "m  /^(.*)@corp$   \\1\n"
	    "m  /^op-(x)?      op\\1er\n"
	    "m  \"al ice\"     alice\n"
	    "m  admin          all\n"
	    "m  quoted         \"all\"\n"
	    "n  root           other\n");

	assert_non_null(h);
	assert_true(hba_ident(h, "m", "root", "postgres"));
	assert_false(hba_ident(h, "m", "root", "other"));
	assert_true(hba_ident(h, "n", "root", "other"));
	assert_true(hba_ident(h, "m", "bob@corp", "bob"));
	assert_false(hba_ident(h, "m", "bob@corp", "alice"));
	assert_false(hba_ident(h, "m", "bob@corpse", "bob"));
	assert_false(hba_ident(h, "m", "bob", "bob"));
	assert_true(hba_ident(h, "m", "op-x", "opxer"));
	assert_true(hba_ident(h, "m", "op-", "oper"));
	assert_false(hba_ident(h, "m", "op-", "op\\1er"));
	assert_true(hba_ident(h, "m", "al ice", "alice"));
	assert_true(hba_ident(h, "m", "admin", "whoever"));
	assert_false(hba_ident(h, "m", "quoted", "whoever"));
	assert_true(hba_ident(h, "m", "quoted", "all"));
	assert_false(hba_ident(h, "k", "root", "root"));
	assert_true(hba_ident(h, NULL, "root", "root"));
	assert_false(hba_ident(h, NULL, "root", "postgres"));
	hba_unref(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_transports),
		cmocka_unit_test(test_first_match_wins),
		cmocka_unit_test(test_own_addresses),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_of_method),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_zero_byte),
		cmocka_unit_test(test_maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
