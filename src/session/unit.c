/* SPDX-License-Identifier: PostgreSQL
 *
 * One executable unit of client messages, taken apart.  Pure: the messages are
 * known to be complete, but for a long one at the end; nothing is kept.
 */
#include <string.h>

#include "session/session_priv.h"

/* Describe or Close: kind byte and name. */
static bool
unit_read_target(const struct frame *f, char *kind, struct slice *name)
{
	struct msgread r;

	msgread_init(&r, f->p, f->body);
	*kind = (char)msgread_u8(&r);
	*name = msgread_str(&r);
	return msgread_done(&r) && (*kind == 'S' || *kind == 'P');
}

static bool
unit_read_execute(const struct frame *f, struct slice *portal, uint32_t *rows)
{
	struct msgread r;

	msgread_init(&r, f->p, f->body);
	*portal = msgread_str(&r);
	*rows = msgread_u32(&r);
	return msgread_done(&r);
}

/* Take message f at position step of the canonical order; returns the next
 * step, or -1 when the order is another. */
static int
unit_canonical_step(struct unit *u, const struct frame *f, int step)
{
	struct slice name;
	uint32_t rows;
	char kind;

	switch (f->type) {
	case 'P':
		return step == 0 && u->parse.name.n <= 63 ? 1 : -1;
	case 'B':
		return step <= 1 && u->bind.portal.n == 0 &&
		    (!u->has_parse ||
		    slice_eq(u->parse.name, u->bind.statement)) ? 2 : -1;
	case 'D':
		if (step != 2 || !unit_read_target(f, &kind, &name) ||
		    kind != 'P' || name.n != 0)
			return -1;
		u->described = true;
		return 3;
	case 'E':
		if (step < 2 || step > 3 ||
		    !unit_read_execute(f, &name, &rows) || name.n != 0 ||
		    rows != 0)
			return -1;
		return 4;
	case 'S':
		return step == 4 ? 5 : -1;
	default:
		return -1;
	}
}

static bool
unit_message_ok(struct unit *u, const struct frame *f)
{
	struct slice name;
	uint32_t rows;
	char kind;

	switch (f->type) {
	case 'P':
		u->has_parse = true;
		return msgread_parse(f->p, f->body, &u->parse);
	case 'B':
		u->has_bind = true;
		return msgread_bind(f->p, f->body, &u->bind);
	case 'D':
	case 'C':
		return unit_read_target(f, &kind, &name);
	case 'E':
		u->executes++;
		return unit_read_execute(f, &name, &rows);
	case 'S':
	case 'H':
		return f->body == 0;
	default:
		return true;
	}
}

/* A message that ends beyond the n bytes there are, which is the unit's last: only
 * long ones are given in part, see input_long(). */
static bool
unit_read_head(struct unit *u, const struct frame *f, size_t n)
{
	u->rest = f->size - n;
	u->last = (char)f->type;
	if (f->type != 'B')
		return f->type == 'Q' || f->type == 'F';
	u->has_bind = true;
	return msgread_bind_head(f->p, n - FRAME_HEADER, &u->bind);
}

bool
unit_read(struct unit *u, const char *p, size_t n)
{
	enum frame_verdict v;
	struct frame f;
	size_t pos;
	int step = 0;

	memset(u, 0, sizeof(*u));
	u->p = p;
	u->n = n;
	u->first = p[0];
	if (p[0] == 'Q' && n > FRAME_HEADER && wire_u32(p + 1) + 1 == n) {
		u->last = 'Q';
		return true;
	}
	for (pos = 0; pos < n; pos += f.size) {
		v = frame_next(p + pos, n - pos, UINT32_MAX, &f);
		if (v == FRAME_PARTIAL)
			return unit_read_head(u, &f, n - pos);
		if (v != FRAME_WHOLE || !unit_message_ok(u, &f))
			return false;
		u->last = (char)f.type;
		if (step >= 0)
			step = unit_canonical_step(u, &f, step);
	}
	u->canonical = step == 5;
	return true;
}
