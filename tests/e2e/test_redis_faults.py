# SPDX-License-Identifier: PostgreSQL
"""Redis corrupted, killed, hung, slow, emptied, full: clients have their
answers, and right ones.  tests/checker/redis_faults.py alone does it at full
size and tells what it costs in time."""

import argparse
import os
import sys

import pytest

import harness

sys.path.append(os.path.join(os.path.dirname(harness.HERE), "checker"))

import redis_faults  # noqa: E402


@pytest.fixture(scope="module")
def scene(lab):
    # A budget that a busy machine keeps, but for what is meant to break it.
    scene = redis_faults.Scene(lab, argparse.Namespace(
        flips=500, clients=3, timeout="100ms"))
    yield scene
    scene.stop()


@pytest.mark.parametrize("fault", redis_faults.FAULTS[1:])
def test_fault(scene, fault):
    figures = scene.play(fault, 1.0)
    print(figures)
    assert figures.good, (figures.errors, figures.wrong)
    assert figures.hits, "Redis was used"
    if fault in ("flipped", "sealed"):
        assert figures.flips >= 500 and figures.corrupt
    if fault in ("killed", "frozen", "slow"):
        assert figures.opens
