/* SPDX-License-Identifier: PostgreSQL
 *
 * Puts console and HTTP together for main.
 *
 * The only state is the one control thread and its HTTP server; set before
 * workers start, cleared after they have ended.  Ticks end earlier: they may
 * ask the connectors for servers.
 */
#include "admin/admin.h"

#include "admin/averages.h"
#include "admin/console.h"
#include "admin/http.h"
#include "admin/kept.h"
#include "admin/layouts.h"
#include "admin/takeover.h"
#include "admin/tour.h"
#include "admin/view.h"
#include "admin/wait.h"
#include "admin/watches.h"

static struct control *admin_control;
static struct http *admin_http;
static int admin_http_socket = -1;
static atomic_bool admin_closed;

void
admin_init(struct control *c, int http)
{
	admin_control = c;
	layouts_init(c);
	watches_init(c);
	view_init(c->n_workers);
	tour_init(c->workers, c->n_workers);
	wait_init(c->n_workers);
	averages_init(clock_mono());
	admin_http_socket = http;
	if (http >= 0)
		admin_http = http_new(c, http);
}

int
admin_http_fd(void)
{
	return admin_http_socket;
}

void
admin_close_http(void)
{
	admin_http_socket = -1;
	http_free(&admin_http);
}

void
admin_close(void)
{
	takeover_end();
	succession_end();
	http_free(&admin_http);
	atomic_store(&admin_closed, true);
}

void
admin_fini(void)
{
	kept_fini(admin_control);
	tour_fini();
	wait_fini();
	averages_fini();
	view_fini();
	layouts_fini();
	watches_fini();
	admin_control = NULL;
}

void
admin_tick(struct worker *w, nsec_t now)
{
	if (atomic_load_explicit(&admin_closed, memory_order_acquire))
		return;
	session_layer_tick(w, now);
	wait_tick(w);
	if (w->id == 0)
		averages_tick(now, session_conf(w)->stats_period);
	view_publish(w);
}

static void
admin_console(struct worker *w, uint64_t session, const char *sql,
    enum console_role role)
{
	console_run(admin_control, w, session, sql, role);
}

const struct session_console_ops admin_console_ops = {
	.run = admin_console,
	.describe = console_describe_command,
};
