#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""What becomes of clients of three nodes while one of them, their Redis, or
the way of one to it is gone?

    tests/checker/nodes.py [--seconds N] [--fault NAME ...]

Starts a PostgreSQL, a Redis and three pgsluices with it; PGSLUICE_BIN names
the daemon.  Sessions write and read by all of them; the one whose node is
killed goes to the next one, as a load balancer would have it.  Meanwhile
statements are cancelled by way of another node than theirs.  The middle half
of the time belongs to the fault.  Told for each, and judged (status 1):

    errors   that a client had whose node was not killed; have to be 0
    wrong    rows that nobody has written, or not what the same session, or
             another of the same node, has written before; have to be 0
    lost     statements under way, and connections, of the node that died
    stale    reads that were older than what another node had acknowledged
             before they were asked, and by how much at most: at most the life
             that the rule gives (--ttl), and none once all is well again
    cancels  that hit the statement they were meant for, of all
    hits     share of reads by the nodes that were not killed
"""

import argparse
import contextlib
import os
import random
import socket
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "e2e")]

import psycopg  # noqa: E402

import harness  # noqa: E402
import rawpg  # noqa: E402
from harness import lablib, until  # noqa: E402

NODES = (1, 2, 3)
VICTIM = 3
ROWS = 8  # of each writer, one a node
PAUSE = 0.004
# From the end of a result's life to the answer that it was in, on a machine
# that is busy with something else.
SLACK = 1.0

SCHEMA = f"""
CREATE TABLE item (id int PRIMARY KEY, v int);
INSERT INTO item SELECT n, 0 FROM generate_series(1, {ROWS * len(NODES)}) n;
GRANT ALL ON item TO app;
"""

CONF = """
listen = {"127.0.0.1:$PORT"}
http_listen = "127.0.0.1:$HTTP"
auth = "trust"
admin_users = {"app"}
layout_user = "app"
workers = 1
pool_size = 20
redis_host = "127.0.0.1"
redis_port = $REDIS
redis_timeout = "100ms"
redis_retry = "100ms"
node = $NODE
$PEERS
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
cache "items" { tables = {"item"} keys = {"item.id"} ttl = "$TTL" }
"""


class Link:
    """The way of one node to Redis, which can be cut: what is on it stays
    there, unanswered, as where packets are dropped."""

    def __init__(self, port):
        self.to = port
        self.open = threading.Event()
        self.open.set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near = self.listener.accept()[0]
                threading.Thread(target=self.serve, args=(near,),
                                 daemon=True).start()

    def serve(self, near):
        self.open.wait()
        try:
            far = socket.create_connection(("127.0.0.1", self.to))
        except OSError:
            near.close()
            return
        threading.Thread(target=self.pump, args=(far, near),
                         daemon=True).start()
        self.pump(near, far)

    def pump(self, one, two):
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                self.open.wait()
                two.sendall(data)
        for s in one, two:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.open.set()
        self.listener.close()


class Ledger:
    """What has been written: one writer a row, so values go up by one."""

    def __init__(self):
        n = ROWS * len(NODES) + 1
        self.asked = [0] * n  # the last value that a write was sent with
        # When value i was known to be committed, and by which node.
        self.acked = [[(0.0, 0)] for _ in range(n)]

    def done(self, row):
        return len(self.acked[row]) - 1


class Client(threading.Thread):
    """A session of a node; of the next one, when that is gone."""

    def __init__(self, scene, node, number):
        super().__init__(daemon=True)
        self.scene, self.node, self.number = scene, node, number
        self.random = random.Random(number)
        self.reads = self.stale = self.wrong = self.lost = 0
        self.late = 0.0
        self.errors = []

    def run(self):
        while not self.scene.over.is_set():
            began = time.monotonic()
            try:
                with self.scene.sluices[self.node].connect() as conn:
                    conn.prepare_threshold = None
                    while not self.scene.over.is_set():
                        self.turn(conn)
                        time.sleep(PAUSE)
            except psycopg.Error as e:
                if not self.scene.was_dead(self.node, began):
                    self.errors.append(f"node {self.node}: {e}")
                    return
                self.lost += 1
                self.node = self.node % len(NODES) + 1


class Reader(Client):
    def turn(self, conn):
        ledger = self.scene.ledger
        row = self.random.randint(1, ROWS * len(NODES))
        before, began = ledger.done(row), time.monotonic()
        got = conn.execute(
            f"SELECT v FROM item WHERE id = {row}").fetchone()[0]
        self.reads += 1
        missed = ledger.acked[row][got + 1:before + 1]
        if got > ledger.asked[row] or any(n == self.node for _, n in missed):
            self.wrong += 1
        elif missed:
            self.stale += 1
            self.late = max(self.late, began - missed[0][0])


class Writer(Client):
    """Writes a row of its own and reads it back, by the same node."""

    def turn(self, conn):
        ledger, first = self.scene.ledger, (self.number - 1) * ROWS + 1
        row = self.random.randrange(first, first + ROWS)
        v = ledger.done(row) + 1
        ledger.asked[row] = v
        # The same again if its node died, which may have committed it.
        conn.execute(f"UPDATE item SET v = {v} WHERE id = {row}")
        ledger.acked[row].append((time.monotonic(), self.node))
        got = conn.execute(
            f"SELECT v FROM item WHERE id = {row}").fetchone()[0]
        self.wrong += got != v
        time.sleep(5 * PAUSE)


class Canceller(threading.Thread):
    """Between the nodes that stay, either way."""

    def __init__(self, scene):
        super().__init__(daemon=True)
        self.scene, self.asked, self.hit, self.errors = scene, 0, 0, []

    def run(self):
        ways = [(1, 2), (2, 1)]
        while not self.scene.over.is_set():
            ways.reverse()
            try:
                self.turn(*ways[0])
            except (OSError, rawpg.ProtocolError) as e:
                self.errors.append(f"cancelling: {e}")
                return

    def turn(self, home, way):
        port = {n: s.port for n, s in self.scene.sluices.items()}
        with rawpg.RawConn("127.0.0.1", port[home], "app", "app",
                           timeout=30) as conn:
            conn.send(rawpg.query("SELECT pg_sleep(30)"))
            until(lambda: self.scene.sleepers() > 0, 30)
            self.asked += 1
            with contextlib.closing(socket.create_connection(
                    ("127.0.0.1", port[way]), 30)) as other:
                other.sendall(rawpg.cancel_request(*conn.key))
                other.recv(1)
            self.hit += rawpg.sqlstates(conn.read_until_ready()) == ["57014"]


class Scene:
    FAULTS = ("none", "node-killed", "redis-killed", "partition")

    def __init__(self, lab, pg, redis, dbname, ttl="2s"):
        """pg, redis: running; others' tables and keys stay as they are."""
        self.lab, self.ttl = lab, ttl
        self.pg, self.redis, self.dbname = pg, redis, dbname
        self.pg.psql(SCHEMA, dbname)
        self.link = Link(self.redis.port)
        self.died, self.rose = {}, {}
        self.looker = self.pg.connect(dbname)
        ports = {n: lablib.free_port() for n in NODES}
        peers = "\n".join(f'peer "{n}" {{ host = "127.0.0.1" port = {p} }}'
                          for n, p in ports.items())
        self.sluices = {}
        for n, port in ports.items():
            http = lablib.free_port()
            text = harness.string.Template(CONF).substitute(
                PORT=port, HTTP=http, PG=self.pg.port, DB=dbname, NODE=n,
                PEERS=peers, TTL=ttl, REDIS=self.link.port if n == VICTIM
                else self.redis.port)
            self.sluices[n] = harness.Sluice(
                lab, harness.binary(), text, port, http, f"node{n}").start()

    def was_dead(self, node, since):
        """At some time from then on."""
        return node in self.died and (self.died[node] >= since or
                                      self.rose.get(node, since) >= since)

    def opens(self):
        """How often the nodes that run have given Redis up."""
        return sum(s.metric("pgsluice_l2_breaker_opens_total")
                   for s in self.sluices.values())

    def sleepers(self):
        return self.looker.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' "
            "AND query LIKE '%pg_sleep(30)' AND pid <> pg_backend_pid()"
        ).fetchone()[0]

    def settled(self):
        """Every node says what is true, of every row."""
        true = self.looker.execute(
            "SELECT id, v FROM item ORDER BY id").fetchall()
        return all(
            s.query(f"SELECT v FROM item WHERE id = {row}") == [(v,)]
            for s in self.sluices.values() for row, v in true)

    @contextlib.contextmanager
    def fault(self, name):
        """It lasts until it has been noticed."""
        if name == "node-killed":
            self.rose.pop(VICTIM, None)
            self.died[VICTIM] = time.monotonic()
            self.sluices[VICTIM].kill()
            yield
            until(lambda: all(c.node != VICTIM for c in self.clients), 30)
            self.sluices[VICTIM].start()
            self.rose[VICTIM] = time.monotonic()
            return
        before = self.opens()
        if name == "redis-killed":
            self.redis.kill()
        elif name == "partition":
            self.link.open.clear()
        yield
        until(lambda: name == "none" or self.opens() > before, 30)
        if name == "redis-killed":
            self.redis.start()
        self.link.open.set()

    def counts(self):
        """Hits and lookups of the nodes that stay."""
        each = [s for n, s in self.sluices.items() if n != VICTIM]
        hits = sum(s.count("cache_hits_l1") + s.count("cache_hits_l2")
                   for s in each)
        return hits, hits + sum(s.count("cache_misses") for s in each)

    def play(self, name, seconds):
        self.looker.execute("UPDATE item SET v = 0")
        for s in self.sluices.values():
            s.console("FLUSH CACHE")
        self.ledger, self.over = Ledger(), threading.Event()
        before = self.counts()
        clients = [Writer(self, n, n) for n in NODES] + \
            [Reader(self, n, 10 + n) for n in NODES * 2]
        self.clients, canceller = clients, Canceller(self)
        for t in clients + [canceller]:
            t.start()
        time.sleep(seconds / 4)
        with self.fault(name):
            time.sleep(seconds / 2)
        time.sleep(seconds / 4)
        self.over.set()
        for t in clients + [canceller]:
            t.join(60)
            assert not t.is_alive(), f"{name}: a client hangs"
        until(self.settled, 30)
        return Figures(name, clients, canceller, before, self.counts(),
                       float(self.ttl.removesuffix("s")))

    def stop(self):
        for s in self.sluices.values():
            s.stop()
        self.looker.close()
        self.link.close()


