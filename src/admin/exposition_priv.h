/* SPDX-License-Identifier: PostgreSQL
 *
 * What the exposition*.c files share: the table of families.
 */
#ifndef PGSLUICE_ADMIN_EXPOSITION_PRIV_H
#define PGSLUICE_ADMIN_EXPOSITION_PRIV_H

#include "admin/exposition.h"
#include "admin/prometheus.h"

enum family {
#define FAMILY(sym, name, type, labels, help) FAMILY_##sym,
#include "tbl/metric_families.h"
	FAMILY_COUNT
};

extern const struct metric_family {
	const char *name, *type, *help;
} families[FAMILY_COUNT];

/* Begin a family: its samples come next. */
void exposition_family(struct prom *p, enum family f);

/* exposition_layout.c: what the catalogs said last; nothing before they have
 * been read. */
void exposition_layouts(struct prom *p);
/* exposition_feed.c */
void exposition_feeds(struct prom *p);
void exposition_watches(struct prom *p); /* exposition_watch.c */
/* exposition_experiment.c: of those that have run. */
void exposition_experiments(struct prom *p, const struct conf *c);
void exposition_checks(struct prom *p); /* show_checks.c */
/* show_peers.c */
void exposition_peers(struct prom *p, const struct conf *c);
/* show_replica.c: replicas, and what did not go to them. */
void exposition_replicas(struct prom *p, const struct control *c);

#endif
