#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""The same messages to PostgreSQL and through pgsluice; the answers must be
the same.  See README.md in this folder.

    tests/diff/diff.py [-n SEQUENCES] [--pool transaction|session] [--cache]
                       [--cut one|random] [--seed N] [--lanes N]
                       [--only NUMBER] [--scripts-only]

Starts a PostgreSQL and a pgsluice of its own.  PGSLUICE_BIN names the daemon.
Status 1: a difference was found."""

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

import harness  # noqa: E402
import scripts  # noqa: E402
from generate import KINDS, SCHEMA, Generator, prologue  # noqa: E402
import peers  # noqa: E402
from peers import (TAIL, WAIT, Exceptions, Peer, at_end, compare,  # noqa: E402
                   normal, play, randomness, show)

CONF = """
auth = "trust"
admin_users = {"app"}
layout_user = "app"
pool_size = $SIZE
pool_mode = "$POOL"
backend "main" { conninfo = "host=127.0.0.1 port=$SERVER dbname=proxied" }
database "direct" { backend = "main" cache = $CACHE }
cache "all" { tables = {$TABLES} ttl = "60s" l2 = false }
"""

TABLES = ["fixed"] + [f"t{n}" for n in range(10)]
SHRUNK_MAX = 4  # differences a lane makes smaller


# ------------------------------------------------------------------ servers

def databases(pg):
    """Two with the same content down to the OIDs; later ones are each its
    own."""
    pg.psql("CREATE DATABASE origin OWNER app")
    pg.psql(SCHEMA, "origin")
    for name in ("direct", "proxied"):
        pg.psql(f"CREATE DATABASE {name} OWNER app TEMPLATE origin")
    peers.OLDER = 1 + int(pg.psql("SELECT max(oid::bigint) FROM pg_class",
                                  "origin"))


def configuration(pool="transaction", cache=False, size=2):
    return harness.string.Template(CONF).safe_substitute(
        SIZE=size, POOL=pool, CACHE="true" if cache else "false",
        TABLES=", ".join(f'"{t}"' for t in TABLES))


def build_cut(folder):
    """The relay's program."""
    out = os.path.join(folder, "cut")
    subprocess.run([*os.environ.get("CC", "cc").split(), "-std=gnu11",
                    "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-pthread",
                    "-o", out, os.path.join(HERE, "cut.c")], check=True,
                   timeout=120)
    return out


@contextlib.contextmanager
def relay(program, target, how, seed):
    """A port that leads to target by way of a relay that cuts."""
    port = harness.lablib.free_port()
    proc = subprocess.Popen([program, str(port), str(target), how, str(seed)])
    try:
        harness.wait_for("the relay",
                         lambda: harness.lablib.can_connect(port))
        yield port
    finally:
        proc.terminate()
        proc.wait()


# -------------------------------------------------------------------- lanes

