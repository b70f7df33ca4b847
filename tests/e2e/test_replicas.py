# SPDX-License-Identifier: PostgreSQL
"""Read replicas: real streaming standbys, lag made by pausing replay, reads
that must include what the session wrote, and replicas that fail."""

import os
import random
import signal
import threading
import time

import psycopg
import pytest

import rawpg
from harness import Cluster, lablib, until, whole

CONF = """
auth = "trust"
admin_users = {"app"}
layout_user = "$ASKS"
replica_interval = "20ms"
workers = 2
readonly_functions = {"port"}
$MORE
backend "main" { conninfo = "host=127.0.0.1 port=$MAIN dbname=app"
    replicas = {$LIST} }
backend "r1" { conninfo = "host=127.0.0.1 port=$R1 dbname=app" }
backend "r2" { conninfo = "host=127.0.0.1 port=$R2 dbname=app" }
database "app" { backend = "main" replica_reads = "$READS"
    replica_max_age = "$AGE" replica_max_lag = "$LAG" $DB }
$RULES
"""
# Seconds of work for a server, and no function in it.
LONG = ("SELECT count(*) FROM t w, t x, t y, t z "
        "WHERE w.v + x.v + y.v + z.v >= 0 AND z.a <= 60")


class Town:
    """A primary with two standbys, and the database app."""

    def __init__(self, lab):
        self.main = Cluster(lab, "main", settings={
            "wal_level": "replica", "max_wal_senders": "8",
            # A standby that was away goes on where it was.
            "wal_keep_size": "512MB",
            "hot_standby_feedback": "off", "synchronous_commit": "on",
            "synchronous_standby_names": "",
            "max_standby_streaming_delay": "100ms"}).start()
        self.main.psql("CREATE DATABASE app OWNER app")
        self.main.psql("""
            SET ROLE app;
            CREATE TABLE t (a int PRIMARY KEY, v int NOT NULL);
            INSERT INTO t SELECT i, 0 FROM generate_series(1, 100) AS i;
            CREATE UNLOGGED TABLE u (a int);
            INSERT INTO u VALUES (7);
            -- Declared to read only, so that replicas run it.
            CREATE FUNCTION port() RETURNS int LANGUAGE sql STABLE
            AS 'SELECT current_setting(''port'')::int'""", dbname="app")
        self.r = [lablib.Standby(lab, self.main, n).start()
                  for n in ("r1", "r2")]

    def sync(self):
        """All replicas have replayed all."""
        # Not at the end of a page, where a standby stands elsewhere.
        here = self.main.psql("SELECT pg_logical_emit_message(true, '', '')")
        for r in self.r:
            if r.running:
                until(lambda r=r: r.psql(
                    f"SELECT pg_last_wal_replay_lsn() >= '{here}'") == "t")

    def pause(self, *which):
        for i in which or range(len(self.r)):
            self.r[i].psql("SELECT pg_wal_replay_pause()")
            until(lambda i=i: self.r[i].psql(
                "SELECT pg_get_wal_replay_pause_state()") == "paused")

    def resume(self):
        for r in self.r:
            if r.running and r.psql("SELECT pg_is_in_recovery()") == "t":
                r.psql("SELECT pg_wal_replay_resume()")


@pytest.fixture(scope="module")
def shared_town(lab):
    return Town(lab)


@pytest.fixture
def town(shared_town):
    yield shared_town
    for r in shared_town.r:
        if not r.running:
            r.start()
    shared_town.resume()
    shared_town.sync()


@pytest.fixture
def make(town, pgsluice):
    """make(...) -> pgsluice in front of the town."""
    def start(reads="session", age="10s", lag="0", names=("r1", "r2"), more="",
              db="", rules="", wait=True, asks="app"):
        s = pgsluice(CONF, READS=reads, AGE=age, LAG=lag, MORE=more, DB=db,
                     RULES=rules, ASKS=asks, MAIN=town.main.port,
                     R1=town.r[0].port, R2=town.r[1].port,
                     LIST=", ".join(f'"{n}"' for n in names))
        if wait:
            until(lambda: [r["state"] for r in s.console("SHOW REPLICAS")] ==
                  ["fit"] * len(names))
        return s
    return start


