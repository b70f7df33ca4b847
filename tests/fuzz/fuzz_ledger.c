/* SPDX-License-Identifier: PostgreSQL
 *
 * The ledger under any order of requests and replies.  Bytes are orders: enter
 * a request, enter a reply of our own, take one, or a message comes.  Held: a
 * Parse is answered or lost, once; replies of ours come out as they went in;
 * nothing waits while an error is being skipped.
 */
#include <stdlib.h>
#include <string.h>

#include "backend/ledger.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct model {
	struct ledger l;
	uint64_t parses;    /* entered, numbered from 1 */
	uint64_t settled;   /* the last one answered or lost, in order */
	unsigned next;      /* number of the next reply of our own */
};

static void
fuzz_settle(struct model *m, struct hash128 hash)
{
	CHECK(hash.lo > m->settled && hash.lo <= m->parses);
	CHECK(hash.lo == m->settled + 1);
	m->settled = hash.lo;
}

static void
fuzz_lost(void *arg, const struct ledger_entry *e, bool refused PG_UNUSED)
{
	CHECK(e->kind == OWED_PARSE || (e->flags & LEDGER_NAME));
	if (e->kind == OWED_PARSE)
		fuzz_settle(arg, e->hash);
}

static void
fuzz_check(const struct ledger *l)
{
	size_t synth = 0;

	CHECK(l->count <= l->size && l->size <= LEDGER_MAX);
	CHECK((l->size & (l->size - 1)) == 0);
	CHECK(!l->skipping || l->count == 0);
	CHECK(ledger_empty(l) == (l->count == 0 && !l->skipping));
	for (unsigned i = 0; i < l->count; i++) {
		const struct ledger_entry *e = &l->ring[(l->head + i) &
		    (l->size - 1)];

		CHECK(e->kind < OWED_COUNT);
		synth += e->synth;
	}
	CHECK(synth == buf_len(&l->synth));
}

static void
fuzz_push(struct model *m, unsigned kind, unsigned flags)
{
	struct hash128 hash = { 0, 0 };
	unsigned before = m->l.count;
	bool skipping = m->l.skipping;
	bool ignored = m->l.copy_in && kind == OWED_SYNC;

	if (kind == OWED_SYNTH)
		return;
	if (kind == OWED_PARSE)
		hash.lo = ++m->parses;
	if (!(flags & 1 && kind != OWED_SYNC ? ledger_push_text(&m->l, (enum owed)kind, flags,
	    hash, SLICE_LIT("name")) :
	    ledger_push(&m->l, (enum owed)kind, flags, hash))) {
		CHECK(before == LEDGER_MAX);
		m->parses -= kind == OWED_PARSE;
		return;
	}
	CHECK(m->l.count == before + (!ignored &&
	    (!skipping || kind == OWED_SYNC)));
}

static void
fuzz_push_synth(struct model *m, size_t n)
{
	char p[16];

	/* Its bytes tell its number, and how many there are. */
	memset(p, (int)((m->next & 0xf) << 4 | n), sizeof(p));
	if (ledger_push_synth(&m->l, p, n))
		m->next++;
}

/* One reply is never cut or mixed with another. */
static void
fuzz_take(struct model *m)
{
	struct slice s;

	while (ledger_take_synth(&m->l, &s))
		for (size_t i = 0; i < s.n; i++) {
			CHECK(((unsigned char)s.p[i] & 0xf) == s.n);
			CHECK(s.p[i] == s.p[0]);
		}
}

/* false: a surprise; the server would be closed. */
static bool
fuzz_message(struct model *m, unsigned char type)
{
	unsigned before = m->l.count;
	struct ledger_entry done;
	enum ledger_verdict v = ledger_message(&m->l, type, &done);

	if (v == LEDGER_SURPRISE)
		return false;
	if (v == LEDGER_ASYNC)
		CHECK(strchr("NSA", type) != NULL && m->l.count == before);
	if (done.kind == OWED_COUNT)
		CHECK(m->l.count == before || type == 'E' ||
		    (type == 'G' && m->l.count < before));
	else
		CHECK(m->l.count == before - 1 && v != LEDGER_ASYNC);
	if (done.kind == OWED_PARSE)
		fuzz_settle(m, done.hash);
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct model m = { .settled = 0 };
	size_t i;

	ledger_init(&m.l, fuzz_lost, &m);
	for (i = 0; i < size; i++) {
		if (data[i] < 0x80) {
			if (!fuzz_message(&m, data[i]))
				break;
		} else if (data[i] < 0xf0) {
			fuzz_push(&m, (data[i] & 0x7f) % OWED_COUNT,
			    (data[i] & 0x7f) / OWED_COUNT);
		} else {
			fuzz_push_synth(&m, data[i] & 0xf);
		}
		fuzz_take(&m);
		if (i % 16 == 0 || m.l.count < 64)
			fuzz_check(&m.l);
	}
	fuzz_check(&m.l);
	ledger_fini(&m.l);
	return 0;
}
