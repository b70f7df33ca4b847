/* SPDX-License-Identifier: PostgreSQL
 *
 * Attempts to connect do not wait for names that others look up.  The
 * resolver here is ours: libpq finds this program's getaddrinfo() first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netdb.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "backend/connector.h"

#define STACK (256 * 1024)
#define SLOW 6

static sem_t asked, may_answer, ended;
static atomic_uint slow_ended;

int
getaddrinfo(const char *restrict host, const char *restrict service,
    const struct addrinfo *restrict hints, struct addrinfo **restrict out)
{
	(void)service, (void)hints;
	*out = NULL;
	if (host != NULL && strcmp(host, "slow.test") == 0) {
		sem_post(&asked);
		sem_wait(&may_answer);
	}
	return EAI_NONAME;
}

static void
ended_run(struct worker *w, struct message *m)
{
	struct connect_job *j = (struct connect_job *)m;

	(void)w;
	assert_null(j->conn);
	assert_non_null(j->error);
	if (j->arg != NULL)
		atomic_fetch_add((atomic_uint *)j->arg, 1);
	connect_job_free(j);
	sem_post(&ended);
}

static void
submit(struct worker *w, const char *keyword, const char *value, void *arg)
{
	struct connect_job *j = x_calloc(1, sizeof(*j));

	j->done.run = ended_run;
	j->w = w;
	j->arg = arg;
	j->timeout = 10 * NSEC_PER_SEC;
	j->keywords = x_calloc(3, sizeof(char *));
	j->values = x_calloc(3, sizeof(char *));
	j->keywords[0] = x_strdup(keyword);
	j->values[0] = x_strdup(value);
	j->keywords[1] = x_strdup("port");
	j->values[1] = x_strdup("1");
	connector_submit(j);
}

static void
tick(struct worker *w, nsec_t now)
{
	(void)w, (void)now;
}

static void
stop_run(struct worker *w, struct message *m)
{
	free(m);
	worker_stop(w);
}

static void
test_names_hold_up_no_others(void **state)
{
	/* Names of others, addresses, sockets; each more often than there are
	 * threads for it. */
	static const struct {
		const char *keyword, *value;
	} others[] = { { "host", "quick.test" }, { "host", "127.0.0.1" },
		{ "host", "127.0.0.1,127.0.0.2" }, { "host", "::1" },
		{ "host", "/nonexistent" }, { "hostaddr", "127.0.0.1" } };
	struct worker *w = worker_new(0);
	struct message *m = x_calloc(1, sizeof(*m));
	size_t i, n;

	(void)state;
	sem_init(&asked, 0, 0);
	sem_init(&may_answer, 0, 0);
	sem_init(&ended, 0, 0);
	worker_start(w, STACK, tick);
	connector_start(2);
	for (i = 0; i < SLOW; i++)
		submit(w, "host", "slow.test", &slow_ended);
	sem_wait(&asked);
	for (n = 0; n < 4; n++)
		for (i = 0; i < ARRAY_SIZE(others); i++)
			submit(w, others[i].keyword, others[i].value, NULL);
	for (i = 0; i < 4 * ARRAY_SIZE(others); i++)
		sem_wait(&ended);
	assert_int_equal(atomic_load(&slow_ended), 0);
	for (i = 0; i < SLOW; i++)
		sem_post(&may_answer);
	for (i = 0; i < SLOW; i++)
		sem_wait(&ended);
	assert_int_equal(atomic_load(&slow_ended), SLOW);
	connector_stop();
	m->run = stop_run;
	worker_post(w, m);
	worker_join(w);
	worker_free(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_hold_up_no_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
