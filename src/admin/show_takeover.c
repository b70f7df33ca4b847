/* SPDX-License-Identifier: PostgreSQL
 *
 * TAKEOVER and SHOW TAKEOVER.
 *
 * Runs on the worker of the session that asked.
 */
#include <stdio.h>
#include <stdlib.h>

#include "admin/console.h"
#include "admin/takeover.h"

struct takeover_order { /* for the control thread */
	struct control_message m;
	struct worker *w;
	uint64_t session;
};

static void
takeover_order_run(struct control *c, struct control_message *m)
{
	struct takeover_order *o = (struct takeover_order *)(void *)m;

	takeover_start(c, o->w, o->session);
	free(o);
}

void
console_takeover(struct console_call *call)
{
	struct takeover_order *o = x_calloc(1, sizeof(*o));

	o->m.run = takeover_order_run;
	o->w = call->w;
	o->session = call->session;
	control_post(call->control, &o->m);
}

static void
show_takeover_number(struct rows *r, const char *key, uint64_t v)
{
	struct row row = { .n = 0 };

	row_str(&row, key);
	row_u64(&row, v);
	rows_add(r, &row);
}

static void
show_takeover_text(struct rows *r, const char *key, const char *v)
{
	struct row row = { .n = 0 };

	row_str(&row, key);
	row_str(&row, v);
	rows_add(r, &row);
}

void
console_show_takeover(struct console_call *call)
{
	struct succession_info before;
	struct takeover_info after;
	char key[64];
	struct rows r;
	unsigned i;

	succession_info(&before);
	takeover_info(&after);
	console_rows(call, &r);
	show_takeover_number(&r, "before_pid", (uint64_t)before.pid);
	show_takeover_text(&r, "before", before.pid == 0 ? "none" :
	    before.open ? "hands over" : "has ended");
	show_takeover_number(&r, "clients_taken", before.came);
	show_takeover_number(&r, "clients_refused", before.refused);
	show_takeover_number(&r, "results_taken", before.results);
	for (i = 0; i < STAY_REASON_COUNT; i++) {
		snprintf(key, sizeof(key), "before_closed_%s",
		    session_stay_name((enum stay_reason)i));
		show_takeover_number(&r, key, before.stayed[i]);
	}
	show_takeover_text(&r, "after", after.under_way ? "starts" : "none");
	show_takeover_number(&r, "failures", after.failures);
	show_takeover_text(&r, "last_failure", after.why);
	rows_reply(&r, call->w, call->session, "SHOW");
}
