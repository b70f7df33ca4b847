#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Bring up the scenario `events`, ask every variant everything, directly and
through pgsluice, and print what it took.  Exit status 1 if any two answers
differ or a row is not where it belongs.
"""

import argparse
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import lab as lablib  # noqa: E402
import report  # noqa: E402
from compare import Comparison  # noqa: E402
from events import PER_MONTH, TENANTS, Events  # noqa: E402

PORT_BASE = 54321


def arguments():
    p = argparse.ArgumentParser(description=__doc__)
    whole, part = lablib.positive(int), lablib.positive(float)
    p.add_argument("--bin", metavar="PATH",
                   help="the pgsluice to run (default: $PGSLUICE_BIN, the one "
                   "built in the top folder, the one on the PATH)")
    p.add_argument("--direct-only", action="store_true",
                   help="without pgsluice: the servers themselves")
    p.add_argument("--per-month", type=whole, default=PER_MONTH,
                   help="rows a month (default %(default)s; full: 500000)")
    p.add_argument("--scale", type=part, default=1.0,
                   help="factor on --per-month (default %(default)s)")
    p.add_argument("--tenants", type=whole, default=TENANTS,
                   help="how many (default %(default)s)")
    p.add_argument("--rounds", type=whole, default=5,
                   help="how often each query is asked (default %(default)s)")
    p.add_argument("--work", metavar="DIR",
                   help="work folder, where logs stay (default: a temporary "
                   "one)")
    p.add_argument("--port-base", type=int, default=PORT_BASE,
                   help="first of the ports (default %(default)s; 0: any "
                   "that are free)")
    p.add_argument("--shared-buffers", default="256MB", help="per cluster")
    p.add_argument("--json", metavar="FILE",
                   help="write all figures there, too")
    p.add_argument("--keep", action="store_true",
                   help="leave everything running and say how to use it")
    args = p.parse_args()
    if args.keep and not args.work:
        p.error("--keep needs --work, so that it can be stopped later")
    return args


class Progress:
    def __init__(self):
        self.began = time.monotonic()

    def __call__(self, text):
        print(f"[{time.monotonic() - self.began:6.1f} s] {text}", flush=True)


def how_to_use(events, work):
    """What --keep leaves behind, and how to get rid of it."""
    conn = (f"host=127.0.0.1 port={events.listen_port} user=app password=app")
    http = f"http://127.0.0.1:{events.http_port}"
    here = os.path.relpath(os.path.join(HERE, "..", "lab.py"))
    return f"""
Still running, as asked:
  psql '{conn} dbname=sharded'
      databases: plain, monthly, sharded; with _l2 or _l1 appended for caching
  psql '{conn} dbname=pgsluice'
      the console: SHOW POOLS, SHOW CACHE, ...
  {http}/metrics  {http}/healthz  {http}/readyz
  PostgreSQL on ports {', '.join(str(p.port) for p in events.pg.values())}
Stop it with
  python3 {here} stop {work}"""


def compare(args, lab, say):
    events = Events(lab, max(10, int(args.per_month * args.scale)),
                    args.tenants, args.port_base or None,
                    shared_buffers=args.shared_buffers, say=say).start()
    if not args.direct_only:
        events.start_pgsluice(args.bin)
    comparison = Comparison(events, args.rounds, say)
    comparison.run()
    say("done")
    if comparison.routes:
        report.write_routes(comparison, os.path.join(
            lab.work, "explain", "route.txt"))
        print("\n" + report.routes(comparison))
    print("\n" + report.table(comparison) + "\n")
    for text in comparison.checks:
        print(f"ok: {text}")
    for text in comparison.problems[:50]:
        print(f"WRONG: {text}")
    if len(comparison.problems) > 50:
        print(f"WRONG: and {len(comparison.problems) - 50} more")
    if not comparison.problems:
        print("ok: all answers equal")
    if args.json:
        report.write_json(comparison, args.json)
    if args.keep:
        print(how_to_use(events, lab.work))
    return 1 if comparison.problems else 0


def run(args):
    """The status to exit with."""
    if not args.direct_only:
        args.bin = lablib.pgsluice_binary(args.bin)
    lablib.require(("redis-server",), ("psycopg",))
    if args.json:
        lablib.require_writable(args.json)
    with lablib.Lab(args.work, keep=args.keep) as lab:
        try:
            return compare(args, lab, Progress())
        except BaseException:
            # Only a finished lab is worth keeping.
            lab.keep = False
            raise


def main():
    args = arguments()
    lablib.exit_on_signals()
    try:
        sys.exit(run(args))
    except lablib.LabError as e:
        lablib.trouble(e)


if __name__ == "__main__":
    main()
