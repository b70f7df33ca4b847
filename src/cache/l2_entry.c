/* SPDX-License-Identifier: PostgreSQL
 *
 * Entries in Redis: to bytes and back.
 *
 * Pure but for the wall clock, which tells entries from the future.  Knows
 * nothing of connections.  Any thread.  Redis is not trusted: whatever is
 * read may be cut, damaged, old, another's answer, or made up.  So an entry
 * repeats its whole question and carries a checksum, or it is sealed so that
 * only who asks the same question can open it; and the server messages in it
 * are walked before a client could see them.
 *
 * Layout, integers little-endian:
 *   u32 magic, version; u64 fetched_wall; u32 form, number of tags;
 *   u32 lengths of scope, sql, types, bind, description, data;
 *   per tag u32 tag, u64 token; then
 *   version 1: the six parts; u64 XXH3-64 of all before it
 *   version 2: sealed (l2_seal.c): description, data.  With them are
 *     authenticated all that is before, and scope, sql, types and bind.
 */
#include <stdlib.h>
#include <xxhash.h>

#include "base/planted.h"
#include "cache/l2_priv.h"

#define ENTRY_MAGIC 0x4c534750u /* "PGSL" */
#define ENTRY_PLAIN 1 /* versions */
#define ENTRY_SEALED 2
#define ENTRY_ASKED 4 /* parts that are the question */
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

/* The question, in parts. */
static void
l2_entry_asked(struct slice part[ENTRY_ASKED], const struct cache_key *k,
    struct slice scope_text)
{
	part[0] = scope_text;
	part[1] = k->sql;
	part[2] = k->types;
	part[3] = k->bind;
}

static void
l2_put_bytes(char **at, struct slice s)
{
	if (s.n > 0)
		memcpy(*at, s.p, s.n);
	*at += s.n;
}

/* Everything before the parts. */
static void
l2_put_head(char **at, const struct object *o, const struct slice *asked,
    const struct l2_tokens *tokens, unsigned version)
{
	unsigned i;

	l2_put_int(at, ENTRY_MAGIC, 4);
	l2_put_int(at, version, 4);
	l2_put_int(at, o->fetched_wall, 8);
	l2_put_int(at, (uint64_t)o->key.form, 4);
	l2_put_int(at, o->tags.n, 4);
	for (i = 0; i < ENTRY_ASKED; i++)
		l2_put_int(at, asked[i].n, 4);
	l2_put_int(at, o->desc_len, 4);
	l2_put_int(at, o->frames.n - o->desc_len, 4);
	for (i = 0; i < o->tags.n; i++) {
		l2_put_int(at, o->tags.tag[i], 4);
		l2_put_int(at, tokens->token[i], 8);
	}
}

