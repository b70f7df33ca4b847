# SPDX-License-Identifier: PostgreSQL
"""Redis between several pgsluice: sealed entries, TLS."""

import os
import shutil
import socket
import subprocess

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


def connected(sluice):
    return sluice.metric("pgsluice_l2_connected") == \
        sluice.metric("pgsluice_workers")


def hits(sluice):
    """How many of one question Redis answers; the question's rows."""
    before = sluice.count("cache_hits_l2")
    assert sluice.query(COUNT) == ROWS
    return sluice.count("cache_hits_l2") - before


def fill(sluice):
    """Until the entry is there: the first question may only prepare."""
    until(lambda: connected(sluice))
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
        until(lambda: connected(sluice))
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
        raw.set(name, value)
    assert hits(sluice) == 1


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


def test_tls_to_one_that_has_none(table, pgsluice, redis):
    # It waits for the end of the line.
    passes(pgsluice(tls_conf("require", "localhost", redis.port)), "timeout")


def test_tls_that_hangs(table, pgsluice):
    """Connected, and then nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        passes(pgsluice(tls_conf("require", "127.0.0.1",
                                 listener.getsockname()[1])), "timeout")
