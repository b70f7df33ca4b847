# SPDX-License-Identifier: PostgreSQL
"""What befell others and has no better place: see tests/lessons.md."""

import base64
import contextlib
import socket
import ssl
import struct
import threading

import psycopg
import pytest

import rawpg
from harness import Deadline, bound, private_file, until
from rawpg import (Closed, RawConn, bind, cstr, execute, flush, message,
                   parse, query, sync, text_rows)

CONF = """
auth = "trust"
pool_size = $SIZE
message_timeout = "1s"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB$MORE" }
database "app" { backend = "main" cache = true }
cache "rows" { tables = {"t"} ttl = "60s" l2 = false }
"""


@pytest.fixture
def make(pg, db, pgsluice):
    pg.psql("SET ROLE app; CREATE TABLE t (a int PRIMARY KEY, b text)", db)
    return lambda size=2: pgsluice(CONF, SIZE=size, MORE="")


def client(sluice):
    return RawConn("127.0.0.1", sluice.port, "app", "app", timeout=30)


def in_threads(count, fn):
    """fn(n) in as many threads; what it raised, if anything."""
    problems = []

    def run(n):
        try:
            fn(n)
        except Exception as e:  # noqa: told below
            problems.append(repr(e))
    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert not problems, problems[:3]
    assert not any(t.is_alive() for t in threads)


# -- S5: a backend is a stranger, too -------------------------------------------

SALT = base64.b64encode(b"salt").decode()

SERVER_FIRST = {
    "nonce of 64 kB": lambda n: f"r={n}{'x' * 65536},s={SALT},i=4096",
    "nonce of another": lambda n: f"r=other,s={SALT},i=4096",
    "no nonce of its own": lambda n: f"r={n},s={SALT},i=4096",
    "no iterations": lambda n: f"r={n}x,s={SALT},i=0",
    "negative": lambda n: f"r={n}x,s={SALT},i=-1",
    "beyond 32 bits": lambda n: f"r={n}x,s={SALT},i=4294967296",
    "no base64": lambda n: f"r={n}x,s=?!,i=4096",
    "no salt": lambda n: f"r={n}x,s=,i=4096",
    "fields missing": lambda n: f"r={n}x",
    "nothing": lambda n: "",
    "not finished": lambda n: f"r={n}x,s={SALT},i=4096,e",
}


def scram_server(listener, server_first, tls=None):
    """Plays the server up to its first message, and some of the last."""
    with contextlib.suppress(OSError):
        while True:
            conn = listener.accept()[0]
            with contextlib.suppress(OSError, IndexError, struct.error):
                scram_exchange(conn, server_first, tls)
            conn.close()


def scram_exchange(conn, server_first, tls):
    conn.settimeout(5)
    while True:
        n, code = struct.unpack("!II", conn.recv(8))
        if code not in (rawpg.SSL_CODE, rawpg.GSS_CODE):
            break
        if tls is not None and code == rawpg.SSL_CODE:
            conn.sendall(b"S")
            conn = tls.wrap_socket(conn, server_side=True)
        else:
            conn.sendall(b"N")
    with conn:
        conn.recv(n)
        conn.sendall(message("R", struct.pack("!I", 10) +
                             cstr("SCRAM-SHA-256") + b"\0"))
        nonce = conn.recv(4096).split(b"r=")[1].decode()
        conn.sendall(message("R", struct.pack("!I", 11) +
                             server_first(nonce).encode()))
        conn.recv(4096)
        conn.sendall(message("R", struct.pack("!I", 12) + b"v=?"))


