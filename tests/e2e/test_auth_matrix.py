# SPDX-License-Identifier: PostgreSQL
"""The authentication matrix: method x stored secret x warm or cold pool x
right, wrong, empty, expired password x transport, each login tried at
PostgreSQL itself and through pgsluice with the very same rule file.

The table is printed (pytest -s) and, if PGSLUICE_MATRIX names a file, written
there: what pgsluice answers, "ok" or a SQLSTATE, with PostgreSQL's answer behind
it where the two differ.
"""

import concurrent.futures
import hashlib
import itertools
import os
import pwd
import ssl
import subprocess

import pytest

import rawpg
from harness import Cluster, private_file

METHODS = ("trust", "reject", "password", "md5", "scram-sha-256", "cert",
           "peer")
SECRETS = ("scram", "md5", "plain", "none", "missing")
TRANSPORTS = ("tcp", "tls", "unix")
POOLS = ("cold", "warm")
PASSWORDS = ("right", "wrong", "empty", "expired")

ME = pwd.getpwuid(os.geteuid()).pw_name


def database(method):
    return "m_" + method.replace("-", "_")


def role(secret, password="right"):
    return ("e_" if password == "expired" else "r_") + secret


def rules():
    """One file for both; PostgreSQL's own database is pgsluice's backend."""
    lines = ["local postgres all trust"]
    for method in METHODS:
        db = database(method)
        if method != "cert":
            lines.append(f"local {db} all {method}" +
                         (" map=me" if method == "peer" else ""))
        if method == "cert":
            lines.append(f"hostssl {db} all all cert")
        elif method != "peer":
            lines.append(f"host {db} all 127.0.0.1/32 {method}")
    return "\n".join(lines) + "\n"


MAPS = f"me {ME} r_scram\nme {ME} e_md5\n"


# -- both sides -------------------------------------------------------------------

@pytest.fixture(scope="module")
def certificates(lab, certificate):
    """A context for clients that have a certificate of r_scram's."""
    base = os.path.join(lab.work, "matrix")
    run = dict(check=True, capture_output=True)
    subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                    f"{base}.key", "-out", f"{base}.csr", "-subj",
                    "/CN=r_scram"], **run)
    subprocess.run(["openssl", "x509", "-req", "-in", f"{base}.csr", "-CA",
                    certificate[0], "-CAkey", certificate[1],
                    "-CAcreateserial", "-days", "2", "-out", f"{base}.crt"],
                   **run)
    context = ssl.create_default_context(cafile=certificate[0])
    context.check_hostname = False
    context.load_cert_chain(f"{base}.crt", f"{base}.key")
    return context


@pytest.fixture(scope="module")
def postgres(lab, certificate):
    cluster = Cluster(lab, "matrix", settings={
        "ssl": "on", "ssl_cert_file": "server.crt",
        "ssl_key_file": "server.key", "ssl_ca_file": "server.crt",
        "max_connections": "300"})
    for path, name in zip(certificate, ("server.crt", "server.key")):
        with open(path, encoding="ascii") as f:
            cluster.write(name, f.read())
        os.chmod(os.path.join(cluster.datadir, name), 0o600)
    cluster.start()
    for method in METHODS:
        cluster.psql(f"CREATE DATABASE {database(method)}")
    for kind, until in (("r", ""), ("e", " VALID UNTIL '2001-01-01'")):
        cluster.psql(f"""
            CREATE ROLE {kind}_scram LOGIN PASSWORD 'right'{until};
            CREATE ROLE {kind}_plain LOGIN PASSWORD 'right'{until};
            CREATE ROLE {kind}_none LOGIN{until};
            SET password_encryption = 'md5';
            CREATE ROLE {kind}_md5 LOGIN PASSWORD 'right'{until}""")
    cluster.psql("CREATE ROLE looker LOGIN SUPERUSER")
    cluster.write("pg_ident.conf", MAPS)
    cluster.write("pg_hba.conf", rules())
    cluster.reload()
    yield cluster
    cluster.stop()


@pytest.fixture
def sluice(lab, postgres, pgsluice, certificate):
    paths = {}
    for name, text in (("hba", rules()), ("ident", MAPS)):
        paths[name] = os.path.join(lab.work, f"matrix.{name}")
        with open(paths[name], "w") as f:
            f.write(text)
    return pgsluice("""
        auth = "hba"
        auth_hba_file = "$HBA"
        auth_ident_file = "$IDENT"
        auth_user = "looker"
        auth_cache_ttl = "1h"
        users_file = "$USERS"
        unix_socket_dir = "$DIR"
        tls_mode = "allow"
        tls_cert_file = "$CERT"
        tls_key_file = "$KEY"
        tls_ca_file = "$CERT"
        pool_size = "2"
        server_idle_timeout = "20s"
        backend "main" {
            conninfo = "host=$SOCKET port=$MAIN dbname=postgres" }
        """ + "".join(f'database "{database(m)}" {{ backend = "main" }}\n'
                      for m in METHODS),
                    HBA=paths["hba"], IDENT=paths["ident"],
                    CERT=certificate[0], KEY=certificate[1],
                    SOCKET=postgres.sockdir, MAIN=postgres.port,
                    USERS=private_file(os.path.join(
                        lab.work, "matrix.users"), '"r_plain" "right"\n'))


