/* SPDX-License-Identifier: PostgreSQL
 *
 * What a session does with messages in each of its states, as the table
 * tbl/session_states.h says, and how bytes become units.  The session is a
 * shell: closing, running a unit and sending to a server are noted, not done.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session/input.c"
#include "wire_util.h"

#define MESSAGE_MAX 100000

static struct session s;
static struct server server;
static struct conf conf;
static struct worker worker;
static struct session_worker shared = { .w = &worker,
	.setup.conf = &conf };
static struct stream_ops no_ops;

static int closed; /* reason, or -1 */
static char detail_text[128];
static char units[8192]; /* type of the first message of each */
static size_t n_units, unit_bytes, unit_max;
static size_t sent;      /* bytes to the server */
static enum unit_result answer;

void
session_close(struct session *session, enum close_reason why,
    const char *detail)
{
	assert_ptr_equal(session, &s);
	assert_int_equal(closed, -1);
	closed = (int)why;
	snprintf(detail_text, sizeof(detail_text), "%s",
	    detail != NULL ? detail : "");
	s.state = SESSION_CLOSED;
}

enum unit_result
session_unit(struct session *session, struct unit *u)
{
	assert_ptr_equal(session, &s);
	assert_true(n_units < sizeof(units) - 1);
	units[n_units++] = u->first;
	unit_bytes += u->n;
	if (u->n > unit_max)
		unit_max = u->n;
	return answer;
}

bool
server_send(struct server *srv, const struct iovec *iov, int n)
{
	assert_ptr_equal(srv, &server);
	for (int i = 0; i < n; i++)
		sent += iov[i].iov_len;
	return true;
}

void
query_forget(struct session *session)
{
	assert_ptr_equal(session, &s);
}

/* No setting asks for statements to be followed. */
void
trail_begin(struct session *session PG_UNUSED,
    const struct unit *u PG_UNUSED)
{
	fail();
}

void
trail_end(struct session *session PG_UNUSED, nsec_t now PG_UNUSED)
{
	fail();
}

size_t
spread_input(struct session *session, const char *p PG_UNUSED, size_t n)
{
	assert_ptr_equal(session, &s);
	sent += n;
	return n;
}

static void
start(enum session_state state, bool copy)
{
	memset(&s, 0, sizeof(s));
	memset(&server, 0, sizeof(server));
	memset(units, 0, sizeof(units));
	s.magic = SESSION_MAGIC;
	s.state = state;
	s.conf = &conf;
	s.sw = &shared;
	s.st.fd = -1;
	s.st.ops = &no_ops;
	conf.max_message_size = MESSAGE_MAX;
	server.owed.copy_in = copy;
	if (state == SESSION_RELAY || copy)
		s.server = &server;
	server.owed.count = state == SESSION_RELAY;
	closed = -1;
	n_units = unit_bytes = unit_max = sent = 0;
	answer = UNIT_DONE;
}

/* ---- the table ------------------------------------------------------------- */

static const char *const legal[SESSION_STATE_COUNT] = {
#define SESSION_STATE(sym, name, messages, server, doc) messages,
#include "tbl/session_states.h"
};

/* A good message of this type. */
static void
good_message(struct wire *m, int type)
{
	wire_start(m);
	switch (type) {
	case 'P':
		wire_parse(m, "", "select 1");
		break;
	case 'B':
		wire_bind(m, "", "");
		break;
	case 'D':
	case 'C':
		wire_target(m, (char)type, 'S', "");
		break;
	case 'E':
		wire_execute(m, "", 0);
		break;
	case 'Q':
	case 'f':
		wire_raw(m, (char)type, "x", 2);
		break;
	case 'd':
		wire_raw(m, 'd', "data", 4);
		break;
	case 0:
		assert_true(buf_append(&m->b, "\0\0\0\0\4", 5));
		break;
	default:
		wire_raw(m, (char)type, "", 0);
		break;
	}
}