@pytest.mark.parametrize("name", SERVER_FIRST)
def test_backend_that_cannot_scram(pgsluice, name):
    """Its words are refused by whoever reads them, and nobody else is hurt."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(
            target=scram_server, args=(listener, SERVER_FIRST[name]),
            daemon=True)
        thread.start()
        sluice = pgsluice(CONF, PG=listener.getsockname()[1], DB="x", SIZE=2,
                          MORE=" password=secret")
        with Deadline(15), pytest.raises(psycopg.OperationalError) as e:
            sluice.connect()
        assert 'could not connect to backend "main"' in str(e.value)
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    assert sluice.http("/healthz")[0] == 200


# -- S20: bytes that are only promised --------------------------------------------

PROMISED = 60 * 1024 * 1024


def resident(sluice):
    with open(f"/proc/{sluice.proc.pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f
                    if line.startswith("VmRSS"))


def test_no_memory_for_what_is_promised(make):
    """Many clients announce large messages and send a byte of them; what each
    costs is what a client costs that is in the middle of a small one."""
    sluice = make()
    with contextlib.ExitStack() as stack:
        def promise(kind, length, count=100):
            before = resident(sluice)
            for _ in range(count):
                c = stack.enter_context(client(sluice))
                c.send(kind + struct.pack("!I", length) + b"x")
            until(lambda: sluice.metric("pgsluice_clients") >= count)
            # The last one has been read when another has its answer.
            with client(sluice) as c:
                assert c.ask_rows("SELECT 1") == [("1",)]
            return (resident(sluice) - before) / count
        promise(b"Q", 100)
        small = promise(b"Q", 100)
        for kind in (b"Q", b"P", b"B", b"F"):
            length = PROMISED if kind != b"P" else 15 * 1024 * 1024
            assert promise(kind, length) < small + 128, kind


# -- S21: a backend that makes others compute -----------------------------------

FOREVER = 2 ** 31 - 1

GREEDY = """
auth = "trust"
workers = 2
server_connect_timeout = "30s"
server_login_retry = "10ms"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
backend "greedy" { conninfo = "host=127.0.0.1 port=$GREEDY password=secret$MORE" }
database "greedy" { backend = "greedy" }
"""


@pytest.fixture
def greedy(certificate):
    """Ports of a server that asks for as many iterations as can be said: in
    clear, and by TLS."""
    asked = []

    def server_first(nonce):
        asked.append(nonce)
        return f"r={nonce}x,s={SALT},i={FOREVER}"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    threads = [threading.Thread(target=scram_server,
                                args=(one, server_first, tls), daemon=True)
               for one, tls in zip(listeners, (None, context))]
    for t in threads:
        t.start()
    yield [one.getsockname()[1] for one in listeners], asked
    for one, t in zip(listeners, threads):
        one.shutdown(socket.SHUT_RDWR)
        t.join(10)
        one.close()


@pytest.mark.parametrize("tls", [False, True])
def test_a_backend_that_asks_for_endless_scram(pgsluice, pg, db, greedy, tls):
    """What libpq would compute for half an hour is refused; every connector
    thread goes on, and the other backend is connected to."""
    ports, asked = greedy
    sluice = pgsluice(GREEDY, GREEDY=ports[tls], MORE=" sslmode=" + (
        "require" if tls else "disable"))
    with Deadline(60):
        for n in range(3):
            with pytest.raises(psycopg.OperationalError) as e:
                sluice.connect("greedy", user=f"u{n}")
            assert 'could not connect to backend "greedy"' in str(e.value)
    assert len(asked) >= 3
    sluice.wait_log("more than 1000000 iterations of SCRAM")
    with Deadline(30):
        assert sluice.query("SELECT 1") == [(1,)]
        sluice.stop()


def test_endless_scram_holds_up_nobody(pgsluice, pg, db, greedy):
    """New servers elsewhere and statements, while it is tried all the time."""
    ports, asked = greedy
    sluice = pgsluice(GREEDY, GREEDY=ports[0], MORE=" sslmode=disable")
    stop = threading.Event()

    def insist(n):
        while not stop.is_set():
            with contextlib.suppress(psycopg.OperationalError):
                sluice.connect("greedy", user=f"u{n}").close()
    threads = [threading.Thread(target=insist, args=(n,)) for n in range(3)]
    for t in threads:
        t.start()
    try:
        until(lambda: len(asked) >= 4, timeout=60)
        for _ in range(3):
            # Each of these needs a new server.
            with Deadline(60):
                assert sluice.query("SELECT 1") == [(1,)]
                before = len(asked)
                pg.psql("SELECT pg_terminate_backend(pid) FROM "
                        f"pg_stat_activity WHERE datname = '{db}'")
                until(lambda: not pg.pids(datname=db))
        until(lambda: len(asked) > before, timeout=60)
    finally:
        stop.set()
        for t in threads:
            t.join(60)
    assert not any(t.is_alive() for t in threads)
    assert sluice.count("loop_stalls") == 0


def test_endless_scram_of_the_server_that_knows_the_users(pgsluice, pg, db,
                                                          greedy, lab):
    """auth_query has threads of its own: they give it up, too."""
    ports, asked = greedy
    users = private_file(f"{lab.work}/greedy.txt", '"app" "mine"\n')
    conf = GREEDY.replace("trust", "scram-sha-256") + f'''
        users_file = "{users}"
        auth_dbname = "greedy"
        auth_user = "looker"
    '''
    sluice = pgsluice(conf, GREEDY=ports[0], MORE=" sslmode=disable")
    with Deadline(60):
        for n in range(2):
            with pytest.raises(psycopg.OperationalError) as e:
                sluice.connect(user=f"u{n}", password="x")
            assert "could not be looked up" in str(e.value)
        assert sluice.query("SELECT 1", password="mine") == [(1,)]
        sluice.stop()
    assert asked
    sluice.wait_log("more than 1000000 iterations of SCRAM")


# -- S15: a message that was cut ----------------------------------------------

def test_nothing_runs_behind_a_message_that_was_cut(make, pg, db):
    """What a client sends after its half message timed out is no message,
    however much it looks like one."""
    sluice = make()
    script = (parse("", "SELECT $1::text") + bind("", "", [b"x"]) +
              execute() + sync() + query("SELECT 'a string'"))
    lure = query("INSERT INTO t VALUES (1)")
    starts = {pos for pos in range(len(script) + 1)
              if whole_messages(script, pos)}
    cuts = [pos for pos in range(len(script)) if pos not in starts]
    clients = []
    for cut in cuts:
        c = client(sluice)
        c.send(script[:cut])
        clients.append(c)
    for c in clients:
        with pytest.raises(Closed):
            while True:
                c.recv_message()
        with contextlib.suppress(Closed, OSError):
            c.send(lure)
        c.abort()
    assert len(cuts) > 50
    assert pg.psql("SELECT count(*) FROM t", db) == "0"


def whole_messages(script, pos):
    at = 0
    while at < pos:
        at += 1 + struct.unpack("!I", script[at + 1:at + 5])[0]
    return at == pos


# -- S17: values are never made into text -----------------------------------------

def test_a_negative_value_behind_a_minus(make):
    """Put into the text it would begin a comment."""
    with make().connect() as conn:
        for _ in range(3):  # a miss, a hit, a hit
            for sql in ("SELECT 10 -%s::int", "SELECT 10 -%s::int\n + 100",
                        "SELECT 10 -%s::int + count(*)::int FROM t"):
                for prepare in (False, True):
                    found, = conn.execute(sql, (-1,), prepare=prepare
                                          ).fetchone()
                    assert found == (111 if "100" in sql else 11)
        assert conn.execute("SELECT 10 -(-1)").fetchone() == (11,)


# -- S33: a COPY that fails early ---------------------------------------------------

def test_many_copies_that_fail_early(make):
    """The server gives up at the first row, the clients go on sending."""
    sluice = make(2)
    sluice.query("INSERT INTO t VALUES (1)")
    block = b"".join(b"%d\tx\n" % n for n in range(2000, 7000))

    def copy(_):
        with sluice.connect() as conn:
            with pytest.raises(psycopg.errors.UniqueViolation), \
                    conn.cursor().copy("COPY t FROM STDIN") as c:
                c.write(b"1\ttwice\n")
                for _ in range(40):
                    c.write(block)
            assert conn.execute("SELECT 'well'").fetchone() == ("well",)
    in_threads(16, copy)
    with sluice.connect() as one, sluice.connect() as two, Deadline(10):
        for conn in (one, two):
            conn.execute("BEGIN")
            assert conn.execute("SELECT count(*) FROM t").fetchone() == (1,)


# -- S36: without a Sync it is the same server ------------------------------------------

def test_flushed_messages_stay_on_their_server(make):
    """Parse and Flush, wait, the rest, while others take every server that
    is let go."""
    sluice = make(3)
    over = threading.Event()

    def churn(n):
        with sluice.connect() as conn:
            while not over.is_set():
                assert conn.execute("SELECT %s::int", (n,)
                                    ).fetchone() == (n,)

    def careful(_):
        with client(sluice) as c:
            for _ in range(100):
                c.send(parse("", "SELECT pg_backend_pid()") + flush())
                c.recv_until("1")
                pids = set()
                for _ in range(2):
                    c.send(bind("", "") + execute() + flush())
                    pids.add(text_rows(c.recv_until("C"))[0])
                c.send(bound())
                pids.update(text_rows(c.read_until_ready()))
                assert len(pids) == 1
        over.set()
    in_threads(5, lambda n: (churn if n else careful)(n))


# -- S41: a client that crashes -------------------------------------------------------

LEFTOVERS = {
    "PREPARE": ("PREPARE leftover AS SELECT 1",
                "SELECT count(*) FROM pg_prepared_statements "
                "WHERE name = 'leftover'"),
    "temporary table": ("CREATE TEMP TABLE leftover (a int)",
                        "SELECT count(*) FROM pg_class "
                        "WHERE relname = 'leftover'"),
    "advisory lock": ("SELECT pg_advisory_lock(41)",
                      "SELECT count(*) FROM pg_locks "
                      "WHERE locktype = 'advisory'"),
    "LISTEN": ("LISTEN leftover",
               "SELECT count(*) FROM pg_listening_channels()"),
    "SET": ("SET work_mem = '7777kB'",
            "SELECT count(*) FROM pg_settings "
            "WHERE name = 'work_mem' AND setting = '7777'"),
    "cursor": ("DECLARE leftover CURSOR WITH HOLD FOR SELECT 1",
               "SELECT count(*) FROM pg_cursors"),
}


@pytest.mark.parametrize("name", LEFTOVERS)
@pytest.mark.parametrize("block", [False, True])
def test_a_crash_leaves_nothing_to_the_next(make, name, block):
    sluice = make(1)
    leave, count = LEFTOVERS[name]
    c = client(sluice)
    if block:
        c.ask("BEGIN")
    assert not rawpg.sqlstates(c.ask(leave))
    c.reset()
    until(lambda: sluice.metric("pgsluice_clients") == 0)
    with sluice.connect(prepare_threshold=None) as conn, Deadline(10):
        assert conn.execute(count).fetchone() == (0,)
