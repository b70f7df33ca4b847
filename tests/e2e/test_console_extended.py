# SPDX-License-Identifier: PostgreSQL
"""The console over the extended protocol: what drivers do, message by
message, and by the drivers themselves."""

import pytest
import psycopg

import rawpg
from harness import until, whole

CONF = """
auth = "trust"
admin_users = {"app"}
stats_users = {"alice"}
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
"""


@pytest.fixture
def sluice(pg, db, pgsluice):  # pylint: disable=unused-argument
    return pgsluice(CONF)


@pytest.fixture
def conn(sluice):
    c = rawpg.RawConn(sluice.host, sluice.port, "app", "pgsluice")
    yield c
    c.abort()


def ask(conn, *messages):
    """Types and messages of the answer up to ReadyForQuery."""
    conn.send(b"".join(messages))
    got = conn.recv_until("Z")
    return "".join(rawpg.types(got)), got


def simple(conn, sql):
    conn.send(rawpg.query(sql))
    return rawpg.rows(conn.recv_until("Z"))


def test_one_unit(conn):
    kinds, got = ask(conn, whole("SHOW VERSION"))
    assert kinds == "12TDCZ"
    assert rawpg.rows(got) == simple(conn, "SHOW VERSION")
    kinds, _ = ask(conn, whole("RECONNECT"))
    assert kinds == "12nCZ"
    kinds, _ = ask(conn, whole(""))
    assert kinds == "12nIZ"


def test_named_statement_over_units(conn):
    assert ask(conn, rawpg.parse("v", "SHOW VERSION"),
               rawpg.describe("S", "v"), rawpg.sync())[0] == "1tTZ"
    for _ in range(3):
        assert ask(conn, rawpg.bind("", "v"), rawpg.execute(),
                   rawpg.sync())[0] == "2DCZ"
    assert ask(conn, rawpg.close("S", "v"), rawpg.sync())[0] == "3Z"
    kinds, got = ask(conn, rawpg.bind("", "v"), rawpg.execute(), rawpg.sync())
    assert kinds == "EZ" and rawpg.sqlstates(got) == ["26000"]


def test_several_commands_in_one_unit(conn):
    """Some of which need other workers, and are waited for in order."""
    parts = []
    for what in ("CLIENTS", "VERSION", "SERVERS", "LISTS"):
        parts += [rawpg.parse("", f"SHOW {what}"), rawpg.bind("", ""),
                  rawpg.describe("P"), rawpg.execute()]
    kinds, got = ask(conn, *parts, rawpg.sync())
    assert kinds.count("T") == kinds.count("C") == 4 and "E" not in kinds
    heads = [rawpg.columns(b)[0] for b in rawpg.bodies(got, "T")]
    assert [h[0] if isinstance(h, tuple) else h for h in heads] == \
        ["type", "version", "type", "list"]


def test_row_limit(conn):
    everything = simple(conn, "SHOW HELP")
    parts = [rawpg.parse("", "SHOW HELP"), rawpg.bind("p", "")]
    got = []
    for n in (2, 3, 0):
        parts.append(rawpg.execute("p", n))
    kinds, messages = ask(conn, *parts, rawpg.execute("p"), rawpg.sync())
    assert kinds == "12DDsDDDs" + "D" * (len(everything) - 5) + "CCZ"
    got = rawpg.rows(messages)
    assert got == everything
    # Portals end with Sync.
    kinds, messages = ask(conn, rawpg.execute("p"), rawpg.sync())
    assert kinds == "EZ" and rawpg.sqlstates(messages) == ["34000"]


def test_portals_are_bounded(conn):
    parts = [rawpg.parse("s", "SHOW HELP")]
    for i in range(21):
        parts += [rawpg.bind(f"p{i}", "s"), rawpg.execute(f"p{i}", 1)]
    kinds, got = ask(conn, *parts, rawpg.sync())
    assert kinds == "1" + "2Ds" * 20 + "EZ"
    assert rawpg.sqlstates(got) == ["54000"]
    assert ask(conn, rawpg.bind("p0", "s"), rawpg.sync())[0] == "2Z"


def test_a_long_pipeline(conn):
    """More than is kept before it is sent."""
    n = 300
    kinds, _ = ask(conn, whole("SHOW CONFIG")[:-5] * n, rawpg.sync())
    assert kinds.count("C") == n and kinds.count("E") == 0


