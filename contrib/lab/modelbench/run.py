#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""The scenario `modelbench`: a recommendation database behind memory and Redis,
with names and lives for each kind of answer, users that are never stale, and a
work queue of 100 workers.  Exit status 1 if anything is completed twice or lost,
or a target is missed.
"""

import itertools
import os
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import arms as armslib  # noqa: E402
import workqueue  # noqa: E402

# rule: (pattern of names in Redis, life in seconds)
PATTERNS = {
    "model details": ("model:*:details", 3600),
    "benchmark results": ("benchmark:*:results", 1800),
    "recommendations": ("rec:*:recommendations", 900),
    "hardware": ("hardware:list:active", 7200),
    "metrics": ("metrics:model:*:aggregated", 600),
}
MIX = {"details.sql": 35, "results.sql": 25, "recommendations.sql": 20,
       "hardware.sql": 8, "metrics.sql": 10, "write.sql": 2}
OUTCOMES = ("l1", "l2", "miss")
WORKERS, DOOMED, TIMEOUT = 100, 10, 2
CONNECTIONS = 200
PROBES = 8


def latency(arms):
    """{(rule, outcome): row} of SHOW LATENCY."""
    return {(r["route"], r["outcome"]): r
            for r in arms.console("SHOW LATENCY")}


def hits_table(rows):
    head = (f"{'rule':<20}{'hit %':>8}" + "".join(
        f"{o + ' ' + p:>13}" for o in OUTCOMES for p in ("p50", "p95", "p99")))
    lines = [head + "   ms", "-" * len(head)]
    for rule in PATTERNS:
        found = [rows.get((rule, o)) for o in OUTCOMES]
        lines.append(f"{rule:<20}{ratio(rows, rule):>8.1f}" + "".join(
            f"{armslib.number(r[p + '_ms']) if r else '-':>13}"
            for r in found for p in ("p50", "p95", "p99")))
    return "\n".join(lines)


def ratio(rows, rule):
    n = {o: int(rows[(rule, o)]["count"]) if (rule, o) in rows else 0
         for o in OUTCOMES}
    return 100 * (n["l1"] + n["l2"]) / max(1, sum(n.values()))


def lives(port, say):
    """What Redis says of each pattern: entries, and the longest life left."""
    import redis as redislib
    redis = redislib.Redis(port=port)
    lines = [f"{'names in Redis':<34}{'entries':>9}{'life s':>9}{'set':>7}"]
    for pattern, ttl in PATTERNS.values():
        keys = list(redis.scan_iter(f"pgsluice:app:{pattern}:*", 1000))
        left = [redis.ttl(k) for k in keys]
        longest = max(left, default=-2)
        lines.append(f"{pattern:<34}{len(keys):>9}{longest:>9}{ttl:>7}")
        say.check(keys and 0 < longest <= ttl and longest > ttl * 0.9,
                  f"{pattern}: {len(keys)} names, at most {longest} s of "
                  f"{ttl} s left")
    return "\n".join(lines)


def soon_over(arms, say):
    """A ranking carries the end of its own life."""
    query = ("SELECT rank, model_id, score, expires_at FROM model_rankings "
             "WHERE user_id = 10 AND use_case = 1 ORDER BY rank")
    arms.pg.psql("UPDATE model_rankings SET expires_at = now() + interval "
                 "'1 second' WHERE user_id = 10", armslib.DB)
    misses = "pgsluice_cache_misses_total"
    with arms.connect() as conn:
        conn.execute("UPDATE model_rankings SET score = score WHERE user_id "
                     "= 10 AND use_case = 1")
        conn.execute(query)
        before = arms.sluice.metric(misses)
        conn.execute(query)
        kept = arms.sluice.metric(misses) == before
        time.sleep(1.1)
        conn.execute(query)
        ended = arms.sluice.metric(misses) - before
    say.check(kept and ended == 1, "a ranking ends by its expires_at: kept "
              f"before ({kept}), fetched anew behind ({ended:g})")
    return kept


def strong_users(arms, say, changes):
    """Through pgsluice the next read sees the change, in any session."""
    wrong = 0
    with arms.connect() as one, arms.connect() as other:
        read = "SELECT token FROM app_users WHERE id = 7"
        for n in range(1, changes + 1):
            other.execute(read)
            one.execute(f"UPDATE app_users SET token = 'token {n}' "
                        "WHERE id = 7")
            wrong += other.execute(read).fetchone()[0] != f"token {n}"
    say.check(wrong == 0, f"{changes} changes of a user, {wrong} seen late")


def fill_queue(arms, models):
    """1,800 configurations a model: one statement."""
    sql = ("INSERT INTO benchmark_configs (id, model_id, hardware_id, "
           "framework_id, workload, batch_size, sequence_length) VALUES " +
           ", ".join(f"({n}, {1 + n // 1800}, {1 + n % 10}, "
                     f"{1 + n // 10 % 3}, {1 + n // 30 % 5}, "
                     f"{1 << n // 150 % 4}, {512 << n // 600 % 3})"
                     for n in range(models * 1800)))
    with arms.connect(cursor_factory=armslib.client_cursor()) as conn:
        began = time.perf_counter()
        conn.execute(sql)
        return (time.perf_counter() - began) * 1000


def run_queue(arms, args, say):
    models = max(1, round(5 * min(args.scale, 1)))
    took = fill_queue(arms, models)
    total = models * 1800
    before = arms.sluice.metrics()
    idle = [arms.connect() for _ in range(CONNECTIONS - WORKERS)]
    q = workqueue.Queue(arms.connect, TIMEOUT)
    seconds = q.run(WORKERS, DOOMED)
    for c in idle:
        c.close()
    after = arms.sluice.metrics()
    done, twice, lost = map(int, arms.pg.psql(
        "SELECT count(*) FILTER (WHERE completions = 1), count(*) FILTER "
        "(WHERE completions > 1), count(*) FILTER (WHERE completions = 0) "
        "FROM benchmark_configs", armslib.DB).split("|"))
    print(f"\nqueue: {total:,} configurations, {WORKERS} workers, "
          f"{q.killed} killed, {q.returned} claims came back, "
          f"{seconds:.1f} s; bulk insert {took:.0f} ms")
    p50 = {}
    for name, times in q.times.items():
        times.sort()
        p50[name] = statistics.median(times)
        print(f"  {name:<8}{len(times):>8} p50 {p50[name]:.2f} ms, p99 "
              f"{times[int(len(times) * 0.99)]:.2f} ms")
    for e in q.errors[:5]:
        print(f"  error: {e}")
    say.check((done, twice, lost) == (total, 0, 0) and not q.errors,
              f"done once {done:,}, twice {twice}, lost {lost}")
    # With few batches not each of the doomed gets one.
    say.check(q.killed > 0 and q.returned > 0, f"claims of {q.killed} killed "
              f"workers come back: {q.returned}")
    cached = sum(after[k] - before.get(k, 0) for k in after if k in (
        "pgsluice_cache_hits_l1_total", "pgsluice_cache_hits_l2_total",
        "pgsluice_cache_misses_total"))
    say.check(cached == 0, "no statement of the queue is looked up in the "
              "cache")
    return {"done": done, "twice": twice, "lost": lost, "p50": p50,
            "insert_ms": took, "returned": q.returned}


def quiet_times(arms, say):
    """Lookups and updates by primary key of one session, nobody else there."""
    found = {}
    for name, sql in (("lookup", workqueue.LOOKUP),
                      ("update", "UPDATE benchmark_configs SET worker = 1 "
                                 "WHERE id = %s")):
        with arms.connect() as conn:
            times = []
            for i in range(300):
                began = time.perf_counter()
                conn.execute(sql, (i,))
                times.append((time.perf_counter() - began) * 1000)
        found[name] = statistics.median(times)
    say.target(found["lookup"] < 5, f"status lookups {found['lookup']:.2f} ms "
               "(published: 5 ms)")
    say.target(found["update"] < 2, f"updates by primary key "
               f"{found['update']:.2f} ms (published: 2 ms)")
    return found


def redis_in_use(arms, probes):
    """Are new sessions' questions asked in Redis, on every worker?"""
    asked = "pgsluice_l2_gets_total"
    before = arms.sluice.metric(asked)
    for _ in range(PROBES):
        with arms.connect() as conn:
            # No model has this number, and none of them is asked twice.
            conn.execute("SELECT id, name, family, parameters, description "
                         f"FROM models WHERE id = {-next(probes)}")
    return arms.sluice.metric(asked) - before >= PROBES