class Figures:
    def __init__(self, name, clients, canceller, before, after, ttl):
        self.name, self.ttl = name, ttl
        self.errors = canceller.errors + [e for c in clients
                                          for e in c.errors]
        for what in ("reads", "stale", "wrong", "lost"):
            setattr(self, what, sum(getattr(c, what) for c in clients))
        self.late = max(c.late for c in clients)
        self.asked, self.hit = canceller.asked, canceller.hit
        self.hits, self.looked = (b - a for a, b in zip(before, after))

    @property
    def good(self):
        """Clients had answers, and right ones, from the cache, too."""
        return not self.errors and not self.wrong and self.hits > 0 and \
            self.hit == self.asked > 0

    @property
    def timely(self):
        return self.late <= self.ttl + SLACK

    def __str__(self):
        return (f"{self.name:13} reads {self.reads:6} errors "
                f"{len(self.errors)} wrong {self.wrong} lost {self.lost:2} "
                f"stale {self.stale:5} ({self.stale / max(1, self.reads):.2%})"
                f" by at most {self.late * 1000:5.0f} ms, cancels "
                f"{self.hit}/{self.asked}, hits "
                f"{self.hits / max(1, self.looked):.1%}")


def main():
    p = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seconds", type=float, default=20)
    p.add_argument("--ttl", default="2s", help="in seconds")
    p.add_argument("--fault", action="append", choices=Scene.FAULTS)
    options = p.parse_args()
    status = 0
    with contextlib.ExitStack() as up:
        work = up.enter_context(tempfile.TemporaryDirectory(
            prefix="pgs-nodes.", dir="/tmp"))
        lab = up.enter_context(lablib.Lab(work))
        scene = Scene(lab, harness.Cluster(lab, "pg-nodes").start(),
                      lablib.Redis(lab, "redis-nodes").start(), "postgres",
                      options.ttl)
        for fault in options.fault or Scene.FAULTS:
            figures = scene.play(fault, options.seconds)
            print(figures, flush=True)
            for error in figures.errors:
                print("  " + error.strip())
            status |= not figures.good or not figures.timely
        scene.stop()
    return status


if __name__ == "__main__":
    lablib.exit_on_signals()
    sys.exit(main())