static void
check_message(enum session_state state, int type, bool copy)
{
	bool part = type != 0 && strchr("PBDEC", type) != NULL;
	struct wire m;
	size_t used, n;

	start(state, copy);
	if (type != 'X')
		server.owed.count = 0;
	good_message(&m, type);
	if (part)
		wire_sync(&m);
	n = buf_len(&m.b);
	used = session_input(&s, buf_head(&m.b), n);
	if (legal[state] == NULL) {
		/* Kept until the state changes. */
		assert_int_equal(used, 0);
		assert_int_equal(closed, -1);
		assert_int_equal(n_units, 0);
	} else if (type == 0 || strchr(legal[state], type) == NULL) {
		assert_int_equal(used, n);
		assert_int_equal(closed, CLOSE_PROTOCOL);
		assert_int_equal(n_units, 0);
		assert_non_null(strstr(detail_text, "type"));
	} else if (type == 'X' && state == SESSION_RELAY && !copy) {
		/* What came before it is done first. */
		assert_int_equal(closed, -1);
		assert_true(s.leaving);
	} else if (type == 'X') {
		assert_int_equal(closed, CLOSE_TERMINATE);
	} else if (copy && strchr("QPBDECF", type) != NULL) {
		/* The server would take it for COPY data. */
		assert_int_equal(closed, CLOSE_PROTOCOL);
		assert_int_equal(n_units, 0);
	} else if (strchr("dcf", type) != NULL) {
		assert_int_equal(used, n);
		assert_int_equal(sent, copy ? n : 0);
		assert_int_equal(n_units, 0);
		assert_int_equal(closed, -1);
	} else {
		assert_int_equal(used, n);
		assert_int_equal(n_units, 1);
		assert_int_equal(units[0], type);
		assert_int_equal(unit_bytes, n);
		assert_int_equal(closed, -1);
	}
	buf_reset(&m.b);
}

static void
test_every_state_and_message(void **state PG_UNUSED)
{
	static const enum session_state logged_in[] = { SESSION_WELCOME,
		SESSION_IDLE, SESSION_LOOKUP, SESSION_FILL_WAIT,
		SESSION_SERVER_WAIT, SESSION_RELAY, SESSION_CONSOLE };

	for (size_t i = 0; i < ARRAY_SIZE(logged_in); i++)
		for (int type = 0; type < 256; type++)
			check_message(logged_in[i], type, false);
	for (int type = 0; type < 256; type++) {
		check_message(SESSION_RELAY, type, true);
		check_message(SESSION_IDLE, type, true);
	}
}

/* Nothing is on its way, though no Sync was sent: nothing to wait for. */
static void
test_goodbye_in_an_open_unit(void **state PG_UNUSED)
{
	start(SESSION_RELAY, false);
	server.owed.count = 0;
	s.open_unit = true;
	assert_int_equal(session_input(&s, "X\0\0\0\4", 5), 5);
	assert_int_equal(closed, CLOSE_TERMINATE);
	start(SESSION_RELAY, false);
	s.open_unit = true;
	assert_int_equal(session_input(&s, "X\0\0\0\4", 5), 0);
	assert_int_equal(closed, -1);
	assert_true(s.leaving);
	/* A Flush, for the replies to come. */
	assert_int_equal(sent, 5);
}

/* Closed is closed: whatever comes is used up. */
static void
test_closed(void **state PG_UNUSED)
{
	start(SESSION_CLOSED, false);
	assert_int_equal(session_input(&s, "Q\0\0\0\5\0", 6), 6);
	assert_int_equal(n_units, 0);
}

/* ---- lengths ----------------------------------------------------------------- */

static void
test_lengths(void **state PG_UNUSED)
{
	static const struct {
		uint32_t len;
		int closed;
	} lengths[] = {
		{ 0, CLOSE_MESSAGE_SIZE }, { 3, CLOSE_MESSAGE_SIZE },
		{ MESSAGE_MAX + 4, -1 },
		{ MESSAGE_MAX + 5, CLOSE_MESSAGE_SIZE },
		{ 0x7fffffff, CLOSE_MESSAGE_SIZE },
		{ 0x80000000, CLOSE_MESSAGE_SIZE },
		{ 0xffffffff, CLOSE_MESSAGE_SIZE },
	};
	static const char types[] = "QPBDECSHFdcf";
	char p[5];

	for (size_t t = 0; t < sizeof(types) - 1; t++)
		for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
			start(SESSION_IDLE, false);
			p[0] = types[t];
			wire_put_u32(p + 1, lengths[i].len);
			(void)session_input(&s, p, 5);
			assert_int_equal(closed, lengths[i].closed);
			assert_int_equal(n_units, 0);
		}
}

