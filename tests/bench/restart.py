#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Online restarts under load: what clients notice.

    tests/bench/restart.py --bin PGSLUICE [--clients N] [--restarts N]
                           [--timeout S] [--cold] [--work DIR]

Starts PostgreSQL and pgsluice in the work folder.  Clients, every second one with
TLS, read rows by a cached statement and write one in a hundred, in a
transaction, with pauses like those of an application.  TAKEOVER is given again
and again; the next one when the process before has ended, which it does when
takeover_timeout (--timeout) has closed those with TLS.  A client that is closed
connects again at once.  For each restart it prints how long the old process
lived on, clients moved, errors by kind, apart for clients without and with TLS,
and the hit ratio in the second before, in the first second of the new process
and in the one behind it.  With --cold each process is given another setting, so
that it begins with nothing in memory: to compare with.  Exit status 1 if a client without TLS had an error, or
one with TLS another than 57P01 at a time when nothing of it was under way.
"""

import argparse
import collections
import ctypes
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

import psycopg

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "contrib", "lab"))

import lab as lablib  # noqa: E402

PR_SET_CHILD_SUBREAPER = 36
ROWS = 2000
RESTARTED = "because pgsluice was restarted"

CONF = """
listen = {{"127.0.0.1:{port}"}}
http_listen = "127.0.0.1:{http}"
auth = "trust"
admin_users = {{"postgres"}}
max_client_conn = 1000
query_timeout = {nth}h
takeover_timeout = {timeout}s
tls_mode = "allow"
tls_cert_file = "{cert}"
tls_key_file = "{key}"
backend "main" {{ conninfo = "host=127.0.0.1 port={pg} dbname=postgres user=postgres" }}
database "app" {{ backend = "main" }}
cache "item" {{ tables = {{"item"}}  keys = {{"item.id"}}  ttl = 10min }}
"""


def certificate(work):
    cert, key = (os.path.join(work, f"server.{e}") for e in ("crt", "key"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-keyout",
         key, "-out", cert, "-subj", "/CN=localhost"],
        check=True, capture_output=True)
    return cert, key


class Load:
    """Threads, each with a connection of its own."""

    def __init__(self, port, n):
        self.port = port
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.errors = collections.Counter()
        self.statements = 0
        self.connected = 0
        self.threads = [threading.Thread(target=self.run, args=(i,))
                        for i in range(n)]
        for t in self.threads:
            t.start()

    def connect(self, tls):
        return psycopg.connect(
            host="127.0.0.1", port=self.port, dbname="app", user="postgres",
            sslmode="require" if tls else "disable", autocommit=True,
            connect_timeout=30, prepare_threshold=None)

    def once(self, c, dice, state):
        """One step of the client, which is between transactions behind it."""
        row = int(dice.paretovariate(0.8)) % ROWS
        if dice.random() < 0.01:
            with c.transaction():
                state["within"] = True
                c.execute("SELECT v FROM item WHERE id = %s" % row)
                c.execute("UPDATE item SET v = v + 1 WHERE id = %s" % row)
        else:
            found = c.execute("SELECT id FROM item WHERE id = %s" %
                              row).fetchone()
            if found != (row,):
                raise AssertionError(f"asked for {row}, got {found}")

    def kind(self, e, tls, state):
        text = str(e)
        if RESTARTED in text:
            what = "57P01, restarted"
            what += ", in a transaction" if state["within"] else ""
        else:
            what = f"{type(e).__name__}: {text.splitlines()[0][:60]}"
        return ("TLS" if tls else "clear", what)

    def run(self, i):
        tls, dice, c = i % 2 == 1, random.Random(i), None
        while not self.over.is_set():
            state = {"within": False}
            try:
                if c is None:
                    c = self.connect(tls)
                    with self.lock:
                        self.connected += 1
                self.once(c, dice, state)
                with self.lock:
                    self.statements += 1
            except (psycopg.Error, AssertionError, OSError) as e:
                with self.lock:
                    self.errors[self.kind(e, tls, state)] += 1
                if c is not None:
                    c.close()
                c = None
            self.over.wait(dice.expovariate(5))
        if c is not None:
            c.close()

    def stop(self):
        self.over.set()
        for t in self.threads:
            t.join()


def counts(sluice):
    m = sluice.metrics()
    hits = m["pgsluice_cache_hits_l1_total"]
    return hits, hits + m["pgsluice_cache_misses_total"] + sum(
        v for k, v in m.items()
        if k.startswith("pgsluice_cache_bypass_total"))


def ratio(a, b):
    asked = b[1] - a[1]
    return f"{100 * (b[0] - a[0]) / asked:.1f} %" if asked > 0 else "-"


def console(sluice, sql):
    with psycopg.connect(host="127.0.0.1", port=sluice.port,
                         dbname="pgsluice", user="postgres", autocommit=True,
                         sslmode="disable") as c:
        found = c.execute(sql)
        return found.fetchall() if found.description else []


def seen(sluice, seconds):
    """Counters now and after so long."""
    first = counts(sluice)
    time.sleep(seconds)
    return first, counts(sluice)


def pids(sluice):
    return [int(p) for p in
            re.findall(r"pgsluice starts.* pid=(\d+)", sluice.log)]


def wait_end(sluice):
    lablib.wait_for("the end of the process before", lambda: dict(
        console(sluice, "SHOW TAKEOVER"))["before"] == "has ended")


def restart(sluice, load, nth, text):
    sluice.write_conf(text)
    before = ratio(*seen(sluice, 1))
    with load.lock:
        errors = collections.Counter(load.errors)
    began = time.monotonic()
    console(sluice, "TAKEOVER")
    took = time.monotonic() - began
    first = counts(sluice)
    time.sleep(1)
    second = counts(sluice)
    time.sleep(1)
    third = counts(sluice)
    wait_end(sluice)
    lived = time.monotonic() - began
    # Who pauses hears of it with the next statement.
    time.sleep(2)
    told = dict(console(sluice, "SHOW TAKEOVER"))
    with load.lock:
        fresh = load.errors - errors
    clear = sum(n for (how, _), n in fresh.items() if how == "clear")
    tls = ", ".join(f"{n} x {what}" for (how, what), n in
                    sorted(fresh.items()) if how == "TLS") or "0"
    print(f"| {nth} | {took * 1000:.0f} ms | {lived:.1f} s | "
          f"{told['clients_taken']} | {clear} | {tls} | "
          f"{told['results_taken']} | {before} | {ratio(first, second)} | "
          f"{ratio(second, third)} |", flush=True)


def measure(sluice, conf, a):
    load = Load(sluice.port, a.clients)
    try:
        lablib.wait_for("all clients", lambda: load.connected >= a.clients)
        time.sleep(8)
        print("| restart | until it serves | old process | clients moved | "
              "errors without TLS | errors with TLS | results taken | hits "
              "before | first second | second |")
        print("|---|---|---|---|---|---|---|---|---|---|")
        for nth in range(1, a.restarts + 1):
            restart(sluice, load, nth, conf(nth + 1 if a.cold else 1))
    finally:
        load.stop()
    print(f"\n{load.statements} statements and transactions; "
          f"{load.connected} connections of {a.clients} clients")
    for (how, what), n in sorted(load.errors.items()):
        print(f"  {how}: {n} x {what}")
    return 1 if any(how == "clear" or what != "57P01, restarted"
                    for how, what in load.errors) else 0


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--bin", required=True)
    p.add_argument("--clients", type=int, default=200)
    p.add_argument("--restarts", type=int, default=10)
    p.add_argument("--timeout", type=int, default=2)
    p.add_argument("--cold", action="store_true")
    p.add_argument("--work")
    a = p.parse_args()
    # Processes whose parents have ended are ours.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    status = 1
    with lablib.Lab(a.work or tempfile.mkdtemp(prefix="pgs-restart.")) as lab:
        pg = lablib.Postgres(lab, settings={"max_connections": "200"})
        pg.start()
        pg.psql("CREATE TABLE item (id int PRIMARY KEY, v int NOT NULL);"
                f"INSERT INTO item SELECT i, 0 FROM generate_series(0, {ROWS})"
                " i")
        port, http = lablib.free_port(), lablib.free_port()
        cert, key = certificate(lab.work)

        def conf(nth):
            return CONF.format(port=port, http=http, pg=pg.port, nth=nth,
                               timeout=a.timeout, cert=cert, key=key)
        sluice = lablib.Pgsluice(lab, os.path.abspath(a.bin), conf(1), port,
                                 http)
        sluice.start()
        first = sluice.proc
        try:
            status = measure(sluice, conf, a)
        finally:
            last = pids(sluice)[-1]
            if last != first.pid:
                os.kill(last, signal.SIGTERM)
                os.waitpid(last, 0)
    return status


if __name__ == "__main__":
    sys.exit(main())
