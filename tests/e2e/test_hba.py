# SPDX-License-Identifier: PostgreSQL
"""Rules of who may come in how, and every method they can name."""

import contextlib
import hashlib
import os
import pwd
import subprocess

import psycopg
import pytest

import rawpg
from harness import ROLES, binary, private_file, until

RULES = """
auth = "hba"
auth_hba_file = "$RULES"
users_file = "$USERS"
unix_socket_dir = "$DIR"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
database "other" { backend = "main" }
"""

TLS = RULES + """
tls_mode = "allow"
tls_cert_file = "$CERT"
tls_key_file = "$KEY"
"""

MAPPED = 'auth_ident_file = "$IDENT"\n'

ME = pwd.getpwuid(os.geteuid()).pw_name


@pytest.fixture
def rules(lab, request):
    """Write a file of rules (or maps) and give its name."""
    def write(text, name="rules"):
        path = os.path.join(lab.work, f"{request.node.name[:40]}.{name}"
                            .replace("/", "_"))
        with open(path, "w") as f:
            f.write(text)
        return path
    return write


@pytest.fixture
def sluice(pg, db, pgsluice, users_file, rules, certificate):
    """Factory: a daemon with these rules, and TLS on offer."""
    def make(text, conf=TLS, **holes):
        cert, key = certificate
        return pgsluice(conf, RULES=rules(text), USERS=holes.pop(
            "USERS", users_file), CERT=cert, KEY=key, **holes)
    return make


def refused(sluice, **kw):
    with pytest.raises(psycopg.OperationalError) as e:
        sluice.connect(**kw).close()
    return str(e.value)


def allowed(sluice, **kw):
    with sluice.connect(**kw) as conn:
        assert conn.execute("SELECT current_user").fetchone() == \
            (kw.get("user", "app"),)
        return conn.pgconn.ssl_in_use


def socket_of(sluice):
    return sluice.holes["DIR"]


# -- rules --------------------------------------------------------------------

def test_first_rule_that_fits_decides(sluice):
    s = sluice("""
        host all    alice  127.0.0.1/32  reject
        host app    app    127.0.0.1/32  trust
        host other  app    127.0.0.0 255.255.255.0 scram-sha-256
        host all    bob    10.0.0.0/8    trust
    """)
    allowed(s)
    text = refused(s, user="alice", password=ROLES["alice"])
    assert "rejects host" in text and 'user "alice"' in text
    assert "no encryption" in text
    # No password was offered, one is wanted.
    refused(s, dbname="other")
    allowed(s, dbname="other", password=ROLES["app"])
    assert "no authentication rule for host" in refused(s, user="bob")


def test_the_transport_in_force_counts(sluice, lab):
    """Not the one the client wished for, nor that of another connection."""
    s = sluice("""
        hostssl   all app   all trust
        hostnossl all alice all trust
        local     all bob       trust
    """)
    for user, mode, host, ok in [
            ("app", "require", None, True), ("app", "prefer", None, True),
            ("app", "disable", None, False), ("app", None, "socket", False),
            ("alice", "require", None, False),
            ("alice", "disable", None, True),
            ("alice", None, "socket", False),
            ("bob", "require", None, False), ("bob", "disable", None, False),
            ("bob", None, "socket", True)]:
        kw = {"dbname": "app", "user": user, "port": s.port,
              "host": socket_of(s) if host else s.host, "sslmode": mode}
        kw = {k: v for k, v in kw.items() if v}
        if ok:
            psycopg.connect(**kw).close()
        else:
            with pytest.raises(psycopg.OperationalError) as e:
                psycopg.connect(**kw)
            # libpq, told to prefer TLS, falls back to a plain connection.
            assert "no authentication rule" in str(e.value), kw


def test_a_refusal_names_no_secret_of_the_configuration(sluice):
    s = sluice("host app app 192.0.2.0/24 trust\n")
    known = refused(s, user="app", sslmode="disable")
    unknown = refused(s, user="stranger", sslmode="disable")
    unknown = unknown.replace("stranger", "app")
    assert known == unknown and "192.0.2" not in known


def test_check_names_file_and_line(sluice):
    s = sluice("host all all all trust\n\nhost all all nowhere trust\n",
               start=False)
    r = subprocess.run([binary(), "--check", s.conf], capture_output=True,
                       text=True, check=False)
    assert r.returncode == 1
    assert "rules:3: 'nowhere' is a host name, expected an address" in \
        r.stdout + r.stderr


def test_reload_takes_all_or_nothing(sluice, rules):
    s = sluice("host all app all trust\n")
    generation = s.generation
    rules("host all app all reject\nhost all all all nonsense\n")
    s.hangup()
    until(lambda: "unknown method" in s.log)
    assert s.generation == generation
    allowed(s)
    rules("host all app all reject\nhost all alice all trust\n")
    s.hangup()
    until(lambda: s.generation > generation)
    refused(s)
    allowed(s, user="alice")


