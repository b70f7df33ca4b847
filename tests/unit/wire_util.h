/* SPDX-License-Identifier: PostgreSQL
 *
 * Client messages, built in memory for tests.
 */
#ifndef PGSLUICE_TEST_WIRE_UTIL_H
#define PGSLUICE_TEST_WIRE_UTIL_H

#include "pgwire/msgwrite.h"

struct wire {
	struct buf b;
	struct msgwrite w;
};

static inline void
wire_start(struct wire *m)
{
	buf_init(&m->b, 1 << 24);
	msgwrite_init(&m->w, &m->b);
}

/* Any message; the length is computed. */
static inline void
wire_raw(struct wire *m, char type, const void *body, size_t n)
{
	msgwrite_begin(&m->w, type);
	msgwrite_bytes(&m->w, body, n);
	msgwrite_end(&m->w);
}

static inline void
wire_parse(struct wire *m, const char *name, const char *sql)
{
	msgwrite_begin(&m->w, 'P');
	msgwrite_str(&m->w, name);
	msgwrite_str(&m->w, sql);
	msgwrite_u16(&m->w, 0);
	msgwrite_end(&m->w);
}

static inline void
wire_bind(struct wire *m, const char *portal, const char *statement)
{
	msgwrite_begin(&m->w, 'B');
	msgwrite_str(&m->w, portal);
	msgwrite_str(&m->w, statement);
	msgwrite_u16(&m->w, 0);
	msgwrite_u16(&m->w, 0);
	msgwrite_u16(&m->w, 0);
	msgwrite_end(&m->w);
}

/* Describe or Close. */
static inline void
wire_target(struct wire *m, char type, char kind, const char *name)
{
	msgwrite_begin(&m->w, type);
	msgwrite_u8(&m->w, (uint8_t)kind);
	msgwrite_str(&m->w, name);
	msgwrite_end(&m->w);
}

static inline void
wire_execute(struct wire *m, const char *portal, uint32_t rows)
{
	msgwrite_begin(&m->w, 'E');
	msgwrite_str(&m->w, portal);
	msgwrite_u32(&m->w, rows);
	msgwrite_end(&m->w);
}

static inline void
wire_sync(struct wire *m)
{
	wire_raw(m, 'S', "", 0);
}

#endif
