/* SPDX-License-Identifier: PostgreSQL
 *
 * Posted bumps on their way to the worker that sends them.
 *
 * A set of tags under a lock, which is held for memory only; a tag that is
 * posted again before it is taken is there once, and with more than POSTS_MAX
 * it is everything.  Any thread posts, one worker takes.
 *
 * Invariants: each member holds one pending count (l2_pending.c), which goes
 * over to whoever takes it; wake has been called since the set was last empty,
 * unless it is empty.
 */
#include "cache/l2_post.h"

#include <pthread.h>

#include "base/check.h"
#include "cache/l2_priv.h"

#define POSTS_MAX 1024

static struct {
	pthread_mutex_t lock;
	void (*wake)(void *arg);
	void *arg;
	unsigned n;
	tag_t tag[POSTS_MAX];
	bool has[TAG_SLOTS];
} posts = { .lock = PTHREAD_MUTEX_INITIALIZER };

void
l2_post_to(void (*wake)(void *arg), void *arg)
{
	pthread_mutex_lock(&posts.lock);
	posts.wake = wake;
	posts.arg = arg;
	pthread_mutex_unlock(&posts.lock);
}

/* Empty the set into out, which has room. */
static unsigned
posts_take(tag_t *out)
{
	unsigned i, n = posts.n;

	for (i = 0; i < n; i++) {
		out[i] = posts.tag[i];
		posts.has[out[i]] = false;
	}
	posts.n = 0;
	return n;
}

static void
posts_add(tag_t t)
{
	tag_t all[POSTS_MAX];
	unsigned i, n;

	CHECK(t < TAG_SLOTS);
	if (posts.has[t] || posts.has[TAG_ALL])
		return;
	l2_pending_add(t);
	if (posts.n < POSTS_MAX && t != TAG_ALL) {
		posts.has[t] = true;
		posts.tag[posts.n++] = t;
		return;
	}
	/* Everything: the new count first, as nothing may look settled. */
	if (t != TAG_ALL) {
		l2_pending_add(TAG_ALL);
		l2_pending_remove(t);
	}
	n = posts_take(all);
	for (i = 0; i < n; i++)
		l2_pending_remove(all[i]);
	posts.has[TAG_ALL] = true;
	posts.tag[posts.n++] = TAG_ALL;
}

void
l2_post(const tag_t *tags, size_t n)
{
	void (*wake)(void *arg) = NULL;
	void *arg;
	size_t i;

	pthread_mutex_lock(&posts.lock);
	arg = posts.arg;
	if (posts.wake != NULL && n > 0) {
		wake = posts.n == 0 ? posts.wake : NULL;
		for (i = 0; i < n; i++)
			posts_add(tags[i]);
	}
	pthread_mutex_unlock(&posts.lock);
	if (wake != NULL)
		wake(arg);
}

void
l2_take_posts(struct l2 *l)
{
	tag_t tags[POSTS_MAX];
	unsigned n;

	pthread_mutex_lock(&posts.lock);
	n = posts_take(tags);
	pthread_mutex_unlock(&posts.lock);
	l2_bump_pending(l, tags, n);
}
