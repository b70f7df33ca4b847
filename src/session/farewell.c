/* SPDX-License-Identifier: PostgreSQL
 *
 * Connections of sessions that have ended, until their clients have taken what
 * was on its way to them.
 *
 * What such a client still sends is read and dropped: it may send all it has
 * before it reads, and unread bytes would make the kernel reset the connection
 * and lose what it has been given. Knows nothing of messages. Memory is what the
 * session had in its stream, for FAREWELL_TIME at most, and counts as a client in
 * the limits. Runs on the session's worker.
 */
#include "session/farewell.h"

#include <stdlib.h>
#include <string.h>

#define FAREWELL_TIME (30 * NSEC_PER_SEC)

struct farewell {
	struct stream st;
	TAILQ_ENTRY(farewell) link;
	struct session_worker *sw;
	struct quota *places[QUOTA_KINDS];
	nsec_t until;
	bool heard;  /* the client has sent its last byte */
	bool said;   /* we have */
	struct deferred reclaim;
};

static void
farewell_reclaim(struct deferred *d)
{
	free((char *)d - offsetof(struct farewell, reclaim));
}

static void
farewell_end(struct farewell *f)
{
	size_t i;

	if (f->st.fd < 0)
		return;
	stream_close(&f->st);
	for (i = 0; i < QUOTA_KINDS; i++)
		quota_give(&f->places[i]);
	TAILQ_REMOVE(&f->sw->farewells, f, link);
	f->reclaim.run = farewell_reclaim;
	worker_defer(f->sw->w, &f->reclaim);
}

static struct farewell *
farewell_of(struct stream *st)
{
	return (struct farewell *)(void *)((char *)st -
	    offsetof(struct farewell, st));
}

static void
farewell_readable(struct stream *st)
{
	struct farewell *f = farewell_of(st);
	enum stream_status r = stream_skip(st);

	if (r == STREAM_OK)
		stream_read_again(st);
	if (r == STREAM_OK || r == STREAM_AGAIN)
		return;
	f->heard = true;
	stream_read_stop(st);
	if (r == STREAM_ERROR || f->said)
		farewell_end(f);
}

static void
farewell_drained(struct stream *st)
{
	struct farewell *f = farewell_of(st);

	f->said = true;
	if (f->heard || !stream_end(st))
		farewell_end(f);
}

static void
farewell_broken(struct stream *st)
{
	farewell_end(farewell_of(st));
}

static const struct stream_ops farewell_ops = {
	.readable = farewell_readable,
	.drained = farewell_drained,
	.broken = farewell_broken,
};

/* Would it lose something by being closed now? What is in the kernel goes on
 * its way, unless the client says more; by a unix socket it has arrived. */
static bool
farewell_is_due(const struct session *s, bool more)
{
	return stream_is_open(&s->st) && (stream_backlog(&s->st) > 0 ||
	    (more && strcmp(s->peer, "unix") != 0 &&
	    stream_is_underway(&s->st)));
}

void
farewell_take(struct session *s, bool more)
{
	struct farewell *f;
	size_t i;

	if (!farewell_is_due(s, more))
		return;
	f = x_calloc(1, sizeof(*f));
	f->sw = s->sw;
	f->until = clock_mono() + FAREWELL_TIME;
	for (i = 0; i < QUOTA_KINDS; i++) {
		f->places[i] = s->places[i];
		s->places[i] = NULL;
	}
	stream_pass(&f->st, &s->st, &farewell_ops);
	TAILQ_INSERT_TAIL(&s->sw->farewells, f, link);
	stream_read_start(&f->st);
	if (stream_backlog(&f->st) == 0)
		farewell_drained(&f->st);
}

void
farewell_tick(struct session_worker *sw, nsec_t now)
{
	struct farewell *f;

	while ((f = TAILQ_FIRST(&sw->farewells)) != NULL && now > f->until)
		farewell_end(f);
}

void
farewell_close_all(struct session_worker *sw)
{
	struct farewell *f;

	while ((f = TAILQ_FIRST(&sw->farewells)) != NULL)
		farewell_end(f);
}
