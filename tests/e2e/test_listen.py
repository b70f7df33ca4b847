# SPDX-License-Identifier: PostgreSQL
"""LISTEN under transaction pooling: one server listens for many sessions."""

import contextlib
import struct
import threading

import pytest

import fakepg
import rawpg
from harness import Deadline, until

CONF = """
listen = {"127.0.0.1:$PORT"}
auth = "trust"
admin_users = {"app"}
pool_size = $SIZE
workers = 2
shared_listen = $SHARED
max_notification_bytes = "64kB"
query_wait_timeout = "$WAIT"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" pool_mode = "$MODE" }
"""


@pytest.fixture
def make(pg, db, pgsluice):
    def start(size=2, shared="true", mode="transaction", wait="30s"):
        return pgsluice(CONF, SIZE=size, SHARED=shared, MODE=mode, WAIT=wait)
    return start


def client(sluice, **params):
    return rawpg.RawConn("127.0.0.1", sluice.port, "app", "app",
                         params=params, timeout=20)


def note(body):
    """(pid, channel, payload) of a NotificationResponse."""
    channel, payload, rest = body[4:].split(b"\0")
    assert rest == b""
    return struct.unpack_from("!i", body)[0], channel.decode(), \
        payload.decode()


def next_note(conn):
    kind, body = conn.recv_message()
    assert kind == "A", (kind, body)
    return note(body)[1:]


def asked(conn, sql):
    """Tags of the answers to sql; notifications do not matter."""
    messages = conn.ask(sql)
    assert not rawpg.errors(messages), rawpg.errors(messages)
    return rawpg.tags(messages)


def listening(pg, db):
    return pg.pids(datname=db, application_name="pgsluice listener")


def fence(conn, other, channel):
    """Nothing but what comes now was under way to conn."""
    asked(other, f"NOTIFY {channel}, 'fence'")
    seen = []
    while not seen or seen[-1] != (channel, "fence"):
        seen.append(next_note(conn))
    return seen[:-1]


# -- who hears what --------------------------------------------------------------

def test_many_sessions_share_one_listening_server(make, pg, db):
    sluice = make(size=1)
    with contextlib.ExitStack() as stack:
        conns = [stack.enter_context(client(sluice)) for _ in range(20)]
        for conn in conns:
            assert asked(conn, "LISTEN news") == ["LISTEN"]
        assert len(listening(pg, db)) == 1
        # The pool's only server is free for everybody.
        sender = stack.enter_context(client(sluice))
        for n in range(50):
            asked(sender, f"NOTIFY news, 'n{n}'")
        for conn in conns:
            assert [next_note(conn) for _ in range(50)] == \
                [("news", f"n{n}") for n in range(50)]
            assert conn.recv_nothing(0)
        assert sluice.console("SHOW LISTENERS")[0]["subscriptions"] == 20
        assert not any(row["pin"] for row in sluice.console("SHOW CLIENTS"))


def test_the_pid_is_the_notifiers_server(make, pg, db):
    sluice = make()
    with client(sluice) as conn, pg.connect(db) as sender:
        asked(conn, "LISTEN a")
        sender.execute("NOTIFY a, 'x'")
        kind, body = conn.recv_message()
        assert (kind, note(body)) == \
            ("A", (sender.info.backend_pid, "a", "x"))


def test_channels_are_kept_apart(make, pg, db):
    sluice = make()
    with client(sluice) as a, client(sluice) as b, client(sluice) as both, \
            client(sluice) as sender:
        asked(a, "LISTEN one")
        asked(b, 'LISTEN "Two words"')
        asked(both, 'LISTEN ONE; LISTEN "Two words"; LISTEN one')
        asked(sender, "NOTIFY one, '1'; NOTIFY \"Two words\", '2'")
        asked(sender, "NOTIFY three, '3'; NOTIFY \"ONE\", '4'")
        assert next_note(a) == ("one", "1")
        assert next_note(b) == ("Two words", "2")
        assert [next_note(both), next_note(both)] == \
            [("one", "1"), ("Two words", "2")]
        assert fence(a, sender, "one") == []
        asked(sender, "NOTIFY \"Two words\", 'end'")
        assert next_note(both) == ("one", "fence")
        assert next_note(both) == ("Two words", "end")
        assert next_note(b) == ("Two words", "end")


