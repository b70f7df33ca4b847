# SPDX-License-Identifier: PostgreSQL
"""Errors that come of sharing statements are mended before a client sees them."""

import psycopg
import pytest

import rawpg
from harness import bound

CONF = """
auth = "trust"
pool_size = 1
stateless_functions = {"wipe", "usurp"}
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
"""

FUNCTIONS = """
CREATE FUNCTION wipe() RETURNS void LANGUAGE plpgsql AS
    $$BEGIN EXECUTE 'DEALLOCATE ALL'; END$$;
CREATE TABLE t (a int);
INSERT INTO t VALUES (1);
"""


@pytest.fixture
def sluice(pg, db, pgsluice):
    with pg.connect(db, user="app") as direct:
        direct.execute(FUNCTIONS)
    return pgsluice(CONF)


@pytest.fixture
def direct(pg, db):
    with pg.connect(db, user="app", autocommit=True) as conn:
        yield conn


def raw(sluice):
    return rawpg.RawConn("127.0.0.1", sluice.port, "app", "app")


def prepared(c, name, sql):
    c.send(rawpg.parse(name, sql) + rawpg.sync())
    assert rawpg.types(c.read_until_ready()) == "1Z"


def test_changed_result_type(sluice, direct):
    """DDL that pgsluice does not see: no error at all, from the first use."""
    with raw(sluice) as c:
        prepared(c, "s", "SELECT * FROM t")
        for n in range(3):
            direct.execute(f"ALTER TABLE t ADD b{n} int DEFAULT {n}")
            c.send(bound("s"))
            m = c.read_until_ready()
            assert rawpg.types(m) == "2DCZ"
            assert rawpg.rows(m) == [(b"1", b"0", b"1", b"2")[:n + 2]]
        direct.execute("ALTER TABLE t ALTER a TYPE text")
        c.send(rawpg.describe("S", "s") + rawpg.sync())
        m = c.read_until_ready()
        assert rawpg.types(m) == "tTZ"
        assert rawpg.columns(rawpg.bodies(m, "T")[0])[0].type == 25
    assert sluice.count("prepared_mended") == 4


@pytest.mark.parametrize("formats", [[0], [0, 0]])
@pytest.mark.parametrize("seen", [False, True])
def test_types_that_the_client_was_told(sluice, direct, formats, seen):
    """A client that relies on them gets PostgreSQL's error, not other types."""
    def use(c, described=False):
        c.send(rawpg.bind("", "s", result_formats=formats) +
               (rawpg.describe("P") if described else b"") +
               rawpg.execute() + rawpg.sync())
        return c.read_until_ready()
    direct.execute("ALTER TABLE t ADD b int DEFAULT 2")
    sql = "SELECT * FROM t"
    with raw(sluice) as c:
        c.send(rawpg.parse("s", sql) + rawpg.describe("S", "s") +
               rawpg.sync())
        assert rawpg.types(c.read_until_ready()) == "1tTZ"
        assert rawpg.types(use(c)) == "2DCZ"
        alter = "ALTER TABLE t ALTER b TYPE text"
        if seen:
            sluice.query(alter)
        else:
            direct.execute(alter)
        for _ in range(2):
            m = use(c)
            assert rawpg.types(m) == "EZ"
            assert rawpg.sqlstates(m) == ["0A000"]
        m = use(c, described=True)
        assert rawpg.types(m) == ("2TDCZ" if len(formats) == 1 else "EZ")
        # As soon as it asks anew, it can.
        c.send(rawpg.close("S", "s") + rawpg.parse("s", sql) +
               rawpg.describe("S", "s") + rawpg.sync())
        m = c.read_until_ready()
        assert [x.type for x in rawpg.columns(rawpg.bodies(m, "T")[0])] == \
            [23, 25]
        assert rawpg.types(use(c)) == "2DCZ"


def test_statement_that_was_taken_away(sluice):
    with raw(sluice) as c, sluice.connect() as other:
        prepared(c, "s", "SELECT $1::int + 1")
        prepared(c, "r", "SELECT $1::int + 2")
        for n in range(3):
            other.execute("SELECT wipe()")
            c.send(bound("s", [str(n)]))
            m = c.read_until_ready()
            assert rawpg.types(m) == "2DCZ"
            assert rawpg.rows(m) == [(b"%d" % (n + 1),)]
            # Not missed any more: what is there is closed first.
            c.send(bound("r", [str(n)]) + bound("s", [str(n)]))
            m = c.read_until_ready(2)
            assert rawpg.rows(m) == [(b"%d" % (n + 2),), (b"%d" % (n + 1),)]
    assert sluice.count("prepared_mended") == 3


def test_parse_and_bind_in_one_unit(sluice):
    """The client's own Parse was answered by us: it is told so once."""
    with raw(sluice) as c, sluice.connect() as other:
        prepared(c, "known", "SELECT $1::int * 2")
        other.execute("SELECT wipe()")
        c.send(rawpg.parse("again", "SELECT $1::int * 2") +
               bound("again", ["4"]))
        m = c.read_until_ready()
        assert rawpg.types(m) == "12DCZ"
        assert rawpg.rows(m) == [(b"8",)]
        c.send(bound("again", ["5"]))
        assert rawpg.rows(c.read_until_ready()) == [(b"10",)]