def pause():
    """As long as replicas need to catch up, on a busy machine too."""
    time.sleep(0.1)
    return True


def warm(s, conn, n=1):
    """Reads until n more of them have gone to replicas."""
    want = s.count("replica_reads") + n
    until(lambda: pause() and
          conn.execute("SELECT v FROM t WHERE a = 1").fetchone() and
          s.count("replica_reads") >= want, timeout=30)


def states(s):
    return {r["replica"]: r["state"] for r in s.console("SHOW REPLICAS")}


def explain(conn, sql):
    """The line about replicas of EXPLAIN (ROUTE)."""
    lines = [r[0] for r in conn.execute("EXPLAIN (ROUTE) " + sql).fetchall()]
    found = [x for x in lines if x.startswith("replica: ")]
    return found[0].partition(": ")[2] if found else None


def is_floored(conn):
    """No replica is known to be where the session is."""
    line = explain(conn, "SELECT v FROM t")
    return line.startswith("none fit: floor") or line.endswith("caught up")


def test_reads_go_there(make):
    s = make()
    with s.connect() as c:
        warm(s, c, 5)
        until(lambda: pause() and explain(
            c, "SELECT v FROM t WHERE a = 1") in ("r1", "r2"), timeout=30)
        rows = s.console("SHOW REPLICAS")
        assert [(r["backend"], r["replica"]) for r in rows] == \
            [("main", "r1"), ("main", "r2")]
        assert all(int(r["timeline"]) == 1 and "/" in r["replayed"] and
                   float(r["age_ms"]) < 5000 for r in rows)
    assert s.metric("pgsluice_replica_fit") == 2
    by = {r["backend"]: int(r["count"]) for r in s.console("SHOW LATENCY")}
    assert by.get("r1", 0) + by.get("r2", 0) >= 5


def test_what_goes_nowhere(make):
    s = make()
    with s.connect() as c:
        warm(s, c)
        for sql, why in {
                "SELECT 1": "no_table",
                "INSERT INTO t VALUES (1000, 0)": "not_read",
                "SELECT * FROM t FOR UPDATE": "not_read",
                "WITH x AS (DELETE FROM t WHERE a > 100 RETURNING 1) "
                "SELECT * FROM x": "not_read",
                "SELECT now(), a FROM t": "function",
                "SELECT random() FROM t": "function",
                "SELECT pg_is_in_recovery() FROM t": "function",
                "SELECT pg_current_wal_lsn() FROM t": "function",
                "SELECT txid_current() FROM t": "function",
                "SELECT inet_server_addr() FROM t": "function",
                "SELECT own(a) FROM t": "function",
                "SELECT a FROM t TABLESAMPLE system (10)": "function",
                "SELECT current_user FROM t": "function",
                "SELECT timestamptz 'now' FROM t": "clock",
                "SELECT count(*) FROM pg_class": "catalog"}.items():
            assert explain(c, sql).split(" - ")[0] == f"none: {why}", sql
        with s.counting(replica_reads=0):
            c.execute("SELECT 1").fetchall()
            c.execute("SELECT count(*) FROM pg_class").fetchall()
            assert c.execute("SELECT pg_is_in_recovery() FROM t").fetchone() \
                == (False,)
        with c.transaction():
            assert explain(c, "SELECT v FROM t").startswith(
                "none: transaction")
        c.execute("SET default_transaction_isolation = serializable")
        assert explain(c, "SELECT v FROM t").startswith("none: isolation")
        c.execute("RESET default_transaction_isolation")
        c.execute("CREATE TEMP TABLE mine (a int)")
        assert explain(c, "SELECT v FROM t").startswith("none: session")
        with s.counting(replica_reads=0):
            c.execute("SELECT v FROM t").fetchall()
    assert s.metrics()['pgsluice_replica_bypass_total{reason="catalog"}'] >= 1


def test_off_and_session_pooling(make):
    s = make(reads="off", wait=False)
    with s.connect() as c:
        assert explain(c, "SELECT v FROM t").startswith("none: off")
    s = make(db='pool_mode = "session"')
    with s.connect() as c:
        assert explain(c, "SELECT v FROM t").startswith("none: session")