def test_names_and_payloads_of_every_length(make, pg, db):
    sluice = make()
    name = "x" * 70
    odd = 'a"b\\c\'d $ e'
    with client(sluice) as conn, client(sluice) as sender:
        asked(conn, f"LISTEN {name}")
        asked(conn, 'LISTEN "' + odd.replace('"', '""') + '"')
        asked(sender, f"NOTIFY {name}, '{'p' * 7999}'")
        assert next_note(conn) == (name[:63], "p" * 7999)
        asked(sender, 'NOTIFY "' + odd.replace('"', '""') + '"')
        assert next_note(conn) == (odd, "")
        # PostgreSQL's own limit, and its collapsing of duplicates.
        assert rawpg.sqlstates(sender.ask(
            f"NOTIFY {name}, '{'p' * 8000}'")) == ["22023"]
        asked(sender, f"NOTIFY {name}, 'd'; NOTIFY {name}, 'd'")
        assert next_note(conn) == (name[:63], "d")
        asked(conn, "LISTEN last")
        assert fence(conn, sender, "last") == []


def test_a_session_hears_itself(make):
    sluice = make()
    with client(sluice) as conn:
        asked(conn, "LISTEN me")
        conn.send(rawpg.query("NOTIFY me, 'mine'"))
        seen = conn.recv_until("A")
        assert note(seen[-1][1])[1:] == ("me", "mine")


def test_nothing_sent_before_listen_is_heard(make, pg, db):
    """Another session listens already: what is under way to it when LISTEN
    is answered belongs to it alone."""
    sluice = make()
    with client(sluice) as first, pg.connect(db) as sender:
        asked(first, "LISTEN a")
        for n in range(40):
            with client(sluice) as late:
                sender.execute(f"NOTIFY a, 'before{n}'")
                asked(late, "LISTEN a")
                sender.execute(f"NOTIFY a, 'after{n}'")
                assert next_note(late) == ("a", f"after{n}")
        assert [next_note(first)[1] for _ in range(80)] == \
            [f"{w}{n}" for n in range(40) for w in ("before", "after")]


@pytest.mark.parametrize("encoding,text", [("UTF8", "ü€"), ("LATIN1", "ü")])
def test_payloads_come_in_the_clients_encoding(make, pg, db, encoding, text):
    sluice = make()
    with client(sluice, client_encoding=encoding) as conn, \
            client(sluice) as sender:
        asked(conn, "LISTEN a")
        asked(sender, f"NOTIFY a, '{text}'")
        kind, body = conn.recv_message()
        assert body[4:] == b"a\0" + text.encode(encoding) + b"\0"


# -- transactions ------------------------------------------------------------------

def test_listen_takes_effect_at_commit(make, pg, db):
    sluice = make()
    with client(sluice) as conn, pg.connect(db) as sender:
        for begin in ("BEGIN", "BEGIN; SELECT 1"):
            asked(conn, begin)
            assert asked(conn, "LISTEN a") == ["LISTEN"]
            assert conn.status == "T"
            sender.execute("NOTIFY a, 'early'")
            asked(conn, "COMMIT")
            sender.execute("NOTIFY a, 'late'")
            assert next_note(conn) == ("a", "late")
            asked(conn, "UNLISTEN *")


