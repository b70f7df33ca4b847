/* SPDX-License-Identifier: PostgreSQL
 *
 * Logging: one logfmt line an event, journald priority prefix when stderr is
 * the journal, never blocking.
 *
 * log_msg() formats on the caller's stack and pushes into a bounded ring that
 * one writer thread empties; a full ring drops the line and counts it (the
 * count is logged when there is room again).  Before log_start() and after
 * log_stop() lines go to stderr directly.  Any thread may log.  Values from
 * outside go through %s only by way of log_esc(), which escapes control
 * bytes, quotes and non-UTF-8 and cuts at 256 bytes.
 */
#ifndef PGSLUICE_BASE_LOG_H
#define PGSLUICE_BASE_LOG_H

#include <stdarg.h>
#include <stdint.h>

#include "base/check.h"
#include "base/slice.h"

enum log_level { LOG_L_ERROR, LOG_L_WARN, LOG_L_INFO, LOG_L_DEBUG };

extern enum log_level log_threshold; /* set by configuration; read relaxed */

/* area: short module name ("session", "backend").  fmt gives logfmt pairs,
 * for example "msg=\"server lost\" backend=%s pid=%d". */
void log_msg(enum log_level level, const char *area, const char *fmt, ...)
    PG_PRINTF(3, 4);

#define log_error(area, ...) log_msg(LOG_L_ERROR, area, __VA_ARGS__)
#define log_warn(area, ...) log_msg(LOG_L_WARN, area, __VA_ARGS__)
#define log_info(area, ...) log_msg(LOG_L_INFO, area, __VA_ARGS__)
/* Would a line of this level be written? For callers whose arguments cost. */
#define log_enabled(level) \
	(__atomic_load_n(&log_threshold, __ATOMIC_RELAXED) >= (level))
#define log_debug(area, ...) \
	do { \
		if (log_enabled(LOG_L_DEBUG)) \
			log_msg(LOG_L_DEBUG, area, __VA_ARGS__); \
	} while (0)

/* Escape s into a rotating thread-local buffer (8 of them) and return it,
 * with surrounding double quotes when it holds anything but [A-Za-z0-9_.:/-]. */
const char *log_esc(struct slice s);
const char *log_escs(const char *s);
/* A longer value: as much of it as fits into out, of at least 16 bytes. Always
 * quoted. */
const char *log_esc_into(char *out, size_t size, struct slice s);

void log_start(void); /* start the writer thread */
void log_stop(void);  /* flush and join it */
uint64_t log_dropped(void);

#endif
