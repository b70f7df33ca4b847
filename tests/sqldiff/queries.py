# SPDX-License-Identifier: PostgreSQL
"""SELECT statements, each with what is known of its answer: whether the order
of its rows is certain, and which columns are sums of floats."""

from .terms import SORTABLE, Relation, Scope, relation

OUTPUT = ["int4", "int8", "numeric", "float8", "text", "timestamptz", "date",
          "bool", "interval", "uuid", "jsonb", "text[]"]


class Query:
    """sql; ordered: rows have one certain order; rough: numbers of columns
    that depend on the order in which floats were added; columns: type of each
    by name, for those that read from it; unique: names that make a row.
    modifiers: those of types do not depend on the plan; data: for COPY."""

    modifiers = True
    data = None

    def __init__(self, sql, columns, unique=None, ordered=False, rough=()):
        self.sql = sql
        self.columns = columns
        self.unique = unique
        self.ordered = ordered
        self.rough = set(rough)


# -- FROM --------------------------------------------------------------

def relations(d, most=2):
    """(text of FROM, Scope)"""
    how = d.dice.weighted([(55, "one"), (10, "self key"), (5, "self other"),
                           (10, "accounts"), (8, "kinds"), (6, "items"),
                           (6, "comma")]) if most > 1 else "one"
    if how == "one":
        r = relation(d, d.dice.weighted(
            [(50, "ev"), (20, "it"), (22, "by"), (6, "acct"), (2, "kind")]))
        return r.text, Scope(d, [r])
    join = d.dice.pick(["JOIN", "JOIN", "LEFT JOIN", "FULL JOIN"])
    if how == "items":
        a, b = relation(d, "it", True), relation(d, "kind", True)
        on = f"{a.ref('qty')} = {b.ref('id')}"
    else:
        a = relation(d, "ev", True)
        b = relation(d, {"self key": "ev", "self other": "ev",
                         "accounts": "acct", "kinds": "kind",
                         "comma": "acct"}[how], True)
        on = {"self key": f"{a.ref('tenant')} = {b.ref('tenant')} AND "
              f"{a.ref('id')} = {b.ref('id')}",
              "self other": f"{a.ref('id')} + 1 = {b.ref('id')}",
              "kinds": f"{a.ref('qty')} = {b.ref('id')}"}.get(
                  how, f"{a.ref('tenant')} = {b.ref('tenant')}")
    if d.dice.chance(30):
        a, b = b, a
    if how == "comma":
        return f"{a.text}, {b.text} WHERE {on}", Scope(d, [a, b])
    if how == "accounts" and d.dice.chance(30):
        return f"{a.text} {join} {b.text} USING (tenant)", Scope(d, [a, b])
    return f"{a.text} {join} {b.text} ON {on}", Scope(d, [a, b])


def source(d, most=2):
    """FROM and WHERE, and the Scope."""
    text, scope = relations(d, most)
    where = scope.where()
    if where:
        word = " AND " if " WHERE " in text else " WHERE "
        text += word + (f"({where})" if word == " AND " else where)
    return text, scope


# -- the plain kind ----------------------------------------------------

def outputs(scope, most=4):
    """[(expression, type)]"""
    kinds = scope.dice.some(OUTPUT, 1, most)
    return [(scope.expr(k), k) for k in kinds]


def named(items):
    """As c1, c2, ... and their types."""
    return (", ".join(f"{e} AS c{n}" for n, (e, _) in enumerate(items, 1)),
            {f"c{n}": k for n, (_, k) in enumerate(items, 1)})


def limit(d):
    out = ""
    if d.dice.chance(60):
        count = str(d.dice.pick([1, 3, 10, 50, 0]))
        out += d.dice.weighted([
            (80, f" LIMIT {d.constant('int8', count)}"),
            (8, f" FETCH FIRST {count} ROWS ONLY"), (4, " LIMIT ALL"),
            (4, " LIMIT NULL"), (4, f" LIMIT {count} + 1")])
    if d.dice.chance(25):
        skip = f" OFFSET {d.constant('int8', str(d.dice.pick([1, 5, 20])))}"
        # FETCH comes behind OFFSET in the standard, PostgreSQL takes both.
        out = skip + out if d.dice.chance(20) else out + skip
    return out


