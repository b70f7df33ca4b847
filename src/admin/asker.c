/* SPDX-License-Identifier: PostgreSQL
 *
 * Sessions and tickets.
 *
 * Tickets have a bit that ids of sessions have not.  The list of those in use
 * is the only thing that workers and the control thread share here; its lock
 * is innermost.
 */
#include "admin/asker.h"

#include <stdlib.h>
#include <string.h>

#include "admin/console.h"

#define TICKET_BIT (1ull << 63)

static struct {
	struct control *control;
	void (*take)(struct control *c, struct control_message *m);
	unsigned next_worker;
	uint64_t last;
	pthread_mutex_t lock;
	uint64_t live[ASKER_TICKETS]; /* under lock; 0: free */
} askers = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct asker_order {
	struct message m; /* first */
	uint64_t ticket;
	enum console_role role;
	char sql[];
};

void
asker_init(struct control *c,
    void (*take)(struct control *c, struct control_message *m))
{
	askers.control = c;
	askers.take = take;
	memset(askers.live, 0, sizeof(askers.live));
}

/* Put `to` where `from` is; false: it is nowhere. */
static bool
asker_replace(uint64_t from, uint64_t to)
{
	bool found = false;
	unsigned i;

	pthread_mutex_lock(&askers.lock);
	for (i = 0; i < ASKER_TICKETS && !found; i++)
		if (askers.live[i] == from) {
			askers.live[i] = to;
			found = true;
		}
	pthread_mutex_unlock(&askers.lock);
	return found;
}

static void
asker_run(struct worker *w, struct message *m)
{
	struct asker_order *o = (struct asker_order *)(void *)m;

	console_run(askers.control, w, o->ticket, o->sql, o->role);
	free(o);
}

uint64_t
asker_ask(const char *sql, enum console_role role)
{
	struct control *c = askers.control;
	uint64_t ticket = (askers.last + 1) | TICKET_BIT;
	size_t n = strlen(sql) + 1;
	struct asker_order *o;

	if (!asker_replace(0, ticket))
		return 0;
	askers.last = ticket;
	o = x_calloc(1, sizeof(*o) + n);
	o->m.run = asker_run;
	o->ticket = ticket;
	o->role = role;
	memcpy(o->sql, sql, n);
	worker_post(c->workers[askers.next_worker++ % c->n_workers], &o->m);
	return ticket;
}

void
asker_drop(uint64_t ticket)
{
	CHECK((ticket & TICKET_BIT) != 0);
	CHECK(asker_replace(ticket, 0));
}

void
asker_reply(struct worker *w, uint64_t id, const struct buf *messages)
{
	size_t n = buf_len(messages);
	struct asker_answer *a;

	if ((id & TICKET_BIT) == 0) {
		session_console_reply(w, id, messages);
		return;
	}
	if (n > ASKER_BYTES_MAX)
		n = ASKER_BYTES_MAX;
	a = x_calloc(1, sizeof(*a) + n);
	a->m.run = askers.take;
	a->ticket = id;
	a->n = n;
	if (n > 0)
		memcpy(a->messages, buf_head(messages), n);
	control_post(askers.control, &a->m);
}

enum console_wait
asker_wait(struct worker *w, uint64_t id)
{
	if ((id & TICKET_BIT) == 0)
		return session_console_wait(w, id);
	return asker_replace(id, id) ? CONSOLE_WAIT_ON : CONSOLE_WAIT_OVER;
}
