/* SPDX-License-Identifier: PostgreSQL
 *
 * The end of a result, taken from its rows.
 *
 * Knows the messages of a reply, not where they come from: whatever does not
 * fit exactly is not known.  Pure.
 */
#include "pgwire/msgread.h"
#include "route/expiry.h"
#include "route/month.h"
#include "route/route_priv.h"

struct expiry_column {
	unsigned number; /* from 0 */
	bool binary;
};

/* Find it in the body of a RowDescription. */
static bool
expiry_find(const struct frame *f, const char *name,
    struct expiry_column *c)
{
	struct msgread r;
	struct slice field;
	unsigned n, i, format;
	uint32_t oid;

	msgread_init(&r, f->p, f->body);
	n = msgread_u16(&r);
	for (i = 0; i < n; i++) {
		field = msgread_str(&r);
		(void)msgread_u32(&r); /* table and column */
		(void)msgread_u16(&r);
		oid = msgread_u32(&r);
		(void)msgread_u16(&r); /* length and modifier of the type */
		(void)msgread_u32(&r);
		format = msgread_u16(&r);
		if (!slice_eq_str(field, name))
			continue;
		*c = (struct expiry_column){ i, format == 1 };
		return !r.error && oid == ROUTE_OID_TIMESTAMPTZ && format <= 1;
	}
	return false;
}

/* INT64_MAX for infinity, and INT64_MIN. */
static bool
expiry_infinite(struct slice v, bool binary, int64_t *us)
{
	static const char most[] = "\x7f\xff\xff\xff\xff\xff\xff\xff";
	static const char least[] = "\x80\0\0\0\0\0\0\0";

	if (slice_eq(v, binary ? slice_make(most, 8) : SLICE_LIT("infinity")))
		*us = INT64_MAX;
	else if (slice_eq(v, binary ? slice_make(least, 8) :
	    SLICE_LIT("-infinity")))
		*us = INT64_MIN;
	else
		return false;
	return true;
}

static bool
expiry_value(struct slice v, bool binary, int64_t *us)
{
	struct month_range r;

	if (expiry_infinite(v, binary, us))
		return true;
	/* A text without a zone gives a range. */
	if (binary ? !month_parse_binary(v, MONTH_TIMESTAMPTZ, 0, &r) :
	    !month_parse_text(v, MONTH_TIMESTAMPTZ, MONTH_ZONE_US, &r))
		return false;
	*us = r.lo;
	return r.lo == r.hi;
}

static bool
expiry_row(const struct frame *f, const struct expiry_column *c, int64_t *us)
{
	struct slice v = { NULL, 0 };
	struct msgread r;
	bool null = true;
	unsigned n, i;

	msgread_init(&r, f->p, f->body);
	n = msgread_u16(&r);
	if (c->number >= n)
		return false;
	for (i = 0; i <= c->number; i++)
		v = msgread_value(&r, &null);
	return !r.error && !null && expiry_value(v, c->binary, us);
}

bool
route_rows_expire(struct slice desc, struct slice data, const char *column,
    int64_t *us)
{
	struct expiry_column c = { 0, false };
	bool found = false;
	struct frame f;
	int64_t one;

	for (; desc.n > 0; desc = slice_make(desc.p + f.size,
	    desc.n - f.size)) {
		if (frame_next(desc.p, desc.n, UINT32_MAX, &f) != FRAME_WHOLE)
			return false;
		if (f.type == 'T')
			found = expiry_find(&f, column, &c);
	}
	*us = INT64_MAX;
	for (; found && data.n > 0; data = slice_make(data.p + f.size,
	    data.n - f.size)) {
		if (frame_next(data.p, data.n, UINT32_MAX, &f) != FRAME_WHOLE)
			return false;
		if (f.type != 'D')
			break;
		if (!expiry_row(&f, &c, &one))
			return false;
		if (one < *us)
			*us = one;
	}
	if (*us < 0)
		*us = 0;
	return found;
}
