# SPDX-License-Identifier: PostgreSQL
"""What every application does: queries, errors, COPY, large values, pipelines;
with libpq's drivers, psql, pgbench and pg_dump.  What a server answers
directly is what it has to answer through pgsluice."""

import hashlib
import os
import subprocess

import psycopg
import psycopg2
import pytest
from psycopg import pq
from psycopg.types.json import Jsonb

import rawpg
from harness import bound, lablib, until, wire

TABLE = "CREATE TABLE item (id int PRIMARY KEY, name text, at timestamptz)"


@pytest.fixture
def direct(pg, db):
    with pg.connect(db) as conn:
        yield conn


@pytest.fixture
def raw(sluice):
    with sluice.wire() as w:
        yield w


def test_one_row(raw):
    answer = raw.query("SELECT 1 AS one, 'two' AS two, NULL AS three")
    assert answer.rows == [(b"1", b"two", None)]
    assert answer.tag == "SELECT 1"


def test_several_statements_in_one_query(raw):
    answer = raw.query("SELECT 1; SELECT 2; SELECT 3")
    assert answer.rows == [(b"1",), (b"2",), (b"3",)]
    assert [k for k, _ in answer.messages].count(b"C") == 3


def test_several_statements_are_one_transaction(sluice, raw):
    sluice.query(TABLE)
    with pytest.raises(wire.WireError) as e:
        raw.query("INSERT INTO item VALUES (1); SELECT 1/0; "
                  "INSERT INTO item VALUES (2)")
    assert e.value.sqlstate == "22012"
    assert raw.query("SELECT count(*) FROM item").rows == [(b"0",)]


@pytest.mark.parametrize("sql", ["", ";", "  \n", "-- only a comment",
                                 "/* so is this */;"])
def test_empty_query(raw, sql):
    kinds = [k for k, _ in raw.query(sql).messages]
    assert kinds == [b"I", b"Z"]


@pytest.mark.parametrize("sql", [
    "SELECT 1/0",
    "SELEC 1",
    "SELECT no_such_column FROM pg_class",
    "SELECT * FROM no_such_table",
    "SELECT nosuch(1)",
    "SELECT 'x'::int",
    "DO $$ BEGIN RAISE EXCEPTION 'own' USING ERRCODE = 'P1234', "
    "HINT = 'a hint', DETAIL = 'a detail'; END $$",
])
def test_error_is_the_servers_own(sluice, direct, sql):
    with sluice.connect() as conn:
        with pytest.raises(psycopg.Error) as through:
            conn.execute(sql)
        with pytest.raises(psycopg.Error) as straight:
            direct.execute(sql)
        for field in ("severity", "sqlstate", "message_primary",
                      "message_detail", "message_hint", "statement_position",
                      "context"):
            assert getattr(through.value.diag, field) == \
                getattr(straight.value.diag, field), field
        assert conn.execute("SELECT 1").fetchone() == (1,)


def test_notice(sluice):
    with sluice.connect() as conn:
        seen = []
        conn.add_notice_handler(lambda d: seen.append(d.message_primary))
        conn.execute("DO $$ BEGIN RAISE NOTICE 'look here'; END $$")
        assert seen == ["look here"]


def test_notification_reaches_its_listener_only(sluice):
    with sluice.connect() as listener, sluice.connect() as other, \
            sluice.connect() as sender:
        listener.execute("LISTEN news")
        sender.execute("NOTIFY news, 'extra'")
        note = next(listener.notifies())
        assert (note.channel, note.payload) == ("news", "extra")
        other.execute("SELECT 1")
        assert other.pgconn.notifies() is None


def test_login_parameters_are_the_servers(sluice, direct):
    names = ["server_version", "server_encoding", "client_encoding",
             "DateStyle", "IntervalStyle", "TimeZone", "integer_datetimes",
             "standard_conforming_strings"]
    with sluice.connect() as conn:
        for name in names:
            assert conn.info.parameter_status(name) == \
                direct.info.parameter_status(name), name


@pytest.mark.parametrize("binary", [False, True])
def test_values_come_back(sluice, binary):
    values = [1, -2**63, 1.5, True, None, "text with ü and \\ and '",
              b"\0\1\xff", [1, 2, None], "x" * 100000,
              Jsonb({"a": [1, {"b": None}]})]
    with sluice.connect() as conn:
        for value in values:
            row = conn.execute("SELECT %s", (value,),
                               binary=binary).fetchone()
            assert row[0] == getattr(value, "obj", value)


def test_psycopg2(sluice):
    conn = psycopg2.connect(sluice.dsn("app", "app"))
    try:
        with conn, conn.cursor() as cur:
            cur.execute(TABLE)
            cur.execute("INSERT INTO item VALUES (%s, %s, now())", (1, "a"))
        with conn, conn.cursor() as cur:
            cur.execute("SELECT name FROM item WHERE id = %s", (1,))
            assert cur.fetchall() == [("a",)]
        with pytest.raises(psycopg2.errors.UniqueViolation), \
                conn, conn.cursor() as cur:
            cur.execute("INSERT INTO item VALUES (1)")
        with conn, conn.cursor() as cur:
            cur.execute("SELECT count(*) FROM item")
            assert cur.fetchone() == (1,)
    finally:
        conn.close()


