# SPDX-License-Identifier: PostgreSQL
"""The door: versions of the protocol, TLS with and without asking for it,
certificates of both ends and their renewal, TLS to backends."""

import contextlib
import os
import shutil
import socket
import ssl
import struct
import subprocess
import threading

import psycopg2
import pytest

import rawpg
from harness import Cluster, fill, private_file, until
from rawpg import RawConn, ServerError, sqlstates, startup_message

CONF = """
auth = "trust"
admin_users = {"app"}
$TLS
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
"""
APP = {"user": "app", "database": "app"}


# -- certificates -------------------------------------------------------------

def run(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


class Pki:
    """A CA and what it signed: (certificate, key) by common name."""

    def __init__(self, folder, name):
        self.folder = os.path.join(folder, name)
        os.mkdir(self.folder)
        self.ca = self.file("ca.crt")
        run("req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-keyout",
            self.file("ca.key"), "-out", self.ca, "-subj", f"/CN={name}")

    def file(self, name):
        return os.path.join(self.folder, name)

    def sign(self, name):
        cert, key, request, extra = (self.file(name + e) for e in
                                     (".crt", ".key", ".csr", ".ext"))
        run("req", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out",
            request, "-subj", f"/CN={name}")
        with open(extra, "w", encoding="ascii") as f:
            f.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        run("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey",
            self.file("ca.key"), "-CAcreateserial", "-days", "2", "-extfile",
            extra, "-out", cert)
        os.chmod(key, 0o600)
        return cert, key


@pytest.fixture(scope="module")
def pki(lab):
    return Pki(lab.work, "ours")


@pytest.fixture(scope="module")
def strangers(lab):
    return Pki(lab.work, "strangers")


@pytest.fixture(scope="module")
def server_cert(pki):
    return pki.sign("server")


@pytest.fixture
def make(pg, db, pgsluice, server_cert):
    def start(mode="allow", more=""):
        return pgsluice(CONF, TLS=tls_settings(mode, server_cert, more))
    return start


def tls_settings(mode, pair, more=""):
    return (f'tls_mode = "{mode}"\ntls_cert_file = "{pair[0]}"\n'
            f'tls_key_file = "{pair[1]}"\n{more}')


def context(alpn=(), cert=None, ca=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca is None:
        c.check_hostname = False
        c.verify_mode = ssl.CERT_NONE
    else:
        c.load_verify_locations(ca)
    if alpn:
        c.set_alpn_protocols(list(alpn))
    if cert is not None:
        c.load_cert_chain(*cert)
    return c


def client(sluice, tls=True, **kw):
    return RawConn("127.0.0.1", sluice.port, "app", "app", tls=tls, **kw)


def stranger(sluice):
    return RawConn("127.0.0.1", sluice.port, startup=False)


def refused(sluice, tls):
    """No login: the handshake fails, or the connection ends behind it."""
    with pytest.raises((ssl.SSLError, OSError, rawpg.Closed)):
        client(sluice, tls=tls)


# -- versions of the protocol -------------------------------------------------

@pytest.mark.parametrize("minor,answered,key", [
    (0, None, 4), (1, None, 4), (2, None, 32), (3, 2, 32), (9999, 2, 32)])
def test_minor_versions(make, minor, answered, key):
    """What is older is spoken; what is newer is negotiated down; from 3.2 on
    cancel keys are long."""
    sluice = make("disable")
    with client(sluice, tls=False, version=3 << 16 | minor) as c:
        offers = rawpg.bodies(c.login_messages, "v")
        assert offers == ([] if answered is None else
                          [struct.pack("!II", 3 << 16 | answered, 0)])
        assert len(c.key[1]) == key
        assert c.ask_rows("SELECT 1") == [("1",)]


def test_unknown_options_of_the_protocol(make):
    """They are named, in order, and the session goes on in its version."""
    sluice = make("disable")
    with client(sluice, tls=False, version=3 << 16,
                params={"_pq_.one": "1", "_pq_.two": ""}) as c:
        assert rawpg.bodies(c.login_messages, "v") == [
            struct.pack("!II", 3 << 16, 2) + b"_pq_.one\0_pq_.two\0"]
        assert c.login_messages[0][0] == "v"
        assert c.ask_rows("SELECT 1") == [("1",)]


@pytest.mark.parametrize("version,text", [
    (2 << 16, "2.0"), (4 << 16 | 7, "4.7"), (1 << 16, "1.0")])
def test_other_major_versions(make, version, text):
    sluice = make("disable")
    with pytest.raises(ServerError) as e:
        client(sluice, tls=False, version=version)
    assert e.value.sqlstate == "0A000"
    assert e.value.message == (f"unsupported frontend protocol {text}: "
                               "server supports 3.0 to 3.2")


def test_long_cancel_keys(make, pg, db):
    """The whole key cancels; a part of it, or more than it, does not."""
    sluice = make("disable")
    with client(sluice, tls=False, version=3 << 16 | 2) as c:
        c.send(rawpg.query("SELECT pg_sleep(20)"))
        until(lambda: pg.pids(state="active", datname=db,
                              query="SELECT pg_sleep(20)"))
        pid, key = c.key
        with sluice.counting(cancels_ignored=3):
            for wrong in (key[:4], key[:-1], key + b"\0"):
                c.cancel((pid, wrong))
        c.cancel()
        assert sqlstates(c.read_until_ready(timeout=5)) == ["57014"]
        assert c.ask_rows("SELECT 1") == [("1",)]


# -- direct TLS ---------------------------------------------------------------

def direct(sluice, ctx):
    """A connection that begins with the handshake."""
    c = stranger(sluice)
    try:
        c.sock = ctx.wrap_socket(c.sock, server_hostname="localhost")
    except BaseException:
        c.abort()
        raise
    return c


def login(c):
    c.send(startup_message(APP))
    c.login()
    return c.ask_rows("SELECT 1") == [("1",)]


@pytest.mark.parametrize("mode", ["allow", "prefer", "require"])
def test_direct_tls(make, mode):
    """No SSLRequest; ALPN says what will be spoken."""
    sluice = make(mode)
    with direct(sluice, context(["h2", "postgresql"])) as c:
        assert c.sock.selected_alpn_protocol() == "postgresql"
        assert login(c)


@pytest.mark.parametrize("alpn", [(), ("h2", "http/1.1")])
def test_direct_tls_without_our_protocol(make, alpn):
    """It may have been meant for another server: no byte of it is acted on."""
    sluice = make("allow")
    with pytest.raises((ssl.SSLError, OSError, rawpg.Closed)):
        with direct(sluice, context(alpn)) as c:
            login(c)
    with client(sluice) as c:
        assert c.ask_rows("SELECT 1") == [("1",)]


def test_direct_tls_where_there_is_none(make):
    sluice = make("disable")
    with pytest.raises((ssl.SSLError, OSError)):
        direct(sluice, context(["postgresql"]))
    with client(sluice, tls=False) as c:
        assert c.ask_rows("SELECT 1") == [("1",)]


@pytest.mark.parametrize("request_", [rawpg.ssl_request, rawpg.gss_request])
def test_no_request_inside_direct_tls(make, request_):
    sluice = make("allow")
    with direct(sluice, context(["postgresql"])) as c:
        c.send(request_())
        assert sqlstates(c.recv_to_end()) == ["08P01"]


def test_direct_tls_only_at_the_start(make):
    """Behind a request that was refused a handshake is a mistake."""
    sluice = make("allow")
    c = stranger(sluice)
    c.send(rawpg.gss_request())
    assert c.recv_bytes(1) == b"N"
    with pytest.raises((ssl.SSLError, OSError)):
        c.sock = context(["postgresql"]).wrap_socket(
            c.sock, server_hostname="localhost")
    c.abort()


def test_alpn_behind_an_ssl_request(make):
    """Not needed there; if given it has to fit."""
    sluice = make("allow")
    with client(sluice, tls=context(["postgresql"])) as c:
        assert c.sock.selected_alpn_protocol() == "postgresql"
    refused(sluice, context(["h2"]))


# -- what the modes ask for ---------------------------------------------------

def test_require_takes_no_plain_client(make):
    sluice = make("require")
    with pytest.raises(ServerError) as e:
        client(sluice, tls=False)
    assert e.value.sqlstate == "28000"


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_verified_clients_only(make, pki, strangers, mode):
    sluice = make(mode, f'tls_ca_file = "{pki.ca}"\n')
    with client(sluice, tls=context(cert=pki.sign("anyone"))) as c:
        assert c.ask_rows("SELECT 1") == [("1",)]
    refused(sluice, context())
    refused(sluice, context(cert=strangers.sign("anyone")))
    with pytest.raises(ServerError) as e:
        client(sluice, tls=False)
    assert e.value.sqlstate == "28000"


@pytest.mark.parametrize("mode", ["allow", "require"])
def test_certificates_that_no_rule_demands(lab, pg, db, pgsluice, server_cert,
                                           pki, strangers, mode):
    """None is fine; one that is sent has to be good."""
    rules = private_file(os.path.join(lab.work, "door.hba"),
                         "host all all all trust\n")
    sluice = pgsluice(CONF.replace(
        '"trust"', f'"hba"\nauth_hba_file = "{rules}"'), TLS=tls_settings(
            mode, server_cert, f'tls_ca_file = "{pki.ca}"\n'))
    for ctx in (context(), context(cert=pki.sign("anyone"))):
        with client(sluice, tls=ctx) as c:
            assert c.ask_rows("SELECT 1") == [("1",)]
    refused(sluice, context(cert=strangers.sign("anyone")))


def test_versions_and_ciphers(make):
    sluice = make("allow", 'tls_min_version = "TLSv1.3"\n'
                  'tls13_ciphers = "TLS_CHACHA20_POLY1305_SHA256"\n')
    old = context()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    refused(sluice, old)
    with client(sluice) as c:
        assert c.sock.version() == "TLSv1.3"
        assert c.sock.cipher()[0] == "TLS_CHACHA20_POLY1305_SHA256"
    sluice = make("allow", 'tls_ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256"\n')
    with client(sluice, tls=old) as c:
        assert c.sock.cipher()[0] == "ECDHE-ECDSA-AES128-GCM-SHA256"


# -- renewal ------------------------------------------------------------------

def reload_error(sluice):
    with pytest.raises(psycopg2.Error) as e:
        sluice.reload()
    return str(e.value)


def test_certificate_renewal(make, pg, db, pki, server_cert):
    """New connections see the new certificate, old ones go on; files that are
    no good are named, and the certificate in force stays."""
    sluice = make("allow")
    cert, key = pki.sign("renewed")

    def shown(c):
        return c.sock.getpeercert(binary_form=True)

    def switch(mode, pair, more=""):
        sluice.write_conf(fill(CONF, {**sluice.holes, "TLS": tls_settings(
            mode, pair, more)}))
    with client(sluice) as old:
        before = shown(old)
        switch("allow", (cert, key))
        sluice.reload()
        with client(sluice) as c:
            renewed = shown(c)
        assert renewed != before
        assert old.ask_rows("SELECT 1") == [("1",)]
        # The same names with other contents, as certbot leaves them.
        for name, text in ((cert, "junk\n"), (key, "junk\n")):
            with open(name, encoding="ascii") as f:
                good = f.read()
            with open(name, "w", encoding="ascii") as f:
                f.write(text)
            assert name in reload_error(sluice)
            with client(sluice) as c:
                assert shown(c) == renewed
            with open(name, "w", encoding="ascii") as f:
                f.write(good)
        switch("allow", (cert, server_cert[1]))
        assert server_cert[1] in reload_error(sluice)
        switch("allow", (cert, key), 'tls_ciphers = "NO-SUCH"\n')
        assert "tls_ciphers" in reload_error(sluice)
        switch("verify-ca", (cert, key))
        assert "expected tls_ca_file" in reload_error(sluice)
        with client(sluice) as c:
            assert shown(c) == renewed
        assert old.ask_rows("SELECT 1") == [("1",)]


# -- TLS to backends ----------------------------------------------------------

SERVER = """
auth = "trust"
$TLS
backend "main" { conninfo = "host=127.0.0.1 port=$TLSPG dbname=postgres $MORE" }
database "app" { backend = "main" }
"""
IN_USE = "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


@pytest.fixture(scope="module")
def tls_pg(lab, pki):
    """PostgreSQL with TLS, that looks at certificates of clients."""
    cert, key = pki.sign("backend")
    if os.geteuid() == 0:
        shutil.chown(key, "postgres")
    cluster = Cluster(lab, "tlspg", settings={
        "ssl": "on", "ssl_cert_file": cert, "ssl_key_file": key,
        "ssl_ca_file": pki.ca})
    yield cluster.start()
    cluster.stop()


@pytest.fixture
def to_tls(tls_pg, pgsluice):
    return lambda settings, more="": pgsluice(
        SERVER, TLS=settings, TLSPG=tls_pg.port, MORE=more)


def no_backend(sluice):
    with pytest.raises(ServerError) as e:
        client(sluice, tls=False)
    assert e.value.sqlstate == "08006"
    return e.value.message


@pytest.mark.parametrize("mode,used", [
    ("disable", "f"), ("prefer", "t"), ("require", "t")])
def test_tls_to_backends(to_tls, mode, used):
    with client(to_tls(f'server_tls_sslmode = "{mode}"\n'), tls=False) as c:
        assert c.ask_rows(IN_USE)[0][0] == used


def test_backends_are_verified(to_tls, pki, strangers):
    for mode in ("verify-ca", "verify-full"):
        for ca, good in ((pki.ca, True), (strangers.ca, False)):
            sluice = to_tls(f'server_tls_sslmode = "{mode}"\n'
                            f'server_tls_ca_file = "{ca}"\n'
                            'server_tls_min_version = "TLSv1.3"\n')
            if not good:
                no_backend(sluice)
                continue
            with client(sluice, tls=False) as c:
                assert c.ask_rows(IN_USE) == [("t", "TLSv1.3")]


def test_name_of_a_backend(to_tls, pki):
    """verify-full looks at the name, verify-ca does not."""
    more = "hostaddr=127.0.0.1 host=elsewhere.example"
    ca = f'server_tls_ca_file = "{pki.ca}"\nserver_tls_sslmode = '
    with client(to_tls(ca + '"verify-ca"\n', more), tls=False) as c:
        assert c.ask_rows(IN_USE)[0][0] == "t"
    no_backend(to_tls(ca + '"verify-full"\n', more))


def test_certificate_for_backends(to_tls, pki):
    cert, key = pki.sign("proxy")
    sluice = to_tls(f'server_tls_sslmode = "require"\n'
                    f'server_tls_cert_file = "{cert}"\n'
                    f'server_tls_key_file = "{key}"\n')
    with client(sluice, tls=False) as c:
        assert c.ask_rows("SELECT client_dn FROM pg_stat_ssl WHERE pid = "
                          "pg_backend_pid()") == [("/CN=proxy",)]


def test_conninfo_goes_before_the_settings(to_tls):
    sluice = to_tls('server_tls_sslmode = "require"\n', "sslmode=disable")
    with client(sluice, tls=False) as c:
        assert c.ask_rows(IN_USE)[0][0] == "f"


def test_require_and_a_backend_without(pg, db, pgsluice):
    """It fails, instead of going on in clear."""
    sluice = pgsluice(CONF, TLS='server_tls_sslmode = "require"\n')
    no_backend(sluice)


@pytest.mark.parametrize("answer", [
    b"E" + struct.pack("!I", 4 + 26) + b"SFATAL\0C28000\0Mpwned\0\0\0\0\0",
    b"SE\0\0\0\x20SFATAL\0C28000\0Mpwned\0\0", b"X"])
def test_nothing_from_before_the_handshake_is_believed(lab, pgsluice, answer):
    """What answers the TLS request has proven nothing: its words are not
    passed on to clients, and what comes with the consent ends it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            with contextlib.suppress(OSError):
                while True:
                    conn = listener.accept()[0]
                    with conn, contextlib.suppress(OSError):
                        conn.settimeout(5)
                        conn.recv(8)
                        conn.sendall(answer)
                        conn.recv(1000)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        sluice = pgsluice(CONF, PG=listener.getsockname()[1],
                          TLS='server_tls_sslmode = "require"\n')
        text = no_backend(sluice)
        assert text == 'could not connect to backend "main"'
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)
