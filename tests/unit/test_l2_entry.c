/* SPDX-License-Identifier: PostgreSQL
 *
 * Entries: what was encoded comes back, anything else is a miss.
 */
#include <xxhash.h>

#include "cache/l2_priv.h"
#include "cache_util.h"

#define SCOPE SLICE_LIT("db=shop user=web search_path=public")

static struct cache_key key;
static struct object *obj;
static struct l2_tokens tokens;
static char *entry;
static size_t entry_n;
static struct l2_sealer *sealer; /* NULL: entries in clear */

static int
setup(void **state)
{
	(void)state;
	key = util_key("select * from events where id = $1");
	obj = util_object(&key, UTIL_DATA, 4711, 1);
	tokens = (struct l2_tokens){ .valid = true,
		.token = { 0x1122334455667788, 0x99aabbccddeeff00 } };
	assert_true(l2_entry_encode(obj, SCOPE, &tokens, sealer, &entry,
	    &entry_n));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	object_unref(&obj);
	free(entry);
	return 0;
}

static enum l2_verdict
verdict(const void *p, size_t n)
{
	/* An allocation of exactly n bytes, for the sanitizers. */
	char *copy = malloc(n > 0 ? n : 1);
	struct l2_found found;
	enum l2_verdict v;

	memcpy(copy, p, n);
	v = l2_entry_read(copy, n, &key, SCOPE, &obj->tags, &tokens, sealer,
	    &found);
	free(copy);
	return v;
}

/* Make the checksum right again. */
static void
seal(char *p, size_t n)
{
	uint64_t sum = XXH3_64bits(p, n - 8);
	unsigned i;

	for (i = 0; i < 8; i++)
		p[n - 8 + i] = (char)(sum >> (8 * i));
}

static void
what_goes_in_comes_out(void **state)
{
	struct l2_found found;

	(void)state;
	assert_int_equal(l2_entry_read(entry, entry_n, &key, SCOPE, &obj->tags,
	    &tokens, sealer, &found), L2_ENTRY_VALID);
	assert_true(slice_eq(found.desc, UTIL_DESC));
	assert_true(slice_eq(found.data, UTIL_DATA));
	assert_int_equal(found.fetched_wall, obj->fetched_wall);
}

static void
every_bit_counts(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < entry_n * 8; i++) {
		entry[i / 8] ^= (char)(1 << i % 8);
		assert_int_equal(verdict(entry, entry_n), L2_ENTRY_BAD);
		entry[i / 8] ^= (char)(1 << i % 8);
	}
	assert_int_equal(verdict(entry, entry_n), L2_ENTRY_VALID);
}

static void
every_bit_of_a_large_entry_counts(void **state)
{
	static char rows[12500] = "D";
	struct object *o;
	struct l2_found found;
	char *p, *copy;
	size_t n, i;

	(void)state;
	/* One row that fills all but the CommandComplete at the end. */
	memcpy(rows + sizeof(rows) - 5, "C\0\0\0\x04", 5);
	i = sizeof(rows) - 5 - 1;
	rows[3] = (char)(i >> 8);
	rows[4] = (char)i;
	o = object_new(&key, UTIL_DESC, slice_make(rows, sizeof(rows)),
	    &obj->tags);
	assert_true(l2_entry_encode(o, SCOPE, &tokens, sealer, &p, &n));
	assert_true(n * 8 > 100000);
	copy = malloc(n);
	memcpy(copy, p, n);
	assert_int_equal(l2_entry_read(copy, n, &key, SCOPE, &obj->tags, &tokens,
	    sealer, &found), L2_ENTRY_VALID);
	for (i = 0; i < n * 8; i++) {
		/* Afresh each time: what is sealed is opened in place. */
		memcpy(copy, p, n);
		copy[i / 8] ^= (char)(1 << i % 8);
		if (l2_entry_read(copy, n, &key, SCOPE, &obj->tags, &tokens,
			sealer, &found) != L2_ENTRY_BAD)
			fail_msg("bit %zu", i);
	}
	free(copy);
	object_unref(&o);
	free(p);
}

