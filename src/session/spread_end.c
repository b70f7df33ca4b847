/* SPDX-License-Identifier: PostgreSQL
 *
 * The end of a write over several shards: how its transactions are committed.
 *
 * Without two_phase_commit all are told to commit at once.  With it
 *
 *   loaded --> preparing --> deciding --> committing --> answered
 *
 * the first part is the decider.  It does PREPARE TRANSACTION, and when it has, the
 * others do, under names that tell which transaction of which server is the
 * decider's (whose number is on disk by now, and will be no other's); then the
 * decider does COMMIT PREPARED, which is the decision; then the others.  From the
 * moment at which one is prepared, whatever dies, what has become of the decider's
 * transaction says how the others are to be ended, and layout/resolve.c sees to it:
 * it undoes a decider that nobody has ended for long, but never commits one.  So
 * nothing here is waited for that cannot be had: what is lost is left.  Runs on the
 * session's worker.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layout/job.h"
#include "pgwire/msgread.h"
#include "session/spread_priv.h"

/* ---- names ------------------------------------------------------------------- */

void
spread_name(struct spread_part *p, const char *body, size_t n)
{
	struct spread *x = p->base.of;
	char text[3][64] = { "", "", "" };
	struct msgread r;
	struct slice s;
	bool null;
	size_t i;

	if (!spread_decides(p))
		return;
	msgread_init(&r, body, n);
	(void)msgread_u16(&r);
	for (i = 0; i < ARRAY_SIZE(text); i++) {
		s = msgread_value(&r, &null);
		if (!r.error && !null)
			snprintf(text[i], sizeof(text[i]), "%.*s", (int)s.n,
			    s.p);
	}
	hash_random(&x->gid.id, sizeof(x->gid.id));
	x->gid.decider = gid_backend(p->base.backend->name);
	x->named = gid_answer(&x->gid, text[0], text[1], text[2]);
}

/* What the part is told about its prepared transaction. */
static void
end_tell(struct spread_part *p, const char *command)
{
	const struct spread *x = p->base.of;
	struct gid g = x->gid;
	char name[GID_MAX], sql[GID_MAX + 32];
	int n;

	g.part = (unsigned)(p - x->part);
	gid_print(&g, name);
	n = snprintf(sql, sizeof(sql), "%s '%s'", command, name);
	spread_tell(p, slice_make(sql, (size_t)n));
}

/* ---- going on ------------------------------------------------------------------ */

void
spread_commit(struct spread *x)
{
	size_t i;

	if (!x->two_phase) {
		x->phase = SPREAD_COMMITTING;
		for (i = 0; i < x->n_parts; i++) {
			x->part[i].ending = true;
			spread_tell(&x->part[i], SLICE_LIT("COMMIT"));
		}
	} else if (x->named) {
		x->phase = SPREAD_PREPARING;
		x->part[0].prepares = true;
		end_tell(&x->part[0], "PREPARE TRANSACTION");
	} else {
		spread_fail(x, "XX000", "a shard's answer about its "
		    "transaction is not understood", 0);
	}
}

/* The decider is prepared: the others, and when they are, the decision. */
static void
end_prepare(struct spread *x)
{
	size_t i, n = 0;

	if (!x->part[0].prepared)
		return;
	for (i = 1; i < x->n_parts; i++) {
		n += x->part[i].prepared;
		if (x->part[i].prepares)
			continue;
		x->part[i].prepares = true;
		end_tell(&x->part[i], "PREPARE TRANSACTION");
	}
	if (n < x->n_parts - 1)
		return;
	x->phase = SPREAD_DECIDING;
	x->part[0].ending = true;
	end_tell(&x->part[0], "COMMIT PREPARED");
}

/* Others will end it. */
static void
end_leave(struct spread_part *p)
{
	if (p->left)
		return;
	p->left = true;
	stat_add(&session_metrics(p->base.s)->c.spreads_left, 1);
	layout_left();
}

/* The decider has answered, or never will. */
static void
end_decided(struct spread *x)
{
	size_t i;

	x->phase = SPREAD_COMMITTING;
	x->doubt = !x->part[0].committed;
	for (i = 1; i < x->n_parts; i++) {
		struct spread_part *p = &x->part[i];

		if (p->base.server == NULL)
			continue; /* lost meanwhile, and left */
		if (x->doubt) {
			end_leave(p);
			part_release(&p->base);
			continue;
		}
		p->ending = true;
		end_tell(p, "COMMIT PREPARED");
	}
}

void
spread_commit_step(struct spread *x)
{
	if (x->phase == SPREAD_PREPARING && !spread_failing(x))
		end_prepare(x);
	if (x->phase == SPREAD_DECIDING && x->part[0].base.over)
		end_decided(x);
	if (x->phase != SPREAD_DECIDING && spread_is_quiet(x) &&
	    (x->phase == SPREAD_COMMITTING || spread_failing(x)))
		spread_finish(x);
}

/* ---- what servers say -------------------------------------------------------------- */

void
spread_end_done(struct spread_part *p, const char *tag)
{
	if (p->ending)
		p->committed = strcmp(tag, "COMMIT") == 0 ||
		    strcmp(tag, "COMMIT PREPARED") == 0;
	else if (p->prepares)
		p->prepared = strcmp(tag, "PREPARE TRANSACTION") == 0;
}

bool
spread_end_failed(struct spread_part *p, const struct slice *sqlstate)
{
	struct spread *x = p->base.of;

	if (!x->two_phase || x->phase < SPREAD_PREPARING)
		return false;
	if (p->ending && sqlstate != NULL && !spread_decides(p) &&
	    slice_eq_str(*sqlstate, "42704")) {
		/* Somebody else has ended it, and as the decider says, too. */
		p->committed = x->phase == SPREAD_COMMITTING;
		return true;
	}
	/* An error of PREPARE TRANSACTION has ended it. */
	if (p->prepared || (p->prepares && sqlstate == NULL))
		end_leave(p);
	return p->ending;
}

bool
spread_keeps(struct spread_part *p)
{
	struct spread *x = p->base.of;

	if (!p->prepares || p->ending)
		return false;
	if (!p->prepared) {
		p->ending = true; /* it has */
		spread_fail(x, "XX000", "a shard has not prepared its "
		    "transaction", 0);
	} else if (spread_failing(x)) {
		spread_rollback(p);
	}
	return p->prepared;
}

void
spread_rollback(struct spread_part *p)
{
	p->ending = true;
	if (p->prepared)
		end_tell(p, "ROLLBACK PREPARED");
	else
		spread_tell(p, SLICE_LIT("ROLLBACK"));
}

void
spread_end_dropped(struct spread *x)
{
	size_t i;

	for (i = 0; i < x->n_parts; i++)
		if (x->part[i].prepares && x->part[i].base.server != NULL &&
		    !x->part[i].left)
			end_leave(&x->part[i]);
}