def test_rollback_undoes_listen_and_unlisten(make, pg, db):
    sluice = make()
    with client(sluice) as conn, pg.connect(db) as sender:
        asked(conn, "LISTEN kept")
        for begin, end in (("BEGIN", "ROLLBACK"), ("BEGIN", "ABORT"),
                           ("BEGIN; SELECT 1", "ROLLBACK"),
                           ("BEGIN; SELECT 1", "ROLLBACK AND CHAIN")):
            asked(conn, begin)
            asked(conn, "LISTEN a")
            asked(conn, "UNLISTEN kept")
            asked(conn, "UNLISTEN *")
            asked(conn, end)
            if conn.status == "T":
                asked(conn, "COMMIT")
            sender.execute("NOTIFY a, 'x'; NOTIFY kept, 'y'")
            assert next_note(conn) == ("kept", "y")
        # A transaction that fails.
        asked(conn, "BEGIN")
        asked(conn, "LISTEN a")
        assert rawpg.sqlstates(conn.ask("SELECT 1/0")) == ["22012"]
        assert rawpg.sqlstates(conn.ask("LISTEN b")) == ["25P02"]
        assert rawpg.tags(conn.ask("COMMIT")) == ["ROLLBACK"]
        sender.execute("NOTIFY a; NOTIFY b; NOTIFY kept, 'z'")
        assert next_note(conn) == ("kept", "z")
        until(lambda: sluice.console("SHOW LISTENERS")[0]["channels"] == 1)


def test_savepoints(make, pg, db):
    sluice = make()
    with client(sluice) as conn, pg.connect(db) as sender:
        asked(conn, "BEGIN")
        asked(conn, "LISTEN a")
        asked(conn, "SAVEPOINT s")
        asked(conn, "LISTEN b")
        asked(conn, "ROLLBACK TO s")
        asked(conn, "COMMIT")
        sender.execute("NOTIFY b; NOTIFY a, '1'")
        assert next_note(conn) == ("a", "1")
        asked(conn, "BEGIN")
        asked(conn, "SAVEPOINT s")
        asked(conn, "UNLISTEN *")
        asked(conn, "ROLLBACK TO s")
        asked(conn, "COMMIT")
        sender.execute("NOTIFY a, '2'")
        assert next_note(conn) == ("a", "2")
        asked(conn, "BEGIN")
        asked(conn, "SAVEPOINT s")
        asked(conn, "LISTEN b")
        asked(conn, "RELEASE s")
        asked(conn, "COMMIT")
        sender.execute("NOTIFY b, '3'; NOTIFY a, '3'")
        assert sorted([next_note(conn), next_note(conn)]) == \
            [("a", "3"), ("b", "3")]


def test_notifications_wait_for_the_end_of_a_transaction(make, pg, db):
    sluice = make()
    with client(sluice) as conn, client(sluice) as other, \
            pg.connect(db) as sender:
        asked(conn, "LISTEN a")
        asked(other, "LISTEN a")
        for begin in ("BEGIN", "BEGIN; SELECT 1"):
            asked(conn, begin)
            sender.execute("NOTIFY a, 'meanwhile'")
            assert next_note(other) == ("a", "meanwhile")
            assert conn.recv_nothing(0.05)
            assert "A" not in rawpg.types(conn.ask("SELECT 2"))
            conn.send(rawpg.query("COMMIT"))
            seen = conn.recv_until("A")
            assert note(seen[-1][1])[1:] == ("a", "meanwhile")
            while conn.status != "I":
                conn.recv_message()


def test_unlisten(make, pg, db):
    sluice = make()
    with client(sluice) as conn, client(sluice) as sender:
        assert asked(conn, "UNLISTEN a") == ["UNLISTEN"]
        assert asked(conn, "UNLISTEN *") == ["UNLISTEN"]
        asked(conn, "LISTEN a; LISTEN b; LISTEN c")
        asked(conn, "UNLISTEN a")
        asked(sender, "NOTIFY a; NOTIFY b, '1'; NOTIFY c, '1'")
        assert sorted([next_note(conn), next_note(conn)]) == \
            [("b", "1"), ("c", "1")]
        # What drivers' pools send when a connection comes back to them.
        asked(conn, "SELECT pg_advisory_unlock_all(); CLOSE ALL; "
              "UNLISTEN *; RESET ALL;")
        asked(sender, "NOTIFY b; NOTIFY c")
        asked(conn, "LISTEN d")
        assert fence(conn, sender, "d") == []
        # DISCARD ALL ends listening; when it fails, it does not.
        assert rawpg.sqlstates(conn.ask("UNLISTEN *; DISCARD ALL")) == \
            ["25001"]
        assert fence(conn, sender, "d") == []
        asked(conn, "DISCARD ALL")
        asked(sender, "NOTIFY d")
        asked(conn, "LISTEN e")
        assert fence(conn, sender, "e") == []
        asked(conn, "UNLISTEN *")
    # Its server was reset or closed; a spare one may have come meanwhile.
    until(lambda: pg.psql(
        f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{db}' AND "
        "application_name = 'pgsluice listener' AND "
        "query LIKE '%LISTEN %'") == "0")


