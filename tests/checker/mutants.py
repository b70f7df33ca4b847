#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Does the checker find bugs?

    tests/checker/mutants.py [--seconds N] [--seed N] [BUG ...]

PGSLUICE_BIN names a daemon built with --enable-planted-bugs.  Each bug of
src/tbl/planted_bugs.h is planted alone and played in the mode in which it can
show; none planted must be found true.  Status 1: one was not found.
"""

import argparse
import contextlib
import os
import re
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "e2e")]

import harness  # noqa: E402
import modes  # noqa: E402
import run  # noqa: E402

TABLE = os.path.join(HERE, "..", "..", "src", "tbl", "planted_bugs.h")
WHERE = {
    "ttl_from_reply": "ttl/l1/transaction",
    "ttl_restarted": "ttl/l1+l2/session",
    "late_redis_reply": "seen/l1+l2/transaction",
    "no_snapshot_gate": "feed/l1/transaction",
    "stale_feed_served": "feed/l1/transaction",
}
USUAL = "seen/l1/transaction"


def bugs():
    with open(TABLE, encoding="utf-8") as f:
        return re.findall(r'^PLANTED_BUG\(\w+, "(\w+)"', f.read(), re.M)


def plant(name):
    os.environ["PGSLUICE_PLANTED_BUG"] = name


def planted(sluice):
    found = re.search(r"planted_bug=(\w+)", sluice.log)
    return found and found.group(1)


def play(lab, pg, name, options):
    """What was found, as kinds and counts."""
    plant(name)
    mode = modes.named(WHERE.get(name, USUAL))
    verdict, _, _ = run.one(lab, pg, mode, options.seed, options)
    return mode, verdict


def options_read(argv):
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("bugs", nargs="*", metavar="BUG")
    p.add_argument("--seconds", type=float, default=15)
    p.add_argument("--seed", type=int, default=1)
    p.set_defaults(quiet=False, least=0.0)
    options = p.parse_args(argv)
    unknown = set(options.bugs) - set(bugs())
    if unknown:
        p.error(f"no such bug: {', '.join(sorted(unknown))}; there are "
                f"{', '.join(bugs())}")
    return options


def main(argv):
    options = options_read(argv)
    wanted = options.bugs or bugs()
    missed = []
    with contextlib.ExitStack() as up:
        work = up.enter_context(tempfile.TemporaryDirectory(
            prefix="pgs-mutants.", dir="/tmp"))
        lab = up.enter_context(harness.lablib.Lab(work))
        pg = run.cluster(lab, "mutants-pg")
        for name in wanted:
            mode, verdict = play(lab, pg, name, options)
            found = {kind: verdict.counts[f"violations: {kind}"]
                     for kind in sorted(verdict.violations)}
            print(f"{name:<22} {mode.name:<24} " + (
                "found: " + ", ".join(f"{k} ({n})" for k, n in found.items())
                if found else "NOT FOUND"), flush=True)
            if not found:
                missed.append(name)
    print(f"{len(wanted) - len(missed)} of {len(wanted)} bugs found")
    return 1 if missed else 0


if __name__ == "__main__":
    harness.lablib.exit_on_signals()
    sys.exit(main(sys.argv[1:]))
