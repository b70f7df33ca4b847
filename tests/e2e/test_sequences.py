# SPDX-License-Identifier: PostgreSQL
"""currval() and lastval() tell a session of its own values or of none, as
PostgreSQL does, whoever used its server before."""

import random
import threading

import psycopg
import pytest

from rawpg import (RawConn, bind, execute, flush, parse, query, sqlstates,
                   statuses, sync, text_rows)

CONF = """
auth = "trust"
admin_users = {"app"}
pool_size = $SIZE
query_wait_timeout = "10s"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" cache = true pool_mode = "$MODE" }
"""

SCHEMA = """
SET ROLE app;
CREATE TABLE item (id serial PRIMARY KEY, name text);
CREATE TABLE plain (name text);
CREATE TABLE other (id serial);
ALTER SEQUENCE other_id_seq RESTART 5000;
CREATE FUNCTION hidden() RETURNS bigint LANGUAGE plpgsql AS
    'BEGIN RETURN lastval(); END';
"""

INSERT = "INSERT INTO item (name) VALUES ('x') RETURNING id"
UNKNOWN = psycopg.errors.ObjectNotInPrerequisiteState
ASK = ["SELECT lastval()", "SELECT currval('item_id_seq')",
       "EXPLAIN ANALYZE SELECT lastval()",
       "INSERT INTO plain SELECT currval('item_id_seq')",
       "WITH v AS (SELECT lastval()) SELECT * FROM v"]


@pytest.fixture
def make(pg, db, pgsluice):
    pg.psql(SCHEMA, db)
    return lambda size=1, mode="transaction": pgsluice(CONF, SIZE=size,
                                                       MODE=mode)


def value(conn, sql):
    return conn.execute(sql).fetchone()[0]


def another(sluice):
    """Leaves a value of somebody else on the server."""
    return value_of(sluice, INSERT)


def value_of(sluice, sql):
    return sluice.query(sql)[0][0]


def refused(conn, sql):
    with pytest.raises(UNKNOWN) as e:
        conn.execute(sql)
    assert "is not yet defined in this session" in str(e.value)


def pins(sluice):
    return " ".join(str(row["pin"]) for row in sluice.console("SHOW CLIENTS")
                    if row["database"] == "app")


@pytest.mark.parametrize("sql", ASK)
def test_nobody_gets_anothers_value(make, sql):
    sluice = make()
    another(sluice)
    with sluice.connect() as conn:
        refused(conn, sql)
    another(sluice)
    with sluice.connect() as conn:
        conn.execute("BEGIN")
        conn.execute("SELECT 1")
        refused(conn, sql)
        conn.execute("ROLLBACK")


@pytest.mark.parametrize("prepare", [False, True])
def test_prepared_statements(make, prepare):
    sluice = make()
    another(sluice)
    with sluice.connect() as conn:
        with pytest.raises(UNKNOWN):
            conn.execute("SELECT lastval() + %s", (1,), prepare=prepare)
    another(sluice)
    with sluice.connect() as conn:
        conn.execute("PREPARE p AS SELECT lastval()")
        refused(conn, "EXECUTE p")


def test_a_function_that_asks(make):
    sluice = make()
    another(sluice)
    with sluice.connect() as conn:
        refused(conn, "SELECT hidden()")


@pytest.mark.parametrize("begin", [
    "BEGIN", "BEGIN ISOLATION LEVEL SERIALIZABLE",
    "START TRANSACTION ISOLATION LEVEL REPEATABLE READ READ WRITE"])
def test_own_value_in_a_transaction(make, begin):
    sluice = make()
    another(sluice)
    with sluice.connect() as conn:
        refused(conn, "SELECT lastval()")
    # From here on it is known what is asked for in this pool.
    for prepare in (False, True):
        another(sluice)
        with sluice.connect(prepare_threshold=0 if prepare else None) as conn:
            conn.execute(begin)
            mine = value(conn, INSERT)
            assert value(conn, "SELECT lastval()") == mine
            assert value(conn, "SELECT currval('item_id_seq')") == mine
            conn.execute("COMMIT")


