/* SPDX-License-Identifier: PostgreSQL
 *
 * Lexer, libpg_query and analysis on any bytes: every place and reference in
 * the analysis lies inside of the text.
 */
#include <stdint.h>
#include <stdlib.h>

#include "sql/agree.h"
#include "sql/shape.h"

static void
fuzz_values(const struct an_pred *p, const struct lexer *lx)
{
	size_t i;

	for (i = 0; i < p->n_values; i++) {
		if (p->values[i].kind == AN_VAL_CUT) {
			CHECK(p->values[i].index < lx->n_cuts);
			CHECK(lx->cuts[p->values[i].index].kind !=
			    CUT_COMMENT);
		}
	}
}

static void
fuzz_analysis(const struct analysis *a, const struct lexer *lx,
    struct slice sql)
{
	size_t i;

	CHECK((size_t)a->kind < STMT_KIND_COUNT);
	CHECK(a->pins < PIN_BIT(PIN_REASON_COUNT));
	for (i = 0; i < a->n_tables; i++) {
		const struct an_table *t = &a->tables[i];

		CHECK(t->name != NULL);
		CHECK(lex_pos(lx, t->pos) <= lex_pos(lx, t->end));
		CHECK(lex_pos(lx, t->end) <= sql.n);
	}
	for (i = 0; i < a->n_qualrefs; i++) {
		CHECK(a->qualrefs[i].table < a->n_tables);
		CHECK(lex_pos(lx, a->qualrefs[i].pos) <
		    lex_pos(lx, a->qualrefs[i].end));
		CHECK(lex_pos(lx, a->qualrefs[i].end) <= sql.n);
	}
	for (i = 0; i < a->n_preds; i++) {
		CHECK(a->preds[i].table < a->n_tables);
		CHECK(a->preds[i].other < a->n_tables);
		CHECK(an_pred_next(a->preds, i) <= a->n_preds);
		CHECK(an_pred_is_group(&a->preds[i]) ==
		    (a->preds[i].column == NULL));
		fuzz_values(&a->preds[i], lx);
		(void)analysis_pred_applies(&a->preds[i], sql, lx);
	}
	(void)analysis_has_special_literals(a, sql, lx);
}

/* A constraint, as a server prints it. */
static void
fuzz_agree(const uint8_t *data, size_t size)
{
	char *text = x_strndup((const char *)data, size);
	struct agree a;

	agree_init(&a);
	agree_check(&a, text, "id", "at");
	CHECK(!agree_is_closed(&a) || a.hi - a.lo >= 0);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct shape_table t;
	static struct lexer lx;
	static bool ready;
	struct slice sql = slice_make(data, size);
	struct shape *s;

	if (!ready) {
		hash_init();
		lexer_init(&lx);
		shape_table_init(&t, 8, NULL);
		ready = true;
	}
	fuzz_agree(data, size);
	s = shape_get(&t, &lx, sql, true, 1u << 16);
	fuzz_analysis(s->an, &lx, sql);
	return 0;
}
