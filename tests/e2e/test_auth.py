# SPDX-License-Identifier: PostgreSQL
"""Who comes in, who does not, and what those who do not can learn."""

import socket
import ssl
import struct

import psycopg
import pytest

from harness import ROLES, private_file, until

SCRAM = """
auth = "scram-sha-256"
users_file = "$USERS"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
"""

TLS = """
auth = "trust"
tls_mode = "$MODE"
tls_cert_file = "$CERT"
tls_key_file = "$KEY"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
"""


@pytest.fixture
def scram(pg, db, pgsluice, users_file):
    return pgsluice(SCRAM, USERS=users_file)


def failure(sluice, **kw):
    with pytest.raises(psycopg.OperationalError) as e:
        sluice.connect(**kw).close()
    # The address and port are not the point.
    return str(e.value).partition("failed: ")[2]


@pytest.mark.parametrize("user", ["app", "alice", "bob"])
def test_right_password(scram, user):
    """app and alice by verifier, bob by a plain password."""
    with scram.connect(user=user, password=ROLES[user]) as conn:
        assert conn.execute("SELECT current_user").fetchone() == (user,)


@pytest.mark.parametrize("password", ["wrong", "app-passwor",
                                      "app-passwordd", "\u00fc" * 900])
def test_wrong_password(scram, password):
    with scram.counting(client_login_failures=1):
        text = failure(scram, user="app", password=password)
    assert "app-password" not in text


# What is set, what is given, and whether that is the same to PostgreSQL.
PREPARED = [
    ("\u2168", "IX", True), ("IX", "\u2168", True), ("\u2168", "\u2168", True),
    ("I\u00adX", "IX", True), ("a\u00a0b", "a b", True), ("a b", "ab", False),
    ("e\u0301t\u00e9", "\u00e9te\u0301", True), ("\u00e9", "e", False),
    ("\ufdfa", "\u0635\u0644\u0649 \u0627\u0644\u0644\u0647 "
     "\u0639\u0644\u064a\u0647 \u0648\u0633\u0644\u0645", True),
    # What may be no password is left alone.
    ("\u2168\u0007", "\u2168\u0007", True), ("\u2168\u0007", "IX\u0007", False),
    ("\u06271", "\u06271", True), ("\u2168\U0001f600", "IX\U0001f600", False),
    ("\u2168\U0001f600", "\u2168\U0001f600", True),
    ("\u00ad", "\u00ad", True), ("\u00ad", "\u00ad\u00ad", False),
]


@pytest.fixture
def anna(pg):
    pg.psql("CREATE ROLE anna LOGIN")
    yield
    pg.psql("DROP ROLE anna")


@pytest.mark.parametrize("kept", ["plain", "verifier"])
@pytest.mark.parametrize("method", ["scram-sha-256", "password"])
def test_passwords_are_prepared_as_postgresql_does(pg, db, pgsluice, lab, anna,
                                                   kept, method):
    """Each through a plain password of the users file and through the verifier
    that PostgreSQL made of it, given to SCRAM and in clear."""
    path = f"{lab.work}/prepared.{kept}.{method}"
    rules = private_file(f"{path}.hba", f"host all all all {method}\n")
    private_file(f"{path}.users", "")
    sluice = pgsluice(SCRAM.replace(
        '"scram-sha-256"', f'"hba"\nauth_hba_file = "{rules}"'),
        USERS=f"{path}.users")
    for stored, given, same in PREPARED:
        pg.psql(f"ALTER ROLE anna PASSWORD '{stored}'")
        secret = stored if kept == "plain" else pg.psql(
            "SELECT rolpassword FROM pg_authid WHERE rolname = 'anna'")
        private_file(f"{path}.users", f'"anna" "{secret}"\n')
        before = sluice.generation
        sluice.hangup()
        until(lambda: sluice.generation > before)
        assert (pg.login("anna", given) is None) == same, (stored, given)
        assert enters(sluice, given) == same, (stored, given)


def enters(sluice, given):
    try:
        sluice.connect(user="anna", password=given, sslmode="disable").close()
        return True
    except psycopg.OperationalError as e:
        assert "password authentication failed" in str(e)
        return False


def test_unknown_user_and_wrong_password_look_alike(scram):
    texts = {failure(scram, user=user, password="wrong").replace(user, "?")
             for user in ("app", "bob", "nobody", "postgres")}
    assert len(texts) == 1
    assert "password authentication failed" in texts.pop()


