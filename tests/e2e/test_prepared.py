# SPDX-License-Identifier: PostgreSQL
"""Prepared statements of the protocol work although servers change."""

import threading

import psycopg
import pytest

import rawpg
from harness import bound, wire

CONF = """
auth = "trust"
pool_size = 3
max_server_prepared = 20
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
"""


@pytest.fixture
def sluice(pg, db, pgsluice):
    return pgsluice(CONF)


class Holders:
    """Transactions that occupy servers, so that others move to the rest."""

    def __init__(self, sluice, count):
        self.clients = [sluice.connect() for _ in range(count)]

    def hold(self, *which):
        for n, c in enumerate(self.clients):
            open_now = c.info.transaction_status == 2
            if n in which and not open_now:
                c.execute("BEGIN")
                c.execute("SELECT 1")
            if n not in which and open_now:
                c.execute("COMMIT")

    def close(self):
        for c in self.clients:
            c.close()


def test_named_statement_follows_to_every_server(sluice):
    others = Holders(sluice, 2)
    pids = set()
    with sluice.connect() as conn:
        for which in [(), (0,), (0, 1), (1,), (), (0, 1)]:
            others.hold(*which)
            for n in range(5):
                row = conn.execute("SELECT %s::int, pg_backend_pid()", (n,),
                                   prepare=True).fetchone()
                assert row[0] == n
                pids.add(row[1])
    others.close()
    assert len(pids) >= 2, "the statement never moved: nothing was tested"


def test_same_name_means_something_else_to_each_client(sluice):
    clients = [sluice.wire() for _ in range(8)]
    for n, w in enumerate(clients):
        _, a = w.ask(rawpg.parse("s", f"SELECT 'mine is {n}'") + rawpg.sync())
        assert [k for k, _ in a.messages] == [b"1", b"Z"]
    for _ in range(20):
        for n, w in enumerate(clients):
            _, a = w.ask(bound("s"))
            assert a.rows == [(f"mine is {n}".encode(),)]
    for w in clients:
        w.close()


