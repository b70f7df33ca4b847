/* SPDX-License-Identifier: PostgreSQL
 *
 * Outlets: records on their way from a hub to each worker.
 *
 * Per worker one buffer and at most one batch under way; the worker posts the
 * batch back when it has done it, and gets the next.  Runs on the hub's
 * worker, but for the callback, which runs on the receiving one.
 */
#ifndef PGSLUICE_BACKEND_OUTLET_H
#define PGSLUICE_BACKEND_OUTLET_H

#include "backend/hub.h"

struct outlet {
	struct buf waiting;
	bool under_way;
};

struct outlets {
	struct hub *hub;
	struct worker *w;
	struct worker *const *workers;
	unsigned n;
	hub_cb cb;
	/* Little enough waits: the server may be read again. */
	void (*relieved)(struct outlets *o);
	struct outlet *v;
};

void outlets_init(struct outlets *o, struct hub *h, struct worker *w,
    struct worker *const *workers, unsigned n, hub_cb cb,
    void (*relieved)(struct outlets *o));
void outlets_fini(struct outlets *o);

/* Queue a record for worker i. body: of the NotificationResponse. */
void outlet_note(struct outlets *o, unsigned i, const char *body, size_t n);
/* sqlstate, why: NULL if type is HUB_HEARD. */
void outlet_answer(struct outlets *o, unsigned i, char type,
    uint64_t session, uint64_t ticket, const char *sqlstate, const char *why);
void outlet_lost(struct outlets *o, unsigned i, const char *why);

/* So much waits for some worker that no more should be read. */
bool outlets_full(const struct outlets *o);
/* Send what waits to all workers that are free. */
void outlets_flush(struct outlets *o);

#endif
