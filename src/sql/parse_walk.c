/* SPDX-License-Identifier: PostgreSQL
 *
 * Walks every node of a statement's tree, whatever its type, by protobuf-c's
 * own descriptors, and notes effects: functions, operators, locks, parameters.
 * Which nodes are understood stands in tbl/sql_nodes.h.  Recursion is as deep
 * as the tree, which the lexer has capped; frames are small next to those of
 * the library.  Any thread; one struct parse each.
 */
#include <strings.h>

#include "sql/functions.h"
#include "sql/parse_priv.h"

/* A node type that is missing in the table stops the build here. */
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wswitch"
const struct parse_row *
parse_node_row(PgQuery__Node__NodeCase c)
{
	static const struct parse_row never = { PV_NEVER, STMT_OTHER, 0, 0 };

	switch (c) {
#define SQL_NODE(sym, v) \
	case PG_QUERY__NODE__NODE_##sym: { \
		static const struct parse_row row = { PV_##v, STMT_OTHER, 0, \
		    PIN_NONE }; \
		return &row; \
	}
#define SQL_STMT(sym, k, f, pin) \
	case PG_QUERY__NODE__NODE_##sym: { \
		static const struct parse_row row = { PV_STMT, STMT_##k, f, \
		    PIN_##pin }; \
		return &row; \
	}
#include "tbl/sql_nodes.h"
	case PG_QUERY__NODE__NODE__NOT_SET:
	case _PG_QUERY__NODE__NODE__CASE_IS_INT_SIZE:
		break;
	}
	return &never;
}
#pragma GCC diagnostic pop

void
parse_unknown(struct parse *p)
{
	p->an->flags |= AN_WRITES_ALL | AN_VOLATILE | AN_UNKNOWN_FN;
	parse_pin(p, PIN_UNPARSED);
}

bool
parse_is_temp_schema(const char *schema)
{
	return strcmp(schema, "pg_temp") == 0 ||
	    strncmp(schema, "pg_temp_", 8) == 0;
}

/* --------------------------------------------------------------- handlers */

static bool
walk_is_declared(const char *const *list, size_t n, const char *schema,
    const char *name)
{
	size_t i, len = schema == NULL ? 0 : strlen(schema);

	for (i = 0; i < n; i++) {
		if (strcmp(list[i], name) == 0)
			return true;
		if (schema != NULL && strncmp(list[i], schema, len) == 0 &&
		    list[i][len] == '.' && strcmp(list[i] + len + 1, name) == 0)
			return true;
	}
	return false;
}

static void
walk_unknown_function(struct parse *p, const char *schema, const char *name)
{
	const struct an_functions *f = p->fns;

	p->an->group_or_agg = true; /* it may be an aggregate */
	if (f != NULL && walk_is_declared(f->readonly, f->n_readonly, schema,
	    name)) {
		p->an->flags |= AN_READONLY_FN;
		return;
	}
	if (f != NULL && walk_is_declared(f->stateless, f->n_stateless, schema,
	    name)) {
		p->an->flags |= AN_VOLATILE | AN_WRITES_ALL;
		return;
	}
	p->an->flags |= AN_UNKNOWN_FN | AN_WRITES_ALL;
	parse_pin(p, PIN_FUNCTION);
}

/* The name must be one that can be told when the statement is sent. */
static void
walk_set_config(struct parse *p, const PgQuery__FuncCall *f)
{
	const parse_node *last = f->n_args == 3 ? f->args[2] : NULL;
	struct an_value name;

	if (last == NULL || NODE_IS(f->args[0], NAMED_ARG_EXPR) ||
	    NODE_IS(f->args[1], NAMED_ARG_EXPR) ||
	    NODE_IS(last, NAMED_ARG_EXPR) ||
	    !parse_value(p, f->args[0], &name) ||
	    (name.kind != AN_VAL_CUT && name.kind != AN_VAL_PARAM)) {
		parse_pin(p, PIN_SETTING);
		return;
	}
	if (NODE_IS(last, A_CONST) && !last->a_const->isnull &&
	    last->a_const->val_case == PG_QUERY__A__CONST__VAL_BOOLVAL &&
	    last->a_const->boolval->boolval)
		p->an->flags |= AN_SET_LOCAL;
	else
		parse_setting(p, NULL, &name, false);
}

/* It gives session locks back, or may not get one. */
static bool
walk_is_unlock(const char *name)
{
	return strncmp(name, "pg_advisory_unlock", 18) == 0 ||
	    strncmp(name, "pg_try_advisory_lock", 20) == 0;
}