def test_set_transaction_is_still_the_first_statement(make):
    sluice = make()
    another(sluice)
    with sluice.connect() as conn:
        refused(conn, "SELECT lastval()")
    another(sluice)
    with sluice.connect() as conn:
        conn.execute("BEGIN")
        conn.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        mine = value(conn, INSERT)
        assert value(conn, "SELECT lastval()") == mine
        conn.execute("COMMIT")


def test_own_value_in_one_message(make):
    sluice = make()
    another(sluice)
    with RawConn("127.0.0.1", sluice.port, "app", "app") as c:
        c.send(query(INSERT + "; SELECT lastval()"))
        first, second = text_rows(c.read_until_ready())
        assert first == second
    another(sluice)
    with RawConn("127.0.0.1", sluice.port, "app", "app") as c:
        c.send(parse("", INSERT) + bind("", "") + execute() +
               parse("", "SELECT lastval()") + bind("", "") + execute() +
               sync())
        first, second = text_rows(c.read_until_ready())
        assert first == second


def test_own_value_where_nobody_else_was(make):
    sluice = make()
    with sluice.connect() as conn:
        for _ in range(3):
            mine = value(conn, INSERT)
            assert value(conn, "SELECT lastval()") == mine


def test_own_value_across_transactions_once_it_is_known(make):
    sluice = make()
    another(sluice)
    with sluice.connect() as conn:
        refused(conn, "SELECT lastval()")
    another(sluice)
    # The server has forgotten before it inserts, and nobody comes between.
    with sluice.connect() as conn:
        mine = value(conn, INSERT)
        assert value(conn, "SELECT lastval()") == mine


def test_an_own_value_of_long_ago_is_no_answer(make):
    sluice = make(size=2)
    with sluice.connect() as conn, sluice.connect() as guest:
        old = value(conn, INSERT)
        with guest.transaction():
            guest.execute("SELECT 1")  # on the server with the old value
            new = value(conn, INSERT)
        assert old != new
        # On whichever of the two.
        try:
            assert value(conn, "SELECT lastval()") == new
        except UNKNOWN:
            pass


def test_once_it_has_asked_it_is_pinned(make):
    sluice = make(size=2)
    another(sluice)
    with sluice.connect() as conn:
        refused(conn, "SELECT lastval()")
        assert pins(sluice) == "sequence_state"
        for _ in range(3):
            mine = value(conn, INSERT)
            another(sluice)
            assert value(conn, "SELECT lastval()") == mine


@pytest.mark.parametrize("sql", ["DISCARD SEQUENCES", "DISCARD ALL"])
def test_discard_ends_the_pin(make, sql):
    sluice = make()
    with sluice.connect() as conn:
        value(conn, INSERT)
        value(conn, "SELECT lastval()")
        conn.execute(sql)
        assert pins(sluice) == ""
        another(sluice)
        refused(conn, "SELECT lastval()")


def test_values_made_while_pinned_for_something_else(make):
    sluice = make()
    another(sluice)
    with sluice.connect() as conn:
        conn.execute("CREATE TEMP TABLE t (a int)")
        mine = value(conn, INSERT)
        assert value(conn, "SELECT lastval()") == mine


def test_a_pipeline(make):
    sluice = make()
    another(sluice)
    with RawConn("127.0.0.1", sluice.port, "app", "app") as c:
        c.send(query("BEGIN") + query("SELECT 1") +
               query("SELECT lastval()") + query("ROLLBACK"))
        assert sqlstates(c.read_until_ready(4)) == ["55000"]
        c.send(query("BEGIN") + query(INSERT) + query("SELECT lastval()") +
               query("COMMIT"))
        first, second = text_rows(c.read_until_ready(4))
        assert first == second


def test_a_pipeline_of_the_extended_protocol(make):
    sluice = make()
    another(sluice)

    def run(sql):
        return parse("", sql) + bind("", "") + execute() + sync()
    with RawConn("127.0.0.1", sluice.port, "app", "app") as c:
        c.send(run("SELECT 1") + run("SELECT 2") + run("SELECT lastval()"))
        assert sqlstates(c.read_until_ready(3)) == ["55000"]