def ordered_tail(scope, order):
    return f" ORDER BY {order}" + limit(scope.d)


def rows(d):
    text, scope = source(d)
    if d.dice.chance(15) and len(scope.relations) == 1:
        r = scope.relations[0]
        columns = {c: k for c, k in r.columns.items() if c != "noise"}
        star = d.dice.pick(["*", f"{r.alias}.*"])
        return finish_rows(d, scope, f"SELECT {star} FROM {text}",
                           columns, list(r.unique))
    items = outputs(scope)
    head, columns = named(items)
    if d.dice.chance(20):
        head = ", ".join(e for e, _ in items)
        columns = {}
    elif d.dice.chance(15) and len(scope.relations) == 1:
        # By the name of another one.
        r = scope.relations[0]
        name = d.dice.pick([c for c in r.columns if c != "noise"])
        head, columns = f"{items[0][0]} AS {name}", {name: items[0][1]}
    return finish_rows(d, scope, f"SELECT {head} FROM {text}", columns, None)


def finish_rows(d, scope, sql, columns, unique):
    if d.dice.chance(50):
        return Query(sql, columns, unique)
    order = scope.total_order()
    sortable = [(n, c) for n, (c, k) in enumerate(columns.items(), 1)
                if k in SORTABLE]
    if sortable and len(scope.relations) == 1 and d.dice.chance(25):
        n, column = d.dice.pick(sortable)
        first = str(n) if d.dice.chance(50) else column
        order = ", ".join(scope.order([(first, "")]) + [order])
    if d.dice.chance(50):
        return Query(f"{sql} ORDER BY {order}", columns, unique, True)
    return Query(sql + ordered_tail(scope, order), columns, unique, True)


# -- aggregates --------------------------------------------------------

NUMBERS = ["int4", "int8", "numeric", "float8"]


def aggregate(scope):
    """(expression, type, rough)"""
    d = scope.d
    how = d.dice.below(16)
    x = scope.expr(d.dice.pick(NUMBERS), 1)
    if how == 0:
        out = "count(*)", "int8", False
    elif how == 1:
        out = f"count({scope.any_column()[0]})", "int8", False
    elif how == 2:
        out = f"count(DISTINCT {scope.any_column()[0]})", "int8", False
    elif how in (3, 4):
        kind = d.dice.pick(NUMBERS)
        out = (f"sum({scope.expr(kind, 1)})",
               {"int4": "int8", "int8": "numeric"}.get(kind, kind), False)
    elif how in (5, 6):
        kind = d.dice.pick([k for k in SORTABLE if k not in ("uuid", "bool")])
        out = (f"{d.dice.pick(['min', 'max'])}({scope.expr(kind, 1)})", kind,
               False)
    elif how in (7, 8):
        out = f"avg({scope.expr(d.dice.pick(NUMBERS[:3]), 1)})", None, False
    elif how == 9:
        out = (f"{d.dice.pick(['bool_and', 'bool_or', 'every'])}"
               f"({scope.expr('bool', 1)})", "bool", False)
        if d.dice.chance(25):
            out = (f"{d.dice.pick(['bit_and', 'bit_or'])}"
                   f"({scope.expr('int4', 1)})", "int4", False)
    elif how == 10:
        order = ", ".join(scope.order([(x, "int4")]) + scope.unique())
        out = f"array_agg({x} ORDER BY {order})", None, False
    elif how == 11:
        t = scope.expr("text", 1)
        order = ", ".join(scope.order([(t, "text")]) + scope.unique())
        out = f"string_agg({t}, ',' ORDER BY {order})", "text", False
    elif how == 12:
        out = f"avg({scope.expr('float8', 0)})", "float8", False
    elif how == 13:
        out = f"sum(DISTINCT {scope.expr('int4', 1)})", "int8", False
    elif how == 14:
        out = (f"{d.dice.pick(['stddev', 'var_pop'])}"
               f"({scope.expr('int4', 0)})", None, False)
    else:
        noise = [r.ref("noise") for r in scope.relations
                 if "noise" in r.columns]
        if not noise:
            return "count(*)", "int8", False
        out = (f"{d.dice.pick(['sum', 'avg'])}({d.dice.pick(noise)})",
               None, True)
    if d.dice.chance(15):
        out = (f"{out[0]} FILTER (WHERE {scope.condition(1)})", *out[1:])
    if d.dice.chance(12) and not out[2] and out[1] in NUMBERS:
        return (d.dice.pick([
            f"coalesce({out[0]}, 0)", f"{out[0]} + 1", f"- ({out[0]})",
            f"({out[0]})::text", f"{out[0]} + count(*)",
            f"CASE WHEN count(*) > 3 THEN {out[0]} END"]), None, False)
    return out


