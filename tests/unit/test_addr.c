/* SPDX-License-Identifier: PostgreSQL
 *
 * Socket addresses: forms that are taken, forms that are not, and print.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "net/addr.h"

static const struct {
	const char *text, *host; /* NULL: refused */
	int port;
} splits[] = {
	{ "127.0.0.1:6432", "127.0.0.1", 6432 },
	{ "example.org:1", "example.org", 1 },
	{ ":5432", "", 5432 },
	{ "*:5432", "*", 5432 },
	{ "[::1]:5432", "::1", 5432 },
	{ "[::]:65535", "::", 65535 },
	{ "[fe80::1%eth0]:5", "fe80::1%eth0", 5 },
	{ "h:0", "h", 0 },
	{ "h:00080", "h", 80 },
	{ "", NULL, 0 },
	{ "h", NULL, 0 },
	{ "h:", NULL, 0 },
	{ ":", NULL, 0 },
	{ "h:65536", NULL, 0 },
	{ "h:-1", NULL, 0 },
	{ "h:+1", NULL, 0 },
	{ "h: 1", NULL, 0 },
	{ "h:1 ", NULL, 0 },
	{ "h:1x", NULL, 0 },
	{ "h:0x10", NULL, 0 },
	{ "h:99999999999999999999999", NULL, 0 },
	{ "::1:5432", NULL, 0 },
	{ "a:b:1", NULL, 0 },
	{ "[::1:5432", NULL, 0 },
	{ "[::1]", NULL, 0 },
	{ "::1]:5432", NULL, 0 },
	{ "/tmp/socket", NULL, 0 },
};

static void
test_split(void **state PG_UNUSED)
{
	char host[64];
	int port;

	for (size_t i = 0; i < ARRAY_SIZE(splits); i++) {
		port = -7;
		if (splits[i].host == NULL) {
			assert_false(addr_split(splits[i].text, host,
			    sizeof(host), &port));
			continue;
		}
		assert_true(addr_split(splits[i].text, host, sizeof(host),
		    &port));
		assert_string_equal(host, splits[i].host);
		assert_int_equal(port, splits[i].port);
	}
}

static void
test_split_into_little_room(void **state PG_UNUSED)
{
	char host[5] = "####";
	int port;

	assert_true(addr_split("abcd:1", host, 5, &port));
	assert_string_equal(host, "abcd");
	assert_false(addr_split("abcde:1", host, 5, &port));
	assert_false(addr_split("abcd:1", host, 4, &port));
	assert_true(addr_split(":1", host, 1, &port));
	assert_string_equal(host, "");
}

static void
test_resolve_numeric(void **state PG_UNUSED)
{
	struct sockaddr_storage out[4];
	char text[ADDR_TEXT_MAX];
	const char *why = NULL;
	socklen_t lens[4];

	assert_int_equal(addr_resolve("127.0.0.1", 6432, out, lens, 4, &why),
	    1);
	assert_int_equal(out[0].ss_family, AF_INET);
	addr_print((struct sockaddr *)&out[0], lens[0], text, sizeof(text));
	assert_string_equal(text, "127.0.0.1:6432");
	assert_int_equal(addr_resolve("::1", 6432, out, lens, 4, &why), 1);
	addr_print((struct sockaddr *)&out[0], lens[0], text, sizeof(text));
	assert_string_equal(text, "[::1]:6432");
}

static void
test_resolve_any(void **state PG_UNUSED)
{
	static const char *const any[] = { "", "*" };
	struct sockaddr_storage out[4];
	const char *why = NULL;
	socklen_t lens[4];

	for (size_t i = 0; i < ARRAY_SIZE(any); i++) {
		int n = addr_resolve(any[i], 6432, out, lens, 4, &why);

		assert_true(n >= 1 && n <= 4);
		for (int k = 0; k < n; k++)
			if (out[k].ss_family == AF_INET)
				assert_int_equal(((struct sockaddr_in *)
				    &out[k])->sin_addr.s_addr, INADDR_ANY);
		assert_int_equal(addr_resolve(any[i], 1, out, lens, 1, &why),
		    1);
	}
}

static void
test_resolve_nonsense(void **state PG_UNUSED)
{
	struct sockaddr_storage out[1];
	const char *why = NULL;
	socklen_t lens[1];

	assert_int_equal(addr_resolve("not a name", 1, out, lens, 1, &why), 0);
	assert_non_null(why);
	assert_int_not_equal(strlen(why), 0);
}

static void
test_print_others(void **state PG_UNUSED)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct sockaddr odd = { .sa_family = 250 };
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons(80) };
	char text[ADDR_TEXT_MAX], little[8];

	addr_print((struct sockaddr *)&sun, sizeof(sun), text, sizeof(text));
	assert_string_equal(text, "unix");
	/* As accept() gives it for a client without a name. */
	addr_print((struct sockaddr *)&sun, sizeof(sa_family_t), text,
	    sizeof(text));
	assert_string_equal(text, "unix");
	addr_print(&odd, sizeof(odd), text, sizeof(text));
	assert_string_equal(text, "unknown");
	addr_print((struct sockaddr *)&in, sizeof(in), little, sizeof(little));
	assert_string_equal(little, "0.0.0.0");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_split_into_little_room),
		cmocka_unit_test(test_resolve_numeric),
		cmocka_unit_test(test_resolve_any),
		cmocka_unit_test(test_resolve_nonsense),
		cmocka_unit_test(test_print_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
