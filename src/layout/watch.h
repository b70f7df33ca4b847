/* SPDX-License-Identifier: PostgreSQL
 *
 * Watches over the catalogs that cached results depend on: a thread and a
 * connection for each backend that a configuration wants watched.
 *
 * Twice in revocation_bound a watch asks for a digest of privileges, roles,
 * policies and of how tables hang together, and at once after a doubt (see
 * conf/vouch.h).  When it has moved, moved() is called, and the relations are
 * read anew and given to found().  A watch that hears nothing for longer than
 * the bound lets its voucher lapse, and moved() is called before it vouches
 * again.
 */
#ifndef PGSLUICE_LAYOUT_WATCH_H
#define PGSLUICE_LAYOUT_WATCH_H

#include "conf/deps.h"

/* What watches work with until the next one is given; its maker's. */
struct watch_setup {
	atomic_uint refs;
	struct conf *conf;
	/* Arguments for libpq, as of struct layout_job. */
	bool (*login)(const struct watch_setup *s, const char *conninfo,
	    char ***keywords, char ***values);
	/* All results of this backend are over; settings: and so are its
	 * servers, which began with others. */
	void (*moved)(const char *backend, bool settings);
	void (*found)(struct deps *d); /* the reference is given away */
	void (*release)(struct watch_setup *s); /* the last reference is gone */
};

/* All of these functions of it are called on threads of watches, but release
 * on any. */

/* Once, before other threads start. */
void watch_init(void);
/* Control thread. The reference is taken over; watches begin and end as its
 * configuration wants. */
void watch_use(struct watch_setup *s);
void watch_stop(void);

/* A watch as it is now. */
struct watch_info {
	const char *backend;
	bool good;          /* the last look has succeeded */
	bool vouched;
	nsec_t left;        /* until the voucher lapses */
	nsec_t looked_at;   /* wall clock; 0: never */
	nsec_t took;        /* the last digest */
	uint64_t looks, moves, reads;
	size_t relations;
	const char *partial; /* why a rule for all tables does not apply; or
	                        NULL */
	const char *error;  /* of the last look; or NULL */
};
/* Any thread; fn must not wait. */
void watch_each(void (*fn)(const struct watch_info *i, void *arg), void *arg);

#endif
