# SPDX-License-Identifier: PostgreSQL
"""The comparison as a table for people and as JSON for programs."""

import json

import events as eventslib

COLUMNS = (("direct", "direct"), ("uncached", "pgsluice"),
           ("l2", "L2 hit"), ("l1", "L1 hit"))


def milliseconds(value):
    if value is None:
        return "-"
    digits = 3 if value < 10 else 2 if value < 100 else 1
    return f"{value:,.{digits}f}"


def table(comparison):
    """One line a query type and variant, medians in milliseconds."""
    cells = {(c.query.name, c.target.variant, c.target.mode): c
             for c in comparison.read_cells + comparison.insert_cells}
    width = max(len(q.title) for q in comparison.reads + comparison.inserts)
    head = (f"{'median ms':<{width}}  {'variant':<8}" +
            "".join(f"{title:>11}" for _, title in COLUMNS) + f"{'runs':>7}")
    lines = [head, "-" * len(head)]
    for q in comparison.reads + comparison.inserts:
        for n, variant in enumerate(eventslib.VARIANTS):
            row = [cells.get((q.name, variant, m)) for m, _ in COLUMNS]
            runs = min(len(c.times) for c in row if c)
            lines.append(
                f"{q.title if n == 0 else '':<{width}}  {variant:<8}" +
                "".join(f"{milliseconds(c and c.median_ms):>11}"
                        for c in row) + f"{runs:>7}")
    return "\n".join(lines)


def routes(comparison):
    """Where each type goes on each variant, in one line each; the whole of
    EXPLAIN (ROUTE) is in the file that write_routes() makes."""
    out, last = ["EXPLAIN (ROUTE)"], None
    for title, target, lines in comparison.routes:
        mode, variant = target.split()
        if mode != "l1":
            continue
        said = dict(line.split(": ", 1) for line in lines if ": " in line)
        if title != last:
            out.append(f"  {title}")
            last = title
        out.append(f"    {variant:<8} -> {said.get('backend', '?'):<12}"
                   f"{said.get('why', '')}")
        out.append(f"             cache: {said.get('cache', '?')}")
    return "\n".join(out)


def write_routes(comparison, path):
    with open(path, "w", encoding="utf-8") as f:
        for title, target, lines in comparison.routes:
            f.write(f"{title}, {target}\n")
            f.writelines(f"    {line}\n" for line in lines)


def write_json(comparison, path):
    events = comparison.events
    data = {
        "rows_per_month": events.per_month,
        "months": events.n_months,
        "tenants": events.n_tenants,
        "cells": [
            {"query": c.query.name, "variant": c.target.variant,
             "mode": c.target.mode, "runs": len(c.times),
             "median_ms": c.median_ms,
             "min_ms": min(c.times) * 1e3, "max_ms": max(c.times) * 1e3}
            for c in comparison.read_cells + comparison.insert_cells
            if c.times],
        "routes": [{"query": q, "target": t, "lines": lines}
                   for q, t, lines in comparison.routes],
        "checks": comparison.checks,
        "problems": comparison.problems,
    }
    with open(path, "w", encoding="utf-8") as f:
        json.dump(data, f, indent=1)
