/* SPDX-License-Identifier: PostgreSQL
 *
 * The users file: what is taken, what is refused with path and line, who may
 * read the file, and that reloads derive only what changed.
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

#include "auth/userdb.h"
#include "base/hash.h"

/* Of the password "pencil", salt and iterations from RFC 7677. */
#define PENCIL "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==" \
	"$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=" \
	":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static char path[64], err[512];

static void
put(const char *text, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

static struct userdb *
load(const char *text, const struct userdb *old)
{
	put(text, strlen(text));
	err[0] = '\0';
	return userdb_load(path, old, err, sizeof(err));
}

/* Text that must be refused with this message behind "path:". */
static void
refuse(const char *text, size_t len, const char *message)
{
	char want[512];
	struct userdb *u;

	put(text, len);
	u = userdb_load(path, NULL, err, sizeof(err));
	assert_null(u);
	(void)snprintf(want, sizeof(want), "%s:%s", path, message);
	assert_string_equal(err, want);
}

#define REFUSE(text, message) refuse(text, sizeof(text) - 1, message)

static void
test_empty(void **state)
{
	struct userdb *u = userdb_load("", NULL, err, sizeof(err));

	(void)state;
	assert_non_null(u);
	assert_int_equal(userdb_count(u), 0);
	assert_null(userdb_find(u, "app"));
	userdb_unref(&u);
	assert_null(u);
	u = load("", NULL);
	assert_non_null(u);
	assert_int_equal(userdb_count(u), 0);
	userdb_unref(&u);
}

static void
test_forms(void **state)
{
	const struct userdb_entry *e;
	struct userdb *u;

	(void)state;
	u = load("# comment\n"
	    "; comment\n"
	    "\n"
	    "\"zoe\" \"plain # ; password\" # why\n"
	    "  \"a\"\"b\"\t\"say \"\"hi\"\"\"  ; so\r\n"
	    "\"app\"\"\" \"x\"\n"
	    "\"app\" \"" PENCIL "\"", NULL);
	assert_non_null(u);
	assert_int_equal(userdb_count(u), 4);
	e = userdb_find(u, "zoe");
	assert_non_null(e);
	assert_string_equal(e->secret.password, "plain # ; password");
	assert_int_equal(e->secret.verifier.iterations, SCRAM_ITER_DEFAULT);
	e = userdb_find(u, "a\"b");
	assert_non_null(e);
	assert_string_equal(e->secret.password, "say \"hi\"");
	assert_non_null(userdb_find(u, "app\""));
	e = userdb_find(u, "app");
	assert_non_null(e);
	assert_string_equal(e->name, "app");
	assert_null(e->secret.password);
	assert_null(userdb_find(u, "App"));
	assert_null(userdb_find(u, ""));
	userdb_unref(&u);
}

/* What a user that does not exist is to look like: like most. */
static void
test_common_kind(void **state)
{
	struct userdb *u = load("\"a\" \"" PENCIL "\"\n", NULL);

	(void)state;
	assert_int_equal(userdb_common_kind(u), SECRET_SCRAM);
	userdb_unref(&u);
	u = load("\"a\" \"" PENCIL "\"\n"
	    "\"b\" \"md50123456789abcdef0123456789abcdef\"\n", NULL);
	assert_int_equal(userdb_common_kind(u), SECRET_SCRAM);
	assert_int_equal(userdb_find(u, "b")->secret.kind, SECRET_MD5);
	userdb_unref(&u);
	u = load("\"a\" \"" PENCIL "\"\n\"c\" \"plain\"\n"
	    "\"b\" \"md50123456789abcdef0123456789abcdef\"\n", NULL);
	assert_int_equal(userdb_common_kind(u), SECRET_MD5);
	userdb_unref(&u);
	u = load("", NULL);
	assert_int_equal(userdb_common_kind(u), SECRET_SCRAM);
	userdb_unref(&u);
}

/* A password and its verifier must say the same. */
static void
test_verifier_and_plain(void **state)
{
	const struct userdb_entry *v, *p;
	struct scram_verifier derived;
	struct userdb *u;

	(void)state;
	u = load("\"v\" \"" PENCIL "\"\n\"p\" \"pencil\"\n", NULL);
	assert_non_null(u);
	v = userdb_find(u, "v");
	p = userdb_find(u, "p");
	assert_int_equal(v->secret.verifier.iterations, 4096);
	scram_verifier_derive(slice_str("pencil"), v->secret.verifier.salt,
	    v->secret.verifier.salt_len, 4096, &derived);
	assert_memory_equal(derived.stored_key, v->secret.verifier.stored_key,
	    SCRAM_KEY_LEN);
	assert_memory_equal(derived.server_key, v->secret.verifier.server_key,
	    SCRAM_KEY_LEN);
	scram_verifier_derive(slice_str("pencil"), p->secret.verifier.salt,
	    p->secret.verifier.salt_len, p->secret.verifier.iterations, &derived);
	assert_memory_equal(derived.stored_key, p->secret.verifier.stored_key,
	    SCRAM_KEY_LEN);
	/* Salts are random: never the same for two loads. */
	assert_true(p->secret.verifier.salt_len >= 16);
	assert_memory_not_equal(p->secret.verifier.salt, v->secret.verifier.salt, 16);
	userdb_unref(&u);
}

static void
test_takes_over(void **state)
{
	const struct userdb_entry *was, *is;
	struct userdb *old, *new;

	(void)state;
	old = load("\"same\" \"one\"\n\"other\" \"two\"\n"
	    "\"v\" \"" PENCIL "\"\n", NULL);
	assert_non_null(old);
	new = load("\"new\" \"one\"\n\"other\" \"three\"\n\"same\" \"one\"\n"
	    "\"v\" \"pencil\"\n", old);
	assert_non_null(new);
	was = userdb_find(old, "same");
	is = userdb_find(new, "same");
	assert_memory_equal(&was->secret.verifier, &is->secret.verifier,
	    sizeof(was->secret.verifier));
	was = userdb_find(old, "other");
	is = userdb_find(new, "other");
	assert_memory_not_equal(was->secret.verifier.salt, is->secret.verifier.salt, 16);
	assert_memory_not_equal(was->secret.verifier.stored_key,
	    is->secret.verifier.stored_key, SCRAM_KEY_LEN);
	/* The same password of another user is not the same secret. */
	is = userdb_find(new, "new");
	assert_memory_not_equal(userdb_find(old, "same")->secret.verifier.salt,
	    is->secret.verifier.salt, 16);
	/* From a verifier to a password: derived anew. */
	is = userdb_find(new, "v");
	assert_string_equal(is->secret.password, "pencil");
	assert_memory_not_equal(userdb_find(old, "v")->secret.verifier.salt,
	    is->secret.verifier.salt, 16);
	userdb_unref(&old);
	/* The new set stands on its own. */
	assert_string_equal(userdb_find(new, "same")->secret.password, "one");
	userdb_unref(&new);
}

static void
test_refused(void **state)
{
	char text[2048];

	(void)state;
	REFUSE("app secret\n", "1: no user, expected \"user\" \"secret\"");
	REFUSE("\n\"app\"\n", "2: no secret, expected \"user\" \"secret\"");
	REFUSE("\"app\" # \"x\"", "1: no secret, expected \"user\" \"secret\"");
	REFUSE("\"app\" \"x", "1: secret is never closed, expected a \"");
	REFUSE("\"app\n\" \"x\"", "1: user is never closed, expected a \"");
	REFUSE("\"app\" \"x\" \"y\"\n",
	    "1: more than two values, expected \"user\" \"secret\"");
	REFUSE("\"\" \"x\"", "1: empty user name, expected a name");
	REFUSE("# a\n# b\n\"app\" \"\"\n", "3: empty secret, expected a "
	    "SCRAM-SHA-256 verifier, an md5 hash or a password");
	REFUSE("\"app\" \"SCRAM-SHA-256$4096:AAAA\"",
	    "1: malformed verifier, expected "
	    "SCRAM-SHA-256$iterations:salt$stored:server");
	REFUSE("\"b\" \"x\"\n\"a\" \"x\"\n\n\"b\" \"y\"\n\"c\" \"x\"\n",
	    "4: user \"b\" is listed twice, expected once "
	    "(first on line 1)");
	REFUSE("\"a\0b\" \"x\"", "1: zero byte in the user, expected text");
	REFUSE("\"a\" \"b\"\0", "1: more than two values, expected "
	    "\"user\" \"secret\"");
	(void)snprintf(text, sizeof(text), "\"%0128d\" \"x\"", 0);
	refuse(text, strlen(text),
	    "1: user too long, expected at most 127 bytes");
	(void)snprintf(text, sizeof(text), "\"a\" \"%01024d\"", 0);
	refuse(text, strlen(text),
	    "1: secret too long, expected at most 1023 bytes");
}

/* A message may quote a name, never a secret, and no control bytes. */
static void
test_messages_are_harmless(void **state)
{
	(void)state;
	REFUSE("\"\033[2J\" \"x\"\n\"\033[2J\" \"hunter2\"\n",
	    "2: user \"?[2J\" is listed twice, expected once "
	    "(first on line 1)");
	REFUSE("\"a\" \"hunter2\" hunter3\n",
	    "1: more than two values, expected \"user\" \"secret\"");
	assert_null(strstr(err, "hunter"));
}

static void
check_mode(uid_t owner, mode_t mode, bool taken)
{
	struct userdb *u;
	char want[256];

	put("\"a\" \"b\"\n", 8);
	if (geteuid() == 0)
		assert_int_equal(chown(path, owner, (gid_t)-1), 0);
	assert_int_equal(chmod(path, mode), 0);
	u = userdb_load(path, NULL, err, sizeof(err));
	if (taken) {
		assert_non_null(u);
		userdb_unref(&u);
	} else {
		assert_null(u);
		(void)snprintf(want, sizeof(want), "%s:0: mode is %04o, "
		    "expected 0600, or 0640 if root owns it", path,
		    (unsigned)mode);
		assert_string_equal(err, want);
	}
	assert_int_equal(unlink(path), 0);
}

static void
test_permissions(void **state)
{
	uid_t other = geteuid() == 0 ? 65534 : geteuid();

	(void)state;
	check_mode(other, 0600, true);
	check_mode(other, 0700, true);
	check_mode(other, 0640, false);
	check_mode(other, 0604, false);
	check_mode(other, 0620, false);
	check_mode(other, 0644, false);
	/* Only root can make files that root owns. */
	check_mode(0, 0640, geteuid() == 0);
	check_mode(0, 0644, false);
	check_mode(0, 0660, false);
	check_mode(0, 0600, true);
}

static void
test_not_a_file(void **state)
{
	char want[256];

	(void)state;
	(void)unlink(path);
	assert_null(userdb_load(path, NULL, err, sizeof(err)));
	(void)snprintf(want, sizeof(want),
	    "%s:0: cannot open: No such file or directory", path);
	assert_string_equal(err, want);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_null(userdb_load(path, NULL, err, sizeof(err)));
	(void)snprintf(want, sizeof(want), "%s:0: not a file, expected one",
	    path);
	assert_string_equal(err, want);
	assert_int_equal(unlink(path), 0);
}

static void
test_refs_and_many(void **state)
{
	struct userdb *u, *second;
	char *text = malloc(200000), name[32];
	size_t at = 0;
	int i;

	(void)state;
	assert_non_null(text);
	for (i = 0; i < 1000; i++)
		at += (size_t)sprintf(text + at, "\"u%d\" \"" PENCIL "\"\n",
		    (i * 7919) % 1000);
	u = load(text, NULL);
	free(text);
	assert_non_null(u);
	assert_int_equal(userdb_count(u), 1000);
	for (i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof(name), "u%d", i);
		assert_non_null(userdb_find(u, name));
		assert_string_equal(userdb_find(u, name)->name, name);
	}
	userdb_ref(u);
	second = u;
	userdb_unref(&u);
	assert_null(u);
	assert_int_equal(userdb_count(second), 1000);
	userdb_unref(&second);
	userdb_unref(&second); /* nothing is fine, too */
}

static int
setup(void **state)
{
	int fd;

	(void)state;
	hash_init();
	strcpy(path, "/tmp/test_userdb.XXXXXX");
	fd = mkstemp(path);
	if (fd < 0)
		return -1;
	return close(fd);
}

static int
teardown(void **state)
{
	(void)state;
	(void)unlink(path);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_common_kind),
		cmocka_unit_test(test_verifier_and_plain),
		cmocka_unit_test(test_takes_over),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_messages_are_harmless),
		cmocka_unit_test(test_permissions),
		cmocka_unit_test(test_not_a_file),
		cmocka_unit_test(test_refs_and_many),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
