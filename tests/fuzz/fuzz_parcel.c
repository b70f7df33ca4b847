/* SPDX-License-Identifier: PostgreSQL
 *
 * Sessions that come from another process.  What is a parcel is put together
 * again from what was read of it, and must be the same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "session/parcel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_vars(const struct parcel *p, struct buf *out)
{
	struct slice name, value;
	struct msgread r;
	char *n, *v;

	msgread_init(&r, p->vars.p, p->vars.n);
	while (parcel_next_var(&r, &name, &value)) {
		n = x_strndup(name.p, name.n);
		v = x_strndup(value.p, value.n);
		CHECK(parcel_add_var(out, n, v));
		free(n);
		free(v);
	}
	CHECK(msgread_done(&r));
}

static void
fuzz_statements(const struct parcel *p, struct buf *out)
{
	struct parcel_statement s;
	struct msgread r;

	msgread_init(&r, p->statements.p, p->statements.n);
	while (parcel_next_statement(&r, &s))
		CHECK(parcel_add_statement(out, &s));
	CHECK(msgread_done(&r));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf vars, statements, out;
	struct parcel p;

	if (!parcel_read(data, size, &p))
		return 0;
	buf_init(&vars, PARCEL_MAX);
	buf_init(&statements, PARCEL_MAX);
	buf_init(&out, PARCEL_MAX);
	fuzz_vars(&p, &vars);
	fuzz_statements(&p, &statements);
	p.vars = slice_make(buf_head(&vars), buf_len(&vars));
	p.statements = slice_make(buf_head(&statements),
	    buf_len(&statements));
	CHECK(parcel_write(&out, &p));
	CHECK(buf_len(&out) == size && memcmp(buf_head(&out), data, size) ==
	    0);
	buf_reset(&vars);
	buf_reset(&statements);
	buf_reset(&out);
	return 0;
}