@pytest.mark.parametrize("parts, code", [
    ([rawpg.parse("", "SELECT 1")], "0A000"),
    ([rawpg.parse("", "SHOW NOTHING")], "42601"),
    ([rawpg.parse("", "KILL_CLIENT $1", [20])], "0A000"),
    ([rawpg.parse("", "SHOW VERSION", [23])], "0A000"),
    ([rawpg.parse("", "SHOW VERSION"), rawpg.bind("", "", [b"1"])], "0A000"),
    ([rawpg.bind("", "nothing")], "26000"),
    ([rawpg.describe("S", "nothing")], "26000"),
    ([rawpg.describe("P", "nothing")], "34000"),
    ([rawpg.execute("nothing")], "34000"),
    ([rawpg.parse("a", "SHOW VERSION"), rawpg.parse("a", "SHOW STATE")],
     "42P05"),
    ([rawpg.parse("", "SHOW VERSION"), rawpg.bind("a", ""),
      rawpg.bind("a", "")], "42P03"),
    ([rawpg.parse("", "SHOW VERSION"),
      rawpg.bind("", "", result_formats=[0, 1])], "08P01"),
    ([rawpg.parse("", "SHOW VERSION"),
      rawpg.bind("", "", result_formats=[7])], "08P01"),
    ([rawpg.parse("", "KILL_CLIENT 1"), rawpg.bind("", ""),
      rawpg.execute()], "42704"),
])
def test_errors_skip_to_sync(conn, parts, code):
    kinds, got = ask(conn, *parts, rawpg.parse("", "SHOW VERSION"),
                     rawpg.bind("", ""), rawpg.execute(), rawpg.sync())
    assert rawpg.sqlstates(got) == [code]
    assert kinds.endswith("EZ")
    assert ask(conn, whole("SHOW VERSION"))[0] == "12TDCZ"


def test_error_before_a_flush_skips_to_sync(conn):
    conn.send(rawpg.parse("", "SHOW NOTHING") + rawpg.flush())
    assert rawpg.types(conn.recv_until("E"))[-1] == "E"
    conn.send(rawpg.query("SHOW VERSION"))
    kinds, _ = ask(conn, whole("SHOW VERSION"))
    assert kinds == "Z"
    assert simple(conn, "SHOW VERSION")


def test_flush_in_a_unit(conn):
    conn.send(rawpg.parse("", "SHOW VERSION") + rawpg.bind("", "") +
              rawpg.execute() + rawpg.flush())
    assert "".join(rawpg.types(conn.recv_until("C"))) == "12DC"
    assert ask(conn, rawpg.sync())[0] == "Z"


def test_permissions(sluice):
    c = rawpg.RawConn(sluice.host, sluice.port, "alice", "pgsluice")
    kinds, got = ask(c, whole("RELOAD"))
    assert kinds == "12nEZ" and rawpg.sqlstates(got) == ["42501"]
    c.abort()


def test_byte_by_byte(conn):
    for byte in whole("SHOW CLIENTS"):
        conn.send(bytes([byte]))
    assert "".join(rawpg.types(conn.recv_until("Z"))) == "12TDCZ"


@pytest.mark.parametrize("what", ["CLIENTS", "STATS", "LISTS", "LATENCY",
                                  "DATABASES", "MEM", "TOTALS"])
def test_binary_results(sluice, what):
    """psycopg reads the binary format of every type as PostgreSQL's."""
    sluice.query("SELECT 1")
    with sluice.connect(dbname="pgsluice") as conn:
        text = conn.execute(f"SHOW {what}").fetchall()
        cur = conn.cursor(binary=True)
        binary = cur.execute(f"SHOW {what}").fetchall()
        assert [[type(v) for v in r] for r in binary] == \
            [[type(v) for v in r] for r in text]
        stable = {"LISTS": slice(0, 3), "DATABASES": slice(0, 10)}
        if what in stable:
            assert [r[stable[what]] for r in binary] == \
                [r[stable[what]] for r in text]


def test_psycopg_prepares(sluice):
    """It prepares by itself after some time."""
    with sluice.connect(dbname="pgsluice", prepare_threshold=2) as conn:
        for _ in range(6):
            cur = conn.execute("SHOW LISTS")
            assert ("databases", 1) in cur.fetchall()
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            conn.execute("KILL_CLIENT %s", (1,))
        assert conn.execute("SHOW VERSION").fetchone()
    with sluice.connect(dbname="pgsluice", autocommit=False) as conn:
        assert conn.execute("SHOW VERSION", prepare=True).fetchone()
        conn.rollback()


def test_pause_over_the_extended_protocol(sluice):
    """A unit that waits long, cancelled in the middle, goes on behind."""
    with sluice.connect() as inside, \
            sluice.connect(dbname="pgsluice") as console:
        inside.execute("BEGIN")
        inside.execute("SELECT 1")
        raw = rawpg.RawConn(sluice.host, sluice.port, "app", "pgsluice")
        raw.send(whole("PAUSE"))
        until(lambda: ("paused", "yes") in
              console.execute("SHOW STATE").fetchall())
        rawpg.RawConn(sluice.host, sluice.port, startup=False).send(
            rawpg.cancel_request(*raw.key))
        got = raw.recv_until("Z")
        assert rawpg.sqlstates(got) == ["57014"]
        assert ("paused", "no") in console.execute("SHOW STATE").fetchall()
        assert ask(raw, whole("SHOW VERSION"))[0] == "12TDCZ"
        inside.execute("COMMIT")
        raw.abort()
