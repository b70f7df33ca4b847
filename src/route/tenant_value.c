/* SPDX-License-Identifier: PostgreSQL
 *
 * Values of key columns as clients send them, and their hashes.
 *
 * A value is converted to the column's type the way the server would; where
 * that is not certain the answer is "not proven": spellings that depend on a
 * setting or on the server's version, types that are compared by converting
 * the column.  Pure, any thread.
 */
#include "route/month.h"
#include "route/route_priv.h"
#include "route/tenant.h"

#include <stdio.h>

#define VALUE_PG_EPOCH_US (10957 * MONTH_DAY_US) /* 2000-01-01 */

static int
value_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* What uuid_in takes: braces around it, a hyphen after any two bytes. */
static bool
value_parse_uuid(struct slice s, uint8_t out[16])
{
	size_t i = 0, k;

	if (s.n >= 2 && s.p[0] == '{') {
		if (s.p[s.n - 1] != '}')
			return false;
		s.p++;
		s.n -= 2;
	}
	for (k = 0; k < 16; k++) {
		int hi, lo;

		if (s.n - i < 2)
			return false;
		hi = value_hex(s.p[i]);
		lo = value_hex(s.p[i + 1]);
		if (hi < 0 || lo < 0)
			return false;
		out[k] = (uint8_t)(hi << 4 | lo);
		i += 2;
		if (i < s.n && s.p[i] == '-' && k % 2 == 1 && k < 15)
			i++;
	}
	return i == s.n;
}

/* [+-]digits. Blanks around it, hexadecimal and underscores are taken by some
 * servers only: not proven. */
static bool
value_parse_int(struct slice s, int64_t *out)
{
	bool negative = s.n > 0 && s.p[0] == '-';
	size_t i = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+');
	int64_t v = 0;

	if (i == s.n)
		return false;
	for (; i < s.n; i++) {
		int d = s.p[i] - '0';

		if (d < 0 || d > 9)
			return false;
		/* Downwards, where there is one number more. */
		if (v < (INT64_MIN + d) / 10)
			return false;
		v = v * 10 - d;
	}
	if (!negative && v == INT64_MIN)
		return false;
	*out = negative ? v : -v;
	return true;
}

static int64_t
value_read_int(const char *p, size_t n)
{
	uint64_t v = (uint8_t)p[0] & 0x80 ? UINT64_MAX : 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | (uint8_t)p[i];
	return (int64_t)v;
}

static bool
value_int(enum conf_key_type type, struct slice s, bool binary, uint32_t oid,
    int64_t *out)
{
	int64_t v, lo, hi;
	size_t width;

	if (oid == 0)
		oid = conf_key_type_oid(type);
	switch (oid) {
	case ROUTE_OID_INT2:
		width = 2;
		lo = INT16_MIN;
		hi = INT16_MAX;
		break;
	case ROUTE_OID_INT4:
		width = 4;
		lo = INT32_MIN;
		hi = INT32_MAX;
		break;
	case ROUTE_OID_INT8:
		width = 8;
		lo = INT64_MIN;
		hi = INT64_MAX;
		break;
	default:
		return false;
	}
	if (binary) {
		if (s.n != width)
			return false;
		v = value_read_int(s.p, width);
	} else if (!value_parse_int(s, &v) || v < lo || v > hi) {
		return false;
	}
	if ((type == KEY_TYPE_INT4 && (v < INT32_MIN || v > INT32_MAX)) ||
	    (type == KEY_TYPE_INT2 && (v < INT16_MIN || v > INT16_MAX)))
		return false;
	*out = v;
	return true;
}

/* ----------------------------------------------------------------- numeric */

struct value_numeric {
	uint16_t digits[TENANT_NUMERIC_DIGITS]; /* base 10,000 */
	size_t n;
	int weight;
};

