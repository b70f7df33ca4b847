#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""What clients notice of an experiment in shadow mode: latency of the control
and CPU of the daemon under full load, with and without.

    tests/bench/shadow.py --bin ./pgsluice [--repeats 10] [--seconds 1]

The arm is a copy of the control's table in the same PostgreSQL, so it takes of
the CPUs that the control has, too; everything is started on loopback in a folder
of its own and stopped at the end.  Targets follow one another within a repeat, in
an order that turns.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile

from targets import HERE, POOL, Bench, LabError, Target, lablib
from measure import Measure

CLIENTS = 16
MODES = ("simple", "prepared")

PGSLUICE = """\
prepare_unnamed_after = 0
listen = {{"127.0.0.1:{port}"}}
http_listen = "127.0.0.1:{http}"
auth = "trust"
log_level = "warn"
workers = 1
pool_size = {pool}
max_client_conn = 1000
backend "pg" {{ conninfo = "host=127.0.0.1 port={pg} dbname=bench user=bench sslmode=disable" }}
backend "arm" {{ conninfo = "host=127.0.0.1 port={pg} dbname=bench user=bench sslmode=disable" }}
database "bench" {{ backend = "pg" cache = false }}
table "pgbench_accounts" {{
    key_column = "aid" key_type = "int4"
    variant "a" {{ kind = "plain" backend = "pg" relation = "pgbench_accounts" }}
    variant "b" {{ kind = "plain" backend = "arm" relation = "accounts_b" }}
}}
{experiment}
"""

EXPERIMENT = """\
experiment "bench" {{
    table = "pgbench_accounts" arms = {{"a:50", "b:50"}} mode = "shadow"
    shadow_share = {share}
}}
"""

EVENTS = ("compared", "dropped", "mismatches", "inconclusive")


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--bin", required=True)
    p.add_argument("--repeats", type=int, default=10)
    p.add_argument("--seconds", type=float, default=1)
    p.add_argument("--scale", type=int, default=1)
    a = p.parse_args()
    a.bin = os.path.abspath(a.bin)
    return a


def sluice(bench, lab, name, share):
    """A daemon with an experiment for that share of statements; 0: without
    one."""
    port, http = lablib.free_port(), lablib.free_port()
    text = PGSLUICE.format(
        port=port, http=http, pool=POOL, pg=bench.pg.port,
        experiment=EXPERIMENT.format(share=share) if share else "")
    service = lablib.Pgsluice(lab, bench.binary, text, port, http,
                              name).start()
    lablib.wait_for("the experiment", lambda: not share or any(
        'state="running"' in k and v == 1
        for k, v in service.metrics().items()))
    return Target(name, service, bench.keys)


def events(target):
    m = target.service.metrics()
    return {e: sum(v for k, v in m.items() if k.startswith(
        "pgsluice_experiment_arm_events_total") and 'arm="b"' in k and
        f'event="{e}"' in k) for e in EVENTS}


def show(mode, targets, found):
    print(f"\n== {mode}, {CLIENTS} clients: medians, in us; the ratio is the "
          "median of each repeat's\n")
    print(f"{'':12} {'p50':>8} {'p99':>8} {'CPU':>7} {'tps':>8}   p50 x  "
          "p99 x  CPU x")
    for t in targets:
        rows, base = found[t.name], found[targets[0].name]
        text = f"{t.name:12}"
        for k, width in (("p50", 8), ("p99", 8), ("cpu_us", 7), ("tps", 8)):
            text += f" {statistics.median(r[k] for r in rows):{width}.1f}"
        if t is not targets[0]:
            for k in ("p50", "p99", "cpu_us"):
                text += f"  {statistics.median(r[k] / b[k] for r, b in zip(rows, base)):5.2f}"
        print(text, flush=True)


def main():
    args = arguments()
    lablib.exit_on_signals()
    with tempfile.TemporaryDirectory(prefix="pgsluice-bench.") as work:
        os.chmod(work, 0o755)
        args.work = args.programs = work
        subprocess.run(
            [os.environ.get("CC", "cc"), "-std=gnu11", "-D_GNU_SOURCE", "-O2",
             "-o", os.path.join(work, "load"),
             os.path.join(HERE, "load.c")], check=True)
        with lablib.Lab(os.path.join(work, "lab")) as lab:
            bench = Bench(lab, work, args.bin, args.scale)
            bench.start_postgres()
            bench.pg.psql("CREATE TABLE accounts_b AS SELECT * FROM "
                          "pgbench_accounts; ALTER TABLE accounts_b ADD "
                          "PRIMARY KEY (aid); ANALYZE accounts_b; ALTER "
                          "TABLE accounts_b OWNER TO bench", "bench")
            measure = Measure(args, bench)
            targets = [sluice(bench, lab, name, share) for name, share in (
                ("without", 0), ("shadow-10", 10), ("shadow-100", 100))]
            for mode in MODES:
                found = {t.name: [] for t in targets}
                for i in range(args.repeats):
                    turn = i % len(targets)
                    for t in targets[turn:] + targets[:turn]:
                        found[t.name].append(measure.load(t, mode, CLIENTS))
                show(mode, targets, found)
            print()
            for t in targets[1:]:
                print(t.name + ": " + ", ".join(
                    f"{v:.0f} {k}" for k, v in events(t).items()))
    print(f"load average {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    try:
        main()
    except LabError as e:
        sys.exit(f"bench: {e}")
