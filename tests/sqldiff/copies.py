# SPDX-License-Identifier: PostgreSQL
"""COPY into tables and out of queries, as text and as CSV."""

from . import queries, schema
from .queries import Query
from .values import make

FORMATS = {"text": ["", " WITH (FORMAT text, NULL 'nil')"],
           "csv": [" WITH (FORMAT csv)", " WITH (FORMAT csv, HEADER)",
                   " CSV DELIMITER ';' FORCE QUOTE *"]}


def out(d):
    """In the order of the query, where that is certain."""
    d.extended = False
    query = queries.generate(d)
    while query.rough:
        query = queries.rows(d)
    how = d.dice.pick(FORMATS["text"] + FORMATS["csv"])
    copied = Query(f"COPY ({query.sql}) TO STDOUT{how}", {}, None,
                   query.ordered)
    copied.modifiers = False
    return copied


def as_csv(value):
    """Nothing is NULL, "" is a text."""
    return "" if value is None else '"' + value.replace('"', '""') + '"'


def as_text(value):
    if value is None:
        return "\\N"
    for a, b in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n")):
        value = value.replace(a, b)
    return value


def cells(d, table, columns, key):
    line = []
    for column in columns:
        kind = schema.COLUMNS[table][column]
        if column in key:
            line.append(key[column])
        elif column == "id":
            line.append(str(50000 + d.dice.below(400)))
        elif column == "code":
            line.append(f"C{d.dice.below(300)}")
        elif column not in schema.PRIMARY[table] and d.dice.chance(15):
            line.append(None)
        else:
            line.append(make(d.dice, kind))
    return line


def into(d):
    """Rows of several keys; now and then one that cannot be."""
    table = d.dice.weighted([(60, "ev"), (20, "it"), (20, "by")])
    if table == "by":
        table = d.dice.pick(list(schema.BY))
    columns = list(schema.COLUMNS[table])
    some = "" if d.dice.chance(40) else f" ({', '.join(columns)})"
    lines = []
    for _ in range(d.dice.pick([1, 3, 10, 40])):
        key = {c: d.dice.pick(schema.KEYS[schema.COLUMNS[table][c]])
               for c in schema.KEY[table]}
        lines.append(cells(d, table, columns, key))
    if d.dice.chance(12):
        bad = d.dice.pick(lines)
        how = d.dice.below(4)
        bad[d.dice.below(len(bad))] = ["x,y", "", None, "99999999999999999999"
                                       ][how]
        if how == 3:
            bad.append("more")
    quoted = d.dice.chance(50)
    query = Query(f"COPY app.{table}{some} FROM STDIN" +
                  (" WITH (FORMAT csv)" if quoted else ""), {})
    if quoted:
        text = "".join(",".join(map(as_csv, line)) + "\n" for line in lines)
    else:
        text = "".join("\t".join(map(as_text, line)) + "\n" for line in lines)
    query.data = text.encode()
    return query


def generate(d):
    return d.dice.weighted([(50, out), (50, into)])(d)