def totals(d):
    """One row."""
    text, scope = source(d)
    found = [aggregate(scope) for _ in range(1 + d.dice.below(4))]
    if d.dice.chance(5):
        found = [("'all'", "text", False)]
    sql = "SELECT " + ", ".join(e for e, _, _ in found) + f" FROM {text}"
    if d.dice.chance(5) or found[0][0] == "'all'":
        sql += d.dice.pick([" HAVING true", " HAVING false",
                            " HAVING bool_or(1 = 1)"])
    elif d.dice.chance(10):
        sql += f" HAVING count(*) {d.dice.pick(['>', '='])} {d.dice.below(5)}"
    return Query(sql, {}, None, True,
                 [n for n, (_, _, rough) in enumerate(found) if rough])


GROUPABLE = ["text", "bool", "date", "int4", "uuid", "timestamptz", "int8"]


def group_keys(scope):
    """Not too many groups, so that some have several rows."""
    d = scope.d
    keys = []
    for kind in d.dice.some(GROUPABLE, 1, 2):
        if kind == "timestamptz":
            at = scope.column(kind)
            keys.append((f"date_trunc('month', {at})", kind) if at else
                        (scope.condition(0), "bool"))
        elif kind == "int8":
            column = scope.column(kind)
            keys.append((f"({column} % 5)", kind) if column else
                        (scope.condition(0), "bool"))
        else:
            column = scope.column(kind)
            keys.append((column if column and d.dice.chance(60) else
                         scope.expr(kind, 1) if column else
                         scope.condition(0), kind if column else "bool"))
    # A parameter is another expression each time that it is written.
    return [(e, k) for e, k in keys if "$" not in e] or \
        [(f"({scope.unique()[0]})", "uuid")]


def groups(d):
    text, scope = source(d)
    keys = group_keys(scope)
    found = [aggregate(scope) for _ in range(1 + d.dice.below(3))]
    if d.dice.chance(8):
        return grouping_sets(d, text, keys, found)
    head = ", ".join([e for e, _ in keys] + [e for e, _, _ in found])
    if d.dice.chance(15):
        # An alias may be meant by ORDER BY, and by GROUP BY if no column is.
        return aliased(d, scope, text, keys, found)
    by = ", ".join(str(n) if d.dice.chance(40) else f"{e}"
                   for n, (e, _) in enumerate(keys, 1))
    sql = f"SELECT {head} FROM {text} GROUP BY {by}"
    rough = [n for n, (_, _, rough) in enumerate(found, len(keys)) if rough]
    if d.dice.chance(25):
        sql += " HAVING " + d.dice.pick(
            ["count(*) > 1", "count(*) BETWEEN 2 AND 9",
             f"max({keys[0][0]}) IS NOT NULL"
             if keys[0][1] in ("text", "date", "int4", "int8") else
             "count(*) < 20",
             f"coalesce(sum({scope.expr('int4', 0)}), 0) > "
             f"{d.value('int4')}"])
    if not d.dice.chance(50):
        return Query(sql, {}, None, False, rough)
    first = []
    if d.dice.chance(60) and not found[0][2] and found[0][1] in SORTABLE:
        first = scope.order([(str(len(keys) + 1), "int8")])
    order = ", ".join(first + scope.order([
        (e if d.dice.chance(50) else str(n), "")
        for n, (e, _) in enumerate(keys, 1)]))
    return Query(sql + ordered_tail(scope, order), {}, None, True, rough)