# -- one login ----------------------------------------------------------------------

def md5_answer(user, password, salt):
    inner = hashlib.md5((password + user).encode()).hexdigest()
    return "md5" + hashlib.md5(inner.encode() + salt).hexdigest()


def prove(conn, user, password):
    """Answer what is asked for; "ok" or the SQLSTATE."""
    scram = rawpg.Scram(password)
    while True:
        kind, body = conn.recv_message()
        if kind == "E":
            return rawpg.error_fields(body)["C"]
        if kind == "Z":
            return "ok"
        code = int.from_bytes(body[:4], "big") if kind == "R" else None
        if code == 3:
            conn.send(rawpg.password_message(password.encode() + b"\0"))
        elif code == 5:
            conn.send(rawpg.password_message(
                md5_answer(user, password, body[4:]).encode() + b"\0"))
        elif code == 10:
            conn.send(scram.first_message())
        elif code == 11:
            conn.send(scram.final_message(body[4:]))


def attempt(host, port, cell, context, options=None):
    method, secret, transport, _, password = cell
    user = role(secret, password)
    text = {"right": "right", "expired": "right", "wrong": "wrong",
            "empty": ""}[password]
    params = {"user": user, "database": database(method)}
    if options:
        params["options"] = options
    with rawpg.RawConn(host, port, startup=False, timeout=30,
                       tls=context if transport == "tls" else False) as conn:
        conn.send(rawpg.startup_message(params))
        return prove(conn, user, text)


# -- the matrix -----------------------------------------------------------------------

def is_possible(cell):
    """A users file knows no end of validity; who is not there has none."""
    _, secret, _, _, password = cell
    return password != "expired" or secret not in ("plain", "missing")


def expected(cell, direct):
    """What pgsluice has to say where PostgreSQL says `direct`."""
    method, secret, *_ = cell
    # That a trusted role does not exist shows when no server can be had.
    if direct == "28000" and method == "trust" and secret == "missing":
        return "08006"
    return direct


def shown(cell, found, direct):
    if not is_possible(cell):
        return "-"
    return found if found == direct else f"{found}({direct})"


def table(direct, through):
    columns = list(itertools.product(POOLS, PASSWORDS))
    lines = [f"{'method':14}{'secret':8}{'via':5}" +
             "".join(f"{pool + ' ' + pw:14}" for pool, pw in columns)]
    for method, secret, transport in itertools.product(METHODS, SECRETS,
                                                       TRANSPORTS):
        line = f"{method:14}{secret:8}{transport:5}"
        for pool, password in columns:
            cell = (method, secret, transport, pool, password)
            line += f"{shown(cell, through.get(cell), direct.get(cell)):14}"
        lines.append(line.rstrip())
    return "\n".join(lines) + "\n"


def test_matrix(postgres, sluice, certificates):
    cells = [c for c in itertools.product(METHODS, SECRETS, TRANSPORTS, POOLS,
                                          PASSWORDS) if is_possible(c)]
    numbers = {c: n for n, c in enumerate(cells)}

    def at_postgres(cell):
        host = postgres.sockdir if cell[2] == "unix" else "127.0.0.1"
        return attempt(host, postgres.port, cell, certificates)

    def at_sluice(cell):
        host = sluice.holes["DIR"] if cell[2] == "unix" else "127.0.0.1"
        # A startup class of its own is a pool of its own, and cold.
        return attempt(host, sluice.port, cell, certificates,
                       f"-c matrix.cell={numbers[cell]}"
                       if cell[3] == "cold" else None)

    warm = [("trust", s, "tcp", "warm", p) for s in SECRETS[:-1]
            for p in ("right", "expired")]
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        # PostgreSQL has no pools: one answer for both.
        plain = [c for c in cells if c[3] == "cold"]
        direct = dict(zip(plain, threads.map(at_postgres, plain)))
        direct.update({c: direct[c[:3] + ("cold",) + c[4:]] for c in cells})
        assert set(threads.map(at_sluice, warm)) == {"ok"}
        through = dict(zip(cells, threads.map(at_sluice, cells)))
    text = table(direct, through)
    print("\n" + text)
    if os.environ.get("PGSLUICE_MATRIX"):
        with open(os.environ["PGSLUICE_MATRIX"], "w") as f:
            f.write(text)
    wrong = {c: (through[c], direct[c]) for c in cells
             if through[c] != expected(c, direct[c])}
    assert not wrong
    # The table is no table of refusals: every method lets somebody in.
    assert {c[0] for c in cells if through[c] == "ok"} == \
        set(METHODS) - {"reject"}
