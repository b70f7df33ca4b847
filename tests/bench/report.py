# SPDX-License-Identifier: PostgreSQL
"""What was measured, as tables, ratios and CSV."""

import csv
import os
import platform
import statistics

from targets import lablib, version

FIELDS = ("part", "mode", "clients", "target", "repeat", "queries", "tps",
          "p50", "p99", "cpu_us", "own_us", "pg_us", "hits", "pss_few",
          "pss_many", "kb")

# name, what of which target over what of which, modes, the part that its target
# is for, least or most, limit
RATIOS = (
    ("l1 hit CPU / canned", "cpu_us", "l1", "canned", None, "cpu", "<=", 1.2),
    ("l1 hit tps / canned", "tps", "l1", "canned", None, "cpu", ">=", 0.8),
    ("pass CPU / pgbouncer", "cpu_us", "pass", "pgbouncer", None, "cpu",
     "<=", 1.0),
    ("pass CPU / relay", "cpu_us", "pass", "relay", ("prepared",), "cpu",
     "<=", 1.4),
    ("PostgreSQL CPU / direct", "pg_us", "pass", "direct", ("extended",),
     "pgbench", "<=", 1.0),
)
IDLE_KB = 4.0


def write_csv(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as f:
        out = csv.DictWriter(f, FIELDS, restval="")
        out.writeheader()
        for row in rows:
            out.writerow({k: round(v, 3) if isinstance(v, float) else v
                          for k, v in row.items()})


def machine(args):
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    yield (f"{os.cpu_count()} CPUs ({model}), {memory / 2**30:.0f} GiB, "
           f"{platform.system()} {platform.release()}; load average "
           f"{os.getloadavg()[0]:.1f} at the end")
    yield "; ".join(version(p) for p in (
        os.path.join(lablib.pg_bindir(), "postgres"),
        lablib.program("pgbouncer"), args.bin))
    yield (f"scale {args.scale}, {args.repeats} repeats of "
           f"{args.seconds:g} s, interleaved; medians")


def pick(rows, field, **want):
    """repeat -> value, for the rows that are so and have the field."""
    return {r["repeat"]: r[field] for r in rows
            if r.get(field) is not None and
            all(r.get(k) == v for k, v in want.items())}


def median(values):
    return statistics.median(values.values()) if values else None


def show(value, digits=0):
    return "-" if value is None else f"{value:.{digits}f}"


def table(rows, part):
    cells = {}
    for r in rows:
        if r["part"] == part:
            cells.setdefault((r["mode"], r["clients"]), {})[r["target"]] = 1
    print(f"{'mode':9}{'clients':>8} {'target':10}{'tps':>9}{'p50 us':>9}"
          f"{'p99 us':>9}{'CPU us':>8}  {'least..most':15}{'PG us':>6}"
          f"{'hits':>7}")
    for (mode, clients), targets in sorted(cells.items(), key=order):
        for t in sorted(targets):
            at = {"part": part, "mode": mode, "clients": clients, "target": t}
            cpu = pick(rows, "cpu_us", **at)
            spread = (f"{min(cpu.values()):.2f}..{max(cpu.values()):.2f}"
                      if cpu else "")
            hits = median(pick(rows, "hits", **at))
            server = median(pick(rows, "pg_us", **at))
            print(f"{mode:9}{clients:8} {t:10}"
                  f"{show(median(pick(rows, 'tps', **at))):>9}"
                  f"{show(median(pick(rows, 'p50', **at))):>9}"
                  f"{show(median(pick(rows, 'p99', **at))):>9}"
                  f"{show(median(cpu), 2):>8}  {spread:15}"
                  f"{'' if server is None else format(server, '.1f'):>6}"
                  f"{'' if hits is None else format(hits, '.1f') + '%':>7}")
    return sorted(cells, key=lambda c: order((c, None)))


def order(item):
    (mode, clients), _ = item
    return ("simple", "extended", "prepared").index(mode), clients


def ratios(rows, part, cells):
    print(f"\n{'ratio of medians':24}{'mode':9}{'clients':>8}{'ratio':>8}"
          f"  {'repeats':13}{'target':>8}")
    for name, field, a, b, modes, home, side, limit in RATIOS:
        for mode, clients in cells:
            if modes and mode not in modes:
                continue
            at = {"part": part, "mode": mode, "clients": clients}
            over = pick(rows, field, target=a, **at)
            under = pick(rows, field, target=b, **at)
            both = [over[k] / under[k] for k in over.keys() & under.keys()]
            if not both:
                continue
            ratio = median(over) / median(under)
            ok = ratio <= limit if side == "<=" else ratio >= limit
            print(f"{name:24}{mode:9}{clients:8}{ratio:8.2f}  "
                  f"{f'{min(both):.2f}..{max(both):.2f}':13}" +
                  (f"{side + ' ' + format(limit, '.1f'):>8}  "
                   f"{'ok' if ok else 'over'}" if part == home else ""))


def idle(rows):
    for r in rows:
        if r["part"] != "idle":
            continue
        ok = r["kb"] <= IDLE_KB
        mark = (f"; target <= {IDLE_KB:g}: {'ok' if ok else 'over'}"
                if r["target"] == "pgsluice" else "")
        print(f"{r['target']:10} PSS {r['pss_few'] / 1024:.1f} MB with 10 "
              f"clients, {r['pss_many'] / 1024:.1f} MB with {r['clients']}: "
              f"{r['kb']:.2f} KB a client{mark}")


def print_all(args, rows):
    for line in machine(args):
        print(line)
    if "cpu" in args.part:
        print("\n== cpu: our load generator\n")
        ratios(rows, "cpu", table(rows, "cpu"))
    if "pgbench" in args.part:
        print("\n== pgbench\n")
        ratios(rows, "pgbench", table(rows, "pgbench"))
    if "idle" in args.part:
        print("\n== idle: memory of clients that are logged in\n")
        idle(rows)
    print(f"\nevery single run: {args.csv}")