def test_extended_protocol(make, pg, db):
    sluice = make()
    with client(sluice) as conn, pg.connect(db) as sender:
        conn.send(rawpg.parse("", "LISTEN a") + rawpg.bind("", "") +
                  rawpg.describe("P") + rawpg.execute() + rawpg.sync())
        assert rawpg.types(conn.read_until_ready()) == \
            "12nCZ"
        sender.execute("NOTIFY a, '1'")
        assert next_note(conn) == ("a", "1")
        conn.send(rawpg.parse("s", "UNLISTEN a") + rawpg.bind("", "s") +
                  rawpg.execute() + rawpg.sync())
        assert rawpg.tags(conn.read_until_ready()) == ["UNLISTEN"]
        conn.send(rawpg.bind("", "s") + rawpg.execute() + rawpg.sync())
        assert rawpg.tags(conn.read_until_ready()) == ["UNLISTEN"]
        asked(conn, "LISTEN b")
        sender.execute("NOTIFY a; NOTIFY b, '2'")
        assert next_note(conn) == ("b", "2")


def test_pipelined_listen_keeps_its_place(make, pg, db):
    sluice = make()
    with client(sluice) as conn, client(sluice) as sender:
        conn.send(rawpg.query("SELECT 1") + rawpg.query("LISTEN a") +
                  rawpg.query("SELECT 2") + rawpg.query("NOTIFY a, 'x'"))
        messages = conn.read_until_ready(4)
        assert rawpg.tags(messages) == \
            ["SELECT 1", "LISTEN", "SELECT 1", "NOTIFY"]
        if "A" not in rawpg.types(messages):
            assert next_note(conn) == ("a", "x")


def test_what_cannot_be_shared_pins(make, pg, db):
    sluice = make(size=2)
    with client(sluice) as conn, client(sluice) as sender:
        asked(conn, "LISTEN shared")
        for sql in ("SELECT 1; LISTEN mixed", 'LISTEN "ümlaut"'):
            asked(conn, sql)
            assert "listen" in [r["pin"] for r in
                                sluice.console("SHOW CLIENTS")]
        asked(conn, "LISTEN shared; LISTEN more")
        asked(sender, "NOTIFY mixed, '1'; NOTIFY \"ümlaut\", '1';"
              "NOTIFY shared, '1'; NOTIFY more, '1'")
        # Each once, whichever way it comes.
        assert sorted(next_note(conn) for _ in range(4)) == sorted(
            (c, "1") for c in ("mixed", "ümlaut", "shared", "more"))
        asked(conn, "UNLISTEN shared")
        asked(sender, "NOTIFY shared")
        assert fence(conn, sender, "more") == []


@pytest.mark.parametrize("settings", [{"shared": "false"},
                                      {"mode": "session"}])
def test_switched_off_it_is_the_sessions_own_server(make, pg, db, settings):
    sluice = make(**settings)
    with client(sluice) as conn, client(sluice) as sender:
        asked(conn, "LISTEN a")
        assert conn.ask_rows("SELECT pg_listening_channels()") == [("a",)]
        asked(sender, "NOTIFY a, 'x'")
        assert next_note(conn) == ("a", "x")
        assert listening(pg, db) == []
        assert sluice.console("SHOW LISTENERS") == []