def start(arms, probes):
    """Ready for load. A table's first miss gives it a token in Redis, and the
    second is stored there: a rule with one answer has one miss a process, and
    neither may come before Redis is in use."""
    arms.start_pgsluice()
    armslib.lablib.wait_for("the feed", lambda: arms.console("SHOW FEEDS")[0][
        "state"] == "live")
    armslib.lablib.wait_for("Redis", lambda: redis_in_use(arms, probes))


def run(args, lab, say):
    redis = armslib.lablib.Redis(lab).start()
    probes = itertools.count(1)
    arms = armslib.Arms(lab, HERE, "pgsluice.conf", args.bin,
                        REDIS=redis.port)
    arms.run_sql("schema.sql", rows=args.rows)
    say(f"{args.rows:,} models")
    start(arms, probes)
    arms.pgbench(MIX, args.clients, 1, rows=args.rows)
    say("a second process finds what the first has left in Redis")
    start(arms, probes)
    for _ in range(args.rounds):
        arms.pgbench(MIX, args.clients, 1, rows=args.rows)
    say(f"{args.rounds} rounds of {args.clients} sessions")
    rows = latency(arms)
    print("\n" + hits_table(rows) + "\n")
    print(lives(redis.port, say) + "\n")
    total = 100 * sum(int(rows[k]["count"]) for k in rows if k[1] in (
        "l1", "l2") and k[0] in PATTERNS) / max(1, sum(
            int(rows[k]["count"]) for k in rows if k[0] in PATTERNS))
    say.target(total > 80, f"hit ratio {total:.1f} % (target 80 %)")
    soon_over(arms, say)
    strong_users(arms, say, 50)
    found = run_queue(arms, args, say)
    say.target(found["insert_ms"] < 100, "bulk insert of 9,000 "
               f"configurations {found['insert_ms']:.0f} ms (published: "
               "about 100 ms)")
    times = quiet_times(arms, say)
    return {"ratio": total, "queue": found, "times": times,
            "rules": {r: ratio(rows, r) for r in PATTERNS}}


if __name__ == "__main__":
    armslib.main(__doc__, run, seconds=15, clients=32, rows=1000,
                 programs=("redis-server",), modules=("psycopg", "redis"))
