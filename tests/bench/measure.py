#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Measure pgsluice beside its peers and limits; started by run.sh.

A cell is one protocol mode, one number of clients and one target.  Within a
repeat the targets of a cell follow one another at once, in an order that turns
with the repeats, so that a slow minute of the machine hits all of them.
"""

import argparse
import glob
import os
import re
import resource
import subprocess
import sys

from targets import HOT, Bench, CachedTarget, LabError, lablib
import report

WARM = 0.3
PARTS = ("cpu", "pgbench", "idle")
SCRIPT = """\
\\set aid random(1, {keys})
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
"""


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--work", required=True)
    p.add_argument("--bin", required=True)
    p.add_argument("--programs", required=True)
    p.add_argument("--csv", required=True)
    p.add_argument("--part", action="append", choices=PARTS)
    p.add_argument("--repeats", type=int, default=5)
    p.add_argument("--seconds", type=float, default=2)
    p.add_argument("--scale", type=int, default=10)
    p.add_argument("--clients", type=int, default=5000)
    p.add_argument("--quick", action="store_true")
    a = p.parse_args()
    if a.quick:
        a.repeats, a.seconds, a.scale = 1, 1, 1
    a.part = [x for x in PARTS if x in (a.part or PARTS)]
    return a


def run(argv):
    """Output of a program; LabError with its complaint if it fails."""
    r = subprocess.run(argv, capture_output=True, text=True, check=False,
                       timeout=600)
    if r.returncode:
        raise LabError(f"{os.path.basename(argv[0])} ended with "
                       f"{r.returncode}: {r.stderr.strip()[-300:]}")
    return r


def numbers(text):
    return {k: float(v) for k, v in re.findall(r"(\w+)=([\d.]+)", text)}


class Measure:
    def __init__(self, args, bench):
        self.args = args
        self.bench = bench
        self.rows = []
        self.failures = []

    # -- generators -----------------------------------------------------

    def load(self, target, mode, clients):
        argv = [self.program("load"), "-p", str(target.port), "-M", mode,
                "-c", str(clients), "-k", str(target.keys),
                "-t", str(self.args.seconds), "-w", str(WARM)]
        if target.pid:
            argv += ["-P", str(target.pid)]
        n = numbers(run(argv).stdout)
        return {"tps": n["tps"], "p50": n["p50"], "p99": n["p99"],
                "queries": n["queries"], "own_us": n["own_us"],
                "cpu_us": n["target_us"] if target.pid else None}

    def load_all(self, target, mode):
        """Ask for every hot key once."""
        run([self.program("load"), "-p", str(target.port), "-M", mode,
             "-k", str(HOT), "-S"])

    def pgbench(self, target, mode, clients):
        prefix = os.path.join(self.args.work, "latency")
        script = os.path.join(self.args.work, "select.sql")
        with open(script, "w", encoding="ascii") as f:
            f.write(SCRIPT.format(keys=target.keys))
        argv = [os.path.join(lablib.pg_bindir(), "pgbench"), "-n", "-h",
                "127.0.0.1", "-p", str(target.port), "-U", "bench", "-f",
                script, "-M", mode, "-c", str(clients), "-j",
                str(min(2, clients)), "-T",
                str(max(1, round(self.args.seconds))), "-l",
                "--sampling-rate=0.2", "--log-prefix=" + prefix, "bench"]
        before = target.cpu() if target.pid else 0
        server = self.bench.postgres_cpu()
        try:
            r = run(argv)
            used = (target.cpu() if target.pid else 0) - before
            server = self.bench.postgres_cpu() - server
            times = self.pgbench_times(prefix)
        finally:
            for name in glob.glob(prefix + ".*"):
                os.unlink(name)
        n = int(re.search(r"actually processed: (\d+)", r.stdout)[1])
        if not n or not times or re.search(r"ERROR|FATAL|abort", r.stderr):
            raise LabError(f"pgbench: {r.stderr.strip()[-300:]}")
        return {"tps": float(re.search(r"^tps = ([\d.]+)", r.stdout,
                                       re.M)[1]),
                "p50": times[len(times) // 2],
                "p99": times[int(len(times) * 0.99)],
                "queries": n, "own_us": None,
                "cpu_us": used * 1e6 / n if target.pid else None,
                "pg_us": server * 1e6 / n}

    @staticmethod
    def pgbench_times(prefix):
        times = []
        for name in glob.glob(prefix + ".*"):
            with open(name, encoding="ascii") as f:
                times += [int(line.split()[2]) for line in f]
        return sorted(times)

    def program(self, name):
        return os.path.join(self.args.programs, name)

    # -- cells ------------------------------------------------------------

    def cell(self, part, generator, target, mode, clients, repeat):
        cached = isinstance(target, CachedTarget)
        if cached:
            self.load_all(target, mode)
            before = target.counted()
        row = generator(target, mode, clients)
        row["hits"] = None
        if cached:
            after = target.counted()
            row["hits"] = 100 * (after[0] - before[0]) / max(
                1, after[1] - before[1])
        self.rows.append({"part": part, "mode": mode, "clients": clients,
                          "target": target.name, "repeat": repeat, **row})

    def cells(self, part, generator, targets, modes, clients):
        total = self.args.repeats * len(modes) * len(clients)
        done = 0
        for repeat in range(self.args.repeats):
            for mode in modes:
                for c in clients:
                    some = [t for t in targets if mode in t.modes]
                    turn = repeat % len(some)
                    for t in some[turn:] + some[:turn]:
                        try:
                            self.cell(part, generator, t, mode, c, repeat)
                        except LabError as e:
                            self.failures.append(
                                f"{part} {mode} {c} {t.name}: {e}")
                    done += 1
                    progress(f"{part}: {done} of {total}")
        progress("")

    # -- memory -------------------------------------------------------------

    def pss(self, service):
        with open(f"/proc/{service.pid}/smaps_rollup",
                  encoding="ascii") as f:
            return int(re.search(r"^Pss:\s+(\d+) kB", f.read(), re.M)[1])

    def hold(self, service, clients):
        """PSS in kB with this many idle clients."""
        p = subprocess.Popen(
            [self.program("load"), "-p", str(service.port), "-I", "-c",
             str(clients)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            if p.stdout.readline() != b"idle\n":
                raise LabError("could not log in: " + service.tail(3))
            return self.pss(service)
        finally:
            p.stdin.close()
            p.stdout.close()
            p.wait(60)

    def idle(self):
        """Bytes a client, beyond what ten clients take."""
        for name, start in (
                ("pgbouncer", self.bench.pgbouncer),
                ("pgsluice", self.bench.pgsluice)):
            try:
                service = start(name + "-idle")
                few = self.hold(service, 10)
                many = self.hold(service, self.args.clients)
                self.rows.append({
                    "part": "idle", "target": name,
                    "clients": self.args.clients, "repeat": 0,
                    "pss_few": few, "pss_many": many,
                    "kb": (many - few) / (self.args.clients - 10)})
                service.stop()
            except (LabError, OSError) as e:
                self.failures.append(f"idle {name}: {e}")


def progress(text):
    if sys.stderr.isatty():
        print(f"\r{text:40}\r", end="", file=sys.stderr, flush=True)


def measure(args, bench):
    m = Measure(args, bench)
    bench.start_postgres()
    if {"cpu", "pgbench"} & set(args.part):
        targets = bench.targets()
    if "cpu" in args.part:
        m.cells("cpu", m.load, targets, ("simple", "prepared"), (8, 32))
    if "pgbench" in args.part:
        m.cells("pgbench", m.pgbench, targets,
                ("simple", "extended", "prepared"),
                (8, 32) if args.quick else (1, 8, 32, 100))
    if "idle" in args.part:
        m.idle()
    return m


def main():
    args = arguments()
    lablib.exit_on_signals()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with lablib.Lab(args.work) as lab:
            m = measure(args, Bench(lab, args.programs, args.bin, args.scale))
    except LabError as e:
        sys.exit(f"bench: {e}")
    report.write_csv(args.csv, m.rows)
    report.print_all(args, m.rows)
    for line in m.failures:
        print("failed:", line, file=sys.stderr)
    return 1 if m.failures else 0


if __name__ == "__main__":
    sys.exit(main())
