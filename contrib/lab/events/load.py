#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""How fast does COPY fill the table?

    contrib/lab/events/load.py --bin ./pgsluice [--rows N] [--rounds N]

The same rows into the plain table, into the sharded one through its
coordinator, and into that through pgsluice, in turn, each time into an empty
table.  Status 1: rows are missing, or one is not where it belongs.
"""

import argparse
import os
import statistics
import sys
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import lab as lablib  # noqa: E402
from events import DB, PASSWORD, SHARDS, USER, Events  # noqa: E402

PIECE = 5000  # rows


def arguments():
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--bin", metavar="PATH",
                   help="the pgsluice to run (default: $PGSLUICE_BIN, the one\n"
                   "built in the top folder, the one on the PATH)")
    p.add_argument("--rows", type=lablib.positive(int), default=500000,
                   help="default %(default)s")
    p.add_argument("--rounds", type=lablib.positive(int), default=3,
                   help="default %(default)s")
    return p.parse_args()


def pieces(rows, tenants, first):
    """Text for COPY, in pieces."""
    lines = [f"{uuid.uuid4()}\t{tenants[n % len(tenants)]}\t{first} "
             f"{n // 3600 % 24:02d}:{n // 60 % 60:02d}:{n % 60:02d}+00\t"
             f'{{"type": "event", "n": {n}, "ok": true}}\n'
             for n in range(rows)]
    return ["".join(lines[at:at + PIECE]).encode()
            for at in range(0, rows, PIECE)]


def load(port, dbname, relation, data):
    """Seconds."""
    import psycopg
    with psycopg.connect(host="127.0.0.1", port=port, dbname=dbname,
                         user=USER, password=PASSWORD,
                         autocommit=True) as conn, conn.cursor() as cur:
        began = time.monotonic()
        with cur.copy(f"COPY {relation} (id, tenant_id, occurred_at, "
                      "payload) FROM STDIN") as copy:
            for piece in data:
                copy.write(piece)
        return time.monotonic() - began


def empty(events):
    for name in ("plain", "shard0", "shard1"):
        events.pg[name].psql(f"TRUNCATE {events.relation(name)}", DB)


def rows_of(events, names):
    return sum(int(events.pg[n].psql(
        f"SELECT count(*) FROM {events.relation(n)}", DB)) for n in names)


def misplaced(events):
    """Tenants that are on the wrong shard."""
    return [f"tenant {tenant} on {shard}" for shard in SHARDS
            for tenant in events.pg[shard].psql(
                f"SELECT DISTINCT tenant_id FROM {events.relation(shard)}",
                DB).split() if events.shard_of(tenant) != shard]


def run(args):
    """What is wrong, as texts."""
    problems = []
    with lablib.Lab() as lab:
        events = Events(lab, per_month=10, months=1).start()
        events.start_pgsluice(args.bin)
        tenants = events.pg["plain"].psql(
            "SELECT DISTINCT tenant_id FROM app.events_plain", DB).split()
        data = pieces(args.rows, tenants, events.this_month)
        ways = {
            "plain table": (events.pg["plain"].port, DB,
                            events.relation("plain"), ["plain"]),
            "coordinator": (events.pg["coordinator"].port, DB,
                            events.relation("coordinator"),
                            ["shard0", "shard1"]),
            "pgsluice": (events.sluice.port, "sharded", "app.events",
                         ["shard0", "shard1"]),
        }
        speed = {way: [] for way in ways}
        for _ in range(args.rounds):
            for way, (port, dbname, relation, where) in ways.items():
                empty(events)
                speed[way].append(args.rows / load(port, dbname, relation,
                                                   data))
                found = rows_of(events, where)
                if found != args.rows:
                    problems.append(f"{way}: {found} rows of {args.rows}")
                if way == "pgsluice":
                    problems += misplaced(events)
        for way, all_of in speed.items():
            print(f"{way:<12} {statistics.median(all_of):>9,.0f} rows/s  "
                  f"({min(all_of):,.0f} to {max(all_of):,.0f})")
        ratio = (statistics.median(speed["pgsluice"]) /
                 statistics.median(speed["coordinator"]))
        print(f"pgsluice: {ratio:.1f} times the coordinator")
    return problems


def main():
    args = arguments()
    lablib.exit_on_signals()
    try:
        args.bin = lablib.pgsluice_binary(args.bin)
        lablib.require(("redis-server",), ("psycopg",))
        problems = run(args)
    except lablib.LabError as e:
        lablib.trouble(e)
    for text in problems[:20]:
        print(f"WRONG: {text}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
