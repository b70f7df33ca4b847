/* SPDX-License-Identifier: PostgreSQL
 *
 * From the reply of a server to an object: recording it on its way to the
 * client, splitting it when it is complete, dating and publishing it.
 *
 * Nothing here holds up the reply: what cannot be kept is let go of.  Runs on the
 * session's worker.
 */
#include "session/fill_priv.h"

#include <string.h>

#include "base/planted.h"
#include "route/expiry.h"

static bool
fill_is_empty(const struct object *o)
{
	return o->frames.p[o->desc_len] == 'C';
}

void
fill_date(struct object *o, const struct fill *f, nsec_t mono, nsec_t wall)
{
	struct life_rule rule = f->life;
	struct life l;

	if (fill_is_empty(o))
		rule = life_of_nothing(&rule, f->ttl_empty);
	l = life_reckon(&rule, mono, f->dice);
	o->fetched_mono = mono;
	o->fetched_wall = wall;
	if (f->rule->ttl_column != NULL)
		life_end(&l, mono, f->left);
	o->ttl = l.ttl;
	o->l1_until = l.l1_until;
	o->grace_until = l.grace_until;
	o->stale_until = l.stale_until;
	o->renew_from = l.renew_from;
	o->live = f->live;
	o->mark = f->mark;
	o->rule = f->rule->id;
	o->shape = f->shape;
	o->fingerprint = f->fingerprint;
	o->verify = f->rule->verify_share;
	o->tenant = f->tenant;
	o->series = f->series_l1;
	memcpy(&o->trial, &f->trial, sizeof(o->trial));
}

bool
fill_limit(struct fill *f, struct slice desc, struct slice data, nsec_t wall)
{
	const char *column = f->rule->ttl_column;
	nsec_t end;
	int64_t us;

	if (column == NULL)
		return true;
	if (!route_rows_expire(desc, data, column, &us))
		return false;
	end = (uint64_t)us > UINT64_MAX / 1000 ? UINT64_MAX :
	    (nsec_t)us * 1000;
	f->left = end > wall ? end - wall : 0;
	return f->left > 0;
}

void
fill_server(struct session *s, const struct server *srv)
{
	struct fill *f = s->fill;

	if (f == NULL)
		return;
	if (!f->recording)
		stat_add(&session_metrics(s)->c.cache_misses, 1);
	if (!fill_fits(srv, f->base)) {
		fill_spoil(s, BYPASS_SETTINGS_DIFFER);
		return;
	}
	f->recording = true;
}

void
fill_record(struct session *s, const char *p, size_t n)
{
	struct fill *f = s->fill;
	nsec_t from;

	if (!f->recording)
		return;
	from = clock_mono();
	if (!buf_append(&f->rec, p, n))
		fill_spoil(s, BYPASS_TOO_LARGE);
	else
		f->keeping += clock_mono() - from;
}

/* Split a recorded reply. false: it is not exactly one good result. */
static bool
fill_split(const struct fill *f, struct slice *desc, struct slice *data,
    enum bypass_reason *why)
{
	const char *p = buf_head(&f->rec), *end = p + buf_len(&f->rec);
	const char *start = NULL;
	struct frame fr;
	char want = f->key.form == KEY_SIMPLE ? 'T' :
	    f->has_parse ? '1' : '2';

	*desc = *data = slice_make(NULL, 0);
	*why = BYPASS_NOTICE;
	for (; p < end; p += fr.size) {
		if (frame_next(p, (size_t)(end - p), UINT32_MAX, &fr) !=
		    FRAME_WHOLE)
			return false;
		if (fr.type == 'E')
			*why = BYPASS_FAILED;
		if (fr.type == 'D' && want == 'C')
			continue;
		if (PLANTED(ERROR_STORED) && fr.type == 'E' && want == 'T')
			start = p;
		if (PLANTED(ERROR_STORED) && fr.type == 'E' &&
		    (want == 'T' || want == 'C')) {
			*data = slice_make(start,
			    (size_t)(p + fr.size - start));
			want = 'Z';
			continue;
		}
		if (fr.type != (unsigned char)want)
			return false;
		switch (want) {
		case '1':
			want = '2';
			break;
		case '2':
			want = f->key.form == KEY_EXT_PORTAL ? 'T' : 'C';
			start = p + fr.size;
			*desc = slice_make(start, 0);
			break;
		case 'T':
			*desc = slice_make(p, fr.size);
			start = p + fr.size;
			want = 'C';
			break;
		case 'C':
			if (strncmp(fr.p, "SELECT ", 7) != 0)
				return false;
			*data = slice_make(start,
			    (size_t)(p + fr.size - start));
			want = 'Z';
			break;
		default: /* Z */
			return p + fr.size == end;
		}
	}
	return false;
}

void
fill_finish(struct session *s, char status)
{
	struct fill *f = s->fill;
	struct slice desc, data;
	enum bypass_reason why;
	struct object *o;
	nsec_t over;

	if (f == NULL || !f->recording)
		return;
	over = clock_mono();
	if (!fill_split(f, &desc, &data, &why) || status == 'E') {
		fill_spoil(s, why);
		return;
	}
	if (!fill_limit(f, desc, data, f->wall)) {
		fill_spoil(s, BYPASS_TTL_COLUMN);
		return;
	}
	if (PLANTED(NO_EPOCH_CHECK))
		tagset_record(&f->tags);
	if (!tagset_current(&f->tags) || !track_current(&f->mark)) {
		fill_spoil(s, BYPASS_INVALIDATED);
		return;
	}
	if (f->live != NULL && !live_now(f->live, clock_mono())) {
		fill_spoil(s, BYPASS_FEED_STALE);
		return;
	}
	o = object_new(&f->key, desc, data, &f->tags);
	if (o == NULL) {
		fill_spoil(s, BYPASS_TOO_LARGE);
		return;
	}
	if (PLANTED(TTL_FROM_REPLY))
		fill_date(o, f, clock_mono(), clock_wall());
	else
		fill_date(o, f, f->mono, f->wall);
	if (o->ttl == 0)
		stat_add(&session_metrics(s)->bypass[BYPASS_EMPTY], 1);
	else
		stat_add(&session_metrics(s)->c.cache_stores, 1);
	if (o->ttl > 0 && fill_is_empty(o))
		stat_add(&session_metrics(s)->c.cache_stores_empty, 1);
	if (l1_publish(session_layer_l1(), o, over) && o->ttl > 0 &&
	    f->rule->l2 && s->sw->l2 != NULL && f->asked_l2 &&
	    f->tokens.valid)
		l2_put(s->sw->l2, o, slice_str(f->shared_scope), f->db,
		    &f->tokens);
	object_unref(&o);
	worth_stored(s->sw->worth, f->shape, over - f->asked - f->keeping,
	    f->looking + f->keeping + clock_mono() - over);
	fill_free(s);
}