def test_unknown_user_gets_a_whole_exchange(scram):
    """Also on the wire: the same messages of the same sizes, and the same
    salt when asked again."""
    def exchange(user):
        out = []
        with socket.create_connection(("127.0.0.1", scram.port)) as s:
            s.settimeout(10)
            body = f"user\0{user}\0database\0app\0\0".encode()
            s.sendall(struct.pack("!II", len(body) + 8, 196608) + body)
            out.append(read(s))
            first = b"n,,n=,r=clientnonce012345678"
            mech = b"SCRAM-SHA-256\0" + struct.pack("!I", len(first)) + first
            s.sendall(b"p" + struct.pack("!I", len(mech) + 4) + mech)
            kind, challenge = read(s)
            parts = dict(p.split(b"=", 1)
                         for p in challenge[4:].split(b","))
            out.append((kind, len(challenge), parts[b"i"]))
            last = b"c=biws,r=" + parts[b"r"] + b",p=" + b"A" * 43 + b"="
            s.sendall(b"p" + struct.pack("!I", len(last) + 4) + last)
            kind, error = read(s)
            out.append((kind, error.replace(user.encode(), b"?")))
        return out, parts[b"s"]

    def read(s):
        kind = s.recv(1)
        (n,) = struct.unpack("!I", s.recv(4, socket.MSG_WAITALL))
        return kind, s.recv(n - 4, socket.MSG_WAITALL)
    known, _ = exchange("app")
    unknown, salt = exchange("nobody")
    assert known == unknown
    assert exchange("nobody")[1] == salt
    assert exchange("nobodyelse")[1] != salt


def test_unknown_database(scram):
    text = failure(scram, dbname="nowhere", user="app",
                   password=ROLES["app"])
    assert 'database "nowhere" does not exist' in text
    # Not told to those who cannot log in.
    assert "nowhere" not in failure(scram, dbname="nowhere", user="app",
                                    password="wrong")


def test_second_login_does_not_profit_from_the_first(scram):
    """A warm pool is no reason to skip the password."""
    scram.query("SELECT 1", user="app", password=ROLES["app"])
    failure(scram, user="app", password="wrong")
    assert scram.query("SELECT 1", user="app",
                       password=ROLES["app"]) == [(1,)]


def test_users_file_is_read_again_on_reload(pg, db, pgsluice, lab):
    path = f"{lab.work}/users-reload.txt"

    def write(password):
        private_file(path, f'"app" "{password}"\n')
    write("first")
    sluice = pgsluice(SCRAM, USERS=path)
    sluice.connect(password="first").close()
    write("second")
    sluice.hangup()
    until(lambda: accepts(sluice, "second"))
    failure(sluice, user="app", password="first")


def accepts(sluice, password):
    try:
        sluice.connect(password=password).close()
        return True
    except psycopg.OperationalError:
        return False


def test_trust(sluice):
    for user in ("app", "alice"):
        assert sluice.query("SELECT current_user", user=user) == [(user,)]


def test_trusted_user_unknown_to_the_backend(sluice):
    with pytest.raises(psycopg.Error) as e:
        sluice.query("SELECT 1", user="stranger")
    assert "main" in str(e.value)
    # The details are for the administrator.
    until(lambda: "does not exist" in sluice.log)


def test_users_do_not_share_servers(sluice):
    """Rows belong to whom the backend says they do."""
    sluice.query("CREATE TABLE t (a int)")
    sluice.query("INSERT INTO t VALUES (1)")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        sluice.query("SELECT * FROM t", user="alice")
    assert sluice.query("SELECT * FROM t") == [(1,)]


def test_user_map_and_forced_user(pg, db, pgsluice):
    sluice = pgsluice("""
        auth = "trust"
        backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
        backend "forced" { conninfo =
            "host=127.0.0.1 port=$PG dbname=$DB user=bob" }
        database "app" { backend = "main" }
        database "bobs" { backend = "forced" }
        user_map "webapp" { to = "alice" }
    """)
    who = "SELECT current_user"
    assert sluice.query(who, user="webapp") == [("alice",)]
    assert sluice.query(who, user="app") == [("app",)]
    assert sluice.query(who, dbname="bobs", user="app") == [("bob",)]


def test_scram_to_the_backend(pg, db, pgsluice):
    text = """
        auth = "trust"
        server_connect_timeout = "5s"
        query_wait_timeout = "5s"
        backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB
            user=scram password=$PASSWORD" }
        database "app" { backend = "main" }
    """.replace("dbname=$DB\n            ", "dbname=$DB ")
    sluice = pgsluice(text, PASSWORD=ROLES["scram"])
    assert sluice.query("SELECT current_user") == [("scram",)]
    wrong = pgsluice(text, PASSWORD="wrong")
    with pytest.raises(psycopg.Error) as e:
        wrong.query("SELECT 1")
    # Whose fault it is, without the secret.
    assert "main" in str(e.value)
    until(lambda: "password authentication failed" in wrong.log)
    assert "password=wrong" not in str(e.value) + wrong.log


def test_backend_password_from_the_users_file(pg, db, pgsluice, lab):
    path = f"{lab.work}/users-plain.txt"
    private_file(path, f'"scram" "{ROLES["scram"]}"\n')
    sluice = pgsluice(SCRAM, USERS=path)
    assert sluice.query("SELECT current_user", user="scram",
                        password=ROLES["scram"]) == [("scram",)]


