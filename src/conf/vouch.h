/* SPDX-License-Identifier: PostgreSQL
 *
 * Whether what is known of a backend's catalogs may still be relied on.
 *
 * One writer, the thread that watches the backend, says: this version of what
 * the catalogs say was right until then.  It is over at that time, with a new
 * version, and with every doubt: something that may have changed catalogs was
 * committed through this process.  Interned for life, any thread, no lock but
 * for making one.
 */
#ifndef PGSLUICE_CONF_VOUCH_H
#define PGSLUICE_CONF_VOUCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/clock.h"
#include "run/shared.h"

struct vouch {
	char *backend, *conninfo;
	struct vouch *next;
	_Atomic uint64_t version; /* 0: nothing is known */
	_Atomic uint64_t doubts;  /* as many as had come before it was asked */
	_Atomic nsec_t until;     /* monotonic */
};

extern union vouch_doubts {
	_Atomic uint64_t count;
	char room[SHARED_ALIGN]; /* it may be shared */
} vouch_doubts;
/* The count, for the process that takes over. */
struct shared_region vouch_region(void);

/* The one of this backend. */
struct vouch *vouch_get(const char *backend, const char *conninfo);
void vouch_fini(void); /* frees them all; no other thread runs */

/* The number of a version that nothing has had yet. */
uint64_t vouch_version(void);
/* The watching thread: this version is right until then, as far as it was known when so
 * many doubts had come. */
void vouch_give(struct vouch *v, uint64_t version, uint64_t doubts,
    nsec_t until);
/* ... it is not known whether it is. */
void vouch_end(struct vouch *v);

/* Any thread; before others can see what was committed. */
void vouch_doubt(void);
/* fn is called by the thread that doubts. Before other threads start. */
void vouch_on_doubt(void (*fn)(void));

static inline bool
vouch_holds(const struct vouch *v, uint64_t version, nsec_t now)
{
	/* What is read first was written last. */
	return atomic_load(&v->until) > now &&
	    atomic_load(&v->doubts) == atomic_load(&vouch_doubts.count) &&
	    atomic_load(&v->version) == version;
}

#endif
