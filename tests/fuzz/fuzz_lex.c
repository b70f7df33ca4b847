/* SPDX-License-Identifier: PostgreSQL
 *
 * The lexer on any bytes: cuts in order and inside the text, the shape with
 * the cuts put back is the text, positions go there and back, literals decode
 * into scratch of any size.  The first byte chooses the options.
 */
#include <stdint.h>

#include "sql/analysis.h"

static void
fuzz_inverse(const struct lexer *lx, struct slice sql)
{
	size_t i, pos = 0, cut = 0;

	for (i = 0; i < lx->shape_len; i++) {
		unsigned char c = (unsigned char)lx->shape[i];

		if (c >= CUT_INT && c <= CUT_COMMENT) {
			CHECK(cut < lx->n_cuts);
			CHECK(lx->cuts[cut].kind == (enum cut_kind)c);
			CHECK(lx->cuts[cut].pos == pos);
			CHECK(lx->cuts[cut].len > 0);
			pos += lx->cuts[cut++].len;
		} else {
			CHECK(pos < sql.n && sql.p[pos] == (char)c);
			pos++;
		}
	}
	CHECK(cut == lx->n_cuts && pos == sql.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct lexer lx;
	static bool ready;
	char scratch[16];
	struct slice sql, out;
	struct explain_options with;
	uint32_t pos;
	size_t i;

	if (!ready) {
		hash_init();
		lexer_init(&lx);
		ready = true;
	}
	if (size == 0)
		return 0;
	sql = slice_make(data + 1, size - 1);
	out = analysis_explain_options(sql, &with);
	CHECK(out.p == NULL || out.p + out.n == sql.p + sql.n);
	(void)analysis_literal_is_special(sql);
	if (lex_statement(&lx, sql, !(data[0] & 1), data[0] & 2 ? 64 :
	    1u << 20) != LEX_OK)
		return 0;
	fuzz_inverse(&lx, sql);
	for (pos = 0; pos <= sql.n; pos++)
		CHECK(lex_pos(&lx, lex_pos_from(&lx, pos)) == pos);
	for (i = 0; i < lx.n_cuts; i++)
		if (analysis_literal(sql, &lx.cuts[i], scratch, data[0] >> 4,
		    &out))
			CHECK(out.n <= lx.cuts[i].len);
	return 0;
}
