/* SPDX-License-Identifier: PostgreSQL
 *
 * Workers: order of the mailbox, many senders, messages that send messages,
 * what is put off to the end of a turn, the tick, and the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sched.h>
#include <unistd.h>

#include "run/worker.h"

#define STACK (256 * 1024)
#define SENDERS 4
#define EACH 5000

static atomic_uint ticks;

static void
count_tick(struct worker *w, nsec_t now)
{
	assert_true(now > 0);
	assert_true(pthread_equal(w->thread, pthread_self()));
	atomic_fetch_add(&ticks, 1);
}

static void
stop_run(struct worker *w, struct message *m)
{
	free(m);
	worker_stop(w);
}

static void
post(struct worker *w, void (*run)(struct worker *, struct message *))
{
	struct message *m = x_calloc(1, sizeof(*m));

	m->run = run;
	worker_post(w, m);
}

static void
end(struct worker **w)
{
	post(*w, stop_run);
	worker_join(*w);
	worker_free(w);
	assert_null(*w);
}

/* ---- mailbox -------------------------------------------------------------- */

struct numbered {
	struct message m;
	unsigned sender, number;
};

/* Written by the worker, read when it has ended. */
static unsigned next_of[SENDERS];
static unsigned wrong, received;

static void
numbered_run(struct worker *w, struct message *m)
{
	struct numbered *n = (struct numbered *)(void *)m;

	if (!pthread_equal(w->thread, pthread_self()) ||
	    n->number != next_of[n->sender])
		wrong++;
	next_of[n->sender] = n->number + 1;
	received++;
	free(n);
}

struct sender {
	struct worker *w;
	unsigned id;
};

static void *
send_many(void *arg)
{
	struct sender *s = arg;

	for (unsigned i = 0; i < EACH; i++) {
		struct numbered *n = x_calloc(1, sizeof(*n));

		n->m.run = numbered_run;
		n->sender = s->id;
		n->number = i;
		worker_post(s->w, &n->m);
		if (i % 997 == 0)
			sched_yield();
	}
	return NULL;
}

static void
begin_numbers(void)
{
	memset(next_of, 0, sizeof(next_of));
	wrong = received = 0;
}

