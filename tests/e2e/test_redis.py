# SPDX-License-Identifier: PostgreSQL
"""Redis between several pgsluice: sealed entries, TLS, one fill
for all, servers of another kind."""

import contextlib
import os
import shutil
import socket
import signal
import subprocess
import threading

import psycopg
import psycopg2
import pytest
import redis as client

from harness import lablib, private_file, until

CONF = """
auth = "trust"
admin_users = {"app"}
workers = 1
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
cache "items" { tables = {"item"} ttl = "60s" l1_ttl = "0" }
redis_host = "127.0.0.1"
redis_port = $REDIS
redis_timeout = "2s"
redis_retry = "200ms"
"""

COUNT = "SELECT count(*), 'a word in clear' FROM item"
ROWS = [(100, "a word in clear")]


@pytest.fixture
def table(pg, db):
    pg.psql("SET ROLE app; CREATE TABLE item (id int PRIMARY KEY);"
            "INSERT INTO item SELECT generate_series(1, 100)", db)


@pytest.fixture
def raw(redis):
    """Redis as everyone sees it."""
    with client.Redis(host="127.0.0.1", port=redis.port) as r:
        yield r


def hits(sluice):
    """How many of one question Redis answers; the question's rows."""
    before = sluice.count("cache_hits_l2")
    assert sluice.query(COUNT) == ROWS
    return sluice.count("cache_hits_l2") - before


def fill(sluice):
    """Until the entry is there: the first question may only prepare."""
    until(sluice.on_redis)
    until(lambda: hits(sluice))


def entry(raw):
    name, = (k for k in raw.keys("*") if b":tag:" not in k)
    return name, raw.get(name)


# -- sealed entries -----------------------------------------------------------

@pytest.fixture
def sealing(table, lab, pgsluice, redis):
    """Factory: a pgsluice with these keys, each told by a digit."""
    def make(keys):
        sluice = pgsluice(CONF + f'redis_key_file = "{path(keys)}"\n'
                          if keys else CONF)
        until(sluice.on_redis)
        return sluice

    def path(keys):
        names.append(os.path.join(lab.work, f"keys{len(names)}"))
        return write(names[-1], keys)

    def write(name, keys):
        return private_file(name, "".join(k * 64 + "\n" for k in keys))

    names = []
    make.write = write
    make.path = lambda: names[-1]
    yield make
    for name in names:
        os.unlink(name)


def corrupt(sluice):
    return sluice.metric("pgsluice_l2_corrupt_total")


def test_sealed_for_those_who_have_the_key(sealing, raw):
    one, two, other, none = map(sealing, ("1", "1", "2", ""))
    fill(one)
    assert hits(two) == 1
    for word in (b"a word in clear", b"SELECT", b"search_path"):
        assert word not in entry(raw)[1]
    # Who cannot open it replaces it, and the others that one.
    for sluice in (other, none, one):
        assert hits(sluice) == 0 and corrupt(sluice) == 1
        until(lambda: hits(sluice))
    assert b"a word in clear" not in entry(raw)[1]


def test_keys_are_changed_by_reload(sealing, raw):
    one, two = sealing("1"), sealing("1")
    fill(two)
    sealing.write(sealing.path(), "21")
    two.reload()
    assert hits(two) == 1
    raw.delete(entry(raw)[0])
    fill(two)
    assert hits(one) == 0 and corrupt(one) == 1
    fill(two)
    private_file(sealing.path(), "no key\n")
    with pytest.raises(psycopg2.Error, match="not reloaded"):
        two.reload()
    # What was in force still is.
    assert hits(two) == 1


