/* SPDX-License-Identifier: PostgreSQL
 *
 * Values, from PgBouncer's units to pgsluice's, and quoted.
 *
 * Bounds are those of tbl/settings.h and tbl/blocks.h.  Pure, any thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/units.h"
#include "import/import_priv.h"

enum value_type { VALUE_INT, VALUE_SIZE, VALUE_TIME, VALUE_OTHER };

struct value_bounds {
	const char *name;
	enum value_type type;
	int64_t lo, hi;
};

static const struct value_bounds value_settings[] = {
#define SETTING_INT(name, def, lo, hi, reload, doc) \
	{ #name, VALUE_INT, lo, hi },
#define SETTING_SIZE(name, def, lo, hi, reload, doc) \
	{ #name, VALUE_SIZE, lo, hi },
#define SETTING_TIME(name, def, lo, hi, reload, doc) \
	{ #name, VALUE_TIME, (int64_t)(lo), (int64_t)(hi) },
#define SETTING_BOOL(name, def, reload, doc) { #name, VALUE_OTHER, 0, 1 },
#include "tbl/settings.h"
};

#define TYPE_INT VALUE_INT
#define TYPE_SIZE VALUE_SIZE
#define TYPE_TIME VALUE_TIME
#define TYPE_STR VALUE_OTHER
#define TYPE_LIST VALUE_OTHER
#define TYPE_BOOL VALUE_OTHER
#define TYPE_WORD VALUE_OTHER
#define TYPE_MONTH VALUE_OTHER

static const struct {
	const char *block, *name;
	enum value_type type;
	const char *accepts; /* "low..high" */
} value_options[] = {
#define BLOCK_OPTION(block, name, type, need, def, accepts, doc) \
	{ #block, #name, TYPE_##type, accepts },
#include "tbl/blocks.h"
};

/* ---- quoting ---- */

void
import_quote(struct buf *b, const char *text)
{
	char c[3] = "\\";
	bool ok = buf_append(b, "\"", 1);

	for (; ok && *text != '\0'; text++) {
		c[1] = *text;
		ok = strchr("\"\\$", *text) != NULL ? buf_append(b, c, 2) :
		    buf_append(b, text, 1);
	}
	CHECK(ok && buf_append(b, "\"", 1));
}

void
import_conninfo(struct buf *b, const char *keyword, const char *value)
{
	import_put(b, "%s%s='", buf_len(b) > 0 ? " " : "", keyword);
	for (; *value != '\0'; value++)
		import_put(b, "%s%c", strchr("'\\", *value) != NULL ? "\\" :
		    "", *value);
	import_put(b, "'");
}

/* ---- bounds ---- */

static bool
value_range(enum value_type type, const char *accepts, int64_t *lo,
    int64_t *hi)
{
	const char *dots = strstr(accepts, "..");
	char low[UNITS_TEXT];
	nsec_t from, to;

	CHECK(dots != NULL && dots - accepts < UNITS_TEXT);
	memcpy(low, accepts, (size_t)(dots - accepts));
	low[dots - accepts] = '\0';
	if (type == VALUE_INT)
		return units_parse_int(low, lo) &&
		    units_parse_int(dots + 2, hi);
	if (!units_parse_time(low, &from) || !units_parse_time(dots + 2, &to))
		return false;
	*lo = (int64_t)from;
	*hi = (int64_t)to;
	return true;
}

static void
value_bounds_find(const char *to, struct value_bounds *out)
{
	const char *dot = strchr(to, '.');
	size_t i;

	for (i = 0; dot == NULL && i < ARRAY_SIZE(value_settings); i++)
		if (strcmp(value_settings[i].name, to) == 0) {
			*out = value_settings[i];
			return;
		}
	for (i = 0; dot != NULL && i < ARRAY_SIZE(value_options); i++)
		if (strncasecmp(value_options[i].block, to,
		    (size_t)(dot - to)) == 0 &&
		    value_options[i].block[dot - to] == '\0' &&
		    strcmp(value_options[i].name, dot + 1) == 0) {
			out->name = to;
			out->type = value_options[i].type;
			CHECK(value_range(out->type, value_options[i].accepts,
			    &out->lo, &out->hi));
			return;
		}
	WRONG("the import table names a setting that is not there");
}

/* ---- numbers ---- */

/* As PgBouncer reads them: decimal, 0 before octal, 0x before hexadecimal. */
static bool
value_whole(const char *value, int64_t *out)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(value, &end, 0);
	if (errno != 0 || end == value || *end != '\0' || v < 0)
		return false;
	*out = v;
	return true;
}

/* Seconds with decimals, to nanoseconds. */
static bool
value_seconds(const char *value, int64_t *out)
{
	double v;
	char *end;

	errno = 0;
	v = strtod(value, &end);
	if (errno != 0 || end == value || *end != '\0' || !(v >= 0) ||
	    v > 1e9)
		return false;
	*out = (int64_t)(v * 1e6 + 0.5) * 1000;
	return true;
}

static bool
value_number(enum import_how how, const char *value, int64_t *v)
{
	bool ok;

	switch (how) {
	case IMPORT_SECONDS:
	case IMPORT_LIFETIME:
		ok = value_seconds(value, v);
		if (ok && how == IMPORT_LIFETIME && *v == 0)
			*v = (int64_t)NSEC_PER_MSEC;
		return ok;
	case IMPORT_RETRY:
		ok = value_seconds(value, v);
		if (ok && *v > 0) {
			*v /= 15;
			*v -= *v % (int64_t)NSEC_PER_MSEC;
			if (*v == 0)
				*v = (int64_t)NSEC_PER_MSEC;
		}
		return ok;
	case IMPORT_MILLISECONDS:
		ok = value_whole(value, v) && *v < 1000000000;
		if (ok)
			*v *= (int64_t)NSEC_PER_MSEC;
		return ok;
	default:
		return value_whole(value, v);
	}
}

bool
import_scalar(enum import_how how, const char *to, const char *value,
    char *text, size_t size, bool *cut)
{
	struct value_bounds b;
	char out[UNITS_TEXT];
	int64_t v;

	*cut = false;
	if (!value_number(how, value, &v))
		return false;
	if (how == IMPORT_SWITCH) {
		(void)snprintf(text, size, "%s", v != 0 ? "true" : "false");
		return true;
	}
	value_bounds_find(to, &b);
	/* Where 0 is not taken it says "no limit" in PgBouncer. */
	if (v < b.lo || v > b.hi) {
		v = v > b.hi || v == 0 ? b.hi : b.lo;
		*cut = true;
	}
	if (how == IMPORT_OCTAL)
		units_print_mode(out, v);
	else if (b.type == VALUE_TIME)
		units_print_time(out, (nsec_t)v);
	else if (b.type == VALUE_SIZE)
		units_print_size(out, v);
	else
		units_print_int(out, v);
	(void)snprintf(text, size, "%s", out);
	return true;
}
