# SPDX-License-Identifier: PostgreSQL
"""application_name is the session's own wherever it is asked for: what RESET and
DISCARD ALL lead back to is what the client came with, not what its server
did."""

import pytest

import rawpg
from rawpg import bind, describe, execute, flush, parse, query, sync

CONF = """
auth = "trust"
pool_size = 1
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" pool_mode = "$MODE" }
"""


def run(sql, name=""):
    return parse(name, sql) + bind("", name) + execute()


SHOW = "SHOW application_name"
PARTS = [  # of each: what is sent at once, with how many ReadyForQuery
    (run("DISCARD ALL") + run(SHOW) + sync(), 1),
    (run("RESET ALL") + run(SHOW) + sync(), 1),
    (run("RESET application_name") + run(SHOW) + describe("P") + sync(), 1),
    (run("SET application_name TO DEFAULT") + flush() + run(SHOW) + sync(), 1),
    # In several units of one group.
    (parse("", "DISCARD ALL") + bind("p", "") + flush() + execute("p") +
     flush() + run(SHOW) + sync(), 1),
    # Statements and portals of before.
    (parse("s", SHOW) + parse("", SHOW) + bind("", "s") +
     run("RESET ALL", "r") + bind("", "s") + execute() + bind("", "") +
     execute() + sync(), 1),
    (query("DEALLOCATE ALL") + parse("", SHOW) + run("DISCARD ALL", "d") +
     bind("", "") + execute() + sync(), 2),
    # What is set behind it stays.
    (run("RESET ALL") + run("SET application_name = 'other'") + run(SHOW) +
     sync() + query(SHOW), 2),
    # What comes behind DISCARD ALL begins a transaction.
    (run("DISCARD ALL") + run("DISCARD ALL") + run(SHOW) + sync(), 1),
    (run("DISCARD ALL") + run("BEGIN") + run(SHOW) + sync() + query(SHOW) +
     query("COMMIT"), 3),
    (run("DISCARD ALL") + run("COMMIT") + run(SHOW) + sync(), 1),
    # What fails, or is rolled back.
    (run("SELECT 1") + run("DISCARD ALL") + run(SHOW) + sync() + query(SHOW),
     2),
    (run("RESET ALL") + run(SHOW) + run("SELECT 1/0") + sync() + query(SHOW),
     2),
    # In a block.
    (query("BEGIN") + run("RESET ALL") + run(SHOW) + sync() + run(SHOW) +
     sync() + query("ROLLBACK") + query(SHOW), 5),
    (query("BEGIN") + run("RESET ALL") + sync() + run(SHOW) + sync() +
     query(SHOW) + query("COMMIT") + query(SHOW), 6),
]


def played(port, database, name):
    """What is answered to all parts, from the same state each."""
    with rawpg.RawConn("127.0.0.1", port, "app", database,
                       params={"application_name": name}) as c:
        out = []
        for data, count in PARTS:
            c.ask("SET application_name = 'now'")
            c.send(data)
            m = c.read_until_ready(count)
            out.append([(k, rawpg.error_fields(b)["M"] if k in "EN" else b)
                        for k, b in m])
        return out


@pytest.mark.parametrize("mode", ["transaction", "session"])
@pytest.mark.parametrize("name", ["", "mine", "it's\\"])
def test_as_postgresql_says_it(pg, db, pgsluice, mode, name):
    sluice = pgsluice(CONF, MODE=mode)
    direct = played(pg.port, db, name)
    assert any(b.endswith(name.encode()) for k, b in direct[0] if k == "D")
    proxied = played(sluice.port, "app", name)
    for part, ours, theirs in zip(PARTS, proxied, direct):
        assert ours == theirs, part
    assert sluice.count("server_surprises") == 0
