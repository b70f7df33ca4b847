#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Generated statements over tables that are one, sharded, or in months.

    tests/sqldiff/run.py [-n STATEMENTS] [--seed N] [--only NUMBER]
                         [--side sharded|monthly] [--cache] [--stop N] [-v]

Starts a PostgreSQL and a pgsluice of its own; PGSLUICE_BIN names the daemon.
Status 1: an answer differed, a row is not where it belongs, or more than half
of what ran on the sharded side needed the coordinator.
"""

import argparse
import os
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE),
                os.path.join(os.path.dirname(HERE), "e2e")]

import harness  # noqa: E402
from sqldiff import game, schema  # noqa: E402


def arguments():
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("-n", type=int, default=20000, help="statements")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--only", type=int, help="the episode of this statement")
    p.add_argument("--side", action="append", choices=game.SIDES,
                   help="default: all")
    p.add_argument("--cache", action="store_true",
                   help="keep all results, and ask everything twice")
    p.add_argument("--stop", type=int, default=20,
                   help="after so many differences")
    p.add_argument("-v", action="store_true", help="tell every statement")
    return p.parse_args()


def start(lab, cached=False):
    pg = harness.Cluster(lab, "sqldiff-pg").start()
    game.create(pg)
    holes = {"PORT": harness.lablib.free_port(),
             "HTTP": harness.lablib.free_port()}
    sluice = harness.Sluice(
        lab, harness.binary(),
        harness.fill(schema.configuration(pg.port, cached), holes),
        holes["PORT"], holes["HTTP"], "sqldiff-pgsluice")
    sluice.start()
    sluice.console("CHECK LAYOUTS")
    return pg, sluice


def main():
    options = arguments()
    harness.lablib.exit_on_signals()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pgs-sqldiff.") as work:
        os.chmod(work, 0o755)
        with harness.lablib.Lab(work) as lab:
            pg, sluice = start(lab, options.cache)
            flush = options.cache and (lambda: sluice.console("FLUSH CACHE"))
            played = game.Game(pg, sluice.port, options.side or game.SIDES,
                               options.seed, options.stop, options.v, flush)
            if options.only is not None:
                played.episode(options.only)
            else:
                played.play(options.n)
            print("\n".join(played.report()))
            failed = played.statements >= 1000 and (
                played.share() or 1) < 0.5
            if failed:
                print("FAILED: too much needs the coordinator")
            print(f"cache: {sluice.count('cache_hits_l1'):.0f} hits, "
                  f"{sluice.count('cache_misses'):.0f} misses; "
                  f"{sluice.count('gathers'):.0f} gathered, "
                  f"{sluice.count('gathers_refused'):.0f} of them in vain")
            sluice.stop()
    print(f"{time.monotonic() - began:.0f} s")
    sys.exit(1 if played.found or failed else 0)


if __name__ == "__main__":
    main()