def test_psql(sluice):
    sluice.psql(TABLE + "; INSERT INTO item SELECT n, 'name ' || n "
                "FROM generate_series(1, 3) n;")
    out = sluice.psql("\\copy item TO STDOUT\nSELECT count(*) FROM item;\n"
                      "\\d item\n")[1]
    assert "3\tname 3\t\\N" in out and "name|text" in out


def test_transaction_commit_and_rollback(sluice, direct):
    with sluice.connect(autocommit=False) as conn:
        conn.execute(TABLE)
        conn.commit()
        conn.execute("INSERT INTO item VALUES (1)")
        assert direct.execute("SELECT count(*) FROM item").fetchone() == (0,)
        conn.rollback()
        conn.execute("INSERT INTO item VALUES (2)")
        conn.commit()
    assert direct.execute("SELECT id FROM item").fetchall() == [(2,)]


def test_failed_transaction_stays_failed_until_its_end(sluice):
    with sluice.connect(autocommit=False) as conn:
        with pytest.raises(psycopg.errors.DivisionByZero):
            conn.execute("SELECT 1/0")
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            conn.execute("SELECT 1")
        conn.rollback()
        conn.execute("SAVEPOINT s")
        with pytest.raises(psycopg.errors.UndefinedTable):
            conn.execute("SELECT * FROM nowhere")
        conn.execute("ROLLBACK TO s")
        assert conn.execute("SELECT 5").fetchone() == (5,)
        # The tag of a COMMIT that could not commit says so.
        with pytest.raises(psycopg.errors.DivisionByZero):
            conn.execute("SELECT 1/0")
        assert conn.execute("COMMIT").statusmessage == "ROLLBACK"


@pytest.mark.parametrize("form", ["text", "csv", "binary"])
def test_copy_both_ways(sluice, direct, form):
    sluice.query(TABLE)
    source = "SELECT n, repeat('x', n % 300), NULL::timestamptz " \
             "FROM generate_series(1, 20000) n"
    with direct.cursor().copy(f"COPY ({source}) TO STDOUT "
                              f"(FORMAT {form})") as out:
        data = b"".join(bytes(b) for b in out)
    with sluice.connect() as conn:
        with conn.cursor().copy(f"COPY item FROM STDIN "
                                f"(FORMAT {form})") as copy:
            # Odd pieces: rows are cut anywhere.
            for n in range(0, len(data), 4999):
                copy.write(data[n:n + 4999])
        with conn.cursor().copy("COPY (SELECT * FROM item ORDER BY id) "
                                f"TO STDOUT (FORMAT {form})") as out:
            assert b"".join(bytes(b) for b in out) == data
        assert conn.execute("SELECT count(*) FROM item").fetchone() == (20000,)


def test_copy_that_fails(sluice):
    sluice.query(TABLE)
    with sluice.connect() as conn:
        # The server refuses early, the client goes on sending.
        with pytest.raises(psycopg.errors.BadCopyFileFormat):
            with conn.cursor().copy("COPY item FROM STDIN") as copy:
                for n in range(20000):
                    copy.write(f"{n}\tone\t\\N\textra\n".encode())
        assert conn.execute("SELECT count(*) FROM item").fetchone() == (0,)
        # The client itself gives up.
        with pytest.raises(psycopg.errors.QueryCanceled):
            with conn.cursor().copy("COPY item FROM STDIN") as copy:
                copy.write(b"1\ta\t\\N\n")
                raise ZeroDivisionError
        assert conn.execute("SELECT count(*) FROM item").fetchone() == (0,)


def test_many_rows(sluice):
    with sluice.connect() as conn:
        cur = conn.execute("SELECT n, md5(n::text) FROM "
                           "generate_series(1, 200000) n")
        seen = hashlib.md5()
        for n, text in cur:
            seen.update(text.encode())
        assert (n, cur.rowcount) == (200000, 200000)
    expected = hashlib.md5()
    for n in range(1, 200001):
        expected.update(hashlib.md5(str(n).encode()).hexdigest().encode())
    assert seen.digest() == expected.digest()


def test_large_values(sluice):
    big = os.urandom(1 << 20) * 32
    with sluice.connect() as conn:
        cur = conn.execute("SELECT %b, md5(%b)", (big, big), binary=True)
        value, digest = cur.fetchone()
        assert value == big and digest == hashlib.md5(big).hexdigest()


def test_pipeline(sluice):
    with sluice.connect() as conn, conn.pipeline() as pipe:
        answers = [conn.execute("SELECT %s::int", (n,)) for n in range(200)]
        pipe.sync()
        assert [a.fetchone()[0] for a in answers] == list(range(200))


