# SPDX-License-Identifier: PostgreSQL
"""Every statement asks for a token of its own while clients are cut off and
servers terminated: no wrong answer, nobody left hanging.

PGSLUICE_STORM sets the number of statements, 20,000 by default; the full run
is 1,000,000.  Faults grow with it: 200 of each at full size.
"""

import json
import os
import socket
import struct
import subprocess
import threading

import pytest

from harness import HERE

SIZE = int(os.environ.get("PGSLUICE_STORM", "20000"))
FAULTS = max(20, min(200, SIZE // 1000))

CONF = """
auth = "trust"
pool_size = 4
query_wait_timeout = "30s"
server_login_retry = "50ms"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" cache = true }
cache "rows" { tables = {"storm"} ttl = "1s" l2 = false }
"""

pytestmark = pytest.mark.storm


@pytest.fixture(scope="session")
def storm(lab):
    """The C program, made with the compiler that made the daemon."""
    out = os.path.join(lab.work, "storm")
    subprocess.run([*os.environ.get("CC", "cc").split(), "-std=gnu11",
                    "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-o", out,
                    os.path.join(HERE, "storm.c")], check=True, timeout=120)

    def run(*args, timeout=60 + SIZE // 500):
        r = subprocess.run([out, *map(str, args)], capture_output=True,
                           text=True, timeout=timeout, check=False)
        assert r.stdout, r.stderr
        return json.loads(r.stdout), r.stderr
    return run


@pytest.mark.timeout(120 + SIZE // 400)
def test_storm(pg, db, pgsluice, storm):
    pg.psql("SET ROLE app; CREATE TABLE storm AS SELECT n AS id, 'row ' || n "
            "AS token FROM generate_series(1, 1000) n; "
            "ALTER TABLE storm ADD PRIMARY KEY (id)", db)
    sluice = pgsluice(CONF)
    found, errors = storm(
        "-p", sluice.port, "-d", "app", "-u", "app", "-c", 64, "-n", SIZE,
        "-k", FAULTS, "-s", FAULTS, "-P", pg.port, "-D", db, "-x")
    print(json.dumps(found))
    assert found["wrong"] == 0, errors
    assert found["hung"] == 0, errors
    assert found["asked"] == SIZE
    assert found["answered"] + found["errors"] + found["lost"] == SIZE
    assert found["answered"] >= 0.95 * SIZE, found
    # It was a storm.
    assert found["cut"] >= FAULTS and found["killed"] >= FAULTS
    assert sluice.count("waits") >= SIZE // 100
    assert sluice.count("cache_hits_l1") > 0
    # And it is over: nothing stuck, nothing open.
    assert len(pg.pids(datname=db, usename="app")) <= 4
    assert not pg.pids(datname=db, state="idle in transaction")
    assert sluice.query("SELECT 'calm'") == [("calm",)]


def test_the_storm_program_can_tell(storm):
    """Against a server that gives a client another one's answer now and
    then, it has to say so."""
    listener = socket.create_server(("127.0.0.1", 0))
    last = [b"token-0-00000000", 0]

    def message(kind, body):
        return kind + struct.pack("!I", len(body) + 4) + body

    def client(conn):
        with conn:
            conn.recv(4096)
            conn.sendall(message(b"R", b"\0\0\0\0") + message(b"Z", b"I"))
            while data := conn.recv(4096):
                token = data.split(b"'")[1] if b"'" in data else b""
                if not token.startswith(b"token-") or b"::int" in data:
                    return
                last[1] += 1
                if last[1] % 10 == 0:
                    token, last[0] = last[0], token
                row = struct.pack("!HI", 1, len(token)) + token
                conn.sendall(
                    message(b"T", b"\0\1") + message(b"D", row) +
                    message(b"C", b"SELECT 1\0") + message(b"Z", b"I"))

    def serve():
        while True:
            try:
                conn, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=client, args=(conn,), daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()
    found, errors = storm("-p", listener.getsockname()[1], "-c", 4, "-n", 2000)
    listener.close()
    assert found["wrong"] > 10 and "another's row" in errors
