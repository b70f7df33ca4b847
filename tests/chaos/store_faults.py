# SPDX-License-Identifier: PostgreSQL
"""Faults of Redis and of the way to it: clients notice none of them."""

import random
import time

import machine
from trial import fault

SLOW = 0.5  # seconds each way


def p99(t):
    """What the fault adds to the app's own statements."""
    def inspect(app, _):
        began = min(s.returned for s in app.samples)
        t.show("p99", f"{app.p99(began, t.begin):.0f} -> "
               f"{app.p99(t.begin, t.end):.0f} ms")
    t.inspect = inspect


@fault("F8", "Redis is down from the start",
       "the service starts; L1 alone; no errors")
def absent(t):
    p99(t)
    t.scene.redis.stop()
    t.clean.callback(lambda: t.scene.redis.running or t.scene.redis.start())
    t.start(settle=False)
    t.last(0.5)
    t.expect("Redis away", not t.scene.sluice.on_redis())
    t.scene.redis.start()
    t.show("connected after", f"{t.until('Redis', t.redis_is_back):.2f} s")


@fault("F9", "Redis is killed under load, and comes back", "no errors")
def killed(t):
    p99(t)
    t.start()
    t.scene.redis.kill()
    t.last(0.5)
    t.scene.redis.start()
    t.show("connected after", f"{t.until('Redis', t.redis_is_back):.2f} s")


@fault("F10", "Redis takes a second for each answer",
       "redis_timeout cuts it; no errors; late answers meet nobody")
def slow(t):
    p99(t)
    t.start()
    opens = t.scene.sluice.metric("pgsluice_l2_breaker_opens_total")
    t.scene.relay.set("redis", both={"delay": SLOW})
    t.clean.callback(t.scene.relay.set, "redis")
    t.last()
    opens = t.scene.sluice.metric("pgsluice_l2_breaker_opens_total") - opens
    t.expect("breaker opened", opens > 0, f"{opens:.0f} times")
    t.scene.relay.set("redis")
    t.over()
    t.show("connected after", f"{t.until('Redis', t.redis_is_back):.2f} s")


@fault("F11", "bits of what Redis is told, and tells, are flipped",
       "misses; nothing wrong; no errors")
def corrupted(t):
    t.start()
    t.scene.relay.set("redis", both={"flip": 0.0005})
    t.clean.callback(t.scene.relay.set, "redis")
    flips = t.scene.relay.counts()["flips"]
    t.last()
    flips = t.scene.relay.counts()["flips"] - flips
    t.expect("flips", flips > 0, flips)
    t.scene.relay.set("redis")
    t.over()
    t.show("refused", f"{t.scene.sluice.metric('pgsluice_l2_corrupt_total'):.0f}"
           " entries")


@fault("F12", "Redis evicts, is emptied, is full, is read-only",
       "only the hit ratio changes")
def misbehaves(t):
    redis = t.scene.redis
    t.clean.callback(redis.cli, "REPLICAOF", "NO", "ONE")
    t.clean.callback(redis.cli, "CONFIG", "SET", "maxmemory", 0)
    t.start()
    redis.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
    redis.cli("CONFIG", "SET", "maxmemory", "1mb")
    t.last(0.3)
    redis.cli("CONFIG", "SET", "maxmemory-policy", "noeviction")
    redis.cli("CONFIG", "SET", "maxmemory", 1)
    t.last(0.3)
    redis.cli("CONFIG", "SET", "maxmemory", 0)
    for _ in range(10):
        redis.cli("FLUSHALL")
        t.last(0.03)
    redis.cli("REPLICAOF", "127.0.0.1", 1)
    t.last(0.3)
    redis.cli("REPLICAOF", "NO", "ONE")


@fault("F29", "the way to Redis is cut without a word, then in one direction",
       "as F10; nothing stale when it is mended",
       needs=machine.needs("net"))
def partition(t):
    p99(t)
    net = t.network("redis")
    t.start(redis_host=net.host, redis=net.ports["redis"])
    for airs in ({"both": {"loss": 1.0}}, {"up": {"loss": 1.0}},
                 {"down": {"loss": 1.0}}):
        lost = net.ask("lost")["lost"]
        net.air(**airs)
        t.last(0.4)
        net.air()
        t.expect("packets lost", net.ask("lost")["lost"] > lost)
        t.show("mended after", f"{t.until('Redis', t.redis_is_back):.2f} s")
    t.over()


@fault("F45", "faults at random, again and again, for ten times as long",
       "nothing wrong; descriptors back to their number; memory does not "
       "grow", "08006 57P01 lost idle login", recovery=3.0)
def soak(t):
    t.start()
    relay, scene = t.scene.relay, t.scene
    rng, played = random.Random(scene.seed), 0
    links = ("client", "pg", "redis")

    def mood(**what):
        link = rng.choice(links)
        relay.set(link, both=what)
        time.sleep(rng.random())
        relay.set(link)

    choices = (
        lambda: mood(delay=0.05, jitter=0.05), lambda: mood(piece=3),
        lambda: mood(gather=0.1), lambda: mood(frozen=True),
        lambda: relay.cut(rng.choice(links)),
        lambda: relay.ask("half_close", rng.choice(links), "up"),
        lambda: scene.redis.cli("FLUSHALL"),
        lambda: scene.sluice.console("RECONNECT"),
        scene.sluice.reload, idle_time)
    files, memory = t.files(), t.memory()
    end = time.monotonic() + 10 * t.seconds
    while time.monotonic() < end:
        rng.choice(choices)()
        played += 1
    t.over()
    t.show("", f"{played} faults")
    t.load.wait(200)
    t.show("descriptors", f"{files} -> {t.files()}")
    t.expect("descriptors", t.files() <= files + 20)
    t.show("memory", f"{memory >> 20} -> {t.memory() >> 20} MiB")
    t.expect("memory", t.memory() < memory + (64 << 20))


def idle_time():
    time.sleep(0.2)
