/* SPDX-License-Identifier: PostgreSQL
 *
 * Statements as plans of views word them.
 *
 * Knows plans and pools, not why it is asked.  Runs on the session's worker.
 */
#include "session/question.h"

struct aside *
question_new(struct session *s, const struct query *q,
    struct route_plan *plan, struct slice bind, bool described, size_t max)
{
	struct buf *t = &s->sw->text;
	struct route_decision where;
	struct pool *pool;
	struct slice sql = q->sql;
	unsigned form = FORM_ASIS;

	if (plan->unserved || plan->err_sqlstate != NULL)
		return NULL;
	route_decide(plan, q->shape, &q->values, &where);
	if (plan->table != NULL)
		form = where.gathers || where.splits ? FORM_RELATION :
		    where.form;
	if (form != FORM_ASIS) {
		buf_consume(t, buf_len(t));
		if (!route_rewrite(plan, q->shape, &q->values, form, t))
			return NULL;
		sql = slice_make(buf_head(t), buf_len(t));
	}
	pool = session_pool(s, where.gathers || where.splits ?
	    plan->backend : where.backend);
	if (pool == NULL)
		return NULL;
	if (q->stmt == NULL)
		return aside_new(s, pool, KEY_SIMPLE, sql,
		    slice_make(NULL, 0), slice_make(NULL, 0), max);
	return aside_new(s, pool, described ? KEY_EXT_PORTAL :
	    KEY_EXT_NODESC, sql, q->stmt->types, bind, max);
}
