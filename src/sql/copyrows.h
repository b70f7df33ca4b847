/* SPDX-License-Identifier: PostgreSQL
 *
 * The rows in the data of a COPY FROM, and some of their fields.
 *
 * Data come in pieces of any size; a row is handed out when all of it is here,
 * byte for byte with its line end, so that it can be sent on as it is.  Finds
 * rows where PostgreSQL 15's copyfromparse.c finds them: text, CSV and binary
 * format, for encodings in which no byte of a character looks like ASCII.
 * Pure.
 */
#ifndef PGSLUICE_SQL_COPYROWS_H
#define PGSLUICE_SQL_COPYROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/slice.h"

enum copy_format { COPY_TEXT, COPY_CSV, COPY_BINARY };

#define COPY_MAX_WANTED 8
#define COPY_MAX_FIELDS 1600

struct copy_options {
	enum copy_format format;
	char delimiter, quote, escape;
	struct slice null;      /* what stands for NULL */
	bool header;
};
/* What PostgreSQL takes where nothing is said. */
void copy_options_default(struct copy_options *o, enum copy_format format);

enum copy_eol { COPY_EOL_UNKNOWN, COPY_EOL_NL, COPY_EOL_CR, COPY_EOL_CRNL };

struct copy_field { /* from the row's first byte */
	size_t pos, n;
	bool given;  /* the row has it */
	bool quoted; /* CSV: it stands in quotes, or part of it does */
	bool null;   /* binary */
};

struct copy_rows {
	struct copy_options o;
	const unsigned *wanted;    /* numbers of fields, ascending */
	size_t n_wanted;
	enum copy_eol eol;
	uint64_t line;             /* lines begun */
	bool started;              /* binary: the header is past; else: the first
	                              line */
	/* Of the row at hand, as far as it has been looked at. */
	size_t at, field_start;
	unsigned field;
	size_t next_wanted;
	bool in_quotes, quoted;
	struct copy_field fields[COPY_MAX_WANTED];
};

void copy_rows_init(struct copy_rows *r, const struct copy_options *o,
    const unsigned *wanted, size_t n_wanted);

enum copy_verdict {
	COPY_MORE,   /* the row is not all here */
	COPY_ROW,    /* a row: r->fields has what is wanted of it */
	COPY_HEAD,   /* the header: for everyone */
	COPY_END,    /* the mark of the end of the data: what follows is nothing */
	COPY_BAD     /* *why and *sqlstate say what PostgreSQL would */
};
/* The row at p, of which n bytes are here; last: no more will come. *size: its bytes,
 * unless MORE or BAD. After MORE the same bytes and more are to be given. */
enum copy_verdict copy_rows_next(struct copy_rows *r, const char *p, size_t n,
    bool last, size_t *size, const char **sqlstate, const char **why)
    PG_MUST_CHECK;
/* The value of wanted field i of the row at p. *null: it is NULL. The result is in the
 * row or in scratch. false: no room. */
bool copy_rows_value(const struct copy_rows *r, const char *p, size_t i,
    struct buf *scratch, struct slice *value, bool *null) PG_MUST_CHECK;

#endif
