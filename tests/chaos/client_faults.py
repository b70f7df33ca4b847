# SPDX-License-Identifier: PostgreSQL
"""Clients that are many, slow, rude or gone."""

import contextlib
import random
import resource
import socket
import time

import rawpg
from load import quantile
from trial import fault

HELLO = rawpg.startup_message({"user": "app", "database": "app"})


@contextlib.contextmanager
def crowd(t, number):
    """Connections to pgsluice that have said nothing."""
    with contextlib.ExitStack() as up:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        up.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        yield [up.enter_context(socket.create_connection(
            ("127.0.0.1", t.scene.listen))) for _ in range(number)]


def logins(t, number):
    """Seconds that each honest one takes.  No driver: some cannot wait for
    descriptors above 1023."""
    took = []
    for _ in range(number):
        began = time.monotonic()
        with rawpg.RawConn("127.0.0.1", t.scene.listen, "app", "app") as c:
            c.send(rawpg.query("SELECT 1"))
            t.expect("an honest login", rawpg.rows(c.read_until_ready()) ==
                     [(b"1",)])
        took.append(time.monotonic() - began)
    return took


@fault("F13", "2000 connections say hello a byte at a time",
       "honest logins in 500 ms (p99); each closed at client_login_timeout; "
       "16 KiB each at most")
def slowloris(t):
    t.start(more='max_client_conn = 10000\nclient_login_timeout = "2s"\n')
    before = t.memory()
    with crowd(t, 2000) as them:
        for n in range(4):
            for s in them:
                with contextlib.suppress(OSError):
                    s.send(HELLO[n:n + 1])
            if n == 1:
                t.show("KiB each",
                       f"{(t.memory() - before) / 2000 / 1024:.1f}")
                t.expect("memory", t.memory() - before < 2000 * 16384)
            took = logins(t, 10)
        t.within("honest logins (p99)", quantile(took, 0.99), 0.5)

        def closed():
            for s in them:
                s.setblocking(False)
                try:
                    while s.recv(4096):
                        pass
                except BlockingIOError:
                    return False
                except OSError:
                    pass
            return True
        t.until("all of them to be closed", closed, 15)


@fault("F14", "200 clients more than max_client_conn",
       "they are told 53300; those who are in do not notice; the console "
       "answers")
def flood(t):
    t.start(more="max_client_conn = 60\n")
    told, refused = [], 0
    with crowd(t, 260) as them:
        for s in them:
            with contextlib.suppress(OSError):
                s.sendall(HELLO)
        t.expect("console", t.scene.sluice.console("SHOW VERSION"))
        for s in them:
            s.settimeout(10)
            data = b""
            with contextlib.suppress(OSError):
                while not data.endswith(b"Z\0\0\0\5I") and \
                        (more := s.recv(65536)):
                    data += more
            told.append(b"53300" in data)
            refused += not data.endswith(b"Z\0\0\0\5I")
    t.expect("refused", refused >= 200, f"{refused} of 260")
    t.show("told 53300", sum(told))
    t.over()


@fault("F15", "no descriptors are left",
       "those who are in do not notice; newcomers again within 1 s",
       "login 08006")
def descriptors(t):
    t.start()
    t.load.wait(100)
    limit = resource.prlimit(t.scene.sluice.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(t.scene.sluice.pid, resource.RLIMIT_NOFILE,
                     (t.files() + 10, limit[1]))
    used = t.cpu()
    with crowd(t, 100):
        t.last(0.5)
        share = (t.cpu() - used) / (t.seconds * 0.5)
        t.show("processor", f"{100 * share:.0f} %")
    resource.prlimit(t.scene.sluice.pid, resource.RLIMIT_NOFILE, limit)
    t.over()
    t.within("newcomers after", t.until("a login", t.answers), 2.0)


@fault("F37", "connections of clients are reset, or closed on one side, at "
       "any moment", "their servers are free again; nobody else notices; "
       "nothing wrong", "lost idle login 08006", short=True)
def gone(t):
    t.start()
    rng, cuts = random.Random(t.scene.seed), 0
    for _ in range(8):
        if rng.random() < 0.5:
            cuts += t.scene.relay.cut("client")
        else:
            cuts += t.scene.relay.ask("half_close", "client", "up")
        time.sleep(t.seconds * rng.random() / 4)
    t.over()
    t.expect("connections", cuts > 20, cuts)
    t.until("transactions of the lost to end", lambda: int(t.scene.pg.psql(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = 'app' AND "
        "state LIKE 'idle in%' AND now() - state_change > '2 s'")) == 0)


@fault("F38", "10 MB of garbage behind the login, again and again",
       "closed at the first bad message; others do not notice")
def garbage(t):
    t.start()
    rng, told, rounds = random.Random(t.scene.seed), 0, 0
    end, used = time.monotonic() + t.seconds, t.cpu()
    while time.monotonic() < end:
        with rawpg.RawConn("127.0.0.1", t.scene.listen, "app", "app") as c:
            with contextlib.suppress(OSError, rawpg.Closed):
                for _ in range(160):
                    c.send(b"\xff" + rng.randbytes(65535))
            with contextlib.suppress(OSError, rawpg.Closed):
                told += rawpg.sqlstates([c.recv_message()]) == ["08P01"]
            with contextlib.suppress(OSError, rawpg.Closed):
                c.recv_message()
                t.expect("the end", False)
        rounds += 1
        time.sleep(0.05)
    t.show("processor", f"{100 * (t.cpu() - used) / t.seconds:.0f} %")
    t.expect("closed", rounds > 0, f"{rounds} times, told why {told} times")