static void
walk_function(struct parse *p, const PgQuery__FuncCall *f)
{
	struct function_info info;
	const char *schema = NULL, *name = NULL;

	if (f->n_funcname > 0)
		name = parse_string(f->funcname[f->n_funcname - 1]);
	if (f->n_funcname > 1)
		schema = parse_string(f->funcname[f->n_funcname - 2]);
	if (name == NULL || (f->n_funcname > 1 && schema == NULL)) {
		parse_unknown(p);
	} else if (schema != NULL &&
	    strcmp(schema, "information_schema") == 0) {
		p->an->flags |= AN_STABLE | AN_CATALOG;
	} else if ((schema == NULL || strcmp(schema, "pg_catalog") == 0) &&
	    function_lookup(name, &info)) {
		p->an->flags |= info.flags;
		p->an->group_or_agg |= info.aggregate;
		if (strcmp(name, "set_config") == 0)
			walk_set_config(p, f);
		else if (info.pin != PIN_NONE)
			parse_pin(p, info.pin);
		if (walk_is_unlock(name))
			parse_end(p, PIN_ADVISORY);
	} else {
		walk_unknown_function(p, schema, name);
	}
	if (f->over != NULL || f->agg_star || f->agg_distinct ||
	    f->agg_within_group || f->agg_filter != NULL ||
	    f->n_agg_order > 0)
		p->an->group_or_agg = true;
	parse_walk_fields(p, &f->base);
}

/* An operator of an extension: it has a function that is not known. Operators
 * do not write, so nothing but the cache is told. */
static void
walk_operator(struct parse *p, parse_node *const *names, size_t n)
{
	const char *name = parse_builtin_name(names, n);

	if (n > 0 && (name == NULL || !operator_is_known(name)))
		p->an->flags |= AN_UNKNOWN_FN;
}

static void
walk_expr(struct parse *p, const PgQuery__AExpr *e)
{
	switch (e->kind) {
	case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN:
	case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN:
	case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN_SYM:
	case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM:
		break; /* the name is BETWEEN itself */
	default:
		walk_operator(p, e->name, e->n_name);
	}
	parse_walk_fields(p, &e->base);
}

/* A literal or parameter, maybe inside of casts and arrays. */
static bool
walk_is_literal(const parse_node *n)
{
	size_t i;

	while (NODE_IS(n, TYPE_CAST))
		n = n->type_cast->arg;
	if (NODE_IS(n, A_ARRAY_EXPR)) {
		for (i = 0; i < n->a_array_expr->n_elements; i++)
			if (walk_is_literal(n->a_array_expr->elements[i]))
				return true;
		return false;
	}
	return NODE_IS(n, A_CONST) || NODE_IS(n, PARAM_REF);
}

static void
walk_cast(struct parse *p, const PgQuery__TypeCast *c)
{
	static const char *const types[] = { "date", "timestamp",
	    "timestamptz", "time", "timetz", "tsrange", "tstzrange",
	    "daterange", "tsmultirange", "tstzmultirange", "datemultirange" };
	const PgQuery__TypeName *t = c->type_name;
	const char *name = t == NULL || t->n_names == 0 ? NULL :
	    parse_string(t->names[t->n_names - 1]);
	size_t i;

	for (i = 0; name != NULL && i < ARRAY_SIZE(types); i++) {
		if (strcmp(name, types[i]) != 0)
			continue;
		/* The zone of a timetz depends on today's offset. */
		if (strcmp(name, "timetz") == 0)
			p->an->flags |= AN_STABLE;
		if (walk_is_literal(c->arg))
			p->an->flags |= AN_DATETIME_LITERAL;
	}
	parse_walk_fields(p, &c->base);
}

static void
walk_param(struct parse *p, const PgQuery__ParamRef *ref)
{
	p->an->flags |= AN_PARAMS;
	if (ref->number < 1 || ref->number > UINT16_MAX)
		p->failed = true; /* the protocol cannot bind it */
	else if ((unsigned)ref->number > p->an->n_params)
		p->an->n_params = (unsigned)ref->number;
}

