/* SPDX-License-Identifier: PostgreSQL
 *
 * Tours through the workers.
 *
 * Knows how a tour travels, not what it collects.  A tour belongs to the
 * worker whose mailbox holds it.  The list of tours under way exists only so
 * that a stop can free what mailboxes still hold; its lock is innermost but
 * for the mailboxes' own.
 */
#include "admin/tour.h"

#include <stdlib.h>

static struct {
	struct worker *const *workers;
	unsigned n;
	pthread_mutex_t lock;
	TAILQ_HEAD(, tour) live;
} tours = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.live = TAILQ_HEAD_INITIALIZER(tours.live) };

void
tour_init(struct worker *const *workers, unsigned n)
{
	tours.workers = workers;
	tours.n = n;
}

/* What hangs on the tour; the struct itself is a message in a mailbox, which
 * its worker frees. */
void
tour_fini(void)
{
	struct tour *t;

	while ((t = TAILQ_FIRST(&tours.live)) != NULL) {
		TAILQ_REMOVE(&tours.live, t, link);
		rows_fini(&t->rows);
		free(t->text);
	}
	tours.workers = NULL;
	tours.n = 0;
}

static void
tour_end(struct tour *t)
{
	if (t->done != NULL)
		t->done(t);
	else
		rows_reply(&t->rows, t->origin, t->session, "SHOW");
	pthread_mutex_lock(&tours.lock);
	TAILQ_REMOVE(&tours.live, t, link);
	pthread_mutex_unlock(&tours.lock);
	rows_fini(&t->rows);
	free(t->text);
	free(t);
}

static void
tour_home(struct worker *w PG_UNUSED, struct message *m)
{
	tour_end((struct tour *)(void *)m);
}

static void
tour_visit(struct worker *w, struct message *m)
{
	struct tour *t = (struct tour *)(void *)m;

	if (t->visit != NULL)
		t->visit(t, w);
	if (++t->next < tours.n) {
		worker_post(tours.workers[t->next], &t->m);
		return;
	}
	t->m.run = tour_home;
	worker_post(t->origin, &t->m);
}

struct tour *
tour_new(struct worker *origin, uint64_t session)
{
	struct tour *t = x_calloc(1, sizeof(*t));

	t->m.run = tour_visit;
	t->origin = origin;
	t->session = session;
	rows_init(&t->rows);
	return t;
}

void
tour_start(struct tour *t)
{
	pthread_mutex_lock(&tours.lock);
	TAILQ_INSERT_TAIL(&tours.live, t, link);
	pthread_mutex_unlock(&tours.lock);
	worker_post(tours.workers[0], &t->m);
}