# -- failures -----------------------------------------------------------------------

def test_a_lost_listening_server_ends_its_sessions(make, pg, db):
    sluice = make()
    with client(sluice) as conn, client(sluice) as busy, \
            client(sluice) as other:
        asked(conn, "LISTEN a")
        asked(busy, "LISTEN a")
        asked(busy, "BEGIN; SELECT 1")
        asked(other, "LISTEN a")
        asked(other, "UNLISTEN *")
        with sluice.counting(listener_closes=2):
            for pid in listening(pg, db):
                pg.psql(f"SELECT pg_terminate_backend({pid})")
            for c in (conn, busy):
                fields = rawpg.errors(c.recv_to_end())[0]
                assert fields["C"] == "57P01"
                assert "listens" in fields["M"]
        # Who does not listen is not concerned, and may begin anew.
        asked(other, "LISTEN a")
        with client(sluice) as sender:
            assert fence(other, sender, "a") == []


def test_reconnect_does_not_lose_notifications_silently(make, pg, db):
    sluice = make()
    with client(sluice) as conn:
        asked(conn, "LISTEN a")
        sluice.console("RECONNECT")
        assert rawpg.sqlstates(conn.recv_to_end()) == ["57P01"]


def test_no_server_no_listen(make, pg, db):
    sluice = make()
    with client(sluice) as conn:
        asked(conn, "SELECT 1")
        pg.stop()
        assert rawpg.sqlstates(conn.ask("LISTEN a")) == ["08006"]
        assert conn.status == "I"
        pg.start()
        until(lambda: not rawpg.errors(conn.ask("LISTEN a")))
        with client(sluice) as sender:
            assert fence(conn, sender, "a") == []


def test_cancel_and_leaving_while_listen_waits(make, pg, db):
    sluice = make(wait="2s")
    with client(sluice) as conn, client(sluice) as gone, \
            client(sluice) as slow:
        sluice.console("PAUSE")
        conn.send(rawpg.query("LISTEN a"))
        gone.send(rawpg.query("LISTEN a"))
        slow.send(rawpg.query("LISTEN b"))
        until(lambda: len([r for r in sluice.console("SHOW CLIENTS")
                           if r["state"] == "listen_wait"]) == 3)
        gone.abort()
        conn.cancel()
        assert rawpg.sqlstates(conn.read_until_ready()) == ["57014"]
        assert rawpg.sqlstates(slow.read_until_ready()) == ["53300"]
        sluice.console("RESUME")
        asked(conn, "LISTEN c")
        until(lambda: [(r["channels"], r["subscriptions"]) for r in
                       sluice.console("SHOW LISTENERS")] == [(1, 1)])
        with client(sluice) as sender:
            asked(sender, "NOTIFY a; NOTIFY b")
            assert fence(conn, sender, "c") == []


def test_who_does_not_read_is_closed(make, pg, db):
    sluice = make()
    with client(sluice) as idle, client(sluice) as deaf, \
            pg.connect(db) as sender, Deadline(60):
        asked(idle, "LISTEN a")
        asked(deaf, "LISTEN a")
        asked(deaf, "BEGIN")
        for n in range(20):
            sender.execute(f"NOTIFY a, '{n:07990}'")
        fields = rawpg.errors(deaf.recv_to_end())[0]
        assert fields["C"] == "53200"
        assert "max_notification_bytes" in fields["M"]
        for n in range(20):
            assert next_note(idle) == ("a", f"{n:07990}")
        # And who is idle but never takes its bytes off the socket.
        with sluice.counting(listener_closes=1), client(sluice) as stuck:
            asked(stuck, "LISTEN b")
            payloads = 0
            while sluice.count("listener_closes") < 2:
                sender.execute("SELECT pg_notify('b', i || repeat('x', 7900))"
                               " FROM generate_series(1, 200) i")
                payloads += 200
                assert payloads < 20000
        assert fence(idle, client(sluice), "a") == []


