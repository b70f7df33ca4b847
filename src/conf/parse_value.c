/* SPDX-License-Identifier: PostgreSQL
 *
 * From an option's text to a typed value within bounds.
 *
 * Every complaint says what stands there and what was expected.  Out values
 * are untouched when there is nothing good to put there, so callers set
 * harmless defaults first and go on.  Control thread.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf_priv.h"
#include "conf/units.h"

#define VALUE_SHOWN 64 /* bytes of a value that are repeated */

void
conf_strings_add(struct conf_strings *l, const char *s)
{
	char **v;

	/* Room doubles: it is full whenever the count is a power of two. */
	if ((l->n & (l->n - 1)) == 0) {
		v = x_calloc(l->n > 0 ? 2 * l->n : 1, sizeof(*v));
		if (l->n > 0)
			memcpy(v, l->v, l->n * sizeof(*v));
		free(l->v);
		l->v = v;
	}
	l->v[l->n++] = x_strdup(s);
}

void
conf_strings_fini(struct conf_strings *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	l->v = NULL;
	l->n = 0;
}

static void
value_wrong(struct conf_parse *p, const struct conf_opt *o, const char *what,
    const char *expected)
{
	conf_complain(p, o->line, "%s: '%.*s' is not %s, expected %s", o->name,
	    VALUE_SHOWN, o->values.v[0], what, expected);
}

static void
value_range(struct conf_parse *p, const struct conf_opt *o, const char *lo,
    const char *hi)
{
	conf_complain(p, o->line,
	    "%s: '%.*s' is out of range, expected %s to %s", o->name,
	    VALUE_SHOWN, o->values.v[0], lo, hi);
}

bool
conf_value_is_mode(const char *name)
{
	size_t n = strlen(name);

	return n > 5 && strcmp(name + n - 5, "_mode") == 0;
}

bool
conf_value_int(struct conf_parse *p, const struct conf_opt *o, int64_t lo,
    int64_t hi, int64_t *out)
{
	char *(*print)(char *, int64_t) = units_print_int;
	char low[UNITS_TEXT], high[UNITS_TEXT];
	const char *s = o->values.v[0];
	bool ok;
	int64_t v;

	if (conf_value_is_mode(o->name)) {
		print = units_print_mode;
		ok = units_parse_mode(s, &v);
	} else {
		ok = units_parse_int(s, &v);
	}
	print(low, lo);
	print(high, hi);
	if (!ok) {
		conf_complain(p, o->line, "%s: '%.*s' is not %s, "
		    "expected %s to %s", o->name, VALUE_SHOWN, s,
		    print == units_print_int ? "a whole number" :
		    "an octal number", low, high);
		return false;
	}
	if (v < lo || v > hi) {
		value_range(p, o, low, high);
		return false;
	}
	*out = v;
	return true;
}

bool
conf_value_size(struct conf_parse *p, const struct conf_opt *o, int64_t lo,
    int64_t hi, int64_t *out)
{
	char low[UNITS_TEXT], high[UNITS_TEXT];
	int64_t v;

	if (!units_parse_size(o->values.v[0], &v)) {
		value_wrong(p, o, "a size", "one like 64kB, 64MB or 1GB");
		return false;
	}
	if (v < lo || v > hi) {
		value_range(p, o, units_print_size(low, lo),
		    units_print_size(high, hi));
		return false;
	}
	*out = v;
	return true;
}

bool
conf_value_time(struct conf_parse *p, const struct conf_opt *o, nsec_t lo,
    nsec_t hi, nsec_t *out)
{
	char low[UNITS_TEXT], high[UNITS_TEXT];
	nsec_t v;

	if (!units_parse_time(o->values.v[0], &v)) {
		value_wrong(p, o, "a duration",
		    "one like 250ms, 30s, 5min, 1h, 7d or 0");
		return false;
	}
	if (v < lo || v > hi) {
		value_range(p, o, units_print_time(low, lo),
		    units_print_time(high, hi));
		return false;
	}
	*out = v;
	return true;
}

bool
conf_value_bool(struct conf_parse *p, const struct conf_opt *o, bool *out)
{
	if (units_parse_bool(o->values.v[0], out))
		return true;
	value_wrong(p, o, "a truth value", "true or false");
	return false;
}

bool
conf_value_word(struct conf_parse *p, const struct conf_opt *o,
    const char *words, int *out)
{
	char list[160], *bar;
	size_t n = 0;

	if (units_parse_word(o->values.v[0], words, out))
		return true;
	/* "a|b|c" reads as "a, b, c". */
	for (; *words != '\0' && n + 3 < sizeof(list); words++) {
		list[n++] = *words == '|' ? ',' : *words;
		if (*words == '|')
			list[n++] = ' ';
	}
	list[n] = '\0';
	bar = strrchr(list, ',');
	conf_complain(p, o->line, "%s: '%.*s' is not known, expected %s%s",
	    o->name, VALUE_SHOWN, o->values.v[0],
	    bar != NULL ? "one of " : "", list);
	return false;
}

/* ---- options of blocks ---- */

/* The option as given, or made up from the row's default, or NULL. tmp lends
 * the memory for the latter. */
static const struct conf_opt *
value_opt(const struct conf_sec *s, const struct conf_row *row,
    struct conf_opt *tmp, char **word)
{
	const struct conf_opt *o = conf_sec_opt(s, row->name);

	if (o != NULL || row->def[0] == '\0')
		return o;
	memset(tmp, 0, sizeof(*tmp));
	*word = (char *)row->def;
	tmp->name = (char *)row->name;
	tmp->line = s->line;
	tmp->values.v = word;
	tmp->values.n = 1;
	return tmp;
}

