#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Is what the cache promises true?

    tests/checker/run.py [--seconds N] [--seed N ...] [--mode MODE ...]
                         [--quiet] [--least SHARE]

Starts a PostgreSQL, a Redis and two pgsluice of its own; PGSLUICE_BIN names
the daemon.  Each mode is played with each seed.  Status 1: a promise was
broken; 2: too little happened for a verdict.
"""

import argparse
import contextlib
import multiprocessing
import os
import pickle
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "e2e")]

import actors  # noqa: E402
import harness  # noqa: E402
import modes  # noqa: E402
from check import check  # noqa: E402
from driver import Actor, play  # noqa: E402
from faults import Faults  # noqa: E402

PROCESSES = 2
COUNTERS = {"hits_l1": "cache_hits_l1", "hits_l2": "cache_hits_l2",
            "misses": "cache_misses", "stores": "cache_stores",
            "bumps": "cache_bumps", "verified": "verify_same",
            "mismatches": "verify_mismatches"}
RACES = 'pgsluice_cache_bypass_total{reason="invalidated"}'


class Receiver(harness.lablib.Service):
    """A synchronous standby: commits are in the log for as long as it likes
    before anybody can see them."""

    as_postgres = True
    port = None  # it listens nowhere

    def __init__(self, lab, name, pg):
        super().__init__(lab, name)
        self.pg = pg
        self.directory = os.path.join(lab.work, name)
        os.mkdir(self.directory)
        lab.give(self.directory)

    def command(self):
        return [os.path.join(harness.lablib.pg_bindir(), "pg_receivewal"),
                "-D", self.directory, "--synchronous", "-d",
                f"host=127.0.0.1 port={self.pg.port} user=postgres "
                "application_name=receiver"]

    def is_ready(self):
        return self.pg.psql("SELECT count(*) FROM pg_stat_replication WHERE "
                            "application_name = 'receiver'") == "1"

    def start(self, timeout=harness.lablib.READY_TIMEOUT):
        super().start(timeout)
        self.pg.psql("ALTER SYSTEM SET synchronous_standby_names = 'receiver'")
        self.pg.psql("SELECT pg_reload_conf()")
        return self

    def stop(self, *args, **kw):
        if self.running and self.pg.running:
            self.pg.psql("ALTER SYSTEM RESET synchronous_standby_names")
            self.pg.psql("SELECT pg_reload_conf()")
        return super().stop(*args, **kw)


class Scene:
    """The servers of one mode."""

    def __init__(self, lab, mode, pg):
        self.mode, self.pg = mode, pg
        self.kept = dict.fromkeys([*COUNTERS, "races"], 0.0)
        self.redis = harness.lablib.Redis(lab, f"redis-{id(self)}").start() \
            if mode.l2 else None
        self.receiver = Receiver(lab, f"receiver-{id(self)}", pg).start() \
            if mode.feed else None
        self.sluices = [self.sluice(lab, n) for n in (1, 2)]
        for s in self.sluices:
            s.console("CHECK LAYOUTS")
        if mode.feed:
            harness.until(lambda: all(s.console("SHOW FEEDS")[0]["state"] ==
                                      "live" for s in self.sluices))

    def sluice(self, lab, n):
        port, http = harness.lablib.free_port(), harness.lablib.free_port()
        seals = harness.private_file(
            os.path.join(lab.work, "seals"), "0123456789abcdef" * 4 + "\n")
        text = harness.string.Template(modes.CONF).safe_substitute(
            self.mode.holes(self.pg.port,
                            self.redis.port if self.redis else 0, seals))
        text = (f'listen = {{"127.0.0.1:{port}"}}\nhttp_listen = '
                f'"127.0.0.1:{http}"\nworkers = 2\n') + text
        return harness.Sluice(lab, harness.binary(), text, port, http,
                              f"pgsluice-{self.mode.name.replace('/', '-')}"
                              f"-{n}").start()

    def counts(self, n):
        found = self.sluices[n].metrics()
        out = {name: found.get(f"pgsluice_{metric}_total", 0.0)
               for name, metric in COUNTERS.items()}
        out["races"] = found.get(RACES, 0.0)
        return out

    def keep_counts(self, n):
        """Before the process ends."""
        for name, value in self.counts(n).items():
            self.kept[name] += value

    def totals(self):
        out = dict(self.kept)
        for n in range(len(self.sluices)):
            for name, value in self.counts(n).items():
                out[name] += value
        return out

    def stop(self):
        for s in self.sluices:
            if not s.running:
                raise AssertionError(f"{s.name} has ended:\n{s.tail(60)}")
            s.stop()
        if self.redis:
            self.redis.stop()
        if self.receiver:
            self.receiver.stop()

    def actors(self, part, seed):
        """The share of one process of the driver."""
        a, b = (s.port for s in self.sluices)
        behind = self.pg.port if self.mode.behind else a
        what = []

        def add(name, port, via, script, user="app"):
            what.append(Actor(f"{name}{part}", port, via, script, user))

        add("wa", a, "first", actors.writer(seed, 25))
        add("wb", b, "second", actors.writer(seed, 10))
        add("wd", behind, "behind" if self.mode.behind else "first",
            actors.writer(seed, 5))
        add("we", behind, "behind" if self.mode.behind else "first",
            actors.writer(seed, 2, actors.seldom))
        add("ba", a, "first", actors.banker(seed, 5))
        add("pa", a, "first", actors.patient(seed, 30))
        add("hu", a, "first", actors.hurried(seed, 15))
        for n in range(5):
            add(f"ra{n}-", a, "first", actors.reader(seed))
        for n in range(3):
            add(f"rb{n}-", b, "second", actors.reader(seed))
        for user in actors.READERS:
            add(f"t{user}", a, "first", actors.trespasser(seed, 20), user)
            add(f"u{user}", b, "second", actors.trespasser(seed, 20), user)
        return what


def cluster(lab, name):
    """Commits wait for the standby, if there is one."""
    return harness.followed(lab, name, {
        "autovacuum": "on", "fsync": "off", "synchronous_commit": "on",
        "max_replication_slots": "8"})


def prepare(pg):
    pg.psql("DROP DATABASE IF EXISTS app WITH (FORCE)")
    pg.psql("CREATE DATABASE app OWNER app")
    pg.psql("SET ROLE app;" + actors.SCHEMA, "app")


def committed(pg):
    """What the log of registers has: (k, version, value)."""
    return [(int(k), int(n), v) for k, n, v in (
        line.split("|", 2) for line in pg.psql(
            "SELECT k, ver, val FROM reg_log", "app").splitlines())]


def settled(scene, log):
    """When all is quiet every key must soon be what the server has."""
    last = {}
    for k, version, _ in log:
        last[k] = max(last.get(k, 0), version)
    wrong = []
    time.sleep(scene.mode.bounds.other + 0.1)
    for s in scene.sluices:
        with s.connect() as conn:
            for k, version in last.items():
                found = conn.execute(f"SELECT ver FROM {actors.table(k)} "
                                     f"WHERE k = {k}").fetchone()[0]
                if found != version:
                    wrong.append(f"{s.name}: {k} is {found}, not {version}")
    return wrong


def history(scene, seconds, seed, work, faults):
    """Play; all events."""
    paths = [os.path.join(work, f"history-{n}") for n in range(PROCESSES)]
    players = [multiprocessing.Process(target=play, args=(
        lambda n=n: scene.actors(n, seed), seconds, paths[n]))
        for n in range(PROCESSES)]
    for p in players:
        p.start()
    if faults:
        faults.play(lambda: any(p.is_alive() for p in players))
    for p in players:
        p.join()
        if p.exitcode:
            sys.exit(f"the driver ended with status {p.exitcode}")
    events = []
    for path in paths:
        with open(path, "rb") as f:
            events += pickle.load(f)
    return events


def one(lab, pg, mode, seed, options):
    """Play one mode with one seed: (verdict, figures, what is missing)."""
    prepare(pg)
    scene = Scene(lab, mode, pg)
    faults = None if options.quiet else Faults(scene, seed)
    try:
        events = history(scene, options.seconds, seed, lab.work, faults)
        log = committed(pg)
        wrong = settled(scene, log)
        figures = scene.totals()
    finally:
        scene.stop()  # which tells if one has died
    verdict = check(events, log, mode.bounds)
    for what in wrong:
        verdict.violation("never settled", what)
    if figures["mismatches"]:
        verdict.violation("mismatch", f"{figures['mismatches']:.0f} hits, "
                          "as pgsluice itself found")
    figures["operations"] = len(events)
    figures["faults"] = dict(faults.fired) if faults else {}
    return verdict, figures, missing(verdict, figures, options)


def missing(verdict, figures, options):
    """Why nothing can be concluded, or nothing."""
    share = options.seconds / 60 * options.least
    hits = figures["hits_l1"] + figures["hits_l2"]
    asked = hits + figures["misses"]
    out = []
    for what, found, least in (
            ("hits", hits, 10000), ("bumps", figures["bumps"], 1000),
            ("overtaken fills", figures["races"], 100),
            ("acknowledged writes", verdict.counts["outcome ok"], 1000)):
        if found < least * share:
            out.append(f"{found:.0f} {what}, expected {least * share:.0f}")
    if asked and not 0.2 <= hits / asked <= 0.95:
        out.append(f"{hits / asked:.0%} hits, expected 20 to 95 %")
    return out


def tell(mode, seed, verdict, figures, lacking):
    hits = figures["hits_l1"] + figures["hits_l2"]
    asked = hits + figures["misses"]
    state = "BROKEN" if not verdict.good else "unknown" if lacking else "valid"
    print(f"{mode.name} seed {seed}: {state}; {figures['operations']} "
          f"operations, {verdict.counts['outcome ok']} writes, "
          f"{hits / asked if asked else 0:.0%} of {asked:.0f} lookups hit "
          f"({figures['hits_l2']:.0f} in L2), {figures['bumps']:.0f} bumps, "
          f"{figures['races']:.0f} overtaken fills, "
          f"{figures['verified']:.0f} hits verified; oldest read "
          f"{verdict.largest('same'):.3f} s behind a write here, "
          f"{verdict.largest('other'):.3f} s behind another", flush=True)
    if figures["faults"]:
        print("    faults: " + ", ".join(
            f"{n} {name}" for name, n in sorted(figures["faults"].items())))
    for kind, what in sorted(verdict.violations.items()):
        print(f"    {kind}: {verdict.counts[f'violations: {kind}']} times")
        for line in what:
            print(f"        {line}")
    for line in lacking:
        print(f"    too little: {line}")


def options_read(argv):
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--seconds", type=float, default=40)
    p.add_argument("--seed", type=int, action="append")
    p.add_argument("--mode", action="append", type=modes.named,
                   help="such as ttl/l1/transaction; default: pairwise")
    p.add_argument("--quiet", action="store_true", help="without faults")
    p.add_argument("--least", type=float, default=1.0,
                   help="share of what must happen for a verdict")
    return p.parse_args(argv)


def main(argv):
    options = options_read(argv)
    broken = unknown = 0
    with contextlib.ExitStack() as up:
        work = up.enter_context(tempfile.TemporaryDirectory(
            prefix="pgs-checker.", dir="/tmp"))
        lab = up.enter_context(harness.lablib.Lab(work))
        pg = cluster(lab, "checker-pg")
        for mode in options.mode or modes.pairwise():
            for seed in options.seed or [1]:
                verdict, figures, lacking = one(lab, pg, mode, seed, options)
                tell(mode, seed, verdict, figures, lacking)
                broken += not verdict.good
                unknown += bool(lacking)
    return 1 if broken else 2 if unknown else 0


if __name__ == "__main__":
    harness.lablib.exit_on_signals()
    sys.exit(main(sys.argv[1:]))
