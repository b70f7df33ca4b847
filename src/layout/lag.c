/* SPDX-License-Identifier: PostgreSQL
 *
 * Samples of a primary in a ring, and the comparisons that lag.h proves.
 *
 * Pure.
 */
#include "layout/lag.h"

static const struct {
	const char *name, *doc;
} states[] = {
#define REPLICA_STATE(sym, name, doc) [REPLICA_##sym] = { name, doc },
#include "tbl/replica_states.h"
};

const char *
replica_state_name(enum replica_state s)
{
	return states[s].name;
}

const char *
replica_state_doc(enum replica_state s)
{
	return states[s].doc;
}

/* ------------------------------------------------------------ samples */

static const struct lag_sample *
lag_nth(const struct lag_history *h, unsigned i)
{
	return &h->v[(h->first + i) % LAG_SAMPLES];
}

void
lag_clear(struct lag_history *h)
{
	h->first = h->n = 0;
}

void
lag_add(struct lag_history *h, nsec_t at, uint64_t position)
{
	struct lag_sample *last;

	if (h->n > 0) {
		last = &h->v[(h->first + h->n - 1) % LAG_SAMPLES];
		if (at < last->at)
			return;
		if (position < last->position) {
			lag_clear(h);
		} else if (position == last->position) {
			last->at = at;
			return;
		}
	}
	if (h->n == LAG_SAMPLES) {
		h->first = (h->first + 1) % LAG_SAMPLES;
		h->n--;
	}
	h->v[(h->first + h->n++) % LAG_SAMPLES] =
	    (struct lag_sample){ at, position };
}

nsec_t
lag_upto(const struct lag_history *h, uint64_t replayed)
{
	unsigned lo = 0, hi = h->n, mid;

	/* The first of [lo, hi) that is not replayed. */
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (lag_nth(h, mid)->position <= replayed)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo > 0 ? lag_nth(h, lo - 1)->at : 0;
}

uint64_t
lag_bytes(const struct lag_history *h, uint64_t replayed)
{
	uint64_t last = h->n > 0 ? lag_nth(h, h->n - 1)->position : 0;

	return last > replayed ? last - replayed : 0;
}

/* ------------------------------------------------------------ fitness */

enum replica_state
lag_compare(const struct lag_answer *primary, const struct lag_answer *replica)
{
	if (primary->standby)
		return REPLICA_NO_PRIMARY;
	if (!replica->standby)
		return REPLICA_PROMOTED;
	if (replica->system != primary->system)
		return REPLICA_OTHER_SYSTEM;
	if (replica->timeline != primary->timeline)
		return REPLICA_OTHER_TIMELINE;
	if (replica->version != primary->version)
		return REPLICA_OTHER_VERSION;
	return REPLICA_FIT;
}

void
lag_read(struct lag_reader *r, uint64_t epoch, nsec_t now)
{
	if (r->epoch != epoch && r->here > r->elsewhere)
		r->elsewhere = r->here;
	r->epoch = epoch;
	r->here = now;
}

/* What must be in front of upto. */
static nsec_t
lag_floor(const struct lag_reader *r, uint64_t epoch, nsec_t written)
{
	nsec_t floor = r->elsewhere > written ? r->elsewhere : written;

	return r->epoch != epoch && r->here > floor ? r->here : floor;
}

bool
lag_provable(const struct lag_state *s, const struct lag_reader *r,
    nsec_t written)
{
	return r->own.position != 0 &&
	    r->own.at > lag_floor(r, s->epoch, written);
}

enum replica_state
lag_fit(const struct lag_state *s, const struct lag_bounds *b,
    const struct lag_reader *r, nsec_t written, nsec_t now)
{
	if (s->state != REPLICA_FIT)
		return s->state;
	if (s->upto == 0)
		return REPLICA_BEHIND;
	if (b->max_bytes > 0 && s->bytes > b->max_bytes)
		return REPLICA_LAG;
	if (b->max_age > 0 && now > s->upto && now - s->upto > b->max_age)
		return REPLICA_AGE;
	if (s->upto <= lag_floor(r, s->epoch, written))
		return REPLICA_FLOOR;
	return REPLICA_FIT;
}
