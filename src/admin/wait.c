/* SPDX-License-Identifier: PostgreSQL
 *
 * Waiting on behalf of who asked the console.
 *
 * Knows how to ask all workers again and again, and what to do when the client
 * has gone or cancels; not what is waited for.  A wait belongs to the worker
 * of its session; one tour at a time asks for it.  When the client goes before
 * the answer, what the command began is undone: no PAUSE is left behind that
 * nobody was told of.
 */
#include "admin/wait.h"

#include <stdlib.h>

#include "admin/asker.h"

TAILQ_HEAD(wait_list, wait);
static struct wait_list *waits_of; /* per worker */
static unsigned n_waits_of;

void
wait_init(unsigned n_workers)
{
	unsigned i;

	waits_of = x_calloc(n_workers, sizeof(*waits_of));
	n_waits_of = n_workers;
	for (i = 0; i < n_workers; i++)
		TAILQ_INIT(&waits_of[i]);
}

void
wait_fini(void)
{
	struct wait *wait;
	unsigned i;

	for (i = 0; i < n_waits_of; i++)
		while ((wait = TAILQ_FIRST(&waits_of[i])) != NULL) {
			TAILQ_REMOVE(&waits_of[i], wait, link);
			free(wait);
		}
	free(waits_of);
	waits_of = NULL;
	n_waits_of = 0;
}

static void
wait_free(struct wait *wait)
{
	TAILQ_REMOVE(&waits_of[wait->origin->id], wait, link);
	free(wait);
}

/* Take back what the command has begun, unless another command did. */
static void
wait_undo(const struct wait *wait)
{
	if (!wait->kind->ended(wait))
		wait->kind->undo(wait);
}

/* One round of questions is over. */
static void
wait_asked(struct tour *t)
{
	struct wait *wait = t->data;
	const struct wait_kind *kind = wait->kind;

	wait->asking = false;
	switch (asker_wait(wait->origin, wait->session)) {
	case CONSOLE_WAIT_ON:
		break;
	case CONSOLE_WAIT_CANCELLED:
		wait_undo(wait);
		rows_error(wait->origin, wait->session, "57014",
		    "canceling statement due to user request",
		    "What the command had begun has been taken back.", NULL);
		wait_free(wait);
		return;
	case CONSOLE_WAIT_OVER:
		wait_undo(wait);
		wait_free(wait);
		return;
	}
	if (kind->ended(wait)) {
		rows_error(wait->origin, wait->session, "57014",
		    "another console session ended what this command began",
		    NULL, NULL);
		wait_free(wait);
	} else if (t->found == 0 && kind->settled(wait)) {
		rows_reply(&t->rows, t->origin, t->session, kind->tag);
		wait_free(wait);
	}
}

static void
wait_ask(struct wait *wait)
{
	struct tour *t = tour_new(wait->origin, wait->session);

	wait->asking = true;
	t->data = wait;
	t->visit = wait->kind->visit;
	t->done = wait_asked;
	tour_start(t);
}

void
wait_start(const struct wait_kind *kind, struct worker *w, uint64_t session,
    struct dbstate *db, uint64_t number)
{
	struct wait *wait = x_calloc(1, sizeof(*wait));

	*wait = (struct wait){ .kind = kind, .origin = w, .session = session,
		.db = db, .number = number };
	TAILQ_INSERT_TAIL(&waits_of[w->id], wait, link);
	wait_ask(wait);
}

void
wait_tick(struct worker *w)
{
	struct wait *wait;

	TAILQ_FOREACH(wait, &waits_of[w->id], link)
		if (!wait->asking)
			wait_ask(wait);
}
