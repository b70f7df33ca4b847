#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""What the faults of tests/lessons.md (F1 to F45) do to a running service.

    tests/chaos/run.py [--seconds N] [--seed N] [--bin PATH] [F12 ...]

Starts PostgreSQL, Redis and pgsluice of its own, gives them a load whose
answers can be judged, makes one fault after another, and prints a table: what
is expected, what was found, pass or fail.  Status 1: a fault failed.  A fault
that this machine does not allow to be made is told as such, and fails nothing.
"""

import argparse
import contextlib
import os
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [HERE, os.path.join(TESTS, "checker"),
                os.path.join(TESTS, "e2e")]

import harness  # noqa: E402
import machine  # noqa: E402
from catalogue import FAULTS  # noqa: E402
from scene import Scene  # noqa: E402
from trial import Trial  # noqa: E402


def number(name):
    return int(name[1:].rstrip("abcdef")), name


def table(rows):
    print("\n| fault | what | expected | measured | |\n|---|---|---|---|---|")
    for fault, trial, verdict in rows:
        found = "; ".join(trial.shown) if trial else ""
        print(f"| {fault.name} | {fault.title} | {fault.expected} | {found} "
              f"| {verdict} |")


def play(scene, name, options):
    """(fault, trial, verdict)"""
    fault = FAULTS[name]
    reason = fault.needs()
    if reason:
        return fault, None, f"not here: {reason}"
    print(f"{name}: {fault.title}", flush=True)
    began = time.monotonic()
    trial = Trial(scene, fault, options.seconds)
    good = trial.run()
    print(f"  {time.monotonic() - began:.1f} s; " + "; ".join(trial.shown))
    for what in trial.wrong:
        print(f"  WRONG: {what}", flush=True)
    if not good and scene.sluices:
        print(scene.sluice.tail(15))
    return fault, trial, "pass" if good else "FAIL"


def main(argv):
    p = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seconds", type=float, default=3,
                   help="how long a fault lasts")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--bin", help="the daemon (PGSLUICE_BIN)")
    p.add_argument("faults", nargs="*", metavar="F12",
                   help="those to make; none: all")
    options = p.parse_args(argv)
    if options.bin:
        os.environ["PGSLUICE_BIN"] = options.bin
    unknown = [f for f in options.faults if f not in FAULTS]
    if unknown:
        p.error(f"no fault {unknown[0]}; there are "
                f"{', '.join(sorted(FAULTS, key=number))}")
    machine.be_alone()
    rows = []
    with contextlib.ExitStack() as up:
        work = up.enter_context(tempfile.TemporaryDirectory(
            prefix="pgs-chaos.", dir="/tmp"))
        scene = Scene(up.enter_context(harness.lablib.Lab(work)), options.seed)
        for name in sorted(options.faults or FAULTS, key=number):
            rows.append(play(scene, name, options))
        scene.stop()
    table(rows)
    failed = [f.name for f, _, verdict in rows if verdict == "FAIL"]
    print(f"\n{len(rows)} faults, {len(failed)} failed"
          f"{': ' + ', '.join(failed) if failed else ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    harness.lablib.exit_on_signals()
    sys.exit(main(sys.argv[1:]))
