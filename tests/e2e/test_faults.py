# SPDX-License-Identifier: PostgreSQL
"""What goes wrong concerns those whom it concerns, is said clearly, and is
over when its cause is."""

import resource
import signal
import socket
import struct
import threading
import time

import psycopg
import pytest

import rawpg
from harness import (DEFAULT_CONF, Cluster, Deadline, lablib, until, whole)

CONF = """
auth = "trust"
admin_users = {"app"}
pool_size = $SIZE
query_wait_timeout = "$WAIT"
server_connect_timeout = "3s"
server_login_retry = "200ms"
message_timeout = "2s"
client_login_timeout = "2s"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
"""


@pytest.fixture
def make(pg, db, pgsluice):
    def start(size=4, wait="3s", **holes):
        return pgsluice(CONF, SIZE=size, WAIT=wait, **holes)
    return start


@pytest.fixture
def cluster(lab):
    """A PostgreSQL that may be stopped without harm to other tests."""
    c = Cluster(lab, f"pg{time.monotonic_ns()}")
    c.start()
    yield c
    c.stop()
    lab.services.remove(c)


def works(sluice, **kw):
    try:
        return sluice.query("SELECT 1", **kw) == [(1,)]
    except psycopg.Error:
        return False


# -- backends -----------------------------------------------------------------

def test_backend_down_at_the_start(cluster, pgsluice):
    cluster.stop()
    sluice = pgsluice(CONF, PG=cluster.port, DB="postgres", SIZE=2,
                      WAIT="1s")
    assert sluice.http("/healthz")[0] == 200
    for _ in range(3):
        with Deadline(8), pytest.raises(psycopg.Error) as e:
            sluice.query("SELECT 1")
        assert "main" in str(e.value)
    cluster.start()
    until(lambda: works(sluice), 20)


def test_backend_killed_in_the_middle_of_queries(cluster, pgsluice):
    sluice = pgsluice(CONF, PG=cluster.port, DB="postgres", SIZE=4,
                      WAIT="3s")
    clients = [sluice.wire() for _ in range(4)]
    idle = sluice.connect()
    idle.execute("SELECT 1")
    for w in clients:
        w.sock.settimeout(10)
        w.sock.sendall(w.query_message("SELECT pg_sleep(60)"))
    until(lambda: len(cluster.pids(usename="app", state="active")) == 4)
    with Deadline(10):
        cluster.crash()
        for w in clients:
            data = b""
            while more := w.sock.recv(65536):
                data += more
            assert b"C08" in data or b"C57P0" in data
    cluster.start()
    until(lambda: works(sluice), 20)
    # Who was idle has not been disturbed.
    assert idle.execute("SELECT 2").fetchone() == (2,)
    for c in [*clients, idle]:
        c.close()


def test_one_backend_down_concerns_its_users_only(pg, db, cluster, pgsluice):
    sluice = pgsluice(CONF + """
        backend "dead" { conninfo = "host=127.0.0.1 port=$OTHER dbname=x" }
        database "dead" { backend = "dead" }
    """, SIZE=2, WAIT="1s", OTHER=lablib.free_port())
    slow = []

    def bother():
        for _ in range(3):
            works(sluice, dbname="dead")
    t = threading.Thread(target=bother)
    t.start()
    with sluice.connect() as conn:
        while t.is_alive() or not slow:
            began = time.monotonic()
            assert conn.execute("SELECT 1").fetchone() == (1,)
            slow.append(time.monotonic() - began)
    t.join()
    assert max(slow) < 1, "the healthy backend had to wait"


def test_no_storm_of_connects_on_a_dead_backend(pgsluice):
    """server_login_retry is 200 ms and doubles."""
    sluice = pgsluice(CONF, SIZE=4, WAIT="100ms", PG=lablib.free_port(),
                      DB="x")
    end = time.monotonic() + 2
    tries = 0
    while time.monotonic() < end:
        assert not works(sluice)
        tries += 1
    assert sluice.count("server_connect_failures") <= 10, tries


def test_idle_server_terminated_is_never_noticed(make, pg, db):
    sluice = make(3)
    with sluice.connect() as conn:
        for _ in range(10):
            (pid,) = conn.execute("SELECT pg_backend_pid()").fetchone()
            pg.psql(f"SELECT pg_terminate_backend({pid})")
            until(lambda: pid not in pg.pids(datname=db))
            assert conn.execute("SELECT 1").fetchone() == (1,)


def test_server_terminated_in_a_transaction(make, pg):
    sluice = make(2)
    conn = sluice.connect()
    conn.execute("BEGIN")
    (pid,) = conn.execute("SELECT pg_backend_pid()").fetchone()
    pg.psql(f"SELECT pg_terminate_backend({pid})")
    with pytest.raises(psycopg.OperationalError):
        conn.execute("SELECT 1")
        conn.execute("SELECT 1")
    conn.close()
    assert works(sluice)


