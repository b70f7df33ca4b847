# SPDX-License-Identifier: PostgreSQL
"""INSERT, UPDATE, DELETE and MERGE of the routed tables.

The order in which a statement comes upon rows is not certain, so no statement
may do different things to a row by that order."""

from . import schema
from .queries import Query
from .terms import Scope, relation

SETTABLE = {"ev": ["qty", "amount", "note", "ok", "doc", "tags", "span",
                   "day"],
            "it": ["qty", "amount", "label", "ok"],
            "acct": ["rate", "active", "since"],
            **dict.fromkeys(schema.BY, ["n", "label", "ok"])}


def table_of(d):
    table = d.dice.weighted([(50, "ev"), (20, "it"), (10, "acct"),
                             (20, "by")])
    return d.dice.pick(list(schema.BY)) if table == "by" else table


def key_of(d, table):
    """{column: text}"""
    return {c: d.dice.pick(schema.KEYS[schema.COLUMNS[table][c]])
            for c in schema.KEY[table]}


def cell(d, table, column, key):
    kind = schema.COLUMNS[table][column]
    if column in key:
        return d.key(kind, key[column])
    if column == "id":
        # Some are there, so that some collide.
        base = d.dice.pick([10000, 10000, 10000, 0])
        return d.constant(kind, str(base + d.dice.below(60)))
    if column == "code":
        return d.constant(kind, d.dice.pick(["N1", "N2", "N3", "n4", "A0-0"]))
    if column not in schema.PRIMARY[table]:
        if d.dice.chance(8):
            return "DEFAULT"
        if d.dice.chance(10):
            return "NULL"
    if column == "noise":
        return "0.5"
    return d.value(kind)


def returning(d, table, alias=None):
    if not d.dice.chance(45):
        return ""
    if d.dice.chance(30):
        return " RETURNING *"
    columns = d.dice.some([c for c in schema.COLUMNS[table] if c != "noise"],
                          1, 3)
    prefix = f"{alias}." if alias else ""
    return " RETURNING " + ", ".join(prefix + c for c in columns)


def insert(d):
    table = table_of(d)
    columns = list(schema.COLUMNS[table])
    if d.dice.chance(40):
        extra = d.dice.some([c for c in columns
                             if c not in schema.PRIMARY[table]], 0, 4)
        columns = schema.PRIMARY[table] + extra
        if d.dice.chance(50):
            columns.reverse()
    count = d.dice.pick([1, 1, 2, 3, 5])
    key = key_of(d, table)
    out = []
    for _ in range(count):
        if d.dice.chance(40):
            key = key_of(d, table)
        out.append("(" + ", ".join(cell(d, table, c, key)
                                   for c in columns) + ")")
    with_list = f" ({', '.join(columns)})" \
        if columns != list(schema.COLUMNS[table]) or d.dice.chance(70) else ""
    alias = ""
    conflict = ""
    how = d.dice.below(5)
    target = f"({', '.join(schema.PRIMARY[table])})"
    if how == 1:
        conflict = " ON CONFLICT DO NOTHING"
    elif how == 2:
        conflict = f" ON CONFLICT {target} DO NOTHING"
    elif how == 3 and count == 1:
        column = d.dice.pick(SETTABLE[table])
        alias = " AS x" if d.dice.chance(30) else ""
        conflict = (f" ON CONFLICT {target} DO UPDATE SET {column} = "
                    f"EXCLUDED.{column}")
        if d.dice.chance(30):
            conflict += f" WHERE {'x' if alias else table}.{column} IS NULL"
    return Query(f"INSERT INTO app.{table}{alias}{with_list} VALUES "
                 f"{', '.join(out)}{conflict}{returning(d, table)}", {})