/* [+-]digits[.digits]. */
static bool
value_parse_numeric(struct slice s, struct value_numeric *out)
{
	size_t i = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+');
	size_t first = i, point = s.n, whole, n;
	int place; /* of the next digit in its group, 3 to 0 */

	for (; i < s.n; i++) {
		if (s.p[i] == '.' && point == s.n)
			point = i;
		else if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	}
	n = s.n - first - (point < s.n);
	whole = point - first;
	if (n == 0 || n / 4 + 2 > TENANT_NUMERIC_DIGITS)
		return false;
	memset(out, 0, sizeof(*out));
	out->weight = (int)((whole + 3) / 4) - 1;
	place = (int)((whole + 3) % 4);
	for (i = first; i < s.n; i++) {
		static const uint16_t power[] = { 1, 10, 100, 1000 };

		if (i == point)
			continue;
		out->digits[out->n] = (uint16_t)(out->digits[out->n] +
		    (s.p[i] - '0') * power[place]);
		if (place-- == 0) {
			out->n++;
			place = 3;
		}
	}
	out->n += place < 3;
	return true;
}

/* Digits behind the scale are cut off by the server: there must be none. */
static bool
value_read_numeric(struct slice s, struct value_numeric *out)
{
	int64_t sign, scale, digit, behind;

	if (s.n < 8 || s.n % 2 != 0)
		return false;
	out->n = (size_t)value_read_int(s.p, 2);
	out->weight = (int)value_read_int(s.p + 2, 2);
	sign = value_read_int(s.p + 4, 2);
	scale = value_read_int(s.p + 6, 2);
	if (out->n > TENANT_NUMERIC_DIGITS || s.n != 8 + 2 * out->n ||
	    (sign != 0 && sign != 0x4000) || scale < 0)
		return false;
	for (size_t i = 0; i < out->n; i++) {
		digit = value_read_int(s.p + 8 + 2 * i, 2);
		if (digit < 0 || digit > 9999)
			return false;
		out->digits[i] = (uint16_t)digit;
		/* Decimal digits of this group that lie behind the scale. */
		behind = ((int64_t)i - out->weight) * 4 - scale;
		for (int64_t k = 0; k < 4 && k < behind; k++) {
			if (digit % 10 != 0)
				return false;
			digit /= 10;
		}
	}
	return true;
}

static bool
value_numeric(struct slice s, bool binary, uint32_t oid, uint64_t *hash)
{
	struct value_numeric num;
	char text[24];
	int64_t v;

	if (oid == ROUTE_OID_INT2 || oid == ROUTE_OID_INT4 ||
	    oid == ROUTE_OID_INT8) {
		if (!value_int(KEY_TYPE_INT8, s, binary, oid, &v))
			return false;
		s = slice_make(text, (size_t)snprintf(text, sizeof(text),
		    "%lld", (long long)v));
		binary = false;
	} else if (oid != 0 && oid != ROUTE_OID_NUMERIC) {
		return false;
	}
	if (binary ? !value_read_numeric(s, &num) :
	    !value_parse_numeric(s, &num))
		return false;
	*hash = tenant_hash_numeric(num.digits, num.n, num.weight);
	return true;
}

/* ------------------------------------------------------------- other types */

static bool
value_bool(struct slice s, bool binary, uint32_t oid, uint64_t *hash)
{
	static const char *const no[] = { "f", "false", "n", "no", "off",
		"0" };
	static const char *const yes[] = { "t", "true", "y", "yes", "on",
		"1" };

	if (oid != 0 && oid != ROUTE_OID_BOOL)
		return false;
	if (binary) {
		*hash = tenant_hash_int4(s.n == 1 && s.p[0] != 0);
		return s.n == 1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		bool is = slice_eq_str(s, yes[i]);

		if (is || slice_eq_str(s, no[i])) {
			*hash = tenant_hash_int4(is);
			return true;
		}
	}
	return false;
}

