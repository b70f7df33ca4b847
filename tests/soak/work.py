# SPDX-License-Identifier: PostgreSQL
"""What clients of a soak do.  Each owns rows that nobody else writes, so it
knows what an answer has to say; an answer that says something else is noted in
`wrong`, and an error by its SQLSTATE.

A write that was not acknowledged may have been done or not, and may even be
done later.  Numbers only grow (`n < new`), so what is late changes nothing.
"""

import collections
import contextlib
import http.client
import random
import socket
import struct
import threading
import time

import psycopg
import psycopg2

import rawpg
from world import MONTHS

# Of connections that are not psycopg's.
ELSEWHERE = (OSError, http.client.HTTPException, psycopg2.Error,
             rawpg.ServerError, rawpg.Closed)


class Owned:
    """A number that grows: acknowledged, and the most that was tried."""

    def __init__(self):
        self.low = self.high = 0

    def next(self):
        self.high += 1
        return self.high

    def acknowledged(self, n):
        self.low = max(self.low, n)

    def fits(self, n):
        return self.low <= n <= self.high


class Tally:
    """Of all clients."""

    def __init__(self):
        self.lock = threading.Lock()
        self.done = collections.Counter()
        self.errors = collections.Counter()
        self.example = {}  # of each error, the first
        self.wrong = []

    def finished(self, what):
        with self.lock:
            self.done[what] += 1

    def failed(self, state, text):
        with self.lock:
            self.errors[state] += 1
            self.example.setdefault(state, text)

    def mistake(self, text):
        with self.lock:
            self.wrong.append(text)


