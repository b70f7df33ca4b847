/* SPDX-License-Identifier: PostgreSQL
 *
 * Answers.  Pure but for the process's hash key.
 */
#include "experiment/answer.h"

#include <stdio.h>
#include <string.h>

/* Types from here on are not PostgreSQL's own. */
#define FIRST_USER_OID 16384u

void
answer_init(struct answer *a)
{
	memset(a, 0, offsetof(struct answer, held));
}

static uint32_t
answer_u32(const char *p)
{
	const uint8_t *b = (const uint8_t *)p;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
	    (uint32_t)b[2] << 8 | b[3];
}

/* Names and types; where a column comes from differs between arms. */
static void
answer_description(struct answer *a, const char *p, size_t n)
{
	const char *end = p + n, *name;
	uint32_t oid;

	a->sum.described = true;
	if (n < 2) {
		a->sum.broken = true;
		return;
	}
	for (p += 2; p < end; p += 18) {
		name = p;
		p = memchr(p, '\0', (size_t)(end - p));
		if (p == NULL || end - ++p < 18) {
			a->sum.broken = true;
			return;
		}
		oid = answer_u32(p + 6);
		if (oid >= FIRST_USER_OID)
			oid = FIRST_USER_OID;
		a->sum.columns = hash_mix(a->sum.columns, hash_bytes(name,
		    (size_t)(p - name)));
		/* And its format, the last two bytes. */
		a->sum.columns = hash_mix(a->sum.columns, (struct hash128){ oid,
			(uint8_t)p[17] });
	}
}

static void
answer_error(struct answer *a, const char *p, size_t n)
{
	const char *end = p + n, *next;

	a->sum.failed = true;
	for (; p < end && *p != '\0'; p = next + 1) {
		next = memchr(p, '\0', (size_t)(end - p));
		if (next == NULL)
			break;
		if (*p == 'C')
			snprintf(a->sum.tag, sizeof(a->sum.tag), "%s", p + 1);
	}
}

/* A whole message that is not a row. */
static void
answer_message(struct answer *a, char type, const char *p, size_t n)
{
	switch (type) {
	case 'T':
		answer_description(a, p, n);
		break;
	case 'E':
		answer_error(a, p, n);
		break;
	case 'C':
		snprintf(a->sum.tag, sizeof(a->sum.tag), "%.*s", (int)n, p);
		break;
	case 'G':
	case 'H':
	case 'W':
	case 'd':
		a->sum.broken = true;
		break;
	default:
		break;
	}
}

static void
answer_row_ends(struct answer *a)
{
	struct hash128 h = hash_mix(a->row, (struct hash128){ 1, 2 });

	a->sum.bag.lo += h.lo;
	a->sum.bag.hi += h.hi + (a->sum.bag.lo < h.lo);
	a->sum.rows++;
}

/* Rows are hashed in blocks of the same size wherever they are cut. */
static void
answer_hold_row(struct answer *a, const char *p, size_t n)
{
	size_t take;

	while (n > 0) {
		take = ANSWER_HELD - a->n_held < n ?
		    ANSWER_HELD - a->n_held : n;
		memcpy(a->held + a->n_held, p, take);
		a->n_held += (unsigned)take;
		p += take;
		n -= take;
		if (a->n_held == ANSWER_HELD) {
			a->row = hash_mix(a->row, hash_bytes(a->held,
			    a->n_held));
			a->n_held = 0;
		}
	}
}

static void
answer_hold(struct answer *a, const char *p, size_t n)
{
	if (a->type == 'D') {
		answer_hold_row(a, p, n);
	} else if (n <= ANSWER_HELD - a->n_held) {
		memcpy(a->held + a->n_held, p, n);
		a->n_held += (unsigned)n;
	} else if (a->type == 'T' || a->type == 'E' || a->type == 'C') {
		a->sum.broken = true;
	}
}

static void
answer_ends(struct answer *a)
{
	if (a->type == 'D') {
		a->row = hash_mix(a->row, hash_bytes(a->held, a->n_held));
		answer_row_ends(a);
	} else {
		answer_message(a, a->type, a->held, a->n_held);
	}
	a->n_head = a->n_held = 0;
	a->row = (struct hash128){ 0, 0 };
}

/* Type and length; returns the bytes used. */
static size_t
answer_head(struct answer *a, const char *p, size_t n)
{
	size_t take = sizeof(a->head) - a->n_head < n ?
	    sizeof(a->head) - a->n_head : n;
	uint32_t length;

	memcpy(a->head + a->n_head, p, take);
	a->n_head += (unsigned)take;
	if (a->n_head < sizeof(a->head))
		return take;
	a->type = (char)a->head[0];
	length = answer_u32((const char *)a->head + 1);
	if (length < 4)
		a->sum.broken = true;
	a->left = length < 4 ? 0 : length - 4;
	if (a->left == 0)
		answer_ends(a);
	return take;
}

/* A row that is here whole, as most are, and fits one block is hashed where it
 * lies. Returns the bytes used; 0: it is not one. */
static size_t
answer_whole_row(struct answer *a, const char *p, size_t n)
{
	uint32_t length;

	if (a->n_head > 0 || n < sizeof(a->head) || *p != 'D')
		return 0;
	length = answer_u32(p + 1);
	if (length < 4 || length - 4 >= ANSWER_HELD || n - 1 < length)
		return 0;
	a->row = hash_mix(a->row, hash_bytes(p + 5, length - 4));
	answer_row_ends(a);
	a->row = (struct hash128){ 0, 0 };
	return 1 + (size_t)length;
}

/* A part of what is not such a row. */
static size_t
answer_part(struct answer *a, const char *p, size_t n)
{
	size_t take = a->left < n ? a->left : n;

	if (a->n_head < sizeof(a->head))
		return answer_head(a, p, n);
	answer_hold(a, p, take);
	a->left -= (uint32_t)take;
	if (a->left == 0)
		answer_ends(a);
	return take;
}

void
answer_feed(struct answer *a, const char *p, size_t n)
{
	size_t take;

	while (n > 0 && !a->sum.broken) {
		take = answer_whole_row(a, p, n);
		if (take == 0)
			take = answer_part(a, p, n);
		p += take;
		n -= take;
	}
}

void
answer_fail(struct answer *a, const char *body, size_t n)
{
	answer_error(a, body, n);
}

enum answer_difference
answer_compare(const struct answer_sum *a, const struct answer_sum *b)
{
	if (a->broken || b->broken)
		return ANSWER_BROKEN;
	if (a->failed || b->failed)
		return a->failed && b->failed && strcmp(a->tag, b->tag) == 0 ?
		    ANSWER_SAME : ANSWER_ERROR;
	if (a->described && b->described && !hash_eq(a->columns, b->columns))
		return ANSWER_COLUMNS;
	if (a->rows != b->rows)
		return ANSWER_COUNT;
	if (!hash_eq(a->bag, b->bag))
		return ANSWER_ROWS;
	return strcmp(a->tag, b->tag) == 0 ? ANSWER_SAME : ANSWER_TAG_DIFFERS;
}

const char *
answer_difference_name(enum answer_difference d)
{
	static const char *const names[] = {
		[ANSWER_SAME] = "same", [ANSWER_BROKEN] = "not comparable",
		[ANSWER_ERROR] = "error", [ANSWER_COLUMNS] = "columns",
		[ANSWER_COUNT] = "number of rows", [ANSWER_ROWS] = "rows",
		[ANSWER_TAG_DIFFERS] = "command tag",
	};

	return names[d];
}
