#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""What mirrored writes cost those that write: single updates by primary key, with
an experiment whose writes go to the control, and to all arms.

    tests/bench/mirror.py --bin ./pgsluice [--repeats 5] [--seconds 2]

The arm is a copy of the control's table in the same PostgreSQL, which so has to
do everything twice; everything is started on loopback in a folder of its own
and stopped at the end.  Targets follow one another within a repeat, in an order
that turns.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile

from targets import POOL, Bench, LabError, Target, lablib
from shadow import PGSLUICE

CLIENTS = 8
MODES = ("simple", "prepared")
UPDATE = r"""\set aid random(1, 100000 * :scale)
UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :aid;
"""
EXPERIMENT = """\
experiment "bench" {{
    table = "pgbench_accounts" arms = {{"a:50", "b:50"}} unit = "tenant"
    writes = "{writes}" mirror_queue = 1000000
}}
"""
TARGETS = ("postgres", "without", "control", "all")


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--bin", required=True)
    p.add_argument("--repeats", type=int, default=5)
    p.add_argument("--seconds", type=int, default=2)
    p.add_argument("--scale", type=int, default=1)
    a = p.parse_args()
    a.bin = os.path.abspath(a.bin)
    return a


def sluice(bench, lab, name):
    port, http = lablib.free_port(), lablib.free_port()
    experiment = "" if name == "without" else EXPERIMENT.format(writes=name)
    text = PGSLUICE.format(port=port, http=http, pool=POOL, pg=bench.pg.port,
                           experiment=experiment)
    service = lablib.Pgsluice(lab, bench.binary, text, port, http,
                              name).start()
    lablib.wait_for("the experiment", lambda: not experiment or any(
        'state="running"' in k and v == 1
        for k, v in service.metrics().items()))
    return Target(name, service, bench.keys)


def waiting(service):
    return sum(v for k, v in service.metrics().items() if k.startswith(
        "pgsluice_experiment_arm_waiting_transactions"))


def pgbench(args, port, mode, script):
    out = subprocess.run(
        ["pgbench", "-n", "-h", "127.0.0.1", "-p", str(port), "-U", "bench",
         "-M", mode, "-c", str(CLIENTS), "-T", str(args.seconds),
         "-D", f"scale={args.scale}", "-f", script, "bench"],
        capture_output=True, text=True, check=True).stdout
    return {"tps": float(re.search(r"tps = ([\d.]+)", out)[1]),
            "ms": float(re.search(r"latency average = ([\d.]+)", out)[1])}


def measure(args, bench, services, script):
    ports = {n: s.service.port for n, s in services.items()}
    ports["postgres"] = bench.pg.port
    for mode in MODES:
        found = {n: [] for n in TARGETS}
        behind = []
        for i in range(args.repeats):
            turn = i % len(TARGETS)
            for n in TARGETS[turn:] + TARGETS[:turn]:
                found[n].append(pgbench(args, ports[n], mode, script))
                if n == "all":
                    behind.append(waiting(services[n].service))
                    lablib.wait_for("the arm", lambda: waiting(
                        services["all"].service) == 0, timeout=120)
        print(f"\n== {mode}, {CLIENTS} clients: medians; x: to writes = "
              "control\n")
        for n in TARGETS:
            ms = statistics.median(r["ms"] for r in found[n])
            base = statistics.median(r["ms"] for r in found["control"])
            tps = statistics.median(r["tps"] for r in found[n])
            print(f"{n:10} {ms:8.3f} ms {tps:9.0f} tps  {ms / base:5.2f} x")
        print(f"transactions that the arm lacked at the end: median "
              f"{statistics.median(behind):.0f}", flush=True)


def main():
    args = arguments()
    lablib.exit_on_signals()
    with tempfile.TemporaryDirectory(prefix="pgsluice-bench.") as work:
        os.chmod(work, 0o755)
        script = os.path.join(work, "update.sql")
        with open(script, "w", encoding="ascii") as f:
            f.write(UPDATE)
        with lablib.Lab(os.path.join(work, "lab")) as lab:
            bench = Bench(lab, work, args.bin, args.scale)
            bench.start_postgres()
            bench.pg.psql("CREATE TABLE accounts_b AS SELECT * FROM "
                          "pgbench_accounts; ALTER TABLE accounts_b ADD "
                          "PRIMARY KEY (aid); ANALYZE accounts_b; ALTER "
                          "TABLE accounts_b OWNER TO bench", "bench")
            services = {n: sluice(bench, lab, n) for n in TARGETS[1:]}
            measure(args, bench, services, script)
    print(f"load average {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    try:
        main()
    except LabError as e:
        sys.exit(f"bench: {e}")
