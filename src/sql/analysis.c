/* SPDX-License-Identifier: PostgreSQL
 *
 * Life and death of an analysis, and what it says of parameters; how it is made
 * is parse.c's.  Any thread.
 */
#include "sql/analysis.h"

#include <stdlib.h>

#include "sql/split.h"

struct analysis *
analysis_unparsed(void)
{
	struct analysis *a = x_calloc(1, sizeof(*a));

	a->kind = STMT_UNPARSED;
	a->flags = AN_WRITES_ALL;
	a->pins = PIN_BIT(PIN_UNPARSED);
	return a;
}

/* Names in quotes that look like a parameter count too: that only proves
 * less. */
void
analysis_mark_repeated(struct analysis *a, struct slice shape)
{
	uint8_t seen[(UINT16_MAX + 1) / 8] = { 0 }, again[sizeof(seen)] = { 0 };
	const char *p = shape.p, *end = shape.p + shape.n;
	size_t i, k;

	while (p < end && (p = memchr(p, '$', (size_t)(end - p))) != NULL) {
		uint32_t n = 0;
		uint8_t bit;

		for (p++; p < end && *p >= '0' && *p <= '9' &&
		     n <= UINT16_MAX; p++)
			n = n * 10 + (uint32_t)(*p - '0');
		if (n == 0 || n > UINT16_MAX)
			continue;
		bit = (uint8_t)(1u << n % 8);
		again[n / 8] |= seen[n / 8] & bit;
		seen[n / 8] |= bit;
	}
	for (i = 0; i < a->n_preds; i++)
		for (k = 0; k < a->preds[i].n_values; k++) {
			struct an_value *v = &a->preds[i].values[k];

			v->repeated = v->kind == AN_VAL_PARAM &&
			    v->index < UINT16_MAX &&
			    (again[(v->index + 1) / 8] >>
			    (v->index + 1) % 8 & 1) != 0;
		}
}

void
analysis_drop_preds(struct analysis *a, size_t n)
{
	while (a->n_preds > n) {
		struct an_pred *p = &a->preds[--a->n_preds];

		free(p->column);
		free(p->other_column);
		free(p->values);
	}
}

void
analysis_free(struct analysis **ap)
{
	struct analysis *a = *ap;
	size_t i;

	if (a == NULL)
		return;
	for (i = 0; i < a->n_tables; i++) {
		free(a->tables[i].schema);
		free(a->tables[i].name);
	}
	analysis_drop_preds(a, 0);
	for (i = 0; i < a->n_assigned; i++)
		free(a->assigned[i]);
	for (i = 0; i < a->n_arbiters; i++)
		free(a->arbiters[i]);
	for (i = 0; i < a->n_channels; i++)
		free(a->channels[i].name);
	free(a->channels);
	for (i = 0; i < a->n_settings; i++)
		free(a->settings[i].name);
	free(a->settings);
	for (i = 0; i < a->n_wishes; i++)
		free(a->wishes[i].word);
	free(a->wishes);
	split_free(&a->split);
	free(a->places);
	free(a->tables);
	free(a->qualrefs);
	free(a->preds);
	free(a->assigned);
	free(a->arbiters);
	free(a);
	*ap = NULL;
}
