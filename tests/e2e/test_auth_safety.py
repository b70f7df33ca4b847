# SPDX-License-Identifier: PostgreSQL
"""Lessons from the security holes of others, where they concern the login."""

import concurrent.futures
import os
import re
import time

import psycopg
import pytest

import rawpg
from harness import ROLES, TOP, Deadline, private_file, until
from rawpg import RawConn, message, password_message, startup_message

CONF = """
auth = "hba"
auth_hba_file = "$HBA"
users_file = "$USERS"
admin_users = {"app"}
max_client_conn = 3000
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
database "trusted" { backend = "main" }
"""


@pytest.fixture
def sluice(pg, db, pgsluice, users_file, lab):
    def make(method, users=users_file, conf=CONF):
        hba = os.path.join(lab.work, "safety.hba")
        with open(hba, "w") as f:
            f.write("host trusted all all trust\n"
                    "host pgsluice app all trust\n"
                    f"host all all all {method}\n")
        return pgsluice(conf, HBA=hba, USERS=users)
    return make


def asked(sluice, user="bob", database="app"):
    """A connection that was asked for proof."""
    conn = RawConn(sluice.host, sluice.port, startup=False)
    conn.send(startup_message({"user": user, "database": database}))
    kind, body = conn.recv_message()
    assert kind == "R", rawpg.error_fields(body)
    return conn


def half_way(sluice, user="bob", password=ROLES["bob"]):
    """In the middle of a SCRAM exchange; with what would end it."""
    conn = asked(sluice, user)
    scram = rawpg.Scram(password)
    conn.send(scram.first_message())
    kind, body = conn.recv_message()
    assert (kind, body[:4]) == ("R", b"\0\0\0\x0b")
    return conn, scram.final_message(body[4:])


def waiting(sluice, user="bob"):
    """A password is being checked."""
    conn = asked(sluice, user)
    conn.send(password_message(ROLES[user].encode() + b"\0"))
    return conn


# -- S1: one startup packet, and nothing but proof behind it ------------------------

@pytest.mark.parametrize("method, begin", [
    ("password", asked), ("md5", asked), ("scram-sha-256", asked),
    ("scram-sha-256", lambda s: half_way(s)[0])])
def test_every_message_in_every_exchange(sluice, method, begin):
    s = sluice(method)
    for kind in range(256):
        with begin(s) as conn:
            conn.send(message(bytes([kind]), b"\0" * (kind % 3)))
            answers = conn.recv_to_end()
            if kind == ord("X"):
                assert answers == []
                continue
            assert rawpg.types(answers) == "E", (kind, answers)
            fields = rawpg.errors(answers)[0]
            assert fields["S"] == "FATAL"
            assert fields["C"] in ("08P01", "28P01")
            assert kind == ord("p") or fields["C"] == "08P01"


@pytest.mark.parametrize("method, begin", [
    ("password", asked), ("md5", asked), ("scram-sha-256", asked),
    ("scram-sha-256", lambda s: half_way(s)[0])])
def test_a_second_startup_packet_changes_nobody(sluice, method, begin):
    """Whoever is in the middle of an exchange as bob stays bob."""
    s = sluice(method)
    again = startup_message({"user": "app", "database": "trusted"})
    with begin(s) as conn:
        conn.send(again)
        answers = conn.recv_to_end()
        assert rawpg.sqlstates(answers) == ["08P01"]
    # Behind the proof it is no message either.
    if method == "password":
        with asked(s) as conn:
            conn.send(password_message(ROLES["bob"].encode() + b"\0") + again)
            answers = conn.recv_to_end()
            assert rawpg.sqlstates(answers)[-1:] == ["08P01"]
    until(lambda: "user=bob" in s.log)
    assert "user=app" not in s.log


def test_a_wrong_password_is_not_made_good_by_the_next_message(sluice):
    s = sluice("password")
    with asked(s) as conn:
        conn.send(password_message(b"wrong\0") +
                  password_message(ROLES["bob"].encode() + b"\0"))
        assert rawpg.sqlstates(conn.recv_to_end()) == ["28P01"]
    s = sluice("scram-sha-256")
    conn, final = half_way(s, password="wrong")
    with conn:
        right = half_way(s)
        conn.send(final + right[1])
        assert rawpg.sqlstates(conn.recv_to_end()) == ["28P01"]
        # An answer to one challenge is none to another.
        conn, _ = half_way(s)
        with conn, right[0]:
            conn.send(right[1])
            assert rawpg.sqlstates(conn.recv_to_end())[0] in ("08P01", "28P01")


@pytest.mark.parametrize("method", ["password", "md5"])
@pytest.mark.parametrize("body", [
    b"", b"right", b"right\0more", b"right\0\0", b"a\0b\0", b"x" * 20000])
def test_malformed_passwords(sluice, method, body):
    s = sluice(method)
    with asked(s) as conn:
        conn.send(password_message(body))
        assert rawpg.sqlstates(conn.recv_to_end()) == ["08P01"]


# -- S4, S20: lengths that lie --------------------------------------------------------

@pytest.mark.parametrize("length", [
    b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\1\0",
    b"\0\0\0\x1f"])
def test_sasl_lengths_that_lie(sluice, length):
    """The inner length of the first SCRAM message; -1 stands for none."""
    s = sluice("scram-sha-256")
    data = b"n,,n=,r=clientnonce0123456789"
    with asked(s) as conn:
        conn.send(password_message(b"SCRAM-SHA-256\0" + length + data))
        assert rawpg.sqlstates(conn.recv_to_end()) == ["08P01"]


# -- S10: who exists is nobody's business ----------------------------------------------

