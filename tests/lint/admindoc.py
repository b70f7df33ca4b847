#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""doc/metrics.md says what the tables in src/tbl say.

    tests/lint/admindoc.py            compare (part of make check)
    tests/lint/admindoc.py --write    write doc/metrics.md

doc/metrics.md is made from counters.h, metric_families.h and
bypass_reasons.h; the text around them stands here.
"""

import re
import sys

import tree

COUNTER = re.compile(r'^COUNTER\((\w+), "([^"]*)"\)', re.M)
FAMILY = re.compile(r'^FAMILY\(\w+, "([^"]+)", "([^"]+)", "([^"]*)",'
                    r' "([^"]*)"\)', re.M)
REASON = re.compile(r'^BYPASS_REASON\(\w+, "([^"]+)", "([^"]*)"\)', re.M)

INTRO = """\
# Metrics

<!-- Written by tests/lint/admindoc.py --write. -->

`http_listen` serves `/metrics` in Prometheus' text format, version 0.0.4, or to who asks
for it (`Accept: application/openmetrics-text`) as OpenMetrics 1.0.0, with units and, if
`trace_exemplars` is on, [exemplars](operations.md#log-of-statements). It also serves `/healthz` (200 while the process lives and every worker moves) and
`/readyz` (200 while clients are accepted and the backend of every database can be
reached; else 503 with a line for each thing that is wrong). GET and HEAD only; no
page shows a secret. There is no login: bind it to an address that only your
monitoring reaches.

Everything is read at the moment of the request, without waiting for a worker.

## Prometheus and Grafana

`contrib/prometheus/prometheus.yml` scrapes one pgsluice under the job name `pgsluice`.
`pgsluice.rules.yml` beside it records rates, hit ratio, error ratio and quantiles by route, and
has the [alerts](operations.md#alerts); `pgsluice.rules.test.yml` tests them
(`promtool test rules`). Grafana imports `contrib/grafana/pgsluice.json`, which needs only
series of this page.

How many series there are follows from the configuration alone, not from what
clients send: no label holds a text of a statement, and users stand only in those of
pools, of which there are [10,000](operations.md#limits-built-in) at most. A route has 21 for
each pair of backend and outcome that has been met; all latency series together are
4,096 label sets, what is beyond them counts under `other`. With 10 routes on 3
backends and 2 experiments of two arms, each route with hits, misses and bypasses, a page has
1168 series in 121 kB and a scrape took 2.4 ms, most of it for the experiments' intervals; without
experiments 890 in 93 kB and 0.5 ms (`tests/bench/scrape.py`).

## Counters
"""

FAMILIES = """
## Everything else

Pools of one backend and user are added up, whatever startup settings split them
into; `pgsluice_pool_limit` is the limit of each. Redis metrics are there only when
Redis is configured. Label values `route` are names of configured tables or
cache rules, or `default`; `outcome` is `l1`, `l2`, `miss`, `bypass` or `local`.
"""

REASONS = """
## Reasons of pgsluice_cache_bypass_total
"""


def table(head, rows):
    lines = ["", "| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def read(top, name):
    return (top / "src" / "tbl" / name).read_text(encoding="utf-8")


def counter_name(name):
    """As exposition_counter() makes it."""
    if name.endswith("_nanoseconds"):
        name = name[:-len("nanoseconds")] + "seconds"
    return f"pgsluice_{name}_total"


def metrics_page(top):
    counters = [(f"`{counter_name(name)}`", doc.removesuffix(", in ns"))
                for name, doc in COUNTER.findall(read(top, "counters.h"))]
    families = [(f"`{name}`", kind, labels, doc) for name, kind, labels, doc
                in FAMILY.findall(read(top, "metric_families.h"))]
    reasons = [(f"`{name}`", doc) for name, doc
               in REASON.findall(read(top, "bypass_reasons.h"))]
    return (INTRO + table(["name", "counts"], counters) +
            FAMILIES + table(["name", "type", "labels", "tells"], families) +
            REASONS + table(["reason", "the statement"], reasons))


def metric_faults(top):
    """Names that Prometheus' conventions refuse, or that come twice."""
    names = [(counter_name(n), "counter")
             for n, _ in COUNTER.findall(read(top, "counters.h"))]
    names += [(n, kind) for n, kind, _, _
              in FAMILY.findall(read(top, "metric_families.h"))]
    seen = set()
    for name, kind in names:
        if name in seen:
            yield f"{name} comes twice"
        seen.add(name)
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            yield f"{name}: not a metric name"
        if (kind == "counter") != name.endswith("_total"):
            yield f"{name}: _total is for counters, and all of them"


def main():
    top = tree.root(sys.argv)
    faults = list(metric_faults(top))
    path = top / "doc" / "metrics.md"
    text = metrics_page(top)
    if "--write" in sys.argv:
        path.write_text(text, encoding="utf-8")
    elif not path.exists() or path.read_text(encoding="utf-8") != text:
        faults.append("doc/metrics.md: out of date; run "
                      "tests/lint/admindoc.py --write")
    tree.finish("admindoc", faults)


main()
