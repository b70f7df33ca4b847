/* SPDX-License-Identifier: PostgreSQL
 *
 * A session on its way to another process: all that has to go with its
 * descriptor, as bytes.
 *
 *   fixed numbers | texts | settings | prepared statements
 *
 * Each text is its length (4 bytes) and its bytes, numbers are in network
 * order.  Pure.  What reads is given bytes by another process: every length is
 * checked before it is used, and all of it is read or nothing.
 */
#ifndef PGSLUICE_SESSION_PARCEL_H
#define PGSLUICE_SESSION_PARCEL_H

#include "base/buf.h"
#include "pgwire/msgread.h"

#define PARCEL_MAX (128u << 20)
#define PARCEL_SECRET_MAX 32
#define PARCEL_STARTUP_MAX 16384

enum parcel_text {
	PARCEL_USER, PARCEL_DATABASE, PARCEL_PEER,
	PARCEL_APP_NAME,    /* as the client was told it last */
	PARCEL_APP_BORN,    /* as it came with it, if that is another */
	PARCEL_STARTUP,     /* settings, name\0value\0 ... */
	PARCEL_PASSWORD, PARCEL_CLIENT_KEY, PARCEL_SERVER_KEY, /* its own */
	PARCEL_SECRET,      /* of its cancel key */
	PARCEL_INPUT,       /* bytes of a message that is half here */
	PARCEL_TEXTS
};

struct parcel {
	uint64_t born, queries;
	uint32_t cancel_pid;
	bool renamed;        /* PARCEL_APP_BORN is there */
	bool app_news;       /* the client has not been told its name */
	bool own;            /* the three of its login are there */
	bool backslashes, other_encoding;
	struct slice text[PARCEL_TEXTS]; /* no NUL in it but where it says so */
	uint32_t n_vars, n_statements;
	struct slice vars, statements;   /* in wire form */
};

struct parcel_statement {
	struct slice name, sql, types;
	bool declared; /* by SQL's PREPARE */
	bool named;    /* ... by Parse, under a name */
	bool told;     /* the client knows the types of its result */
};

/* The two are put together first. false: no memory, or too large. */
bool parcel_add_var(struct buf *vars, const char *name, const char *value)
    PG_MUST_CHECK;
bool parcel_add_statement(struct buf *statements,
    const struct parcel_statement *s) PG_MUST_CHECK;
bool parcel_write(struct buf *b, const struct parcel *p) PG_MUST_CHECK;

/* Slices point into the bytes. false: they are no parcel. */
bool parcel_read(const void *bytes, size_t n, struct parcel *p) PG_MUST_CHECK;
/* Of one that has been read, from the first; false: no more. */
bool parcel_next_var(struct msgread *r, struct slice *name,
    struct slice *value);
bool parcel_next_statement(struct msgread *r, struct parcel_statement *s);

#endif
