/* SPDX-License-Identifier: PostgreSQL
 *
 * The stream of a walsender with the plugin pgoutput, taken apart: the
 * envelopes in CopyData, and messages of protocol versions 1 and 2.
 *
 * Every count and length is checked against the message, so that what was
 * read can be walked without further checks.  Slices point into the message.
 * Pure.
 */
#ifndef PGSLUICE_FEED_PGOUTPUT_H
#define PGSLUICE_FEED_PGOUTPUT_H

#include "pgwire/msgread.h"

typedef uint64_t lsn_t; /* a place in the write-ahead log */

/* What a CopyData message holds. */
struct pgo_envelope {
	bool is_data;        /* else a keepalive */
	lsn_t start;         /* data: of its record; may be 0 */
	lsn_t end;           /* how far the server has sent */
	bool reply;          /* keepalive: an answer is wanted at once */
	struct slice data;   /* one message of pgoutput */
};
/* false: malformed or of a kind that is not known. */
bool pgo_envelope(struct slice copy_data, struct pgo_envelope *e)
    PG_MUST_CHECK;

enum pgo_kind {
	PGO_BEGIN = 'B', PGO_COMMIT = 'C', PGO_ORIGIN = 'O',
	PGO_RELATION = 'R', PGO_TYPE = 'Y', PGO_INSERT = 'I',
	PGO_UPDATE = 'U', PGO_DELETE = 'D', PGO_TRUNCATE = 'T',
	PGO_MESSAGE = 'M',
	/* version 2: transactions that are sent before they commit */
	PGO_STREAM_START = 'S', PGO_STREAM_STOP = 'E',
	PGO_STREAM_COMMIT = 'c', PGO_STREAM_ABORT = 'A'
};

/* A row, or of an old one what the replica identity holds: the columns come in
 * the order of the relation's. */
struct pgo_tuple {
	uint16_t n;          /* columns */
	struct slice rest;   /* those that pgo_value_next() has not given yet */
};
enum pgo_value_kind {
	PGO_NULL = 'n',      /* in an old row also: not in the identity */
	PGO_UNCHANGED = 'u', /* a long value that was not touched, not sent */
	PGO_TEXT = 't', PGO_BINARY = 'b'
};
struct pgo_value {
	enum pgo_value_kind kind;
	struct slice bytes;
};
/* The next column; false: there was none. */
bool pgo_value_next(struct pgo_tuple *t, struct pgo_value *v);

struct pgo_column {
	struct slice name;
	uint32_t type;
	bool is_key;         /* in the replica identity */
};
struct pgo_columns {
	uint16_t n;
	struct slice rest;
};
bool pgo_column_next(struct pgo_columns *c, struct pgo_column *out);

struct pgo_message {
	enum pgo_kind kind;
	/* Of BEGIN, STREAM_START, _COMMIT, _ABORT, and of everything inside of
	 * a stream; else 0. There it may be that of a subtransaction. */
	uint32_t xid;
	uint32_t subxid;     /* STREAM_ABORT: what has ended; xid if all */
	bool first;          /* STREAM_START: of this transaction */
	lsn_t commit, end;   /* COMMIT, STREAM_COMMIT; commit: BEGIN too */
	uint32_t relation;   /* RELATION, INSERT, UPDATE, DELETE: its oid */
	/* RELATION, without quotes; an empty schema is pg_catalog. */
	struct slice schema, name;
	char identity;       /* RELATION: as in pg_class.relreplident */
	struct pgo_columns columns; /* RELATION */
	/* DELETE, maybe UPDATE: the row before. old_is_key: of it only the key,
	 * and of an UPDATE only if that has changed. */
	bool has_old, old_is_key;
	struct pgo_tuple old;
	bool has_new;        /* INSERT, UPDATE */
	struct pgo_tuple new;
	uint32_t n_relations; /* TRUNCATE */
	struct slice relations; /* n x 4 bytes */
	bool transactional;  /* MESSAGE */
	struct slice prefix, content; /* MESSAGE */
};

/* What has to be known of earlier messages; all zero at the beginning. */
struct pgo_reader {
	bool in_stream;
};
/* false: malformed, out of order or not known; the stream is of no use from
 * there on. */
bool pgo_read(struct pgo_reader *r, struct slice data, struct pgo_message *m)
    PG_MUST_CHECK;
static inline uint32_t
pgo_truncated(const struct pgo_message *m, uint32_t i)
{
	return wire_u32(m->relations.p + (size_t)i * 4);
}

#define PGO_STATUS_SIZE 34
/* The standby's status: all up to at has been taken. sent: microseconds since
 * 2000, UTC. */
void pgo_status(char out[PGO_STATUS_SIZE], lsn_t at, int64_t sent,
    bool want_reply);

#endif