static bool
value_date(struct slice s, bool binary, uint32_t oid, uint64_t *hash)
{
	int64_t days;

	if (oid != 0 && oid != ROUTE_OID_DATE)
		return false;
	if (binary) {
		if (s.n != 4)
			return false;
		days = value_read_int(s.p, 4);
	} else if (month_parse_date(s, &days)) {
		days -= VALUE_PG_EPOCH_US / MONTH_DAY_US;
	} else {
		return false;
	}
	*hash = tenant_hash_int4((int32_t)days);
	return true;
}

/* Microseconds since 2000-01-01. */
static bool
value_time(struct slice s, bool binary, int64_t *us)
{
	struct month_range r;

	if (binary) {
		if (s.n != 8)
			return false;
		*us = value_read_int(s.p, 8);
		return true;
	}
	if (!month_parse_text(s, MONTH_TIMESTAMPTZ, MONTH_ZONE_US, &r) ||
	    r.lo != r.hi)
		return false;
	*us = r.lo - VALUE_PG_EPOCH_US;
	return true;
}

/* char(n) without its padding. */
static struct slice
value_trim(struct slice s)
{
	while (s.n > 0 && s.p[s.n - 1] == ' ')
		s.n--;
	return s;
}

bool
tenant_value_uuid(struct slice s, bool binary, uint32_t oid, uint8_t out[16])
{
	if (oid != 0 && oid != ROUTE_OID_UUID && oid != ROUTE_OID_UNKNOWN)
		return false;
	if (!binary)
		return value_parse_uuid(s, out);
	if (s.n != 16)
		return false;
	memcpy(out, s.p, 16);
	return true;
}

bool
tenant_hash_value(enum conf_key_type type, struct slice s, bool binary,
    uint32_t oid, uint64_t *hash)
{
	uint8_t uuid[16];
	int64_t v;

	if (oid == ROUTE_OID_UNKNOWN)
		oid = 0;
	switch (type) {
	case KEY_TYPE_UUID:
		if (!tenant_value_uuid(s, binary, oid, uuid))
			return false;
		*hash = tenant_hash_uuid(uuid);
		return true;
	case KEY_TYPE_INT2:
	case KEY_TYPE_INT4:
	case KEY_TYPE_INT8:
		if (!value_int(type, s, binary, oid, &v))
			return false;
		*hash = tenant_hash_int8(v);
		return true;
	case KEY_TYPE_TEXT:
	case KEY_TYPE_VARCHAR:
		if (oid != 0 && !route_oid_is_text(oid))
			return false;
		*hash = tenant_hash_text(s);
		return true;
	case KEY_TYPE_BPCHAR:
		if (oid != 0 && oid != ROUTE_OID_BPCHAR &&
		    !route_oid_is_text(oid))
			return false;
		*hash = tenant_hash_text(value_trim(s));
		return true;
	case KEY_TYPE_BOOL:
		return value_bool(s, binary, oid, hash);
	case KEY_TYPE_DATE:
		return value_date(s, binary, oid, hash);
	case KEY_TYPE_TIMESTAMPTZ:
		if ((oid != 0 && oid != ROUTE_OID_TIMESTAMPTZ) ||
		    !value_time(s, binary, &v))
			return false;
		*hash = tenant_hash_int8(v);
		return true;
	case KEY_TYPE_NUMERIC:
		return value_numeric(s, binary, oid, hash);
	case KEY_TYPE_COUNT:
		break;
	}
	return false;
}

bool
tenant_stores_value(enum conf_key_type type, struct slice s, bool binary)
{
	int64_t us;

	switch (type) {
	case KEY_TYPE_VARCHAR:
		/* Blanks that are too many are cut off. */
		return s.n == 0 || s.p[s.n - 1] != ' ';
	case KEY_TYPE_TIMESTAMPTZ:
		return value_time(s, binary, &us) && us % MONTH_SECOND_US == 0;
	case KEY_TYPE_NUMERIC:
		return false; /* the scale may be negative, even */
	default:
		return true;
	}
}