static void
sealed_lies_do_no_harm(void **state)
{
	/* With the checksum made right, changes are either noticed or, in
	 * frames and fetch time, harmless; the sanitizers watch. */
	size_t i, served = 0;

	(void)state;
	for (i = 0; i < (entry_n - 8) * 8; i++) {
		entry[i / 8] ^= (char)(1 << i % 8);
		seal(entry, entry_n);
		served += verdict(entry, entry_n) == L2_ENTRY_VALID;
		entry[i / 8] ^= (char)(1 << i % 8);
	}
	seal(entry, entry_n);
	assert_int_equal(verdict(entry, entry_n), L2_ENTRY_VALID);
	/* fetched_wall has 64 bits, the payload of the frames 2 + 2 + 9 bytes */
	assert_true(served <= 64 + 13 * 8);
}

static void
cut_and_grown_entries_are_bad(void **state)
{
	char *grown = malloc(entry_n + 1);
	size_t n;

	(void)state;
	for (n = 0; n < entry_n; n++) {
		assert_int_equal(verdict(entry, n), L2_ENTRY_BAD);
		memcpy(grown, entry, n);
		if (n >= 8) {
			seal(grown, n);
			assert_int_equal(verdict(grown, n), L2_ENTRY_BAD);
		}
	}
	memcpy(grown, entry, entry_n);
	grown[entry_n] = '\0';
	assert_int_equal(verdict(grown, entry_n + 1), L2_ENTRY_BAD);
	seal(grown, entry_n + 1);
	assert_int_equal(verdict(grown, entry_n + 1), L2_ENTRY_BAD);
	free(grown);
}

static void
other_questions_are_misses(void **state)
{
	struct cache_key k = key;
	struct tagset tags = obj->tags;
	struct l2_found found;

	(void)state;
#define MISS(k, scope, tags) do { \
	char *copy_ = malloc(entry_n); \
	memcpy(copy_, entry, entry_n); \
	assert_int_equal(l2_entry_read(copy_, entry_n, k, scope, tags, \
	    &tokens, sealer, &found), L2_ENTRY_BAD); \
	free(copy_); \
} while (0)
	MISS(&key, SLICE_LIT("db=shop user=root"), &obj->tags);
	k.form = KEY_SIMPLE;
	MISS(&k, SCOPE, &obj->tags);
	k = key;
	k.sql.n--;
	MISS(&k, SCOPE, &obj->tags);
	k = key;
	k.types = SLICE_LIT("\0\0\0\x14");
	MISS(&k, SCOPE, &obj->tags);
	k = key;
	k.bind = SLICE_LIT("bound valueS");
	MISS(&k, SCOPE, &obj->tags);
	tags.tag[1]++;
	MISS(&key, SCOPE, &tags);
	tagset_add(&tags, 9);
	MISS(&key, SCOPE, &tags);
	tagset_init(&tags);
	MISS(&key, SCOPE, &tags);
#undef MISS
	k = key;
	k.scope++; /* is of one process and one configuration: not compared */
	assert_int_equal(l2_entry_read(entry, entry_n, &k, SCOPE, &obj->tags,
	    &tokens, sealer, &found), L2_ENTRY_VALID);
}

static void
bumped_tags_are_stale(void **state)
{
	(void)state;
	tokens.token[0]++;
	assert_int_equal(verdict(entry, entry_n), L2_ENTRY_STALE);
	tokens.token[0]--;
	tokens.token[1] ^= 1ull << 63;
	assert_int_equal(verdict(entry, entry_n), L2_ENTRY_STALE);
	tokens.token[1] ^= 1ull << 63;
	tokens.valid = false;
	assert_int_equal(verdict(entry, entry_n), L2_ENTRY_STALE);
}

