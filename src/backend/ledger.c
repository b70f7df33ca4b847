/* SPDX-License-Identifier: PostgreSQL
 *
 * The ledger: which reply is legal next, and who gets it.
 *
 * Pure.  The one rule table below says, for each kind of entry, which message
 * types keep it open and which complete it.  Errors are common to all kinds:
 * in a simple query the entry goes on to its ReadyForQuery; in the extended
 * protocol everything up to the next Sync falls away.
 */
#include "backend/ledger.h"
#include "base/planted.h"

#include <stdlib.h>
#include <string.h>

/* What a message does to the entry at the head. */
enum { STRAY, STAY, DONE };

static const uint8_t ledger_rules[OWED_COUNT][128] = {
	[OWED_QUERY] = { ['T'] = STAY, ['D'] = STAY, ['C'] = STAY,
		['I'] = STAY, ['G'] = STAY, ['H'] = STAY, ['d'] = STAY,
		['c'] = STAY, ['Z'] = DONE },
	[OWED_FUNCTION] = { ['V'] = STAY, ['Z'] = DONE },
	[OWED_PARSE] = { ['1'] = DONE },
	[OWED_BIND] = { ['2'] = DONE },
	[OWED_DESCRIBE_S] = { ['t'] = STAY, ['T'] = DONE, ['n'] = DONE },
	[OWED_DESCRIBE_P] = { ['T'] = DONE, ['n'] = DONE },
	[OWED_EXECUTE] = { ['D'] = STAY, ['G'] = STAY, ['H'] = STAY,
		['d'] = STAY, ['c'] = STAY, ['C'] = DONE, ['I'] = DONE,
		['s'] = DONE },
	[OWED_CLOSE] = { ['3'] = DONE },
	[OWED_SYNC] = { ['Z'] = DONE },
};

void
ledger_init(struct ledger *l, void (*lost)(void *,
    const struct ledger_entry *, bool), void *arg)
{
	memset(l, 0, sizeof(*l));
	buf_init(&l->synth, 4 * 1024 * 1024);
	l->lost = lost;
	l->arg = arg;
}

void
ledger_fini(struct ledger *l)
{
	free(l->ring);
	buf_reset(&l->synth);
	l->ring = NULL;
	l->count = l->size = 0;
}

static struct ledger_entry *
ledger_head(struct ledger *l)
{
	return &l->ring[l->head & (l->size - 1)];
}

static void
ledger_pop(struct ledger *l)
{
	/* The bytes stay in place until the buffer grows or is freed. */
	l->synth.start += ledger_head(l)->synth;
	if (l->synth.start == l->synth.end)
		l->synth.start = l->synth.end = 0;
	l->head++;
	l->count--;
}

static bool
ledger_grow(struct ledger *l)
{
	unsigned size = l->size == 0 ? 8 : l->size * 2;
	struct ledger_entry *ring;
	unsigned i;

	if (size > LEDGER_MAX)
		return false;
	ring = malloc(size * sizeof(*ring));
	if (ring == NULL)
		return false;
	for (i = 0; i < l->count; i++)
		ring[i] = l->ring[(l->head + i) & (l->size - 1)];
	free(l->ring);
	l->ring = ring;
	l->size = size;
	l->head = 0;
	return true;
}

static bool
ledger_add(struct ledger *l, struct ledger_entry e)
{
	if (l->count == l->size && !ledger_grow(l))
		return false;
	l->ring[(l->head + l->count) & (l->size - 1)] = e;
	l->count++;
	return true;
}

bool
ledger_push(struct ledger *l, enum owed kind, unsigned flags,
    struct hash128 hash)
{
	struct ledger_entry e = { .kind = (uint8_t)kind,
		.flags = (uint8_t)flags, .hash = hash };

	if (l->copy_in && kind == OWED_SYNC) {
		/* Ignored, unless the data before it make the COPY fail. */
		l->copy_sync |= l->copy_data;
		return true;
	}
	if (l->skipping) {
		if (kind == OWED_PARSE || (flags & LEDGER_NAME))
			l->lost(l->arg, &e, false);
		if (kind != OWED_SYNC)
			return true;
		l->skipping = false;
	}
	return ledger_add(l, e);
}

bool
ledger_push_text(struct ledger *l, enum owed kind, unsigned flags,
    struct hash128 hash, struct slice text)
{
	unsigned before = l->count;

	CHECK(kind != OWED_SYNC);
	if (!ledger_push(l, kind, flags, hash))
		return false;
	if (l->count == before)
		return true;
	l->ring[(l->head + l->count - 1) & (l->size - 1)].synth =
	    (uint32_t)text.n;
	return buf_append(&l->synth, text.p, text.n);
}

bool
ledger_push_synth(struct ledger *l, const void *p, size_t n)
{
	struct ledger_entry e = { .kind = OWED_SYNTH, .synth = (uint32_t)n };

	if (l->skipping)
		return true;
	return buf_append(&l->synth, p, n) && ledger_add(l, e);
}