@pytest.mark.parametrize("conf, expected", [
    ('auth = "hba"\n', "auth: hba needs rules"),
    ('auth_hba_file = "$RULES"\n', "auth_hba_file: would not be used"),
    ('auth_ident_file = "$RULES"\n', "auth_ident_file: would not be used"),
    ('auth = "cert"\n', "auth: cert needs a CA"),
    ('auth = "hba"\nauth_hba_file = "$RULES"\n', "expected tls_ca_file"),
    ('auth = "hba"\nauth_hba_file = "/nowhere"\n', "cannot open '/nowhere'"),
])
def test_settings_that_do_not_go_together(pg, pgsluice, rules, conf, expected):
    s = pgsluice(conf + 'backend "main" { conninfo = "port=$PG" }\n'
                 'database "app" { backend = "main" }\n', start=False,
                 RULES=rules("hostssl all all all cert\n"))
    r = subprocess.run([binary(), "--check", s.conf], capture_output=True,
                       text=True, check=False)
    assert r.returncode == 1 and expected in r.stdout + r.stderr


# -- methods --------------------------------------------------------------------

@pytest.fixture
def every_secret(lab, pg):
    """A users file with one password in each form it can have."""
    verifier = pg.psql("SELECT rolpassword FROM pg_authid WHERE "
                       "rolname = 'app'")
    md5 = hashlib.md5((ROLES["alice"] + "alice").encode()).hexdigest()
    return private_file(f"{lab.work}/every-secret.txt",
                        f'"app" "{verifier}"\n"alice" "md5{md5}"\n'
                        f'"bob" "{ROLES["bob"]}"\n')


@contextlib.contextmanager
def asked(sluice, user):
    """A connection that was just asked for proof, and by which request."""
    with rawpg.RawConn(sluice.host, sluice.port, startup=False) as conn:
        conn.send(rawpg.startup_message({"user": user, "database": "app"}))
        kind, body = conn.recv_message()
        assert kind == "R"
        yield conn, int.from_bytes(body[:4], "big")


@pytest.mark.parametrize("method, user, expected", [
    ("password", "app", 3), ("password", "alice", 3), ("password", "bob", 3),
    ("password", "nobody", 3),
    ("md5", "app", 10), ("md5", "alice", 5), ("md5", "bob", 5),
    ("scram-sha-256", "app", 10), ("scram-sha-256", "bob", 10),
    ("scram-sha-256", "nobody", 10)])
def test_method_and_secret(sluice, every_secret, method, user, expected):
    s = sluice(f"host all all all {method}\n", USERS=every_secret)
    if user in ROLES:
        allowed(s, user=user, password=ROLES[user])
    with s.counting(client_login_failures=2):
        text = refused(s, user=user, password="wrong", sslmode="disable")
        assert f'password authentication failed for user "{user}"' in text
        with asked(s, user) as (conn, found):
            assert found == expected
            # Nothing at all is no proof.
            conn.send(rawpg.Scram("").first_message() if found == 10 else
                      rawpg.password_message(b"\0"))
            if found == 10:
                kind, body = conn.recv_message()
                assert (kind, body[:4]) == ("R", b"\0\0\0\x0b")
                nonce = body[4:].split(b",")[0]
                conn.send(rawpg.password_message(
                    b"c=biws," + nonce + b",p=" + b"A" * 43 + b"="))
            assert rawpg.sqlstates(conn.recv_to_end()) == ["28P01"]


def test_md5_secret_does_not_serve_scram(sluice, every_secret):
    s = sluice("host all all all scram-sha-256\n", USERS=every_secret)
    assert "password authentication failed" in refused(
        s, user="alice", password=ROLES["alice"])


def test_password_alone_is_not_taken_in_clear(pg, db, pgsluice, users_file,
                                              certificate):
    """auth = "password" without a rule that says so."""
    cert, key = certificate
    s = pgsluice(TLS.replace("hba\"\nauth_hba_file = \"$RULES", "password"),
                 USERS=users_file, CERT=cert, KEY=key)
    assert "no encryption" in refused(s, password=ROLES["app"],
                                      sslmode="disable")
    assert allowed(s, password=ROLES["app"], sslmode="require")
    refused(s, password="wrong", sslmode="require")


@pytest.mark.parametrize("binding", ["require", "prefer", "disable"])
@pytest.mark.parametrize("mode", ["require", "disable"])
def test_channel_binding(sluice, binding, mode):
    s = sluice("host all all all scram-sha-256\n")
    kw = {"channel_binding": binding, "sslmode": mode,
          "password": ROLES["app"]}
    if binding == "require" and mode == "disable":
        # Nobody may talk the client out of what it requires.
        assert "channel binding" in refused(s, **kw)
    else:
        assert allowed(s, **kw) == (mode == "require")
    refused(s, **{**kw, "password": "wrong"})


