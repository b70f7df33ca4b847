/* SPDX-License-Identifier: PostgreSQL
 *
 * What surveys found, as lines of the log.  Control thread.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/layouts.h"
#include "base/buf.h"
#include "base/log.h"

static bool
layouts_add_texts(struct buf *b, const struct layout_result *r,
    const struct survey_texts *t)
{
	bool ok = buf_append(b, r->s.table->name,
	    strlen(r->s.table->name)) && buf_append(b, r->s.variant->name,
	    strlen(r->s.variant->name));
	size_t i;

	for (i = 0; i < t->n; i++)
		ok = ok && buf_append(b, "\n", 1) &&
		    buf_append(b, t->v[i], strlen(t->v[i]));
	return ok;
}

static void
layouts_log_result(const struct layout_result *r)
{
	const char *table = r->s.table->name, *variant = r->s.variant->name;
	size_t i;

	for (i = 0; i < r->s.errors.n; i++)
		log_msg(r->not_asked ? LOG_L_INFO : LOG_L_ERROR, "layout",
		    "msg=\"%s\" table=%s variant=%s error=%s", r->not_asked ?
		    "the layout is not read" : r->s.layout.refuted ?
		    "the catalogs contradict the configuration: statements "
		    "go to the coordinator" : "the layout cannot be used, "
		    "what was in force stays", log_escs(table),
		    log_escs(variant), log_escs(r->s.errors.v[i]));
	for (i = 0; i < r->s.notes.n; i++)
		log_warn("layout", "msg=\"about the layout\" table=%s "
		    "variant=%s note=%s", log_escs(table), log_escs(variant),
		    log_escs(r->s.notes.v[i]));
}

static bool
layouts_add_tag_keys(struct buf *b, const struct layout_job *j)
{
	bool ok = true;
	const char *why;
	size_t i;

	for (i = 0; i < j->conf->n_tag_keys; i++) {
		why = j->tag_results[i].why;
		ok = ok && (why == NULL || (buf_append(b, "\n", 1) &&
		    buf_append(b, why, strlen(why))));
	}
	return ok;
}

static void
layouts_log_tag_keys(const struct layout_job *j)
{
	const struct conf_tag_key *key = j->conf->tag_keys;
	const struct layout_tag_result *r = j->tag_results;
	size_t i;

	for (i = 0; i < j->conf->n_tag_keys; i++)
		if (r[i].why != NULL)
			log_warn("layout", "msg=\"values of this column do "
			    "not tell cached results apart\" table=%s "
			    "column=%s why=%s", log_escs(key[i].rel),
			    log_escs(key[i].column), log_escs(r[i].why));
}

void
layouts_log(const struct layout_job *j, char **said)
{
	struct buf b;
	bool ok = true;
	char *text;
	size_t i;

	buf_init(&b, 16u << 20);
	for (i = 0; i < j->n_results; i++)
		ok = ok && layouts_add_texts(&b, &j->results[i],
		    &j->results[i].s.errors) && layouts_add_texts(&b,
		    &j->results[i], &j->results[i].s.notes);
	ok = ok && layouts_add_tag_keys(&b, j);
	text = buf_len(&b) > 0 ? x_strndup(buf_head(&b), buf_len(&b)) :
	    x_strdup("");
	buf_reset(&b);
	if (!ok || *said == NULL || strcmp(text, *said) != 0) {
		for (i = 0; i < j->n_results; i++)
			layouts_log_result(&j->results[i]);
		layouts_log_tag_keys(j);
	}
	free(*said);
	*said = text;
}
