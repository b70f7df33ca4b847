/* SPDX-License-Identifier: PostgreSQL
 *
 * Watches over catalogs on the page /metrics.  Control thread.
 */
#include "admin/exposition_priv.h"
#include "layout/watch.h"

struct watch_family {
	struct prom *p;
	enum family f;
};

static void
watch_sample(const struct watch_info *i, void *arg)
{
	const struct watch_family *to = arg;
	const struct prom_label l = { "backend", i->backend };
	const char *name = families[to->f].name;

	switch (to->f) {
	case FAMILY_WATCH_VOUCHED:
		prom_number(to->p, name, &l, 1, i->vouched);
		break;
	case FAMILY_WATCH_LOOKS:
		prom_number(to->p, name, &l, 1, i->looks);
		break;
	case FAMILY_WATCH_MOVES:
		prom_number(to->p, name, &l, 1, i->moves);
		break;
	default:
		prom_seconds(to->p, name, &l, 1, i->took);
		break;
	}
}

void
exposition_watches(struct prom *p)
{
	static const enum family all[] = { FAMILY_WATCH_VOUCHED,
		FAMILY_WATCH_LOOKS, FAMILY_WATCH_MOVES, FAMILY_WATCH_SECONDS };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all); i++) {
		struct watch_family to = { p, all[i] };

		exposition_family(p, all[i]);
		watch_each(watch_sample, &to);
	}
}
