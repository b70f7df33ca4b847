# SPDX-License-Identifier: PostgreSQL
"""A client's proof serves for the backend, too: whose servers are whose."""

import base64
import hashlib
import hmac
import os

import psycopg
import pytest

from harness import ROLES, private_file, until

CONF = """
auth = "hba"
auth_hba_file = "$HBA"
users_file = "$USERS"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB $MORE" }
database "app" { backend = "main" }
user_map "mapped" { to = "scram" }
"""

PASSWORD = ROLES["scram"]


@pytest.fixture
def sluice(pg, db, pgsluice, lab):
    """Factory: clients come by this method; the backend asks `scram` for a
    password."""
    def make(method, users=None, more=""):
        hba = os.path.join(lab.work, "passing.hba")
        with open(hba, "w") as f:
            f.write(f"host all all all {method}\n")
        if users is None:
            users = "".join(f'"{name}" "{secret}"\n' for name, secret in [
                ("scram", verifier(pg)), ("mapped", PASSWORD)])
        return pgsluice(CONF, HBA=hba, MORE=more, USERS=private_file(
            os.path.join(lab.work, "passing.users"), users))
    return make


def verifier(pg, role="scram"):
    return pg.psql("SELECT rolpassword FROM pg_authid WHERE "
                   f"rolname = '{role}'").strip()


def scram_of(password):
    """A verifier."""
    salt = b"sixteen bytes ok"
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 4096)
    client, server = (hmac.digest(salted, b"%s Key" % w, "sha256")
                      for w in (b"Client", b"Server"))
    stored = hashlib.sha256(client).digest()
    return "SCRAM-SHA-256$4096:" + ":".join(
        "$".join(base64.b64encode(x).decode() for x in pair)
        for pair in ([salt, stored], [server]))


def who(sluice, user="scram", password=PASSWORD):
    return sluice.query("SELECT current_user", user=user, password=password)


def test_the_password_of_a_password_login_is_passed_on(sluice):
    s = sluice("password")
    assert who(s) == [("scram",)]
    with pytest.raises(psycopg.OperationalError) as e:
        who(s, password="wrong")
    assert "password authentication failed" in str(e.value)


def test_it_is_passed_on_under_its_own_name_only(sluice):
    s = sluice("password")
    with pytest.raises(psycopg.OperationalError) as e:
        who(s, user="mapped")
    assert 'no password is known to connect to backend "main"' in str(e.value)


def test_a_users_file_password_comes_first(sluice, pg):
    """It is the administrator's word."""
    s = sluice("password", users=f'"scram" "{PASSWORD}"\n')
    assert who(s) == [("scram",)]
    with pytest.raises(psycopg.OperationalError):
        who(s, password="another")


def test_a_conninfo_password_comes_first(sluice):
    """Clients have passwords of pgsluice's own."""
    s = sluice("password", users=f'"scram" "{scram_of("mine")}"\n',
               more=f"password={PASSWORD}")
    assert who(s, password="mine") == [("scram",)]


def test_scram_needs_a_libpq_that_takes_keys(sluice):
    """And says so where this one does not."""
    s = sluice("scram-sha-256")
    if psycopg.pq.version() >= 180000:
        assert who(s) == [("scram",)]
        return
    with pytest.raises(psycopg.OperationalError) as e:
        who(s)
    assert 'no password is known to connect to backend "main"' in str(e.value)
    until(lambda: "SCRAM keys are passed on by libpq 18" in s.log)


def test_a_changed_password_opens_new_servers(sluice, pg):
    """Servers that the old one opened are not for whoever has the new one,
    nor the other way round."""
    users = "".join(f'"{n}" "{pw}"\n' for n, pw in [("scram", PASSWORD)])
    s = sluice("password", users=users.replace(PASSWORD, verifier(pg)))
    with s.counting(server_connects=1):
        assert who(s) == who(s) == [("scram",)]
    pg.psql("ALTER ROLE scram PASSWORD 'changed'")
    try:
        private_file(s.holes["USERS"], f'"scram" "{verifier(pg)}"\n')
        s.hangup()
        until(lambda: logs_in(s, "changed"))
        assert not logs_in(s, PASSWORD)
        with s.counting(server_connects=0):
            assert who(s, password="changed") == [("scram",)]
    finally:
        pg.psql(f"ALTER ROLE scram PASSWORD '{PASSWORD}'")


def logs_in(sluice, password):
    try:
        return who(sluice, password=password) == [("scram",)]
    except psycopg.OperationalError:
        return False


# -- secrets stay secret ----------------------------------------------------------

def memory(pid):
    """All that the process has written into memory."""
    with open(f"/proc/{pid}/maps") as maps, \
            open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            span, access = line.split()[:2]
            start, end = (int(x, 16) for x in span.split("-"))
            # Larger ones are a sanitizer's, reserved and not written.
            if access.startswith("rw") and end - start <= 1 << 28:
                mem.seek(start)
                try:
                    yield mem.read(end - start)
                except OSError:
                    pass


@pytest.mark.parametrize("method", ["password", "md5", "scram-sha-256"])
def test_secrets_are_nowhere_to_be_seen(sluice, pg, method):
    """Neither in the console, the metrics and the log, nor, where they are no
    longer needed, in memory."""
    s = sluice(method)
    canary = "canary-of-a-wrong-one"
    with pytest.raises(psycopg.OperationalError):
        who(s, password=canary)
    text = s.log + str(s.metrics())
    for secret in (PASSWORD, canary, verifier(pg)[14:60]):
        assert secret not in text
    found = [block for block in memory(s.proc.pid)
             if canary.encode() in block]
    assert not found