def insert_select(d):
    """New ids, so that nothing is met that the statement itself made."""
    table = d.dice.pick(["ev", "it"])
    r = relation(d, table, True)
    where = Scope(d, [r]).where()
    step = d.dice.pick([20000, 30000, 40000])
    columns = schema.PRIMARY[table] + ["qty", "ok"]
    items = [f"{r.ref('id')} + {step}" if c == "id" else r.ref(c)
             for c in columns]
    if d.dice.chance(15):
        items[0] = d.key(schema.COLUMNS[table][columns[0]],
                         key_of(d, table)[columns[0]])
    sql = (f"INSERT INTO app.{table} ({', '.join(columns)}) SELECT "
           f"{', '.join(items)} FROM {r.text} WHERE {r.ref('id')} < 60" +
           (f" AND ({where})" if where else ""))
    return Query(sql + returning(d, table), {})


def target(d):
    r = relation(d, table_of(d), True)
    scope = Scope(d, [r])
    return r, scope


def update(d):
    r, scope = target(d)
    sets = []
    for column in d.dice.some(SETTABLE[r.table], 1, 3):
        kind = r.columns[column]
        how = d.dice.below(4)
        if how == 0:
            value = "NULL" if d.dice.chance(30) else d.value(kind)
        elif how == 3 and (r.table, column) in schema.DEFAULTS:
            value = "DEFAULT"
        else:
            value = scope.expr(kind, 1)
        sets.append(f"{column} = {value}")
    if d.dice.chance(6) and r.table in schema.TIME:
        sets.append(f"at = {r.ref('at')} + interval '3 days'")
    if d.dice.chance(4):
        column, text = list(key_of(d, r.table).items())[0]
        sets.append(f"{column} = {d.key(r.columns[column], text)}")
    return Query(f"UPDATE {r.text} SET {', '.join(sets)} WHERE "
                 f"{scope.certain()}{returning(d, r.table, r.alias)}", {})


def update_from(d):
    """By one row at most of the other table."""
    a = relation(d, "ev", True)
    b = relation(d, d.dice.pick(["kind", "ev"]), True)
    link = f"{a.ref('qty')} = {b.ref('id')}" if b.table == "kind" else \
        " AND ".join(f"{a.ref(c)} = {b.ref(c)}" for c in a.unique)
    new = b.ref("weight" if b.table == "kind" else "qty")
    term = Scope(d, [a]).on_key(d.dice.chance(30))
    return Query(f"UPDATE {a.text} SET qty = {new} FROM {b.text} "
                 f"WHERE {link} AND {term}{returning(d, 'ev', a.alias)}", {})


def delete(d):
    r, scope = target(d)
    # Not too many at once.
    few = "" if not d.dice.chance(70) or "id" not in r.columns else \
        f" AND {r.ref('id')} % 5 = {d.dice.below(5)}"
    return Query(f"DELETE FROM {r.text} WHERE ({scope.certain()}){few}"
                 f"{returning(d, r.table, r.alias)}", {})


def merge(d):
    a = relation(d, "ev", True)
    key = key_of(d, "ev")["tenant"]
    s = d.alias()
    values = ", ".join(
        f"({10000 + d.dice.below(60)}, {d.dice.below(50)})"
        for _ in range(1 + d.dice.below(2)))
    at = schema.month(d.dice.below(schema.MONTHS))
    return Query(
        f"MERGE INTO {a.text} USING (SELECT DISTINCT ON (1) * FROM (VALUES "
        f"{values}) v (id, qty) ORDER BY 1, 2) {s} ON "
        f"{a.ref('tenant')} = {d.constant('uuid', key)} AND {a.ref('id')} = "
        f"{s}.id WHEN MATCHED THEN "
        f"{d.dice.pick([f'UPDATE SET qty = {s}.qty', 'DELETE'])} "
        f"WHEN NOT MATCHED THEN INSERT (tenant, id, at, qty) VALUES "
        f"({d.constant('uuid', key)}, {s}.id, '{at} 00:00+00', {s}.qty)", {})


KINDS = [(40, insert), (8, insert_select), (28, update), (6, update_from),
         (14, delete), (4, merge)]


def generate(d):
    return d.dice.weighted(KINDS)(d)
