/* SPDX-License-Identifier: PostgreSQL
 *
 * Setups: all of what a configuration names, or nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "admin/setup.c"
#include "base/hash.h"

#define BASE "backend \"b\" { conninfo = \"host=127.0.0.1\" }\n" \
	"database \"d\" { backend = \"b\" }\nauth = \"trust\"\n"

static char dir[] = "/tmp/test_setup.XXXXXX";

static const char *
path_of(const char *name)
{
	static char path[2][200];
	static unsigned turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static void write_file(const char *name, mode_t mode, const char *fmt, ...)
    PG_PRINTF(3, 4);

static void
write_file(const char *name, mode_t mode, const char *fmt, ...)
{
	FILE *f = fopen(path_of(name), "w");
	va_list ap;

	assert_non_null(f);
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path_of(name), mode), 0);
}

/* Must be refused with a text that holds this. */
static void
refused(const char *expected)
{
	struct session_setup s = { .conf = NULL };
	struct conf_diag d;
	bool found = false;
	int i;

	assert_false(setup_load(path_of("c"), NULL, &s, &d));
	assert_null(s.conf);
	for (i = 0; i < d.n; i++)
		found = found || strstr(d.msg[i], expected) != NULL;
	if (!found)
		fail_msg("\"%s\" was not said, but: %s", expected,
		    d.n > 0 ? d.msg[0] : "nothing");
	conf_diag_fini(&d);
}

static void
test_plain(void **state PG_UNUSED)
{
	struct session_setup s, copy;
	struct conf_diag d;

	write_file("c", 0600, BASE);
	assert_true(setup_load(path_of("c"), NULL, &s, &d));
	assert_int_equal(d.n, 0);
	conf_diag_fini(&d);
	assert_non_null(s.users);
	assert_null(s.tls);
	assert_null(s.redis_password);
	setup_copy(&copy, &s);
	setup_release(&s);
	assert_null(s.conf);
	assert_string_equal(copy.conf->databases[0].name, "d");
	setup_release(&copy);
	setup_release(&copy); /* empty: nothing happens */
}

static void
test_secret(void **state PG_UNUSED)
{
	struct session_setup s, copy;
	struct conf_diag d;

	write_file("pw", 0600, "s3cret\r\nnext line\n");
	write_file("c", 0600, BASE "redis_password_file = \"%s\"\n",
	    path_of("pw"));
	assert_true(setup_load(path_of("c"), NULL, &s, &d));
	conf_diag_fini(&d);
	assert_string_equal(s.redis_password, "s3cret");
	setup_copy(&copy, &s);
	assert_ptr_not_equal(copy.redis_password, s.redis_password);
	assert_string_equal(copy.redis_password, "s3cret");
	setup_release(&copy);
	setup_release(&s);
}

static void
test_bad_secrets(void **state PG_UNUSED)
{
	char line[SECRET_MAX + 10];

	write_file("c", 0600, BASE "redis_password_file = \"%s\"\n",
	    path_of("pw2"));
	refused("pw2");
	write_file("pw2", 0604, "x\n");
	refused("mode 0604");
	write_file("pw2", 0600, "%s", "");
	refused("is empty");
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	write_file("pw2", 0600, "%s\n", line);
	refused("longer than");
}

static void
test_keys(void **state PG_UNUSED)
{
	struct session_setup s, copy;
	struct conf_diag d;

	write_file("keys", 0600, "%064d\n", 1);
	write_file("c", 0600, BASE "redis_key_file = \"%s\"\n",
	    path_of("keys"));
	assert_true(setup_load(path_of("c"), NULL, &s, &d));
	conf_diag_fini(&d);
	setup_copy(&copy, &s);
	setup_release(&s);
	assert_non_null(l2_keys_first(copy.redis_keys));
	setup_release(&copy);
	assert_null(copy.redis_keys);
	write_file("keys", 0600, "%063d\n", 1);
	refused("keys:1: expected 64 hexadecimal digits");
	write_file("keys", 0644, "%064d\n", 1);
	refused("mode 0644");
}

static void
test_bad_users(void **state PG_UNUSED)
{
	write_file("u", 0600, "\"bob\n");
	write_file("c", 0600, BASE "users_file = \"%s\"\n", path_of("u"));
	refused("users_file");
}

static void
test_bad_conf(void **state PG_UNUSED)
{
	write_file("c", 0600, BASE "nonsense = 1\n");
	refused("nonsense");
}

static int
make_dir(void **state PG_UNUSED)
{
	hash_init();
	return mkdtemp(dir) == NULL;
}

static int
remove_dir(void **state PG_UNUSED)
{
	static const char *const names[] = { "c", "u", "pw", "pw2", "keys" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		unlink(path_of(names[i]));
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_secret),
		cmocka_unit_test(test_bad_secrets),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_bad_users),
		cmocka_unit_test(test_bad_conf),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