def test_rules_of_tables(make):
    """The strictest of all tables counts."""
    s = make(rules="""
        table "quiet" { replica_reads = "off"
            variant "v" { kind = "plain" backend = "main" relation = "u" } }
        table "old" { replica_max_age = "1ms"
            variant "v" { kind = "plain" backend = "main" relation = "t" } }
        """)
    with s.connect() as c:
        warm(s, c)
        assert explain(c, "SELECT * FROM quiet").startswith("none: off")
        assert explain(c, "SELECT * FROM quiet, t").startswith("none: off")
        until(lambda: explain(c, "SELECT * FROM t") in ("r1", "r2"))
        for _ in range(20):
            line = explain(c, "SELECT * FROM old, t")
            assert line in ("r1", "r2") or line.startswith(
                ("none fit: age", "none fit: floor"))
        want = s.count("replica_reads") + 1
        # In the replica's own words: the physical name.
        until(lambda: c.execute("SELECT a FROM old WHERE a = 2").fetchone() ==
              (2,) and s.count("replica_reads") >= want)


def test_own_writes_at_once(town, make):
    s = make()
    with s.connect() as c:
        warm(s, c)
        town.pause()
        c.execute("UPDATE t SET v = 10 WHERE a = 5")
        for _ in range(50):
            assert c.execute(
                "SELECT v FROM t WHERE a = 5").fetchone() == (10,)
        assert is_floored(c)
        # It has asked, in vain.
        assert s.count("replica_unproven") >= 1
        town.resume()
        warm(s, c, 3)
        assert c.execute("SELECT v FROM t WHERE a = 5").fetchone() == (10,)


@pytest.mark.parametrize("reads", ["process", "session"])
def test_writes_of_others(town, make, reads):
    s = make(reads=reads)
    with s.connect() as c, s.connect() as other:
        warm(s, c, 3)
        until(lambda: pause() and explain(c, "SELECT v FROM t")
              in ("r1", "r2"), timeout=30)
        town.pause()
        old = town.main.psql("SELECT v FROM t WHERE a = 6", dbname="app")
        other.execute("UPDATE t SET v = v + 1 WHERE a = 6")
        if reads == "process":
            for _ in range(30):
                assert c.execute("SELECT v FROM t WHERE a = 6").fetchone() \
                    == (int(old) + 1,)
            assert is_floored(c)
        else:
            assert c.execute("SELECT v FROM t WHERE a = 6").fetchone() \
                in ((int(old),), (int(old) + 1,))
        town.resume()
        warm(s, c)


def test_age_and_lag(town, make):
    s = make(age="300ms")
    with s.connect() as c:
        warm(s, c)
        town.pause()
        town.main.psql("UPDATE t SET v = v WHERE a = 7", dbname="app")
        until(lambda: explain(c, "SELECT v FROM t").startswith(
            "none fit: age"))
        with s.counting(replica_reads=0):
            c.execute("SELECT v FROM t").fetchall()
        town.resume()
        warm(s, c)
    s = make(lag="64kB")
    with s.connect() as c:
        warm(s, c)
        town.pause()
        town.main.psql("CREATE TABLE big AS SELECT generate_series(1, 50000);"
                       "DROP TABLE big", dbname="app")
        until(lambda: explain(c, "SELECT v FROM t").startswith(
            "none fit: lag"))
        assert all(int(r["lag_bytes"]) > 65536
                   for r in s.console("SHOW REPLICAS"))
        town.resume()
        warm(s, c)


class Jitter:
    """Replay stops and goes on."""

    def __init__(self, town):
        self.town, self.over = town, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        conns = [psycopg.connect(r.admin_dsn(), autocommit=True)
                 for r in self.town.r]
        dice = random.Random(1)
        while not self.over.is_set():
            c = dice.choice(conns)
            c.execute("SELECT pg_wal_replay_pause()")
            time.sleep(dice.random() * 0.1)
            c.execute("SELECT pg_wal_replay_resume()")
            time.sleep(dice.random() * 0.1)
        for c in conns:
            c.execute("SELECT pg_wal_replay_resume()")
            c.close()

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