def test_a_group_without_sync(make):
    sluice = make()
    another(sluice)
    with RawConn("127.0.0.1", sluice.port, "app", "app") as c:
        c.send(parse("", "SELECT 1") + bind("", "") + execute() + flush())
        c.send(parse("", "SELECT lastval()") + bind("", "") + execute() +
               sync() + query("SELECT lastval()"))
        assert sqlstates(c.read_until_ready(2)) == ["0A000", "55000"]


ENDS = ["ROLLBACK", "COMMIT", "ROLLBACK TO s", "ROLLBACK AND CHAIN"]


def behind_an_end(sluice, end, send):
    """What is answered to the end of a failed transaction and a question, and
    where the session is then; it goes on."""
    with RawConn("127.0.0.1", sluice.port, "app", "app") as c:
        c.send(query("BEGIN; " + "SAVEPOINT s; " * end.endswith("s") +
                     "SELECT 1/0"))
        assert sqlstates(c.read_until_ready()) == ["22012"]
        c.send(send)
        m = c.read_until_ready()
        told = sqlstates(m), statuses(m)
        c.send(query("ROLLBACK"))
        c.read_until_ready()
        c.send(query("BEGIN") + query(INSERT) + query("SELECT lastval()") +
               query("COMMIT"))
        first, second = text_rows(c.read_until_ready(4))
        assert first == second
        return told


@pytest.mark.parametrize("end", ENDS)
def test_behind_the_end_of_a_failed_transaction(make, end):
    """The whole end is done; behind another one it is an error."""
    sluice = make()
    another(sluice)
    told = behind_an_end(sluice, end, query(end + "; SELECT lastval()"))
    assert told == ((["55000"], "I") if end in ENDS[:2] else (["0A000"], "E"))


@pytest.mark.parametrize("end", ENDS)
def test_behind_such_an_end_in_a_group(make, end):
    sluice = make()
    another(sluice)
    told = behind_an_end(sluice, end, b"".join(
        parse("", sql) + bind("", "") + execute()
        for sql in (end, "SELECT lastval()")) + sync())
    assert told[0] == (["0A000"] if end in ENDS[2:] else ["55000"])


def test_in_a_failed_transaction(make):
    sluice = make()
    another(sluice)
    with RawConn("127.0.0.1", sluice.port, "app", "app") as c:
        c.send(query("BEGIN; SELECT 1/0") + query("SELECT lastval()") +
               query("ROLLBACK") + query("SELECT lastval()"))
        assert sqlstates(c.read_until_ready(4)) == ["22012", "25P02", "55000"]


def test_session_pooling_is_as_ever(make):
    sluice = make(mode="session")
    another(sluice)
    with sluice.connect() as conn:
        refused(conn, "SELECT lastval()")
        mine = value(conn, INSERT)
        assert value(conn, "SELECT lastval()") == mine


def test_nobody_gets_anothers_value_in_a_crowd(make, pg, db):
    for n in range(8):
        pg.psql(f"SET ROLE app; CREATE SEQUENCE s{n} START {n + 1}000000", db)
    sluice = make(size=5)
    wrong, told, failed = [], [], []

    def client(n):
        dice = random.Random(n)
        try:
            for _ in range(12):
                session(n, dice)
        except BaseException as e:
            failed.append(e)

    def session(n, dice):
        mine = range((n + 1) * 1000000, (n + 2) * 1000000)
        with sluice.connect() as conn:
            for _ in range(dice.randrange(1, 6)):
                block = dice.random() < 0.6
                if block:
                    conn.execute("BEGIN")
                last = None
                if dice.random() < 0.6:
                    last = value(conn, f"SELECT nextval('s{n}')")
                else:
                    conn.execute("SELECT 1")
                if dice.random() < 0.3:
                    try:
                        got = value(conn, "SELECT lastval()")
                        told.append(got)
                        if got not in mine or (last or got) != got:
                            wrong.append((n, last, got))
                    except UNKNOWN:
                        pass
                if block:
                    conn.execute("ROLLBACK")
    threads = [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed and not wrong
    assert told
