# SPDX-License-Identifier: PostgreSQL
"""A new process takes sockets and clients over from the one that serves."""

import contextlib
import ctypes
import os
import re
import signal
import socket
import subprocess
import threading
import time

import psycopg
import pytest

import rawpg
from harness import until

PR_SET_CHILD_SUBREAPER = 36
RESTARTED = "because pgsluice was restarted"

CONF = """
auth = "trust"
admin_users = {"app"}
unix_socket_dir = "$DIR"
workers = 2
takeover_timeout = 1s
tls_mode = "allow"
tls_cert_file = "$CERT"
tls_key_file = "$KEY"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
cache "t" { tables = {"t"}  ttl = 60s }
"""


class Successor:
    """A process that another one has started, as Popen would have it."""

    def __init__(self, pid):
        self.pid = pid
        self.returncode = None

    def poll(self):
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                return None  # its parent lives
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout):
        end = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("pgsluice", timeout)
            time.sleep(0.02)
        return self.returncode

    def send_signal(self, sig):
        os.kill(self.pid, sig)


@pytest.fixture(autouse=True)
def adoption():
    """Processes whose parents have ended are ours."""
    prctl = ctypes.CDLL(None).prctl
    assert prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    yield
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@pytest.fixture
def sluice(pg, db, pgsluice, certificate):
    cert, key = certificate
    s = pgsluice(CONF, CERT=cert, KEY=key)
    with s.connect() as c:
        c.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
        c.execute("CREATE TABLE other (id int)")
        c.execute("INSERT INTO t VALUES (1, 'one')")
    return s


def started(sluice):
    return [int(p) for p in
            re.findall(r'pgsluice starts.* pid=(\d+)', sluice.log)]


def takeover(sluice):
    """By the console, whose answer comes when the new one serves; the
    process before."""
    old, before = sluice.proc, len(started(sluice))
    sluice.console("TAKEOVER")
    until(lambda: len(started(sluice)) > before)
    until(lambda: started(sluice)[-1] != old.pid)
    sluice.proc = Successor(started(sluice)[-1])
    # For a moment the other one still accepts.
    until(lambda: int(shown(sluice)["before_pid"]) == old.pid)
    return old


def plain(sluice, **kw):
    """A client without TLS."""
    return sluice.connect(sslmode="disable", **kw)


def local(sluice, lab):
    """By the unix socket."""
    return psycopg.connect(host=str(lab.work), port=sluice.port, dbname="app",
                           user="app", autocommit=True)


def shown(sluice):
    return {r["key"]: r["value"] for r in sluice.console("SHOW TAKEOVER")}


def test_idle_clients_go_on(sluice, lab):
    with plain(sluice, application_name="mover") as a, \
            local(sluice, lab) as b, \
            plain(sluice) as busy:
        a.execute("SET timezone TO 'Asia/Tokyo'")
        a.execute("PREPARE mine(int) AS SELECT $1 + 1")
        a.prepare_threshold = 0
        assert a.execute("SELECT v FROM t WHERE id = %s", (1,)).fetchone() == \
            ("one",)
        key = a.info.backend_pid
        busy.execute("BEGIN")
        busy.execute("INSERT INTO t VALUES (2, 'two')")
        old = takeover(sluice)
        assert int(shown(sluice)["before_pid"]) == old.pid
        until(lambda: shown(sluice)["clients_taken"] == "2")
        # Everything that it had set is where it was.
        assert a.execute("SHOW timezone").fetchone() == ("Asia/Tokyo",)
        assert a.execute("SELECT v FROM t WHERE id = %s", (1,)).fetchone() == \
            ("one",)
        assert a.execute("EXECUTE mine(41)", prepare=False).fetchone() == (42,)
        assert a.info.backend_pid == key
        assert a.execute("SHOW application_name").fetchone() == ("mover",)
        assert b.execute("SELECT 1").fetchone() == (1,)
        rows = [r for r in sluice.console("SHOW CLIENTS")
                if r["application_name"] == "mover"]
        assert len(rows) == 1
        # The other one ends its transaction there, and follows.
        assert old.poll() is None
        busy.execute("COMMIT")
        assert busy.execute("SELECT v FROM t WHERE id = 2").fetchone() == \
            ("two",)
        assert old.wait(10) == 0
        until(lambda: shown(sluice)["before"] == "has ended")
        assert shown(sluice)["clients_taken"] == "3"
        assert shown(sluice)["clients_refused"] == "0"
        assert sluice.http("/readyz")[0] == 200