class Watcher:
    """Reads of one row over one connection, which may not go back.

    But for one case: a standby may show a commit a moment before its primary
    does, where a transaction becomes visible when its WAL has left.  What
    goes back so is counted, and has to be there a little later."""

    def __init__(self, town, conn, row, prepare=False):
        self.main = town.main.port
        self.conn, self.row, self.prepare = conn, row, prepare
        self.seen = self.reads = self.there = self.early = 0
        self.on, self.wrong = None, []

    def read(self):
        v, port = self.conn.execute(
            "SELECT v, port() FROM t WHERE a = %s", (self.row,),
            prepare=self.prepare).fetchone()
        self.reads += 1
        self.there += port != self.main
        if v < self.seen and port == self.main != self.on:
            self.early += 1
            time.sleep(0.05)
            v, = self.conn.execute("SELECT v FROM t WHERE a = %s FOR SHARE",
                                   (self.row,)).fetchone()
        if v < self.seen:
            self.wrong.append(f"row {self.row}: {v} on {port}, seen "
                              f"{self.seen} on {self.on}")
        self.seen, self.on = v, port
        return v


def hammer(town, s, row, seconds, prepare):
    """One session: what it reads is what it has written or seen, or later."""
    dice = random.Random(row)
    own, wrong = 0, []
    end = time.monotonic() + seconds
    with s.connect() as c:
        mine, shared = (Watcher(town, c, r, prepare) for r in (row, 100))
        if row % 2:
            c.execute("SET synchronous_commit = off")
        while time.monotonic() < end:
            if dice.random() < 0.15:
                own += 1
                c.execute("UPDATE t SET v = %s WHERE a = %s", (own, row))
            for _ in range(dice.randrange(6)):
                v = mine.read()
                if v != own:
                    wrong.append(f"row {row}: {v}, written {own}")
                shared.read()
            if dice.random() < 0.5:
                time.sleep(dice.random() * 0.12)
    return (wrong + mine.wrong + shared.wrong, mine.reads + shared.reads,
            mine.there + shared.there, mine.early + shared.early)


