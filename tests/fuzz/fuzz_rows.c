/* SPDX-License-Identifier: PostgreSQL
 *
 * INSERTs of many rows on any bytes: what is said with rows left out is what the
 * whole text says.  Fields that a vertical bar divides: what stands before the
 * rows, the rows, and what stands behind them; each row stands there often.
 *
 * Only of a text that the library takes: a literal that is an error in itself
 * may stand in a row that is left out.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "sql/parse_priv.h"
#include "../unit/sql_same.h"

#define FUZZ_TIMES 20
#define FUZZ_FIELDS 8

/* The next field, and past its bar. */
static struct slice
fuzz_field(struct slice *s)
{
	const char *bar = s->n > 0 ? memchr(s->p, '|', s->n) : NULL;
	struct slice field = slice_make(s->p, bar == NULL ? s->n :
	    (size_t)(bar - s->p));

	*s = bar == NULL ? slice_make(s->p + s->n, 0) :
	    slice_make(bar + 1, s->n - field.n - 1);
	return field;
}

static void
fuzz_put(struct buf *text, struct slice s)
{
	CHECK(buf_append(text, s.p, s.n));
}

static void
fuzz_text(struct buf *text, struct slice s)
{
	struct slice field[FUZZ_FIELDS];
	size_t n = 0, i, k;

	while (n < FUZZ_FIELDS - 1 && s.n > 0)
		field[n++] = fuzz_field(&s);
	if (n == 0)
		return;
	fuzz_put(text, field[0]);
	for (i = 0; i < (n - 2) * FUZZ_TIMES && n > 2; i++) {
		k = 1 + (i * 7 + i / FUZZ_TIMES) % (n - 2);
		fuzz_put(text, i > 0 ? SLICE_LIT(", ") : SLICE_LIT(""));
		fuzz_put(text, field[k]);
	}
	if (n > 1)
		fuzz_put(text, field[n - 1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct lexer lx;
	static struct buf text;
	struct analysis *thin, *whole;
	struct slice sql;

	if (lx.shape == NULL) {
		hash_init();
		buf_init(&text, 1u << 20);
	}
	buf_consume(&text, buf_len(&text));
	if (size > 2048)
		return 0;
	fuzz_text(&text, slice_make(data, size));
	sql = slice_make(buf_head(&text), buf_len(&text));
	if (lex_statement(&lx, sql, true, 1u << 16) != LEX_OK)
		return 0;
	thin = parse_analysis(sql, &lx, NULL, false);
	whole = parse_analysis(sql, &lx, NULL, true);
	if (whole->kind != STMT_UNPARSED)
		sql_same(thin, whole);
	analysis_free(&thin);
	analysis_free(&whole);
	return 0;
}
