/* SPDX-License-Identifier: PostgreSQL
 *
 * One look at the catalogs of a backend.  Knows no threads: whoever calls owns
 * the struct.
 */
#ifndef PGSLUICE_LAYOUT_WATCH_LOOK_H
#define PGSLUICE_LAYOUT_WATCH_LOOK_H

#include "layout/ask.h"
#include "layout/watch.h"

struct watch_look {
	struct vouch *vouch;
	struct ask a;
	bool open;
	bool known;          /* the digests below are of the last look */
	char digest[40], settings[64];
	int64_t loaded;      /* the server's configuration, microseconds */
	struct hash128 question;
	uint64_t version;    /* of what was found last; 0: nothing */
	struct conf_strings names; /* whose columns' privileges are in the digest */
	/* numbers, for people */
	nsec_t took;
	uint64_t looks, moves, reads;
	size_t relations;
	char partial[200];   /* see struct deps; or "" */
};

void watch_look_init(struct watch_look *w, struct vouch *v,
    const atomic_bool *stopping);
void watch_look_fini(struct watch_look *w);
/* false: see a.error; the voucher will lapse. */
bool watch_look(struct watch_look *w, const struct watch_setup *s)
    PG_MUST_CHECK;

#endif