bool
l2_entry_encode(const struct object *o, struct slice scope_text,
    const struct l2_tokens *tokens, struct l2_sealer *seal, char **out,
    size_t *n)
{
	size_t head = ENTRY_HEAD + o->tags.n * ENTRY_TAG;
	size_t size = head + L2_SEAL_HEAD + L2_SEAL_TAIL;
	/* What is authenticated with a sealed one: head and question. */
	struct slice with[1 + ENTRY_ASKED], *asked = with + 1;
	char *at;
	unsigned i;

	if (!tokens->valid)
		return false;
	l2_entry_asked(asked, &o->key, scope_text);
	for (i = 0; i < ENTRY_ASKED; i++) {
		if (asked[i].n > UINT32_MAX - size)
			return false;
		size += asked[i].n;
	}
	if (o->frames.n > UINT32_MAX - size)
		return false;
	size += o->frames.n; /* enough for either form */
	at = *out = malloc(size);
	if (at == NULL)
		return false;
	l2_put_head(&at, o, asked, tokens,
	    seal != NULL ? ENTRY_SEALED : ENTRY_PLAIN);
	if (seal != NULL) {
		with[0] = slice_make(*out, head);
		at += L2_SEAL_HEAD;
		l2_put_bytes(&at, o->frames);
		*n = head + L2_SEAL_HEAD + o->frames.n + L2_SEAL_TAIL;
		if (l2_seal(seal, with, ARRAY_SIZE(with), *out + head,
			o->frames.n))
			return true;
		free(*out);
		*out = NULL;
		return false;
	}
	for (i = 0; i < ENTRY_ASKED; i++)
		l2_put_bytes(&at, asked[i]);
	l2_put_bytes(&at, o->frames);
	l2_put_int(&at, XXH3_64bits(*out, (size_t)(at - *out)), ENTRY_SUM);
	*n = (size_t)(at - *out);
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

/* Cut parts of these lengths out of the n bytes. */
static bool
l2_entry_split(const char *at, size_t n, const uint32_t *len,
    struct slice *part, unsigned parts)
{
	unsigned i;

	for (i = 0; i < parts; i++) {
		if (len[i] > n)
			return false;
		part[i] = slice_make(at, len[i]);
		at += len[i];
		n -= len[i];
	}
	return n == 0;
}

/* The checksum is right; what is before it repeats the question. frames: the
 * parts of the answer. */
static bool
l2_entry_plain(const char *p, size_t head, size_t n, const uint32_t *len,
    const struct slice *asked, struct slice frames[2])
{
	const char *sum = p + n - ENTRY_SUM;
	struct slice part[ENTRY_PARTS];
	unsigned i;

	if (n < head + ENTRY_SUM)
		return false;
	n -= ENTRY_SUM;
	if (l2_take_int(&sum, ENTRY_SUM) != XXH3_64bits(p, n) ||
	    !l2_entry_split(p + head, n - head, len, part, ENTRY_PARTS))
		return false;
	for (i = 0; i < ENTRY_ASKED && !PLANTED(LATE_REDIS_REPLY); i++)
		if (!slice_eq(part[i], asked[i]))
			return false;
	frames[0] = part[ENTRY_ASKED];
	frames[1] = part[ENTRY_ASKED + 1];
	return true;
}

/* The same for one that opens with this question. */
static bool
l2_entry_sealed(char *p, size_t head, size_t n, const uint32_t *len,
    const struct slice *asked, struct l2_sealer *seal,
    struct slice frames[2])
{
	struct slice with[1 + ENTRY_ASKED] = { slice_make(p, head) };
	unsigned i;

	if (n < head + L2_SEAL_HEAD + L2_SEAL_TAIL)
		return false;
	n -= head + L2_SEAL_HEAD + L2_SEAL_TAIL;
	for (i = 0; i < ENTRY_ASKED; i++) {
		/* Without the lengths, one part's bytes could be the next's. */
		if (len[i] != asked[i].n)
			return false;
		with[1 + i] = asked[i];
	}
	return l2_entry_split(p + head + L2_SEAL_HEAD, n, len + ENTRY_ASKED,
	    frames, 2) &&
	    l2_unseal(seal, with, ARRAY_SIZE(with), p + head, n);
}

enum l2_verdict
l2_entry_read(char *p, size_t n, const struct cache_key *k,
    struct slice scope_text, const struct tagset *tags,
    const struct l2_tokens *now, struct l2_sealer *seal,
    struct l2_found *found)
{
	size_t head = ENTRY_HEAD + tags->n * ENTRY_TAG;
	struct slice asked[ENTRY_ASKED], frames[2];
	uint32_t len[ENTRY_PARTS];
	const char *at = p;
	bool stale = false;
	nsec_t fetched;
	unsigned i;

	if (n < head)
		return L2_ENTRY_BAD;
	if (l2_take_int(&at, 4) != ENTRY_MAGIC || l2_take_int(&at, 4) !=
	    (uint64_t)(seal != NULL ? ENTRY_SEALED : ENTRY_PLAIN))
		return L2_ENTRY_BAD;
	fetched = l2_take_int(&at, 8);
	if (fetched > clock_wall() + ENTRY_CLOCK_SKEW)
		return L2_ENTRY_BAD;
	if (l2_take_int(&at, 4) != (uint64_t)k->form ||
	    l2_take_int(&at, 4) != tags->n)
		return L2_ENTRY_BAD;
	for (i = 0; i < ENTRY_PARTS; i++)
		len[i] = (uint32_t)l2_take_int(&at, 4);
	for (i = 0; i < tags->n; i++) {
		if (l2_take_int(&at, 4) != tags->tag[i] &&
		    !PLANTED(LATE_REDIS_REPLY))
			return L2_ENTRY_BAD;
		if (l2_take_int(&at, 8) != now->token[i] &&
		    !PLANTED(LATE_REDIS_REPLY))
			stale = true;
	}
	l2_entry_asked(asked, k, scope_text);
	if (!(seal != NULL ?
	    l2_entry_sealed(p, head, n, len, asked, seal, frames) :
	    l2_entry_plain(p, head, n, len, asked, frames)) ||
	    !l2_frames_sound(frames[0], "tTn", '\0') ||
	    !l2_frames_sound(frames[1], "DC", 'C'))
		return L2_ENTRY_BAD;
	if (stale || !now->valid)
		return L2_ENTRY_STALE;
	*found = (struct l2_found){ .desc = frames[0], .data = frames[1],
		.fetched_wall = fetched };
	return L2_ENTRY_VALID;
}