def seconds(sluice, method, user):
    scram = rawpg.Scram("wrong")
    with asked(sluice, user) as conn:
        began = time.monotonic()
        if method == "scram-sha-256":
            conn.send(scram.first_message())
            _, body = conn.recv_message()
            conn.send(scram.final_message(body[4:]))
        else:
            conn.send(password_message(b"md5" + b"0" * 32 + b"\0"))
        assert rawpg.sqlstates(conn.recv_to_end()) == ["28P01"]
        return time.monotonic() - began


@pytest.mark.parametrize("method", ["scram-sha-256", "password", "md5"])
def test_unknown_users_take_as_long(sluice, lab, method):
    users = private_file(os.path.join(lab.work, "same.users"),
                         '"bob" "bob-password"\n"eve" "eve-password"\n')
    s = sluice(method, users=users)
    known, unknown = [], []
    for _ in range(40):
        known.append(seconds(s, method, "bob"))
        unknown.append(seconds(s, method, "nobody"))
    # The least of many: a busy machine only adds.
    a, b = min(known), min(unknown)
    print(f"\n{method}: wrong password {a * 1e3:.2f} ms, "
          f"unknown user {b * 1e3:.2f} ms")
    # PBKDF2 left out would be a factor of ten and more.
    assert 0.5 < a / b < 2


# -- S21: PBKDF2 holds up nobody --------------------------------------------------------

SLOW = ("SCRAM-SHA-256$1000000:AAECAwQFBgcICQoLDA0ODw==$"
        "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
        ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=")


def test_slow_checks_hold_up_nobody_who_is_in(sluice, lab):
    """Checks of a second each, for minutes; others work, and stopping does
    not wait for them."""
    users = private_file(os.path.join(lab.work, "slow.users"),
                         f'"slow" "{SLOW}"\n')
    s = sluice("password", users=users)
    held = []
    with RawConn(s.host, s.port, "app", "trusted") as busy:
        for _ in range(400):
            conn = asked(s, "slow")
            conn.send(password_message(b"guess\0"))
            held.append(conn)
        with Deadline(10):
            for n in range(50):
                assert busy.ask_rows(f"SELECT {n}") == [(str(n),)]
            assert s.query("SELECT 1", dbname="trusted") == [(1,)]
    with Deadline(30):
        s.stop()
    for conn in held:
        conn.abort()


def test_too_many_checks_are_refused(sluice, lab):
    users = private_file(os.path.join(lab.work, "slow.users"),
                         f'"slow" "{SLOW}"\n')
    s = sluice("password", users=users)
    held = []
    for _ in range(1100):
        conn = asked(s, "slow")
        conn.send(password_message(b"guess\0"))
        held.append(conn)
    before = s.count("client_refused")
    assert before >= 50
    answers = held[-1].recv_to_end()
    assert rawpg.sqlstates(answers) == ["53300"]
    assert "too many logins at once" in rawpg.errors(answers)[0]["M"]
    for conn in held:
        conn.abort()
    assert s.query("SELECT 1", dbname="trusted") == [(1,)]


# -- S25: secrets are not for looking at -------------------------------------------------

def test_the_console_shows_no_secrets(sluice, lab):
    canary = "canary-in-the-users-file"
    users = private_file(os.path.join(lab.work, "shown.users"),
                         f'"bob" "{canary}"\n"slow" "{SLOW}"\n')
    s = sluice("password", users=users, conf=CONF.replace(
        "dbname=$DB", "dbname=$DB password=canary-in-the-conninfo") +
        "track_shapes = true\n")
    with s.connect(user="bob", password=canary):
        with open(os.path.join(TOP, "src/tbl/console_commands.h")) as f:
            shows = re.findall(r'^COMMAND\("(SHOW [A-Z_]+)"', f.read(), re.M)
        assert "SHOW USERS" in shows and "SHOW CONFIG" in shows
        seen = "".join(str(s.console(c)) for c in shows)
    seen += s.log + str(s.metrics())
    assert "bob" in seen
    assert "canary" not in seen and SLOW[30:60] not in seen


# -- S26: closed unless opened -------------------------------------------------------------

@pytest.mark.parametrize("user", ["app", "postgres", "pgsluice", "admin",
                                  "root", "bob"])
def test_nobody_gets_in_by_default(pg, db, pgsluice, user):
    s = pgsluice("""
        backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
        database "app" { backend = "main" }
    """)
    for database in ("app", "pgsluice", "postgres"):
        for password in ("", user, "password"):
            with pytest.raises(psycopg.OperationalError):
                s.connect(dbname=database, user=user, password=password)


def test_the_sample_configuration_is_closed():
    with open(os.path.join(TOP, "conf/pgsluice.conf.sample")) as f:
        active = [line for line in f if line.strip() and line[0] != "#"]
    text = "".join(active)
    assert 'listen = {"127.0.0.1:6432"}' in text
    assert 'auth = "scram-sha-256"' in text
    for word in ("trust", "users_file", "admin_users", "auth_user"):
        assert word not in text
    with open(os.path.join(TOP, "conf/users.txt.sample")) as f:
        assert not [x for x in f if x.strip() and x[0] not in "#;"]


# -- S9, S23: what was once allowed is not allowed for ever ----------------------------------

def test_many_logins_at_once_are_each_their_own(sluice):
    """Right and wrong passwords of several users, all at the same time: each
    gets its own answer and its own name."""
    s = sluice("password")

    def one(n):
        user = ("app", "alice", "bob")[n % 3]
        right = n % 2 == 0
        try:
            with s.connect(user=user, password=ROLES[user] if right else
                           ROLES["scram"], sslmode="disable") as conn:
                return right and conn.execute(
                    "SELECT current_user").fetchone() == (user,)
        except psycopg.OperationalError as e:
            return not right and f'for user "{user}"' in str(e)
    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        assert all(threads.map(one, range(120)))