class Client(threading.Thread):
    """One after another of its operations, at `rate` a second."""

    def __init__(self, world, number, tally, rate, seed):
        super().__init__(name=f"client {number}", daemon=True)
        self.world, self.number, self.tally = world, number, tally
        self.rng = random.Random(f"{seed}/{number}")
        self.pause, self.over = 1 / rate, threading.Event()
        self.conn = None
        self.accounts = [Owned() for _ in range(100)]
        self.thing, self.events, self.readings = Owned(), Owned(), Owned()
        self.lost_events, self.lost_readings = set(), set()
        self.operations = [
            (30, self.read_account), (12, self.write_account),
            (6, self.transaction), (6, self.add_event), (6, self.read_events),
            (4, self.add_reading), (4, self.read_readings),
            (6, self.write_thing), (8, self.read_thing), (3, self.copy),
            (3, self.temporary), (2, self.listen), (4, self.pipeline),
            (2, self.cursor), (2, self.cancel), (1, self.sleep),
            (2, self.setting), (2, self.break_off), (1, self.garbage),
            (1, self.look), (3, self.leave)]

    def run(self):
        what, weights = zip(*((f, w) for w, f in self.operations))
        while not self.over.wait(self.rng.expovariate(1 / self.pause)):
            op = self.rng.choices(what, weights)[0]
            try:
                op()
                self.tally.finished(op.__name__)
            except psycopg.Error as e:
                self.tally.failed(e.sqlstate or "lost", f"{op.__name__}: {e}")
                self.after_error()
            except ELSEWHERE as e:
                self.tally.failed(type(e).__name__, f"{op.__name__}: {e}")
        self.leave()

    def after_error(self):
        """A connection that lives goes on, as if it were new."""
        if self.conn is None:
            return
        try:
            self.conn.rollback()
            self.conn.execute("RESET ALL")
        except psycopg.Error:
            self.leave()

    def connect(self):
        if self.conn is None or self.conn.closed:
            self.conn = psycopg.connect(
                host="127.0.0.1", port=self.world.sluice.port, user="app",
                dbname=self.rng.choice(("app", "app", "app", "held")),
                sslmode=self.rng.choice(("disable", "require")),
                connect_timeout=10, autocommit=True)
            self.conn.prepare_threshold = self.rng.choice((None, 1, 5))
        return self.conn

    def leave(self):
        if self.conn is not None:
            with contextlib.suppress(psycopg.Error):
                self.conn.close()
        self.conn = None

    def expect(self, holds, text):
        if not holds:
            self.tally.mistake(f"client {self.number}: {text}")

    # -- a cached table -------------------------------------------------------

    def any_account(self):
        i = self.rng.randrange(100)
        return self.number * 100 + i, self.accounts[i]

    def mark(self, key, n):
        return f"{self.number}:{key}:{n}"

    def read_account(self):
        key, owned = self.any_account()
        low = owned.low
        row = self.connect().execute(
            "SELECT n, mark FROM account WHERE id = %s", (key,),
            binary=self.rng.random() < 0.3).fetchone()
        self.expect(row is not None and low <= row[0] <= owned.high and
                    row[1] == self.mark(key, row[0]),
                    f"account {key} is {row}, not {low} to {owned.high}")

    def raise_account(self, conn, key, owned):
        n = owned.next()
        done = conn.execute(
            "UPDATE account SET n = %s, mark = %s WHERE id = %s AND n < %s",
            (n, self.mark(key, n), key, n)).rowcount
        self.expect(done == 1, f"account {key} to {n}: {done} rows")
        return n

    def write_account(self):
        key, owned = self.any_account()
        owned.acknowledged(self.raise_account(self.connect(), key, owned))

    def transaction(self):
        """Some are taken back, wholly or to a savepoint."""
        conn = self.connect()
        (a, first), (b, second) = self.any_account(), self.any_account()
        end = self.rng.choice(("COMMIT", "COMMIT", "ROLLBACK"))
        conn.execute("BEGIN")
        n = self.raise_account(conn, a, first)
        conn.execute("SAVEPOINT here")
        m = self.raise_account(conn, b, second)
        kept = self.rng.random() < 0.5
        conn.execute("RELEASE here" if kept else "ROLLBACK TO here")
        row = conn.execute("SELECT n FROM account WHERE id = %s",
                           (a,)).fetchone()
        self.expect(row == (max(n, m) if a == b and kept else n,),
                    f"own write of account {a} reads {row}, not {n}")
        conn.execute(end)
        if end == "COMMIT":
            first.acknowledged(n)
            if kept:
                second.acknowledged(m)

    # -- a sharded and a monthly one ------------------------------------------

    def add(self, owned, lost, sql):
        """A row of its own; whether it came in is known or not."""
        n = owned.next()
        lost.add(n)
        self.connect().execute(sql, (self.number, n))
        lost.discard(n)
        owned.acknowledged(n)

    def rows(self, owned, lost, sql):
        sure = owned.high - len(lost)
        found = self.connect().execute(sql, (self.number,)).fetchone()[0]
        self.expect(sure <= found <= owned.high,
                    f"{found} rows, not {sure} to {owned.high}: {sql}")

    def add_event(self):
        self.add(self.events, self.lost_events,
                 "INSERT INTO event (owner, n) VALUES (%s, %s)")

    def read_events(self):
        if self.rng.random() < 0.3:
            rows = self.connect().execute(
                "SELECT owner, count(*), count(DISTINCT n) FROM event "
                "GROUP BY owner ORDER BY owner").fetchall()
            self.expect(all(r[1] == r[2] for r in rows) and
                        rows == sorted(rows), f"events doubled: {rows}")
        self.rows(self.events, self.lost_events,
                  "SELECT count(*) FROM event WHERE owner = %s")

    def add_reading(self):
        month = self.rng.choice(MONTHS)
        self.add(self.readings, self.lost_readings,
                 "INSERT INTO reading (owner, n, at) VALUES (%s, %s, "
                 f"'{month}-03 12:00+00')")

    def read_readings(self):
        self.rows(self.readings, self.lost_readings,
                  "SELECT count(*) FROM reading WHERE owner = %s AND at >= "
                  "'2026-01-01+00' AND at < '2026-07-01+00'")

    # -- an experiment whose other arm is behind ------------------------------

    def write_thing(self):
        n = self.thing.next()
        self.connect().execute(
            "UPDATE thing SET n = %s, mark = %s WHERE owner = %s AND n < %s",
            (n, f"{self.number}:{n}", self.number, n))
        self.thing.acknowledged(n)

    def read_thing(self):
        row = self.connect().execute(
            "SELECT n, mark FROM thing WHERE owner = %s",
            (self.number,)).fetchone()
        self.expect(row is not None and row[0] <= self.thing.high and
                    row[1] == f"{self.number}:{row[0]}", f"thing is {row}")

    # -- all that a connection can do -----------------------------------------

    def copy(self):
        conn, count = self.connect(), self.rng.randrange(1, 2000)
        with conn.cursor() as cur:
            cur.execute("BEGIN")
            cur.execute("CREATE TEMP TABLE given (v text) ON COMMIT DROP")
            with cur.copy("COPY given FROM STDIN") as into:
                for i in range(count):
                    into.write_row((f"{self.number} {i}",))
            with cur.copy("COPY given TO STDOUT") as out:
                found = sum(1 for _ in out.rows())
            cur.execute("COMMIT")
        self.expect(found == count, f"COPY of {count} gave {found}")

    def temporary(self):
        """Pins the session, and lets it go."""
        conn = self.connect()
        conn.execute("CREATE TEMP TABLE IF NOT EXISTS mine (v int)")
        conn.execute("TRUNCATE mine")
        conn.execute("INSERT INTO mine VALUES (%s)", (self.number,))
        row = conn.execute("SELECT v FROM mine").fetchone()
        self.expect(row == (self.number,), f"temporary table has {row}")
        conn.execute("DROP TABLE mine")

    def listen(self):
        conn, heard = self.connect(), []
        channel = f"soak_{self.number}"
        conn.add_notify_handler(heard.append)
        try:
            conn.execute(f"LISTEN {channel}")
            conn.execute(f"NOTIFY {channel}, 'well'")
            conn.execute("SELECT pg_sleep(0.05)")
            conn.execute("UNLISTEN *")
        finally:
            conn.remove_notify_handler(heard.append)
        self.expect(all(note.channel == channel for note in heard),
                    f"notified of {heard}")

    def pipeline(self):
        conn, key = self.connect(), self.number * 100
        with conn.pipeline():
            found = [conn.execute("SELECT id FROM account WHERE id = %s",
                                  (key + i,)) for i in range(10)]
            rows = [cur.fetchone() for cur in found]
        self.expect(rows == [(key + i,) for i in range(10)],
                    f"answers of a pipeline: {rows}")

    def cursor(self):
        conn = self.connect()
        conn.execute("BEGIN")
        conn.execute("DECLARE much CURSOR FOR SELECT g, repeat('x', 200) FROM "
                     "generate_series(1, 5000) g")
        at = 0
        for _ in range(self.rng.randrange(1, 10)):
            for g, _ in conn.execute("FETCH 500 FROM much"):
                at += 1
                self.expect(g == at, f"row {g} in place of {at}")
        conn.execute("COMMIT")

    def cancel(self):
        """One that comes before its statement is in vain, as with PostgreSQL
        itself: when that stood still."""
        conn = self.connect()

        def ask():
            with contextlib.suppress(psycopg.Error):
                conn.cancel()
        timer = threading.Timer(0.1, ask)
        timer.start()
        try:
            conn.execute("SELECT pg_sleep(3)")
            self.tally.failed("in vain", "cancel: the statement went on")
        except psycopg.errors.QueryCanceled:
            pass
        finally:
            timer.join()

    def sleep(self):
        conn = self.connect()
        conn.execute("SET statement_timeout = '50ms'")
        try:
            conn.execute("SELECT pg_sleep(5)")
            self.expect(False, "a timeout was forgotten")
        except psycopg.errors.QueryCanceled:
            pass
        conn.execute("RESET statement_timeout")

    def setting(self):
        conn, name = self.connect(), f"soak {self.number}"
        conn.execute("SELECT set_config('application_name', %s, false)",
                     (name,))
        row = conn.execute("SHOW application_name").fetchone()
        self.expect(row == (name,), f"application_name is {row}")
        conn.execute("RESET application_name")

    def break_off(self):
        """In the middle of a result, with a reset."""
        raw = rawpg.RawConn("127.0.0.1", self.world.sluice.port, "app", "app",
                            timeout=10)
        raw.sock.sendall(rawpg.query("BEGIN") + rawpg.query(
            "SELECT repeat('x', 100) FROM generate_series(1, 100000)"))
        time.sleep(self.rng.random() * 0.05)
        raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            struct.pack("ii", 1, 0))
        raw.sock.close()

    def garbage(self):
        with socket.create_connection(("127.0.0.1", self.world.sluice.port),
                                      10) as s:
            s.sendall(self.rng.randbytes(self.rng.randrange(1, 500)))
            s.shutdown(socket.SHUT_WR)
            s.settimeout(10)
            while s.recv(4096):
                pass

    def look(self):
        """As those who watch over it do."""
        sluice = self.world.sluice
        for name in self.rng.sample((
                "CLIENTS", "SERVERS", "POOLS", "STATS", "CACHE", "HOT KEYS",
                "SHAPES", "LATENCY", "EXPERIMENTS", "FEEDS", "SHARDS"), 3):
            sluice.console("SHOW " + name)
        status, _ = sluice.http(self.rng.choice(
            ("/metrics", "/api/overview.json", "/", "/nowhere")))
        self.expect(status in (200, 404), f"HTTP {status}")