def test_server_terminated_while_it_answers(make, pg, db):
    sluice = make(2)
    with sluice.wire() as w:
        w.sock.sendall(w.query_message(
            "SELECT repeat('x', 1000) FROM generate_series(1, 3000000)"))
        w.sock.recv(1000)
        (pid,) = pg.pids(datname=db, usename="app", state="active")
        pg.psql(f"SELECT pg_terminate_backend({pid})")
        w.sock.settimeout(20)
        tail = b""
        try:
            while data := w.sock.recv(1 << 20):
                tail = (tail + data)[-4000:]
        except ConnectionError:
            pass
    # The end of the connection, or an error: never the end of the result.
    assert b"SELECT 3000000" not in tail
    assert works(sluice)


def test_no_more_connections_at_the_backend(lab, pgsluice):
    cluster = Cluster(lab, f"pg{time.monotonic_ns()}", settings={
        "max_connections": "8", "superuser_reserved_connections": "3",
        "max_wal_senders": "0"})
    cluster.start()
    try:
        sluice = pgsluice(CONF, PG=cluster.port, DB="postgres", SIZE=20,
                          WAIT="10s")
        answers = []

        def ask():
            with sluice.connect() as conn:
                answers.append(conn.execute(
                    "SELECT pg_sleep(0.2)").rowcount)
        threads = [threading.Thread(target=ask) for _ in range(15)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(30)
        # Five at a time is what there is; the others wait for these.
        assert len(answers) == 15
        sluice.stop()
    finally:
        cluster.stop()
        lab.services.remove(cluster)


def test_backend_freezes(cluster, pgsluice):
    """What it says after it has thawed goes to nobody but the asker."""
    sluice = pgsluice(CONF + 'query_timeout = "1s"\n', PG=cluster.port,
                      DB="postgres", SIZE=2, WAIT="2s")
    assert works(sluice)
    pids = cluster.pids(usename="app")
    import os
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        for n in range(len(pids)):
            with Deadline(8), pytest.raises(psycopg.Error):
                sluice.query(f"SELECT 'frozen {n}'")
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    for n in range(20):
        assert sluice.query(f"SELECT 'token {n}'") == [(f"token {n}",)]


# -- clients ------------------------------------------------------------------

def half_open(sluice, data):
    s = socket.create_connection(("127.0.0.1", sluice.port))
    s.sendall(data)
    s.settimeout(10)
    return s


def startup():
    body = b"user\0app\0database\0app\0\0"
    return struct.pack("!II", len(body) + 8, 196608) + body


def logged_in(sluice):
    w = sluice.wire()
    w.sock.settimeout(10)
    return w


@pytest.mark.parametrize("cut", [1, 4, 5, 7, 20])
def test_half_a_startup_then_silence(make, cut):
    sluice = make()
    with half_open(sluice, startup()[:cut]) as s, Deadline(8):
        while s.recv(1000):
            pass
    assert works(sluice)


def test_half_a_message_then_silence(make, pg, db):
    """It is closed in time, and no server was held for it."""
    sluice = make(1)
    message = whole("SELECT 1, repeat('x', 100)")
    for cut in (1, 3, 5, 10, len(message) - 1):
        with logged_in(sluice) as w:
            w.sock.sendall(message[:cut])
            # Everybody else goes on meanwhile.
            assert works(sluice)
            with Deadline(8):
                try:
                    while w.sock.recv(1000):
                        pass
                except ConnectionError:
                    pass
    assert not pg.pids(datname=db, state="idle in transaction")


def test_every_cut_then_gone(make, pg, db):
    """Cut at every byte, then FIN or RST: nothing of it runs, the server
    stays in order."""
    sluice = make(1)
    sluice.query("CREATE TABLE t (a int)")
    message = whole("INSERT INTO t VALUES (1)")
    without_sync = len(message) - 5
    for cut in range(0, without_sync):
        with logged_in(sluice) as w:
            if cut % 2:
                w.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                  struct.pack("ii", 1, 0))
            w.sock.sendall(message[:cut])
        if cut % 8 == 0:
            assert sluice.query("SELECT 'mine'") == [("mine",)]
    assert sluice.query("SELECT count(*) FROM t") == [(0,)]
    assert not pg.pids(datname=db, state="idle in transaction")
    until(lambda: sluice.metric("pgsluice_clients") == 0)


