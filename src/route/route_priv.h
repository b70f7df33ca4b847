/* SPDX-License-Identifier: PostgreSQL
 *
 * What the files of src/route share among themselves.
 */
#ifndef PGSLUICE_ROUTE_ROUTE_PRIV_H
#define PGSLUICE_ROUTE_ROUTE_PRIV_H

#include "conf/ident.h"
#include "route/month.h"
#include "route/route.h"
#include "sql/split.h"

/* named.c: a statement's analysis. */
struct analysis *route_analyse(const struct conf *c, struct slice sql)
    PG_MUST_CHECK;
/* The query of a rewrite: each of its values must have a name. selects: it
 * writes nothing. */
bool route_names_read(const struct conf *c, struct conf_query *q,
    bool *selects, char *why, size_t size) PG_MUST_CHECK;
/* Append text with q's names as parameters, in their order; met: the set of
 * those that stand in it is added. */
bool route_names_number(struct conf_query *q, const char *text,
    struct buf *out, uint32_t *met, char *why, size_t size) PG_MUST_CHECK;
/* Is it a statement that a rewrite may lead to? */
bool route_names_plain(const struct conf *c, struct slice sql, bool *selects,
    char *why, size_t size) PG_MUST_CHECK;

/* translate.c: the rewrite of the view's variant for a statement of this
 * analysis, and the table that it is for; NULL: none is. */
const struct conf_rewrite *route_translation(const struct conf_database *db,
    const struct analysis *a, const struct conf_table **table);
/* Append its text with the statement's values. */
bool route_translate(const struct conf_rewrite *r, const struct shape *s,
    const struct route_values *v, struct buf *out) PG_MUST_CHECK;

/* OIDs of builtin types. */
#define ROUTE_OID_BOOL 16u
#define ROUTE_OID_INT8 20u
#define ROUTE_OID_INT2 21u
#define ROUTE_OID_INT4 23u
#define ROUTE_OID_TEXT 25u
#define ROUTE_OID_UNKNOWN 705u
#define ROUTE_OID_BPCHAR 1042u
#define ROUTE_OID_VARCHAR 1043u
#define ROUTE_OID_DATE 1082u
#define ROUTE_OID_TIMESTAMP 1114u
#define ROUTE_OID_TIMESTAMPTZ 1184u
#define ROUTE_OID_NUMERIC 1700u
#define ROUTE_OID_UUID 2950u

static inline bool
route_oid_is_text(uint32_t oid)
{
	return oid == ROUTE_OID_TEXT || oid == ROUTE_OID_VARCHAR;
}

/* value.c */
enum route_value_kind {
	ROUTE_VALUE_NONE,   /* not known to us: now(), an expression */
	ROUTE_VALUE_NULL,
	ROUTE_VALUE_NUMBER, /* a bare number literal, sign included */
	ROUTE_VALUE_TEXT,   /* a quoted literal or a text parameter */
	ROUTE_VALUE_BINARY
};
struct route_value {
	enum route_value_kind kind;
	struct slice s;
	uint32_t oid;   /* a parameter's declared type, 0: none */
	bool param;
	bool repeated;  /* an untyped parameter that stands in several places: its
	                   type may come from another one */
	char scratch[512];
};
/* Reads values of one execution, best in the order they are bound in. */
struct route_reader {
	const struct route_values *v;
	struct msgread at; /* parameter number next */
	unsigned next;
	size_t steps;
};
void route_reader_init(struct route_reader *r, const struct route_values *v);
/* Borrows from the values and from *out. */
void route_value_get(struct route_reader *r, const struct an_value *val,
    struct route_value *out);
/* A parameter of this execution holds a word that means another instant each
 * time ('now', 'today'). */
bool route_values_special(const struct route_values *v);

/* key.c */
enum route_key {
	ROUTE_KEY_UNSURE, /* how the server reads it is not certain */
	ROUTE_KEY_NULL,
	ROUTE_KEY_HASH
};
/* stored: the value is put into the column, not compared with it. */
enum route_key route_key_hash(enum conf_key_type type, struct route_reader *r,
    const struct an_value *val, bool stored, uint64_t *hash);
/* The same of a value that is not NULL. *rv may be changed. false: unsure. */
bool route_key_hash_value(enum conf_key_type type,
    const struct route_values *v, struct route_value *rv, enum an_cast cast,
    bool stored, uint64_t *hash) PG_MUST_CHECK;
/* A value that meets a column of type uuid. false: unsure, or NULL. */
bool route_key_uuid(struct route_reader *r, const struct an_value *val,
    uint8_t out[16]) PG_MUST_CHECK;
