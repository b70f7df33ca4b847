#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""The scenario `user`: one user table, or auth and profile?  Logins, profile
pages, updates and inserts are dealt out to both by sessions; then logins are
cached as strongly consistent data, while passwords change.  Exit status 1 if
answers differ, a login is stale or another target is missed.
"""

import os
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import arms as armslib  # noqa: E402
import stale  # noqa: E402

OPERATIONS = {"login": "where email", "profile": "select name",
              "active": "set last_active", "insert": "insert into"}
MIX = {"login.sql": 70, "profile.sql": 25, "active.sql": 5}
TABLES = ("usermonolith", "userauth", "userprofile")
FEED_LAG = 1.0
CACHE = "\n".join(
    f'cache "{t}" {{ tables = {{"{t}"}} ttl = "1h" consistency = "strong" }}'
    for t in TABLES[:2])
LOGIN = ("SELECT uid, password_hash, role, is_verified FROM usermonolith "
         "WHERE email = 'user{}@example.org'")
PROFILE = ("SELECT name, phone, location, bio, profile_image, created_at, "
           "last_active FROM usermonolith WHERE uid = "
           "'00000000-0000-4000-8000-{}'")
INSERT = ("INSERT INTO usermonolith (uid, email, password_hash, role, "
          "is_verified, name, phone, location, bio, profile_image, "
          "created_at, last_active) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, "
          "%s, %s, %s, %s)")


def insert_some(arms, first, count):
    """New users, a session for each ten of them."""
    for n in range(first, first + count, 10):
        with arms.connect() as conn:
            for i in range(n, min(n + 10, first + count)):
                conn.execute(INSERT, (
                    f"00000000-0000-4000-9000-{i:012}", f"new{i}@example.org",
                    "hash 0", "MEMBER", True, f"Name {i}", "+49 30",
                    "Town", "Bio " * 100, "https://img.example/x.png",
                    "2026-08-01", "2026-08-01"))


def insert_all(arms, count):
    each = -(-count // 4)
    threads = [threading.Thread(target=insert_some, args=(
        arms, 1 + k * each, min(each, count - k * each))) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def buffers_of_logins(arms, args):
    """Shared buffers that 1,000 logins touch, each."""
    found = {}
    for arm, table in (("monolith", "usermonolith"),
                       ("fragmented", "userauth")):
        arms.pg.psql("SELECT pg_stat_reset()", armslib.DB)
        with arms.pg.connect(armslib.DB, autocommit=True) as conn:
            total = 0
            for i in range(1000):
                plan = conn.execute(
                    "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT uid, "
                    f"password_hash, role, is_verified FROM {table} WHERE "
                    "email = 'user%d@example.org'" % (
                        100000000001 + i * 7 % args.rows)).fetchone()[0]
                total += plan[0]["Plan"]["Shared Hit Blocks"] + \
                    plan[0]["Plan"]["Shared Read Blocks"]
        pages = int(arms.pg.psql(
            f"SELECT pg_relation_size('{table}') / 8192", armslib.DB))
        found[arm] = {"buffers": total / 1000, "pages": pages}
    return found


def prove_logins(arms, say, seconds):
    """Each arm alone, with changes through pgsluice and behind it."""
    found = {}
    tables = {"monolith": "usermonolith", "fragmented": "userauth"}
    for arm, table in tables.items():
        arms.weigh(", ".join(f"{a}:{int(a == arm)}" for a in tables))
        arms.pg.psql(f"UPDATE {table} SET password_hash = 'changed 0' "
                     f"WHERE uid = '{stale.UID}'", armslib.DB)
        for where, connect, sql, bound in (
                ("through", arms.connect,
                 "UPDATE usermonolith SET password_hash = '{}' "
                 "WHERE uid = '{}'", 0),
                ("behind", lambda: arms.pg.connect(armslib.DB,
                                                   autocommit=True),
                 f"UPDATE {table} SET password_hash = '{{}}' "
                 "WHERE uid = '{}'", FEED_LAG)):
            arms.pg.psql(f"UPDATE {table} SET password_hash = 'changed 0' "
                         f"WHERE uid = '{stale.UID}'", armslib.DB)
            armslib.lablib.wait_for("the change", lambda: seen(arms) == 0)
            before = arms.sluice.metric("pgsluice_cache_hits_l1_total")
            w = stale.watch(connect, sql, arms.connect, 4, seconds, bound)
            hits = arms.sluice.metric("pgsluice_cache_hits_l1_total") - before
            count, worst = w.stale()
            found[f"{arm} {where}"] = {
                "logins": len(w.seen), "changes": len(w.acknowledged),
                "hits": hits, "stale": count, "oldest": worst}
            say.check(count == 0 and hits > 0 and len(w.acknowledged) > 10,
                      f"{arm}, changed {where} pgsluice: {len(w.seen):,} "
                      f"logins, {hits:,.0f} from the cache, "
                      f"{len(w.acknowledged)} changes, {count} stale "
                      f"(bound {bound:g} s, oldest {worst:.3f} s)")
    return found


def seen(arms):
    with arms.connect() as conn:
        return int(conn.execute(stale.LOGIN).fetchone()[1].split()[-1])


def run(args, lab, say):
    arms = armslib.Arms(lab, HERE, "pgsluice.conf", args.bin, CACHE="",
                        FEED="false")
    arms.run_sql("schema.sql", rows=args.rows)
    say(f"{args.rows:,} users in both forms")
    arms.start_pgsluice()
    ids = range(100000000001, 100000000001 + args.rows, 61)
    armslib.same_answers(arms, [q.format(i) for i in ids
                                for q in (LOGIN, PROFILE)], say)
    arms.weigh("monolith:50, fragmented:50")
    for _ in range(args.rounds):
        arms.pgbench(MIX, args.clients, 1, rows=args.rows)
    say(f"{args.rounds} rounds of {args.clients} sessions")
    insert_all(arms, args.rows)
    say(f"{args.rows:,} users inserted")
    measured = arms.measured(OPERATIONS)
    print("\n" + armslib.table(measured) + "\n")
    print(armslib.table_sizes(arms, TABLES) + "\n")
    if args.report:
        arms.report(args.report)
    say.check(all(int(r["errors"]) == 0 and int(r["statements"]) > 0
                  for rows in measured.values() for r in rows.values()) and
              len(measured["insert"]) == 2, "every operation on both arms, "
              "no errors")
    new = arms.pg.psql("SELECT (SELECT count(*) FROM usermonolith WHERE email "
                       "LIKE 'new%'), (SELECT count(*) FROM userauth JOIN "
                       "userprofile USING (uid) WHERE email LIKE 'new%')",
                       armslib.DB).split("|")
    say.check(sum(map(int, new)) == args.rows, f"each new user is in one arm, "
              f"whole: {new[0]} and {new[1]}")
    buffers = buffers_of_logins(arms, args)
    for arm, b in buffers.items():
        print(f"{arm:<12}{b['buffers']:.2f} buffers a login, out of "
              f"{b['pages']} pages of the table")
    say.check(buffers["fragmented"]["pages"] < buffers["monolith"]["pages"],
              "logins have fewer pages to keep in memory in the fragmented "
              "arm")
    arms.start_pgsluice(CACHE=CACHE, FEED="true")
    found = prove_logins(arms, say, max(1.0, 5 * args.scale))
    return {"measured": measured, "buffers": buffers, "stale": found}


if __name__ == "__main__":
    armslib.main(__doc__, run, seconds=15, clients=32, rows=10000,
                 experiment=True)
