/* SPDX-License-Identifier: PostgreSQL
 *
 * Who asks the console: a session of a client, or the control thread on behalf
 * of HTTP.
 *
 * Both have a number of the same kind, so that commands need not know.  What
 * the control thread asks has a *ticket*, of which there are few at a time.
 */
#ifndef PGSLUICE_ADMIN_ASKER_H
#define PGSLUICE_ADMIN_ASKER_H

#include "admin/control.h"

#define ASKER_TICKETS 8
#define ASKER_BYTES_MAX (8u * 1024 * 1024) /* of an answer; the rest is cut off */

/* The answer to a ticket, for the control thread; freed by the receiver. */
struct asker_answer {
	struct control_message m; /* first */
	uint64_t ticket;
	size_t n;
	char messages[]; /* of the console, perhaps cut off */
};

/* Control thread, before workers start. take: on the control thread. */
void asker_init(struct control *c,
    void (*take)(struct control *c, struct control_message *m));

/* Control thread: run a command on one of the workers. The ticket, 0 if all
 * are in use. Its answer comes once, or, after asker_drop(), perhaps not. */
uint64_t asker_ask(const char *sql, enum console_role role) PG_MUST_CHECK;
/* Control thread: the answer came, or is not waited for any more. */
void asker_drop(uint64_t ticket);

/* As session_console_reply() and session_console_wait(), for either. */
void asker_reply(struct worker *w, uint64_t id, const struct buf *messages);
enum console_wait asker_wait(struct worker *w, uint64_t id);

#endif