def test_equal_statements_are_parsed_once_a_server(sluice, pg, db):
    def client():
        with sluice.connect() as conn:
            for n in range(10):
                conn.execute("SELECT %s::int + 1", (n,), prepare=True)
    threads = [threading.Thread(target=client) for _ in range(10)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sluice.count("prepared_reuses") >= 90
    assert sluice.count("prepared_parses") <= 3


def test_unnamed_parse_then_bind_after_a_sync(sluice):
    """Legal, and the server in between may have been another one's."""
    with sluice.wire() as one, sluice.wire() as two:
        for n in range(20):
            one.ask(rawpg.parse("", f"SELECT 'one {n}'") + rawpg.sync())
            two.ask(rawpg.parse("", f"SELECT 'two {n}'") + rawpg.sync())
            _, a = one.ask(bound())
            _, b = two.ask(bound())
            assert a.rows == [(f"one {n}".encode(),)]
            assert b.rows == [(f"two {n}".encode(),)]


def test_simple_query_ends_the_unnamed_statement(sluice):
    with sluice.wire() as w:
        w.ask(rawpg.parse("", "SELECT 1") + rawpg.sync())
        w.query("SELECT 2")
        with pytest.raises(wire.WireError) as e:
            w.ask(bound())[1].checked()
        assert e.value.sqlstate == "26000"


def test_describe_and_close(sluice):
    with sluice.wire() as w:
        _, a = w.ask(rawpg.parse("s", "SELECT $1::int AS a, $2::text AS b") +
                     rawpg.describe("S", "s") + rawpg.sync())
        assert [k for k, _ in a.messages] == [b"1", b"t", b"T", b"Z"]
        _, a = w.ask(rawpg.describe("S", "s") + rawpg.sync())
        assert [k for k, _ in a.messages] == [b"t", b"T", b"Z"]
        _, a = w.ask(rawpg.close("S", "s") + rawpg.close("S", "never was") +
                     rawpg.close("P", "nor this") + rawpg.sync())
        assert [k for k, _ in a.messages] == [b"3", b"3", b"3", b"Z"]
        with pytest.raises(wire.WireError) as e:
            w.ask(bound("s", [b"1", b"x"]))[1].checked()
        assert e.value.sqlstate == "26000"


def test_a_name_cannot_be_taken_twice(sluice):
    with sluice.wire() as w:
        w.ask(rawpg.parse("s", "SELECT 1") + rawpg.sync())
        with pytest.raises(wire.WireError) as e:
            w.ask(rawpg.parse("s", "SELECT 2") + rawpg.sync())[1].checked()
        assert e.value.sqlstate == "42P05"
        _, a = w.ask(bound("s"))
        assert a.rows == [(b"1",)]
        # After Close it is free again.
        _, a = w.ask(rawpg.close("S", "s") + rawpg.parse("s", "SELECT 3") +
                     bound("s"))
        assert a.rows == [(b"3",)]


def test_parse_that_fails(sluice):
    with sluice.wire() as w:
        _, a = w.ask(rawpg.parse("bad", "SELECT * FROM nowhere") +
                     bound("bad"))
        assert [k for k, _ in a.messages] == [b"E", b"Z"]
        with pytest.raises(wire.WireError) as e:
            w.ask(bound("bad"))[1].checked()
        assert e.value.sqlstate == "26000"
        assert w.query("SELECT 1").rows == [(b"1",)]


def test_sql_deallocate_of_a_protocol_statement(sluice):
    """psycopg 3 drops its oldest statement by DEALLOCATE."""
    with sluice.connect() as conn:
        conn.prepare_threshold = 0
        conn.prepared_max = 3
        for round_ in range(3):
            for n in range(10):
                assert conn.execute(f"SELECT {n} + %s::int",
                                    (round_,)).fetchone() == (n + round_,)


def test_sql_prepare(sluice):
    with sluice.connect() as one, sluice.connect() as two:
        one.execute("PREPARE p(int) AS SELECT 'one', $1")
        two.execute("PREPARE p(int) AS SELECT 'two', $1")
        for n in range(10):
            assert one.execute(f"EXECUTE p({n})").fetchone() == ("one", n)
            assert two.execute(f"EXECUTE p({n})").fetchone() == ("two", n)
        one.execute("DEALLOCATE p")
        with pytest.raises(psycopg.errors.InvalidSqlStatementName):
            one.execute("EXECUTE p(1)")


def test_more_statements_than_a_server_keeps(sluice):
    """max_server_prepared is 20: the oldest make room and come back."""
    with sluice.connect() as conn:
        conn.prepare_threshold = 0
        conn.prepared_max = 1000
        for round_ in range(3):
            for n in range(60):
                assert conn.execute(
                    f"SELECT {n} AS c{n}, %s::int",
                    (round_,)).fetchone() == (n, round_)


@pytest.mark.parametrize("binary", [False, True])
def test_result_changes_shape(sluice, binary):
    """As with a server itself: the plan may fail once, but not for ever."""
    sluice.query("CREATE TABLE t (a int)")
    sluice.query("INSERT INTO t VALUES (1)")
    with sluice.connect() as conn:
        for _ in range(7):
            assert conn.execute("SELECT * FROM t", prepare=True,
                                binary=binary).fetchone() == (1,)
        sluice.query("ALTER TABLE t ADD b int DEFAULT 2")
        try:
            row = conn.execute("SELECT * FROM t", prepare=True,
                               binary=binary).fetchone()
        except psycopg.errors.FeatureNotSupported:
            # psycopg itself would repeat it; here the name has to be new.
            row = conn.execute("SELECT * FROM t ", prepare=True,
                               binary=binary).fetchone()
        assert row == (1, 2)
    # Whoever comes after has no part in it.
    for _ in range(3):
        with sluice.connect() as conn:
            for _ in range(3):
                assert conn.execute("SELECT * FROM t", prepare=True,
                                    binary=binary).fetchone() == (1, 2)


INT4, TEXT = 23, 25


def session(sluice):
    return rawpg.RawConn("127.0.0.1", sluice.port, "app", "app")


def result_type(c, name, sql="SELECT n FROM t"):
    """Type of the first column of a statement that is prepared for it."""
    c.send(rawpg.parse(name, sql) + rawpg.bind("", name) +
           rawpg.describe("P") + rawpg.execute() + rawpg.sync())
    got = c.read_until_ready()
    assert rawpg.errors(got) == [], name
    return rawpg.columns(rawpg.bodies(got, "T")[0])[0].type


@pytest.fixture
def table(pg, db):
    pg.psql("CREATE TABLE t AS SELECT 1 AS n; ALTER TABLE t OWNER TO app", db)


@pytest.mark.parametrize("back", ["ROLLBACK", "ROLLBACK TO a", "fails"])
@pytest.mark.parametrize("split", [False, True])
def test_ddl_that_is_taken_back(sluice, table, back, split):
    """What was prepared while a column had another type must not be what is
    prepared after it has the old one again."""
    with session(sluice) as a, session(sluice) as b:
        ddl = "BEGIN; SAVEPOINT a; ALTER TABLE t ALTER n TYPE text"
        for sql in ddl.split("; ") if split else [ddl]:
            a.ask(sql)
        assert result_type(a, "one") == TEXT
        if back == "fails":
            a.send(rawpg.query("SELECT 1 / 0"))
            a.read_until_ready()
        a.ask("ROLLBACK" if back == "fails" else back)
        if back != "ROLLBACK TO a":
            a.ask("BEGIN")
        assert result_type(a, "two") == INT4
        a.ask("COMMIT; BEGIN")
        assert result_type(a, "three") == INT4
        b.ask("BEGIN")
        assert result_type(b, "four") == INT4


def test_ddl_among_several_statements(sluice, table):
    with session(sluice) as a, session(sluice) as b:
        b.ask("BEGIN")
        assert result_type(b, "one") == INT4
        b.ask("COMMIT")
        a.ask("BEGIN; ALTER TABLE t ALTER n TYPE text; COMMIT")
        b.ask("BEGIN")
        assert result_type(b, "two") == TEXT


def test_errors_name_the_clients_statement(sluice):
    """In the order of the answers, not by the name it has on servers."""
    with rawpg.RawConn("127.0.0.1", sluice.port, "app", "app") as c:
        c.send(rawpg.parse("mine", "SELECT $1::int") + bound("mine", ["1"]) +
               bound("mine", []) + bound("mine", ["2"]))
        m = c.read_until_ready(3)
        assert rawpg.types(m) == "12DCZEZ2DCZ"
        assert [e["M"] for e in rawpg.errors(m)] == [
            "bind message supplies 0 parameters, but prepared statement "
            '"mine" requires 1']


def test_parse_in_a_transaction_that_fails(sluice):
    """It is refused there, known statement or not, and good afterwards."""
    with rawpg.RawConn("127.0.0.1", sluice.port, "app", "app") as c:
        known = rawpg.parse("known", "SELECT 7") + rawpg.sync()
        c.send(known + rawpg.close("S", "known") + rawpg.sync())
        c.read_until_ready(2)
        c.send(rawpg.query("BEGIN") + rawpg.query("SELECT 1/0") + known)
        assert rawpg.sqlstates(c.read_until_ready(3)) == ["22012", "25P02"]
        c.send(known)
        assert rawpg.sqlstates(c.read_until_ready()) == ["25P02"]
        c.ask("ROLLBACK")
        for _ in range(2):
            c.send(known + bound("known") + rawpg.close("S", "known") +
                   rawpg.sync())
            assert rawpg.types(c.read_until_ready(3)) == "1Z2DCZ3Z"


def test_statement_behind_a_group_that_failed(sluice):
    """The same content, skipped in one group and sent again in the next."""
    with rawpg.RawConn("127.0.0.1", sluice.port, "app", "app") as c:
        for n in range(3):
            text = rawpg.parse("a", "SELECT 8")
            c.send(rawpg.parse("", "SELECT 1/0") + bound("")[:-5] + text +
                   rawpg.sync() + rawpg.close("S", "a") + text +
                   bound("a") + rawpg.close("S", "a") + rawpg.sync())
            assert rawpg.types(c.read_until_ready(3)) == "1EZ312DCZ3Z"


def test_names_in_a_group_that_fails(sluice):
    """What an error skips neither defines nor closes a name, however early the
    next group was sent."""
    with rawpg.RawConn("127.0.0.1", sluice.port, "app", "app") as c:
        fails = rawpg.parse("", "SELECT 1/0") + bound("")[:-5]
        old, new = rawpg.parse("n", "SELECT 1"), rawpg.parse("n", "SELECT 2")
        c.send(fails + old + rawpg.sync() + bound("n"))
        m = c.read_until_ready(2)
        assert rawpg.sqlstates(m) == ["22012", "26000"]
        c.send(old + rawpg.sync())
        c.read_until_ready()
        c.send(fails + rawpg.close("S", "n") + new + rawpg.sync() +
               bound("n") + rawpg.close("S", "n") + new + bound("n"))
        m = c.read_until_ready(3)
        assert rawpg.types(m) == "1EZ2DCZ312DCZ"
        assert rawpg.text_rows(m) == [("1",), ("2",)]


def test_nobody_sees_the_unnamed_statement_of_another(sluice):
    """On the server that holds it, with none of one's own."""
    with rawpg.RawConn("127.0.0.1", sluice.port, "app", "app") as a, \
            rawpg.RawConn("127.0.0.1", sluice.port, "app", "app") as b:
        for probe in (rawpg.describe("S"), rawpg.bind("", "")):
            for _ in range(4):
                a.send(rawpg.parse("", "SELECT 1 AS secret") + rawpg.sync())
                a.read_until_ready()
                b.send(probe + rawpg.sync())
                assert rawpg.sqlstates(b.read_until_ready()) == ["26000"]


def test_large_statement(sluice):
    text = "SELECT %s::int /* " + "x" * 300000 + " */"
    with sluice.connect() as conn:
        for n in range(10):
            assert conn.execute(text, (n,), prepare=True).fetchone() == (n,)


def test_parameter_types_tell_statements_apart(sluice):
    """The same text with other parameter types is another statement."""
    with sluice.wire() as one, sluice.wire() as two:
        sql = "SELECT pg_typeof($1)"
        one.ask(rawpg.parse("s", sql, [23]) + rawpg.sync())
        two.ask(rawpg.parse("s", sql, [25]) + rawpg.sync())
        for _ in range(5):
            _, a = one.ask(bound("s", [b"1"]))
            _, b = two.ask(bound("s", [b"1"]))
            assert (a.rows, b.rows) == ([(b"integer",)], [(b"text",)])


def test_clients_prepare_execute_close_at_random(sluice):
    import random
    rng = random.Random(7)
    clients = [(sluice.wire(), {}) for _ in range(10)]
    for step in range(1500):
        w, known = rng.choice(clients)
        name = f"n{rng.randrange(5)}"
        if name not in known:
            value = f"v{rng.randrange(30)}"
            w.ask(rawpg.parse(name, f"SELECT '{value}', $1::text") +
                  rawpg.sync())[1].checked()
            known[name] = value
        elif rng.randrange(5) == 0:
            w.ask(rawpg.close("S", name) + rawpg.sync())[1].checked()
            del known[name]
        else:
            token = f"t{step}".encode()
            _, a = w.ask(bound(name, [token]))
            assert a.rows == [(known[name].encode(), token)]
    for w, _ in clients:
        w.close()