/* ---- pieces ------------------------------------------------------------------- */

static void
compose_script(struct wire *m)
{
	wire_start(m);
	wire_raw(m, 'Q', "select 1", 9);
	wire_parse(m, "s", "select 2");
	wire_bind(m, "", "s");
	wire_target(m, 'D', 'P', "");
	wire_execute(m, "", 0);
	wire_sync(m);
	wire_bind(m, "", "s");
	wire_raw(m, 'H', "", 0);
	/* A part without an end, and a message that is no part of it. */
	wire_parse(m, "", "select 3");
	wire_raw(m, 'Q', "select 4", 9);
	wire_raw(m, 'F', "function", 8);
	wire_sync(m);
	wire_sync(m);
	assert_false(m->w.failed);
}

/* As session_read() does it: what is not used stays, and nothing is looked at
 * before `need` bytes are there. step 0: all at once. Returns what is left. */
static size_t
feed(const char *p, size_t n, size_t step)
{
	struct buf in;
	size_t used, k;

	buf_init(&in, 1 << 24);
	while (n > 0 && closed < 0) {
		k = step == 0 || step > n ? n : step;
		assert_true(buf_append(&in, p, k));
		p += k;
		n -= k;
		while (buf_len(&in) > 0 && buf_len(&in) >= s.need) {
			s.need = 0;
			used = session_input(&s, buf_head(&in),
			    buf_len(&in));
			assert_true(used <= buf_len(&in));
			buf_consume(&in, used);
			if (used == 0)
				break;
		}
	}
	k = buf_len(&in);
	buf_reset(&in);
	return k;
}

static void
test_units_do_not_depend_on_the_pieces(void **state PG_UNUSED)
{
	struct wire m;

	compose_script(&m);
	for (size_t step = 0; step <= buf_len(&m.b); step++) {
		start(SESSION_IDLE, false);
		assert_int_equal(feed(buf_head(&m.b), buf_len(&m.b), step),
		    0);
		assert_int_equal(closed, -1);
		assert_string_equal(units, "QPBPQFSS");
		assert_int_equal(unit_bytes, buf_len(&m.b));
	}
	buf_reset(&m.b);
}

/* A unit that waits is offered again, whole, and what is behind it is not. */
static void
test_unit_that_waits(void **state PG_UNUSED)
{
	struct wire m;
	size_t first;

	wire_start(&m);
	wire_bind(&m, "", "s");
	wire_sync(&m);
	first = buf_len(&m.b);
	wire_raw(&m, 'Q', "x", 2);
	start(SESSION_IDLE, false);
	answer = UNIT_WAIT;
	assert_int_equal(session_input(&s, buf_head(&m.b), buf_len(&m.b)), 0);
	assert_string_equal(units, "B");
	assert_int_equal(s.unit_len, first);
	assert_int_equal(s.unit_last, 'S');
	answer = UNIT_DONE;
	assert_int_equal(session_input(&s, buf_head(&m.b), buf_len(&m.b)),
	    buf_len(&m.b));
	assert_string_equal(units, "BBQ");
	assert_int_equal(s.unit_len, 0);
	buf_reset(&m.b);
}

/* ---- long messages ------------------------------------------------------------ */

#define LONG_BODY (3 * UNIT_SPLIT)

/* A Bind, Query or FunctionCall that is long, and a Sync. Returns its size. */
static size_t
long_message(struct wire *m, char type)
{
	static char value[LONG_BODY];

	wire_start(m);
	memset(value, 'x', sizeof(value));
	if (type == 'B')
		/* No names, no formats, one value, which is not whole. */
		memcpy(value, "\0\0\0\0\0\1\7\0\0\0", 10);
	wire_raw(m, type, value, sizeof(value));
	wire_sync(m);
	assert_false(m->w.failed);
	return buf_len(&m->b) - 5;
}

static void
start_long(enum unit_result first)
{
	start(SESSION_IDLE, false);
	conf.max_message_size = 1 << 30;
	conf.max_prepared_bytes = 1 << 20;
	conf.max_statement_size = 1000;
	answer = first;
}