static const struct conf_row *
value_row(const struct conf_sec *s, const char *name, enum conf_type type)
{
	const struct conf_row *row = conf_row_find(s->block, name);

	CHECK(row != NULL && row->type == type);
	return row;
}

/* "low..high" of a row, cut at the dots. */
static const char *
value_bounds(const struct conf_row *row, char low[UNITS_TEXT])
{
	const char *dots = strstr(row->accepts, "..");

	CHECK(dots != NULL && dots - row->accepts < UNITS_TEXT);
	memcpy(low, row->accepts, (size_t)(dots - row->accepts));
	low[dots - row->accepts] = '\0';
	return dots + 2;
}

void
conf_take_int(struct conf_parse *p, const struct conf_sec *s, const char *name,
    int64_t *out)
{
	const struct conf_row *row = value_row(s, name, TYPE_INT);
	const struct conf_opt *o;
	char low[UNITS_TEXT], *word;
	const char *high = value_bounds(row, low);
	struct conf_opt tmp;
	int64_t lo, hi;
	bool ok = units_parse_int(low, &lo) && units_parse_int(high, &hi);

	CHECK(ok);
	o = value_opt(s, row, &tmp, &word);
	if (o != NULL)
		(void)conf_value_int(p, o, lo, hi, out);
}

void
conf_take_time(struct conf_parse *p, const struct conf_sec *s,
    const char *name, nsec_t *out)
{
	const struct conf_row *row = value_row(s, name, TYPE_TIME);
	const struct conf_opt *o;
	char low[UNITS_TEXT], *word;
	const char *high = value_bounds(row, low);
	struct conf_opt tmp;
	nsec_t lo, hi;
	bool ok = units_parse_time(low, &lo) && units_parse_time(high, &hi);

	CHECK(ok);
	o = value_opt(s, row, &tmp, &word);
	if (o != NULL)
		(void)conf_value_time(p, o, lo, hi, out);
}

void
conf_take_size(struct conf_parse *p, const struct conf_sec *s,
    const char *name, int64_t *out)
{
	const struct conf_row *row = value_row(s, name, TYPE_SIZE);
	const struct conf_opt *o;
	char low[UNITS_TEXT], *word;
	const char *high = value_bounds(row, low);
	struct conf_opt tmp;
	int64_t lo, hi;
	bool ok = units_parse_size(low, &lo) && units_parse_size(high, &hi);

	CHECK(ok);
	o = value_opt(s, row, &tmp, &word);
	if (o != NULL)
		(void)conf_value_size(p, o, lo, hi, out);
}

void
conf_take_bool(struct conf_parse *p, const struct conf_sec *s,
    const char *name, bool *out)
{
	const struct conf_opt *o;
	struct conf_opt tmp;
	char *word;

	o = value_opt(s, value_row(s, name, TYPE_BOOL), &tmp, &word);
	if (o != NULL)
		(void)conf_value_bool(p, o, out);
}

void
conf_take_word(struct conf_parse *p, const struct conf_sec *s,
    const char *name, int *out)
{
	const struct conf_row *row = value_row(s, name, TYPE_WORD);
	const struct conf_opt *o;
	struct conf_opt tmp;
	char *word;

	o = value_opt(s, row, &tmp, &word);
	if (o != NULL)
		(void)conf_value_word(p, o, row->accepts, out);
}

void
conf_take_month(struct conf_parse *p, const struct conf_sec *s,
    const char *name, int64_t *out)
{
	const struct conf_opt *o;
	struct conf_opt tmp;
	char *word;

	o = value_opt(s, value_row(s, name, TYPE_MONTH), &tmp, &word);
	if (o != NULL && !units_parse_month(o->values.v[0], out))
		value_wrong(p, o, "a month", "one like 2026-01");
}

void
conf_take_str(struct conf_parse *p, const struct conf_sec *s, const char *name,
    char **out)
{
	const struct conf_opt *o;

	o = conf_sec_opt(s, value_row(s, name, TYPE_STR)->name);
	if (o == NULL)
		return;
	if (o->values.v[0][0] == '\0') {
		conf_complain(p, o->line, "%s: is empty, expected text", name);
		return;
	}
	free(*out);
	*out = x_strdup(o->values.v[0]);
}

static void
value_check_title(struct conf_parse *p, const struct conf_sec *s)
{
	size_t len = strlen(s->title);
	const char *c;

	if (len == 0 || len > CONF_NAME_MAX) {
		conf_complain(p, s->line,
		    "%s: title has %zu bytes, expected 1 to %d",
		    conf_block_name(s->block), len, CONF_NAME_MAX);
		return;
	}
	for (c = s->title; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f) {
			conf_complain(p, s->line, "%s: title holds a control "
			    "character, expected text",
			    conf_block_name(s->block));
			return;
		}
}

void
conf_check_sec(struct conf_parse *p, const struct conf_sec *s)
{
	const struct conf_opt *o;
	size_t i;

	if (s->block != BLOCK_ROOT)
		value_check_title(p, s);
	for (o = s->opts; o != NULL; o = o->next)
		if (o->again != 0)
			conf_complain(p, o->again, "%s: given twice, expected "
			    "once (first on line %d)", o->name, o->line);
	for (i = 0; i < conf_n_rows; i++)
		if (conf_rows[i].block == s->block && conf_rows[i].must &&
		    conf_sec_opt(s, conf_rows[i].name) == NULL)
			conf_complain(p, s->line,
			    "%s \"%s\" has no %s, expected one",
			    conf_block_name(s->block), s->title,
			    conf_rows[i].name);
}
