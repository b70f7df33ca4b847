# SPDX-License-Identifier: PostgreSQL
"""Faults of PostgreSQL and of the way to it."""

import os
import random
import signal
import socket
import time

import machine
from harness import lablib
from relay import Relay
from trial import fault

# What a statement on a server that is lost is told, or its session: the
# server's last words, or ours.
LOST = "08006 57P01 57P02 57P03 lost idle login"


@fault("F1", "a backend's process is killed (SIGKILL) amid statements",
       "one error each within 1 s; nothing lost; back with the server + 1 s",
       LOST)
def backend_killed(t):
    t.start()
    victim = random.Random(t.scene.seed).choice(t.scene.pg.pids(datname="app"))
    os.kill(victim, signal.SIGKILL)
    t.show("server back after", f"{t.until('server', t.answers):.2f} s")
    t.over()


@fault("F2", "the backend is restarted, fast and then immediately",
       "99 % of idle sessions stay; nothing is done twice", LOST)
def backend_restarted(t):
    t.start()
    for stop in (t.scene.pg.stop, t.scene.pg.crash):
        stop()
        t.scene.pg.start()
        t.load.wait(20, ("app",))
    t.over()
    t.inspect = lambda app, _: t.expect(
        "idle sessions lost", not app.errors.get("idle"),
        app.errors.get("idle", 0))


@fault("F3", "idle servers are terminated", "nobody notices")
def idle_terminated(t):
    t.start()
    killed, done = 0, t.begin
    for _ in range(10):
        killed += int(t.scene.pg.psql(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = 'app' AND backend_type = 'client backend' AND "
            "state = 'idle' AND now() - state_change > '200 ms'"))
        done = time.monotonic()
        t.last(0.1)
    t.expect("terminated", killed > 0, killed)
    # One that was sent while they were being terminated may have met it.
    t.inspect = lambda app, _: t.expect("errors later", not any(
        s.invoked > done for s in app.failures))


@fault("F4", "the backend freezes (SIGSTOP), and goes on",
       "query_timeout fires within 10 %; others are not concerned",
       LOST + " 57014")
def backend_freezes(t):
    limit = t.seconds / 2
    t.start(query_timeout=f"{round(limit * 1000)}ms")
    t.scene.pg.freeze()
    t.last()
    t.scene.pg.thaw()
    t.over()

    def inspect(app, _):
        took = [s.returned - s.invoked for s in app.failures
                if s.outcome == "57014"]
        t.expect("timeouts", took, len(took))
        if took:
            t.within("latest after", max(took), limit * 1.1 + 0.1)
    t.inspect = inspect


@fault("F5", "the backend takes no more connections, but for three",
       "statements wait for one of these; no storm of attempts", LOST)
def backend_full(t):
    t.start()
    t.scene.pg.psql("ALTER ROLE app CONNECTION LIMIT 3")
    t.clean.callback(t.scene.pg.psql, "ALTER ROLE app CONNECTION LIMIT -1")
    said = "too many connections for role"
    before = t.scene.pg.log.count(said)
    t.scene.pg.psql("SELECT count(pg_terminate_backend(pid)) FROM "
                    "pg_stat_activity WHERE usename = 'app'")
    t.last()
    attempts = (t.scene.pg.log.count(said) - before) / t.seconds
    t.expect("refused attempts a second", 0 < attempts < 60,
             f"{attempts:.1f}")
    t.scene.pg.psql("ALTER ROLE app CONNECTION LIMIT -1")
    t.over()


@fault("F6", "the backend's name leads elsewhere; then nobody knows it",
       "new connections go to the new address at once; others are not "
       "held up by names that are not found", LOST + " 53300",
       needs=machine.needs("files", "net"))