/* What is refused goes to nowhere, however it is cut. */
static void
test_long_message_refused(void **state PG_UNUSED)
{
	static const char types[] = "BQF";
	struct wire m;
	size_t steps[] = { 0, 1000, 70000, UNIT_SPLIT, UNIT_SPLIT + 1 };

	for (size_t t = 0; t < sizeof(types) - 1; t++) {
		(void)long_message(&m, types[t]);
		for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
			start_long(UNIT_DONE);
			assert_int_equal(feed(buf_head(&m.b),
			    buf_len(&m.b), steps[i]), 0);
			assert_int_equal(closed, -1);
			assert_int_equal(n_units, 2);
			assert_int_equal(units[1], 'S');
			assert_int_equal(sent, 0);
			if (steps[i] != 0 || types[t] == 'B')
				assert_int_equal(unit_max, UNIT_SPLIT);
		}
		buf_reset(&m.b);
	}
}

/* While it waits it may come to be there whole, and is cut in the same place. */
static void
test_long_message_that_waits(void **state PG_UNUSED)
{
	struct wire m;
	size_t n = long_message(&m, 'B');

	start_long(UNIT_WAIT);
	assert_int_equal(session_input(&s, buf_head(&m.b), UNIT_SPLIT), 0);
	assert_int_equal(s.unit_len, UNIT_SPLIT);
	assert_int_equal(session_input(&s, buf_head(&m.b), n), 0);
	assert_int_equal(s.unit_len, UNIT_SPLIT);
	assert_int_equal(s.body_left, 0);
	answer = UNIT_DONE;
	assert_int_equal(session_input(&s, buf_head(&m.b), n - 1), n - 1);
	assert_int_equal(s.body_left, 1);
	assert_true(s.body_drop);
	buf_reset(&m.b);
}

static void
test_long_message_too_long(void **state PG_UNUSED)
{
	static const struct {
		char type;
		uint32_t len;
		int closed;
	} known[] = {
		{ 'Q', 1 << 29, -1 }, { 'B', 1 << 29, -1 },
		{ 'F', 1 << 29, -1 }, { 'P', 1 << 20, -1 },
		{ 'P', (1 << 20) + 5, CLOSE_PREPARED_MEMORY },
		{ 'D', 1 << 20, CLOSE_PROTOCOL },
		{ 'S', 1 << 20, CLOSE_PROTOCOL },
		{ 'f', 1 << 20, CLOSE_PROTOCOL },
	};
	char p[5];

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		start_long(UNIT_DONE);
		p[0] = known[i].type;
		wire_put_u32(p + 1, known[i].len);
		(void)session_input(&s, p, 5);
		assert_int_equal(closed, known[i].closed);
	}
	/* The console has no use for any. */
	start_long(UNIT_DONE);
	s.console = (struct console *)(void *)&s;
	(void)session_input(&s, "Q\0\377\0\0", 5);
	assert_int_equal(closed, CLOSE_PROTOCOL);
}

/* ---- parts ---------------------------------------------------------------------- */

/* Never more than so much in one part, however long the client goes on. */
static void
test_endless_unit_is_split(void **state PG_UNUSED)
{
	struct wire m;

	wire_start(&m);
	while (buf_len(&m.b) < 4 * UNIT_SPLIT)
		wire_target(&m, 'C', 'P', "a portal of no importance");
	assert_false(m.w.failed);
	start(SESSION_IDLE, false);
	assert_true(feed(buf_head(&m.b), buf_len(&m.b) - 1, 4096) <=
	    UNIT_SPLIT);
	assert_int_equal(closed, -1);
	assert_true(n_units >= 3);
	assert_true(unit_max <= UNIT_SPLIT + 100);
	buf_reset(&m.b);
}

static void
test_malformed_message(void **state PG_UNUSED)
{
	start(SESSION_IDLE, false);
	(void)session_input(&s, "E\0\0\0\5x", 6);
	assert_int_equal(closed, -1);
	start(SESSION_IDLE, false);
	(void)session_input(&s, "E\0\0\0\5xS\0\0\0\4", 11);
	assert_int_equal(closed, CLOSE_PROTOCOL);
	assert_string_equal(detail_text, "malformed message");
}

/* ---- COPY ---------------------------------------------------------------------- */