/* After an error in the extended protocol: drop what the server will ignore.
 * refused: the first of it is what the error is about. */
static void
ledger_skip_to_sync(struct ledger *l, bool refused)
{
	struct ledger_entry *e;

	while (l->count > 0) {
		e = ledger_head(l);
		if (e->kind == OWED_SYNC)
			return;
		if (e->kind == OWED_PARSE || (e->flags & LEDGER_NAME))
			l->lost(l->arg, e, refused);
		refused = false;
		ledger_pop(l);
	}
	l->skipping = true;
}

static void
ledger_end_copy(struct ledger *l)
{
	l->copy_in = l->copy_data = l->copy_sync = l->copy_over = false;
}

static enum ledger_verdict
ledger_error(struct ledger *l, struct ledger_entry e)
{
	enum ledger_verdict v = LEDGER_PASS;

	if (e.flags & LEDGER_REPLACE)
		v = LEDGER_OWN_ERROR;
	else if (e.flags & LEDGER_MUTE)
		v = LEDGER_DROP;
	else if ((e.kind == OWED_QUERY && (e.flags & LEDGER_HIDE) &&
	    !(e.flags & LEDGER_STEP)) || (e.flags & LEDGER_VITAL))
		return LEDGER_SURPRISE;
	l->unsure |= l->copy_sync;
	ledger_end_copy(l);
	l->failed = (enum owed)e.kind;
	l->failed_flags = e.flags;
	l->failed_text = slice_make(buf_head(&l->synth), e.synth);
	if (e.kind != OWED_QUERY && e.kind != OWED_FUNCTION &&
	    e.kind != OWED_SYNC)
		ledger_skip_to_sync(l, true);
	if ((e.flags & LEDGER_STEP) && l->count > 0) {
		ledger_head(l)->flags = 0;
		ledger_head(l)->hash = (struct hash128){ 0, 0 };
	}
	return v;
}

/* The server ignores Sync while it reads COPY data: those sent with the
 * Execute, right behind it, will not be answered. */
static void
ledger_begin_copy(struct ledger *l)
{
	struct ledger_entry *behind;

	l->copy_in = true;
	while (l->count > 1) {
		behind = &l->ring[(l->head + 1) & (l->size - 1)];
		if (behind->kind != OWED_SYNC)
			return;
		*behind = *ledger_head(l);
		ledger_head(l)->synth = 0; /* its bytes moved with it */
		ledger_pop(l);
	}
}

/* The reply that comes next is of no interest but for its rows. */
static bool
ledger_is_mute(const struct ledger *l)
{
	return l->count > 0 &&
	    (l->ring[l->head & (l->size - 1)].flags & LEDGER_MUTE) != 0;
}

enum ledger_verdict
ledger_message(struct ledger *l, unsigned char type,
    struct ledger_entry *done)
{
	struct ledger_entry *e;
	uint8_t rule, hide;

	if (done != NULL)
		done->kind = OWED_COUNT, done->flags = 0;
	if (type == 'N' || type == 'S' || type == 'A')
		return type == 'N' && ledger_is_mute(l) ? LEDGER_DROP :
		    LEDGER_ASYNC;
	if (l->count == 0 || type >= sizeof(ledger_rules[0]))
		return LEDGER_SURPRISE;
	e = ledger_head(l);
	if (type == 'E')
		return e->kind == OWED_SYNTH ? LEDGER_SURPRISE :
		    ledger_error(l, *e);
	rule = ledger_rules[e->kind][type];
	if (rule == STRAY || (e->kind == OWED_DESCRIBE_S &&
	    (type == 't') != (e->phase == 0)))
		return LEDGER_SURPRISE;
	if (type == 't')
		e->phase = 1;
	if (type == 'G')
		ledger_begin_copy(l);
	if (type == 'C' || type == 'Z')
		ledger_end_copy(l);
	hide = (e->flags & LEDGER_HIDE) && !(PLANTED(REPLY_NOT_HIDDEN) &&
	    e->kind == OWED_PARSE);
	if (rule == DONE) {
		if (done != NULL)
			*done = *e;
		ledger_pop(l);
	}
	return hide ? LEDGER_DROP : LEDGER_PASS;
}

void
ledger_swallow(struct ledger *l)
{
	if (ledger_head(l)->kind != OWED_QUERY)
		ledger_skip_to_sync(l, false);
	if (l->count > 0)
		ledger_head(l)->flags |= LEDGER_HIDE;
}

bool
ledger_begins(const struct ledger *l)
{
	unsigned i;

	for (i = 0; i < l->count; i++)
		if (l->ring[(l->head + i) & (l->size - 1)].flags &
		    LEDGER_BEGIN)
			return true;
	return false;
}

bool
ledger_take_synth(struct ledger *l, struct slice *bytes)
{
	struct ledger_entry *e;

	if (!ledger_synth_is_next(l))
		return false;
	e = ledger_head(l);
	*bytes = slice_make(buf_head(&l->synth), e->synth);
	ledger_pop(l);
	return true;
}
