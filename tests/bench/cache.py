#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""What the cache costs and brings: CPU for each hit and each miss, and a
workload where it cannot pay.

    tests/bench/cache.py --bin ./pgsluice [--repeats 10] [--seconds 0.5]
                         [--part hits] [--part misses] [--part writes]

Everything is started on loopback in a folder of its own and stopped at the
end.  Targets follow one another within a repeat, in an order that turns.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile

from targets import HERE, HOT, POOL, Bench, LabError, Target, lablib
from measure import Measure

PARTS = ("hits", "misses", "writes")
CLIENTS = 16

# Unnamed statements stay so: whether one is run under a name hangs on times, and
# makes more of a difference than what is measured.
PGSLUICE = """\
prepare_unnamed_after = 0
listen = {{"127.0.0.1:{port}"}}
http_listen = "127.0.0.1:{http}"
auth = "trust"
admin_users = {{"bench"}}
log_level = "warn"
workers = 1
pool_size = {pool}
max_client_conn = 1000
cache_governor = {governor}
{redis}
backend "pg" {{ conninfo = "host=127.0.0.1 port={pg} dbname=bench user=bench sslmode=disable" }}
database "bench" {{ backend = "pg" cache = {cache} }}
cache "accounts" {{ tables = {{"pgbench_accounts"}} {rule} }}
"""

# Each UPDATE ends whatever was stored.
WRITES = """\
\\set aid random(1, {keys})
UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
"""


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--bin", required=True)
    p.add_argument("--part", action="append", choices=PARTS)
    p.add_argument("--repeats", type=int, default=10)
    p.add_argument("--seconds", type=float, default=0.5)
    p.add_argument("--scale", type=int, default=10)
    p.add_argument("--programs", help="folder of canned and load; default: "
                   "built here")
    a = p.parse_args()
    a.bin = os.path.abspath(a.bin)
    a.part = [x for x in PARTS if x in (a.part or PARTS)]
    return a


def build_programs(work):
    """canned and load, by the C compiler."""
    for name, libs in (("canned", ["-levent_core"]), ("load", [])):
        subprocess.run(
            [os.environ.get("CC", "cc"), "-std=gnu11", "-D_GNU_SOURCE",
             "-O2", "-o", os.path.join(work, name),
             os.path.join(HERE, name + ".c"), *libs], check=True)
    return work


class Cache:
    """The daemons of all parts, one PostgreSQL and one Redis."""

    def __init__(self, args, lab, work):
        self.args = args
        self.lab = lab
        self.work = work
        args.programs = args.programs or build_programs(work)
        args.work = work
        self.bench = Bench(lab, args.programs, args.bin, args.scale)
        self.bench.start_postgres()
        self.measure = Measure(args, self.bench)
        self.redis = None

    def sluice(self, name, rule='ttl = "1h" l2 = false', cache=True,
               governor=False, redis=False):
        port, http = lablib.free_port(), lablib.free_port()
        if redis and self.redis is None:
            self.redis = lablib.Redis(self.lab).start()
        text = PGSLUICE.format(
            port=port, http=http, pool=POOL, pg=self.bench.pg.port, rule=rule,
            cache=str(cache).lower(), governor=str(governor).lower(),
            redis=f'redis_host = "127.0.0.1"\nredis_port = '
            f'{self.redis.port}\nredis_timeout = "1s"' if redis else "")
        service = lablib.Pgsluice(self.lab, self.args.bin, text, port, http,
                                  name).start()
        lablib.wait_for("catalogs to be read", lambda: not cache or all(
            v == 1 for k, v in service.metrics().items()
            if k.startswith("pgsluice_watch_vouched{")))
        return service

    def rounds(self, targets, run):
        """name -> list of what run(target) gave, one of each round."""
        found = {t.name: [] for t in targets}
        for i in range(self.args.repeats):
            turn = i % len(targets)
            for t in targets[turn:] + targets[:turn]:
                found[t.name].append(run(t))
        return found

    def cpu(self, targets, mode):
        found = self.rounds(targets, lambda t: self.measure.load(
            t, mode, CLIENTS))
        return {k: [r["cpu_us"] for r in v] for k, v in found.items()}


def counted(service, outcome):
    return sum(v for k, v in service.metrics().items()
               if k.startswith("pgsluice_query_duration_seconds_count") and
               f'outcome="{outcome}"' in k)


def spread(values):
    return (f"{statistics.median(values):8.2f}  "
            f"{min(values):.2f}..{max(values):.2f}")


def line(mode, name, values, against=None, ratio=False):
    text = f"{mode:9} {name:10} {spread(values):26}"
    if against is not None and ratio:
        text += f"{statistics.median(a / b for a, b in zip(values, against)):7.3f} x"
    elif against is not None:
        text += f"{statistics.median(a - b for a, b in zip(values, against)):+7.2f}"
    print(text, flush=True)


