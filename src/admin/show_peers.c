/* SPDX-License-Identifier: PostgreSQL
 *
 * SHOW PEERS, and peers on the page /metrics.
 *
 * Rows are made on the worker of the session that asked, the page on the
 * control thread.
 */
#include "admin/console.h"
#include "admin/exposition_priv.h"
#include "session/peers.h"

/* ------------------------------------------------------------ rows */

static void
peer_row(const struct peers_info *i, void *arg)
{
	static const char *const states[] = { "new", "up", "down" };
	struct row row = { .n = 0 };

	row_u64(&row, i->peer->node);
	row_str(&row, i->peer->host);
	row_i64(&row, i->peer->port);
	row_u64(&row, PEER_OPEN_MAX);
	row_str(&row, i->self ? "self" : states[i->state]);
	row_u64(&row, i->passed);
	row_u64(&row, i->failed);
	row_u64(&row, i->dropped);
	row_u64(&row, i->open);
	if (i->state == PEER_NEW)
		row_str(&row, NULL);
	else
		row_when(&row, i->ago);
	row_str(&row, i->state == PEER_DOWN ? i->error : NULL);
	rows_add(arg, &row);
}

void
console_show_peers(struct console_call *call)
{
	struct rows r;

	console_rows(call, &r);
	peers_each(session_conf(call->w), peer_row, &r);
	rows_reply(&r, call->w, call->session, "SHOW");
}

/* ------------------------------------------------------------ /metrics */

static void
peer_up(const struct peers_info *i, void *arg)
{
	const struct prom_label l = { "peer", i->peer->title };

	if (i->state != PEER_NEW)
		prom_number(arg, families[FAMILY_PEER_UP].name, &l, 1,
		    i->state == PEER_UP);
}

static void
peer_cancels(const struct peers_info *i, void *arg)
{
	const struct {
		const char *outcome;
		uint64_t n;
	} each[] = { { "passed", i->passed }, { "failed", i->failed },
		{ "dropped", i->dropped } };
	size_t k;

	for (k = 0; !i->self && k < ARRAY_SIZE(each); k++)
		prom_number(arg, families[FAMILY_PEER_CANCELS].name,
		    (const struct prom_label[]){ { "peer", i->peer->title },
		    { "outcome", each[k].outcome } }, 2, each[k].n);
}

void
exposition_peers(struct prom *p, const struct conf *c)
{
	exposition_family(p, FAMILY_PEER_UP);
	peers_each(c, peer_up, p);
	exposition_family(p, FAMILY_PEER_CANCELS);
	peers_each(c, peer_cancels, p);
}
