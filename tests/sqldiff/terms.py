# SPDX-License-Identifier: PostgreSQL
"""Expressions and conditions over the columns in scope.

Nothing here has a value that depends on the order of rows, nor two spellings
of one value (1.0 and 1.00): what is compared later has to be certain.
"""

from . import schema
from .values import array

# What an ORDER BY, min and max are asked about.
SORTABLE = ["int4", "int8", "numeric", "float8", "text", "timestamptz",
            "date", "bool", "interval", "uuid"]


class Relation:
    """One item of a FROM clause: how it is written, and its columns."""

    def __init__(self, text, alias, columns, unique, table=None,
                 prefix=None):
        self.text = text
        self.alias = alias
        self.columns = columns
        self.unique = unique
        self.table = table
        self.prefix = prefix if prefix is not None else f"{alias}."

    def ref(self, column):
        return self.prefix + column

    @property
    def keys(self):
        return schema.KEY.get(self.table, [])


def relation(d, table, plain=False):
    """A table in one of the ways it can be written."""
    if table == "by":
        table = d.dice.pick(list(schema.BY))
    how = d.dice.below(4) if not plain else 0
    name = f"app.{table}"
    columns, unique = schema.COLUMNS[table], schema.PRIMARY[table]
    if how == 1:
        return Relation(name, table, columns, unique, table)
    if how == 2 and plain is False:
        return Relation(name, table, columns, unique, table, f"app.{table}.")
    alias = d.alias()
    text = f'"app".{table} AS {alias}' if how == 3 else f"{name} {alias}"
    return Relation(text, alias, columns, unique, table)


