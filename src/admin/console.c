/* SPDX-License-Identifier: PostgreSQL
 *
 * Console commands: running one, and those that are for the control thread.
 *
 * Those that show are in show.c and show_conf.c, those that steer traffic in
 * act.c.  Runs on the worker of the
 * session that asked; what belongs to the control thread is asked of it by
 * message.  Every call is answered exactly once.
 */
#include "admin/console.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/asker.h"
#include "admin/tour.h"
#include "base/log.h"

/* ------------------------------------------------------------ answering */

void
console_rows(const struct console_call *call, struct rows *r)
{
	rows_init(r);
	rows_columns(r, call->line->command->columns);
}

void
console_done(const struct console_call *call, const char *tag)
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
	asker_reply(w, session, &r.b);
	rows_fini(&r);
}

static void
console_refuse(struct worker *w, uint64_t session,
    const struct command_refusal *why)
{
	rows_error(w, session, why->sqlstate, why->message, NULL, why->hint);
}

bool
console_describe_command(const char *sql, struct buf *out)
{
	const struct command_refusal *why;
	struct command_line line;
	enum command_verdict v = command_parse(&line, sql);
	struct msgwrite w;
	struct rows r;

	if (v != COMMAND_FITS && v != COMMAND_EMPTY) {
		why = command_refusal(v);
		msgwrite_init(&w, out);
		msgwrite_error(&w, "ERROR", why->sqlstate, why->message, NULL,
		    why->hint);
		return false;
	}
	if (v == COMMAND_EMPTY || line.command->columns[0] == '\0')
		return true;
	rows_init(&r);
	rows_columns(&r, line.command->columns);
	CHECK(buf_append(out, buf_head(&r.b), buf_len(&r.b)));
	rows_fini(&r);
	return true;
}

static void
console_forbid(struct worker *w, uint64_t session, const struct command *c)
{
	char hint[160];

	if (c->permission == COMMAND_DENY)
		snprintf(hint, sizeof(hint), "Nobody may run this command.");
	else
		snprintf(hint, sizeof(hint), "This command needs the role "
		    "\"%s\" or a higher one: see the setting %s.",
		    command_permission_name(c->permission),
		    command_permission_setting(c->permission));
	rows_error(w, session, "42501", "permission denied", NULL, hint);
}

void
console_run(struct control *control, struct worker *w, uint64_t session,
    const char *sql, enum console_role role)
{
	struct command_line line;
	struct console_call call = { .control = control, .w = w,
		.session = session, .line = &line };
	enum command_verdict v = command_parse(&line, sql);

	if (v == COMMAND_EMPTY) {
		console_empty(w, session);
		return;
	}
	if (v != COMMAND_FITS) {
		console_refuse(w, session, command_refusal(v));
		return;
	}
	if (!command_may(role, line.command->permission)) {
		console_forbid(w, session, line.command);
		return;
	}
	if (line.command->permission != COMMAND_READ)
		log_info("console", "msg=\"command\" command=%s name=%s "
		    "session=%llu", log_escs(line.command->words),
		    log_escs(line.name != NULL ? line.name : ""),
		    (unsigned long long)session);
	line.command->run(&call);
}

void
console_absent(struct console_call *call)
{
	const struct command *c = call->line->command;
	char text[100];

	snprintf(text, sizeof(text), "%s is not supported", c->words);
	rows_error(call->w, call->session, "0A000", text, c->help, NULL);
}

/* ------------------------------------------------------------ harmless */

void
console_set_ignored(struct console_call *call)
{
	console_done(call, "SET");
}

void
console_begin(struct console_call *call)
{
	console_done(call, "BEGIN");
}

void
console_start(struct console_call *call)
{
	console_done(call, "START TRANSACTION");
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

void
console_reset(struct console_call *call)
{
	console_done(call, "RESET");
}

void
console_discard(struct console_call *call)
{
	console_done(call, "DISCARD ALL");
}

/* ------------------------------------------------------------ control */

struct console_order { /* for the control thread */
	struct control_message m;
	struct worker *w;
	uint64_t session;
	enum control_stop stop; /* of SHUTDOWN */
	const char *setting;    /* of SET */
	char value[];           /* of SET */
};

static void
console_order(struct console_call *call,
    void (*run)(struct control *c, struct control_message *m),
    enum control_stop stop, const char *setting)
{
	size_t n = strlen(call->line->value) + 1;
	struct console_order *o = x_calloc(1, sizeof(*o) + n);

	o->m.run = run;
	o->w = call->w;
	o->session = call->session;
	o->stop = stop;
	o->setting = setting;
	memcpy(o->value, call->line->value, n);
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

/* A NOTICE for every change, before the tag. */
static void
console_notice(void *arg, const char *line)
{
	struct tour *t = arg;

	msgwrite_notice(&t->rows.w, "NOTICE", "00000", line);
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

	if (!control_reload(c, &d, console_notice, t))
		t->text = console_diag_text(&d);
	conf_diag_fini(&d);
	t->done = console_reload_done;
	tour_start(t);
	free(o);
}

void
console_reload(struct console_call *call)
{
	console_order(call, console_reload_run, STOP_CLIENTS, NULL);
}

/* ------------------------------------------------------------ SET */

static void
console_set_done(struct tour *t)
{
	if (t->text == NULL)
		rows_reply(&t->rows, t->origin, t->session, "SET");
	else
		rows_error(t->origin, t->session, "22023",
		    "the setting was not changed", t->text,
		    "SHOW CONFIG shows the settings in force.");
}

static void
console_set_run(struct control *c, struct control_message *m)
{
	struct console_order *o = (struct console_order *)(void *)m;
	struct tour *t = tour_new(o->w, o->session);
	struct conf_diag d;

	if (!control_set(c, o->setting, o->value, &d, console_notice, t))
		t->text = console_diag_text(&d);
	conf_diag_fini(&d);
	t->done = console_set_done;
	tour_start(t);
	free(o);
}

void
console_set(struct console_call *call)
{
	bool reloadable = false;
	const char *name = conf_setting_name(call->line->name, &reloadable);
	char text[160];

	CHECK(name != NULL);
	if (reloadable) {
		console_order(call, console_set_run, STOP_CLIENTS, name);
		return;
	}
	snprintf(text, sizeof(text), "setting \"%s\" cannot be changed "
	    "without a restart", name);
	rows_error(call->w, call->session, "55P02", text, NULL,
	    "Change it in the configuration file and restart.");
}

/* ------------------------------------------------------------ SHUTDOWN */

static void
console_shutdown_run(struct control *c, struct control_message *m)
{
	struct console_order *o = (struct console_order *)(void *)m;

	control_stop(c, o->stop);
	free(o);
}

static void
console_stop(struct console_call *call, enum control_stop how)
{
	console_done(call, "SHUTDOWN");
	console_order(call, console_shutdown_run, how, NULL);
}

void
console_shutdown(struct console_call *call)
{
	console_stop(call, STOP_DRAIN);
}

void
console_shutdown_servers(struct console_call *call)
{
	console_stop(call, STOP_SERVERS);
}

void
console_shutdown_clients(struct console_call *call)
{
	console_stop(call, STOP_CLIENTS);
}
