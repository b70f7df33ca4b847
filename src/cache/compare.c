/* SPDX-License-Identifier: PostgreSQL
 *
 * A reply beside a stored one.  Rows that are not sorted may come in any order,
 * so rows are also compared as a bag: by the sum of their hashes.  Pure.
 */
#include "cache/compare.h"

#include <string.h>

#include "base/hash.h"
#include "pgwire/frame.h"

struct compare_bag {
	struct hash128 rows; /* sum over all */
	struct hash128 rest; /* of the other messages, in order */
};

static bool
compare_take(struct compare_bag *bag, struct slice s)
{
	struct hash128 h;
	struct frame f;

	*bag = (struct compare_bag){ .rows = { 0, 0 } };
	for (; s.n > 0; s.p += f.size, s.n -= f.size) {
		if (frame_next(s.p, s.n, UINT32_MAX, &f) != FRAME_WHOLE)
			return false;
		h = hash_bytes(s.p, f.size);
		if (f.type == 'D') {
			bag->rows.lo += h.lo;
			bag->rows.hi += h.hi;
		} else {
			bag->rest = hash_mix(bag->rest, h);
		}
	}
	return true;
}

/* Leave what an object holds: description, rows, CommandComplete. */
static bool
compare_strip(const char *reply, size_t n, struct slice *out)
{
	struct slice s = slice_make(reply, n);
	bool complete = false;
	struct frame f;

	*out = slice_make(reply, 0);
	for (; s.n > 0; s.p += f.size, s.n -= f.size) {
		if (frame_next(s.p, s.n, UINT32_MAX, &f) != FRAME_WHOLE)
			return false;
		switch (f.type) {
		case '1':
		case '2':
			*out = slice_make(s.p + f.size, 0);
			break;
		case 'T':
		case 'D':
		case 'C':
			if (complete)
				return false;
			complete = f.type == 'C';
			out->n += f.size;
			break;
		case 'Z':
			return complete && s.n == f.size;
		default:
			return false;
		}
	}
	return false;
}

enum compare
compare_reply(const struct object *o, const char *reply, size_t n)
{
	struct compare_bag had, has;
	struct slice now;

	if (!compare_strip(reply, n, &now))
		return COMPARE_UNUSABLE;
	if (slice_eq(now, o->frames))
		return COMPARE_SAME;
	if (!compare_take(&had, o->frames) || !compare_take(&has, now))
		return COMPARE_UNUSABLE;
	return hash_eq(had.rows, has.rows) && hash_eq(had.rest, has.rest) ?
	    COMPARE_REORDERED : COMPARE_DIFFERENT;
}
