# SPDX-License-Identifier: PostgreSQL
"""The lab's scenario `events` at a tiny size: every query type, direct and
through pgsluice, on every variant and in every cache mode, all equal."""

import json
import os
import subprocess

from harness import TOP, binary

RUN = os.path.join(TOP, "contrib", "lab", "events", "run.py")
LAB = os.path.join(TOP, "contrib", "lab", "lab.py")


def command(*more):
    return ["/usr/bin/python3", RUN, "--bin", binary(), "--per-month", "100",
            "--tenants", "50", "--rounds", "2", "--port-base", "0",
            "--shared-buffers", "16MB", *more]


def test_events(lab):
    path = os.path.join(lab.work, "events.json")
    r = subprocess.run(command("--json", path), capture_output=True,
                       text=True, timeout=240, check=False)
    assert r.returncode == 0, r.stdout + r.stderr
    with open(path, encoding="utf-8") as f:
        found = json.load(f)
    assert found["problems"] == []
    cells = {(c["query"], c["variant"], c["mode"]): c for c in found["cells"]}
    # Nothing was left out: 4 reads x 3 variants x 4 modes, 2 inserts x 3 x 2.
    assert len(cells) == 4 * 3 * 4 + 2 * 3 * 2
    assert all(c["runs"] >= 2 for c in cells.values())
    assert len(found["checks"]) >= 5


def test_kept_lab_is_stopped_by_its_command(lab):
    work = os.path.join(lab.work, "kept")
    r = subprocess.run(command("--work", work, "--keep", "--rounds", "1"),
                       capture_output=True, text=True, timeout=240,
                       check=False)
    assert r.returncode == 0, r.stdout + r.stderr
    conninfo = next(line for line in r.stdout.splitlines()
                    if "dbname=sharded" in line).split("'")[1]
    try:
        out = subprocess.run(
            ["psql", "-XAt", "-c", "SELECT count(*) FROM app.events",
             conninfo], capture_output=True, text=True, timeout=60,
            check=False)
        assert out.stdout.strip() == "2400", out.stderr
    finally:
        stop = subprocess.run(["/usr/bin/python3", LAB, "stop", work],
                              capture_output=True, text=True, timeout=120,
                              check=False)
    assert stop.returncode == 0, stop.stderr
    assert stop.stdout.count("stopped") == 7