def test_error_in_a_pipeline_skips_to_sync(sluice):
    with sluice.connect() as conn:
        conn.execute(TABLE)
        with pytest.raises(psycopg.errors.DivisionByZero):
            with conn.pipeline() as pipe:
                conn.execute("INSERT INTO item VALUES (1)")
                conn.execute("SELECT 1/0")
                conn.execute("INSERT INTO item VALUES (2)")
                pipe.sync()
        # One implicit transaction up to the Sync: nothing of it is left.
        assert conn.execute("SELECT count(*) FROM item").fetchone() == (0,)
        with conn.pipeline():
            assert conn.execute("SELECT 7").fetchone() == (7,)


def test_portal_in_pieces(raw):
    raw.query("BEGIN")
    _, first = raw.ask(
        rawpg.parse("", "SELECT generate_series(1, 5)") + rawpg.bind("", "") +
        rawpg.execute(max_rows=2) + rawpg.sync())
    assert [k for k, _ in first.messages] == [b"1", b"2", b"D", b"D", b"s",
                                              b"Z"]
    _, second = raw.ask(rawpg.execute(max_rows=2) + rawpg.sync())
    _, third = raw.ask(rawpg.execute(max_rows=2) + rawpg.sync())
    assert [r for a in (first, second, third) for r in a.rows] == \
        [(b"1",), (b"2",), (b"3",), (b"4",), (b"5",)]
    raw.query("COMMIT")


def test_flush_is_answered_before_sync(raw):
    """Parse and Flush, wait, then the rest: the same server all along."""
    raw.sock.sendall(rawpg.parse("", "SELECT 42, pg_backend_pid()") +
                     rawpg.flush())
    assert raw.sock.recv(5) == b"1\0\0\0\4"
    _, answer = raw.ask(bound())
    assert answer.rows[0][0] == b"42"


def test_declared_cursor(sluice):
    with sluice.connect(autocommit=False) as conn:
        with conn.cursor("named") as cur:
            cur.itersize = 10
            cur.execute("SELECT generate_series(1, 95)")
            assert len(list(cur)) == 95
        conn.commit()


def test_single_row_mode(sluice):
    with sluice.connect() as conn:
        rows = list(conn.cursor().stream("SELECT generate_series(1, 1000)"))
        assert len(rows) == 1000


def test_terminated_in_the_middle_of_a_result(sluice, pg, db):
    """A client that leaves during a large answer frees its server."""
    with sluice.connect() as conn:
        conn.pgconn.send_query(
            b"SELECT repeat('x', 1000) FROM generate_series(1, 5000000)")
        until(lambda: pg.pids(datname=db, usename="app", state="active"))
        conn.pgconn.finish()
    until(lambda: not pg.pids(datname=db, usename="app", state="active"))
    assert sluice.query("SELECT 1") == [(1,)]


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_pgbench(pg, db, pgsluice, mode):
    sluice = pgsluice("""
        auth = "trust"
        pool_size = 4
        backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
        database "app" { backend = "main" }
    """)
    bench = os.path.join(lablib.pg_bindir(), "pgbench")
    common = ["-h", "127.0.0.1", "-p", str(sluice.port), "-U", "app"]
    subprocess.run([bench, *common, "-i", "-q", "app"], check=True,
                   capture_output=True, timeout=120)
    r = subprocess.run(
        [bench, *common, "-n", "-M", mode, "-c", "16", "-j", "2", "-t", "50",
         "app"], capture_output=True, text=True, timeout=120, check=False)
    assert r.returncode == 0, r.stderr
    assert "number of transactions actually processed: 800/800" in r.stdout
    assert "number of failed transactions: 0 (" in r.stdout
    assert pg.psql("SELECT sum(delta) = (SELECT sum(abalance) FROM "
                   "pgbench_accounts) FROM pgbench_history", db) == "t"


def test_pg_dump_is_the_same(sluice, pg, db):
    sluice.psql(TABLE + "; CREATE VIEW v AS SELECT id FROM item; "
                "INSERT INTO item SELECT n, repeat('y', n) "
                "FROM generate_series(1, 500) n;")
    dump = os.path.join(lablib.pg_bindir(), "pg_dump")

    def run(dsn):
        r = subprocess.run([dump, "-d", dsn], capture_output=True,
                           timeout=60, check=False)
        assert r.returncode == 0, r.stderr
        # The key of \\restrict is another one each time.
        return [line for line in r.stdout.splitlines()
                if b"restrict " not in line]
    assert run(sluice.dsn("app", "app")) == run(pg.dsn(db, "app"))


def test_pq_trace_of_status(sluice):
    """libpq's own view of the transaction status follows the server's."""
    with sluice.connect() as conn:
        assert conn.info.transaction_status == pq.TransactionStatus.IDLE
        conn.execute("BEGIN")
        assert conn.info.transaction_status == pq.TransactionStatus.INTRANS
        with pytest.raises(psycopg.Error):
            conn.execute("SELECT 1/0")
        assert conn.info.transaction_status == pq.TransactionStatus.INERROR
        conn.execute("ROLLBACK")
        assert conn.info.transaction_status == pq.TransactionStatus.IDLE
