# SPDX-License-Identifier: PostgreSQL
"""COPY FROM STDIN into a sharded table: rows dealt out by pgsluice, all of them
or none, with PostgreSQL's own errors and lines."""

import os
import random
import sys
import threading
import time
import uuid

import psycopg
import pytest

from harness import TOP, binary, lablib, sanitizer_options

sys.path.insert(0, os.path.join(TOP, "contrib", "lab", "events"))

from events import Events  # noqa: E402

RNG = random.Random(7)


class Scene:
    def __init__(self, lab):
        self.ev = Events(lab, per_month=10, tenants=20, months=2,
                         shared_buffers="16MB").start()
        self.ev.start_pgsluice(binary())
        self.plain = self.ev.pg["plain"].connect("app", autocommit=True)
        self.tenants = self.plain.execute(
            "SELECT DISTINCT tenant_id FROM app.events_plain ORDER BY 1"
        ).fetchall()

    def through(self, dbname="sharded", **kw):
        kw.setdefault("autocommit", True)
        return psycopg.connect(
            host="127.0.0.1", port=self.ev.sluice.port, dbname=dbname,
            user="app", password="app", **kw)

    def count(self, name="spreads"):
        return int(self.ev.sluice.metrics()[f"pgsluice_{name}_total"])

    def rows(self, n):
        """New ones, as (id, tenant, time, payload)."""
        return [(str(uuid.UUID(int=RNG.getrandbits(128))),
                 str(RNG.choice(self.tenants)[0]),
                 "2026-01-02 03:04:05+00", '{"n": %d}' % i)
                for i in range(n)]

    def held(self, rows):
        """How many of these are on each shard, and on the right one."""
        out = []
        for shard in ("shard0", "shard1"):
            with self.ev.pg[shard].connect("app", autocommit=True) as c:
                got = c.execute(
                    "SELECT id, tenant_id FROM app.events_shard "
                    "WHERE id = ANY(%s)", ([r[0] for r in rows],)).fetchall()
            assert all(self.ev.shard_of(str(t)) == shard for _, t in got)
            out.append(len(got))
        return out

    def settled(self):
        """No transaction is left open on any shard."""
        for shard in ("shard0", "shard1"):
            for _ in range(50):
                n = self.ev.pg[shard].psql(
                    "SELECT count(*) FROM pg_stat_activity WHERE state LIKE "
                    "'idle in transaction%'", "app")
                if n == "0":
                    break
                time.sleep(0.1)
            assert n == "0"


@pytest.fixture(scope="module")
def scene():
    os.environ.update(sanitizer_options())
    with lablib.Lab() as lab:
        made = Scene(lab)
        yield made
        assert made.ev.sluice.stop() == 0


def lines(rows, sep="\t", quote=""):
    return "".join(sep.join(f"{quote}{v}{quote}" if i < 3 else v
                            for i, v in enumerate(r)) + "\n"
                   for r in rows)


def copy(conn, sql, data, piece=None):
    """COPY in pieces of so many bytes; the number of rows that is told."""
    data = data.encode() if isinstance(data, str) else data
    with conn.cursor() as cur:
        with cur.copy(sql) as c:
            for i in range(0, len(data), piece or len(data) or 1):
                c.write(data[i:i + (piece or len(data))])
        return cur.rowcount


@pytest.mark.parametrize("piece", [1, 7, 64, 4096, None])
def test_text_in_pieces(scene, piece):
    rows = scene.rows(40 if piece in (1, 7) else 3000)
    before = scene.count()
    with scene.through() as conn:
        assert copy(conn, "COPY app.events FROM STDIN", lines(rows),
                    piece) == len(rows)
    assert scene.count() == before + 1
    held = scene.held(rows)
    assert sum(held) == len(rows) and min(held) > 0


def test_columns_in_another_order(scene):
    rows = scene.rows(100)
    with scene.through() as conn:
        assert copy(conn, "COPY app.events (payload, tenant_id, occurred_at, "
                    "id) FROM STDIN", "".join(
                        f"{p}\t{t}\t{o}\t{i}\n" for i, t, o, p in rows)) == 100
    assert sum(scene.held(rows)) == 100


def test_csv_with_quotes_and_line_ends(scene):
    rows = scene.rows(200)
    text = "id,tenant_id,occurred_at,payload\r\n"
    for i, t, o, _ in rows:
        text += f'{i},"{t}","{o}","{{""a"":\r\n""x,y\\""}}"\r\n'.replace(
            '\\""', '""')
    with scene.through() as conn:
        for piece in (3, None):
            part = rows
            if piece:
                head = text.split("\r\n", 1)[0] + "\r\n"
                one = text.split("\r\n", 1)[1]
                assert copy(conn, "COPY app.events FROM STDIN WITH (FORMAT "
                            "csv, HEADER)", head + one, piece) == 200
            else:
                for r in rows:
                    conn.execute("DELETE FROM app.events WHERE id = %s AND "
                                 "tenant_id = %s", (r[0], r[1]))
                assert copy(conn, "COPY app.events FROM STDIN CSV HEADER",
                            text) == 200
            assert sum(scene.held(part)) == 200


