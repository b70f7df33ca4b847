# SPDX-License-Identifier: PostgreSQL
"""Several statements that belong together: a transaction of one tenant, a
pipeline, a cursor.

A block is a list of statements, played one after the other, or all sent before
the first answer is read.  In a transaction each names the one tenant in the
same way, so that all of them belong on its shard.
"""

from . import queries, schema, writes
from .queries import Query, outputs, named
from .terms import Scope, relation


def of_tenant(d, tenant):
    """A query or a write of rows of this tenant in `ev`."""
    r = relation(d, "ev")
    # Another tenant's name would belong on another shard.
    scope = Scope(d, [r], ["tenant"])
    key = f"{r.ref('tenant')} = {d.constant('uuid', tenant)}"
    how = d.dice.weighted([(40, "rows"), (20, "totals"), (15, "update"),
                           (15, "insert"), (10, "delete")])
    more = f" AND {scope.condition()}" if d.dice.chance(50) else ""
    if how == "rows":
        head, columns = named(outputs(scope))
        return Query(f"SELECT {head} FROM {r.text} WHERE {key}{more} "
                     f"ORDER BY {scope.total_order()}", columns, None, True)
    if how == "totals":
        found = queries.aggregate(scope)
        return Query(f"SELECT {found[0]} FROM {r.text} WHERE {key}{more}", {},
                     None, True, [0] if found[2] else [])
    if how == "insert":
        columns = ["tenant", "id", "at", "qty"]
        cells = ", ".join(writes.cell(d, "ev", c, {"tenant": tenant})
                          for c in columns)
        return Query(f"INSERT INTO app.ev ({', '.join(columns)}) "
                     f"VALUES ({cells}){writes.returning(d, 'ev')}", {})
    if how == "update":
        return Query(f"UPDATE {r.text} SET qty = {scope.expr('int4', 1)} "
                     f"WHERE {key}{more}", {})
    return Query(f"DELETE FROM {r.text} WHERE {key} AND "
                 f"{r.ref('id')} % 7 = {d.dice.below(7)}", {})


def control(sql):
    return Query(sql, {}, None, True)


def transaction(d):
    """[Query, ...] with the control statements; each has its own draft."""
    tenant = d.dice.pick(schema.TENANTS)
    out = [control(d.dice.pick(["BEGIN", "START TRANSACTION"]))]
    saved = False
    for _ in range(2 + d.dice.below(4)):
        how = d.dice.below(10)
        if how == 9 and len(out) > 1:
            out.append(control("SAVEPOINT s"))
            saved = True
        elif how == 8 and saved:
            out.append(control(d.dice.pick(["ROLLBACK TO s", "RELEASE s"])))
            saved = "RELEASE" not in out[-1].sql
        else:
            out.append(lambda d: of_tenant(d, tenant))
        if how == 7:
            out.append(lambda d: fails(d, tenant))
    out.append(control(d.dice.pick(["COMMIT", "COMMIT", "ROLLBACK", "END"])))
    return out


def fails(d, tenant):
    return Query(f"SELECT 1 / 0 FROM app.ev WHERE tenant = '{tenant}'", {})


def cursor(d):
    """Over one tenant's rows."""
    tenant = d.dice.pick(schema.TENANTS)
    r = relation(d, "ev", True)
    scope = Scope(d, [r])
    query = (f"SELECT {r.ref('id')}, {scope.expr('text', 1)} FROM {r.text} "
             f"WHERE {r.ref('tenant')} = '{tenant}' "
             f"ORDER BY {scope.total_order()}")
    out = [control("BEGIN"), control(f"DECLARE c SCROLL CURSOR FOR {query}")]
    for _ in range(1 + d.dice.below(4)):
        out.append(control("FETCH " + d.dice.pick(
            ["1", "5", "ALL", "BACKWARD 2", "FIRST", "LAST", "ABSOLUTE 3"]) +
            " FROM c"))
    return out + [control("CLOSE c"), control("COMMIT")]


def pipeline(d):
    return [queries.generate] * (2 + d.dice.below(4))
