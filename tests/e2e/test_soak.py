# SPDX-License-Identifier: PostgreSQL
"""tests/soak, for seconds, which finds nothing; and what it would find."""

import argparse
import importlib.util
import os
import sys

import pytest

import harness

SOAK = os.path.join(os.path.dirname(harness.HERE), "soak")
sys.path.append(SOAK)

spec = importlib.util.spec_from_file_location("soak_run",
                                              os.path.join(SOAK, "run.py"))
run = importlib.util.module_from_spec(spec)
spec.loader.exec_module(run)

SECONDS = float(os.environ.get("PGSLUICE_SOAK", "8"))


@pytest.fixture
def soak():
    with harness.lablib.Lab() as lab:
        args = argparse.Namespace(seconds=SECONDS, clients=8, rate=30, seed=1,
                                  memory=True, quiet=False)
        made = run.Soak(run.World(lab, harness.binary(), args.clients), args)
        made.trouble.every = 1
        yield made
        made.world.sluice.stop()


def test_soak(soak):
    soak.run()
    soak.report()
    seldom = {f.__name__ for w, f in soak.clients[0].operations if w < 5}
    assert [f for f in soak.failures() if not f.startswith("never done: ") or
            not set(f[12:].split(", ")) <= seldom] == []
    assert soak.trouble.fired
    # A write that is lost is found, and so is a value from nowhere.
    key, owned = next((c.number * 100 + i, a) for c in soak.clients
                      for i, a in enumerate(c.accounts) if a.low)
    for value in (owned.low - 1, owned.high + 1):
        soak.tally.wrong.clear()
        soak.world.pg.psql(f"UPDATE account SET n = {value} WHERE id = {key}",
                           "app")
        soak.check_writes()
        assert [w for w in soak.failures() if w.startswith("lost write")]


def made_of(samples):
    gauge = run.Gauge(os.getpid())
    gauge.samples = samples
    return gauge.slope()


def test_slope():
    """What caches and pools take at first is no slope; one sample that is out
    of line is none; half a page a second is 7 MiB an hour."""
    start = [(t, min(t, 300) * 10 ** 5, 9) for t in range(900)]
    assert made_of(start) == 0
    start[700] = (700, 10 ** 9, 9)
    assert made_of(start) == 0
    assert made_of([(t, r + t * 2048, n) for t, r, n in start]) == \
        pytest.approx(2048 * 3600 / run.MIB)
    assert made_of([(0, 1, 1)]) == 0
