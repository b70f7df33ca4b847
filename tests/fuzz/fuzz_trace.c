/* SPDX-License-Identifier: PostgreSQL
 *
 * traceparent in comments: any text.  What is found must print as it was
 * read: its digits stand in the text.
 */
#include <stdlib.h>
#include <string.h>

#include "sql/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char id[TRACE_ID_TEXT], span[TRACE_SPAN_TEXT];
	struct trace t;
	char *sql = malloc(size > 0 ? size : 1);

	if (sql == NULL)
		return 0;
	if (size > 0)
		memcpy(sql, data, size);
	trace_read(slice_make(sql, size), &t);
	if (trace_is_there(&t)) {
		trace_print_id(id, &t);
		trace_print_span(span, &t);
		CHECK(memmem(sql, size, id, strlen(id)) != NULL);
		CHECK(memmem(sql, size, span, strlen(span)) != NULL);
	}
	free(sql);
	return 0;
}