def name_moves(t):
    here = t.scene.relay.ports["pg"]
    other = t.clean.enter_context(socket.socket(socket.AF_INET,
                                                socket.SOCK_DGRAM))
    other.bind(("127.0.0.3", 53))  # takes questions, has no answers
    t.clean.enter_context(machine.instead(
        "/etc/resolv.conf", "nameserver 127.0.0.3\n"))
    hosts = t.clean.enter_context(machine.instead(
        "/etc/hosts", "127.0.0.1 localhost\n127.0.0.1 db.chaos.test\n"))
    second = Relay({"pg": (("127.0.0.2", here),
                           ("127.0.0.1", t.scene.pg.port))}, t.scene.seed)
    t.clean.callback(second.close)
    t.start(host="db.chaos.test")
    hosts("127.0.0.1 localhost\n127.0.0.2 db.chaos.test\n")
    t.scene.relay.ask("refuse", "pg")
    t.clean.callback(t.scene.relay.ask, "listen", "pg")
    t.scene.relay.cut("pg")
    t.expect("answers from the new address", t.load.wait(20, ("app",)))
    t.expect("connections there", second.counts()["connections"] > 0,
             second.counts()["connections"])
    hosts("127.0.0.1 localhost\n")
    second.cut("pg")
    t.last(0.3)
    slowest = 0.0
    for _ in range(5):
        t.scene.sluice.console("RECONNECT other")
        slowest = max(slowest, t.until(
            "the others", lambda: t.load.wait(10, ("other",))))
    t.within("others' new servers within", slowest, 1.0)
    hosts("127.0.0.1 localhost\n127.0.0.2 db.chaos.test\n")
    t.expect("answers once the name is known", t.load.wait(20, ("app",)))
    t.over()


@fault("F7", "the primary dies, a synchronous standby takes over",
       "no acknowledged write is lost; back with the promotion + 1 s",
       LOST + " 25006", recovery=3.0)
def failover(t):
    scene, old = t.scene, t.scene.pg
    standby = lablib.Standby(scene.lab, old, "chaos-standby").start()
    t.clean.callback(scene.lab.services.remove, standby)
    t.clean.callback(standby.stop)
    standby.pids = old.pids
    old.psql("ALTER SYSTEM SET synchronous_standby_names = '*'")
    old.psql("SELECT pg_reload_conf()")
    t.start(host="127.0.0.1,127.0.0.1", pg=f"{old.port},{standby.port}",
            conninfo="target_session_attrs=read-write")
    old.kill()

    def put_back():
        scene.pg = old
        old.start()
        old.psql("ALTER SYSTEM RESET synchronous_standby_names")
        old.psql("SELECT pg_reload_conf()")
        scene.stop_serving()
    t.clean.callback(put_back)
    standby.psql("ALTER SYSTEM RESET synchronous_standby_names")
    standby.psql("SELECT pg_promote()")
    scene.pg = standby
    t.over()


@fault("F28", "the way to the backend is cut without a word, then mended",
       "noticed within 12 s (tcp_user_timeout); no late answer to anybody",
       LOST + " 53300", recovery=3.0, needs=machine.needs("net"))
def partition(t):
    net = t.network("pg")
    t.start(host=net.host, pg=net.ports["pg"])
    lost = t.scene.sluice.count("server_lost")
    net.air(both={"loss": 1.0})
    t.until("a lost server",
            lambda: t.scene.sluice.count("server_lost") > lost, 14)
    net.air()
    t.over()
    t.inspect = lambda app, _: t.within("noticed after",
                                        app.to_error or 99, 12)


@fault("F39", "a byte at a time, on all three ways", "everything works",
       short=True)
def bytewise(t):
    for link in ("client", "pg", "redis"):
        t.scene.relay.set(link, both={"piece": 1})
        t.clean.callback(t.scene.relay.set, link)
    t.start()
    pieces = t.scene.relay.counts()["pieces"]
    t.last()
    pieces = t.scene.relay.counts()["pieces"] - pieces
    t.expect("pieces", pieces > 1000, pieces)


@fault("F40", "5 % of packets are lost, 20 to 60 ms late, out of order",
       "everything works", recovery=3.0, needs=machine.needs("net"))
def bad_network(t):
    net = t.network("pg")
    t.start(host=net.host, pg=net.ports["pg"])
    before = net.ask("lost")
    net.air(both={"loss": 0.05, "delay": 0.02, "jitter": 0.04})
    t.last()
    lost, all_ = (net.ask("lost")[n] - before[n] for n in ("lost", "packets"))
    t.expect("packets lost", lost > 0, f"{lost} of {all_}")
    net.air()
    t.over()
