#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""A storm of logins, by every method that takes work.

    tests/bench/logins.py --bin PGSLUICE [--seconds S] [--threads N] [--pin]
                          [--work DIR]

Compiles logins.c, starts PostgreSQL and two pgsluice from the work folder, and
prints for each method how many logins a second there were, and how long those
who were logged in already waited for answers that need no server: before the
storm, while it went over the other pgsluice, and in it.  turns.c tells the
longest turn of an event loop: no worker may be busy for more than 20 ms.  --pin
gives one CPU to both pgsluice and another to the clients, so that what is left
is not the clients' doing.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "contrib", "lab"))

import lab as lablib  # noqa: E402

CONF = """
listen = {{"127.0.0.1:{port}"}}
http_listen = "127.0.0.1:{http}"
auth = "hba"
auth_hba_file = "{hba}"
auth_user = "postgres"
backend "main" {{ conninfo = "host=127.0.0.1 port={pg} dbname=postgres" }}
database "scram" {{ backend = "main" }}
database "password" {{ backend = "main" }}
"""
RULES = """
host scram all 127.0.0.1/32 scram-sha-256
host password all 127.0.0.1/32 password
"""


def compiled(work, name, *options):
    program = os.path.join(work, name)
    subprocess.run([os.environ.get("CC", "cc"), "-std=gnu11", "-D_GNU_SOURCE",
                    "-O2", "-Wall", "-Wextra", "-o", program,
                    os.path.join(HERE, f"{name}.c"), *options], check=True)
    return program


def pin(pid, cpu):
    """Every thread of a process."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), {cpu})


def lag(sluice):
    """What the daemon says itself: how late its ticks came, p99 and most."""
    bounds = {}
    for name, value in sluice.metrics().items():
        found = re.match(r'pgsluice_worker_lag_seconds_bucket.*le="(.*)"',
                         name)
        if found:
            bounds[float(found[1])] = value
    ticks = bounds[float("inf")]
    return [min(b for b, n in bounds.items() if n >= part * ticks)
            for part in (0.99, 1)], int(ticks)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--bin", required=True)
    p.add_argument("--seconds", type=int, default=5)
    p.add_argument("--threads", type=int, default=32)
    p.add_argument("--pin", action="store_true")
    p.add_argument("--work")
    a = p.parse_args()
    work = a.work or tempfile.mkdtemp(prefix="pgsluice-logins.")
    os.makedirs(work, exist_ok=True)
    program = compiled(work, "logins", "-lcrypto", "-lpthread")
    turns = compiled(work, "turns", "-shared", "-fPIC")
    with lablib.Lab(work) as lab:
        pg = lablib.Postgres(lab).start()
        pg.psql("CREATE ROLE app LOGIN PASSWORD 'right'")
        hba = os.path.join(work, "hba.conf")
        with open(hba, "w", encoding="ascii") as f:
            f.write(RULES)
        failed = 0
        for method in ("scram", "password"):
            print(f"-- {method}, {a.threads} clients that log in", flush=True)
            report = os.path.join(work, f"turns.{method}")
            pair = []
            for name, preloaded in ((method, {"LD_PRELOAD": turns,
                                              "TURNS": report}),
                                    (f"{method}.other", {})):
                port, http = lablib.free_port(), lablib.free_port()
                text = CONF.format(port=port, http=http, hba=hba, pg=pg.port)
                pair.append(lablib.Pgsluice(
                    lab, os.path.abspath(a.bin), text, port, http, name,
                    preloaded).start())
                if a.pin:
                    pin(pair[-1].proc.pid, 0)
            failed |= subprocess.run(
                [program, "127.0.0.1", *(str(s.port) for s in pair), method,
                 "app", "right", str(a.threads), str(a.seconds)], check=False,
                preexec_fn=(lambda: os.sched_setaffinity(0, {1}))
                if a.pin else None).returncode
            (p99, most), ticks = lag(pair[0])
            print(f"{'ticks were late by':22} up to {p99 * 1000:g} ms of 99 %, "
                  f"{most * 1000:g} ms of all {ticks}", flush=True)
            for sluice in pair:
                sluice.stop()
            with open(report, encoding="ascii") as f:
                found = dict(w.split("=") for w in f.read().split())
            print(f"{'longest turn of a loop':22} "
                  f"{int(found['cpu']) / 1000:.2f} ms of CPU, "
                  f"{int(found['elapsed']) / 1000:.2f} ms elapsed, of "
                  f"{found['turns']}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
