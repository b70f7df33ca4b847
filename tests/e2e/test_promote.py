# SPDX-License-Identifier: PostgreSQL
"""Unnamed statements that come again and again run as prepared ones."""

import pytest

import rawpg

CONF = """
auth = "trust"
pool_size = 2
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
"""


@pytest.fixture
def sluice(pg, db, pgsluice):
    return pgsluice(CONF)


@pytest.fixture
def direct(pg, db):
    with pg.connect(db, user="app", autocommit=True) as conn:
        yield conn


def raw(sluice):
    return rawpg.RawConn("127.0.0.1", sluice.port, "app", "app")


def unit(sql, values=(), oids=(), describe=True):
    return (rawpg.parse("", sql, oids) + rawpg.bind("", "", values) +
            (rawpg.describe("P") if describe else b"") + rawpg.execute() +
            rawpg.sync())


def ask(c, *args, **kw):
    c.send(unit(*args, **kw))
    return c.read_until_ready()


def test_from_the_sixth_use_on(sluice):
    with raw(sluice) as c, raw(sluice) as other:
        for n in range(20):
            who = other if n % 3 == 0 else c
            m = ask(who, "SELECT $1::int + 1", [str(n)])
            assert rawpg.types(m) == "12TDCZ"
            assert rawpg.rows(m) == [(b"%d" % (n + 1),)]
    assert 10 <= sluice.count("prepared_promoted") <= 15


def test_others_in_between(sluice):
    """What no session holds on to is still known when it comes again.

    A use that takes much longer than others ends the name for some time. What
    sleeps is not taken for slow because the machine is busy."""
    with raw(sluice) as c:
        for n in range(20):
            for k in range(5):
                m = ask(c, f"SELECT {k}, $1::text FROM pg_sleep(0.005)",
                        [f"t{n}"])
                assert rawpg.rows(m) == [(b"%d" % k, b"t%d" % n)]
    assert sluice.count("prepared_promoted") >= 70


def test_not_in_a_transaction(sluice):
    with raw(sluice) as c:
        c.ask("BEGIN")
        c.ask("SELECT 1")
        for n in range(20):
            ask(c, "SELECT $1::int", [str(n)])
        c.ask("COMMIT")
    assert sluice.count("prepared_promoted") == 0


def test_switched_off(pg, db, pgsluice):
    sluice = pgsluice(CONF + "prepare_unnamed_after = 0\n")
    with raw(sluice) as c:
        for n in range(20):
            assert rawpg.rows(ask(c, "SELECT $1::int", [str(n)])) == [
                (b"%d" % n,)]
    assert sluice.count("prepared_promoted") == 0


def test_unnamed_statement_is_still_there(sluice):
    """Bind without Parse finds it, promoted or not."""
    with raw(sluice) as c:
        for n in range(10):
            ask(c, "SELECT $1::int * 2", [str(n)])
            c.send(rawpg.bind("", "", ["21"]) + rawpg.execute() +
                   rawpg.sync())
            assert rawpg.rows(c.read_until_ready()) == [(b"42",)]


def test_ddl_that_pgsluice_does_not_see(sluice, direct):
    """No error that a direct connection would not get."""
    direct.execute("CREATE TABLE t (a int, k text); INSERT INTO t VALUES (1, '7')")
    with raw(sluice) as c:
        sql = "SELECT * FROM t WHERE k = $1"
        for _ in range(10):
            assert rawpg.rows(ask(c, sql, ["7"])) == [(b"1", b"7")]
        direct.execute("ALTER TABLE t ADD b int DEFAULT 2")
        for _ in range(10):
            assert rawpg.rows(ask(c, sql, ["7"])) == [(b"1", b"7", b"2")]
        # The parameter was text and would be no match for an int.
        direct.execute("ALTER TABLE t ALTER k TYPE int USING k::int")
        for _ in range(10):
            assert rawpg.rows(ask(c, sql, ["7"])) == [(b"1", b"7", b"2")]
        direct.execute("DROP TABLE t")
        m = ask(c, sql, ["7"])
        assert rawpg.sqlstates(m) == ["42P01"]
        assert rawpg.errors(m)[0]["P"] == "15"


def test_errors_are_the_same_at_every_use(sluice):
    with raw(sluice) as c:
        for sql, values in [("SELECT 1/$1::int", ["0"]),
                            ("SELECT $1::int", ["x"]),
                            ("SELECT $1::int", []),
                            ("SELECT nowhere FROM pg_class", []),
                            ("SELEC 1", [])]:
            seen = set()
            for _ in range(12):
                m = ask(c, sql, values)
                e, = rawpg.errors(m)
                seen.add((e["C"], e["M"], e.get("P"), e.get("W")))
            assert len(seen) == 1, seen


def test_writes_happen_once(sluice, direct):
    direct.execute("CREATE TABLE w (n int PRIMARY KEY)")
    with raw(sluice) as c:
        for n in range(30):
            m = ask(c, "INSERT INTO w VALUES ($1)", [str(n)])
            assert rawpg.tags(m) == ["INSERT 0 1"]
            m = ask(c, "INSERT INTO w VALUES ($1)", [str(n)])
            assert rawpg.sqlstates(m) == ["23505"]
    assert direct.execute("SELECT count(*) FROM w").fetchone() == (30,)


@pytest.mark.parametrize("at_once", [False, True])
def test_a_refused_parse_leaves_no_unnamed_statement(sluice, at_once):
    """Whether it was run under a name, and whether it has been answered yet."""
    refused = unit("SELECT $3")
    lost = rawpg.bind("", "") + rawpg.execute() + rawpg.sync()
    with raw(sluice) as c:
        for _ in range(12):
            ask(c, "SELECT 1")
            if at_once:
                c.send(refused + lost)
                m = c.read_until_ready() + c.read_until_ready()
            else:
                c.send(refused)
                m = c.read_until_ready()
                c.send(lost)
                m += c.read_until_ready()
            assert rawpg.sqlstates(m) == ["42P18", "26000"]
            assert rawpg.types(m) == "EZEZ"
    assert sluice.count("prepared_promoted") > 0
