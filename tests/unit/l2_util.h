/* SPDX-License-Identifier: PostgreSQL
 *
 * Asking and waiting, for the tests of L2 against real and scripted servers.
 */
#ifndef PGSLUICE_TESTS_L2_UTIL_H
#define PGSLUICE_TESTS_L2_UTIL_H

#include <unistd.h>

#include "cache/l2_priv.h"
#include "cache_util.h"

#define SCOPE SLICE_LIT("db=shop user=web")

static struct event_base *base;

/* One lookup and its answer. */
struct ask {
	struct l2_request *req;
	struct cache_key key;
	struct tagset tags;
	struct l2_tokens tokens;
	struct l2_lease *lease;
	unsigned answers;
	bool found;
	nsec_t fetched_wall;
	char data[256];
	size_t data_n;
};

static inline PG_UNUSED void
ask_answered(void *arg, const struct l2_found *found,
    const struct l2_tokens *tokens, struct l2_lease *lease)
{
	struct ask *a = arg;

	assert_null(a->lease);
	a->lease = lease;

	a->answers++;
	a->tokens = *tokens;
	a->found = found != NULL;
	if (found == NULL)
		return;
	assert_true(slice_eq(found->desc, UTIL_DESC));
	assert_true(found->data.n <= sizeof(a->data));
	memcpy(a->data, found->data.p, found->data.n);
	a->data_n = found->data.n;
	a->fetched_wall = found->fetched_wall;
}

static inline PG_UNUSED void
turn(void)
{
	struct timeval tick = { .tv_usec = 1000 };

	event_base_loopexit(base, &tick);
	event_base_loop(base, EVLOOP_ONCE);
}

/* Run the loop until cond holds, for ten seconds at most. */
#define RUN_UNTIL(cond) do { \
	nsec_t until_ = clock_mono() + 10 * NSEC_PER_SEC; \
	while (!(cond)) { \
		if (clock_mono() > until_) \
			fail_msg("%s:%d: never: %s", __FILE__, __LINE__, \
			    #cond); \
		turn(); \
	} \
} while (0)

static inline PG_UNUSED void
run_for(nsec_t t)
{
	nsec_t until = clock_mono() + t;

	while (clock_mono() < until)
		turn();
}

/* sql must stay; tag as in util_object(). */
static inline PG_UNUSED void
ask_start(struct ask *a, struct l2 *l, const char *sql, tag_t tag,
    nsec_t max_age)
{
	*a = (struct ask){ .key = util_key(sql) };
	a->key.name = SLICE_LIT("rule");
	tagset_init(&a->tags);
	if (tag != 0)
		tagset_add(&a->tags, tag);
	tagset_record(&a->tags);
	a->req = l2_get(l, &a->key, SCOPE, "shop", &a->tags, max_age,
	    0, ask_answered, a);
	assert_int_equal(a->answers, 0);
}

static inline PG_UNUSED bool
ask_wait(struct ask *a, struct l2 *l, const char *sql, tag_t tag)
{
	ask_start(a, l, sql, tag, 60 * NSEC_PER_SEC);
	assert_non_null(a->req);
	RUN_UNTIL(a->answers > 0);
	assert_int_equal(a->answers, 1);
	return a->found;
}

/* Store what the lookup did not find. */
static inline PG_UNUSED void
ask_fill(struct ask *a, struct l2 *l, struct slice data)
{
	struct object *o = object_new(&a->key, UTIL_DESC, data, &a->tags);

	assert_non_null(o);
	o->fetched_wall = clock_wall();
	o->ttl = 30 * NSEC_PER_SEC;
	l2_put(l, o, SCOPE, "shop", &a->tokens);
	object_unref(&o);
}

static inline PG_UNUSED struct l2_stats
stats_of(const struct l2 *l)
{
	struct l2_stats st;

	l2_stats(l, &st);
	return st;
}

static inline PG_UNUSED bool
usable(const struct l2 *l, tag_t tag)
{
	struct tagset s;

	tagset_init(&s);
	if (tag != 0)
		tagset_add(&s, tag);
	return l2_usable(l, &s);
}

#endif
