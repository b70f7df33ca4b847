#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""What becomes of clients while Redis goes wrong?

    tests/checker/redis_faults.py [--seconds N] [--flips N] [--clients N]
                                  [--timeout TIME] [--fault NAME ...]

Starts a PostgreSQL, a Redis and a pgsluice of its own; PGSLUICE_BIN names the
daemon.  Each client asks alternately through a database that is cached in
Redis only and through one that is not, so that both meet the same machine; it
knows what the answers have to be, also right after writes of its own.  Told
for each fault: statements, errors and wrong rows, both of which have to be 0
(status 1), hits, and how long the slowest hundredth took in either database.
The aim is a difference of 5 ms at most; the machine's pace is not judged.
"""

import argparse
import contextlib
import multiprocessing
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
import redis as redis_client  # noqa: E402

import harness  # noqa: E402
from harness import lablib, private_file, until  # noqa: E402

ITEMS = 500
SLOW = 0.2  # seconds each way

SCHEMA = f"""
CREATE TABLE item (id int PRIMARY KEY, name text);
INSERT INTO item SELECT n, 'name ' || n || repeat(' and more', 10)
  FROM generate_series(1, {ITEMS}) n;
CREATE TABLE own (id int PRIMARY KEY, v int);
INSERT INTO own SELECT n, 0 FROM generate_series(1, 100) n;
GRANT ALL ON item, own TO app;
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
redis_timeout = "$TIMEOUT"
redis_retry = "500ms"
$KEYS
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=postgres" }
database "app" { backend = "main" }
database "plain" { backend = "main" cache = false }
cache "items" { tables = {"item"} ttl = "10min" l1_ttl = "0" }
cache "own" { tables = {"own"} ttl = "10min" l1_ttl = "0" }
"""


# -- clients ------------------------------------------------------------------

class Client:
    """One of them, in a process of its own."""

    def __init__(self, port, number, seconds):
        self.port, self.number = port, number
        self.end = time.monotonic() + seconds
        self.random = random.Random(number)
        self.took = {"app": [], "plain": []}
        self.errors, self.wrong, self.v = [], 0, None

    def connect(self, dbname):
        return psycopg.connect(
            host="127.0.0.1", port=self.port, dbname=dbname, user="app",
            autocommit=True, prepare_threshold=None)

    def ask(self, conn, name, sql, expected):
        began = time.monotonic()
        row = conn.execute(sql).fetchone()
        self.took[name].append(time.monotonic() - began)
        self.wrong += row != (expected,)

    def write(self, conn):
        """And read it back."""
        self.v = self.random.randrange(1 << 30)
        conn.execute(f"UPDATE own SET v = {self.v} WHERE id = {self.number}")

    def turn(self, conns, n):
        i = self.random.randint(1, ITEMS)
        if n % 50 == 0:
            self.write(conns["app"])
        for name, conn in conns.items():
            self.ask(conn, name, f"SELECT name FROM item WHERE id = {i}",
                     f"name {i}" + " and more" * 10)
            self.ask(conn, name, "SELECT v FROM own WHERE id = "
                     f"{self.number}", self.v)

    def run(self):
        with contextlib.ExitStack() as stack:
            conns = {name: stack.enter_context(self.connect(name))
                     for name in self.took}
            n = 0
            while time.monotonic() < self.end:
                try:
                    self.turn(conns, n)
                except psycopg.Error as e:
                    self.errors.append(str(e))
                    break
                n += 1
        return self.took, self.errors, self.wrong


def client(args):
    return Client(*args).run()


# -- faults -------------------------------------------------------------------

class Relay:
    """To Redis, taking its time."""

    def __init__(self, port):
        self.to, self.delay = port, 0.0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near = self.listener.accept()[0]
                far = socket.create_connection(("127.0.0.1", self.to))
                for pair in (near, far), (far, near):
                    threading.Thread(target=self.pump, args=pair,
                                     daemon=True).start()

    def pump(self, one, two):
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                if self.delay:
                    time.sleep(self.delay)
                two.sendall(data)
        for s in one, two:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)


class Faults:
    """Each lasts about as long as it is told to."""

    def __init__(self, server, options):
        self.redis, self.options = server, options
        self.raw = redis_client.Redis(port=server.port)
        self.relay = Relay(server.port)

    def none(self, seconds):
        time.sleep(seconds)

    def killed(self, seconds):
        time.sleep(seconds / 4)
        self.redis.kill()
        time.sleep(seconds / 2)
        self.redis.start()

    def frozen(self, seconds):
        time.sleep(seconds / 4)
        self.redis.freeze()
        time.sleep(seconds / 2)
        self.redis.thaw()

    def slow(self, seconds):
        time.sleep(seconds / 4)
        self.relay.delay = SLOW
        time.sleep(seconds / 2)
        self.relay.delay = 0.0

    def flushed(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.raw.flushall()
            time.sleep(0.05)

    def full(self, seconds):
        self.raw.config_set("maxmemory-policy", "noeviction")
        self.raw.config_set("maxmemory", 1)
        time.sleep(seconds * 3 / 4)
        self.raw.config_set("maxmemory", 0)

    def flipped(self, seconds):
        """One bit of one entry, again and again, for `flips` at least."""
        dice, end, flips = random.Random(1), time.monotonic() + seconds, 0
        while time.monotonic() < end or flips < self.options.flips:
            names = [k for k in self.raw.keys("*:items:*")]
            values = self.raw.mget(names) if names else []
            pipe = self.raw.pipeline(transaction=False)
            for name, value in zip(names, values):
                if not value:
                    continue
                bad = bytearray(value)
                bit = dice.randrange(len(bad) * 8)
                bad[bit // 8] ^= 1 << bit % 8
                pipe.set(name, bytes(bad), keepttl=True, xx=True)
                flips += 1
            pipe.execute()
            time.sleep(0.01)
        self.options.flipped = flips

    sealed = flipped


FAULTS = ("none", "flipped", "sealed", "killed", "frozen", "slow", "flushed",
          "full")


# -- the scene ----------------------------------------------------------------

class Scene:
    def __init__(self, lab, options):
        self.lab, self.options = lab, options
        self.pg = harness.Cluster(lab, "pg-redis-faults").start()
        self.pg.psql(SCHEMA)
        self.redis = lablib.Redis(lab, "redis-faults").start()
        self.faults = Faults(self.redis, options)
        self.keys = private_file(os.path.join(lab.work, "redis.keys"),
                                 "5" * 64 + "\n")

    def sluice(self, fault):
        port, http = lablib.free_port(), lablib.free_port()
        text = harness.string.Template(CONF).substitute(
            PORT=port, HTTP=http, PG=self.pg.port, TIMEOUT=self.options.timeout,
            REDIS=self.faults.relay.port if fault == "slow"
            else self.redis.port,
            KEYS=f'redis_key_file = "{self.keys}"'
            if fault == "sealed" else "")
        return harness.Sluice(self.lab, harness.binary(), text, port, http,
                              f"pgsluice-{fault}").start()

    def works(self, sluice):
        """Redis answers.  Not what the clients ask: after a fault that does
        not pay for some time."""
        before = sluice.count("cache_hits_l2")
        for _ in range(3):
            sluice.query("SELECT count(*) FROM item")
        return sluice.count("cache_hits_l2") > before

    def play(self, fault, seconds):
        self.redis.cli("FLUSHALL")
        self.options.flipped = 0
        sluice = self.sluice(fault)
        until(lambda: self.works(sluice), 20)
        n = self.options.clients
        with multiprocessing.Pool(n) as pool:
            work = pool.map_async(client, [(sluice.port, i + 1, seconds)
                                           for i in range(n)])
            getattr(self.faults, fault)(seconds)
            results = work.get(timeout=seconds + 60)
        until(lambda: self.works(sluice), 20)
        figures = Figures(fault, results, sluice, self.options.flipped)
        sluice.stop()
        return figures

    def stop(self):
        self.redis.stop()
        self.pg.stop()


class Figures:
    def __init__(self, fault, results, sluice, flips):
        self.fault, self.flips = fault, flips
        self.took = {name: sorted(t for r in results for t in r[0][name])
                     for name in ("app", "plain")}
        self.errors = [e for r in results for e in r[1]]
        self.wrong = sum(r[2] for r in results)
        self.hits = int(sluice.count("cache_hits_l2"))
        self.corrupt = int(sluice.metric("pgsluice_l2_corrupt_total"))
        self.opens = int(sluice.metric("pgsluice_l2_breaker_opens_total"))

    @property
    def good(self):
        return not self.errors and not self.wrong

    def quantile(self, name, q):
        took = self.took[name]
        return took[min(len(took) - 1, int(len(took) * q))] * 1000

    def __str__(self):
        p = {n: self.quantile(n, 0.99) for n in self.took}
        return (f"{self.fault:8} statements {len(self.took['app']):7} "
                f"errors {len(self.errors)} wrong {self.wrong} "
                f"hits {self.hits:7} flips {self.flips:6} "
                f"refused {self.corrupt:6} breaker {self.opens:2} "
                f"p50 {self.quantile('app', 0.5):6.2f} "
                f"({self.quantile('plain', 0.5):6.2f}) "
                f"p99 {p['app']:6.2f} ({p['plain']:6.2f} past the cache, "
                f"{p['app'] - p['plain']:+.2f}) ms")


def main():
    p = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seconds", type=float, default=10)
    p.add_argument("--flips", type=int, default=100_000)
    p.add_argument("--clients", type=int, default=4)
    p.add_argument("--timeout", default="5ms", help="redis_timeout")
    p.add_argument("--fault", action="append", choices=FAULTS)
    options = p.parse_args()
    status = 0
    with contextlib.ExitStack() as up:
        work = up.enter_context(tempfile.TemporaryDirectory(
            prefix="pgs-redis.", dir="/tmp"))
        scene = Scene(up.enter_context(lablib.Lab(work)), options)
        for fault in options.fault or FAULTS:
            figures = scene.play(fault, options.seconds)
            print(figures, flush=True)
            for error in figures.errors:
                print("  " + error.strip())
            status |= not figures.good
    return status


if __name__ == "__main__":
    lablib.exit_on_signals()
    sys.exit(main())
