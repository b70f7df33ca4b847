/* SPDX-License-Identifier: PostgreSQL
 *
 * The block check.
 *
 * After it every struct conf_check has a backend and a question.  Control
 * thread.
 */
#include <stdlib.h>

#include "conf/conf_priv.h"

static void
check_take(struct conf_parse *p, const struct conf_sec *s, struct conf_check *k)
{
	k->name = x_strdup(s->title);
	conf_check_sec(p, s);
	k->backend = conf_take_backend(p, s, "backend");
	conf_take_str(p, s, "query", &k->query);
	conf_take_time(p, s, "interval", &k->interval);
	conf_take_time(p, s, "timeout", &k->timeout);
}

void
conf_take_checks(struct conf_parse *p)
{
	size_t n = conf_sec_count(p->root, BLOCK_CHECK);
	const struct conf_sec *s = conf_sec_next(p->root->subs, BLOCK_CHECK);
	struct conf *c = p->conf;

	c->checks = x_calloc(n, sizeof(c->checks[0]));
	if (n > CONF_CHECKS_MAX) {
		conf_complain(p, s->line, "%zu checks, expected at most %d", n,
		    CONF_CHECKS_MAX);
		return;
	}
	conf_check_titles(p, s, BLOCK_CHECK);
	for (; s != NULL; s = conf_sec_next(s->next, BLOCK_CHECK))
		check_take(p, s, &c->checks[c->n_checks++]);
}

void
conf_free_checks(struct conf *c)
{
	size_t i;

	for (i = 0; i < c->n_checks; i++) {
		free(c->checks[i].name);
		free(c->checks[i].query);
	}
	free(c->checks);
}
