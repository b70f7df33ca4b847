/* SPDX-License-Identifier: PostgreSQL
 *
 * Pins: why a session keeps its server, and how it comes free again.
 *
 *   statement sent --> pinned --(one sent that may end it, or a failure, a
 *                        ^        ROLLBACK since it was pinned)--> doubt
 *                        |                                          |
 *                   still there <--- row of booleans <--- asked <---/
 *                                          |           (transaction over)
 *                                          \--> not there: unpinned
 *
 * What a statement does is not followed: the server is asked whether the
 * state is there, unseen by the client, as it is for settings.  Only what is
 * in doubt is asked about, and only if then the server can come free: one
 * reason that PostgreSQL cannot tell of keeps it anyway.  An answer that does
 * not come (a timeout of the client's, a cancel) leaves the doubt to the end
 * of the next transaction.
 *
 * With temporary tables come their names, which hide routed tables of the same
 * name from the session (session.hidden) until it has none any more.
 *
 * Does not know of what begins or ends inside of functions.  Runs on the session's
 * worker.
 */
#include "base/log.h"
#include "pgwire/msgread.h"
#include "session/session_priv.h"

static const char *const questions[PIN_REASON_COUNT] = {
#define PIN_REASON(sym, name, doc, question) [PIN_##sym] = question,
#include "tbl/pin_reasons.h"
};

#define QUESTION_MAX 2048

void
session_pin(struct session *s, uint32_t pins)
{
	char text[PIN_TEXT_MAX];

	/* In a transaction that has failed nothing takes effect. */
	if (s->tx == 'E')
		pins &= ~PIN_BIT(PIN_PREPARE);
	s->pins_new |= pins;
	if ((pins & ~s->pins) == 0)
		return;
	if (s->pins == 0) {
		s->pins_doubt = 0;
		stat_add(&session_metrics(s)->c.pins, 1);
	}
	s->unread |= (pins & ~s->pins & PIN_BIT(PIN_UNPARSED)) != 0;
	s->pins |= pins;
	log_debug("session", "msg=pinned id=%llu reason=%s",
	    (unsigned long long)s->id, pin_reasons_text(s->pins, text));
}

void
session_unpin(struct session *s, uint32_t pins)
{
	char text[PIN_TEXT_MAX];

	if ((s->pins & pins) == 0)
		return;
	s->pins &= ~pins;
	s->pins_new &= s->pins;
	if (!(s->pins & PIN_BIT(PIN_TEMP)))
		s->hidden = 0;
	log_debug("session", "msg=unpinned id=%llu left=%s",
	    (unsigned long long)s->id, pin_reasons_text(s->pins, text));
}

void
session_note_pins(struct session *s, const struct analysis *an)
{
	uint64_t names = 0;

	session_pin(s, an->pins);
	s->pins_doubt |= an->ends;
	if (an->pins & PIN_BIT(PIN_TEMP))
		names = route_temp_names(s->db, an);
	if ((names & ~s->hidden) != 0)
		session_statements_outdated();
	s->hidden |= names;
}

void
session_note_rename(struct session *s)
{
	if (s->pins & PIN_BIT(PIN_TEMP))
		s->hidden = UINT64_MAX;
}

/* ---- asking -------------------------------------------------------------------------- */

/* Reasons that a server can be asked about. */
static uint32_t
pins_askable(void)
{
	uint32_t all = 0;
	unsigned r;

	for (r = 0; r < PIN_REASON_COUNT; r++)
		if (questions[r] != NULL)
			all |= PIN_BIT(r);
	return all;
}

static void
pins_question(uint32_t ask, char sql[QUESTION_MAX])
{
	const char *before = "SELECT ";
	char *p = sql;
	unsigned r;

	for (r = 0; r < PIN_REASON_COUNT; r++) {
		if (!(ask & PIN_BIT(r)))
			continue;
		CHECK(strlen(before) + strlen(questions[r]) <
		    (size_t)(sql + QUESTION_MAX - p));
		p = stpcpy(stpcpy(p, before), questions[r]);
		before = ",";
	}
}

bool
session_ask_pins(struct session *s)
{
	uint32_t ask = s->pins & s->pins_doubt;
	char sql[QUESTION_MAX];

	s->pins_new = 0;
	if (s->pins_asked != 0) { /* it could not tell */
		s->pins_doubt |= s->pins_asked;
		s->pins_asked = 0;
		return false;
	}
	if (ask == 0 || (s->pins & ~pins_askable()) != 0 ||
	    s->db->pool_mode != POOL_MODE_TRANSACTION)
		return false;
	s->pins_doubt = 0;
	s->pins_asked = ask;
	pins_question(ask, sql);
	session_ask(s, slice_str(sql));
	return true;
}

void
session_pins_answer(struct session *s, const char *row, size_t n)
{
	uint32_t asked = s->pins_asked, over = 0;
	struct msgread r;
	struct slice v;
	unsigned i;
	bool null;

	if (asked == 0)
		return;
	msgread_init(&r, row, n);
	(void)msgread_u16(&r);
	for (i = 0; i < PIN_REASON_COUNT; i++) {
		if (!(asked & PIN_BIT(i)))
			continue;
		v = msgread_value(&r, &null);
		if (!r.error && !null && slice_eq_str(v, "f"))
			over |= PIN_BIT(i);
	}
	if (!msgread_done(&r))
		return;
	s->pins_asked = 0;
	/* Not what has been sent behind the question. */
	over &= ~s->pins_new;
	if (over != 0)
		session_unpin(s, over);
}
