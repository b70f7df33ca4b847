# SPDX-License-Identifier: PostgreSQL
"""The same messages direct and through pgsluice: written scripts, and random
sequences of a fixed seed.  The long run is tests/diff/diff.py."""

import argparse
import os
import sys

import pytest

import rawpg
from harness import TOP, until

sys.path.insert(0, os.path.join(TOP, "tests", "diff"))

import diff  # noqa: E402
import peers  # noqa: E402
import scripts  # noqa: E402
from generate import Generator  # noqa: E402


@pytest.fixture(scope="module")
def cut(lab):
    return diff.build_cut(lab.work)


@pytest.fixture(scope="module")
def twins(shared_pg):
    """The databases direct and proxied."""
    diff.databases(shared_pg)
    yield shared_pg
    for name in ("direct", "proxied", "origin"):
        shared_pg.psql(f"DROP DATABASE {name} WITH (FORCE)")


def options(**kw):
    return argparse.Namespace(**{
        "pool": "transaction", "cache": False, "cut": None, "seed": 5,
        "lanes": 3, "only": None, "stop": 3, "n": 120, **kw})


FIXED = "SELECT v FROM fixed WHERE id = 3 AND v IS NOT NULL"
VARIANTS = [options(), options(pool="session", seed=11),
            options(cache=True, seed=7, n=200),
            options(cut="random", seed=8, n=60),
            options(cut="one", seed=9)]
NAMES = ["transaction", "session", "cache", "random cuts", "single bytes"]


@pytest.fixture
def played(twins, pgsluice, cut, request):
    """(ports, pgsluice, options) of a variant."""
    o = request.param
    text = diff.configuration(o.pool, o.cache,
                              2 if o.pool == "transaction" else 20)
    if not o.cut:
        sluice = pgsluice(text, SERVER=twins.port)
        yield (twins.port, sluice.port), sluice, o
        return
    with diff.relay(cut, twins.port, o.cut, o.seed) as server:
        sluice = pgsluice(text, SERVER=server)
        with diff.relay(cut, sluice.port, o.cut, o.seed) as front:
            yield (twins.port, front), sluice, o


@pytest.mark.timeout(120)
@pytest.mark.parametrize("played", VARIANTS[:4], ids=NAMES[:4], indirect=True)
def test_sequences(played):
    ports, sluice, o = played
    total = diff.play_all(ports, o)
    assert total["found"] == []
    assert total["played"] == o.n
    assert total["well"] > o.n // 3 and len(total["pairs"]) > 40
    assert sluice.count("server_surprises") == 0
    if o.cache:
        # How many hits there are depends on the lanes' pace; stores less so,
        # though behind DDL nothing is stored until the catalogs are read.
        assert sluice.count("cache_stores") > 3
        with rawpg.RawConn("127.0.0.1", ports[1], "app", "direct") as conn:
            hits = sluice.count("cache_hits_l1")

            def hit():
                assert conn.ask_rows(FIXED) == [("fixed 3",)]
                return sluice.count("cache_hits_l1") > hits
            until(hit)


@pytest.mark.parametrize("played", VARIANTS, ids=NAMES, indirect=True)
def test_scripts(played):
    ports, sluice, o = played
    names = list(scripts.SCRIPTS)
    if o.cut:
        # The large ones take their time byte by byte.
        names = [n for n in names if n[:3] not in ("P64", "P67", "P19")]
    assert diff.play_scripts(ports, o, names) == {}
    assert sluice.count("server_surprises") == 0


def test_a_difference_is_seen():
    """In a message more, a message less, another body, another order."""
    trace = [("C", b"SELECT 1\0"), ("Z", b"I")]
    assert peers.compare(trace, list(trace)) is None
    for other in (trace[:1], trace + [("Z", b"I")], trace[::-1],
                  [("C", b"SELECT 2\0"), ("Z", b"I")]):
        assert peers.compare(trace, other)
    assert peers.compare([("E", b"SERROR\0C42601\0L1\0\0")],
                         [("E", b"SERROR\0C42601\0L2\0\0")]) is None
    assert peers.compare([("E", b"SERROR\0C42601\0\0")],
                         [("E", b"SERROR\0C42602\0\0")])


def test_only_oids_of_new_tables_may_differ(monkeypatch):
    def description(table, column=b"v"):
        return [("T", b"\0\1" + column + b"\0" + table.to_bytes(4, "big") +
                 b"\0\1" + 12 * b"\0")]

    monkeypatch.setattr(peers, "OLDER", 20000)
    same = description(20001)
    assert peers.compare(same, description(20002)) is None
    assert peers.compare(same, description(20002, b"w"))
    assert peers.compare(description(16384), description(16385))
    assert peers.compare(description(16384), same)


def test_sequences_are_repeatable():
    """A seed and a number name the same bytes."""
    def steps(number):
        return Generator(peers.randomness(1, number), number, 0).steps
    assert steps(17) == steps(17) and steps(17) != steps(18)