static void
test_many_senders_keep_their_order(void **state PG_UNUSED)
{
	struct worker *w = worker_new(3);
	struct sender s[SENDERS];
	pthread_t t[SENDERS];

	begin_numbers();
	assert_int_equal(w->id, 3);
	worker_start(w, STACK, count_tick);
	for (unsigned i = 0; i < SENDERS; i++) {
		s[i] = (struct sender){ w, i };
		assert_int_equal(pthread_create(&t[i], NULL, send_many,
		    &s[i]), 0);
	}
	for (unsigned i = 0; i < SENDERS; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	end(&w);
	assert_int_equal(received, SENDERS * EACH);
	assert_int_equal(wrong, 0);
}

/* What was posted before the thread started is not lost. */
static void
test_posted_before_the_start(void **state PG_UNUSED)
{
	struct worker *w = worker_new(0);
	struct sender s = { w, 0 };

	begin_numbers();
	send_many(&s);
	assert_int_equal(received, 0);
	worker_start(w, STACK, count_tick);
	end(&w);
	assert_int_equal(received, EACH);
	assert_int_equal(wrong, 0);
}

/* What nobody will run any more is freed. */
static void
test_posted_after_the_end(void **state PG_UNUSED)
{
	struct worker *w = worker_new(0);
	struct sender s = { w, 0 };

	begin_numbers();
	worker_start(w, STACK, count_tick);
	post(w, stop_run);
	worker_join(w);
	send_many(&s);
	worker_free(&w);
	worker_free(&w);
	assert_int_equal(received, 0);
}

/* Two workers send one message to and fro. */
struct ball {
	struct message m;
	struct worker *side[2];
	unsigned hits;
};

static atomic_uint ball_hits;

static void
ball_run(struct worker *w, struct message *m)
{
	struct ball *b = (struct ball *)(void *)m;

	assert_ptr_equal(w, b->side[b->hits % 2]);
	atomic_store(&ball_hits, ++b->hits);
	if (b->hits == 1000)
		free(b);
	else
		worker_post(b->side[b->hits % 2], &b->m);
}

static void
test_messages_to_and_fro(void **state PG_UNUSED)
{
	struct worker *a = worker_new(0), *b = worker_new(1);
	struct ball *ball = x_calloc(1, sizeof(*ball));

	atomic_store(&ball_hits, 0);
	ball->m.run = ball_run;
	ball->side[0] = a;
	ball->side[1] = b;
	worker_start(a, STACK, count_tick);
	worker_start(b, STACK, count_tick);
	worker_post(a, &ball->m);
	while (atomic_load(&ball_hits) < 1000)
		usleep(100);
	end(&a);
	end(&b);
}

/* ---- the end of a turn ------------------------------------------------------ */

static char trace[64];

static void
note(char c)
{
	size_t n = strlen(trace);

	assert_true(n + 1 < sizeof(trace));
	trace[n] = c;
}

struct put_off {
	struct deferred d;
	struct worker *w;
	char letter;
};

static void
put_off_run(struct deferred *d)
{
	struct put_off *p = (struct put_off *)(void *)d;

	note(p->letter);
	/* One that is put off by one that was. */
	if (p->letter == 'a') {
		p->letter = 'c';
		worker_defer(p->w, &p->d);
		return;
	}
	free(p);
}

static void
put_off(struct worker *w, char letter)
{
	struct put_off *p = x_calloc(1, sizeof(*p));

	p->d.run = put_off_run;
	p->w = w;
	p->letter = letter;
	worker_defer(w, &p->d);
}

static void
put_off_two(struct worker *w, struct message *m)
{
	free(m);
	note('(');
	put_off(w, 'a');
	put_off(w, 'b');
	/* Not as long as we are on the stack. */
	note(')');
}

static void
test_deferred_after_the_stack(void **state PG_UNUSED)
{
	struct worker *w = worker_new(0);

	memset(trace, 0, sizeof(trace));
	worker_start(w, STACK, count_tick);
	post(w, put_off_two);
	end(&w);
	assert_string_equal(trace, "()abc");
}

static void
put_off_and_stop(struct worker *w, struct message *m)
{
	free(m);
	put_off(w, 'x');
	put_off(w, 'a');
	worker_stop(w);
}

/* Nothing that was put off is forgotten when the loop ends. */
static void
test_deferred_at_the_end(void **state PG_UNUSED)
{
	struct worker *w = worker_new(0);

	memset(trace, 0, sizeof(trace));
	worker_start(w, STACK, count_tick);
	post(w, put_off_and_stop);
	worker_join(w);
	assert_string_equal(trace, "xac");
	worker_free(&w);
}

/* ---- time ------------------------------------------------------------------- */

static void
test_tick(void **state PG_UNUSED)
{
	struct worker *w = worker_new(0);
	uint64_t beats;

	atomic_store(&ticks, 0);
	worker_start(w, STACK, count_tick);
	for (int i = 0; i < 1000 && atomic_load(&ticks) < 3; i++)
		usleep(10000);
	assert_true(atomic_load(&ticks) >= 3);
	beats = atomic_load(&w->beats);
	assert_true(beats >= 3);
	end(&w);
}

static void
busy(struct worker *w PG_UNUSED, struct message *m)
{
	free(m);
	usleep(350000);
}

/* A tick that had to wait tells how long. */
static void
test_lag(void **state PG_UNUSED)
{
	struct worker *w = worker_new(0);
	struct hist_view v;

	atomic_store(&ticks, 0);
	post(w, busy);
	worker_start(w, STACK, count_tick);
	for (int i = 0; i < 1000 && atomic_load(&ticks) < 2; i++)
		usleep(10000);
	memset(&v, 0, sizeof(v));
	hist_merge(&v, &w->metrics->lag);
	assert_true(v.count >= 2);
	assert_true(hist_quantile(&v, 1) >= 200 * NSEC_PER_MSEC);
	end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_senders_keep_their_order),
		cmocka_unit_test(test_posted_before_the_start),
		cmocka_unit_test(test_posted_after_the_end),
		cmocka_unit_test(test_messages_to_and_fro),
		cmocka_unit_test(test_deferred_after_the_stack),
		cmocka_unit_test(test_deferred_at_the_end),
		cmocka_unit_test(test_tick),
		cmocka_unit_test(test_lag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
