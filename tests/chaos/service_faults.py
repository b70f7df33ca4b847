# SPDX-License-Identifier: PostgreSQL
"""What operators do to the service, and what is done to its other ports."""

import contextlib
import os
import random
import signal
import socket
import time

import psycopg2

from trial import fault

STOPPED = "57P01 08006 lost idle login"


@fault("F21", "reloads with a bad file, a missing file, a missing "
       "certificate, a bad rule", "refused with the reason, the old "
       "configuration stays; no errors")
def bad_reloads(t):
    t.start()
    sluice = t.scene.sluice
    with open(sluice.conf, encoding="utf-8") as f:
        good = f.read()
    rules = os.path.join(t.scene.lab.work, "bad.hba")
    with open(rules, "w", encoding="utf-8") as f:
        f.write("host all all nowhere/99 trust\n")
    generation, refused = sluice.generation, 0
    for text in (
            good + "nonsense = 1\n", None,
            good + 'tls_mode = "require"\ntls_cert_file = "/nonexistent"\n'
            'tls_key_file = "/nonexistent"\n',
            good.replace('auth = "trust"', f'auth = "hba"\nauth_hba_file = '
                         f'"{rules}"')):
        if text is None:
            os.rename(sluice.conf, sluice.conf + ".away")
        else:
            sluice.write_conf(text)
        with contextlib.suppress(psycopg2.Error):
            try:
                sluice.console("RELOAD")
            except psycopg2.Error as e:
                refused += bool(str(e).strip())
        if text is None:
            os.rename(sluice.conf + ".away", sluice.conf)
        t.last(0.1)
    sluice.write_conf(good)
    t.expect("refused", refused == 4, f"{refused} of 4")
    t.expect("generation", sluice.generation == generation)
    sluice.console("RELOAD")
    t.expect("the good one", sluice.generation > generation)


@fault("F22", "200 reloads under load", "no errors; memory grows by 1 MiB at "
       "most")
def many_reloads(t):
    t.start()
    for _ in range(20):
        t.scene.sluice.console("RELOAD")
    before = t.memory()
    for _ in range(200):
        t.scene.sluice.console("RELOAD")
    t.over()
    grown = (t.memory() - before) / (1 << 20)
    t.expect("MiB more", grown < 4, f"{grown:.1f}")


@fault("F23", "SIGTERM under load, and a new start",
       "transactions end, then 57P01; status 0; nothing lost", STOPPED,
       "57P01 08006 lost idle login", recovery=3.0)
def terminated(t):
    t.start()
    sluice = t.scene.sluice
    began = time.monotonic()
    status = sluice.stop()
    t.within("ended after", time.monotonic() - began, 30)
    t.expect("status", status == 0, status)
    sluice.start()
    t.over()


@fault("F24", "the daemon is killed (SIGKILL), and started again",
       "back within 2 s; no acknowledged write is lost; what Redis has is "
       "valid or not used", STOPPED, "lost idle login", recovery=3.0,
       short=True)
def killed(t):
    t.start()
    sluice = t.scene.sluice
    sluice.kill()
    began = time.monotonic()
    sluice.start()
    t.within("back after", time.monotonic() - began +
             t.until("service", t.answers), 4.0)
    t.over()


@fault("F43", "the console is misused: a PAUSE, KILLs, reloads, long lists",
       "statements wait and go on; the console answers; no one else notices",
       STOPPED + " 53300")
def console(t):
    t.start()
    sluice = t.scene.sluice
    sluice.proc.send_signal(signal.SIGHUP)
    for _ in range(20):
        sluice.console("SHOW CLIENTS")
        sluice.console("SHOW CONFIG")
    with contextlib.suppress(psycopg2.Error):
        sluice.console("PAUSE app")
    t.last(0.4)
    t.expect("waiting", sum(p["cl_waiting"] for p in
                            sluice.console("SHOW POOLS")) > 0)
    t.expect("others are served", t.load.wait(20, ("other",)))
    sluice.console("RESUME app")
    t.load.wait(20)
    sluice.console("KILL app")
    t.last(0.2)
    sluice.console("RESUME app")
    t.over()


@fault("F44", "the HTTP port is misused: slow, long, many requests",
       "limits; no client of PostgreSQL notices")
def http(t):
    t.start()
    rng = random.Random(t.scene.seed)
    with contextlib.ExitStack() as up:
        def connect():
            return up.enter_context(socket.create_connection(
                ("127.0.0.1", t.scene.http), 5))
        slow = [connect() for _ in range(200)]
        for s in slow:
            s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-A: ")
        end, answered = time.monotonic() + t.seconds, 0
        while time.monotonic() < end:
            for s in rng.sample(slow, 50):
                with contextlib.suppress(OSError):
                    s.send(b"a")
            with contextlib.suppress(OSError):
                connect().sendall(b"GET / HTTP/1.1\r\nX: " + b"y" * (1 << 20))
            status, _ = t.scene.sluice.http("/healthz")
            answered += status == 200
        t.expect("health told", answered > 0, f"{answered} times")
    t.over()
