# SPDX-License-Identifier: PostgreSQL
"""The cache's promises under load and faults, judged by tests/checker; and
the judge itself, on histories made by hand."""

import argparse
import os
import sys

import pytest

import harness

CHECKER = os.path.join(os.path.dirname(harness.HERE), "checker")
sys.path.append(CHECKER)

import check  # noqa: E402
import modes  # noqa: E402

run = harness.script("checker", "run")

SECONDS = float(os.environ.get("PGSLUICE_CHECKER", "8"))


@pytest.mark.parametrize("mode", modes.pairwise(), ids=lambda m: m.name)
def test_promises(lab, mode):
    options = argparse.Namespace(seconds=SECONDS, quiet=False, least=0.1)
    pg = run.cluster(lab, f"pg-{mode.name.replace('/', '-')}")
    try:
        verdict, figures, lacking = run.one(lab, pg, mode, 1, options)
    finally:
        pg.stop()
    run.tell(mode, 1, verdict, figures, lacking)
    assert verdict.good and not lacking, (verdict.violations, lacking)


# -- the judge ----------------------------------------------------------------

S = 1_000_000_000
LOG = [(1, 1, "first"), (1, 2, "a.1"), (1, 3, "b.1")]


def event(kind, invoked, returned, via="here", actor="x", **what):
    return {"kind": kind, "actor": actor, "via": via,
            "invoked": int(invoked * S), "returned": int(returned * S), **what}


def write(value, version, invoked, returned, outcome="ok", via="here"):
    return event("write", invoked, returned, via, "w", k=1, value=value,
                 version=version, outcome=outcome)


def read(version, value, invoked, via="here", **what):
    return event("read", invoked, invoked + 0.01, via, k=1, version=version,
                 value=value, form="simple", **what)


WRITES = [write("a.1", 2, 1, 1.1), write("b.1", 3, 2, 2.1)]


def kinds(events, log=None, same=0.0, other=1.0):
    found = check.check(WRITES + events, log or LOG,
                        check.Bounds(same, other))
    return sorted(found.violations)


def test_what_is_true_is_found_true():
    assert kinds([read(1, "first", 0.5), read(2, "a.1", 1.05),
                  read(2, "a.1", 1.5), read(3, "b.1", 2.2),
                  read(2, "a.1", 2.05, actor="y"),
                  read(2, "a.1", 3.0, via="there", actor="z")]) == []


@pytest.mark.parametrize("found, events", [
    ("stale, written here", [read(2, "a.1", 2.2)]),
    ("stale", [read(2, "a.1", 3.2, via="there")]),
    ("garbage", [read(3, "a.1", 2.2)]),
    ("from the future", [read(2, "a.1", 0.5)]),
    ("uncommitted data", [read(2, "c.9", 1.5)]),
    ("uncommitted data", [write("c.1", 4, 2.5, 2.6, "aborted"),
                          read(4, "c.1", 2.7)]),
    ("went back", [read(2, "a.1", 1.05), read(1, "first", 1.06)]),
    ("own write not read", [read(2, "a.1", 2.05, after=3)]),
    ("lost write", [write("d.1", 4, 3, 3.1)]),
    ("torn", [event("sum", 1, 1.1, found=[("9", "10")],
                    expected=[("10", "10")])]),
    ("out of order", [event("order", 1, 1.1, found=["SELECT 1"],
                            expected=["INSERT 0 1", "SELECT 1"])]),
    ("shape", [event("shape", 1, 1.1, found="?")]),
    ("another's error", [event("refused", 1, 1.1, sqlstate="57014")]),
    ("foreign", [event("foreign", 1, 1.1, found=[("bob",)],
                       expected=["42501"])]),
])
def test_what_is_broken_is_found(found, events):
    # An older read may be stale besides.
    assert found in kinds(events, same=0.0)


def test_rows_of_different_moments():
    log = LOG + [(2, 1, "second"), (2, 2, "a.2")]
    torn = [event("write", 2.5, 2.6, "here", "w", k=2, value="a.2", version=2,
                  outcome="ok"),
            event("many", 2.7, 2.8, "there", rows=[(1, 1, "first"),
                                                   (2, 2, "a.2")])]
    assert "torn" in kinds(torn, log)
    whole = [torn[0], event("many", 2.7, 2.8, "here",
                            rows=[(1, 3, "b.1"), (2, 2, "a.2")])]
    assert kinds(whole, log) == []


def test_every_pair_is_played():
    cells = [(m.invalidation, m.store, m.pooling) for m in modes.pairwise()]
    for axis, other in ((0, 1), (0, 2), (1, 2)):
        axes = (modes.INVALIDATION, modes.STORES, modes.POOLING)
        for a in axes[axis]:
            for b in axes[other]:
                assert any(c[axis] == a and c[other] == b for c in cells)
