# SPDX-License-Identifier: PostgreSQL
"""Faults of the feed, which is what strong rules rest on: nothing stale."""

from trial import fault

def live(t):
    return t.scene.sluice.console("SHOW FEEDS")[0]["state"] == "live"


def bypasses(t):
    return t.scene.sluice.metrics()[
        'pgsluice_cache_bypass_total{reason="feed_stale"}']


@fault("F30", "the feed alone is cut without a word",
       "the cache is bypassed within max_feed_lag; nothing stale; goes on by "
       "itself", short=True)
def cut(t):
    t.start()
    before = bypasses(t)
    t.scene.relay.set("pg", only=b"replication", both={"frozen": True})
    t.clean.callback(t.scene.relay.set, "pg")
    t.within("bypassed after",
             t.until("a bypass", lambda: bypasses(t) > before), 1.5)
    t.last(0.5)
    t.scene.relay.set("pg")
    t.over()
    t.show("live after", f"{t.until('the feed', lambda: live(t)):.2f} s")


@fault("F31", "the feed's walsender is killed, and its slot with it",
       "bypassed until a new one is there; nothing stale")
def slot_lost(t):
    t.start()
    for _ in range(3):
        killed = t.scene.pg.psql(
            "SELECT count(pg_terminate_backend(active_pid)) FROM "
            "pg_replication_slots WHERE active")
        t.expect("slots", killed != "0")
        t.last(0.2)
        t.show("live after", f"{t.until('the feed', lambda: live(t)):.2f} s")
    t.over()


@fault("F33", "a transaction of 300,000 rows of a cached table",
       "memory stays; late news are bypassed; nothing stale")
def large(t):
    t.start()
    before = t.memory()
    t.scene.pg.psql("INSERT INTO pad SELECT generate_series(11, 300010)",
                    "app")
    t.scene.pg.psql("DELETE FROM pad WHERE n > 10", "app")
    t.show("live after", f"{t.until('the feed', lambda: live(t)):.2f} s")
    t.over()
    grown = (t.memory() - before) / (1 << 20)
    t.expect("MiB more", grown < 64, f"{grown:.1f}")
