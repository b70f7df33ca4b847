/* SPDX-License-Identifier: PostgreSQL
 *
 * A walsender's stream: messages with a length of two bytes in front, read
 * one after another; what is taken can be walked to its end.
 */
#include <stdint.h>

#include "feed/pgoutput.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
walk(struct pgo_tuple t)
{
	struct pgo_value v;
	size_t n = 0, columns = t.n;

	while (pgo_value_next(&t, &v))
		n++;
	CHECK(n == columns && t.rest.n == 0);
}

static void
walk_columns(struct pgo_columns c)
{
	struct pgo_column column;
	size_t n = 0, columns = c.n;

	while (pgo_column_next(&c, &column))
		n++;
	CHECK(n == columns && c.rest.n == 0);
}

static void
check(const struct pgo_message *m)
{
	uint32_t i;

	if (m->has_old)
		walk(m->old);
	if (m->has_new)
		walk(m->new);
	walk_columns(m->columns);
	CHECK(m->n_relations == 0 || m->kind == PGO_TRUNCATE);
	for (i = 0; i < m->n_relations; i++)
		(void)pgo_truncated(m, i);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pgo_reader reader = { .in_stream = false };
	struct pgo_envelope e;
	struct pgo_message m;
	struct msgread r;
	struct slice part;

	msgread_init(&r, data, size);
	while (msgread_left(&r) > 0) {
		part = msgread_bytes(&r, msgread_u16(&r));
		if (!pgo_envelope(part, &e))
			break;
		if (!e.is_data)
			continue;
		if (!pgo_read(&reader, e.data, &m))
			break;
		check(&m);
	}
	return 0;
}