class Standby(fakepg.FakePG):
    """Refuses LISTEN; or says things about channels nobody asked for."""
    stray = b""

    def script(self, sql):
        if sql.startswith("LISTEN"):
            return lambda conn, _: conn.send(
                self.stray + fakepg.error("cannot execute LISTEN during "
                                          "recovery", sqlstate="25006") +
                fakepg.ready())
        return None


def test_the_servers_refusal_is_passed_on(pgsluice):
    with Standby() as fake:
        sluice = pgsluice(CONF, SIZE=2, SHARED="true", MODE="transaction",
                          WAIT="30s", PG=fake.port)
        with client(sluice) as conn:
            for _ in range(3):
                assert rawpg.sqlstates(conn.ask("LISTEN a")) == ["25006"]
                assert conn.status == "I"


def test_hostile_listening_server(pgsluice):
    """Notifications that nobody wants, or that are broken, hurt nobody."""
    def body(data):
        return rawpg.message("A", data)
    with Standby() as fake:
        Standby.stray = b"".join(
            body(d) for d in (b"", b"\0\0\0\1", b"\0\0\0\1a", b"\0\0\0\1a\0b",
                              b"\0\0\0\1a\0b\0c", b"\0\0\0\1a\0b\0",
                              b"\0\0\0\1" + b"z" * 500 + b"\0\0",
                              b"\0\0\0\1\0\0"))
        try:
            sluice = pgsluice(CONF, SIZE=2, SHARED="true",
                              MODE="transaction", WAIT="30s", PG=fake.port)
            with client(sluice) as conn:
                messages = conn.ask("LISTEN a")
                assert rawpg.sqlstates(messages) == ["25006"]
                assert "A" not in rawpg.types(messages)
        finally:
            Standby.stray = b""


# -- many ------------------------------------------------------------------------------

def test_churn_loses_none_and_mixes_none(make, pg, db):
    """P40: sessions come and go, subscribe and unsubscribe, while others
    send: each hears every number of its channel from LISTEN to UNLISTEN, in
    order, and nothing else."""
    sluice = make(size=4)
    stop = threading.Event()
    problems = []

    def sender(channel):
        n = 0
        with pg.connect(db) as conn:
            while not stop.is_set():
                n += 1
                conn.execute(f"NOTIFY {channel}, '{channel} {n}'")

    def listener(k):
        channel = f"c{k % 4}"
        try:
            for turn in range(15):
                with client(sluice) as conn:
                    asked(conn, f"LISTEN {channel}")
                    numbers = []
                    while len(numbers) < 20:
                        name, payload = next_note(conn)
                        word, number = payload.split()
                        if (name, word) != (channel, channel):
                            problems.append(f"{channel} got {payload}")
                        numbers.append(int(number))
                    if numbers != list(range(numbers[0], numbers[0] + 20)):
                        problems.append(f"{channel}: {numbers}")
                    tags = rawpg.tags(conn.ask("UNLISTEN *"))
                    if tags != ["UNLISTEN"]:
                        problems.append(str(tags))
                    if not conn.recv_nothing(0):
                        problems.append("heard after UNLISTEN")
        except Exception as e:  # told below
            problems.append(repr(e))
    senders = [threading.Thread(target=sender, args=(f"c{i}",))
               for i in range(4)]
    listeners = [threading.Thread(target=listener, args=(k,))
                 for k in range(12)]
    for t in senders + listeners:
        t.start()
    for t in listeners:
        t.join(60)
    stop.set()
    for t in senders:
        t.join(10)
    assert not problems, problems[:5]


def test_drivers_that_listen(make):
    sluice = make(size=1)
    with sluice.connect() as conn, sluice.connect() as sender:
        conn.execute("LISTEN news")
        sender.execute("NOTIFY news, 'psycopg'")
        got = next(conn.notifies())
        assert (got.channel, got.payload) == ("news", "psycopg")
        with sluice.connect(autocommit=False) as tx:
            tx.execute("LISTEN news")
            tx.commit()
            sender.execute("NOTIFY news, 'again'")
            assert next(tx.notifies()).payload == "again"
