/* SPDX-License-Identifier: PostgreSQL
 *
 * What comes in the stream: transactions become sets of tags, heartbeats come
 * back, places are acknowledged.
 *
 * Memory is bounded: a transaction is a set of at most FEED_TAGS_MAX tags,
 * however many rows it has, and of those that are sent before they commit
 * TXNS_MAX are kept; the commit of one that is not means everything.  The
 * feed's thread.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/planted.h"
#include "cache/l2_post.h"
#include "feed/feed_priv.h"

/* 2000-01-01 UTC in seconds since 1970. */
#define EPOCH_2000 946684800ll

/* Redis first: whoever sees the new generations must find L2 closed for these
 * tags until it has acknowledged, see cache/l2_post.h. */
void
feed_end(struct feed *f, const tag_t *tags, size_t n)
{
	size_t i;

	l2_post(tags, n);
	for (i = 0; i < n; i++)
		tag_bump(tags[i]);
	f->bumps++;
}

void
feed_bump(void *arg, const struct feed_tags *t)
{
	static const tag_t all = TAG_ALL;

	feed_end(arg, t->all ? &all : t->v, t->all ? 1 : t->n);
}

/* ------------------------------------------------------------ transactions */

static struct txn *
stream_find(struct feed *f, uint32_t xid)
{
	struct txn *t;

	TAILQ_FOREACH(t, &f->txns, next)
		if (t->xid == xid)
			return t;
	return NULL;
}

static void
stream_drop(struct feed *f, struct txn *t)
{
	TAILQ_REMOVE(&f->txns, t, next);
	f->n_txns--;
	free(t);
}

void
feed_stream_reset(struct feed *f)
{
	struct txn *t;

	while ((t = TAILQ_FIRST(&f->txns)) != NULL)
		stream_drop(f, t);
	f->streamed = NULL;
	f->now = (struct txn){ .xid = 0 };
	f->reader = (struct pgo_reader){ .in_stream = false };
	f->received = f->commit = f->server_at = 0;
}

void
feed_stream_widen(struct feed *f)
{
	struct txn *t;

	f->now.tags.all = f->now.xid != 0;
	TAILQ_FOREACH(t, &f->txns, next)
		t->tags.all = true;
}

static void
stream_start(struct feed *f, const struct pgo_message *m)
{
	f->streamed = stream_find(f, m->xid);
	/* One whose beginning was not kept must not be taken for whole. */
	if (f->streamed != NULL || !m->first || f->n_txns == TXNS_MAX)
		return;
	f->streamed = x_calloc(1, sizeof(*f->streamed));
	f->streamed->xid = m->xid;
	TAILQ_INSERT_TAIL(&f->txns, f->streamed, next);
	f->n_txns++;
}

static void
stream_commit(struct feed *f, uint32_t xid, const struct txn *t,
    const struct pgo_message *m)
{
	f->commits++;
	f->commit = f->received = m->end;
	if (feed_tags_any(&t->tags)) {
		feed_bump(f, &t->tags);
		if (PLANTED(NO_SNAPSHOT_GATE))
			return;
		if (!settle_add(&f->settle, xid, &t->tags)) {
			feed_fail(f, "over %d commits are not visible yet",
			    SETTLE_MAX);
			return;
		}
		feed_unsettled(f);
	}
	if (t->beat == 0)
		return;
	if (!beats_return(&f->beats, t->beat, f->settle.n > 0)) {
		feed_fail(f, "heartbeats came out of order");
		return;
	}
	if (f->settle.n > 0)
		feed_unsettled(f);
	feed_advance(f);
}

static void
stream_commit_streamed(struct feed *f, const struct pgo_message *m)
{
	const struct txn lost = { .tags = { .all = true } };
	struct txn *t = stream_find(f, m->xid), copy = lost;

	if (t != NULL) {
		copy = *t;
		stream_drop(f, t);
	}
	stream_commit(f, m->xid, &copy, m);
}

/* ------------------------------------------------------------ messages */

static void
stream_message(struct feed *f, struct txn *t, const struct pgo_message *m)
{
	char text[64];
	uint64_t token, beat;

	if (t == NULL || !m->transactional ||
	    !slice_eq_str(m->prefix, "pgsluice") ||
	    m->content.n >= sizeof(text))
		return;
	memcpy(text, m->content.p, m->content.n);
	text[m->content.n] = '\0';
	if (sscanf(text, "%" SCNx64 ":%" SCNu64, &token, &beat) == 2 &&
	    token == f->token)
		t->beat = beat;
}

static void
stream_read(struct feed *f, const struct pgo_message *m)
{
	struct txn *t = f->reader.in_stream ? f->streamed : &f->now;

	switch (m->kind) {
	case PGO_BEGIN:
		f->now = (struct txn){ .xid = m->xid };
		break;
	case PGO_COMMIT:
		stream_commit(f, f->now.xid, &f->now, m);
		f->now = (struct txn){ .xid = 0 };
		break;
	case PGO_STREAM_START:
		stream_start(f, m);
		break;
	case PGO_STREAM_STOP:
		f->streamed = NULL;
		break;
	case PGO_STREAM_COMMIT:
		stream_commit_streamed(f, m);
		break;
	case PGO_STREAM_ABORT:
		/* What a subtransaction changed is bumped for nothing. */
		t = m->xid == m->subxid ? stream_find(f, m->xid) : NULL;
		if (t != NULL)
			stream_drop(f, t);
		break;
	case PGO_RELATION:
		relations_described(&f->relations, m);
		feed_want(f, FEED_ASK_RELATIONS);
		break;
	case PGO_INSERT:
	case PGO_UPDATE:
	case PGO_DELETE:
	case PGO_TRUNCATE:
		f->changes++;
		if (!f->reader.in_stream && f->now.xid == 0)
			feed_fail(f, "the stream has a change outside of a "
			    "transaction");
		else if (t != NULL)
			relations_change(&f->relations, m, &t->tags);
		break;
	case PGO_MESSAGE:
		stream_message(f, t, m);
		break;
	case PGO_ORIGIN:
	case PGO_TYPE:
		break;
	}
}

void
feed_stream_data(struct feed *f, struct slice data)
{
	struct pgo_envelope e;
	struct pgo_message m;

	if (!pgo_envelope(data, &e)) {
		feed_fail(f, "the stream cannot be read");
		return;
	}
	if (e.is_data) {
		if (pgo_read(&f->reader, e.data, &m))
			stream_read(f, &m);
		else
			feed_fail(f, "the stream cannot be read: a message of "
			    "kind %d", e.data.n > 0 ? *e.data.p : 0);
		return;
	}
	if (e.end > f->received && f->now.xid == 0)
		f->received = e.end;
	if (e.reply)
		feed_status(f, false);
}

/* The slot is of use to this connection alone, so all that has been received
 * may be forgotten by the server. */
void
feed_status(struct feed *f, bool want_reply)
{
	char out[PGO_STATUS_SIZE];
	int64_t us = (int64_t)(clock_wall() / NSEC_PER_USEC) -
	    EPOCH_2000 * 1000000;

	if (!f->wal.streams)
		return;
	pgo_status(out, f->received, us, want_reply);
	link_send(&f->wal, out, sizeof(out));
}