# -- TLS ----------------------------------------------------------------------

@pytest.fixture
def tls(pg, db, pgsluice, certificate):
    cert, key = certificate
    return lambda mode: pgsluice(TLS, MODE=mode, CERT=cert, KEY=key)


def in_use(conn):
    return bool(conn.pgconn.ssl_in_use)


def test_tls_disabled(sluice):
    with sluice.connect(sslmode="prefer") as conn:
        assert not in_use(conn)
    with pytest.raises(psycopg.OperationalError) as e:
        sluice.connect(sslmode="require")
    assert "does not support SSL" in str(e.value)


def test_tls_allowed(tls):
    sluice = tls("allow")
    for mode, expected in [("disable", False), ("prefer", True),
                           ("require", True)]:
        with sluice.connect(sslmode=mode) as conn:
            assert in_use(conn) == expected
            assert conn.execute("SELECT 1").fetchone() == (1,)


def test_tls_required(tls, certificate):
    sluice = tls("require")
    with pytest.raises(psycopg.OperationalError):
        sluice.connect(sslmode="disable")
    with sluice.connect(sslmode="verify-full",
                        sslrootcert=certificate[0]) as conn:
        assert in_use(conn)


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_much_data_over_tls(tls, version):
    sluice = tls("require")
    big = "x" * (8 << 20)
    with sluice.connect(sslmode="require", ssl_min_protocol_version=version,
                        ssl_max_protocol_version=version) as conn:
        assert conn.execute("SELECT %s", (big,)).fetchone()[0] == big
        with conn.cursor().copy("COPY (SELECT repeat('y', 1000) FROM "
                                "generate_series(1, 20000)) TO STDOUT") as out:
            assert sum(len(b) for b in out) == 20000 * 1001


def test_scram_over_tls(pg, db, pgsluice, certificate, users_file):
    cert, key = certificate
    sluice = pgsluice(SCRAM + 'tls_mode = "require"\n'
                      'tls_cert_file = "$CERT"\ntls_key_file = "$KEY"\n',
                      USERS=users_file, CERT=cert, KEY=key)
    with sluice.connect(sslmode="require", user="alice",
                        password=ROLES["alice"]) as conn:
        assert conn.execute("SELECT current_user").fetchone() == ("alice",)
    failure(sluice, sslmode="require", user="alice", password="wrong")


SSL_REQUEST = struct.pack("!II", 8, 80877103)
GSS_REQUEST = struct.pack("!II", 8, 80877104)


def startup(user="app", dbname="app"):
    body = f"user\0{user}\0database\0{dbname}\0\0".encode()
    return struct.pack("!II", len(body) + 8, 196608) + body


def until_closed(s):
    data = b""
    try:
        while more := s.recv(65536):
            data += more
    except (ConnectionError, ssl.SSLError):
        pass
    return data


def test_clear_bytes_behind_the_tls_request_are_refused(tls):
    """What was injected before the handshake must not count as encrypted."""
    sluice = tls("allow")
    with socket.create_connection(("127.0.0.1", sluice.port)) as s:
        s.settimeout(10)
        s.sendall(SSL_REQUEST + startup())
        answer = until_closed(s)
    assert b"R\0\0\0\x08\0\0\0\0" not in answer


def test_refused_encryption_leaves_the_connection_usable(sluice):
    with socket.create_connection(("127.0.0.1", sluice.port)) as s:
        s.settimeout(10)
        s.sendall(GSS_REQUEST)
        assert s.recv(1) == b"N"
        s.sendall(SSL_REQUEST)
        assert s.recv(1) == b"N"
        s.sendall(startup())
        assert s.recv(9, socket.MSG_WAITALL) == b"R\0\0\0\x08\0\0\0\0"


def test_encryption_can_be_asked_for_once(sluice):
    with socket.create_connection(("127.0.0.1", sluice.port)) as s:
        s.settimeout(10)
        seen = b""
        for request in (GSS_REQUEST, SSL_REQUEST, GSS_REQUEST, SSL_REQUEST):
            s.sendall(request)
            got = s.recv(1)
            seen += got
            if got != b"N":
                break
        assert seen.startswith(b"NN") and not seen.startswith(b"NNN")


def test_garbage_instead_of_a_handshake(tls):
    sluice = tls("require")
    with socket.create_connection(("127.0.0.1", sluice.port)) as s:
        s.settimeout(10)
        s.sendall(SSL_REQUEST)
        assert s.recv(1) == b"S"
        s.sendall(b"\x16\x03\x01" + b"\xff" * 500)
        until_closed(s)
    with sluice.connect(sslmode="require") as conn:
        assert conn.execute("SELECT 1").fetchone() == (1,)