def test_sealed_entries_that_are_not_what_they_were(sealing, raw):
    sluice = sealing("1")
    fill(sluice)
    name, value = entry(raw)
    with sluice.connect() as conn:
        conn.prepare_threshold = None  # one form of the question
        for n in range(0, len(value), 3):
            bad = bytearray(value)
            bad[n] ^= 1 << (n % 8)
            raw.set(name, bytes(bad))
            before = corrupt(sluice)
            assert conn.execute(COUNT).fetchall() == ROWS
            assert corrupt(sluice) == before + 1, n
        # Another question's answer under this name.
        conn.execute("SELECT 1 FROM item")
        until(lambda: len(raw.keys("*:items:*")) == 2)
        other, = (k for k in raw.keys("*:items:*") if k != name)
        raw.set(other, value)
        assert conn.execute("SELECT 1 FROM item").fetchall() == [(1,)] * 100
    # The first one is as it was, and older than what has been answered since.
    raw.set(name, value)
    assert hits(sluice) == 0
    until(lambda: hits(sluice))


# -- TLS ----------------------------------------------------------------------

BIG = "SELECT repeat('x', 900000) FROM item LIMIT 1"


@pytest.fixture(scope="module")
def stranger(lab):
    """(certificate, key) of another name, which vouches for itself."""
    cert, key = (os.path.join(lab.work, f"stranger.{end}")
                 for end in ("crt", "key"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-keyout",
         key, "-out", cert, "-subj", "/CN=stranger", "-addext",
         "subjectAltName=DNS:elsewhere.example,IP:127.0.0.2"],
        check=True, capture_output=True)
    return cert, key


@pytest.fixture
def tls_redis(lab):
    """Factory: a Redis with this certificate on tls_port, and in clear on
    port; it may want to see the same certificate."""
    started = []

    def start(files, clients=False):
        place = os.path.join(lab.socket_dir(), f"tls{len(started)}")
        os.mkdir(place, 0o755)
        cert, key = (shutil.copy(f, place) for f in files)
        os.chmod(key, 0o644)  # for the server's user
        port = lablib.free_port()
        server = lablib.Redis(lab, "redis-tls", arguments=(
            "--tls-port", str(port), "--tls-cert-file", cert,
            "--tls-key-file", key, "--tls-ca-cert-file", cert,
            "--tls-auth-clients", "yes" if clients else "no")).start()
        started.append((server, place))
        server.tls_port = port
        return server

    yield start
    for server, place in started:
        server.stop()
        shutil.rmtree(place)


def tls_conf(mode, host, port, ca=None, own=None):
    text = CONF.replace('"127.0.0.1"\nredis_port = $REDIS',
                        f'"{host}"\nredis_port = {port}')
    text += f'redis_tls = "{mode}"\n'
    if ca:
        text += f'redis_tls_ca_file = "{ca}"\n'
    if own:
        text += f'redis_tls_cert_file = "{own[0]}"\n' \
            f'redis_tls_key_file = "{own[1]}"\n'
    return text


@pytest.mark.parametrize("mode, host", [
    ("require", "localhost"), ("verify-ca", "127.0.0.1"),
    ("verify-full", "localhost"), ("verify-full", "127.0.0.1")])
def test_tls(table, pgsluice, tls_redis, certificate, mode, host):
    own = certificate if mode == "verify-full" else None
    server = tls_redis(certificate, own is not None)
    sluice = pgsluice(tls_conf(mode, host, server.tls_port,
                               mode != "require" and certificate[0], own))
    fill(sluice)
    # Longer than a record of TLS, and than what is read at once.
    before = sluice.count("cache_hits_l2")
    until(lambda: sluice.query(BIG) == [("x" * 900_000,)] and
          sluice.count("cache_hits_l2") > before)


def passes(sluice, why):
    """Redis is not used, for this reason, and nobody waits for it."""
    until(lambda: f"why={why}" in sluice.log.replace('"', ""))
    for _ in range(3):
        assert sluice.query(COUNT) == ROWS
    assert sluice.metric("pgsluice_l2_connected") == 0
    assert sluice.count("cache_hits_l2") == 0
    sluice.stop()


def test_tls_to_the_wrong_server(table, pgsluice, tls_redis, certificate,
                                 stranger):
    server = tls_redis(stranger)
    bad = "TLS: certificate verify failed: "
    passes(pgsluice(tls_conf("verify-ca", "localhost", server.tls_port,
                             certificate[0])),
           bad + "self-signed certificate")
    passes(pgsluice(tls_conf("verify-full", "localhost", server.tls_port,
                             stranger[0])), bad + "hostname mismatch")
    passes(pgsluice(tls_conf("verify-full", "127.0.0.1", server.tls_port,
                             stranger[0])), bad + "IP address mismatch")
    fill(pgsluice(tls_conf("verify-ca", "localhost", server.tls_port,
                           stranger[0])))


