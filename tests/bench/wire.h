/* SPDX-License-Identifier: PostgreSQL
 *
 * Numbers of the PostgreSQL protocol, for the programs of the benchmark.
 */
#ifndef PGSLUICE_BENCH_WIRE_H
#define PGSLUICE_BENCH_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WIRE_VERSION 196608u /* 3.0 */
#define WIRE_SSL_REQUEST 80877103u
#define WIRE_GSS_REQUEST 80877104u

static inline uint32_t
wire_get32(const void *from)
{
	const unsigned char *p = from;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

/* The writers return the place behind what they wrote. */
static inline char *
wire_put(char *p, const void *from, size_t n)
{
	memcpy(p, from, n);
	return p + n;
}

static inline char *
wire_put_string(char *p, const char *text)
{
	return wire_put(p, text, strlen(text) + 1);
}

static inline char *
wire_put16(char *p, unsigned v)
{
	p[0] = (char)(v >> 8);
	p[1] = (char)v;
	return p + 2;
}

static inline char *
wire_put32(char *p, uint32_t v)
{
	p[0] = (char)(v >> 24);
	p[1] = (char)(v >> 16);
	p[2] = (char)(v >> 8);
	p[3] = (char)v;
	return p + 4;
}

#endif