def aliased(d, scope, text, keys, found):
    r = scope.relations[0]
    names = d.dice.some([c for c in r.columns] + ["alpha", "beta"],
                        len(keys), len(keys))
    head = ", ".join([f"{e} AS {n}" for (e, _), n in zip(keys, names)] +
                     [e for e, _, rough in found if not rough])
    by = ", ".join(n if d.dice.chance(40) else e
                   for (e, _), n in zip(keys, names))
    sql = f"SELECT {head} FROM {text} GROUP BY {by}"
    if d.dice.chance(50):
        return Query(sql, {})
    order = ", ".join(scope.order([(n, "") for n in names]))
    # What the names mean may not be what makes a group.
    return Query(f"{sql} ORDER BY {order}", {})


def grouping_sets(d, text, keys, found):
    """Several rows may have the same keys, so that a rough sum could not be
    told from another."""
    keys = ", ".join(e for e, _ in keys)
    head = ", ".join([keys] + [e for e, _, rough in found if not rough])
    return Query(f"SELECT {head} FROM {text} GROUP BY "
                 f"{d.dice.pick(['ROLLUP', 'CUBE'])} ({keys})", {})


def distinct(d):
    text, scope = source(d)
    if d.dice.chance(30):
        key = scope.expr(d.dice.pick(GROUPABLE[:5]), 0)
        items = [(key, "")] + outputs(scope, 2)
        head, columns = named(items)
        order = ", ".join(scope.order([("1", "")]) + scope.unique())
        return Query(f"SELECT DISTINCT ON (1) {head} FROM {text} "
                     f"ORDER BY {order}" + limit(d), {}, None, True)
    kinds = d.dice.some([k for k in OUTPUT if k != "interval"], 1, 2)
    items = [(scope.expr(k, 1), k) for k in kinds]
    head, columns = named(items)
    sql = f"SELECT DISTINCT {head} FROM {text}"
    if not d.dice.chance(50):
        return Query(sql, columns, list(columns))
    order = ", ".join(scope.order([(c, "") for c in columns]))
    return Query(sql + ordered_tail(scope, order), columns, list(columns),
                 True)


def windows(d):
    text, scope = source(d, 1)
    part = scope.any_column()[0] if d.dice.chance(30) else \
        scope.key_column() or scope.any_column()[0]
    over = (f"(PARTITION BY {part} ORDER BY {scope.total_order()})")
    calls = ["row_number()", "rank()", f"lag({scope.expr('int4', 0)})",
             f"sum({scope.expr('int4', 1)})", "count(*)",
             f"first_value({scope.expr('text', 1)})"]
    head = ", ".join(f"{c} OVER {over}" for c in d.dice.some(calls, 1, 2))
    sql = (f"SELECT {', '.join(scope.unique())}, {head} FROM {text}")
    return finish_rows(d, scope, sql, {}, None)


# -- out of others -----------------------------------------------------

def inner(d):
    """A query with named columns."""
    query = d.dice.weighted([(70, rows), (30, distinct)])(d)
    while not query.columns or len(query.columns) < 1:
        query = distinct(d) if not d.dice.chance(50) else rows(d)
    return query


def derived(d, query, alias):
    return Relation(alias, alias, query.columns, list(query.columns))


def from_query(d):
    """FROM (SELECT ...), or a CTE."""
    query, alias = inner(d), d.alias()
    r = derived(d, query, alias)
    scope = Scope(d, [r])
    sortable = [(r.ref(c), k) for c, k in query.columns.items()
                if k in SORTABLE]
    if sortable and d.dice.chance(50):
        e, k = d.dice.pick(sortable)
        head = f"count(*), min({e})" if k not in ("bool", "uuid") else \
            f"count({e})"
        body = f"SELECT {head} FROM "
    else:
        body = "SELECT * FROM "
    where = f" WHERE {scope.condition(1)}" if d.dice.chance(40) else ""
    if d.dice.chance(50):
        word = d.dice.pick(["", "", "MATERIALIZED ", "NOT MATERIALIZED "])
        return Query(f"WITH {alias} AS {word}({query.sql}) {body}{alias}"
                     f"{where}", {}, None)
    return Query(f"{body}({query.sql}) AS {alias}{where}", {}, None)