def test_tls_files_are_read_again(table, pgsluice, tls_redis, certificate,
                                  stranger, lab):
    server = tls_redis(stranger)
    ca = shutil.copy(certificate[0], os.path.join(lab.work, "redis-ca.crt"))
    sluice = pgsluice(tls_conf("verify-ca", "localhost", server.tls_port, ca))
    until(lambda: "certificate verify failed" in sluice.log)
    shutil.copy(stranger[0], ca)
    sluice.reload()
    fill(sluice)


def test_tls_to_one_that_has_none(table, pgsluice, redis):
    # It waits for the end of the line.
    passes(pgsluice(tls_conf("require", "localhost", redis.port)), "timeout")


def test_tls_that_hangs(table, pgsluice):
    """Connected, and then nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        passes(pgsluice(tls_conf("require", "127.0.0.1",
                                 listener.getsockname()[1])), "timeout")


# -- one fill for all ---------------------------------------------------------

class Crowd:
    """Clients that ask the same at the same time."""

    def __init__(self, sluice, n):
        self.sluice, self.answers = sluice, []
        self.threads = [threading.Thread(target=self.ask) for _ in range(n)]
        for t in self.threads:
            t.start()

    def ask(self):
        try:
            self.answers.append(self.sluice.query(COUNT))
        except psycopg.Error:
            self.answers.append(None)

    def join(self):
        for t in self.threads:
            t.join(60)
        return self.answers


@pytest.fixture
def leased(table, pgsluice, redis):
    """Factory: a pgsluice whose fills are shared, a lease being so long."""
    def make(life, more='cache_fill_wait = "60s"\n'):
        sluice = pgsluice(CONF.replace('l1_ttl', f'l2_lease = "{life}" l1_ttl')
                          + "pool_size = 60\n" + more)
        until(sluice.on_redis)
        return sluice
    return make


@pytest.fixture
def locked(pg, db):
    """Context: queries of the table wait."""
    @contextlib.contextmanager
    def lock():
        with pg.connect(db) as conn, conn.transaction():
            conn.execute("LOCK TABLE item IN ACCESS EXCLUSIVE MODE")
            yield
    return lock


def outcome(sluice, name):
    return sluice.metrics()[f'pgsluice_l2_leases_total{{outcome="{name}"}}']


def test_one_server_query_for_two_processes(leased, locked, raw):
    one, two = leased("60s"), leased("60s")
    with locked():
        crowds = Crowd(one, 50), Crowd(two, 50)
        until(lambda: one.count("cache_waits") + two.count("cache_waits")
              == 98, 30)
        until(lambda: one.count("cache_misses") + two.count("cache_misses"))
    for crowd in crowds:
        assert crowd.join() == [ROWS] * 50
    assert one.count("cache_misses") + two.count("cache_misses") == 1
    first, second = (one, two) if one.count("cache_misses") else (two, one)
    assert outcome(first, "taken") == 1 and outcome(second, "waited") == 1
    until(lambda: not raw.keys("*:lease:*"))


def test_the_holder_is_killed(leased, locked):
    one, two = leased("2s"), leased("2s")
    with locked():
        dead = Crowd(one, 5)
        until(lambda: one.count("cache_misses") == 1)
        alive = Crowd(two, 50)
        until(lambda: two.count("cache_waits") == 49, 30)
        assert two.count("cache_misses") == 0
        one.stop((signal.SIGKILL,))
        until(lambda: two.count("cache_misses") == 1)
    assert alive.join() == [ROWS] * 50 and dead.join() == [None] * 5
    assert two.count("cache_misses") == 1
    assert outcome(two, "taken_over") == 1


def test_a_cancelled_wait(leased, locked):
    """It ends that statement only."""
    one, two = leased("60s"), leased("60s")
    with locked():
        crowd = Crowd(one, 1)
        until(lambda: one.count("cache_misses") == 1)
        with two.connect() as conn:
            timer = threading.Timer(0.3, conn.cancel)
            timer.start()
            with pytest.raises(psycopg.errors.QueryCanceled):
                conn.execute(COUNT)
            timer.join()
        assert two.count("cache_misses") == 0
    assert crowd.join() == [ROWS]
    assert two.query(COUNT) == ROWS


def test_a_wait_has_the_statements_limits(leased, locked):
    """query_timeout ends it; behind cache_fill_wait the server is asked."""
    one = leased("60s")
    hasty = leased("60s", 'query_timeout = "300ms"\n')
    patient = leased("60s", 'cache_fill_wait = "300ms"\n')
    with locked():
        crowd = Crowd(one, 1)
        until(lambda: one.count("cache_misses") == 1)
        with pytest.raises(psycopg.OperationalError):
            hasty.query(COUNT)
        assert hasty.count("cache_misses") == 0
        other = Crowd(patient, 1)
        until(lambda: patient.count("cache_misses") == 1)
    assert crowd.join() == other.join() == [ROWS]


def test_no_wait_without_redis(leased, locked, redis):
    one, two = leased("60s"), leased("60s")
    with locked():
        crowds = [Crowd(one, 1)]
        until(lambda: one.count("cache_misses") == 1)
        crowds.append(Crowd(two, 1))
        until(lambda: two.metric("pgsluice_l2_gets_total") == 1)
        redis.kill()
        until(lambda: two.count("cache_misses") == 1)
    assert [c.join() for c in crowds] == [[ROWS]] * 2
    assert outcome(two, "lost") == 1


# -- servers of another kind -------------------------------------------------

def test_a_replica_is_left(table, pgsluice, redis):
    """It may have been the master when we came."""
    sluice = pgsluice(CONF)
    fill(sluice)
    redis.cli("REPLICAOF", "127.0.0.1", "1")
    try:
        sluice.query("INSERT INTO item VALUES (1000)")
        until(lambda: 'why="READONLY' in sluice.log)
        assert sluice.query("SELECT count(*) FROM item") == [(101,)]
    finally:
        redis.cli("REPLICAOF", "NO", "ONE")
    until(sluice.on_redis)


def test_a_cluster_is_told_once(table, pgsluice, lab):
    port = lablib.free_port()
    node = lablib.Redis(lab, "redis-node", arguments=(
        "--cluster-enabled", "yes", "--cluster-port", str(port),
        "--cluster-config-file", "nodes.conf")).start()
    sluice = pgsluice(CONF.replace("$REDIS", str(node.port)))
    until(sluice.on_redis)
    for _ in range(5):
        assert sluice.query(COUNT) == ROWS
    until(lambda: "redis is a cluster" in sluice.log)
    until(lambda: not sluice.on_redis())
    assert sluice.log.count("redis is a cluster") == 1
    node.stop()
    os.unlink(os.path.join(lab.socket_dir(), "nodes.conf"))


def test_a_snapshot_from_before_the_last_write(table, pgsluice, lab):
    """It has the entry, and the token that the write replaced."""
    server = lablib.Redis(lab, "redis-saved", arguments=(
        "--dbfilename", "saved.rdb")).start()
    one, two = (pgsluice(CONF.replace("$REDIS", str(server.port)))
                for _ in range(2))
    for sluice in one, two:
        fill(sluice)
    server.cli("SAVE")
    tokens = server.cli("MGET", *server.cli("KEYS", "*:tag:*").split())
    one.query("INSERT INTO item VALUES (1000)")
    until(lambda: tokens != server.cli("MGET", *server.cli(
        "KEYS", "*:tag:*").split()))
    server.kill()
    server.start()
    for _ in range(2):
        for sluice in two, one:
            until(sluice.on_redis)
            assert sluice.query("SELECT count(*) FROM item") == [(101,)]
            assert sluice.query(COUNT) == [(101, "a word in clear")]
    server.stop()
    os.unlink(os.path.join(lab.socket_dir(), "saved.rdb"))
