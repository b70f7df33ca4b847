# SPDX-License-Identifier: PostgreSQL
"""The log of slow and drawn statements, and exemplars."""

import re
import urllib.request

import psycopg
import pytest

from harness import bound, until, whole

CONF = """
auth = "trust"
admin_users = {"app"}
workers = 1
$SETTINGS
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" $OPTIONS }
user "bob" { log_min_duration_statement = -1 }
cache "t" { databases = {"app"} tables = {"t"} ttl = 60s }
"""
ALL = "log_min_duration_statement = 0"

TRACE = "5bd66ef5095369c7b0d1f8f4bd33716a"
SPAN = "c532cb4098ac3dd2"

FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|[^ "]*)')
NUMBER = re.compile(r"[0-9]+\.[0-9]{3}$")


def traced(sql, flags="01"):
    return f"{sql} /*action='x',traceparent='00-{TRACE}-{SPAN}-{flags}'*/"


@pytest.fixture
def logging(pg, db, pgsluice):
    with pg.connect(db, user="app") as conn:
        conn.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
        conn.execute("INSERT INTO t SELECT g, 'v' || g "
                     "FROM generate_series(1, 100) g")

    def make(settings=ALL, options=""):
        return pgsluice(CONF, SETTINGS=settings, OPTIONS=options)
    return make


def lines(sluice):
    """Statements of the log, as dicts."""
    out = []
    for line in sluice.log.splitlines():
        if " area=statement " in line:
            found = FIELD.findall(line)
            assert " ".join(f"{k}={v}" for k, v in found) == line, line
            fields = {k: v.strip('"') for k, v in found}
            assert len(fields) == len(found), line
            out.append(fields)
    return out


def line_of(sluice, **wanted):
    """The one line with these fields, once it is there."""
    def found():
        return [x for x in lines(sluice)
                if all(x.get(k) == v for k, v in wanted.items())]
    until(found)
    assert len(found()) == 1, found()
    return found()[0]


def test_off_by_default(logging):
    sluice = logging("")
    sluice.query("SELECT * FROM t WHERE id = 1")
    sluice.query("SELECT pg_sleep(0.01)")
    sluice.console("SET log_min_duration_statement = '0'")
    sluice.query("SELECT 'now'")
    assert line_of(sluice, query="SELECT ?")["rows"] == "1"
    assert len(lines(sluice)) == 1


def test_simple_protocol(logging):
    sluice = logging()
    wire = sluice.wire()
    wire.query(traced("SELECT id, v FROM t WHERE id < 11 AND v <> 'secret'"))
    x = line_of(sluice, query="SELECT id, v FROM t WHERE id < ? AND v <> ?")
    assert x["database"] == "app" and x["user"] == "app"
    assert x["route"] == "t" and x["backend"] == "main"
    assert x["cache"] == "miss" and "bypass" not in x
    assert x["rows"] == "10" and int(x["bytes"]) > 100
    assert x["tx"] == "idle" and "sqlstate" not in x
    assert x["trace_id"] == TRACE and x["span_id"] == SPAN
    assert x["trace_sampled"] == "1"
    assert re.fullmatch("[0-9a-f]{16}", x["shape"])
    times = {k: float(v) for k, v in x.items() if k.endswith("_ms")}
    assert all(NUMBER.match(v) for k, v in x.items() if k.endswith("_ms"))
    assert set(times) == {"total_ms", "look_ms", "queue_ms", "first_ms",
                          "server_ms"}
    assert 0 < times["first_ms"] <= times["server_ms"] < times["total_ms"]
    parts = times["look_ms"] + times["queue_ms"] + times["server_ms"]
    assert abs(parts - times["total_ms"]) < 0.005
    assert "secret" not in sluice.log


def test_hits(logging):
    """By exact bytes, of a text that was never recognised; the same shape."""
    sluice = logging()
    with sluice.wire() as wire:
        for _ in range(2):
            wire.query("SELECT v FROM t WHERE id = 7 -- once more")
    x = line_of(sluice, cache="l1")
    assert x["query"] == "SELECT v FROM t WHERE id = ?"
    assert x["rows"] == "1" and x["route"] == "t" and x["backend"] == "main"
    assert "server_ms" not in x and "first_ms" not in x
    assert x["shape"] == line_of(sluice, cache="miss")["shape"]


def test_extended_protocol(logging):
    """Hit and miss; the values are nowhere."""
    sluice = logging()
    with sluice.wire() as wire:
        for _ in range(2):
            wire.ask(whole("SELECT v FROM t WHERE v = $1", [b"v12"]))
    miss = line_of(sluice, cache="miss")
    hit = line_of(sluice, cache="l1")
    assert miss["query"] == hit["query"] == "SELECT v FROM t WHERE v = $1"
    assert miss["rows"] == hit["rows"] == "1"
    assert float(miss["server_ms"]) > 0
    assert "v12" not in sluice.log


def test_failures(logging):
    sluice = logging()
    with sluice.connect() as conn:
        with pytest.raises(psycopg.errors.DivisionByZero):
            conn.execute("SELECT 1 / 0")
        with pytest.raises(psycopg.errors.SyntaxError):
            conn.execute("SELEKT 1")
        conn.execute("BEGIN")
        with pytest.raises(psycopg.errors.UndefinedTable):
            conn.execute("SELECT * FROM missing")
        conn.execute("ROLLBACK")
    x = line_of(sluice, sqlstate="22012")
    assert x["cache"] == "bypass" and x["tx"] == "idle"
    x = line_of(sluice, sqlstate="42601")
    assert "query" not in x and "shape" not in x and "SELEKT" not in sluice.log
    assert line_of(sluice, sqlstate="42P01")["tx"] == "failed"
    begin = line_of(sluice, query="BEGIN")
    assert begin["cache"] == "local" and begin["tx"] == "open"
    assert line_of(sluice, query="ROLLBACK")["tx"] == "idle"


def test_bypass_says_why(logging):
    sluice = logging()
    sluice.query("SELECT v, now() FROM t WHERE id = 1")
    assert line_of(sluice, cache="bypass")["bypass"] == "stable"


def test_nothing_was_timed_yet(logging):
    """A group that names no statement that is known, on a server that has
    answered nobody: it has no route."""
    sluice = logging(ALL + "\ntrack_shapes = true\ntrace_exemplars = true")
    with sluice.wire() as wire:
        wire.ask(bound("missing"))
    x = line_of(sluice, sqlstate="26000")
    assert "route" not in x and "query" not in x
    assert sluice.console("SHOW SHAPES")[0]["query"] == "(unparsed)"


def test_waits_for_a_server(pg, db, logging):
    """Queueing is a phase of its own."""
    sluice = logging(ALL + "\npool_size = 1")
    with sluice.connect() as one, sluice.connect() as two:
        one.execute("BEGIN")
        one.execute("SELECT 1 FROM t WHERE id = 1")
        cur = two.pgconn
        cur.send_query(b"UPDATE t SET v = 'x' WHERE id = 2")
        until(lambda: sluice.count("waits") == 1)
        one.execute("SELECT pg_sleep(0.05)")
        one.execute("COMMIT")
        while cur.get_result() is not None:
            pass
    x = line_of(sluice, query="UPDATE t SET v = ? WHERE id = ?")
    assert float(x["queue_ms"]) >= 50
    assert float(x["queue_ms"]) > float(x["server_ms"])


def test_gives_up_waiting(logging):
    """The time in the queue is told of who gets no server, too."""
    sluice = logging(ALL + "\npool_size = 1\nquery_wait_timeout = 1s")
    with sluice.connect() as one, sluice.connect() as two:
        one.execute("BEGIN")
        one.execute("SELECT 1 FROM t WHERE id = 1")
        with pytest.raises(psycopg.errors.TooManyConnections):
            two.execute("UPDATE t SET v = 'x' WHERE id = 2")
    x = line_of(sluice, sqlstate="53300")
    assert float(x["queue_ms"]) >= 1000 and x["backend"] == "main"
    assert float(x["look_ms"]) < 1000 and x["cache"] == "local"
    assert x["query"] == "UPDATE t SET v = ? WHERE id = ?"


def test_explained_is_one_shape(logging):
    sluice = logging(ALL + "\ntrack_shapes = true")
    sluice.query("EXPLAIN (ROUTE, ANALYZE) SELECT v FROM t WHERE id = 1")
    query = "EXPLAIN (ROUTE, ANALYZE) SELECT v FROM t WHERE id = ?"
    line_of(sluice, query=query)
    assert [r["query"] for r in sluice.console("SHOW SHAPES")] == [query]


def test_joins_another_fill(pg, db, logging):
    """Who waits for another session's fill says so."""
    sluice = logging()
    sql = b"SELECT v FROM t WHERE id = 9"
    with sluice.connect() as one, sluice.connect() as two, \
            pg.connect(db) as boss:
        boss.autocommit = False
        boss.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        one.pgconn.send_query(sql)
        until(lambda: sluice.count("cache_misses") == 1)
        two.pgconn.send_query(sql)
        until(lambda: sluice.count("cache_waits") == 1)
        boss.rollback()
        for conn in (one, two):
            while conn.pgconn.get_result() is not None:
                pass
    x = line_of(sluice, cache="wait")
    assert "server_ms" not in x and float(x["look_ms"]) > 0
    assert x["shape"] == line_of(sluice, cache="miss")["shape"]


def test_pipelines_are_one_line(logging):
    sluice = logging()
    with sluice.wire() as wire:
        wire.sock.sendall(b"".join(
            whole("SELECT $1::int, pg_sleep(0.02)", [b"1"])
            for _ in range(3)))
        data = b""
        while data.count(b"Z\0\0\0\5I") < 3:
            data += wire.sock.recv(65536)
    x = line_of(sluice, statements="3")
    assert x["query"] == "SELECT $1::int, pg_sleep(?)" and x["rows"] == "3"
    assert float(x["server_ms"]) >= 60
    assert len(lines(sluice)) == 1


def test_threshold_by_database_and_user(logging):
    sluice = logging("", "log_min_duration_statement = 40ms")
    with sluice.connect() as conn:
        conn.execute("SELECT pg_sleep(0.001)")
        conn.execute("SELECT 1, pg_sleep(0.05)")
    with sluice.connect(user="bob") as conn:
        conn.execute("SELECT 2, 2, pg_sleep(0.05)")
    x = line_of(sluice, query="SELECT ?, pg_sleep(?)")
    assert float(x["total_ms"]) >= 50 and x["msg"] == "slow statement"
    assert len(lines(sluice)) == 1


def test_share_is_drawn(logging):
    sluice = logging('log_statement_sample_rate = "25%"')
    n = 2000
    with sluice.wire() as wire:
        for _ in range(n):
            wire.query("SELECT v FROM t WHERE id = 3")
    # Seven standard deviations.
    dev = (n * 0.25 * 0.75) ** 0.5
    until(lambda: abs(len(lines(sluice)) +
                      sluice.metric("pgsluice_log_lines_dropped_total") -
                      n * 0.25) < 7 * dev)
    assert {x["msg"] for x in lines(sluice)} == {"statement drawn"}


def test_full_text(logging):
    sluice = logging(ALL + '\nlog_statement_text = "full"')
    with sluice.wire() as wire:
        wire.query("SELECT 'li\"te\nral' AS a")
        wire.ask(whole("SELECT $1::text", [b"value"]))
        wire.query("SELECT '" + "x" * 3000 + "'")
    line_of(sluice, query=r"SELECT 'li\"te\nral' AS a")
    line_of(sluice, query="SELECT $1::text")
    until(lambda: len(lines(sluice)) == 3)
    assert len(lines(sluice)[2]["query"]) > 900
    assert "value" not in sluice.log


def test_closed_amid_a_statement(logging):
    sluice = logging(ALL + "\nquery_timeout = 1s")
    with pytest.raises(psycopg.OperationalError):
        sluice.query("SELECT pg_sleep(30)")
    x = line_of(sluice, sqlstate="57014")
    assert x["closed"] == "terminating connection due to query_timeout"
    assert x["query"] == "SELECT pg_sleep(?)" and x["backend"] == "main"
    assert float(x["total_ms"]) >= 1000


def scrape(sluice, accept):
    r = urllib.request.Request(f"http://{sluice.host}:{sluice.http_port}"
                               "/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(r, timeout=10) as answer:
        return answer.headers, answer.read().decode()


def exemplars(text):
    return re.findall(r'^pgsluice_query_duration_seconds_bucket\{(.*)\} \d+ '
                      r'# \{trace_id="(\w+)",span_id="(\w+)"\} ([\d.]+) '
                      r"([\d.]+)$", text, re.M)


def test_exemplars(logging):
    """For kept traces, hits included; only in OpenMetrics."""
    sluice = logging("trace_exemplars = true")
    with sluice.wire() as wire:
        wire.query("SELECT v FROM t WHERE id = 1")
        wire.query(traced("SELECT v FROM t WHERE id = 2", "00"))
    headers, text = scrape(sluice, "application/openmetrics-text")
    assert headers["Content-Type"].startswith("application/openmetrics-text;")
    assert headers["Vary"] == "Accept"
    assert text.endswith("\n# EOF\n")
    assert "# UNIT pgsluice_query_duration_seconds seconds\n" in text
    assert "# TYPE pgsluice_queries counter\n" in text
    assert not exemplars(text)
    with sluice.wire() as wire:
        for _ in range(2):
            wire.query(traced("SELECT v FROM t WHERE id = 4"))

    def found():
        return exemplars(scrape(sluice, "application/openmetrics-text")[1])
    until(lambda: len({outcome for labels, *_ in found()
                       for outcome in re.findall('outcome="(\\w+)"', labels)})
          == 2)
    assert {(x[1], x[2]) for x in found()} == {(TRACE, SPAN)}
    assert {re.search('outcome="(\\w+)"', x[0])[1] for x in found()} == \
        {"miss", "l1"}
    for labels, _, _, value, _ in found():
        le = re.search('le="([^"]+)"', labels)[1]
        assert float(value) <= float(le)
    headers, text = scrape(sluice, "text/plain;version=0.0.4")
    assert headers["Content-Type"].startswith("text/plain;")
    assert "# {" not in text and "# EOF" not in text


def test_unparsed_and_bound_alone(logging):
    """A named statement, prepared before the setting was on."""
    sluice = logging("")
    with sluice.wire() as wire:
        wire.ask(whole("SELECT v FROM t WHERE id = $1", [b"5"]))
        sluice.console("SET log_min_duration_statement = '0'")
        wire.ask(bound("", [b"6"]))
    x = line_of(sluice, query="SELECT v FROM t WHERE id = $1")
    assert x["cache"] == "miss"