def test_one_byte_at_a_time(make):
    sluice = make()
    with socket.create_connection(("127.0.0.1", sluice.port)) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.settimeout(20)
        out = startup() + rawpg.query("SELECT 'a'") + \
            whole("SELECT $1::text", [b"bcd"])
        for n in range(len(out)):
            s.sendall(out[n:n + 1])
        data = b""
        while data.count(b"Z\0\0\0\5I") < 3:
            more = s.recv(65536)
            assert more, data
            data += more
    assert b"SELECT 1\0" in data and b"\0\0\0\3bcd" in data


def test_goodbye_right_behind_a_statement(make):
    """As with a server: what was sent before Terminate is still done."""
    sluice = make()
    sluice.query("CREATE TABLE t (a int)")
    for n in range(20):
        with logged_in(sluice) as w:
            w.sock.sendall(w.query_message(f"INSERT INTO t VALUES ({n})") +
                           rawpg.terminate())
    until(lambda: sluice.query("SELECT count(*) FROM t") == [(20,)])


def test_garbage_after_login(make):
    sluice = make()
    with logged_in(sluice) as w, Deadline(10):
        try:
            w.sock.sendall(b"\xff\x00\x00\x10\x00" + b"\xaa" * 4096)
            w.sock.sendall(b"\xaa" * (1 << 20))
            while w.sock.recv(65536):
                pass
        except ConnectionError:
            pass
    assert works(sluice)


@pytest.mark.parametrize("length", [0, 3, 0x7fffffff, 0x80000000, 0xffffffff])
def test_impossible_lengths(make, length):
    sluice = make()
    before = sluice.metric("process_resident_memory_bytes")
    heads = [struct.pack("!I", length), b"Q" + struct.pack("!I", length)]
    for n, head in enumerate(heads):
        if n == 0:
            s = half_open(sluice, head)
        else:
            s = logged_in(sluice).sock
            s.sendall(head)
        with s, Deadline(8):
            try:
                while s.recv(1000):
                    pass
            except ConnectionError:
                pass
    assert works(sluice)
    assert sluice.metric("process_resident_memory_bytes") < \
        before + (16 << 20)


def test_client_killed_in_the_middle_of_a_query(make, pg, db):
    sluice = make(1)
    for hard in (False, True):
        w = logged_in(sluice)
        w.sock.sendall(w.query_message("SELECT pg_sleep(60)"))
        until(lambda: pg.pids(datname=db, usename="app", state="active"))
        if hard:
            w.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                              struct.pack("ii", 1, 0))
        with Deadline(10):
            w.close()
            # The server is not kept busy for nobody.
            assert works(sluice)
    assert not pg.pids(datname=db, usename="app", state="active")


def test_client_gone_in_the_middle_of_a_copy(make, pg, db):
    sluice = make(1)
    sluice.query("CREATE TABLE t (a text)")
    w = logged_in(sluice)
    w.sock.sendall(w.query_message("COPY t FROM STDIN"))
    assert w.sock.recv(1) == b"G"
    w.sock.sendall(rawpg.message(b"d", b"one\n" * 1000) + b"d\0\0")
    w.close()
    with Deadline(10):
        assert sluice.query("SELECT count(*) FROM t") == [(0,)]


def test_a_client_that_does_not_read(make):
    """Its answer waits in its own socket; memory does not grow, others are
    served."""
    sluice = make(2)
    before = sluice.metric("process_resident_memory_bytes")
    with logged_in(sluice) as w:
        w.sock.sendall(w.query_message(
            "SELECT repeat('x', 10000) FROM generate_series(1, 50000)"))
        with sluice.connect() as conn:
            for n in range(300):
                assert conn.execute("SELECT %s::int",
                                    (n,)).fetchone() == (n,)
        assert sluice.metric("process_resident_memory_bytes") < \
            before + (32 << 20)
        first = w.sock.recv(65536)
        assert len(w.rest(first)) > 50000 * 10000


def test_a_client_that_only_writes(make):
    """Pipelined statements whose answers nobody takes: bounded, then it
    waits; when it reads, every answer is there."""
    sluice = make(2)
    before = sluice.metric("process_resident_memory_bytes")
    one = whole("SELECT repeat('x', 1000)")
    with logged_in(sluice) as w:
        w.sock.setblocking(False)
        out, sent = one * 20000, 0
        end = time.monotonic() + 3
        while sent < len(out) and time.monotonic() < end:
            try:
                sent += w.sock.send(out[sent:sent + 65536])
            except BlockingIOError:
                assert works(sluice)
        assert sluice.metric("process_resident_memory_bytes") < \
            before + (64 << 20)
        answers, rest = 0, b""
        w.sock.settimeout(20)
        while answers < sent // len(one):
            data = rest + w.sock.recv(1 << 20)
            answers += data.count(b"Z\0\0\0\5I")
            rest = data[-5:] if not data.endswith(b"Z\0\0\0\5I") else b""
            if sent < len(out):
                w.sock.settimeout(20)
                sent += w.sock.send(out[sent:sent + 65536])


