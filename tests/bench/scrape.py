#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""What /metrics costs: series, bytes, time and CPU of a scrape, idle and under
load, and what the log of statements and SHOW SHAPES cost a hit.

    scrape.py --bin ./pgsluice [--routes 10] [--backends 3]
              [--experiments 2] [--seconds 3]

Starts PostgreSQL and pgsluice on loopback, gives every route hits, misses and
statements that bypass the cache, then scrapes.  The load is pgbench -S on
results that are in memory.  CPU is that of pgsluice's process alone.
Figures are printed, nothing is held against a target.
"""

import argparse
import os
import re
import statistics
import subprocess
import tempfile
import time
import urllib.request

from targets import lablib
import wire

OPEN = "application/openmetrics-text"

CONF = """\
listen = {{"127.0.0.1:{port}"}}
http_listen = "127.0.0.1:{http}"
auth = "trust"
log_level = "{level}"
workers = 1
revocation_bound = 0
{settings}
{blocks}
database "bench" {{ backend = "b0" }}
"""

FOLLOWED = {
    "nothing followed": ("warn", ""),
    "exemplars": ("warn", "trace_exemplars = true"),
    "track_shapes": ("warn", "track_shapes = true"),
    "log, none slow": ("info", "log_min_duration_statement = 1h"),
    "log, 0.1% drawn": ("info", 'log_statement_sample_rate = "0.1%"'),
    "all of these": ("info", "trace_exemplars = true\ntrack_shapes = true\n"
                     "log_min_duration_statement = 1h\n"
                     'log_statement_sample_rate = "0.1%"'),
}


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--bin", required=True)
    p.add_argument("--routes", type=int, default=10)
    p.add_argument("--backends", type=int, default=3)
    p.add_argument("--experiments", type=int, default=2)
    p.add_argument("--seconds", type=float, default=3)
    p.add_argument("--scrapes", type=int, default=200)
    p.add_argument("--repeats", type=int, default=3)
    return p.parse_args()


def blocks(a, pg):
    text = [f'backend "b{i}" {{ conninfo = "host=127.0.0.1 port={pg.port} '
            f'dbname=bench user=bench sslmode=disable" }}'
            for i in range(a.backends)]
    for i in range(a.routes):
        tried = a.routes - i <= a.experiments # not the one under load
        variants = [f'variant "{name}" {{ kind = plain backend = '
                    f'"b{i % a.backends}" relation = "r{i}" }}'
                    for name in ("plain", "other")[:1 + tried]]
        text += [f'table "r{i}" {{ {" ".join(variants)} }}',
                 f'cache "r{i}" {{ tables = {{"r{i}"}} ttl = 1h }}']
        if tried:
            text += [f'experiment "x{i}" {{ table = "r{i}" unit = "statement" '
                     'arms = {"plain:50", "other:50"} }']
    return "\n".join(text)


def postgres(lab, a):
    pg = lablib.Postgres(lab, "postgres")
    pg.start()
    pg.psql("CREATE ROLE bench LOGIN SUPERUSER")
    pg.psql("CREATE DATABASE bench OWNER bench")
    for i in range(a.routes):
        pg.psql(f"CREATE TABLE r{i} AS SELECT g AS id, 'v' || g AS v "
                "FROM generate_series(1, 1000) g", "bench")
    return pg


def pgsluice(lab, a, pg, name, level="warn", settings=""):
    port, http = lablib.free_port(), lablib.free_port()
    text = CONF.format(port=port, http=http, level=level, settings=settings,
                       blocks=blocks(a, pg))
    return lablib.Pgsluice(lab, a.bin, text, port, http, name).start()


def cpu(service):
    # The kernel's encoding of "the CPU clock of that process".
    return time.clock_gettime((~service.pid << 3) | 2)


def load(lab, a, sluice, seconds):
    """pgbench on keys that are in memory; a process."""
    path = os.path.join(lab.work, "hot.sql")
    with open(path, "w", encoding="utf-8") as f:
        f.write("\\set id random(1, 100)\n"
                "SELECT v FROM r0 WHERE id = :id;\n")
    return subprocess.Popen(
        [os.path.join(lablib.pg_bindir(), "pgbench"), "-n", "-f", path, "-c",
         "8", "-T", str(int(max(1, seconds))), "-h", "127.0.0.1", "-p",
         str(sluice.port), "-U", "bench", "bench"], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def tps(process):
    out, err = process.communicate()
    found = re.search(r"^tps = ([\d.]+)", out, re.M)
    if process.returncode or not found:
        raise lablib.LabError(f"pgbench: {err[-300:]}")
    return float(found[1])


def scrape(sluice, accept):
    r = urllib.request.Request(f"http://127.0.0.1:{sluice.http_port}/metrics",
                               headers={"Accept": accept})
    begun = time.perf_counter()
    with urllib.request.urlopen(r, timeout=10) as answer:
        text = answer.read()
    return time.perf_counter() - begun, text


def scrapes(a, sluice, title, accept):
    before, took = cpu(sluice), []
    begun = time.perf_counter()
    for _ in range(a.scrapes):
        t, text = scrape(sluice, accept)
        took.append(t * 1e3)
    spent = (cpu(sluice) - before) / a.scrapes * 1e3
    rate = a.scrapes / (time.perf_counter() - begun)
    took.sort()
    print(f"{title:<24} {len(text):>8} bytes  p50 {took[len(took) // 2]:6.2f} "
          f"ms  p99 {took[int(len(took) * 0.99)]:6.2f} ms  CPU of the process "
          f"{spent:6.2f} ms a scrape at {rate:.0f}/s")
    return text


def count_series(text):
    lines = [x for x in text.decode().splitlines() if not x.startswith("#")]
    latency = [x for x in lines if x.startswith("pgsluice_query_duration")]
    print(f"series: {len(lines)}, of these {len(latency)} of "
          "pgsluice_query_duration_seconds; families: "
          f"{text.decode().count('# TYPE ')}")


def part_scrape(lab, a, pg):
    sluice = pgsluice(lab, a, pg, "scraped")
    with wire.Wire("127.0.0.1", sluice.port, "bench", "bench") as client:
        for i in range(a.routes):
            for n in range(50): # so that every arm has its share
                for sql in (f"SELECT v FROM r{i} WHERE id = {n}",) * 2 + (
                        f"SELECT v, now() FROM r{i} WHERE id = {n}",):
                    client.query(sql)
    print(f"{a.routes} routes, {a.backends} backends, {a.experiments} "
          "experiments, each route with hits, misses and bypasses")
    count_series(scrapes(a, sluice, "text, idle", "text/plain"))
    scrapes(a, sluice, "OpenMetrics, idle", OPEN)
    alone = tps(load(lab, a, sluice, a.seconds))
    running = load(lab, a, sluice, a.seconds)
    time.sleep(0.3)
    n = 0
    while running.poll() is None:
        scrape(sluice, OPEN)
        n += 1
        time.sleep(0.1)
    print(f"load of hits: {alone:.0f} tps alone, {tps(running):.0f} tps with "
          f"{n / a.seconds:.0f} scrapes a second")
    sluice.stop()


def part_followed(lab, a, pg):
    """CPU a hit, in turns, so that a slow minute hits all."""
    all_of = {n: pgsluice(lab, a, pg, f"followed{i}", *how)
              for i, (n, how) in enumerate(FOLLOWED.items())}
    spent = {n: [] for n in all_of}
    for sluice in all_of.values():
        tps(load(lab, a, sluice, 1))
    for _ in range(a.repeats):
        for name, sluice in all_of.items():
            before, queries = cpu(sluice), sluice.metric(
                "pgsluice_queries_total")
            tps(load(lab, a, sluice, a.seconds))
            done = sluice.metric("pgsluice_queries_total") - queries
            spent[name].append((cpu(sluice) - before) / done * 1e6)
    for name, values in spent.items():
        print(f"{name:<24} {statistics.median(values):6.2f} us of CPU a hit "
              f"({min(values):.2f} to {max(values):.2f})")


def main():
    a = arguments()
    work = tempfile.mkdtemp(prefix="pgs-scrape.", dir="/tmp")
    with lablib.Lab(work) as lab:
        pg = postgres(lab, a)
        part_scrape(lab, a, pg)
        part_followed(lab, a, pg)


if __name__ == "__main__":
    main()