def test_what_is_written_there_is_seen_here(sluice):
    with plain(sluice) as writer, plain(sluice) as reader:
        writer.execute("BEGIN")
        writer.execute("UPDATE t SET v = 'new' WHERE id = 1")
        old = takeover(sluice)
        until(lambda: shown(sluice)["clients_taken"] == "1")
        sluice.wait_watched()

        def read():
            return reader.execute("SELECT v FROM t WHERE id = 1").fetchone()[0]

        # The first statement brings a server, by whose settings results are
        # told apart.
        until(lambda: read() == "one" and sluice.count("cache_hits_l1") > 0)
        writer.execute("COMMIT")
        assert read() == "new"
        assert old.wait(10) == 0


def value(c):
    # A statement that is sent in another form is another question.
    c.prepare_threshold = None
    return c.execute("SELECT v FROM t WHERE id = 1").fetchone()[0]


def write_past(pg, db, v):
    """By a connection of its own, of which no rule hears."""
    with pg.connect(db) as c:
        c.execute("UPDATE t SET v = %s WHERE id = 1", (v,))


def test_both_go_on_with_their_caches(sluice, pg, db):
    """What is written in one process ends results of the other."""
    with plain(sluice) as busy, plain(sluice) as writer:
        until(lambda: value(busy) == "one" and
              sluice.count("cache_hits_l1") > 0)
        busy.execute("BEGIN")
        assert value(busy) == "one"
        old = takeover(sluice)
        until(lambda: shown(sluice)["clients_taken"] == "1")
        write_past(pg, db, "past")
        assert value(busy) == "one"
        writer.execute("UPDATE t SET v = 'new' WHERE id = 1")
        assert value(busy) == "new"
        busy.execute("COMMIT")
        assert old.wait(10) == 0


def asked_again(sluice, c):
    """It is in memory, and was hit."""
    hits = sluice.count("cache_hits_l1")
    until(lambda: value(c) == "one" and sluice.count("cache_hits_l1") > hits)


def at_home(sluice, c):
    """Catalogs have been read anew, and the client has a pool: by its servers'
    settings results are told apart."""
    until(lambda: shown(sluice)["clients_taken"] == "1")
    sluice.wait_watched()
    c.execute("SELECT 1")


def test_results_in_memory_go_along(sluice, pg, db):
    with plain(sluice) as reader, plain(sluice) as writer:
        asked_again(sluice, reader)
        writer.execute("BEGIN")
        writer.execute("INSERT INTO other VALUES (1)")
        old = takeover(sluice)
        assert shown(sluice)["results_taken"] == "1"
        at_home(sluice, reader)
        write_past(pg, db, "past")
        with sluice.counting(cache_inherited=1, cache_hits_l1=2,
                             cache_misses=0):
            assert value(reader) == value(reader) == "one"
        # What is written in either process ends them.
        writer.execute("UPDATE t SET v = 'new' WHERE id = 1")
        assert value(reader) == "one"
        writer.execute("COMMIT")
        assert value(reader) == "new"
        assert old.wait(10) == 0


def test_results_that_a_write_overtakes(sluice):
    """Copied, and written behind that, before they are asked for."""
    with plain(sluice) as reader, plain(sluice) as writer:
        asked_again(sluice, reader)
        writer.execute("BEGIN")
        writer.execute("UPDATE t SET v = 'new' WHERE id = 1")
        old = takeover(sluice)
        assert shown(sluice)["results_taken"] == "1"
        writer.execute("COMMIT")
        assert old.wait(10) == 0
        until(lambda: shown(sluice)["clients_taken"] == "2")
        sluice.wait_watched()
        reader.execute("SELECT 1")
        assert value(reader) == "new"
        assert sluice.count("cache_inherited") == 0


def test_results_that_are_invalidated_by_name(sluice, pg, db):
    with plain(sluice) as reader, plain(sluice) as writer:
        asked_again(sluice, reader)
        writer.execute("BEGIN")
        writer.execute("INSERT INTO other VALUES (1)")
        old = takeover(sluice)
        assert shown(sluice)["results_taken"] == "1"
        at_home(sluice, reader)
        write_past(pg, db, "past")
        sluice.console("INVALIDATE KEY '*'")
        assert value(reader) == "past"
        writer.execute("COMMIT")
        assert old.wait(10) == 0


