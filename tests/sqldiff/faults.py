# SPDX-License-Identifier: PostgreSQL
"""Statements that PostgreSQL refuses, or that fail as they run."""

from .queries import Query, rows
from .terms import Scope, relation

EVERYWHERE = [
    "SELECT nope FROM {t} WHERE {k}",
    "SELECT {a}.nope FROM {t} WHERE {k}",
    "SELECT nope({a}.id) FROM {t} WHERE {k}",
    "SELECT {a}.id FROM {t} WHERE {k} AND",
    "SELECT {a}.id FORM {t} WHERE {k}",
    "SELECT {a}.id FROM app.nope {a} WHERE {k}",
    "SELECT {a}.id + 'x' FROM {t} WHERE {k}",
    "SELECT {a}.ok + 1 FROM {t} WHERE {k}",
    "SELECT {a}.id, count(*) FROM {t} WHERE {k}",
    "SELECT {a}.id FROM {t} WHERE {k} AND count(*) > 1",
    "SELECT sum(count(*)) FROM {t} WHERE {k}",
    "SELECT {a}.id FROM {t} WHERE {k} GROUP BY 2",
    "SELECT {a}.id FROM {t} WHERE {k} ORDER BY 3",
    "SELECT DISTINCT {a}.id FROM {t} WHERE {k} ORDER BY {a}.qty",
    "SELECT {a}.id FROM {t} WHERE {k} LIMIT -1",
    "SELECT {a}.id FROM {t} WHERE {k} OFFSET -2",
    "SELECT 1 / ({a}.qty - {a}.qty) FROM {t} WHERE {k} AND {a}.qty >= 0",
    "SELECT sum(1 / ({a}.qty - {a}.qty)) FROM {t} WHERE {k}",
    "SELECT {a}.qty / 0 FROM {t} WHERE {k}",
    "SELECT {a}.id FROM {t} WHERE {k} AND {a}.qty = 'abc'",
    "SELECT {a}.id FROM {t} WHERE {k} AND {a}.at = 'no time'",
    "SELECT ({a}.qty::text || 'x')::int FROM {t} WHERE {k} AND {a}.qty "
    "IS NOT NULL",
    "SELECT {a}.amount * 1e200 * 1e200 * 1e200 * 1e200 * 1e200 FROM {t}",
    "SELECT ({a}.id + 9223372036854775807) FROM {t} WHERE {a}.id > 0",
    "SELECT {a}.qty::smallint * 32000::smallint FROM {t} WHERE {a}.qty > 20",
    "SELECT (SELECT {b}.id FROM {u}) FROM {t} WHERE {k}",
    "SELECT id FROM {t}, {u}",
    "SELECT {a}.id FROM {t} WHERE {k} UNION SELECT {b}.ok FROM {u}",
    "SELECT {a}.id FROM {t} JOIN {u} ON nope = 1",
    "SELECT {a}.id FROM {t} WHERE {a}.at",
    "SELECT {a}.id FROM {t} WHERE {k} HAVING true",
    "INSERT INTO app.ev (tenant, id, at, qty) VALUES ({v}, 1, NULL, 1)",
    "INSERT INTO app.ev (tenant, id, at, qty) VALUES ({v}, 1, now(), -1000)",
    "INSERT INTO app.ev (tenant, id, at, qty) VALUES "
    "({v}, 70001, '2026-02-01', 1), ({v}, 70001, '2026-02-01', 2)",
    "INSERT INTO app.ev (tenant, id, at, nope) VALUES ({v}, 1, now(), 1)",
    "INSERT INTO app.ev (tenant, id, at) VALUES ({v}, 1)",
    "INSERT INTO app.ev (tenant, id, at) VALUES ('no uuid', 1, '2026-02-01')",
    "INSERT INTO app.ev (id, at) VALUES (1, '2026-02-01')",
    "INSERT INTO app.ev (tenant, id, at, amount) VALUES "
    "({v}, 1, '2026-02-01', 1e12)",
    "INSERT INTO app.it (shop, id, at, amount) VALUES "
    "(1, 70001, '2026-03-01', 100000)",
    "UPDATE {t} SET qty = -5000 WHERE {k}",
    "UPDATE {t} SET nope = 1 WHERE {k}",
    "UPDATE {t} SET qty = {a}.qty / 0 WHERE {k}",
    "UPDATE {t} SET at = NULL WHERE {k}",
    "DELETE FROM {t} WHERE {a}.nope = 1",
    "DELETE FROM {t} WHERE {k} AND {a}.id / ({a}.id - {a}.id) = 1",
]


def statement(d):
    a, b = relation(d, "ev", True), relation(d, "ev", True)
    scope = Scope(d, [a])
    text = d.dice.pick(EVERYWHERE)
    key = scope.on_key(False) if d.dice.chance(60) and "{k}" in text else \
        "true"
    value = d.value("uuid") if "{v}" in text else ""
    return Query(text.format(t=a.text, u=b.text, a=a.alias, b=b.alias, k=key,
                             v=value), {})


def broken_value(d):
    """A parameter, or a literal, that is none of its type."""
    a = relation(d, "ev", True)
    return Query(f"SELECT {a.ref('id')} FROM {a.text} WHERE {a.ref('tenant')} "
                 f"= {d.dice.pick(['1', 'true', '%s::text', '1.5'])}".replace(
                     "%s", "'" + d.dice.pick(["x", ""]) + "'"), {})


def cut_off(d):
    """The beginning of a good one."""
    query = rows(d)
    return Query(query.sql[:1 + d.dice.below(len(query.sql))], {})


KINDS = [(80, statement), (10, broken_value), (10, cut_off)]


def generate(d):
    return d.dice.weighted(KINDS)(d)