static void
the_future_is_bad(void **state)
{
	char *p;
	size_t n;

	(void)state;
	obj->fetched_wall = clock_wall() + 4 * NSEC_PER_SEC;
	assert_true(l2_entry_encode(obj, SCOPE, &tokens, sealer, &p, &n));
	assert_int_equal(verdict(p, n), L2_ENTRY_VALID);
	free(p);
	obj->fetched_wall = clock_wall() + 7 * NSEC_PER_SEC;
	assert_true(l2_entry_encode(obj, SCOPE, &tokens, sealer, &p, &n));
	assert_int_equal(verdict(p, n), L2_ENTRY_BAD);
	free(p);
}

static enum l2_verdict
verdict_of_frames(struct slice desc, struct slice data)
{
	struct object *o = object_new(&key, desc, data, &obj->tags);
	struct l2_found found;
	enum l2_verdict v;
	char *p;
	size_t n;

	o->fetched_wall = clock_wall();
	assert_true(l2_entry_encode(o, SCOPE, &tokens, sealer, &p, &n));
	v = l2_entry_read(p, n, &key, SCOPE, &obj->tags, &tokens, sealer,
	    &found);
	object_unref(&o);
	free(p);
	return v;
}

static void
only_whole_result_messages_are_served(void **state)
{
	const struct slice none = { NULL, 0 };

	(void)state;
#define FRAMES(desc, data, want) \
	assert_int_equal(verdict_of_frames(desc, data), L2_ENTRY_##want)
	FRAMES(UTIL_DESC, UTIL_DATA, VALID);
	FRAMES(none, UTIL_DATA, VALID);
	FRAMES(SLICE_LIT("t\0\0\0\x06\0\0" "n\0\0\0\x04"),
	    SLICE_LIT("C\0\0\0\x0dSELECT 0\0"), VALID);
	FRAMES(UTIL_DESC, none, BAD); /* no end */
	FRAMES(UTIL_DESC, SLICE_LIT("D\0\0\0\x06\0\0"), BAD);
	FRAMES(UTIL_DESC, SLICE_LIT("C\0\0\0\x04" "D\0\0\0\x04"), BAD);
	FRAMES(UTIL_DESC, SLICE_LIT("C\0\0\0\x04" "C\0\0\0\x04"), BAD);
	FRAMES(UTIL_DESC, SLICE_LIT("Z\0\0\0\x05I" "C\0\0\0\x04"), BAD);
	FRAMES(SLICE_LIT("E\0\0\0\x04"), UTIL_DATA, BAD);
	FRAMES(SLICE_LIT("\0\0\0\0\x04"), UTIL_DATA, BAD);
	FRAMES(SLICE_LIT("T\0\0\0\x03"), UTIL_DATA, BAD);
	FRAMES(SLICE_LIT("T\0\0\0\x05"), UTIL_DATA, BAD);
	FRAMES(SLICE_LIT("T\xff\xff\xff\xff"), UTIL_DATA, BAD);
	FRAMES(SLICE_LIT("T\0\0\0"), UTIL_DATA, BAD);
#undef FRAMES
}

static void
untrusted_tokens_are_not_stored(void **state)
{
	char *p = NULL;
	size_t n;

	(void)state;
	tokens.valid = false;
	assert_false(l2_entry_encode(obj, SCOPE, &tokens, sealer, &p, &n));
	assert_null(p);
}

/* --- sealed ------------------------------------------------------------ */

#define KEY_A \
	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
#define KEY_B \
	"ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"

static struct l2_sealer *
sealer_of(const char *text)
{
	char why[256];
	struct l2_keys *keys = l2_keys_parse(text, strlen(text), "keys", why,
	    sizeof(why));
	struct l2_sealer *s;

	assert_non_null(keys);
	s = l2_sealer_new(keys);
	l2_keys_unref(&keys);
	return s;
}

static int
setup_sealed(void **state)
{
	sealer = sealer_of(KEY_A);
	return setup(state);
}

static int
teardown_sealed(void **state)
{
	l2_sealer_free(&sealer);
	return teardown(state);
}

static void
expect_with(const char *keys, enum l2_verdict want)
{
	struct l2_sealer *own = sealer;

	sealer = keys != NULL ? sealer_of(keys) : NULL;
	assert_int_equal(verdict(entry, entry_n), want);
	l2_sealer_free(&sealer);
	sealer = own;
}

static void
only_our_keys_open(void **state)
{
	(void)state;
	expect_with(KEY_A, L2_ENTRY_VALID);
	expect_with(KEY_B, L2_ENTRY_BAD);
	expect_with(NULL, L2_ENTRY_BAD);
	/* Rotated: a new key seals, the old one opens. */
	expect_with(KEY_B KEY_A, L2_ENTRY_VALID);
	teardown_sealed(state);
	sealer = sealer_of(KEY_B KEY_A);
	setup(state);
	expect_with(KEY_B, L2_ENTRY_VALID);
	expect_with(KEY_A, L2_ENTRY_BAD);
}

static void
clear_entries_are_foreign(void **state)
{
	struct l2_sealer *own = sealer;
	char *p;
	size_t n;

	(void)state;
	sealer = NULL;
	assert_true(l2_entry_encode(obj, SCOPE, &tokens, sealer, &p, &n));
	assert_int_equal(verdict(p, n), L2_ENTRY_VALID);
	sealer = own;
	assert_int_equal(verdict(p, n), L2_ENTRY_BAD);
	p[4] = 2; /* it says that it is sealed */
	assert_int_equal(verdict(p, n), L2_ENTRY_BAD);
	free(p);
}

static bool
holds(const char *p, size_t n, struct slice what)
{
	return memmem(p, n, what.p, what.n) != NULL;
}

static void
nothing_is_told(void **state)
{
	char *p;
	size_t n;

	(void)state;
	assert_false(holds(entry, entry_n, key.sql));
	assert_false(holds(entry, entry_n, key.bind));
	assert_false(holds(entry, entry_n, SCOPE));
	assert_false(holds(entry, entry_n, SLICE_LIT("SELECT 1")));
	/* Twice the same is not the same: the nonce. */
	assert_true(l2_entry_encode(obj, SCOPE, &tokens, sealer, &p, &n));
	assert_int_equal(n, entry_n);
	assert_memory_not_equal(p, entry, n);
	free(p);
}

/* Bytes moved from one part of the question to the next. */
static void
parts_have_their_ends(void **state)
{
	struct cache_key k = key;
	struct l2_found found;

	(void)state;
	k.types = slice_make(NULL, 0);
	k.bind = SLICE_LIT("\0\0\0\x17" "bound values");
	assert_int_equal(l2_entry_read(entry, entry_n, &k, SCOPE, &obj->tags,
	    &tokens, sealer, &found), L2_ENTRY_BAD);
}

int
main(void)
{
#define S(f) \
	{ "sealed: " #f, f, setup_sealed, teardown_sealed, NULL }
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_goes_in_comes_out),
		T(every_bit_counts),
		T(every_bit_of_a_large_entry_counts),
		T(sealed_lies_do_no_harm),
		T(cut_and_grown_entries_are_bad),
		T(other_questions_are_misses),
		T(bumped_tags_are_stale),
		T(the_future_is_bad),
		T(only_whole_result_messages_are_served),
		T(untrusted_tokens_are_not_stored),
		S(what_goes_in_comes_out),
		S(every_bit_counts),
		S(every_bit_of_a_large_entry_counts),
		S(cut_and_grown_entries_are_bad),
		S(other_questions_are_misses),
		S(bumped_tags_are_stale),
		S(the_future_is_bad),
		S(only_whole_result_messages_are_served),
		S(untrusted_tokens_are_not_stored),
		S(only_our_keys_open),
		S(clear_entries_are_foreign),
		S(nothing_is_told),
		S(parts_have_their_ends),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