def test_binary(scene):
    rows = scene.rows(300)
    with scene.plain.cursor() as cur:
        cur.execute("CREATE TEMP TABLE b (LIKE app.events_plain)")
        with cur.copy("COPY b FROM STDIN") as c:
            c.write(lines(rows))
        with cur.copy("COPY b TO STDOUT (FORMAT binary)") as c:
            data = b"".join(bytes(x) for x in c)
        cur.execute("DROP TABLE b")
    with scene.through() as conn:
        assert copy(conn, "COPY app.events FROM STDIN (FORMAT binary)", data,
                    100) == 300
    assert sum(scene.held(rows)) == 300


def test_the_end_mark_ends_it(scene):
    rows = scene.rows(4)
    with scene.through() as conn:
        assert copy(conn, "COPY app.events FROM STDIN", lines(rows[:3]) +
                    "\\.\n" + lines(rows[3:])) == 3
    assert sum(scene.held(rows)) == 3


def test_no_line_end_at_the_end(scene):
    rows = scene.rows(3)
    with scene.through() as conn:
        assert copy(conn, "COPY app.events FROM STDIN",
                    lines(rows)[:-1]) == 3
        assert copy(conn, "COPY app.events FROM STDIN", "") == 0
    assert sum(scene.held(rows)) == 3


def broken(rows, at, **change):
    out = [list(r) for r in rows]
    for k, v in change.items():
        out[at][{"id": 0, "tenant": 1, "time": 2, "payload": 3}[k]] = v
    return lines(out)