static void
test_copy_streams_in_pieces(void **state PG_UNUSED)
{
	char body[5000];
	struct wire m;

	memset(body, 'd', sizeof(body));
	wire_start(&m);
	for (size_t i = 0; i < 20; i++)
		wire_raw(&m, 'd', body, i * 263);
	wire_raw(&m, 'c', "", 0);
	for (size_t step = 1; step < 6000; step = step * 3 + 1) {
		start(SESSION_RELAY, true);
		assert_int_equal(feed(buf_head(&m.b), buf_len(&m.b), step),
		    0);
		assert_int_equal(closed, -1);
		assert_int_equal(sent, buf_len(&m.b));
		assert_int_equal(n_units, 0);
		assert_int_equal(s.body_left, 0);
	}
	buf_reset(&m.b);
}

/* Sent ahead of the server's invitation: kept until it comes, and behind the
 * end of the data Sync counts again. */
static void
test_copy_ahead_of_time(void **state PG_UNUSED)
{
	struct wire m;
	size_t n;

	wire_start(&m);
	wire_raw(&m, 'd', "data", 4);
	wire_raw(&m, 'c', "", 0);
	n = buf_len(&m.b);
	start(SESSION_RELAY, false);
	server.owed.count = 1;
	assert_int_equal(session_input(&s, buf_head(&m.b), n), 0);
	assert_int_equal(sent, 0);
	/* Without a Sync before it the server is asked to speak, once. */
	s.open_unit = true;
	s.flushed = false;
	assert_int_equal(session_input(&s, buf_head(&m.b), n), 0);
	assert_int_equal(session_input(&s, buf_head(&m.b), n), 0);
	assert_int_equal(sent, 5);
	sent = 0;
	server.owed.copy_in = true;
	assert_int_equal(session_input(&s, buf_head(&m.b), n), n);
	assert_int_equal(sent, n);
	assert_false(server.owed.copy_in);
	assert_int_equal(closed, -1);
	buf_reset(&m.b);
}

/* Nobody waits for them (any more): they go nowhere, and the next is heard. */
static void
test_copy_that_nobody_wants(void **state PG_UNUSED)
{
	char body[5000];
	struct wire m;

	memset(body, 'd', sizeof(body));
	wire_start(&m);
	for (size_t i = 0; i < 20; i++)
		wire_raw(&m, 'd', body, i * 263);
	wire_raw(&m, 'f', "no", 3);
	wire_raw(&m, 'Q', "x", 2);
	for (size_t step = 1; step < 6000; step = step * 3 + 1) {
		start(SESSION_IDLE, false);
		assert_int_equal(feed(buf_head(&m.b), buf_len(&m.b), step),
		    0);
		assert_int_equal(closed, -1);
		assert_int_equal(sent, 0);
		assert_string_equal(units, "Q");
	}
	buf_reset(&m.b);
}

/* The server gives up in the middle of a CopyData: it has read its header, so
 * the rest of that one must still reach it. */
static void
test_copy_given_up_in_the_middle(void **state PG_UNUSED)
{
	char body[1000];
	struct wire m;
	size_t n;

	memset(body, 'd', sizeof(body));
	wire_start(&m);
	wire_raw(&m, 'd', body, sizeof(body));
	n = buf_len(&m.b);
	wire_raw(&m, 'd', body, sizeof(body));
	start(SESSION_RELAY, true);
	assert_int_equal(session_input(&s, buf_head(&m.b), 100), 100);
	server.owed.copy_in = false;
	server.owed.count = 0;
	assert_int_equal(session_input(&s, buf_head(&m.b) + 100,
	    buf_len(&m.b) - 100), buf_len(&m.b) - 100);
	assert_int_equal(sent, n);
	buf_reset(&m.b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_state_and_message),
		cmocka_unit_test(test_goodbye_in_an_open_unit),
		cmocka_unit_test(test_closed),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_units_do_not_depend_on_the_pieces),
		cmocka_unit_test(test_unit_that_waits),
		cmocka_unit_test(test_long_message_refused),
		cmocka_unit_test(test_long_message_that_waits),
		cmocka_unit_test(test_long_message_too_long),
		cmocka_unit_test(test_endless_unit_is_split),
		cmocka_unit_test(test_malformed_message),
		cmocka_unit_test(test_copy_streams_in_pieces),
		cmocka_unit_test(test_copy_ahead_of_time),
		cmocka_unit_test(test_copy_that_nobody_wants),
		cmocka_unit_test(test_copy_given_up_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
