/* SPDX-License-Identifier: PostgreSQL
 *
 * Entries in Redis: to bytes and back.
 *
 * Pure but for the wall clock, which tells entries from the future.  Knows
 * nothing of connections.  Any thread.  Redis is not trusted: whatever is
 * read may be cut, damaged, old, another's answer, or made up.  So an entry
 * repeats its whole question, carries a checksum, and the server messages in
 * it are walked before a client could see them.
 *
 * Layout, integers little-endian:
 *   u32 magic, version; u64 fetched_wall; u32 form, number of tags;
 *   u32 lengths of scope, sql, types, bind, description, data;
 *   per tag u32 tag, u64 token; the six parts; u64 XXH3-64 of all before it
 */
#include <stdlib.h>
#include <xxhash.h>

#include "base/planted.h"
#include "cache/l2_priv.h"

#define ENTRY_MAGIC 0x4c534750u /* "PGSL" */
#define ENTRY_VERSION 1
#define ENTRY_PARTS 6
#define ENTRY_HEAD (4 + 4 + 8 + 4 + 4 + ENTRY_PARTS * 4)
#define ENTRY_TAG (4 + 8)
#define ENTRY_SUM 8
/* Clocks of machines that share a Redis may differ by so much. */
#define ENTRY_CLOCK_SKEW (5 * NSEC_PER_SEC)

static void
l2_put_int(char **at, uint64_t v, unsigned bytes)
{
	unsigned i;

	for (i = 0; i < bytes; i++)
		*(*at)++ = (char)(v >> (8 * i));
}

/* The caller has made sure that the bytes are there. */
static uint64_t
l2_take_int(const char **at, unsigned bytes)
{
	uint64_t v = 0;
	unsigned i;

	for (i = 0; i < bytes; i++)
		v |= (uint64_t)(unsigned char)*(*at)++ << (8 * i);
	return v;
}

bool
l2_entry_encode(const struct object *o, struct slice scope_text,
    const struct l2_tokens *tokens, char **out, size_t *n)
{
	const struct slice part[] = { scope_text, o->key.sql, o->key.types,
		o->key.bind, o->frames };
	size_t size = ENTRY_HEAD + o->tags.n * ENTRY_TAG + ENTRY_SUM, i;
	char *at;

	if (!tokens->valid)
		return false;
	for (i = 0; i < ARRAY_SIZE(part); i++) {
		if (part[i].n > UINT32_MAX - size)
			return false;
		size += part[i].n;
	}
	at = *out = malloc(size);
	if (at == NULL)
		return false;
	*n = size;
	l2_put_int(&at, ENTRY_MAGIC, 4);
	l2_put_int(&at, ENTRY_VERSION, 4);
	l2_put_int(&at, o->fetched_wall, 8);
	l2_put_int(&at, (uint64_t)o->key.form, 4);
	l2_put_int(&at, o->tags.n, 4);
	for (i = 0; i < ARRAY_SIZE(part) - 1; i++)
		l2_put_int(&at, part[i].n, 4);
	l2_put_int(&at, o->desc_len, 4);
	l2_put_int(&at, o->frames.n - o->desc_len, 4);
	for (i = 0; i < o->tags.n; i++) {
		l2_put_int(&at, o->tags.tag[i], 4);
		l2_put_int(&at, tokens->token[i], 8);
	}
	for (i = 0; i < ARRAY_SIZE(part); i++) {
		if (part[i].n > 0)
			memcpy(at, part[i].p, part[i].n);
		at += part[i].n;
	}
	l2_put_int(&at, XXH3_64bits(*out, size - ENTRY_SUM), ENTRY_SUM);
	return true;
}

/* Whole server messages of the given types and nothing else; the last one is
 * of type `last` unless that is 0. */
