/* SPDX-License-Identifier: PostgreSQL
 *
 * What a SELECT, INSERT, UPDATE or DELETE is apart from its values: the print
 * of its tree, and the places where values stand.
 *
 * Walks the tree by protobuf-c's descriptors and writes down all of it but
 * locations, so that blanks, comments, letter case of keywords and brackets
 * do not matter, and a literal, a parameter and either inside of casts are
 * one and the same: a place.  TRUE, FALSE and NULL are no values here.  The
 * print is keyed per process.  Recursion is as deep as the tree, which the
 * lexer has capped.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "sql/parse_priv.h"

#define IDENTITY_MAX (4u << 20) /* bytes of a tree written down */

struct identity {
	const struct parse *p;
	struct buf b;
	struct an_value places[AN_PLACES_MAX];
	size_t n;
	bool all_placed; /* of one with more places nothing is wanted: it may have
	                    thousands */
	bool failed;
};

static void identity_message(struct identity *d, const ProtobufCMessage *m);

static void
identity_bytes(struct identity *d, const void *p, size_t n)
{
	d->failed = d->failed || !buf_append(&d->b, p, n);
}

static void
identity_int(struct identity *d, uint64_t v)
{
	identity_bytes(d, &v, sizeof(v));
}

/* A value, maybe inside of casts. */
static bool
identity_value(const struct identity *d, const parse_node *n,
    struct an_value *v)
{
	enum an_cast cast = AN_CAST_NONE;
	bool negative;

	for (; NODE_IS(n, TYPE_CAST); n = n->type_cast->arg)
		if (cast == AN_CAST_NONE)
			cast = parse_cast(n->type_cast->type_name);
	*v = (struct an_value){ .cast = cast };
	if (NODE_IS(n, PARAM_REF)) {
		v->kind = AN_VAL_PARAM;
		v->index = (uint32_t)n->param_ref->number - 1;
		return true;
	}
	if (!NODE_IS(n, A_CONST) || n->a_const->isnull ||
	    n->a_const->val_case == PG_QUERY__A__CONST__VAL_BOOLVAL)
		return false;
	v->kind = parse_literal_cut(d->p, n->a_const, &v->index, &negative) ?
	    AN_VAL_CUT : AN_VAL_OTHER;
	v->negative = negative;
	return true;
}

static void
identity_place(struct identity *d, const struct an_value *v)
{
	identity_bytes(d, "?", 1);
	if (d->n < AN_PLACES_MAX)
		d->places[d->n] = *v;
	d->n++;
	d->failed = d->failed || (d->all_placed && d->n > AN_PLACES_MAX);
}

/* Where something stands in the text. */
static bool
identity_is_location(const char *field)
{
	return strcmp(field, "location") == 0 ||
	    strcmp(field, "stmt_location") == 0 ||
	    strcmp(field, "stmt_len") == 0;
}

/* One member of a field, or the field. */
static void
identity_member(struct identity *d, const ProtobufCFieldDescriptor *f,
    const char *at)
{
	const char *text;

	switch (f->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
		identity_message(d, *(const ProtobufCMessage *const *)
		    (const void *)at);
		break;
	case PROTOBUF_C_TYPE_STRING:
		text = *(const char *const *)(const void *)at;
		identity_bytes(d, text, strlen(text) + 1);
		break;
	case PROTOBUF_C_TYPE_BOOL:
	case PROTOBUF_C_TYPE_ENUM:
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_UINT32:
		identity_bytes(d, at, 4);
		break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_DOUBLE:
		identity_bytes(d, at, 8);
		break;
	default:
		d->failed = true;
	}
}

static size_t
identity_size(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
	case PROTOBUF_C_TYPE_STRING:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	default:
		return 4;
	}
}

/* What is not there is not written, what is there begins with its number. */
static void
identity_field(struct identity *d, const ProtobufCFieldDescriptor *f,
    const char *m)
{
	const char *at = m + f->offset;
	const void *q = m + f->quantifier_offset;
	size_t n, i;

	if (f->label == PROTOBUF_C_LABEL_REPEATED) {
		n = *(const size_t *)q;
		if (n == 0)
			return;
		identity_int(d, (uint64_t)f->id << 32 | n);
		at = *(const char *const *)(const void *)at;
		for (i = 0; i < n; i++)
			identity_member(d, f, at + i * identity_size(f));
		return;
	}
	if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
	    *(const uint32_t *)q != f->id)
		return;
	if (f->type == PROTOBUF_C_TYPE_MESSAGE &&
	    *(const void *const *)(const void *)at == NULL)
		return;
	identity_int(d, f->id);
	identity_member(d, f, at);
}

static void
identity_message(struct identity *d, const ProtobufCMessage *m)
{
	const parse_node *n = (const parse_node *)(const void *)m;
	struct an_value v;
	unsigned i;

	if (m->descriptor == &pg_query__node__descriptor) {
		if (identity_value(d, n, &v)) {
			identity_place(d, &v);
			return;
		}
		identity_int(d, n->node_case);
		/* The union's members are pointers to messages. */
		if (n->node_case != PG_QUERY__NODE__NODE__NOT_SET)
			identity_message(d, &n->select_stmt->base);
		return;
	}
	identity_bytes(d, "(", 1);
	for (i = 0; i < m->descriptor->n_fields && !d->failed; i++)
		if (!identity_is_location(m->descriptor->fields[i].name))
			identity_field(d, &m->descriptor->fields[i],
			    (const char *)(const void *)m);
	identity_bytes(d, ")", 1);
}

void
parse_identity(struct parse *p, const parse_node *stmt)
{
	struct analysis *an = p->an;
	struct identity d = { .p = p };
	bool changes = NODE_IS(stmt, INSERT_STMT) ||
	    NODE_IS(stmt, UPDATE_STMT) || NODE_IS(stmt, DELETE_STMT);

	/* With rows left out there are more places than are told. */
	if ((!NODE_IS(stmt, SELECT_STMT) && !changes) || p->rows != NULL)
		return;
	d.all_placed = changes;
	buf_init(&d.b, IDENTITY_MAX);
	identity_message(&d, &stmt->base);
	if (!d.failed) {
		an->has_print = true;
		an->print = hash_bytes(buf_head(&d.b), buf_len(&d.b));
		an->n_places = d.n < AN_PLACES_MAX ? d.n : AN_PLACES_MAX;
		an->places = x_calloc(an->n_places + 1, sizeof(*an->places));
		memcpy(an->places, d.places, an->n_places *
		    sizeof(*an->places));
	}
	buf_reset(&d.b);
}
