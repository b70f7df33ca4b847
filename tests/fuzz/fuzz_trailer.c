/* SPDX-License-Identifier: PostgreSQL
 *
 * Comments at the end of statements: any text, and behind it one that is cut.
 * What the lexer makes of the whole must be what it makes of the rest.
 */
#include <stdlib.h>
#include <string.h>

#include "sql/lex.h"
#include "sql/shape_text.h"
#include "sql/trailer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct lexer lx;
static bool ready;

static uint64_t
fuzz_meaning(struct slice sql)
{
	if (lex_statement(&lx, sql, true, 1 << 20) != LEX_OK)
		return 0;
	return shape_fingerprint(slice_make(lx.shape, lx.shape_len));
}

static void
fuzz_cut(struct slice sql)
{
	struct slice cut = trailer_cut(sql);

	CHECK(cut.p == sql.p && cut.n <= sql.n);
	/* A semicolon behind the comment is cut, too. */
	if (cut.n < sql.n && sql.p[sql.n - 1] == '/')
		CHECK(fuzz_meaning(cut) == fuzz_meaning(sql));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char end[] = "/*a='b',c='d'*/";
	char *sql;

	if (!ready) {
		hash_init();
		lexer_init(&lx);
		ready = true;
	}
	sql = malloc(size + sizeof(end));
	if (sql == NULL)
		return 0;
	if (size > 0)
		memcpy(sql, data, size);
	memcpy(sql + size, end, sizeof(end) - 1);
	fuzz_cut(slice_make(sql, size));
	fuzz_cut(slice_make(sql, size + sizeof(end) - 1));
	free(sql);
	return 0;
}