def test_out_of_file_descriptors(pg, db, pgsluice):
    """Too many for the process: the newcomers are turned away, those who are
    in work, and it is over when some leave."""
    sluice = pgsluice(CONF, SIZE=2, WAIT="5s", start=False)
    sluice.spawn()
    resource.prlimit(sluice.pid, resource.RLIMIT_NOFILE, (80, 80))
    sluice.wait_ready()
    inside = sluice.connect()
    inside.execute("SELECT 1")
    crowd = []
    for _ in range(150):
        s = socket.create_connection(("127.0.0.1", sluice.port))
        crowd.append(s)
    for n in range(20):
        assert inside.execute("SELECT %s::int", (n,)).fetchone() == (n,)
    for s in crowd:
        s.close()
    until(lambda: works(sluice), 20)
    inside.close()


def test_term_while_a_transaction_is_open(make):
    sluice = make()
    sluice.query("CREATE TABLE t (a int)")
    conn = sluice.connect()
    conn.execute("BEGIN")
    conn.execute("INSERT INTO t VALUES (1)")
    sluice.proc.send_signal(signal.SIGTERM)
    conn.execute("INSERT INTO t VALUES (2)")
    conn.execute("COMMIT")
    with Deadline(15):
        assert sluice.proc.wait(20) == 0
    conn.close()
    sluice.stop()


def test_int_is_fast(make):
    sluice = make()
    conn = sluice.connect()
    conn.execute("BEGIN")
    conn.execute("SELECT 1")
    sluice.proc.send_signal(signal.SIGINT)
    with Deadline(5):
        sluice.proc.wait(20)
    with pytest.raises(psycopg.OperationalError):
        conn.execute("SELECT 1")
    sluice.proc = None


def test_stopped_for_a_while(pg, db, pgsluice):
    """As by a debugger, or a machine that is moved: lives go on meanwhile, limits
    do not end everybody at once, and nobody gets what was another's."""
    pg.psql("SET ROLE app; CREATE TABLE t (v int); INSERT INTO t VALUES (1)",
            db)
    sluice = pgsluice(CONF + """
table "t" { variant "t" { kind = "plain" backend = "main" relation = "t" } }
cache "t" { tables = {"t"} ttl = "2s" grace = "0s" }
""", SIZE=2, WAIT="1s")
    idle = [sluice.connect() for _ in range(8)]
    assert idle[0].execute("SELECT v FROM t").fetchone() == (1,)
    assert idle[1].execute("SELECT v FROM t").fetchone() == (1,)
    pg.psql("UPDATE t SET v = 2", db)
    sluice.freeze()
    time.sleep(3)
    sluice.thaw()
    for n, c in enumerate(idle):
        assert c.execute("SELECT v FROM t").fetchone() == (2,)
        assert c.execute("SELECT %s::int", (n,)).fetchone() == (n,)
        c.close()


def test_nowhere_to_log_to(make, lab):
    """The log's disk is full: lines are lost and counted, nothing else."""
    sluice = make()
    sluice.stop()
    log, sluice.logfile = sluice.logfile, "/dev/full"
    sluice.start()
    for n in range(20):
        assert sluice.query("SELECT %s::int", (n,)) == [(n,)]
        with pytest.raises(psycopg.Error):
            sluice.query("SELECT 1", dbname="none")
    until(lambda: sluice.metric("pgsluice_log_lines_dropped_total") > 0)
    sluice.logfile = log
    sluice.stop()


def test_address_in_use(make, pgsluice, pg, db):
    sluice = make()
    second = pgsluice(DEFAULT_CONF, start=False, PORT=sluice.port)
    second.spawn()
    if second.proc.wait(20) == 0:
        raise AssertionError("two on one port")
    assert str(sluice.port) in second.log
    second.proc = None
    assert works(sluice)


def test_killed_and_started_again(make, pgsluice, pg, db):
    """Nothing of the old process is in the way of the new one."""
    sluice = make(2)
    conn = sluice.connect()
    conn.execute("BEGIN")
    conn.execute("CREATE TABLE t (a int)")
    sluice.kill()
    with Deadline(10):
        sluice.start()
        assert works(sluice)
    # What was not committed is not there, and its server is gone.
    until(lambda: not pg.pids(datname=db, state="idle in transaction"))
    with pytest.raises(psycopg.errors.UndefinedTable):
        sluice.query("SELECT * FROM t")
    conn.close()
