/* SPDX-License-Identifier: PostgreSQL
 *
 * Console commands: recognising, permitting, and those that act.
 *
 * Those that show are in show.c and show_conf.c.  Runs on the worker of the
 * session that asked; what belongs to the control thread is asked of it by
 * message.  Every call is answered exactly once.
 */
#include "admin/console.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/tour.h"
#include "backend/pool.h"
#include "base/log.h"

#define CONSOLE_TEXT_MAX 8192
#define CONSOLE_WORDS_MAX 64
#define CONSOLE_HINT "SHOW HELP lists the commands."

const struct console_command console_commands[] = {
#define COMMAND(words, permission, handler, help) \
	{ words, CONSOLE_##permission, handler, help },
#include "tbl/console_commands.h"
};
const unsigned console_n_commands = ARRAY_SIZE(console_commands);

/* ------------------------------------------------------------ parsing */

enum console_parsed { PARSED_EMPTY, PARSED_COMMAND, PARSED_WRONG };

/* Cut text (changed) into words. -1: something follows a semicolon, or there
 * are too many words. */
static int
console_split(char *text, char **words)
{
	bool ended = false;
	int n = 0;
	char *p = text;

	while (*p != '\0') {
		if (isspace((unsigned char)*p) || *p == ';') {
			ended = ended || (*p == ';' && n > 0);
			*p++ = '\0';
			continue;
		}
		if (ended || n == CONSOLE_WORDS_MAX)
			return -1;
		words[n++] = p;
		while (*p != '\0' && *p != ';' && !isspace((unsigned char)*p))
			p++;
	}
	return n;
}

static bool
console_number(const char *word, uint64_t *out)
{
	char *end;

	if (!isdigit((unsigned char)word[0]))
		return false;
	errno = 0;
	*out = strtoull(word, &end, 10);
	return errno == 0 && *end == '\0';
}

/* Do the words fit the pattern of a command? */
static bool
console_fits(const char *pattern, char *const *words, int n, uint64_t *number)
{
	size_t len;
	int i = 0;

	for (;; pattern += len + (pattern[len] == ' ')) {
		len = strcspn(pattern, " ");
		if (len == 0)
			return i == n;
		if (*pattern == '*')
			return true;
		if (i == n)
			return false;
		if (*pattern == '#') {
			if (!console_number(words[i], number))
				return false;
		} else if (strlen(words[i]) != len ||
		    strncasecmp(words[i], pattern, len) != 0) {
			return false;
		}
		i++;
	}
}

static enum console_parsed
console_parse(const char *sql, const struct console_command **command,
    uint64_t *number)
{
	char text[CONSOLE_TEXT_MAX], *words[CONSOLE_WORDS_MAX];
	unsigned i;
	int n;

	if (strlen(sql) >= sizeof(text))
		return PARSED_WRONG;
	strcpy(text, sql);
	n = console_split(text, words);
	if (n == 0)
		return PARSED_EMPTY;
	for (i = 0; n > 0 && i < console_n_commands; i++)
		if (console_fits(console_commands[i].words, words, n,
		    number)) {
			*command = &console_commands[i];
			return PARSED_COMMAND;
		}
	return PARSED_WRONG;
}

/* ------------------------------------------------------------ answering */

static void
console_done(struct console_call *call, const char *tag)
{
	struct rows r;

	rows_init(&r);
	rows_reply(&r, call->w, call->session, tag);
}

static void
console_empty(struct worker *w, uint64_t session)
{
	struct rows r;

	rows_init(&r);
	msgwrite_begin(&r.w, 'I');
	msgwrite_end(&r.w);
	session_console_reply(w, session, &r.b);
	rows_fini(&r);
}

static bool
console_may(enum console_permission p, bool can_admin, bool can_look)
{
	switch (p) {
	case CONSOLE_LOOK:
		return can_look || can_admin;
	case CONSOLE_ADMIN:
		return can_admin;
	case CONSOLE_DENY:
		break;
	}
	return false;
}

void
console_run(struct control *control, struct worker *w, uint64_t session,
    const char *sql, bool can_admin, bool can_look)
{
	struct console_call call = { .control = control, .w = w,
		.session = session };
	const struct console_command *command = NULL;

	switch (console_parse(sql, &command, &call.number)) {
	case PARSED_EMPTY:
		console_empty(w, session);
		return;
	case PARSED_WRONG:
		rows_error(w, session, "42601", "unknown console command",
		    NULL, CONSOLE_HINT);
		return;
	case PARSED_COMMAND:
		break;
	}
	if (!console_may(command->permission, can_admin, can_look)) {
		rows_error(w, session, "42501", "permission denied", NULL,
		    "This command is for users named in admin_users.");
		return;
	}
	if (command->permission == CONSOLE_ADMIN)
		log_info("console", "msg=\"command\" command=%s session=%llu",
		    log_escs(command->words), (unsigned long long)session);
	command->run(&call);
}

/* ------------------------------------------------------------ harmless */

void
console_set(struct console_call *call)
{
	console_done(call, "SET");
}

void
console_begin(struct console_call *call)
{
	console_done(call, "BEGIN");
}

void
console_commit(struct console_call *call)
{
	console_done(call, "COMMIT");
}

void
console_rollback(struct console_call *call)
{
	console_done(call, "ROLLBACK");
}

/* ------------------------------------------------------------ acting */

void
console_pause(struct console_call *call)
{
	pool_pause_all(true);
	console_done(call, "PAUSE");
}

void
console_resume(struct console_call *call)
{
	pool_pause_all(false);
	console_done(call, "RESUME");
}

void
console_reconnect(struct console_call *call)
{
	pool_reconnect_all();
	console_done(call, "RECONNECT");
}

void
console_flush(struct console_call *call)
{
	session_flush_cache(call->w);
	console_done(call, "FLUSH CACHE");
}

static void
console_kill_visit(struct tour *t, struct worker *w)
{
	if (t->found == 0 && session_kill(w, t->number))
		t->found = 1;
}

static void
console_kill_done(struct tour *t)
{
	if (t->found != 0)
		rows_reply(&t->rows, t->origin, t->session, "KILL_CLIENT");
	else
		rows_error(t->origin, t->session, "42704",
		    "no client has this id", NULL,
		    "SHOW CLIENTS lists the ids.");
}

void
console_kill(struct console_call *call)
{
	struct tour *t = tour_new(call->w, call->session);

	t->number = call->number;
	t->visit = console_kill_visit;
	t->done = console_kill_done;
	tour_start(t);
}

/* ------------------------------------------------------------ control */

struct console_order { /* for the control thread */
	struct control_message m;
	struct worker *w;
	uint64_t session;
};

static void
console_order(struct console_call *call,
    void (*run)(struct control *c, struct control_message *m))
{
	struct console_order *o = x_calloc(1, sizeof(*o));

	o->m.run = run;
	o->w = call->w;
	o->session = call->session;
	control_post(call->control, &o->m);
}

/* All diagnostics, a line each. */
static char *
console_diag_text(const struct conf_diag *d)
{
	size_t size = 1;
	char *text, *at;
	int i;

	for (i = 0; i < d->n; i++)
		size += strlen(d->msg[i]) + 1;
	at = text = x_malloc(size);
	for (i = 0; i < d->n; i++)
		at = stpcpy(stpcpy(at, i > 0 ? "\n" : ""), d->msg[i]);
	*at = '\0';
	return text;
}

static void
console_reload_done(struct tour *t)
{
	if (t->text == NULL)
		rows_reply(&t->rows, t->origin, t->session, "RELOAD");
	else
		rows_error(t->origin, t->session, "F0000",
		    "the configuration was not reloaded", t->text,
		    "The old configuration stays in force.");
}

/* Every worker has got the new configuration by message before the tour that
 * is started here reaches it: so when the answer is sent all of them use it. */
static void
console_reload_run(struct control *c, struct control_message *m)
{
	struct console_order *o = (struct console_order *)(void *)m;
	struct tour *t = tour_new(o->w, o->session);
	struct conf_diag d;

	if (!control_reload(c, &d))
		t->text = console_diag_text(&d);
	conf_diag_fini(&d);
	t->done = console_reload_done;
	tour_start(t);
	free(o);
}

void
console_reload(struct console_call *call)
{
	console_order(call, console_reload_run);
}

static void
console_shutdown_run(struct control *c, struct control_message *m)
{
	free(m);
	control_stop(c, false);
}

void
console_shutdown(struct console_call *call)
{
	console_done(call, "SHUTDOWN");
	console_order(call, console_shutdown_run);
}
