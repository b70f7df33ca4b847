/* SPDX-License-Identifier: PostgreSQL
 *
 * Life and death of an analysis; how it is made is parse.c's.  Any thread.
 */
#include "sql/analysis.h"

#include <stdlib.h>

struct analysis *
analysis_unparsed(void)
{
	struct analysis *a = x_calloc(1, sizeof(*a));

	a->kind = STMT_UNPARSED;
	a->flags = AN_WRITES_ALL;
	a->pins = PIN_BIT(PIN_UNPARSED);
	return a;
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
	for (i = 0; i < a->n_preds; i++) {
		free(a->preds[i].column);
		free(a->preds[i].values);
	}
	for (i = 0; i < a->n_assigned; i++)
		free(a->assigned[i]);
	for (i = 0; i < a->n_channels; i++)
		free(a->channels[i].name);
	free(a->channels);
	for (i = 0; i < a->n_settings; i++)
		free(a->settings[i].name);
	free(a->settings);
	free(a->tables);
	free(a->qualrefs);
	free(a->preds);
	free(a->assigned);
	free(a);
	*ap = NULL;
}