def test_no_channel_binding_over_a_password(sluice):
    s = sluice("hostssl all app all password\nhostssl all all all md5\n")
    for user in ("app", "bob"):
        assert "channel binding required" in refused(
            s, user=user, password=ROLES[user], channel_binding="require",
            sslmode="require")


# -- peer -----------------------------------------------------------------------

def local(s, user):
    with psycopg.connect(host=socket_of(s), port=s.port, dbname="app",
                         user=user) as conn:
        return conn.execute("SELECT current_user").fetchone()[0]


def test_peer(sluice, rules, pg):
    maps = rules(f"""
        here {ME}           app
        here /^(r|.*)$      \\1-mapped
        here "no such user" bob
    """, "maps")
    s = sluice("local all app,alice,bob,root-mapped peer map=here\n"
               "local all all peer\n", conf=TLS + MAPPED, IDENT=maps)
    assert local(s, "app") == "app"
    for user in ("alice", "bob", "nobody-at-all"):
        with pytest.raises(psycopg.OperationalError) as e:
            local(s, user)
        assert f'peer authentication failed for user "{user}"' in str(e.value)
    until(lambda: "system user does not fit" in s.log)


def test_peer_alone(pg, db, pgsluice, users_file):
    s = pgsluice(RULES.replace("hba\"\nauth_hba_file = \"$RULES", "peer"),
                 USERS=users_file)
    pg.psql(f"""DO $$BEGIN IF to_regrole('{ME}') IS NULL THEN
            CREATE ROLE "{ME}" LOGIN; END IF; END$$""")
    assert local(s, ME) == ME
    with pytest.raises(psycopg.OperationalError):
        local(s, "app")
    # TCP has no peer that the system vouches for.
    assert "no authentication rule" in refused(s, user=ME)


# -- certificates -----------------------------------------------------------------

@pytest.fixture(scope="session")
def client_certificate(lab, certificate):
    """Factory: (certificate, key) that the server's own certificate signed."""
    made = {}

    def make(subject, signed=True):
        if subject in made:
            return made[subject]
        name = os.path.join(lab.work, f"client{len(made)}")
        run = dict(check=True, capture_output=True)
        new = ["openssl", "req", "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
               f"{name}.key", "-subj", subject]
        if signed:
            subprocess.run(new + ["-out", f"{name}.csr"], **run)
            subprocess.run(["openssl", "x509", "-req", "-in", f"{name}.csr",
                            "-CA", certificate[0], "-CAkey", certificate[1],
                            "-CAcreateserial", "-days", "2", "-out",
                            f"{name}.crt"], **run)
        else:
            subprocess.run(new + ["-x509", "-out", f"{name}.crt"], **run)
        os.chmod(f"{name}.key", 0o600)
        made[subject] = f"{name}.crt", f"{name}.key"
        return made[subject]
    return make


def with_cert(cert):
    return {"sslmode": "require", "sslcert": cert[0], "sslkey": cert[1]}


def test_cert(sluice, rules, certificate, client_certificate):
    maps = rules("""
        m  /^(.*)@corp$                \\1
        dn "CN=dave,O=lab"             alice
    """, "maps")
    s = sluice("""
        hostssl app   bob   all cert map=m
        hostssl app   alice all cert map=dn clientname=DN
        hostssl other all   all scram-sha-256
        hostssl all   all   all cert
    """, conf=TLS + MAPPED + 'tls_ca_file = "$CERT"\n', IDENT=maps)
    app = with_cert(client_certificate("/CN=app"))
    allowed(s, **app)
    assert 'certificate authentication failed for user "scram"' in refused(
        s, user="scram", **app)
    mapped = with_cert(client_certificate("/CN=bob@corp"))
    allowed(s, user="bob", **mapped)
    refused(s, **mapped)
    dn = with_cert(client_certificate("/O=lab/CN=dave"))
    allowed(s, user="alice", **dn)
    refused(s, user="bob", **dn)
    # Signed by nobody we know, and none at all.
    refused(s, **with_cert(client_certificate("/CN=app/O=forged",
                                              signed=False)))
    assert "requires a valid client certificate" in refused(
        s, sslmode="require")
    # Who needs none shows none.
    assert allowed(s, dbname="other", password=ROLES["app"],
                   sslmode="require")


def test_certificate_on_top_of_a_password(sluice, client_certificate):
    s = sluice("""
        hostssl app   all all scram-sha-256 clientcert=verify-full
        hostssl other all all scram-sha-256 clientcert=verify-ca
    """, conf=TLS + 'tls_ca_file = "$CERT"\n')
    app = with_cert(client_certificate("/CN=app"))
    allowed(s, password=ROLES["app"], **app)
    refused(s, password="wrong", **app)
    refused(s, user="alice", password=ROLES["alice"], **app)
    allowed(s, dbname="other", user="alice", password=ROLES["alice"], **app)
