#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""The scenario `blog`: normalised tables for writes, documents for reads, and a
sync between them.  Five reads by an open loop, uncached, cached, and while posts
change; exit status 1 if a sync ends other documents than it touched, something
is served that is older than it may be, or a target is missed.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import arms as armslib  # noqa: E402
import paced  # noqa: E402
import sync as synclib  # noqa: E402

CLIENTS = 200
SERVERS = 20
RATE, RATE_UNCACHED = 20000, 1000
MEMORY_MB = 64
# Milliseconds that were published as targets.
READS = {"user": 1, "post": 2, "comments": 5, "profile": 10, "nested": 25}


def user(n):
    return f"00000000-0000-4000-8001-{100000000001 + n}"


def post(n):
    return f"00000000-0000-4000-8002-{100000000001 + n}"


def read(name, n, rows):
    u, p = user(n % (rows // 10)), post(n % rows)
    page = (f"FROM tv_user u JOIN tv_post p ON p.data @> "
            f"'{{\"author_id\": \"{u}\"}}' WHERE u.id = '{u}' ORDER BY p.id")
    return {
        "user": f"SELECT data FROM tv_user WHERE id = '{u}'",
        "post": "SELECT data ->> 'title', data ->> 'body', data -> 'author' "
                f"FROM tv_post WHERE id = '{p}'",
        "comments": f"SELECT data FROM tv_post WHERE id = '{p}'",
        "profile": f"SELECT u.data, p.id, p.data ->> 'title' {page} LIMIT 20",
        "nested": f"SELECT u.data, p.data {page} LIMIT 20",
    }[name]


def statements(rows):
    return [(name, read(name, n, rows)) for n in range(min(rows, 1000))
            for name in READS]


def hits_of(arms, sqls):
    """How many of these are answered from memory, and the answers."""
    count = "pgsluice_cache_hits_l1_total"
    before = arms.sluice.metric(count)
    with arms.connect(cursor_factory=armslib.client_cursor()) as conn:
        answers = [conn.execute(s).fetchall() for s in sqls]
    armslib.lablib.wait_for("the counters", lambda: arms.sluice.metric(
        "pgsluice_clients") == 0)
    return arms.sluice.metric(count) - before, answers


def prove_keys(arms, say, rows):
    """A sync ends the documents it touched, a write to tb_post all of them,
    and neither a user's."""
    sqls = [read("comments", n, rows) for n in range(40)]
    users = [read("user", n, rows) for n in range(5)]
    hits_of(arms, sqls + users)
    hits, _ = hits_of(arms, sqls + users)
    say.check(hits == 45, f"45 documents are answered from memory: {hits:g}")
    with arms.connect() as conn:
        synclib.upsert(conn, [(post(n), f'{{"mark": {n}}}')
                              for n in range(0, 16, 2)])
    hits, answers = hits_of(arms, sqls + users)
    marked = [n for n in range(40) if answers[n][0][0] == {"mark": n}]
    say.check(hits == 37 and marked == list(range(0, 16, 2)),
              f"an upsert of 8 documents ends these 8 and no other: {hits:g} "
              f"of 37 others from memory, {len(marked)} of 8 new")
    with arms.connect() as conn:
        conn.execute(f"UPDATE tb_post SET title = title WHERE id = '{post(1)}'")
    hits, _ = hits_of(arms, sqls + users)
    say.check(hits == 5, "a write to tb_post makes every post suspect, and no "
              f"user: {hits:g} of 5 from memory")
    with arms.connect() as conn:
        conn.execute("UPDATE tb_post SET updated_at = clock_timestamp() WHERE "
                     "id = ANY(%s)", ([post(n) for n in range(0, 16, 2)],))
        say.check(synclib.sync(conn) == 8, "a sync mends the 8 documents")
    with arms.pg.connect(armslib.DB) as conn:
        differ = conn.execute("SELECT count(*) FROM tv_post v JOIN "
                              "post_document d USING (id) WHERE v.data <> "
                              "d.data").fetchone()[0]
    say.check(differ == 0, f"documents equal what they are made of ({differ} "
              "differ)")


def resident_mb(arms):
    """Memory of the process beside what the cache holds."""
    with open(f"/proc/{arms.sluice.pid}/status", encoding="utf-8") as f:
        rss = next(int(line.split()[1]) for line in f
                   if line.startswith("VmRSS")) / 1024
    return rss - arms.sluice.metric("pgsluice_cache_bytes") / 2**20


def servers(arms):
    states = {}
    for k, v in arms.sluice.metrics().items():
        if k.startswith("pgsluice_pool_servers{"):
            state = k.split('state="')[1].split('"')[0]
            states[state] = states.get(state, 0) + int(v)
    return states


def hit_ratio(arms, before):
    now = arms.sluice.metrics()
    hit, miss = (now[k] - before[k] for k in (
        "pgsluice_cache_hits_l1_total", "pgsluice_cache_misses_total"))
    return 100 * hit / max(1, hit + miss)


def table(uncached, cached, changing):
    head = (f"{'read':<12}{'target':>8}" + "".join(
        f"{m + ' ' + p:>16}" for m in ("uncached", "L1", "changing")
        for p in ("p50", "p99")))
    lines = [head + "   ms", "-" * len(head)]
    for name in [*READS, "all"]:
        lines.append(f"{name:<12}{READS.get(name, ''):>8}" + "".join(
            f"{m[name][p]:>16.3f}" for m in (uncached, cached, changing)
            for p in ("p50", "p99")))
    return "\n".join(lines)


def run(args, lab, say):
    arms = armslib.Arms(lab, HERE, "pgsluice.conf", args.bin)
    arms.run_sql("schema.sql", rows=args.rows)
    say(f"{args.rows:,} posts and their documents")
    program = paced.build(lab.work)
    sluice = arms.start_pgsluice()
    armslib.lablib.wait_for("keys to be in use", lambda: all(
        r["state"] == "in use" for r in arms.console("SHOW CACHE KEYS")))
    prove_keys(arms, say, args.rows)
    all_reads = statements(args.rows)
    seconds = max(1.0, args.rounds / 2)
    rate = RATE * min(1.0, args.scale)

    def load(db, rate, clients, seconds=seconds):
        return paced.run(program, sluice.port, db, all_reads, rate, clients,
                         seconds)
    uncached = load("uncached", RATE_UNCACHED * min(1.0, args.scale), 100)
    pool = servers(arms)
    say(f"uncached: {uncached['all']['tps']:,.0f} queries/s over 100 clients")
    paced.run(program, sluice.port, "app", all_reads, 0, 8, 0.1, 2 * seconds)
    before = sluice.metrics()
    cached = load("app", rate, args.clients)
    ratio = hit_ratio(arms, before)
    memory = resident_mb(arms)
    say(f"cached: {cached['all']['tps']:,.0f} queries/s over {args.clients} "
        "clients")
    saturated = load("app", 0, args.clients, seconds / 2)
    say(f"saturated: {saturated['all']['tps']:,.0f} queries/s")
    before = sluice.metrics()
    with synclib.Life(arms.connect, post, args.rows) as life:
        changing = load("app", rate / 10, args.clients)
        worst = max(float(r["value"]) for r in arms.console("SHOW CHECKS")
                    if r["check"] == "freshness")
    changing_ratio = hit_ratio(arms, before)
    print("\n" + table(uncached, cached, changing) + "\n")
    print(f"hit ratio           {ratio:.2f} %, {changing_ratio:.2f} % while "
          f"{life.changes} posts changed and {life.synced} were synced\n"
          f"saturation          {saturated['all']['tps']:,.0f} queries/s, p99 "
          f"{saturated['all']['p99']:.3f} ms\n"
          f"freshness           {worst:.3f} s is the oldest change's wait, "
          "while posts change\n"
          f"pool                {pool.get('active', 0)} active, "
          f"{pool.get('idle', 0)} idle of {SERVERS}, after the uncached load\n"
          f"memory              {memory:.1f} MB beside the cache's\n")
    measured = {"uncached": uncached, "cached": cached, "changing": changing,
                "saturated": saturated}
    say.check(all(m["all"]["errors"] == 0 and set(m) == {*READS, "all"}
                  for m in measured.values()), "no errors in any load")
    say.check(life.failed is None and life.synced > 0,
              f"changes and syncs go on under load ({life.failed})")
    arms_fresh(arms, say)
    say.check(sum(servers(arms).values()) <= SERVERS,
              f"no more than {SERVERS} servers")
    say.target(cached["all"]["tps"] >= 0.99 * rate,
               f"{cached['all']['tps']:,.0f} of {rate:,.0f} queries/s")
    for name, limit in READS.items():
        say.target(cached[name]["p99"] < 1,
                   f"{name}: p99 {cached[name]['p99']:.3f} ms from L1, "
                   "target 1 ms")
        say.target(uncached[name]["p50"] < limit,
                   f"{name}: p50 {uncached[name]['p50']:.3f} ms uncached, "
                   f"published target {limit} ms")
    say.target(memory < MEMORY_MB, f"{memory:.1f} MB beside the cache's, "
               f"target {MEMORY_MB} MB")
    return {**measured, "hit_ratio": ratio, "freshness": worst,
            "memory_mb": memory, "pool": pool}


def arms_fresh(arms, say):
    """All is synced in the end, and the metrics say so."""
    with arms.connect() as conn:
        synclib.sync(conn)

    def value(name):
        return arms.sluice.metrics().get(
            f'pgsluice_check_value{{check="{name}"}}')
    armslib.lablib.wait_for("freshness", lambda: value("freshness") == 0)
    say.check(value("sync seconds") > 0 and value("syncs failed") == 0,
              f"metrics: freshness 0 s, the last sync took "
              f"{value('sync seconds') * 1000:.1f} ms, none failed")


if __name__ == "__main__":
    armslib.main(__doc__, run, seconds=20, clients=CLIENTS, rows=5000,
                 programs=paced.compiler()[:1])