static bool
l2_frames_sound(struct slice s, const char *types, char last)
{
	char type = '\0';

	while (s.n > 0) {
		const unsigned char *p = (const unsigned char *)s.p;
		size_t len;

		if (s.n < 5 || p[0] == '\0' || strchr(types, p[0]) == NULL)
			return false;
		if (last != '\0' && type == last)
			return false; /* it was not the last */
		type = (char)p[0];
		len = (size_t)p[1] << 24 | (size_t)p[2] << 16 |
		    (size_t)p[3] << 8 | p[4];
		if (len < 4 || len > s.n - 1)
			return false;
		s.p += 1 + len;
		s.n -= 1 + len;
	}
	return last == '\0' || type == last;
}

/* Cut the six parts out of what follows the tags. */
static bool
l2_entry_split(const char *at, size_t n, const uint32_t len[ENTRY_PARTS],
    struct slice part[ENTRY_PARTS])
{
	unsigned i;

	for (i = 0; i < ENTRY_PARTS; i++) {
		if (len[i] > n)
			return false;
		part[i] = slice_make(at, len[i]);
		at += len[i];
		n -= len[i];
	}
	return n == 0;
}

enum l2_verdict
l2_entry_read(const void *p, size_t n, const struct cache_key *k,
    struct slice scope_text, const struct tagset *tags,
    const struct l2_tokens *now, struct l2_found *found)
{
	const char *at = p, *end;
	struct slice part[ENTRY_PARTS];
	uint32_t len[ENTRY_PARTS];
	bool stale = false;
	nsec_t fetched;
	unsigned i;

	if (n < ENTRY_HEAD + ENTRY_SUM)
		return L2_ENTRY_BAD;
	n -= ENTRY_SUM;
	end = at + n;
	if (l2_take_int(&end, ENTRY_SUM) != XXH3_64bits(p, n))
		return L2_ENTRY_BAD;
	if (l2_take_int(&at, 4) != ENTRY_MAGIC ||
	    l2_take_int(&at, 4) != ENTRY_VERSION)
		return L2_ENTRY_BAD;
	fetched = l2_take_int(&at, 8);
	if (fetched > clock_wall() + ENTRY_CLOCK_SKEW)
		return L2_ENTRY_BAD;
	if (l2_take_int(&at, 4) != (uint64_t)k->form ||
	    l2_take_int(&at, 4) != tags->n)
		return L2_ENTRY_BAD;
	for (i = 0; i < ENTRY_PARTS; i++)
		len[i] = (uint32_t)l2_take_int(&at, 4);
	n -= ENTRY_HEAD;
	if (tags->n * ENTRY_TAG > n)
		return L2_ENTRY_BAD;
	for (i = 0; i < tags->n; i++) {
		if (l2_take_int(&at, 4) != tags->tag[i] &&
		    !PLANTED(LATE_REDIS_REPLY))
			return L2_ENTRY_BAD;
		if (l2_take_int(&at, 8) != now->token[i] &&
		    !PLANTED(LATE_REDIS_REPLY))
			stale = true;
	}
	n -= tags->n * ENTRY_TAG;
	if (!l2_entry_split(at, n, len, part) ||
	    (!PLANTED(LATE_REDIS_REPLY) && (!slice_eq(part[0], scope_text) ||
	    !slice_eq(part[1], k->sql) || !slice_eq(part[2], k->types) ||
	    !slice_eq(part[3], k->bind))) ||
	    !l2_frames_sound(part[4], "tTn", '\0') ||
	    !l2_frames_sound(part[5], "DC", 'C'))
		return L2_ENTRY_BAD;
	if (stale || !now->valid)
		return L2_ENTRY_STALE;
	*found = (struct l2_found){ .desc = part[4], .data = part[5],
		.fetched_wall = fetched };
	return L2_ENTRY_VALID;
}

bool
l2_entry_decode(const void *p, size_t n, const struct cache_key *k,
    struct slice scope_text, const struct tagset *tags,
    const struct l2_tokens *now, struct l2_found *found)
{
	return l2_entry_read(p, n, k, scope_text, tags, now, found) ==
	    L2_ENTRY_VALID;
}