static void
walk_hand(struct parse *p, PgQuery__Node__NodeCase c, const ProtobufCMessage *m)
{
	const void *v = m;

	switch ((int)c) {
	case PG_QUERY__NODE__NODE_RANGE_VAR:
		(void)parse_table(p, v, p->use);
		break;
	case PG_QUERY__NODE__NODE_COLUMN_REF:
		parse_column_ref(p, v);
		break;
	case PG_QUERY__NODE__NODE_FUNC_CALL:
		walk_function(p, v);
		break;
	case PG_QUERY__NODE__NODE_A_EXPR:
		walk_expr(p, v);
		break;
	case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION:
		p->an->flags |= AN_STABLE;
		break;
	case PG_QUERY__NODE__NODE_PARAM_REF:
		walk_param(p, v);
		break;
	case PG_QUERY__NODE__NODE_TYPE_CAST:
		walk_cast(p, v);
		break;
	case PG_QUERY__NODE__NODE_SUB_LINK:
		walk_operator(p, ((const PgQuery__SubLink *)v)->oper_name,
		    ((const PgQuery__SubLink *)v)->n_oper_name);
		__attribute__((fallthrough));
	case PG_QUERY__NODE__NODE_JOIN_EXPR:
	case PG_QUERY__NODE__NODE_RANGE_SUBSELECT:
		p->an->flags |= AN_SUBLINK;
		parse_walk_fields(p, m);
		break;
	case PG_QUERY__NODE__NODE_MULTI_ASSIGN_REF:
		/* SET (a, b) = source: the source hangs below each column. */
		if (((const PgQuery__MultiAssignRef *)v)->colno == 1)
			parse_walk_fields(p, m);
		break;
	case PG_QUERY__NODE__NODE_LOCKING_CLAUSE:
		p->an->flags |= AN_LOCKING; /* its relations are aliases */
		break;
	case PG_QUERY__NODE__NODE_RANGE_TABLE_SAMPLE:
		p->an->flags |= AN_TABLESAMPLE | AN_VOLATILE;
		parse_walk_fields(p, m);
		break;
	case PG_QUERY__NODE__NODE_WITH_CLAUSE:
		break; /* parse_ctes_push() has seen it */
	case PG_QUERY__NODE__NODE_INTO_CLAUSE: {
		enum parse_use use = p->use;

		p->use = USE_DDL;
		p->an->flags |= AN_WRITES_ALL;
		if (((const PgQuery__IntoClause *)v)->on_commit ==
		    PG_QUERY__ON_COMMIT_ACTION__ONCOMMIT_DROP)
			parse_end(p, PIN_TEMP);
		parse_walk_fields(p, m);
		p->use = use;
		break;
	}
	case PG_QUERY__NODE__NODE_STRING:
		if (parse_is_temp_schema(((const PgQuery__String *)v)->sval))
			parse_pin(p, PIN_TEMP);
		break;
	default:
		WRONG("node in the table without a handler");
	}
}

/* ------------------------------------------------------------------- walk */

static const ProtobufCFieldDescriptor *
walk_node_fields(void)
{
	return pg_query__node__descriptor.fields;
}

static void
walk_visit(struct parse *p, PgQuery__Node__NodeCase c,
    const ProtobufCMessage *m)
{
	switch (parse_node_row(c)->verdict) {
	case PV_WALK:
		parse_walk_fields(p, m);
		break;
	case PV_LEAF:
		break;
	case PV_HAND:
		walk_hand(p, c, m);
		break;
	case PV_STMT: {
		parse_node n = PG_QUERY__NODE__INIT;

		n.node_case = c;
		n.select_stmt = (PgQuery__SelectStmt *)(uintptr_t)m;
		parse_statement(p, &n, false);
		break;
	}
	case PV_NEVER:
		parse_unknown(p);
		break;
	}
}

void
parse_walk_node(struct parse *p, const parse_node *n)
{
	/* The union's members are pointers to messages, all of them. */
	if (n != NULL && n->node_case != PG_QUERY__NODE__NODE__NOT_SET)
		walk_visit(p, n->node_case, &n->select_stmt->base);
}

void
parse_walk_nodes(struct parse *p, parse_node *const *nodes, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		parse_walk_node(p, nodes[i]);
}

static void
walk_message(void *arg, const ProtobufCMessage *m)
{
	const ProtobufCFieldDescriptor *fields = walk_node_fields();
	struct parse *p = arg;
	unsigned i;

	if (m->descriptor == &pg_query__node__descriptor) {
		parse_walk_node(p, (const parse_node *)(const void *)m);
		return;
	}
	for (i = 0; i < pg_query__node__descriptor.n_fields; i++)
		if (fields[i].descriptor == m->descriptor) {
			walk_visit(p, (PgQuery__Node__NodeCase)fields[i].id, m);
			return;
		}
	parse_unknown(p);
}

void
parse_each_message(const ProtobufCMessage *m,
    void (*fn)(void *arg, const ProtobufCMessage *m), void *arg)
{
	const char *base = (const char *)(const void *)m;
	unsigned i;
	size_t k;

	for (i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		const void *at = base + f->offset;
		const void *q = base + f->quantifier_offset;
		ProtobufCMessage *const *list;

		if (f->type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			list = *(ProtobufCMessage *const *const *)at;
			for (k = 0; k < *(const size_t *)q; k++)
				fn(arg, list[k]);
		} else if ((!(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) ||
		    *(const uint32_t *)q == f->id) &&
		    *(ProtobufCMessage *const *)at != NULL) {
			fn(arg, *(ProtobufCMessage *const *)at);
		}
	}
}

void
parse_walk_fields(struct parse *p, const ProtobufCMessage *m)
{
	parse_each_message(m, walk_message, p);
}
