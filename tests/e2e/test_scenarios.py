# SPDX-License-Identifier: PostgreSQL
"""The lab's scenarios at a small size: each prints its table and finds true what
it checks.  Speed is not looked at here."""

import json
import os
import subprocess

import pytest

from harness import TOP, binary

OPERATIONS = {"cluster": {"all", "discovery", "detail", "stats"},
              "user": {"all", "login", "profile", "active", "insert"}}


def run(lab, name, *more):
    path = os.path.join(lab.work, f"{name}.json")
    r = subprocess.run(
        ["/usr/bin/python3", os.path.join(TOP, "contrib", "lab", name,
                                          "run.py"),
         "--bin", binary(), "--scale", "0.1", "--clients", "12", "--json",
         path, *more], capture_output=True, text=True, timeout=240,
        check=False)
    assert r.returncode == 0, r.stdout + r.stderr
    with open(path, encoding="utf-8") as f:
        found = json.load(f)
    assert found["problems"] == []
    return found, r.stdout


@pytest.mark.parametrize("name", OPERATIONS)
def test_arms(lab, name):
    page = os.path.join(lab.work, f"{name}.html")
    found, said = run(lab, name, "--report", page)
    with open(page, encoding="utf-8") as f:
        assert "<svg" in f.read()
    for key in {"cluster": ("uncached", "cached"), "user": ("measured",)}[name]:
        assert set(found[key]) == OPERATIONS[name]
        for rows in found[key].values():
            assert set(rows) == {"monolith", "fragmented"}
            assert all(float(r["p99_ms"]) >= float(r["p50_ms"]) > 0
                       for r in rows.values())
    assert "p50 ms" in said and "dead rows" in said
    assert len(found["checks"]) >= 6


def test_blog(lab):
    found, said = run(lab, "blog")
    reads = {"user", "post", "comments", "profile", "nested", "all"}
    for key in ("uncached", "cached", "changing", "saturated"):
        assert set(found[key]) == reads
        assert all(r["queries"] > 0 and r["errors"] == 0
                   for r in found[key].values())
    assert "freshness" in said and "uncached p50" in said
    assert len(found["checks"]) >= 9


def test_modelbench(lab):
    found, said = run(lab, "modelbench")
    assert set(found["rules"]) == {"model details", "benchmark results",
                                   "recommendations", "hardware", "metrics"}
    queue = found["queue"]
    assert queue["done"] == 1800 and queue["twice"] == queue["lost"] == 0
    assert "miss p50" in said and "names in Redis" in said
    assert len(found["checks"]) >= 10
