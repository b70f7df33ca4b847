/* SPDX-License-Identifier: PostgreSQL
 *
 * Tags and their generations.
 *
 * Knows names, values and counters, nothing of objects.  Any thread, no
 * lock.  Invariants: a name maps to the same slot in every process and never
 * to slot 0; two spellings that PostgreSQL could take for the same table map
 * to the same slot, whatever the client's encoding; generations only grow.
 */
#include <stdatomic.h>
#include <string.h>
#include <xxhash.h>

#include "base/check.h"
#include "cache/tags.h"

/* PostgreSQL cuts identifiers at 63 bytes; what lies beyond this many must
 * not tell two names apart. */
#define TAG_NAME_MAX 60
/* Member of a set that had no room: not a slot, never current. */
#define TAG_NEVER UINT32_MAX

static _Alignas(SHARED_ALIGN) _Atomic uint64_t tag_counters[TAG_SLOTS];
_Static_assert(sizeof(tag_counters) % SHARED_ALIGN == 0,
    "they can be shared with another process");

static tag_t
tag_slot(uint64_t hash)
{
	return 1 + (tag_t)(hash % (TAG_SLOTS - 1));
}

static uint64_t
tag_hash_name(const char *name)
{
	char folded[TAG_NAME_MAX];
	size_t n = 0;

	for (; n < TAG_NAME_MAX && *name != '\0'; name++) {
		unsigned char c = (unsigned char)*name;

		/* Case folding, cutting and the bytes themselves depend on
		 * encodings here: all such names share one slot. */
		if (c >= 0x80) {
			n = 0;
			break;
		}
		/* A configuration may spell it with quotes. */
		if (c != '"')
			folded[n++] = (char)(c >= 'A' && c <= 'Z' ?
			    c + 'a' - 'A' : c);
	}
	return XXH3_64bits(folded, n);
}

tag_t
tag_of_table(const char *bare_name)
{
	return tag_slot(tag_hash_name(bare_name));
}

static uint64_t
tag_hash_column(const char *bare_name, const char *column)
{
	return XXH3_64bits_withSeed(column, strlen(column),
	    tag_hash_name(bare_name));
}

tag_t
tag_of_column(const char *bare_name, const char *column)
{
	return tag_slot(tag_hash_column(bare_name, column));
}

tag_t
tag_of_value(const char *bare_name, const char *column, uint64_t value)
{
	char bytes[8];

	/* The same on machines of another byte order. */
	for (int i = 0; i < 8; i++)
		bytes[i] = (char)(value >> (8 * i));
	return tag_slot(XXH3_64bits_withSeed(bytes, sizeof(bytes),
	    tag_hash_column(bare_name, column)));
}

struct shared_region
tags_region(void)
{
	return (struct shared_region){ tag_counters, sizeof(tag_counters) };
}

uint64_t
tag_generation(tag_t t)
{
	CHECK(t < TAG_SLOTS);
	return atomic_load_explicit(&tag_counters[t], memory_order_acquire);
}

void
tag_bump(tag_t t)
{
	CHECK(t < TAG_SLOTS);
	atomic_fetch_add(&tag_counters[t], 1);
}

void
tagset_init(struct tagset *s)
{
	memset(s, 0, sizeof(*s));
	s->n = 1;
	s->tag[0] = TAG_ALL;
}

void
tagset_add(struct tagset *s, tag_t t)
{
	unsigned i;

	CHECK(t < TAG_SLOTS);
	for (i = 0; i < s->n; i++)
		if (s->tag[i] == t)
			return;
	if (s->n < TAGSET_MAX)
		s->tag[s->n++] = t;
	else
		s->tag[TAGSET_MAX - 1] = TAG_NEVER;
}

void
tagset_record(struct tagset *s)
{
	unsigned i;

	for (i = 0; i < s->n; i++)
		s->gen[i] = s->tag[i] < TAG_SLOTS ?
		    tag_generation(s->tag[i]) : 0;
}

bool
tagset_current(const struct tagset *s)
{
	unsigned i;

	for (i = 0; i < s->n; i++) {
		if (unlikely(s->tag[i] >= TAG_SLOTS))
			return false;
		if (tag_generation(s->tag[i]) != s->gen[i])
			return false;
	}
	return true;
}
