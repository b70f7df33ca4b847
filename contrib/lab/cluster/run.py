#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""The scenario `cluster`: one wide table, or core, info and stats?  The same
traffic is dealt out to both by sessions, first without a cache, then with one.
Exit status 1 if answers differ or a target is missed.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import arms as armslib  # noqa: E402

OPERATIONS = {"discovery": "limit", "detail": "rules", "stats": "update"}
MIX = {"discovery.sql": 90, "detail.sql": 8, "stats.sql": 2}
TABLES = ("clustermonolith", "clustercore", "clusterinfo", "clusterstats")
RULES = "\n".join(
    f'cache "{name}" {{ tables = {{{tables}}} ttl = "1h" }}'
    for name, tables in (("wide", '"clustermonolith"'),
                         ("core", '"clustercore"'),
                         ("whole", '"clustercore", "clusterinfo", '
                                   '"clusterstats"')))
DETAIL = ("SELECT cid, name, topic, description, owner_id, created_at, "
          "image_url, is_private, member_count, post_count, rules, settings "
          "FROM clustermonolith WHERE cid = "
          "'00000000-0000-4000-8000-{}'")
DISCOVERY = ("SELECT cid, name, topic, image_url, is_private FROM "
             "clustermonolith ORDER BY name LIMIT {}")


def load(arms, args, say):
    for n in range(args.rounds):
        arms.pgbench(MIX, args.clients, 1, rows=args.rows)
        if n + 1 in (args.rounds // 2, args.rounds):
            say(f"{n + 1} rounds of {args.clients} sessions")
    return arms.measured(OPERATIONS)


def run(args, lab, say):
    arms = armslib.Arms(lab, HERE, "pgsluice.conf", args.bin, CACHE="")
    arms.run_sql("schema.sql", rows=args.rows)
    say(f"{args.rows:,} clusters in both forms")
    arms.start_pgsluice()
    ids = range(100000000001, 100000000001 + args.rows, 37)
    armslib.same_answers(arms, [DETAIL.format(i) for i in ids] + [
        DISCOVERY.format(n) for n in (1, 10, 100)], say)
    arms.weigh("monolith:50, fragmented:50")
    uncached = load(arms, args, say)
    print("\nWithout a cache\n" + armslib.table(uncached) + "\n")
    print(armslib.table_sizes(arms, TABLES) + "\n")
    if args.report:
        arms.report(args.report)
    arms.start_pgsluice(CACHE=RULES)
    # What was measured without it does not count any more.
    arms.weigh("monolith:50, fragmented:50")
    cached = load(arms, args, say)
    print("\nWith a cache\n" + armslib.table(cached) + "\n")
    for measured, what in ((uncached, "without"), (cached, "with")):
        say.check(all(int(r["errors"]) == 0 and int(r["statements"]) > 0
                      for rows in measured.values() for r in rows.values()),
                  f"every operation on both arms {what} a cache, no errors")
        say.check(sum(int(r["unserved"]) for r in measured["all"].values())
                  == 0, f"both arms serve all statements {what} a cache")
    hits = {arm: float(r["cached_percent"])
            for arm, r in cached["discovery"].items()}
    say.check(hits["fragmented"] > 99 and hits["fragmented"] >
              hits["monolith"],
              "a stats update ends the list in the monolith only: "
              f"{hits['monolith']:.1f} % of lists from the cache, "
              f"{hits['fragmented']:.1f} % in the fragmented arm")
    return {"uncached": uncached, "cached": cached}


if __name__ == "__main__":
    armslib.main(__doc__, run, seconds=20, clients=32, rows=5000,
                 experiment=True)
