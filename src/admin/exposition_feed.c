/* SPDX-License-Identifier: PostgreSQL
 *
 * Feeds on the page /metrics.
 *
 * A family's samples stand together, so each is a walk of its own over the
 * feeds.  Control thread.
 */
#include "admin/exposition_priv.h"

#include "feed/feed.h"

struct feed_samples {
	struct prom *p;
	enum family f;
};

static void
feed_sample(const struct feed_info *i, void *arg)
{
	const struct feed_samples *s = arg;
	const struct prom_label l = { "backend", i->backend };
	const char *name = families[s->f].name;

	switch (s->f) {
	case FAMILY_FEED_LIVE:
		prom_number(s->p, name, &l, 1, i->state == FEED_LIVE);
		break;
	case FAMILY_FEED_PROVEN:
		if (i->proven_ago != UINT64_MAX)
			prom_seconds(s->p, name, &l, 1, i->proven_ago);
		break;
	case FAMILY_FEED_LAG:
		prom_number(s->p, name, &l, 1, i->lag_bytes);
		break;
	case FAMILY_FEED_UNSETTLED:
		prom_number(s->p, name, &l, 1, i->unsettled);
		break;
	case FAMILY_FEED_COMMITS:
		prom_number(s->p, name, &l, 1, i->commits);
		break;
	case FAMILY_FEED_CHANGES:
		prom_number(s->p, name, &l, 1, i->changes);
		break;
	case FAMILY_FEED_BUMPS:
		prom_number(s->p, name, &l, 1, i->bumps);
		break;
	case FAMILY_FEED_RECONNECTS:
		prom_number(s->p, name, &l, 1, i->reconnects);
		break;
	case FAMILY_FEED_RULES:
		prom_number(s->p, name, &l, 1, i->gates);
		break;
	case FAMILY_FEED_RULES_OPEN:
		prom_number(s->p, name, &l, 1, i->gates_open);
		break;
	default:
		WRONG("not of a feed");
	}
}

void
exposition_feeds(struct prom *p)
{
	struct feed_samples s = { .p = p };

	for (s.f = FAMILY_FEED_LIVE; s.f <= FAMILY_FEED_RULES_OPEN; s.f++) {
		exposition_family(p, s.f);
		feed_each(feed_sample, &s);
	}
}