static inline bool
route_key_is_int(enum conf_key_type t)
{
	return t == KEY_TYPE_INT2 || t == KEY_TYPE_INT4 || t == KEY_TYPE_INT8;
}
/* Number of the key column of that name; n_keys: it is none. */
size_t route_key_of(const struct conf_table *t, const char *column);

/* array.c: the members of an array that is one value. */
struct route_array {
	struct route_value value;
	struct slice left;
	size_t count;     /* binary: members to come */
	uint32_t member;  /* type of them, 0: not declared */
	bool binary, null, text, first, comma;
	bool broken;      /* it ended where it is not understood */
};
/* false: it is none that can be read. */
bool route_array_open(struct route_array *a, struct route_reader *r,
    const struct an_value *v, enum conf_key_type type) PG_MUST_CHECK;
/* false: that were all, if it is not broken. */
bool route_array_next(struct route_array *a, struct route_value *out)
    PG_MUST_CHECK;

/* confine.c: the shards that can hold rows of the plan's table, the only one
 * of the statement, which it reads, changes or makes; none: no row can
 * match. */
void route_confine(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, struct route_shards *out);
/* The shard of each of the n rows of an INSERT .. VALUES. false: one is not proven. */
bool route_confine_rows(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, unsigned *shard_of, size_t n)
    PG_MUST_CHECK;
/* ... or rows of any of these relations of it, a set of their numbers. */
void route_confine_all(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, uint32_t tables, struct route_shards *out);
/* Values of keys of these types that are equal hash alike. stored: one is put
 * into the other's column. */
bool route_keys_agree(enum conf_key_type a, enum conf_key_type b, bool stored);

/* apart.c: each shard can be asked for its part of the statement's rows, since
 * this one of an_split.drivers can be divided by shards, and all other
 * relations with it. */
bool route_apart(const struct route_plan *p, const struct analysis *a,
    const struct an_driver *d);
/* These items of a list are, or have among them, the whole key of each of the
 * driver's relations. */
bool route_apart_keys(const struct route_plan *p, const struct an_driver *d,
    const struct an_item *items, size_t n);

/* times.c */

/* How sure a range has to be. */
enum route_sure {
	ROUTE_SURE_LOOSE,       /* for the life of a cached result */
	ROUTE_SURE_ANY_COLUMN,  /* no row is outside, whatever the column's type:
	                           the session's zone may convert the value to
	                           it */
	ROUTE_SURE_TIMESTAMPTZ  /* the same; this is the column's type */
};
/* Times of all rows of a relation of the statement, by this column of it;
 * false: they may have any. */
bool route_times(const struct shape *s, const struct route_values *v,
    unsigned an_table, const char *column, enum route_sure how,
    struct month_range *all) PG_MUST_CHECK;

/* The same of the plan's table, also by its UUIDs if they are known to agree with its
 * times. */
bool route_table_times(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, enum route_sure how,
    struct month_range *all) PG_MUST_CHECK;

/* gap.c: the blanks and comments between tokens of the client's text. */

/* First byte at or after pos that is neither. */
size_t gap_forward(const struct route_values *v, size_t pos);
/* One past the last byte before pos that is neither. */
size_t gap_backward(const struct route_values *v, size_t pos);
/* The relation token at [pos, pos + len) stands behind ONLY. *open: in
 * brackets. */
bool gap_is_only(const struct route_values *v, size_t pos, bool *open);

/* table.c */

/* The routed table that t names in db, or NULL. *second is set to another one
 * that the name fits as well, NULL: none. */
const struct conf_table *route_table_find(const struct conf_database *db,
    const struct an_table *t, const struct conf_table **second);
/* Name by which results depend on t: the logical one for a routed table and
 * for any of its physical relations. */
const char *route_table_dep(const struct conf_database *db,
    const struct an_table *t);

/* period.c */

/* Leave the shards whose periods can hold rows of the range; those of the
 * default one only where the others leave a gap. false: they do, so a row of
 * the range may have no place in them. */
bool route_periods_cut(const struct conf_variant *v,
    const struct month_range *r, struct route_shards *some);

/* verdict.c: why a statement is never cached, whatever rules say. */
enum bypass_reason route_never_cached(const struct analysis *a);

/* verdict.c: fills reads, writes, writes_all, rule and bypass. */
void route_plan_verdict(struct route_plan *p, const struct shape *s);
/* everything.c: why a rule for all tables does not apply, all else being well. */
enum bypass_reason route_everything(const struct conf_database *db,
    const struct shape *s);

/* replica.c: fills replica and replica_rule, once tables and rule are known. */
void route_plan_replica(struct route_plan *p, const struct analysis *a);

#endif
