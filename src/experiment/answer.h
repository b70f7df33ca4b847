/* SPDX-License-Identifier: PostgreSQL
 *
 * What two answers have to have in common to be the same, without keeping
 * either.
 *
 * Rows count as a bag: by their number and the sum of their hashes modulo 2^128,
 * which does not depend on their order and counts duplicates (MSet-Add-Hash:
 * Clarke, Devadas, van Dijk, Gassend, Suh, Incremental multiset hash functions,
 * 2003; the hashes are keyed per process).  Beside them count the columns, by name
 * and type, where both answers tell them, the command tag, and for errors the
 * SQLSTATE.  Rows are compared as they are sent, so both answers must have been
 * asked for in the same formats; types that are not PostgreSQL's own have other
 * numbers on other servers, and are told apart by nothing.
 *
 * Bytes come as they pass, cut anywhere; memory does not grow with them.  Pure.
 */
#ifndef PGSLUICE_EXPERIMENT_ANSWER_H
#define PGSLUICE_EXPERIMENT_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"

#define ANSWER_TAG 64
#define ANSWER_HELD 16384 /* of a message that is cut: a longer description or
                             error counts as broken */

struct answer_sum {
	uint64_t rows;
	struct hash128 bag;      /* sum over rows */
	struct hash128 columns;
	bool described, failed;
	bool broken;             /* not understood: is like no other */
	char tag[ANSWER_TAG];    /* or the SQLSTATE */
};

struct answer {
	struct answer_sum sum;
	/* Of a message that is half here. */
	uint8_t head[5];
	unsigned n_head;
	char type;
	uint32_t left;           /* bytes of its body to come */
	struct hash128 row;      /* so far, of a row */
	unsigned n_held;
	char held[ANSWER_HELD];
};

enum answer_difference {
	ANSWER_SAME,
	ANSWER_BROKEN,  /* one of them is no answer that can be compared */
	ANSWER_ERROR,   /* one failed, or both in different ways */
	ANSWER_COLUMNS,
	ANSWER_COUNT,   /* of rows */
	ANSWER_ROWS,
	ANSWER_TAG_DIFFERS
};

void answer_init(struct answer *a);
/* Messages of a server, cut anywhere. */
void answer_feed(struct answer *a, const char *p, size_t n);
/* The body of an ErrorResponse. */
void answer_fail(struct answer *a, const char *body, size_t n);
enum answer_difference answer_compare(const struct answer_sum *a,
    const struct answer_sum *b);
const char *answer_difference_name(enum answer_difference d);

#endif
