/* SPDX-License-Identifier: PostgreSQL
 *
 * What the text of a view or of policies says about caching, by the same
 * analysis that statements go through.
 */
#include "layout/kin.h"
#include "sql/analysis.h"

static uint32_t
kin_flags_traits(const struct analysis *a)
{
	uint32_t traits = 0;

	if (a->flags & AN_CATALOG)
		traits |= TRAIT_BIT(SYSTEM);
	if (a->flags & (AN_UNKNOWN_FN | AN_WRITES_ALL | AN_WRITES))
		traits |= TRAIT_BIT(UNKNOWN_FN);
	if ((a->flags & (AN_VOLATILE | AN_TABLESAMPLE)) || a->pins != 0)
		traits |= TRAIT_BIT(VOLATILE);
	if (a->flags & AN_LOCKING)
		traits |= TRAIT_BIT(LOCKING);
	if (a->flags & AN_STABLE)
		traits |= TRAIT_BIT(STABLE);
	return traits;
}

uint32_t
kin_text_traits(const char *text)
{
	struct slice sql = slice_str(text);
	uint32_t traits = TRAIT_BIT(UNKNOWN_FN);
	struct analysis *a;
	struct lexer lx;

	lexer_init(&lx);
	if (lex_statement(&lx, sql, true, KIN_ONE_TEXT_MAX) == LEX_OK) {
		a = analysis_new(sql, &lx, NULL);
		if (a->kind == STMT_SELECT)
			traits = kin_flags_traits(a);
		if (analysis_has_special_literals(a, sql, &lx))
			traits |= TRAIT_BIT(STABLE);
		analysis_free(&a);
	}
	lexer_fini(&lx);
	return traits;
}