class Scope:
    """hidden: columns that are not to be used."""

    def __init__(self, draft, relations, hidden=()):
        self.hidden = {"noise", *hidden}
        self.d = draft
        self.dice = draft.dice
        self.relations = relations

    def columns(self, kind):
        return [r.ref(c) for r in self.relations
                for c, k in r.columns.items()
                if k == kind and c not in self.hidden]

    def column(self, kind):
        found = self.columns(kind)
        return self.dice.pick(found) if found else None

    def unique(self):
        return [r.ref(c) for r in self.relations for c in r.unique]

    def key_column(self):
        found = [r.ref(c) for r in self.relations for c in r.keys]
        return found[0] if found else None

    def any_column(self):
        r = self.dice.pick(self.relations)
        names = [c for c in r.columns if c not in self.hidden]
        column = self.dice.pick(names or list(r.columns))
        return r.ref(column), r.columns[column]

    # -- expressions ----------------------------------------------------

    def expr(self, kind, depth=2):
        column = self.column(kind)
        if depth == 0 or not self.dice.chance(45):
            return column or self.d.typed(kind)
        maker = getattr(self, "of_" + kind.replace("[]", "s"), None)
        return (maker and maker(depth - 1)) or column or self.d.typed(kind)

    def case(self, kind, depth):
        return (f"CASE WHEN {self.condition(depth)} THEN "
                f"{self.expr(kind, 0)} ELSE {self.expr(kind, 0)} END")

    def of_int4(self, depth):
        a = self.expr("int4", depth)
        how = self.dice.below(6)
        if how == 5:
            return self.case("int4", depth)
        return [f"({a} + 1)", f"({a} * 2)", f"abs({a})", f"({a} % 7)",
                f"coalesce({a}, -1)"][how]

    def of_int8(self, depth):
        a = self.expr("int8", depth)
        how = self.dice.below(4)
        return [f"({a} + 1)", f"({a} % 13)", f"coalesce({a}, 0)",
                f"length({self.expr('text', 0)})::int8"][how]

    def of_numeric(self, depth):
        a = self.expr("numeric", 0)
        how = self.dice.below(4)
        return [f"({a} * 2)", f"({a} + 1.00)", f"coalesce({a}, 0.00)",
                f"(- {a})"][how]

    def of_float8(self, depth):
        a = self.expr("float8", 0)
        return [f"({a} * 2)", f"coalesce({a}, 0.25)",
                f"({a} - 0.5)"][self.dice.below(3)]

    def of_text(self, depth):
        a = self.expr("text", depth)
        how = self.dice.below(7)
        if how == 6:
            return self.case("text", depth)
        doc = self.column("jsonb")
        return [f"upper({a})", f"left({a}, 2)", f"({a} || '-')",
                f"coalesce({a}, '?')", f"({doc} ->> 'k')" if doc else
                f"lower({a})", f"concat({a}, {self.expr('int4', 0)})"][how]

    def of_timestamptz(self, depth):
        a = self.expr("timestamptz", 0)
        return [f"date_trunc('month', {a})", f"({a} + interval '1 day')",
                f"date_trunc('day', {a})"][self.dice.below(3)]

    def of_date(self, depth):
        a = self.expr("date", 0)
        return [f"({a} + 1)", f"coalesce({a}, '2026-01-01'::date)"][
            self.dice.below(2)]

    def of_bool(self, depth):
        return f"({self.condition(depth)})"

    def of_jsonb(self, depth):
        return f"({self.expr('jsonb', 0)} -> 'k')"

    def of_texts(self, depth):
        return f"({self.expr('text[]', 0)} || 'z'::text)"

    # -- conditions -----------------------------------------------------

    def condition(self, depth=2):
        how = self.dice.below(10)
        if depth == 0 or how < 5:
            return self.atom()
        if how == 9:
            return f"NOT ({self.condition(depth - 1)})"
        word = " AND " if how < 7 else " OR "
        parts = [self.condition(depth - 1)
                 for _ in range(2 + self.dice.below(2))]
        return "(" + word.join(parts) + ")"

    def where(self):
        """A condition that is about the key now and then, or NULL."""
        kind = self.dice.weighted([(30, "key"), (20, "keys"), (15, "time"),
                                   (25, "other"), (10, "none")])
        terms = []
        if kind in ("key", "keys"):
            term = self.on_key(kind == "keys")
            terms += [term] if term else []
        if kind == "time":
            terms += [self.on_time()]
        if kind == "other" or (kind != "none" and self.dice.chance(50)):
            terms.append(self.condition())
        terms = [t for t in terms if t]
        if len(terms) == 2 and self.dice.chance(50):
            terms.reverse()
        return " AND ".join(terms) if terms else None

    def certain(self):
        """A condition."""
        return self.where() or self.condition()

    def on_key(self, several):
        keyed = [r for r in self.relations if r.keys]
        if not keyed:
            return None
        r = self.dice.pick(keyed)
        terms = [self.key_term(r.ref(c), r.columns[c], several)
                 for c in r.keys]
        if len(terms) > 1 and self.dice.chance(15):
            terms.pop()
        return " AND ".join(terms)

    def key_value(self, kind):
        return self.d.key(kind, self.dice.pick(schema.KEYS[kind]))

    def key_term(self, column, kind, several):
        if not several:
            value = self.key_value(kind)
            return self.dice.pick([f"{column} = {value}",
                                   f"{value} = {column}",
                                   f"({column}) IN ({value})"])
        how = self.dice.below(5)
        if how == 0:
            values = ", ".join(self.key_value(kind)
                               for _ in range(1 + self.dice.below(4)))
            return f"{column} IN ({values})"
        if how == 1:
            a, b = self.key_value(kind), self.key_value(kind)
            return f"({column} = {a} OR {column} = {b})"
        if how == 2:
            items = ", ".join(self.key_value(kind)
                              for _ in range(1 + self.dice.below(3)))
            return f"{column} = ANY (ARRAY[{items}]::{kind}[])"
        items = self.dice.some(schema.KEYS[kind], 0, 5)
        if self.dice.chance(15):
            items.append(None)
        if how == 3:
            value = self.d.constant(kind + "[]", array(items))
            return f"{column} = ANY ({value})"
        return self.dice.pick([f"{column} <> {self.key_value(kind)}",
                               f"{column} IS NOT NULL", f"{column} IS NULL",
                               f"{column} = NULL",
                               f"{column} IS NOT DISTINCT FROM "
                               f"{self.key_value(kind)}"])

    def on_time(self):
        timed = self.columns("timestamptz")
        if not timed:
            return None
        at = self.dice.pick(timed)
        how = self.dice.below(7)
        a, b = self.d.value("timestamptz"), self.d.value("timestamptz")
        if how == 0:
            n = self.dice.below(schema.MONTHS)
            first, last = (f"{schema.month(n + k)}T00:00:00+00:00"
                           for k in (0, 1 + self.dice.below(2)))
            return (f"{at} >= {self.d.constant('timestamptz', first)} AND "
                    f"{at} < {self.d.constant('timestamptz', last)}")
        return [None, f"{at} BETWEEN {a} AND {b}", f"{at} < {b}",
                f"date_trunc('month', {at}) = {a}",
                f"{at} >= now() - interval '{self.dice.below(12)} months'",
                f"{at} > {a}", f"{at} = {a}"][how]

    def atom(self):
        """One comparison of a column."""
        column, kind = self.any_column()
        if self.dice.chance(10):
            return f"{column} IS {self.dice.pick(['', 'NOT '])}NULL"
        if kind == "bool":
            return self.dice.pick([column, f"NOT {column}",
                                   f"{column} IS NOT TRUE",
                                   f"{column} = {self.d.value('bool')}"])
        if kind == "text" and self.dice.chance(40):
            pattern = self.d.constant("text", self.dice.pick(
                ["a%", "%b%", "_b", "%", "Z%", "50\\%", "é%"]))
            return f"{column} {self.dice.pick(['LIKE', 'ILIKE', 'NOT LIKE'])}"\
                f" {pattern}"
        if kind == "jsonb":
            return self.dice.pick([
                f"{column} ->> 'k' = '1'", f"{column} @> '{{\"s\": \"x\"}}'",
                f"{column} ? 'k'", f"jsonb_typeof({column}) = 'object'"])
        if kind == "text[]":
            return self.dice.pick([
                f"'a' = ANY ({column})", f"{column} @> ARRAY['a']",
                f"cardinality({column}) > 1",
                f"{column} = {self.d.typed(kind)}"])
        how = self.dice.below(6)
        if how == 4:
            return f"{column} BETWEEN {self.d.value(kind)} AND " \
                f"{self.d.value(kind)}"
        if how == 5:
            values = ", ".join(self.d.value(kind)
                               for _ in range(1 + self.dice.below(3)))
            return f"{column} {self.dice.pick(['', 'NOT '])}IN ({values})"
        if how == 3 and kind not in ("uuid",):
            return f"{self.expr(kind, 1)} {self.op()} {self.d.typed(kind)}"
        return f"{column} {self.op()} {self.d.value(kind)}"

    def op(self):
        return self.dice.pick(["=", "<", ">", "<=", ">=", "<>",
                               "IS DISTINCT FROM"])

    # -- orders ---------------------------------------------------------

    def order(self, first):
        """Of these expressions, with all their ways."""
        out = []
        for e, kind in first:
            if kind == "text" and self.dice.chance(30):
                e += self.dice.pick([' COLLATE "C"', ' COLLATE "en-x-icu"',
                                     ' COLLATE "und-x-icu"'])
            out.append(e + self.dice.pick(["", " DESC", " NULLS FIRST",
                                           " DESC NULLS LAST", " ASC"]))
        return out

    def total_order(self):
        first = [(self.expr(k, 1), k)
                 for k in self.dice.some(SORTABLE, 0, 2)]
        return ", ".join(self.order(first) + self.unique())
