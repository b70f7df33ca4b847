/* SPDX-License-Identifier: PostgreSQL
 *
 * Writing JSON into a buffer, value after value, with a sticky failure: once
 * the buffer is full all later puts are no-ops, and the caller looks once.
 *
 * Commas come by themselves; that keys and values alternate and that what is
 * opened is closed is the caller's affair.  Text may be any bytes: what is not
 * UTF-8 becomes U+FFFD, so that the result always is.
 */
#ifndef PGSLUICE_BASE_JSON_H
#define PGSLUICE_BASE_JSON_H

#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"

struct json {
	struct buf *b;
	bool comma; /* is due before the next key or value */
	bool failed;
};

void json_init(struct json *j, struct buf *b);
void json_open(struct json *j, char bracket);  /* '{' or '[' */
void json_close(struct json *j, char bracket); /* '}' or ']' */
void json_key(struct json *j, const char *name);

void json_slice(struct json *j, struct slice s);
void json_str(struct json *j, const char *s); /* NULL: null */
void json_null(struct json *j);
void json_bool(struct json *j, bool v);
void json_u64(struct json *j, uint64_t v);
/* What JSON has no number for is null. */
void json_real(struct json *j, double v);
void json_seconds(struct json *j, nsec_t v);
/* text as it is if JSON takes it for a number, else as a string. */
void json_number(struct json *j, struct slice text);

/* Take back all that was written since; a failure, too. */
struct json_mark {
	size_t len;
	bool comma, failed;
};
struct json_mark json_mark(const struct json *j);
void json_rewind(struct json *j, struct json_mark m);

#endif