@pytest.mark.parametrize("prepare", [False, True])
def test_hammer(town, make, prepare):
    """Sessions write and read while replay stops and goes on; a writer that
    nobody sees moves a shared row."""
    s = make(age="5s")
    town.main.psql("UPDATE t SET v = 0", dbname="app")
    town.sync()
    got, over = [], threading.Event()

    def writer():
        with town.main.connect("app") as c:
            while not over.is_set():
                c.execute("UPDATE t SET v = v + 1 WHERE a = 100")
                time.sleep(0.002)
    w = threading.Thread(target=writer)
    w.start()
    with Jitter(town):
        threads = [threading.Thread(target=lambda n=n: got.append(
            hammer(town, s, n, 6, prepare))) for n in range(1, 7)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    over.set()
    w.join()
    assert len(got) == 6
    wrong = [x for g in got for x in g[0]]
    reads, there, early = (sum(g[i] for g in got) for i in (1, 2, 3))
    print(f"{reads} reads, {there / reads:.0%} on replicas, {early} early")
    assert wrong == []
    assert reads > 500 and there > 0.1 * reads


def test_busy_session(make):
    """One that never pauses gets back to the replicas behind a write."""
    s = make()
    with s.connect() as c:
        warm(s, c)
        for n in range(1, 6):
            c.execute("UPDATE t SET v = %s WHERE a = 30", (n,))
            want = s.count("replica_reads") + 100
            end = time.monotonic() + 30
            while s.count("replica_reads") < want:
                for _ in range(50):
                    assert c.execute("SELECT v FROM t WHERE a = 30"
                                     ).fetchone() == (n,)
                assert time.monotonic() < end
        assert s.count("replica_proofs") > s.count("replica_unproven")


def test_process_hammer(town, make):
    """One session writes, others must see it at once."""
    s = make(reads="process", age="5s")
    wrong, done, reads = [], {"v": 0}, [0]
    town.main.psql("UPDATE t SET v = 0 WHERE a = 50", dbname="app")
    town.sync()
    end = time.monotonic() + 5

    def reader():
        with s.connect() as c:
            while time.monotonic() < end:
                least = done["v"]
                v, = c.execute("SELECT v FROM t WHERE a = 50").fetchone()
                reads[0] += 1
                if v < least:
                    wrong.append((v, least))
    threads = [threading.Thread(target=reader) for _ in range(4)]
    with Jitter(town), s.connect() as c:
        for t in threads:
            t.start()
        while time.monotonic() < end:
            n = done["v"] + 1
            c.execute("UPDATE t SET v = %s WHERE a = 50", (n,))
            done["v"] = n
            time.sleep(random.random() * 0.4)
        for t in threads:
            t.join()
    assert wrong == []
    assert s.count("replica_reads") > 0.1 * reads[0]


def test_crashes(town, make):
    """A replica that crashes over and over: no error, and nothing goes back."""
    s = make(names=("r1",))
    wrong, early, over = [], [], threading.Event()

    def writer():
        with town.main.connect("app") as c:
            while not over.is_set():
                c.execute("UPDATE t SET v = v + 1 WHERE a = 99")
                time.sleep(0.001)

    def reader():
        try:
            with s.connect() as c:
                watcher = Watcher(town, c, 99)
                while not over.is_set():
                    watcher.read()
                wrong.extend(watcher.wrong)
                early.append(watcher.early)
        except psycopg.Error as e:
            wrong.append(str(e))
    threads = [threading.Thread(target=f)
               for f in (writer, reader, reader, reader)]
    for t in threads:
        t.start()
    for _ in range(3):
        until(lambda n=s.count("replica_reads"):
              s.count("replica_reads") > n + 50, timeout=30)
        town.r[0].crash()
        time.sleep(0.3)
        until(lambda: states(s) == {"r1": "unreachable"})
        town.r[0].start()
    until(lambda n=s.count("replica_reads"):
          s.count("replica_reads") > n + 50, timeout=30)
    over.set()
    for t in threads:
        t.join()
    print(f"{early} early")
    assert wrong == [] and len(early) == 3


def test_a_backend_that_crashes(town, make):
    """The postmaster lives on, and all its servers end."""
    r = town.r[0]
    s = make(names=("r1",))
    with s.connect() as c:
        for _ in range(3):
            warm(s, c)
            started = r.psql("SELECT pg_postmaster_start_time()")
            pids = r.psql("SELECT pid FROM pg_stat_activity WHERE "
                          "usename = 'app' AND application_name = ''").split()
            os.kill(int(pids[0]), signal.SIGKILL)
            for _ in range(100):
                assert c.execute("SELECT count(*) FROM t").fetchone() == (100,)
                time.sleep(0.01)
            until(r.is_ready)
            until(lambda: states(s) == {"r1": "fit"})
            assert r.psql("SELECT pg_postmaster_start_time()") == started


def run_long(s, act, sql=LONG):
    """act() while sql runs on a replica; (rows, error)."""
    got = []

    def run():
        with s.connect() as c:
            warm(s, c)
            try:
                got.append((c.execute(sql).fetchall(), None))
            except psycopg.Error as e:
                got.append((None, e))
    t = threading.Thread(target=run)
    t.start()
    until(lambda: "FROM t w" in active(s))
    act()
    t.join(60)
    return got[0]


def active(s):
    return " ".join(p.psql("SELECT query FROM pg_stat_activity WHERE state = "
                           "'active' AND query LIKE '%FROM t w%' AND "
                           "pid <> pg_backend_pid()") for p in s.town.r)


@pytest.fixture
def one(town, make):
    """pgsluice with one replica."""
    s = make(names=("r1",))
    s.town = town
    return s


def test_conflict_with_recovery(town, one):
    """The replica cancels the statement, the primary answers it."""
    def vacuum():
        town.main.psql("UPDATE t SET v = v + 1 WHERE a < 50; VACUUM t",
                       dbname="app")
    with one.counting(replica_retries=1):
        assert run_long(one, vacuum) == ([(60000000,)], None)


def test_terminated(town, one):
    def kill():
        town.r[0].psql("SELECT pg_terminate_backend(pid) FROM "
                       "pg_stat_activity WHERE query LIKE '%FROM t w%' "
                       "AND pid <> pg_backend_pid()")
    with one.counting(replica_retries=1):
        assert run_long(one, kill) == ([(60000000,)], None)


def test_explain_analyze(town, one):
    """It runs where the statement would run, and again if that fails."""
    def lines(conn, sql):
        return [r[0] for r in conn.execute(
            f"EXPLAIN (ROUTE, ANALYZE) {sql}").fetchall()]
    with one.connect() as c:
        warm(one, c)
        until(lambda: explain(c, "SELECT v FROM t") == "r1")
        with one.counting(replica_reads=1, replica_retries=0):
            out = lines(c, "SELECT v FROM t")
        assert "replica: r1" in out
        assert any("backend r1" in x for x in out), out
        assert any("100 rows" in x for x in out)
        with one.counting(replica_retries=1):
            out = lines(c, "SELECT a FROM u")
        assert any("1 rows" in x for x in out), out
    assert town.r[0].running


def test_hung(town, one):
    """A replica that neither answers nor dies."""
    try:
        rows, error = run_long(one, town.r[0].freeze)
    finally:
        town.r[0].thaw()
    assert error is None and rows == [(60000000,)]
    assert one.count("replica_retries") >= 1


def test_cancel(town, one):
    """What the client cancels is not asked of another server."""
    held = []

    def cancel():
        until(lambda: held)
        held[0].cancel()
    got = []

    def run():
        with one.connect() as c:
            warm(one, c)
            held.append(c)
            try:
                c.execute(LONG)
            except psycopg.Error as e:
                got.append(e.sqlstate)
    t = threading.Thread(target=run)
    t.start()
    until(lambda: "FROM t w" in active(one))
    with one.counting(replica_retries=0):
        cancel()
        t.join(30)
        assert got == ["57014"]


def test_half_an_answer(town, one):
    """Once rows have gone out, the error is the client's."""
    big = "SELECT w.a, x.a, y.a FROM t w, t x, t y"
    with one.connect() as c:
        warm(one, c)
        rows = c.cursor().stream(big)
        next(rows)
        town.r[0].crash()
        with pytest.raises(psycopg.OperationalError):
            for _ in rows:
                pass


def test_errors_are_the_primarys(one):
    with one.connect() as c:
        warm(one, c)
        with one.counting(replica_reads=1, replica_retries=1):
            with pytest.raises(psycopg.errors.DivisionByZero):
                c.execute("SELECT 1 / (a - 1) FROM t WHERE a = 1")
        warm(one, c)
        # A standby has no unlogged tables.
        assert c.execute("SELECT a FROM u").fetchall() == [(7,)]


def test_refused_login(town, make):
    """Who asks may log in there, who reads may not."""
    r = town.r[0]
    with open(os.path.join(r.datadir, "pg_hba.conf")) as f:
        before = f.read()
    r.write("pg_hba.conf", "host all app 127.0.0.1/32 reject\n" + before)
    r.reload()
    try:
        s = make(names=("r1",), asks="alice")
        with s.connect() as c, s.counting(replica_reads=0):
            for _ in range(30):
                assert c.execute("SELECT count(*) FROM t").fetchone() == (100,)
                time.sleep(0.02)
            assert c.execute("SELECT a FROM t WHERE a = 3").fetchone() == (3,)
    finally:
        r.write("pg_hba.conf", before)
        r.reload()


def test_nobody_asks(make):
    s = make(asks="", wait=False)
    until(lambda: states(s) == {"r1": "unreachable", "r2": "unreachable"})
    row, *_ = s.console("SHOW REPLICAS")
    assert row["error"].startswith("nobody to log in as")
    assert row["replayed"] is None and row["lag_bytes"] is None
    with s.connect() as c:
        assert c.execute("SELECT count(*) FROM t").fetchone() == (100,)


def test_promotion(lab, town, pgsluice):
    r = lablib.Standby(lab, town.main, "r3").start()
    town.r.append(r)
    try:
        s = pgsluice(CONF, READS="session", AGE="10s", LAG="0", MORE="",
                     DB="", RULES="", ASKS="app", MAIN=town.main.port,
                     R1=r.port, R2=town.r[1].port, LIST='"r1"')
        until(lambda: states(s) == {"r1": "fit"})
        with s.connect() as c:
            warm(s, c)
            r.psql("SELECT pg_promote()")
            until(lambda: states(s) == {"r1": "promoted"})
            r.psql("UPDATE t SET v = -1", dbname="app")
            assert c.execute("SELECT count(*) FROM t WHERE v = -1") \
                .fetchone() == (0,)
            assert explain(c, "SELECT v FROM t").startswith(
                "none fit: promoted")
            # Nor is it believed to be a standby of itself's primary.
            r.write("standby.signal", "")
            r.restart()
            until(lambda: states(s) == {"r1": "other_timeline"})
            assert explain(c, "SELECT v FROM t").startswith(
                "none fit: other_timeline")
    finally:
        town.r.remove(r)
        r.stop()


def test_other_system(lab, town, pgsluice, pg):
    """A standby of another cluster; and a primary that is a standby."""
    s = pgsluice(CONF, READS="session", AGE="10s", LAG="0", MORE="", DB="",
                 RULES="", ASKS="app", MAIN=town.r[0].port, R1=pg.port,
                 R2=town.r[1].port, LIST='"r2"')
    until(lambda: states(s) == {"r2": "no_primary"})
    other = Cluster(lab, "other", fresh=True).start()
    try:
        other.psql("CREATE DATABASE app OWNER app")
        s = pgsluice(CONF, READS="session", AGE="10s", LAG="0", MORE="",
                     DB="", RULES="", ASKS="app", MAIN=other.port,
                     R1=town.r[0].port, R2=town.r[1].port, LIST='"r1"')
        until(lambda: states(s) == {"r1": "other_system"})
    finally:
        other.stop()


def test_other_settings(town, make):
    """A replica whose settings change: not one answer looks like that."""
    r = town.r[0]
    s = make(names=("r1",))
    with s.connect() as c:
        def look():
            return c.execute("SELECT (date '2026-02-01' + a)::text FROM t "
                             "WHERE a = 1").fetchone()[0]
        warm(s, c)
        r.psql("ALTER SYSTEM SET datestyle = 'German'")
        try:
            r.reload()
            for _ in range(100):
                assert look() == "2026-02-02"
                time.sleep(0.005)
            # Nor are servers used that log in with them.
            n = s.count("replica_reads")
            for _ in range(50):
                assert look() == "2026-02-02"
                time.sleep(0.01)
            assert s.count("replica_reads") == n
        finally:
            r.psql("ALTER SYSTEM RESET datestyle")
            r.reload()
        time.sleep(0.2)
        s.console("RECONNECT app")
        warm(s, c)


def test_session_settings(make):
    """They follow the session to a replica, and are nobody else's there."""
    s = make()
    with s.connect() as c, s.connect() as d:
        c.execute("SET extra_float_digits = -10")
        c.execute("SET search_path = public, pg_catalog")
        warm(s, c)
        warm(s, d)

        def rows(conn):
            n = s.count("replica_reads")
            got = conn.execute("SELECT (a::float8 / 3)::text FROM t "
                               "WHERE a = 1").fetchone()[0]
            return got, s.count("replica_reads") > n
        for conn, want in ((c, "0.33333"), (d, "0.3333333333333333")) * 5:
            until(lambda: pause() and rows(conn)[1], timeout=30)
            assert rows(conn)[0] == want
        c.execute("SET ROLE app")
        c.execute("SET application_name = 'reader'")
        warm(s, c, 3)
        assert c.execute("SHOW application_name").fetchone() == ("reader",)


def test_transactions(make):
    s = make()
    with s.connect() as c:
        warm(s, c)
        with s.counting(replica_reads=0), c.transaction():
            c.execute("SELECT v FROM t WHERE a = 1").fetchone()
            c.execute("UPDATE t SET v = v + 1 WHERE a = 9")
            c.execute("SELECT v FROM t WHERE a = 9").fetchone()
        c.autocommit = False
        with s.counting(replica_reads=0):
            c.execute("SELECT v FROM t WHERE a = 1").fetchone()
            c.commit()
            c.execute("BEGIN READ ONLY" if False else
                      "SET TRANSACTION READ ONLY")
            c.execute("SELECT v FROM t WHERE a = 1").fetchone()
            c.rollback()


def test_cached(make):
    s = make(rules='cache "t" { tables = {"t"} ttl = "1h" }')
    with s.connect() as c:
        assert explain(c, "SELECT v FROM t").startswith("none: cached")
        with s.counting(replica_reads=0, cache_misses=1, cache_hits_l1=4):
            for _ in range(5):
                c.execute("SELECT sum(a) FROM t").fetchall()
        # And what of it goes past the cache.
        with s.counting(replica_reads=0):
            with rawpg.RawConn("127.0.0.1", s.port, "app", "app") as w:
                w.send(whole("SELECT v FROM t WHERE a = 1") * 3)
                w.read_until_ready(3)


def test_pipelines(make):
    """Reads and writes in one go: answers in order, every read behind the
    write before it."""
    s = make()
    with s.connect() as c:
        c.execute("UPDATE t SET v = 0 WHERE a = 20")
        warm(s, c)
    before = s.count("replica_reads")
    with rawpg.RawConn("127.0.0.1", s.port, "app", "app") as w:
        for n in range(1, 31):
            time.sleep(0.06 if n % 3 else 0)
            w.send(whole("SELECT v FROM t WHERE a = 20") +
                   whole("UPDATE t SET v = v + 1 WHERE a = 20") +
                   rawpg.query("SELECT v FROM t WHERE a = 20") +
                   whole("SELECT v FROM t WHERE a = 20 AND v = $1", [str(n)]) +
                   rawpg.query("SELECT 1") +
                   whole("SELECT v, v FROM t WHERE a = 20"))
            got = [rawpg.text_rows(w.read_until_ready()) for _ in range(6)]
            x, y = str(n - 1), str(n)
            assert got == [[(x,)], [], [(y,)], [(y,)], [("1",)], [(y, y)]]
    assert s.count("replica_reads") > before


def test_prepared(town, make):
    s = make()
    with s.connect() as c, s.connect() as d:
        sql = "SELECT a, v FROM t WHERE a = %s"
        for conn in (c, d):
            until(lambda: conn.execute(sql, (1,), prepare=True).fetchone() and
                  True)
        want = s.count("replica_reads") + 8
        until(lambda: pause() and
              c.execute(sql, (2,), prepare=True).fetchone()[0] == 2 and
              d.execute(sql, (3,), prepare=True).fetchone()[0] == 3 and
              s.count("replica_reads") >= want, timeout=60)
        # A table that is there, and then not yet, on a replica.
        town.pause()
        town.main.psql("SET ROLE app; CREATE TABLE fresh AS SELECT 1 AS x",
                       dbname="app")
        for _ in range(5):
            assert c.execute("SELECT x FROM fresh", prepare=True).fetchone() \
                == (1,)
            time.sleep(0.05)
        town.resume()
        town.main.psql("DROP TABLE fresh", dbname="app")


def test_reload(make, town):
    s = make(names=("r1",))
    with s.connect() as c:
        warm(s, c)
        s.holes["LIST"] = '"r2"'
        s.rewrite(CONF)
        s.reload()
        until(lambda: states(s) == {"r2": "fit"})
        warm(s, c, 3)
        by = {r["backend"]: int(r["count"]) for r in s.console("SHOW LATENCY")}
        assert by["r2"] >= 1
        s.rewrite(CONF.replace("replicas = {$LIST}", ""))
        s.reload()
        assert states(s) == {}
        with s.counting(replica_reads=0):
            for _ in range(10):
                c.execute("SELECT v FROM t WHERE a = 1").fetchone()
        assert explain(c, "SELECT v FROM t") is None
    until(lambda: town.r[0].psql(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE application_name = 'pgsluice replicas'") == "0")


def test_reconnect_and_pause(make, town):
    s = make(names=("r1",))
    with s.connect() as c:
        warm(s, c)
        s.console("RECONNECT app")
        warm(s, c)
        s.console("PAUSE app")
        got = []
        t = threading.Thread(target=lambda: got.append(
            c.execute("SELECT count(*) FROM t").fetchone()))
        t.start()
        time.sleep(0.3)
        assert got == []
        s.console("RESUME app")
        t.join(10)
        assert got == [(100,)]
        warm(s, c)