def part_hits(c):
    """CPU of a hit beside that of a canned reply."""
    canned = Target("canned", c.bench.limit("canned"), HOT)
    l1 = Target("l1", c.sluice("l1"), HOT)
    l2 = Target("l2", c.sluice("l2", 'ttl = "1h" l1_ttl = 0', redis=True),
                HOT)
    print("\n== hits: CPU us each; the ratio is the median of each repeat's\n")
    for mode in ("simple", "extended", "prepared"):
        for t in (l1, l2):
            c.measure.load_all(t, mode)
        before = counted(l1.service, "l1"), counted(l2.service, "l2")
        found = c.cpu([canned, l1, l2], mode)
        hits = (counted(l1.service, "l1") - before[0],
                counted(l2.service, "l2") - before[1])
        for t in (canned, l1, l2):
            line(mode, t.name, found[t.name],
                 found["canned"] if t != canned else None, ratio=True)
        print(f"{'':9} hits counted: l1 {hits[0]:.0f}, l2 {hits[1]:.0f}")


def part_misses(c):
    """CPU of a statement that is looked up, recorded and stored, beside one
    that is passed on."""
    keys = c.bench.keys
    passed = Target("pass", c.sluice("pass", cache=False), keys)
    missed = Target("miss", c.sluice("miss", 'ttl = "1ms" l2 = false'), keys)
    governed = Target("governed", c.sluice(
        "governed", 'ttl = "1ms" l2 = false', governor=True), keys)
    print("\n== misses: CPU us each; the difference is the median of each "
          "repeat's\n")
    for mode in ("simple", "extended", "prepared"):
        found = c.cpu([passed, missed, governed], mode)
        for t in (passed, missed, governed):
            line(mode, t.name, found[t.name],
                 found["pass"] if t != passed else None)
    for t in (missed, governed):
        m = t.service.metrics()
        print(f"{t.name}: hits {m['pgsluice_cache_hits_l1_total']:.0f}, "
              f"stored {m['pgsluice_cache_stores_total']:.0f}, unprofitable "
              + str(int(m['pgsluice_cache_bypass_total'
                          '{reason="unprofitable"}'])))


def pgbench(c, target, script):
    argv = [os.path.join(lablib.pg_bindir(), "pgbench"), "-n", "-h",
            "127.0.0.1", "-p", str(target.port), "-U", "bench", "-f", script,
            "-M", "simple", "-c", "8", "-j", "2", "-T",
            str(max(1, round(c.args.seconds))), "bench"]
    before = target.cpu()
    r = subprocess.run(argv, capture_output=True, text=True, check=False,
                       timeout=600)
    if r.returncode or re.search(r"ERROR|FATAL|abort", r.stderr):
        raise LabError(f"pgbench: {r.stderr.strip()[-300:]}")
    done = int(re.search(r"actually processed: (\d+)", r.stdout)[1])
    return (float(re.search(r"^tps = ([\d.]+)", r.stdout, re.M)[1]),
            (target.cpu() - before) * 1e6 / done)


def part_writes(c):
    """Transactions that write a row and read it: nothing is found again."""
    script = os.path.join(c.work, "writes.sql")
    with open(script, "w", encoding="ascii") as f:
        f.write(WRITES.format(keys=c.bench.keys))
    targets = [
        Target("pass", c.sluice("w-pass", cache=False), 0),
        Target("governed", c.sluice("w-governed", governor=True), 0),
        Target("stored", c.sluice("w-stored"), 0)]
    for t in targets: # until the governor has decided
        for _ in range(3):
            pgbench(c, t, script)
    found = c.rounds(targets, lambda t: pgbench(c, t, script))
    print("\n== writes: an UPDATE and a SELECT of its row\n")
    for what, n in (("tps", 0), ("CPU us", 1)):
        for t in targets:
            line(what, t.name, [r[n] for r in found[t.name]],
                 [r[n] for r in found["pass"]] if t != targets[0] else None,
                 ratio=True)
    for t in targets[1:]:
        m = t.service.metrics()
        print(f"{t.name}: hits {m['pgsluice_cache_hits_l1_total']:.0f}, "
              f"stored {m['pgsluice_cache_stores_total']:.0f}, unprofitable "
              + str(int(m['pgsluice_cache_bypass_total'
                          '{reason="unprofitable"}'])))
    show = subprocess.run(
        [os.path.join(lablib.pg_bindir(), "psql"), "-x", "-h", "127.0.0.1",
         "-p", str(targets[1].port), "-U", "bench", "-c",
         "SHOW CACHE SHAPES", "pgsluice"], capture_output=True, text=True,
        check=True)
    print(show.stdout)


def main():
    args = arguments()
    lablib.exit_on_signals()
    with tempfile.TemporaryDirectory(prefix="pgsluice-bench.") as work:
        os.chmod(work, 0o755)
        with lablib.Lab(os.path.join(work, "lab")) as lab:
            c = Cache(args, lab, work)
            for part in args.part:
                globals()["part_" + part](c)
    print(f"load average {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    try:
        main()
    except LabError as e:
        sys.exit(f"bench: {e}")
