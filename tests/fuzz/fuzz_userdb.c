/* SPDX-License-Identifier: PostgreSQL
 *
 * Fuzzes the text of a users file: any bytes either give a set in which every
 * entry can be found again, or one line "path:line: text".
 *
 * Includes userdb.c to hand over text instead of a file, with key derivation
 * (milliseconds each) left out.
 */
#define secret_derive fuzz_no_derive

#include "auth/userdb.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void
fuzz_no_derive(struct secret *s)
{
	CHECK(s->kind == SECRET_PLAIN && s->password[0] != '\0');
	s->verifier.salt_len = 1;
	s->verifier.iterations = 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char err[512] = "";
	struct userdb *u = x_calloc(1, sizeof(*u));
	struct userdb_reader r = { .path = "f", .db = u, .err = err,
		.err_size = sizeof(err) };
	size_t i;

	u->magic = USERDB_MAGIC;
	atomic_init(&u->refs, 1);
	if (userdb_text(&r, (const char *)data, size)) {
		for (i = 0; i < u->n; i++)
			CHECK(userdb_find(u, u->rows[i].entry.name) ==
			    &u->rows[i].entry);
		CHECK(err[0] == '\0');
	} else {
		CHECK(strncmp(err, "f:", 2) == 0);
		CHECK(strspn(err + 2, "0123456789") > 0);
		CHECK(strchr(err, '\n') == NULL);
	}
	userdb_unref(&u);
	return 0;
}
