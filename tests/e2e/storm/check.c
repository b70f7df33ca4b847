/* SPDX-License-Identifier: PostgreSQL
 *
 * Whether what comes is what was asked for.
 *
 * A message has to be the next one owed for the head of the queue.  After an
 * error in an extended statement nothing is owed for what stands behind it up
 * to the Sync.  An error that was not asked for needs a cause: a fault that was
 * done to a server (main() holds their number against that of clients
 * struck), or a cancel that was sent to this client and that the pooler had not
 * taken note of before the statement was sent.
 */
#include <stdio.h>
#include <string.h>

#include "storm.h"

void
check_wrong(struct client *c, const char *what, char type,
    const unsigned char *body, size_t n)
{
	const struct want *w = check_head(c);

	sum.wrong++;
	if (sum.wrong > 10)
		return;
	fprintf(stderr, "storm: wrong: %s: message %c, client %d, ", what,
	    type, (int)(c - clients));
	if (w != NULL)
		fprintf(stderr, "owed \"%s\", kind %d%s, token \"%s\", ",
		    w->owed, w->kind, w->simple ? ", simple" : "", w->token);
	fprintf(stderr, "%u in flight, body:", c->count);
	for (size_t i = 0; i < n && i < 200; i++)
		fputc(body[i] >= ' ' && body[i] < 127 ? body[i] : '.', stderr);
	fputc('\n', stderr);
}

struct want *
check_head(struct client *c)
{
	return c->count > 0 ? &c->queue[c->head] : NULL;
}

static void
check_pop(struct client *c)
{
	const struct want *w = check_head(c);

	if (w->simple || w->kind == SYNC)
		c->flying--;
	c->head = (c->head + 1) % QUEUE_MAX;
	c->count--;
}

static void
check_answered(struct want *w)
{
	w->over = true;
	sum.answered++;
}

/* The head ended with an error: only ReadyForQuery is owed now. */
static void
check_skip(struct client *c)
{
	const struct want *w;

	c->failed = true;
	if (check_head(c)->simple || check_head(c)->kind == SYNC) {
		check_head(c)->owed = "Z";
		return;
	}
	check_pop(c);
	while ((w = check_head(c)) != NULL && w->kind != SYNC) {
		if (want_counts(w))
			sum.skipped++;
		check_pop(c);
	}
}

static void
count_state(const char *code)
{
	for (int i = 0; i < STATES_MAX; i++) {
		if (sum.states[i].n == 0)
			snprintf(sum.states[i].code,
			    sizeof(sum.states[i].code), "%s", code);
		if (strcmp(sum.states[i].code, code) == 0) {
			sum.states[i].n++;
			return;
		}
	}
}

/* A cancel ends no statement that was sent after the pooler had taken note of
 * it. */
void
check_cancels(struct client *c)
{
	const struct want *w = check_head(c);

	if (c->cancel.open == 0 && (w == NULL || c->cancel.done < w->sent))
		c->cancel.credit = 0;
}

static bool
cancel_explains(struct client *c)
{
	check_cancels(c);
	if (c->cancel.credit == 0)
		return false;
	c->cancel.credit--;
	sum.cancelled++;
	return true;
}

static bool
fault_explains(struct client *c, const char *code)
{
	if (strncmp(code, "08", 2) != 0 && strncmp(code, "57P", 3) != 0)
		return false;
	if (!c->struck)
		sum.struck++;
	c->struck = c->faulted = true;
	return true;
}

static void
check_error(struct client *c, const unsigned char *body, size_t n)
{
	struct want *w = check_head(c);
	const char *code = sqlstate(body, n);

	/* At Bind or at Execute, as the plan has it. */
	if (w->kind == FAIL && strchr(w->owed, 'E') != NULL &&
	    strcmp(code, "22P02") == 0) {
		if (!contains(body, n, w->token))
			check_wrong(c, "another's error", 'E', body, n);
		check_answered(w);
		check_skip(c);
		return;
	}
	count_state(code);
	if (strcmp(code, "57014") == 0 ? !cancel_explains(c) :
	    !fault_explains(c, code))
		check_wrong(c, "error without a cause", 'E', body, n);
	if (want_counts(w) && !w->over)
		sum.errors++;
	w->over = true;
	check_skip(c);
}

static void
check_row(struct client *c, const struct want *w, const unsigned char *body,
    size_t n)
{
	size_t len = strlen(w->token);

	if (n < 6 || get32(body + 2) != len || n - 6 < len ||
	    memcmp(body + 6, w->token, len) != 0)
		check_wrong(c, "another's row", 'D', body, n);
}

/* What ReadyForQuery has to say after the head. */
static char
status_due(const struct client *c, const struct want *w)
{
	if (c->failed)
		return c->status == 'I' ? 'I' : 'E';
	if (w->kind == BEGIN)
		return 'T';
	if (w->kind == COMMIT || w->kind == ROLLBACK || w->kind == LOGIN)
		return 'I';
	return c->status;
}

static void
check_ready(struct client *c, const struct want *w, char status)
{
	if (!c->faulted && status != status_due(c, w))
		check_wrong(c, "transaction status", status, NULL, 0);
	c->status = status;
	c->failed = c->faulted = false;
}

static void
check_login(struct client *c, char type, const unsigned char *body, size_t n)
{
	if (type == 'R' && get32(body) != 0)
		die("only trust logins are supported");
	if (type == 'K' && n == 8) {
		c->pid = get32(body);
		c->secret = get32(body + 4);
	}
	if (type != 'Z')
		return;
	check_ready(c, check_head(c), (char)body[0]);
	check_pop(c);
}

/* The head got one of the messages that it is owed. */
static void
check_owed(struct client *c, struct want *w, char type,
    const unsigned char *body, size_t n)
{
	w->owed++;
	if (type == 'D')
		check_row(c, w, body, n);
	if (type == 'C' && w->kind == COMMIT &&
	    strncmp((const char *)body, "COMMIT", n) != 0)
		check_wrong(c, "not committed", type, body, n);
	if (type == 'C' && want_counts(w))
		check_answered(w);
	if (type == '1' && w->kind == PREPARE)
		c->prepared = true;
	if (type == 'Z')
		check_ready(c, w, (char)body[0]);
	if (*w->owed == '\0')
		check_pop(c);
	if (c->count == 0)
		c->struck = false;
}

void
check_message(struct client *c, char type, const unsigned char *body,
    size_t n)
{
	struct want *w = check_head(c);

	if (type == 'N' || type == 'A' || (type == 'S' && n > 0))
		return;
	if (w == NULL && type == 'E' && c->status != 'I' &&
	    fault_explains(c, sqlstate(body, n)))
		count_state(sqlstate(body, n));
	else if (w == NULL)
		check_wrong(c, "nothing owed", type, body, n);
	else if (type == 'E')
		check_error(c, body, n);
	else if (w->kind == LOGIN)
		check_login(c, type, body, n);
	else if (*w->owed != type)
		check_wrong(c, "not owed", type, body, n);
	else
		check_owed(c, w, type, body, n);
}