def test_name_that_is_there_already(sluice, pg, db):
    """Our books say no, the server says yes."""
    with raw(sluice) as c:
        prepared(c, "s", "SELECT 'right'")
        c.send(rawpg.query("SELECT name FROM pg_prepared_statements"))
        (name,), = rawpg.text_rows(c.read_until_ready())
    with sluice.connect() as other:
        # It comes back under its name, with another's text.
        other.execute(f"""CREATE FUNCTION usurp() RETURNS void
            LANGUAGE plpgsql AS $$BEGIN
            EXECUTE 'DEALLOCATE ALL';
            EXECUTE 'PREPARE {name}x AS SELECT 1'; END$$""")
        other.execute("SELECT usurp()")
    with raw(sluice) as c:
        prepared(c, "s", "SELECT 'right'")
        c.send(bound("s"))
        assert rawpg.rows(c.read_until_ready()) == [(b"right",)]


def test_in_a_transaction_the_error_is_the_clients(sluice, direct):
    """As with PostgreSQL, under the client's name; the next use is mended."""
    with raw(sluice) as c:
        prepared(c, "mine", "SELECT * FROM t")
        c.ask("BEGIN")
        c.ask("SELECT 1")
        direct.execute("ALTER TABLE t ADD b int DEFAULT 2")
        c.send(bound("mine"))
        m = c.read_until_ready()
        assert rawpg.types(m) == "EZ"
        assert rawpg.sqlstates(m) == ["0A000"]
        c.ask("ROLLBACK")
        c.ask("BEGIN")
        c.ask("SELECT 1")
        c.ask("SELECT wipe()")
        c.send(bound("mine"))
        m = c.read_until_ready()
        assert rawpg.types(m) == "2DCZ", "a new name after the first error"
        c.ask("SELECT wipe()")
        c.send(bound("mine"))
        m = c.read_until_ready()
        assert [(e["C"], e["M"]) for e in rawpg.errors(m)] == [
            ("26000", 'prepared statement "mine" does not exist')]
        c.ask("ROLLBACK")
        c.send(bound("mine"))
        assert rawpg.rows(c.read_until_ready()) == [(b"1", b"2")]


def test_nothing_is_done_twice(sluice, direct):
    """A unit that has had effects is not sent again."""
    direct.execute("CREATE TABLE done (n int)")
    with raw(sluice) as c:
        prepared(c, "w", "INSERT INTO done VALUES (1)")
        prepared(c, "s", "SELECT * FROM t")
        direct.execute("ALTER TABLE t ADD b int DEFAULT 2")
        c.send(bound("w")[:-5] + bound("s"))
        m = c.read_until_ready()
        assert rawpg.sqlstates(m) == ["0A000"]
        c.send(bound("w")[:-5] + bound("s"))
        assert rawpg.sqlstates(c.read_until_ready()) == []
    assert direct.execute("SELECT count(*) FROM done").fetchone() == (1,)


def test_a_pipeline_keeps_its_order(sluice):
    with raw(sluice) as c, sluice.connect() as other:
        for n in range(5):
            prepared(c, f"s{n}", f"SELECT 's{n}', $1::text")
        for round_ in range(10):
            other.execute("SELECT wipe()")
            c.send(b"".join(bound(f"s{n}", [f"r{round_}"]) for n in range(5)))
            m = c.read_until_ready(5)
            good = rawpg.rows(m)
            bad = rawpg.sqlstates(m)
            assert len(good) + len(bad) == 5
            assert set(bad) <= {"26000"}
            assert good == [g for g in good if g[1] == b"r%d" % round_]
            assert good == sorted(good)


def test_what_the_client_got_wrong_stays_wrong(sluice):
    with raw(sluice) as c:
        c.send(bound("never"))
        assert rawpg.sqlstates(c.read_until_ready()) == ["26000"]
        prepared(c, "s", "SELECT 1")
        c.send(rawpg.parse("s", "SELECT 2") + rawpg.sync())
        m = c.read_until_ready()
        assert [(e["C"], e["M"]) for e in rawpg.errors(m)] == [
            ("42P05", 'prepared statement "s" already exists')]
    assert sluice.count("prepared_mended") == 0


def test_a_loop_of_errors_ends(sluice, direct):
    """A statement whose table is gone for good."""
    with raw(sluice) as c:
        prepared(c, "s", "SELECT * FROM t")
        direct.execute("DROP TABLE t")
        for _ in range(3):
            c.send(bound("s"))
            assert rawpg.sqlstates(c.read_until_ready()) == ["42P01"]
        direct.execute("CREATE TABLE t (z text)")
        c.send(bound("s"))
        assert rawpg.types(c.read_until_ready()) == "2CZ"


@pytest.mark.parametrize("binary", [False, True])
def test_psycopg_sees_the_new_column(sluice, direct, binary):
    with sluice.connect() as conn:
        for _ in range(3):
            assert conn.execute("SELECT * FROM t", prepare=True,
                                binary=binary).fetchone() == (1,)
        direct.execute("ALTER TABLE t ADD b int DEFAULT 2")
        assert conn.execute("SELECT * FROM t", prepare=True,
                            binary=binary).fetchone() == (1, 2)
    assert isinstance(conn, psycopg.Connection)