BAD = {
    "not json": (dict(payload="{"), "22P02"),
    "no time": (dict(time="yesterday at noon"), None),
    "no uuid": (dict(id="x"), "22P02"),
    "no tenant": (dict(tenant="\\N"), "23502"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_undoes_all_and_is_named(scene, name):
    """The line is the client's; PostgreSQL's own words."""
    change, sqlstate = BAD[name]
    rows = scene.rows(500)
    text = broken(rows, 321, **change)
    with pytest.raises(psycopg.Error) as want:
        copy(scene.plain, "COPY app.events_plain FROM STDIN", text)
    with scene.through() as conn:
        with pytest.raises(psycopg.Error) as e:
            copy(conn, "COPY app.events FROM STDIN", text, 5000)
        assert e.value.sqlstate == want.value.sqlstate
        assert sqlstate in (None, e.value.sqlstate)
        assert ", line 322" in e.value.diag.context
        assert scene.held(rows) == [0, 0]
        assert conn.execute("SELECT count(*) > 0 FROM app.events"
                            ).fetchone() == (True,)
        assert copy(conn, "COPY app.events FROM STDIN", lines(rows)) == 500
    scene.settled()


@pytest.mark.parametrize("text,sqlstate", [
    ("a\tb\n", None), ("x\n", None), ("\\.x\n", "22P04"),
    ("{0}\t{1}\t{2}\t{3}\tmore\n", "22P04"), ("{0}\t{1}\n", "22P04"),
    ("{0}\t{1}\t{2}\t{3}\n{0}a\rb\n", "22P04"), ("\n", "22P02")])
def test_broken_lines(scene, text, sqlstate):
    row = scene.rows(1)[0]
    text = text.format(*row)
    with pytest.raises(psycopg.Error) as want:
        copy(scene.plain, "COPY app.events_plain FROM STDIN", text)
    with scene.through() as conn:
        with pytest.raises(psycopg.Error) as e:
            copy(conn, "COPY app.events FROM STDIN", text)
        assert e.value.sqlstate == want.value.sqlstate
        assert sqlstate in (None, e.value.sqlstate)
    assert scene.held([row]) == [0, 0]


def test_a_key_that_is_no_value(scene):
    rows = scene.rows(3)
    with scene.through() as conn:
        with pytest.raises(psycopg.errors.InvalidTextRepresentation) as e:
            copy(conn, "COPY app.events FROM STDIN",
                 broken(rows, 1, tenant="zzz"))
        assert ", line 2, column tenant_id" in e.value.diag.context
    assert scene.held(rows) == [0, 0]


def test_what_is_not_understood_is_the_coordinators(scene):
    before = scene.count()
    rows = scene.rows(20)
    with scene.through() as conn:
        with conn.transaction():
            assert copy(conn, "COPY app.events FROM STDIN",
                        lines(rows[:10])) == 10
        assert copy(conn, "COPY app.events FROM STDIN (ENCODING 'utf8')",
                    lines(rows[10:])) == 10
    assert scene.count() == before
    assert sum(scene.held(rows)) == 20


def test_errors_before_the_data_have_their_position(scene):
    with scene.through() as conn:
        with pytest.raises(psycopg.errors.UndefinedColumn):
            copy(conn, "COPY app.events (id, tenant_id, nowhere) FROM STDIN",
                 "")
        with pytest.raises(psycopg.Error) as e:
            copy(conn, "COPY app.events FROM STDIN (DELIMITER 'ab')", "")
        assert e.value.sqlstate in ("0A000", "22023")


def test_the_client_gives_up(scene):
    rows = scene.rows(1000)
    with scene.through() as conn:
        with pytest.raises(psycopg.errors.QueryCanceled) as e:
            with conn.cursor() as cur, cur.copy(
                    "COPY app.events FROM STDIN") as c:
                c.write(lines(rows))
                raise ZeroDivisionError
        assert "COPY from stdin failed" in str(e.value)
        assert scene.held(rows) == [0, 0]
    conn = scene.through()
    with conn.cursor() as cur:
        held = cur.copy("COPY app.events FROM STDIN")
        held.__enter__().write(lines(rows))
        conn.pgconn.finish()
        with pytest.raises(psycopg.OperationalError):
            held.__exit__(None, None, None)
    scene.settled()
    assert scene.held(rows) == [0, 0]


def test_a_cancel_undoes_it(scene):
    rows = scene.rows(1000)
    with scene.through() as conn:
        with pytest.raises(psycopg.errors.QueryCanceled):
            with conn.cursor() as cur, cur.copy(
                    "COPY app.events FROM STDIN") as c:
                c.write(lines(rows[:500]))
                conn.cancel()
                time.sleep(0.3)
                c.write(lines(rows[500:]))
        assert conn.execute("SELECT 1").fetchone() == (1,)
    assert scene.held(rows) == [0, 0]
    scene.settled()


def test_a_shard_is_killed_meanwhile(scene):
    rows = scene.rows(1000)
    with scene.through() as conn:
        with pytest.raises(psycopg.Error) as e:
            with conn.cursor() as cur, cur.copy(
                    "COPY app.events FROM STDIN") as c:
                c.write(lines(rows[:500]))
                time.sleep(0.2)
                scene.ev.pg["shard1"].psql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE query LIKE 'COPY%' AND pid <> pg_backend_pid()",
                    "app")
                time.sleep(0.2)
                c.write(lines(rows[500:]))
        assert e.value.sqlstate in ("57P01", "08006")
        assert conn.execute("SELECT 1").fetchone() == (1,)
    assert scene.held(rows) == [0, 0]
    scene.settled()


def test_a_shard_is_lost_between_the_commits(scene):
    """One has committed, the other is not heard of again: 40003, by name."""
    pg = scene.ev.pg["shard1"]
    over = threading.Event()

    def standby(name):
        pg.psql(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
        pg.psql("SELECT pg_reload_conf()")

    def kill():
        while not over.wait(0.05):
            pg.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE wait_event = 'SyncRep'")

    standby("nobody")
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        for _ in range(100):  # until the server waits for its standby
            rows = scene.rows(100)
            with scene.through() as conn:
                conn.execute("SET synchronous_commit = on")
                try:
                    copy(conn, "COPY app.events FROM STDIN", lines(rows))
                    time.sleep(0.1)
                    continue
                except psycopg.Error as e:
                    error = e
                assert conn.execute("SELECT 1").fetchone() == (1,)
                break
    finally:
        over.set()
        killer.join()
        standby("")
    assert error.sqlstate == "40003"
    assert error.diag.message_detail == (
        "Committed on: shard0; not known of: shard1")
    # It had: that is what the client is asked to look for.
    assert sum(scene.held(rows)) == 100


def test_a_unique_key_is_kept(scene):
    rows = scene.rows(50)
    with scene.through() as conn:
        copy(conn, "COPY app.events FROM STDIN", lines(rows[:10]))
        with pytest.raises(psycopg.errors.UniqueViolation) as e:
            copy(conn, "COPY app.events FROM STDIN", lines(rows[10:] +
                                                            rows[3:4]))
        assert ", line 41" in e.value.diag.context
    assert sum(scene.held(rows)) == 10


def test_cached_answers_end(scene):
    rows = scene.rows(10)
    with scene.through("sharded_l1") as conn:
        sql = "SELECT count(*) FROM app.events"
        n = conn.execute(sql).fetchone()[0]
        assert conn.execute(sql).fetchone()[0] == n
        copy(conn, "COPY app.events FROM STDIN", lines(rows))
        assert conn.execute(sql).fetchone()[0] == n + 10


def test_many_at_once_do_not_block_each_other(scene):
    sets = [scene.rows(2000) for _ in range(8)]
    errors = []

    def work(rows):
        try:
            with scene.through() as conn:
                assert copy(conn, "COPY app.events FROM STDIN", lines(rows),
                            10000) == len(rows)
        except Exception as e:  # noqa: BLE001
            errors.append(e)

    threads = [threading.Thread(target=work, args=(r,)) for r in sets]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert not errors
    assert all(sum(scene.held(r)) == 2000 for r in sets)


def value(kind):
    """Text of a payload field with all that is special in COPY."""
    bits = ["a", "\\", '"', "'", ",", "\t", ";", "N", "é", "\n", "\r", " ",
            "nil", "\\.", "0"]
    if kind == "text":
        bits = [b for b in bits]
    return "".join(RNG.choice(bits) for _ in range(RNG.randrange(6)))


def text_field(v, null, delim):
    if v is None:
        return null
    for a, b in (("\\", "\\\\"), ("\n", RNG.choice(["\\n", "\\\n", "\\x0a",
                                                    "\\12"])),
                 ("\r", "\\r"), (delim, "\\" + delim)):
        v = v.replace(a, b)
    return v


def csv_field(v, null, delim, quote, escape):
    if v is None:
        return null
    if v == null or any(c in v for c in delim + quote + escape + "\r\n\\") \
            or RNG.random() < .3:
        for c in {quote, escape}:
            v = v.replace(c, "\1" + c)
        return quote + v.replace("\1", escape) + quote
    return v


@pytest.mark.parametrize("seed", range(40))
def test_random_data_are_read_as_postgresql_reads_them(scene, seed):
    """The same bytes to one plain table and through pgsluice."""
    RNG.seed(f"data {seed}")
    for cluster in ("plain", "shard0", "shard1"):
        scene.ev.pg[cluster].psql(
            "SET ROLE app; ALTER TABLE app.events_%s ADD COLUMN IF NOT "
            "EXISTS note text" % ("plain" if cluster == "plain" else
                                  "shard"), "app")
    csv = seed % 2
    delim = RNG.choice([",", ";", "\t", "|"])
    quote = RNG.choice(['"', "'"])
    escape = RNG.choice([quote, "\\"])
    eol = RNG.choice(["\n", "\r\n", "\r"])
    null = RNG.choice(["", "nil"]) if csv else RNG.choice(["\\N", "nil"])
    rows = scene.rows(60)
    text = ""
    for i, t, o, _ in rows:
        v = RNG.choice([None, "", value("csv" if csv else "text")])
        fields = [v, i, t, o]
        text += delim.join(
            csv_field(f, null, delim, quote, escape) if csv else
            text_field(f, null, delim) for f in fields) + eol
    if seed % 5 == 0:  # and now and then something is wrong
        at = RNG.randrange(len(text))
        text = text[:at] + RNG.choice("\\\n\r\t\"',x") + text[at:]
    options = (f"FORMAT csv, QUOTE '{quote * (2 if quote == chr(39) else 1)}'"
               f", ESCAPE '{escape * (2 if escape == chr(39) else 1)}', "
               if csv else "") + f"DELIMITER '{delim}', NULL '{null}'"
    columns = "(note, id, tenant_id, occurred_at)"
    want = got = None
    try:
        copy(scene.plain, f"COPY app.events_plain {columns} FROM STDIN "
             f"({options})", text)
    except psycopg.Error as e:
        want = e.sqlstate
    with scene.through() as conn:
        before = scene.count()
        try:
            copy(conn, f"COPY app.events {columns} FROM STDIN ({options})",
                 text, RNG.choice([1, 13, 1000]))
        except psycopg.Error as e:
            got = e.sqlstate
        assert scene.count() == before + 1
    assert got == want
    ask = "SELECT id, tenant_id, note FROM app.events_{} WHERE id = ANY(%s)"
    ids = [r[0] for r in rows]
    held = []
    for shard in ("shard0", "shard1"):
        with scene.ev.pg[shard].connect("app", autocommit=True) as c:
            held += c.execute(ask.format("shard"), (ids,)).fetchall()
    assert sorted(held, key=str) == sorted(
        scene.plain.execute(ask.format("plain"), (ids,)).fetchall(), key=str)