def test_another_configuration(sluice, pg, db):
    """By which results are told apart otherwise: the process before leaves its
    cache alone, and what is written there ends all results here."""
    with plain(sluice) as busy, plain(sluice) as reader:
        until(lambda: value(busy) == "one" and
              sluice.count("cache_hits_l1") > 0)
        busy.execute("BEGIN")
        assert value(busy) == "one"
        sluice.rewrite(CONF.replace("ttl = 60s",
                                    'ttl = 60s keys = {"t.id"}'))
        old = takeover(sluice)
        until(lambda: shown(sluice)["clients_taken"] == "1")
        until(lambda: [r["state"] for r in
                       sluice.console("SHOW CACHE KEYS")] == ["in use"])
        write_past(pg, db, "past")
        assert value(busy) == "past"
        hits = sluice.count("cache_hits_l1")
        until(lambda: value(reader) == "past" and
              sluice.count("cache_hits_l1") > hits)
        busy.execute("UPDATE t SET v = 'new' WHERE id = 1")
        assert value(reader) == "past"
        busy.execute("COMMIT")
        assert value(reader) == "new"
        assert old.wait(10) == 0


def test_settings_stay_while_both_live(sluice):
    with plain(sluice) as busy:
        busy.execute("BEGIN")
        busy.execute("SELECT 1")
        old = takeover(sluice)
        sluice.console("RELOAD")
        good = open(sluice.conf, encoding="utf-8").read()
        sluice.write_conf(good.replace("ttl = 60s", "ttl = 50s"))
        for command in ("RELOAD", "SET query_timeout = '7s'"):
            with pytest.raises(Exception, match="has not ended"):
                sluice.console(command)
        busy.execute("COMMIT")
        assert old.wait(10) == 0
        until(lambda: shown(sluice)["before"] == "has ended")
        sluice.console("RELOAD")


def test_cancel_reaches_the_process_before(sluice):
    failed = []
    with plain(sluice) as c:
        c.execute("SELECT 1")

        def sleep():
            try:
                c.execute("SELECT pg_sleep(60)")
            except psycopg.errors.QueryCanceled as e:
                failed.append(e)

        t = threading.Thread(target=sleep)
        t.start()
        until(lambda: any(r["state"] == "active"
                          for r in sluice.console("SHOW CLIENTS")
                          if r["database"] == "app"))
        old = takeover(sluice)
        c.cancel()
        t.join(20)
        assert len(failed) == 1
        assert c.execute("SELECT 1").fetchone() == (1,)
        assert old.wait(10) == 0
        # Of a key that nobody has.
        with contextlib.closing(socket.create_connection(
                (sluice.host, sluice.port))) as s:
            s.sendall(rawpg.cancel_request(12345, b"\0\0\0\0"))
            assert s.recv(1) == b""


def test_tls_clients_are_closed_when_idle(sluice):
    with contextlib.closing(rawpg.RawConn(
            sluice.host, sluice.port, "app", "app", tls=True)) as idle, \
            sluice.connect(sslmode="require") as c, \
            plain(sluice) as pinned:
        c.execute("BEGIN")
        pinned.execute("CREATE TEMP TABLE mine (id int)")
        old = takeover(sluice)
        until(lambda: "it holds a server" in sluice.log)
        # Nothing was asked, so nothing can have been lost.
        kind, body = idle.recv_message()
        said = rawpg.error_fields(body)
        assert (kind, said["S"], said["C"]) == ("E", "FATAL", "57P01")
        assert RESTARTED in said["M"] and "keys" in said["D"]
        assert c.execute("SELECT 7").fetchone() == (7,)
        with pytest.raises(psycopg.OperationalError, match=RESTARTED):
            pinned.execute("SELECT 1")
        c.execute("COMMIT")
        with pytest.raises(psycopg.OperationalError, match=RESTARTED):
            c.execute("SELECT 1")
        assert old.wait(10) == 0
    until(lambda: shown(sluice)["before"] == "has ended")
    assert shown(sluice)["before_closed_tls"] == "2"
    assert shown(sluice)["before_closed_server"] == "1"


