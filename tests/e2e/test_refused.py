# SPDX-License-Identifier: PostgreSQL
"""What pgsluice refuses inside of something that is open on a server, a
transaction or a group without Sync, is an error like any other: one, in its
place, and the connection goes on."""

import pytest

from rawpg import (RawConn, bind, describe, errors, execute, flush, parse,
                   query, sqlstates, statuses, sync, text_rows, types)

CONF = """
auth = "trust"
pool_size = 2
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
backend "other" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
table "near" {
    databases = {"app"}
    use = "plain"
    variant "plain" { kind = "plain" backend = "main" relation = "public.near_p" }
}
table "far" {
    databases = {"app"}
    use = "plain"
    variant "plain" { kind = "plain" backend = "other" relation = "public.far_p" }
}
"""

SCHEMA = """
CREATE TABLE near_p AS SELECT 1 AS a;
CREATE TABLE far_p AS SELECT 2 AS a;
GRANT ALL ON near_p, far_p TO app;
"""

NEAR, FAR = "SELECT a FROM near", "SELECT a FROM far"


def run(sql, values=()):
    return parse("", sql) + bind("", "", values) + execute()


def ask(c, data, count=1):
    c.send(data)
    return c.read_until_ready(count)


def refused(c, data, sqlstate, status):
    """One error, and where the session is then."""
    m = ask(c, data)
    assert types(m).endswith("EZ") and sqlstates(m) == [sqlstate]
    assert statuses(m)[-1:] == status
    return m


@pytest.fixture
def client(pg, db, pgsluice):
    pg.psql(SCHEMA, db)
    sluice = pgsluice(CONF)
    with RawConn("127.0.0.1", sluice.port, "app", "app") as c:
        yield c
        # The connection is in order, and nobody's server is left behind.
        for sql, row in [(NEAR, "1"), (FAR, "2")] * 2:
            assert text_rows(ask(c, query(sql))) == [(row,)]
    assert not pg.pids(datname=db, state="idle in transaction")


@pytest.mark.parametrize("behind", [
    b"", run(NEAR), run(FAR), parse("s", "SELECT 1") + describe("S", "s"),
    flush() + run(NEAR), flush() + run(FAR) + flush()],
    ids=["nothing", "near", "far", "parse", "flush", "far flush"])
def test_group_in_a_transaction(client, behind):
    """All behind it is skipped up to Sync, refused or not."""
    ask(client, query("BEGIN") + query(NEAR), 2)
    client.send(run(FAR) + flush())
    kind, body = client.recv_message()
    assert kind == "E" and errors([(kind, body)])[0]["C"] == "25001"
    m = ask(client, behind + sync())
    assert types(m) == "Z" and statuses(m) == "E"
    refused(client, query(NEAR), "25P02", "E")
    assert statuses(ask(client, query("ROLLBACK"))) == "I"


def test_behind_statements_of_its_group(client):
    """What the group did is undone, as by any error."""
    client.send(run("INSERT INTO near VALUES (9)") + flush())
    m = [client.recv_message() for _ in "12C"]
    assert types(m) == "12C"
    refused(client, run(FAR) + sync(), "0A000", "I")
    assert text_rows(ask(client, query(NEAR))) == [("1",)]


@pytest.mark.parametrize("open_with", [b"", query("BEGIN") + query(NEAR)],
                         ids=["alone", "transaction"])
def test_query_behind_a_group(client, open_with):
    status = "I"
    if open_with:
        ask(client, open_with, 2)
        status = "E"
    client.send(run("INSERT INTO near VALUES (9)") + flush())
    refused(client, query(FAR), "0A000", status)
    ask(client, query("ROLLBACK"))
    assert text_rows(ask(client, query(NEAR))) == [("1",)]


@pytest.mark.parametrize("first", [query(FAR), query(NEAR),
                                   query("SELECT 1/0")],
                         ids=["refused", "run", "failed"])
def test_what_is_behind_such_a_query_waits(client, first):
    """The group is over with it: what needs another server gets one."""
    m = ask(client, run(NEAR) + flush() + first + query(FAR) + query(NEAR), 3)
    assert text_rows(m)[-2:] == [("2",), ("1",)]
    assert sqlstates(m) == {query(FAR): ["0A000"], query(NEAR): []}.get(
        first, ["22012"])


def test_a_failed_group_takes_queries_along(client):
    """All of them, up to its Sync."""
    m = ask(client, run("SELECT 1/0") + query(NEAR) + query(FAR) +
            query(NEAR) + sync() + query(FAR), 2)
    assert sqlstates(m) == ["22012"] and text_rows(m) == [("2",)]


def test_two_refusals_are_one_error(client):
    refused(client, run(NEAR) + flush() + run(FAR) + flush() + run(FAR) +
            flush() + query(FAR) + sync(), "0A000", "I")


def test_groups_behind_one_another(client):
    """Each has its own error."""
    group = run(NEAR) + flush() + run(FAR) + sync()
    m = ask(client, group + query("SELECT 3") + group, 3)
    assert sqlstates(m) == ["0A000", "0A000"]
    assert ("3",) in text_rows(m)


def test_long_bind_in_a_transaction(client):
    """It is refused by its head; the rest is taken for nothing else."""
    ask(client, query("BEGIN") + query(NEAR), 2)
    refused(client, run(FAR + " WHERE $1::text > ''", ["x" * 700_000]) +
            sync(), "25001", "E")
    assert statuses(ask(client, query("ROLLBACK"))) == "I"


def test_a_long_bind_is_over_with_its_group(pg, db, pgsluice):
    """What comes later is not counted as long."""
    pg.psql(SCHEMA, db)
    sluice = pgsluice(CONF)

    def long():
        return sluice.metrics().get(
            'pgsluice_cache_bypass_total{reason="long"}', 0)
    with RawConn("127.0.0.1", sluice.port, "app", "app") as c:
        c.send(parse("", NEAR + " WHERE $1::text > ''") +
               bind("", "", ["x" * 700_000]) + execute() + flush())
        assert c.recv_message()[0] == "1"
        refused(c, run(FAR) + sync(), "0A000", "I")
        before = long()
        ask(c, run(NEAR) + run(NEAR) + sync())
        assert long() == before


def test_begin_that_no_server_has_seen(client):
    """A session with a server of its own, which is not in the transaction."""
    ask(client, query("CREATE TEMP TABLE mine (a int)"))
    assert statuses(ask(client, query("BEGIN"))) == "T"
    refused(client, query(FAR), "25001", "E")
    refused(client, query(NEAR), "25P02", "E")
    assert statuses(ask(client, query("ROLLBACK"))) == "I"
    ask(client, query("DISCARD ALL"))