def by_subquery(d):
    """IN, EXISTS and scalar subqueries about the same or another tenant."""
    a = relation(d, "ev", True)
    b = relation(d, d.dice.pick(["ev", "acct"]), True)
    outer, other = Scope(d, [a]), Scope(d, [b])
    where = other.where()
    more = f" AND ({where})" if where else ""
    link = f"{b.ref('tenant')} = {a.ref('tenant')}"
    how = d.dice.below(5)
    if how == 0:
        term = (f"{a.ref('tenant')} IN (SELECT {b.ref('tenant')} FROM {b.text}"
                + (f" WHERE {where}" if where else "") + ")")
    elif how == 1:
        word = d.dice.pick(["", "NOT "])
        term = f"{word}EXISTS (SELECT 1 FROM {b.text} WHERE {link}{more})"
    elif how == 2:
        term = (f"{a.ref('qty')} > (SELECT count(*) % 5 FROM {b.text} "
                f"WHERE {link}{more})")
    elif how == 3:
        term = (f"{a.ref('id')} = ANY (SELECT {b.ref(b.unique[1])} FROM "
                f"{b.text} WHERE {link}{more})") if b.table == "ev" else \
            f"{a.ref('tenant')} = (SELECT max({b.ref('tenant')}::text)::uuid" \
            f" FROM {b.text})"
    else:
        term = outer.on_key(False)
        head = (f"{a.ref('id')}, (SELECT count(*) FROM {b.text} WHERE {link}"
                f"{more}) AS n")
        sql = f"SELECT {head} FROM {a.text} WHERE {term}"
        return finish_rows(d, outer, sql, {}, None)
    key = outer.where() if d.dice.chance(50) else None
    sql = f"SELECT {a.ref('tenant')}, {a.ref('id')} FROM {a.text} WHERE " + \
        (f"{term} AND ({key})" if key else term)
    return finish_rows(d, outer, sql, {}, None)


def union(d):
    kinds = d.dice.some([k for k in OUTPUT if k not in ("interval", "jsonb")],
                        1, 3)

    def side():
        text, scope = source(d, 1)
        return "SELECT " + ", ".join(
            scope.expr(k, 1) if scope.columns(k) else d.typed(k)
            for k in kinds) + f" FROM {text}"
    word = d.dice.pick(["UNION ALL", "UNION", "EXCEPT", "INTERSECT"])
    parts = [side() for _ in range(2 + d.dice.chance(20))]
    sql = f" {word} ".join(parts)
    query = Query(sql, {})
    # Where a side is known to be empty, the other's count.
    query.modifiers = False
    if not d.dice.chance(50):
        return query
    sortable = [str(n) for n, k in enumerate(kinds, 1) if k in SORTABLE]
    if len(sortable) < len(kinds):
        return query
    order = ", ".join(n + d.dice.pick(["", " DESC", " NULLS FIRST"])
                      for n in sortable)
    query.sql += f" ORDER BY {order}"
    query.ordered = True
    return query


def lateral(d):
    a, b = relation(d, "acct", True), relation(d, "ev", True)
    scope, alias = Scope(d, [a]), d.alias()
    order = Scope(d, [b]).total_order()
    where = scope.where()
    sql = (f"SELECT {a.ref('code')}, {alias}.id FROM {a.text} "
           f"{d.dice.pick(['CROSS JOIN', 'LEFT JOIN'])} LATERAL "
           f"(SELECT {b.ref('id')} FROM {b.text} WHERE {b.ref('tenant')} = "
           f"{a.ref('tenant')} ORDER BY {order} LIMIT 2) {alias}")
    if "LEFT JOIN" in sql:
        sql += " ON true"
    return Query(sql + (f" WHERE {where}" if where else ""), {}, None)


KINDS = [(28, rows), (16, totals), (18, groups), (8, distinct), (6, windows),
         (8, from_query), (7, by_subquery), (6, union), (2, lateral)]


def generate(d):
    return d.dice.weighted(KINDS)(d)

