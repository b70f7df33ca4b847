/* SPDX-License-Identifier: PostgreSQL
 *
 * What is told of single statements: from which duration on, which share, and
 * whether anything is told at all.
 *
 * Control thread.
 */
#include <string.h>

#include "conf/conf_priv.h"
#include "conf/units.h"

static bool
log_parse_after(const char *text, nsec_t *out)
{
	if (strcmp(text, "-1") == 0) {
		*out = LOG_NEVER;
		return true;
	}
	return units_parse_time(text, out);
}

void
conf_take_log_after(struct conf_parse *p, const struct conf_sec *s,
    nsec_t *out)
{
	const struct conf_opt *o = conf_sec_opt(s,
	    "log_min_duration_statement");

	if (o != NULL && !log_parse_after(o->values.v[0], out))
		conf_complain(p, o->line, "%s: '%.64s' is not a duration, "
		    "expected one like 250ms or 30s, 0 for all statements or "
		    "-1 for none", o->name, o->values.v[0]);
}

void
conf_take_log(struct conf_parse *p)
{
	struct conf *c = p->conf;
	const struct conf_opt *o = conf_sec_opt(p->root,
	    "log_statement_sample_rate");

	c->log_after = LOG_NEVER;
	conf_take_log_after(p, p->root, &c->log_after);
	if (!units_parse_share(c->log_statement_sample_rate, &c->log_sample))
		conf_complain(p, o->line, "%s: '%.64s' is no share, expected 0 "
		    "or one like 0.1%%", o->name,
		    c->log_statement_sample_rate);
}

void
conf_settle_log(struct conf *c)
{
	size_t i;

	c->follows = c->log_sample > 0 || c->trace_exemplars ||
	    c->track_shapes;
	for (i = 0; i < c->n_databases; i++)
		c->follows |= c->databases[i].log_after != LOG_NEVER;
	for (i = 0; i < c->n_users; i++)
		c->follows |= c->users[i].log_after < LOG_INHERIT;
}