class Lane:
    """A pair of connections, the sequences it plays, and what came of it."""

    def __init__(self, number, ports, options):
        self.number, self.ports, self.options = number, ports, options
        self.exceptions = Exceptions(mode=options.pool)
        self.direct = self.proxied = None
        self.clean = False
        self.found = []
        self.pairs = set()
        self.played = self.well = self.faultless = self.messages = 0

    def connect(self, rng):
        self.disconnect()
        cut = None
        if self.options.cut:
            cut = 1 if self.options.cut == "one" else rng
        self.direct = Peer(self.ports[0])
        self.proxied = Peer(self.ports[1], cut=cut)

    def disconnect(self):
        for peer in (self.direct, self.proxied):
            if peer is not None:
                peer.close()
        self.direct = self.proxied = None

    def restore(self):
        """The lane's table as it was, whatever has happened to it."""
        for peer in (self.direct, self.proxied):
            peer.trace = []
            peer.send(prologue(self.number, False))
            peer.until(lambda t: sum(k == "Z" for k, _ in t) == 2)

    def once(self, steps):
        """Play on the connections at hand; None or the difference."""
        if not self.clean:
            self.restore()
        first = prologue(self.number, True)
        for peer in (self.direct, self.proxied):
            peer.trace = []
        amiss = play(self.direct, self.proxied, [first] + steps)
        what = compare(self.direct.trace, self.proxied.trace, self.exceptions)
        # Where they part for a known reason, there may be less to wait for.
        return None if self.exceptions.parted else amiss or what

    def afresh(self, steps):
        """The same on new connections."""
        self.connect(random.Random(1))
        self.clean = False
        return self.once(steps)

    def shrink(self, steps):
        """As few messages as still make a difference."""
        keep = list(range(len(steps)))
        size = max(1, len(keep) // 2)
        while size:
            at = 0
            while at < len(keep):
                less = keep[:at] + keep[at + size:]
                if less and self.afresh(sensible(steps[i] for i in less)):
                    keep = less
                else:
                    at += size
            size //= 2
        less = sensible(steps[i] for i in keep)
        return self.afresh(less), less

    def report(self, number, gen, what):
        self.found.append({"number": number, "what": what,
                           "labels": " ".join(gen.labels),
                           "steps": [describe(s) for s in gen.steps]})
        found = self.found[-1]
        if len(self.found) <= SHRUNK_MAX and self.afresh(gen.steps):
            smaller, steps = self.shrink(gen.steps)
            found["what"] = smaller or what
            found["steps"] = [describe(s) for s in steps]
            found["direct"] = [show(m) for m in self.direct.trace[-40:]]
            found["pgsluice"] = [show(m) for m in self.proxied.trace[-40:]]
        else:
            found["what"] += " (not alone on new connections)"
        self.disconnect()
        self.clean = False

    def count(self, gen):
        self.played += 1
        self.messages += len(gen.labels)
        self.pairs.update(zip(gen.labels, gen.labels[1:]))
        trace = self.direct.trace
        kinds = "".join(k for k, _ in trace if len(k) == 1)
        if not trace or not at_end(trace):
            return
        body = kinds[:-6].rstrip("ZN")
        self.faultless += "E" not in body
        self.well += max(body.rfind(k) for k in "CIs") >= body.rfind("E")

    def sequence(self, number):
        rng = randomness(self.options.seed, number)
        gen = Generator(rng, number, self.number)
        if self.direct is None or self.direct.closed or \
                self.proxied.closed or rng.random() < 0.02:
            self.connect(rng)
        steps = gen.steps if rng.random() < 0.5 else gen.joined()
        what = self.once(steps)
        self.count(gen)
        if what:
            self.report(number, gen, what)
            return
        if self.exceptions.parted:
            # From here on they are not the same any more.
            self.exceptions.parted = False
            self.disconnect()
            self.clean = False
            return
        self.clean = not gen.writes
        if gen.state:
            self.disconnect()

    def result(self):
        return {"found": self.found, "pairs": sorted(self.pairs),
                "played": self.played, "well": self.well,
                "faultless": self.faultless, "messages": self.messages,
                "exceptions": self.exceptions.used}


def sensible(steps):
    """Without waits for answers that nobody owes yet."""
    out = []
    for step in steps:
        if step is not WAIT or (out and out[-1] is not WAIT and
                                out[-1][:1] in b"QSHFdcf"):
            out.append(step)
    return out


def describe(step):
    return "WAIT" if step is WAIT else repr(step)


def lane_main(number, ports, options, pipe):
    lane = Lane(number, ports, options)
    if options.only is not None:
        numbers = [options.only]
    else:
        numbers = range(number, options.n, options.lanes)
    for n in numbers:
        lane.sequence(n)
        if lane.found and len(lane.found) >= options.stop:
            break
    lane.disconnect()
    pipe.send(lane.result())


def play_all(ports, options):
    """All lanes, each in a process; their results added up."""
    lanes = 1 if options.only is not None else options.lanes
    children = []
    for n in range(lanes):
        number = n if options.only is None else options.only % options.lanes
        mine, theirs = multiprocessing.Pipe(False)
        child = multiprocessing.Process(
            target=lane_main, args=(number, ports, options, theirs))
        child.start()
        theirs.close()
        children.append((child, mine))
    total = {"found": [], "pairs": set(), "played": 0, "well": 0,
             "faultless": 0, "messages": 0, "exceptions": {}}
    for child, pipe in children:
        part = pipe.recv()
        child.join()
        total["found"] += part["found"]
        total["pairs"] |= {tuple(p) for p in part["pairs"]}
        for key in ("played", "well", "faultless", "messages"):
            total[key] += part[key]
        for why, n in part["exceptions"].items():
            total["exceptions"][why] = total["exceptions"].get(why, 0) + n
    return total


def play_scripts(ports, options, names=None):
    """The written ones; {name: difference}."""
    exceptions = Exceptions(mode=options.pool)
    found = {}
    for name, script in scripts.SCRIPTS.items():
        # In transaction pooling one server listens for all sessions, so that
        # a notification comes whenever it comes.
        if name[:3] == "P40" and options.pool == "transaction":
            continue
        if names is None or name in names:
            what = scripts.run(script, ports, exceptions, options.cut)
            if what:
                found[name] = what
    return found


# --------------------------------------------------------------------- main

def print_total(total, seconds):
    n = max(1, total["played"])
    print(f"{total['played']} sequences, {total['messages']} messages, "
          f"{seconds:.0f} s; {len(total['pairs'])} of {len(KINDS) ** 2} "
          f"pairs of messages; {100 * total['well'] / n:.1f} % ended in "
          f"success, {100 * total['faultless'] / n:.1f} % had no error")
    for why, count in sorted(total["exceptions"].items()):
        print(f"known, {count} times: {why}")
    for found in total["found"]:
        print(json.dumps(found, indent=1))
    print(f"{total['played']:,} random sequences: "
          f"{len(total['found']) or 'no'} difference"
          f"{'' if len(total['found']) < 2 else 's'}"
          f"{' (known exceptions listed)' if total['exceptions'] else ''}")


def options_read(argv):
    p = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    p.add_argument("-n", type=int, default=10000, help="sequences")
    p.add_argument("--pool", default="transaction",
                   choices=("transaction", "session"))
    p.add_argument("--cache", action="store_true")
    p.add_argument("--cut", choices=("one", "random"))
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--lanes", type=int, default=3)
    p.add_argument("--only", type=int, help="one sequence, by its number")
    p.add_argument("--stop", type=int, default=20,
                   help="differences after which a lane stops")
    p.add_argument("--scripts-only", action="store_true")
    p.add_argument("--script", action="append", help="this script only")
    return p.parse_args(argv)


@contextlib.contextmanager
def stack(options):
    """(direct port, port of pgsluice, pgsluice) of servers that are up."""
    with contextlib.ExitStack() as up:
        work = up.enter_context(tempfile.TemporaryDirectory(
            prefix="pgs-diff.", dir="/tmp"))
        lab = up.enter_context(harness.lablib.Lab(work))
        pg = harness.Cluster(lab, settings={"autovacuum": "on"}).start()
        databases(pg)
        server, front = pg.port, harness.lablib.free_port()
        if options.cut:
            cut = build_cut(work)
            server = up.enter_context(relay(cut, server, options.cut,
                                            options.seed))
        # Session pooling needs a server for every lane.
        size = 2 if options.pool == "transaction" else 20
        text = configuration(options.pool, options.cache, size)
        http = harness.lablib.free_port()
        sluice = harness.Sluice(
            lab, harness.binary(), harness.fill(text, {
                "PORT": front, "HTTP": http, "SERVER": server}),
            front, http, environment=harness.sanitizer_options()).start()
        port = front
        if options.cut:
            port = up.enter_context(relay(cut, front, options.cut,
                                          options.seed))
        yield (pg.port, port), sluice
        sluice.stop()


def main(argv):
    options = options_read(argv)
    with stack(options) as (ports, sluice):
        bad = play_scripts(ports, options, options.script)
        for name, what in bad.items():
            print(f"script {name}: {what}")
        print(f"{len(scripts.SCRIPTS)} scripts, {len(bad)} differ")
        if options.scripts_only or options.script:
            return 1 if bad else 0
        began = time.monotonic()
        total = play_all(ports, options)
        print_total(total, time.monotonic() - began)
        surprises = sluice.count("server_surprises")
        print(f"surprises {surprises:.0f}, hits "
              f"{sluice.count('cache_hits_l1'):.0f}, servers lost "
              f"{sluice.count('server_lost'):.0f}")
    return 1 if bad or total["found"] or surprises else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