def test_a_bad_successor_changes_nothing(sluice):
    with plain(sluice) as c:
        good = open(sluice.conf, encoding="utf-8").read()
        for bad, why in (("nonsense = 1\n" + good, "nonsense"),
                         (good.replace("$DIR", "").replace(
                             f'unix_socket_dir = "{sluice.holes["DIR"]}"',
                             'unix_socket_dir = "/nowhere"'), "/nowhere")):
            sluice.write_conf(bad)
            with pytest.raises(Exception, match="there was no takeover") as e:
                sluice.console("TAKEOVER")
            assert why in str(e.value)
            assert c.execute("SELECT 1").fetchone() == (1,)
        until(lambda: shown(sluice)["failures"] == "2")
        assert sluice.psql("SELECT 5")[1] == "5"
        sluice.write_conf(good)
        old = takeover(sluice)
        assert c.execute("SELECT 1").fetchone() == (1,)
        assert old.wait(10) == 0


def test_ten_takeovers_under_load(sluice):
    errors, done, counts = [], threading.Event(), [0] * 4

    def work(i):
        try:
            with plain(sluice) as c:
                while not done.is_set():
                    c.execute("SET statement_timeout TO %d" % (60001 + i))
                    with c.transaction():
                        c.execute("SELECT v FROM t WHERE id = 1")
                    assert c.execute("SHOW statement_timeout").fetchone() == \
                        ("%dms" % (60001 + i),)
                    counts[i] += 1
        except Exception as e:  # told below
            errors.append(repr(e))

    def come_and_go():
        try:
            while not done.is_set():
                assert sluice.query("SELECT 1") == [(1,)]
        except Exception as e:
            errors.append(repr(e))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    threads.append(threading.Thread(target=come_and_go))
    for t in threads:
        t.start()
    for _ in range(10):
        before = sum(counts)
        old = takeover(sluice)
        assert old.wait(20) == 0
        until(lambda n=before: sum(counts) > n + 4)
    done.set()
    for t in threads:
        t.join(20)
    assert errors == []
    assert len(started(sluice)) == 11


def test_redis_hears_of_a_write_first(sluice, redis):
    """A client that moved before would read there what was before its own
    write."""
    with open(sluice.conf, encoding="utf-8") as f:
        text = f.read().replace("takeover_timeout = 1s",
                                "takeover_timeout = 20s")
    sluice.write_conf(f'redis_host = "127.0.0.1"\nredis_port = {redis.port}\n'
                      'redis_retry = "100ms"\n' + text)
    sluice.stop()
    sluice.start()
    until(sluice.on_redis)
    with plain(sluice) as c:
        assert value(c) == "one"
        redis.freeze()
        try:
            c.execute("UPDATE t SET v = 'new' WHERE id = 1")
            old = takeover(sluice)
            for _ in range(10):
                time.sleep(0.05)
                assert shown(sluice)["clients_taken"] == "0"
            assert value(c) == "new"
        finally:
            redis.thaw()
        until(lambda: shown(sluice)["clients_taken"] == "1")
        assert value(c) == "new"
        assert old.wait(10) == 0


def test_the_service_manager_is_told(pg, db, pgsluice, lab, certificate):
    path = os.path.join(lab.work, "notify")
    with contextlib.closing(socket.socket(socket.AF_UNIX,
                                          socket.SOCK_DGRAM)) as s:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        s.bind(path)
        os.chmod(path, 0o777)
        s.settimeout(10)
        cert, key = certificate
        sluice = pgsluice(CONF, environment={"NOTIFY_SOCKET": path},
                          CERT=cert, KEY=key)
        if b"READY=1" not in s.recv(4096):
            pytest.fail("not ready")
        old = sluice.proc
        old.send_signal(signal.SIGUSR2)
        # The new one is ready before the old one says that it counts.
        assert b"READY=1" in s.recv(4096)
        said = s.recv(4096).decode()
        until(lambda: len(started(sluice)) == 2)
        sluice.proc = Successor(started(sluice)[-1])
        assert said.splitlines()[0] == f"MAINPID={sluice.proc.pid}"
        assert old.wait(10) == 0
        s.settimeout(0.2)
        with pytest.raises(socket.timeout):
            s.recv(4096)
