/* SPDX-License-Identifier: PostgreSQL
 *
 * Names of keys in Redis, and tokens as text.
 *
 * Pure; any thread.  Every process must find the same name, so the digest in
 * it is not keyed; what is found under a name is compared in full.  A name can
 * be read by an operator: prefix:database:name:digest, prefix:tag:slot,
 * prefix:lease:digest of the entry's name.
 */
#include <stdio.h>
#include <xxhash.h>

#include "cache/glob.h"
#include "cache/l2_priv.h"

/* At most 64 bytes of s and a colon, with what an operator could trip over
 * replaced.  The digest tells apart what looks the same after that. */
static void
l2_name_part(char **at, const char *s)
{
	unsigned n;

	for (n = 0; s[n] != '\0' && n < 64; n++) {
		char c = s[n];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';

		*(*at)++ = plain ? c : '_';
	}
	*(*at)++ = ':';
}

static void
l2_digest_part(XXH3_state_t *x, struct slice s)
{
	unsigned char len[8];
	unsigned i;

	for (i = 0; i < sizeof(len); i++)
		len[i] = (unsigned char)((uint64_t)s.n >> (8 * i));
	CHECK(XXH3_128bits_update(x, len, sizeof(len)) == XXH_OK);
	CHECK(s.n == 0 || XXH3_128bits_update(x, s.p, s.n) == XXH_OK);
}

size_t
l2_name_entry(char out[L2_NAME_MAX], const char *prefix,
    const struct cache_key *k, struct slice scope_text, const char *db)
{
	const char form = (char)k->form;
	XXH3_state_t *x = XXH3_createState();
	XXH128_hash_t h;
	char *at = out;

	CHECK(x != NULL && XXH3_128bits_reset(x) == XXH_OK);
	l2_digest_part(x, scope_text);
	l2_digest_part(x, slice_make(&form, 1));
	l2_digest_part(x, k->sql);
	l2_digest_part(x, k->types);
	l2_digest_part(x, k->bind);
	h = XXH3_128bits_digest(x);
	XXH3_freeState(x);
	l2_name_part(&at, prefix);
	l2_name_part(&at, db);
	CHECK(k->name.n <= L2_KEY_NAME_MAX);
	if (k->name.n > 0)
		memcpy(at, k->name.p, k->name.n);
	at += k->name.n;
	*at++ = ':';
	return (size_t)(at - out) + (size_t)snprintf(at, 33, "%016llx%016llx",
	    (unsigned long long)h.high64, (unsigned long long)h.low64);
}

size_t
l2_name_lease(char out[L2_NAME_MAX], const char *prefix, const char *entry,
    size_t n)
{
	XXH128_hash_t h = XXH3_128bits(entry, n);
	char *at = out;

	l2_name_part(&at, prefix);
	return (size_t)(at - out) + (size_t)snprintf(at, 39,
	    "lease:%016llx%016llx", (unsigned long long)h.high64,
	    (unsigned long long)h.low64);
}

size_t
l2_name_prefix(char out[L2_NAME_MAX], const char *prefix)
{
	char *at = out;

	l2_name_part(&at, prefix);
	*at = '\0';
	return (size_t)(at - out);
}

size_t
l2_name_pattern(char *out, const char *prefix, const char *pattern)
{
	char *at = out;

	l2_name_part(&at, prefix);
	return (size_t)(at - out) + (size_t)sprintf(at, "*:%s:*", pattern);
}

bool
l2_name_fits(struct slice name, const char *prefix, struct slice pattern)
{
	char start[L2_NAME_MAX], *at = start;
	const char *colon;
	size_t n;

	l2_name_part(&at, prefix);
	n = (size_t)(at - start);
	if (name.n < n || memcmp(name.p, start, n) != 0)
		return false;
	name = slice_make(name.p + n, name.n - n);
	colon = memchr(name.p, ':', name.n);
	if (colon == NULL)
		return false;
	n = (size_t)(colon + 1 - name.p);
	if (name.n < n + 1 + L2_DIGEST_LEN ||
	    name.p[name.n - L2_DIGEST_LEN - 1] != ':')
		return false;
	return glob_match(pattern, slice_make(name.p + n,
	    name.n - n - 1 - L2_DIGEST_LEN));
}

size_t
l2_name_tag(char out[L2_NAME_MAX], const char *prefix, tag_t t)
{
	char *at = out;

	l2_name_part(&at, prefix);
	return (size_t)(at - out) + (size_t)snprintf(at, 16, "tag:%u", t);
}

void
l2_token_format(char out[L2_TOKEN_LEN + 1], uint64_t token)
{
	snprintf(out, L2_TOKEN_LEN + 1, "%016llx", (unsigned long long)token);
}

bool
l2_token_parse(const char *p, size_t n, uint64_t *token)
{
	uint64_t v = 0;
	size_t i;

	if (n != L2_TOKEN_LEN)
		return false;
	for (i = 0; i < n; i++) {
		if (p[i] >= '0' && p[i] <= '9')
			v = v << 4 | (uint64_t)(p[i] - '0');
		else if (p[i] >= 'a' && p[i] <= 'f')
			v = v << 4 | (uint64_t)(p[i] - 'a' + 10);
		else
			return false;
	}
	*token = v;
	return true;
}
