/* SPDX-License-Identifier: PostgreSQL
 *
 * What servers were asked for one statement, and what they said when: kept for
 * EXPLAIN (ROUTE, ANALYZE), and printed as its lines.
 *
 * Each question is one statement that a server is sent; questions to the same
 * one are answered in order.  A server is known by an address that is only
 * compared.  Pure: times are given.
 */
#ifndef PGSLUICE_SESSION_MEASURE_H
#define PGSLUICE_SESSION_MEASURE_H

#include "base/clock.h"
#include "base/slice.h"

/* All texts together, in bytes: what is beyond is left out, and said to be. */
#define MEASURE_TEXT_MAX (1024u * 1024)

struct measure_question {
	const void *server;
	char *where, *sql;       /* sql NULL: left out */
	nsec_t asked, first, answered, committed; /* 0: not (yet) */
	uint64_t rows, bytes;    /* of rows, as messages */
	size_t left;             /* of a row that is half here */
	char tag[64];            /* of the answer */
};

struct measure {
	nsec_t since;            /* what times are counted from */
	struct measure_question *asked;
	size_t n, size;
	size_t text;             /* bytes of texts that are kept */
	const char *note;        /* static text, or NULL */
};

void measure_init(struct measure *m, nsec_t since);
void measure_fini(struct measure *m);
/* The server is sent sql. where: the server in words. Without memory nothing is
 * kept. */
void measure_ask(struct measure *m, const void *server, const char *where,
    struct slice sql, nsec_t now);
/* Bytes that it answered: whole messages, but for rows, which may come in pieces. */
void measure_answer(struct measure *m, const void *server, const char *p,
    size_t n, nsec_t now);
/* The lines, handed to fn one by one. */
void measure_lines(const struct measure *m,
    void (*fn)(void *arg, const char *line), void *arg);

#endif
