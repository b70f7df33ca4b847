/* SPDX-License-Identifier: PostgreSQL
 *
 * pgsluicectl top: look at the console again and again, show what was between.
 *
 *   begin --> connect --> look --> wait --> look, show --> wait ...
 *               ^                             |
 *               +------ away, said so --------+
 *
 * That there is nobody, or no way in, at the begin is trouble; later it is
 * something to show.  On a terminal the page is drawn over, else it is a block for
 * each interval.
 */
#include "ctl/top.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/console.h"
#include "ctl/look.h"
#include "ctl/page.h"
#include "ctl/screen.h"
#include "ctl/trouble.h"

struct top {
	const struct ctl_options *o;
	struct dial dial;
	struct dial_idle idle;
	struct page page;
	struct look old, now;  /* now: the last one */
	bool has_now, has_old;
	bool drawn;            /* on a terminal */
	bool quit, lost;       /* as asked for; the output is gone */
	char where[200];
};

/* ---- what is shown ------------------------------------------------------------- */

static void
top_head(const struct top *t, struct buf *b)
{
	char line[400], when[32];
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(line, sizeof(line), "pgsluice at %s  %s  every %g s%s",
	    t->where, when, (double)t->o->interval / 1e9, t->drawn ?
	    "  q: quit" : "");
	page_line(&t->page, line, b);
}

static void
top_away(const struct top *t, struct buf *b)
{
	char line[DIAL_WHY + 80];

	snprintf(line, sizeof(line), "away: %s; trying again every %g s",
	    t->dial.why, (double)t->o->interval / 1e9);
	page_line(&t->page, line, b);
}

static void
top_body(struct top *t, struct buf *b)
{
	struct page rest = t->page;

	if (!t->has_now) {
		top_away(t, b);
	} else if (!t->has_old) {
		page_line(&t->page, "looking", b);
	} else {
		rest.lines -= rest.lines > 1;
		page_write(&rest, &t->old, &t->now, b);
	}
}

static void
top_show(struct top *t)
{
	struct buf b;

	if (t->drawn)
		screen_size(&t->page.width, &t->page.lines);
	buf_init(&b, PAGE_MAX);
	top_head(t, &b);
	top_body(t, &b);
	if (t->drawn) {
		t->lost = !screen_draw(&b);
	} else {
		fwrite(buf_head(&b), 1, buf_len(&b), stdout);
		putchar('\n');
		t->lost = fflush(stdout) != 0;
	}
	buf_reset(&b);
}

/* ---- waiting --------------------------------------------------------------------- */

static bool
top_idle(void *arg)
{
	struct top *t = arg;
	struct screen_news news = screen_look();

	t->quit |= news.quit;
	if (news.resized && !t->quit)
		top_show(t);
	return !t->quit && !t->lost;
}

static void
top_wait(struct top *t, nsec_t until)
{
	struct pollfd p = { .fd = t->drawn ? screen_fd() : -1,
		.events = POLLIN };
	nsec_t now;

	while (!t->quit && !t->lost && (now = clock_mono()) < until)
		if (poll(&p, 1, (int)((until - now) / NSEC_PER_MSEC) + 1) >
		    0 && !top_idle(t))
			break;
}

/* ---- looking ----------------------------------------------------------------------- */

static bool
top_open(struct top *t)
{
	const char *host;

	if (dial_is_open(&t->dial))
		return true;
	if (!dial_open(&t->dial, t->o, CONSOLE_DATABASE))
		return false;
	host = PQhost(t->dial.conn);
	snprintf(t->where, sizeof(t->where), "%s port %s", host,
	    PQport(t->dial.conn));
	return true;
}

/* Into now; what was there is old. false: away. */
static bool
top_look(struct top *t)
{
	struct look fresh;

	if (!top_open(t) || !look_take(&fresh, &t->dial)) {
		dial_close(&t->dial);
		if (t->has_now)
			look_fini(&t->now);
		t->has_now = false;
		return false;
	}
	if (t->has_old)
		look_fini(&t->old);
	t->has_old = t->has_now;
	t->old = t->now;
	t->now = fresh;
	t->has_now = true;
	return true;
}

static void
top_run(struct top *t)
{
	nsec_t next = clock_mono();
	uint64_t shown = 0;

	if (t->drawn)
		top_show(t);
	while (!t->quit && !t->lost && shown != t->o->count) {
		next += t->o->interval;
		if (next < clock_mono())
			next = clock_mono(); /* it could not keep up */
		top_wait(t, next);
		if (t->quit || t->lost)
			break;
		/* The first look after a while tells no difference. */
		if ((!top_look(t) || t->has_old) && !t->dial.given_up) {
			top_show(t);
			shown++;
		}
	}
}

/* ---- beginning and end -------------------------------------------------------------- */

static int
top_started(struct top *t)
{
	char why[200];

	if (screen_possible()) {
		if (!screen_open(why, sizeof(why)))
			return trouble("%s", why);
		t->drawn = true;
		t->idle = (struct dial_idle){ screen_fd(), top_idle, t };
		t->dial.idle = &t->idle;
	}
	top_run(t);
	if (t->drawn)
		screen_close();
	if (t->lost && !t->drawn)
		return trouble_of_output();
	return t->has_now || t->quit ? 0 : TROUBLE;
}

int
ctl_top(const struct ctl_options *o)
{
	struct top t = { .o = o };
	int status;

	if (!page_sort_of(o->sort, &t.page.sort))
		return trouble("unknown key: --sort %.80s, expected time, calls "
		    "or p99; see pgsluicectl --help", o->sort);
	if (top_look(&t))
		status = top_started(&t);
	else
		status = trouble("%s", t.dial.why);
	if (t.has_now)
		look_fini(&t.now);
	if (t.has_old)
		look_fini(&t.old);
	dial_fini(&t.dial);
	return status;
}
