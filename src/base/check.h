/* SPDX-License-Identifier: PostgreSQL
 *
 * Contracts that stay on in production.
 *
 * CHECK(cond) is for "cannot be": a broken contract panics with file, line and
 * backtrace.  It is never used for anything a peer, a file or the operating
 * system can cause.  Long-lived structs carry a magic number, first member,
 * checked wherever a void pointer loses the type (event callbacks, mailboxes).
 */
#ifndef PGSLUICE_BASE_CHECK_H
#define PGSLUICE_BASE_CHECK_H

#include <stddef.h>
#include <stdint.h>

#define PG_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define PG_MUST_CHECK __attribute__((warn_unused_result))
#define PG_NORETURN __attribute__((noreturn))
#define PG_UNUSED __attribute__((unused))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Log "panic", print a backtrace to stderr, abort(). */
void check_panic(const char *file, int line, const char *func,
    const char *what) PG_NORETURN;

#define CHECK(cond) \
	do { \
		if (unlikely(!(cond))) \
			check_panic(__FILE__, __LINE__, __func__, #cond); \
	} while (0)
#define WRONG(why) check_panic(__FILE__, __LINE__, __func__, why)

/* Struct magics: "uint32_t magic;" is the first member; FOO_MAGIC is unique
 * over the tree (tests/lint/magic.py proves it). */
#define CHECK_MAGIC(ptr, m) CHECK((ptr) != NULL && (ptr)->magic == (m))

/* Small fixed allocations: abort when memory is gone.  Never sized by a peer. */
void *x_malloc(size_t n) PG_MUST_CHECK;
void *x_calloc(size_t n, size_t size) PG_MUST_CHECK;
char *x_strdup(const char *s) PG_MUST_CHECK;
char *x_strndup(const char *s, size_t n) PG_MUST_CHECK;

#endif
