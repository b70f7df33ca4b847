# SPDX-License-Identifier: PostgreSQL
"""Limits on client connections and on transactions: of all, of a database, of
a user, of an address; and who gets in nevertheless."""

import contextlib
import socket
import time

import pytest

import rawpg
from harness import Deadline, fill, until
from rawpg import RawConn, ServerError, sqlstates, types

CONF = """
auth = "trust"
admin_users = {"app"}
$LIMIT
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
database "other" { backend = "main" $OTHER }
"""


@pytest.fixture
def make(pg, db, pgsluice):
    return lambda limit="", other="": pgsluice(CONF, LIMIT=limit, OTHER=other)


def client(sluice, database="app", user="app", **kw):
    return RawConn("127.0.0.1", sluice.port, user, database, **kw)


def refused(sluice, database="app", user="app", host="127.0.0.1"):
    """(SQLSTATE, text) of the refusal."""
    with pytest.raises(ServerError) as e:
        RawConn(host, sluice.port, user, database)
    assert e.value.severity == "FATAL"
    return e.value.sqlstate, e.value.message


def closes(sluice, reason):
    return sluice.metrics()[f'pgsluice_client_closes_total{{reason="{reason}"}}']


def reload(sluice, limit="", conf=CONF):
    generation = sluice.generation
    sluice.rewrite(fill(conf, {**sluice.holes, "LIMIT": limit, "OTHER": ""}))
    sluice.hangup()
    until(lambda: sluice.generation > generation)


def let_in(sluice, **kw):
    """A place has become free."""
    def trial():
        with contextlib.suppress(ServerError):
            client(sluice, **kw).close()
            return True
    until(trial)


def test_of_a_database(make):
    """The limit is the database's; its own option goes before the setting;
    a place that is given up can be taken again."""
    sluice = make("max_db_client_connections = 2",
                  "max_db_client_connections = 1")
    two = [client(sluice), client(sluice, user="alice")]
    state, text = refused(sluice, user="bob")
    assert state == "53300" and "max_db_client_connections" in text
    with client(sluice, "other"):
        assert refused(sluice, "other")[0] == "53300"
    until(lambda: closes(sluice, "too_many_database") == 2)
    two.pop().close()
    let_in(sluice)
    two.pop().close()


def test_of_a_user(make):
    """The limit is the user's, over all databases; a block goes before the
    setting."""
    sluice = make('max_user_client_connections = 1\n'
                  'user "alice" { max_user_client_connections = 2 }\n'
                  'user "bob" { max_user_client_connections = 0 }')
    with client(sluice) as one:
        state, text = refused(sluice, "other")
        assert state == "53300" and "max_user_client_connections" in text
        with client(sluice, user="alice"), client(sluice, user="alice"):
            assert refused(sluice, user="alice")[0] == "53300"
            many = [client(sluice, user="bob") for _ in range(5)]
            for c in many:
                c.close()
        assert one.ask_rows("SELECT 1") == [("1",)]
    let_in(sluice)
    until(lambda: closes(sluice, "too_many_user") >= 2)


def test_strangers_take_no_ones_place(make, users_file):
    """Who fails to prove to be the user does not count as one."""
    sluice = make()
    reload(sluice, "max_user_client_connections = 1", CONF.replace(
        'auth = "trust"', f'users_file = "{users_file}"'))
    strangers = []
    for _ in range(3):
        c = client(sluice, startup=False)
        c.send(rawpg.startup_message({"user": "app", "database": "app"}))
        assert types([c.recv_message()]) == "R"
        strangers.append(c)
    with client(sluice, password="app-password") as c:
        assert c.ask_rows("SELECT 1") == [("1",)]
    for c in strangers:
        c.close()


class Other(RawConn):
    """A client of another address."""

    def connect(self):
        sock = socket.socket()
        sock.settimeout(self.timeout)
        sock.bind(("127.0.0.2", 0))
        sock.connect((self.host, self.port))
        return sock


def test_of_an_address(make, pg, db):
    """Each address has its own; cancel requests are still taken."""
    sluice = make("max_address_client_connections = 2")
    with client(sluice) as a, client(sluice):
        state, text = refused(sluice)
        assert state == "53300" and "max_address_client_connections" in text
        with Other("127.0.0.1", sluice.port, "app", "app") as b:
            assert b.ask_rows("SELECT 1") == [("1",)]
        a.send(rawpg.query("SELECT pg_sleep(20)"))
        until(lambda: pg.pids(state="active", datname=db,
                              query="SELECT pg_sleep(20)"))
        a.cancel()
        assert sqlstates(a.read_until_ready(timeout=5)) == ["57014"]
    until(lambda: closes(sluice, "too_many_address") == 1)


def test_administrators_get_in(make):
    """Every place is taken: of the database's and in all; the console still
    opens for those who may do something about it, and for them alone."""
    sluice = make('max_client_conn = 2\nmax_address_client_connections = 2\n'
                  'stats_users = {"alice"}')
    with client(sluice), client(sluice):
        assert refused(sluice)[0] == "53300"
        assert refused(sluice, "pgsluice", "alice")[0] == "53300"
        assert sluice.console("SHOW VERSION")
        assert sluice.console("SHOW CLIENTS")


def test_the_unix_socket_stays_open(make, lab):
    """Connections that say nothing fill all that TCP may have; the console is
    reached by the unix socket."""
    sluice = make(f'max_client_conn = 1\nunix_socket_dir = "{lab.work}"')
    # Whoever looked whether the port answers is gone.
    until(lambda: sluice.metric("pgsluice_clients") == 0)
    silent = [client(sluice, startup=False) for _ in range(101)]
    until(lambda: sluice.metric("pgsluice_clients") == 101)
    extra = client(sluice, startup=False)
    assert extra.recv_to_end() == []
    with RawConn(lab.work, sluice.port, "app", "pgsluice") as c:
        assert "C" in types(c.ask("SHOW VERSION"))
    for c in silent + [extra]:
        c.close()


# -- transactions -------------------------------------------------------------

def closed_in_time(c, sqlstate, seconds=3):
    with Deadline(seconds):
        assert sqlstates(c.recv_to_end()) == [sqlstate]


def test_transaction_timeout_counts_from_its_first_statement(make, pg):
    """Work in between does not start it anew; the server is given up."""
    sluice = make('transaction_timeout = "1s"')
    with client(sluice) as c:
        c.ask("BEGIN")
        began = time.monotonic()
        while time.monotonic() < began + 0.7:
            c.ask("SELECT 1")
            time.sleep(0.1)
        closed_in_time(c, "25P04", 1.5)
    until(lambda: closes(sluice, "tx_length") == 1)
    until(lambda: not pg.pids(state="idle in transaction",
                              datname=sluice.holes["DB"]))


def test_transaction_timeout_ends_a_running_statement(make, pg):
    """In a transaction and alone; short ones and idle clients go on."""
    sluice = make('transaction_timeout = "1s"')
    with client(sluice) as c, client(sluice) as alone, client(sluice) as idle:
        c.ask("BEGIN")
        c.send(rawpg.query("SELECT pg_sleep(20)"))
        alone.send(rawpg.query("SELECT pg_sleep(20)"))
        closed_in_time(c, "25P04")
        closed_in_time(alone, "25P04")
        assert idle.ask_rows("SELECT 1") == [("1",)]


def test_times_of_one_user(make):
    """A block's options hold for its user alone, and a reload moves them."""
    sluice = make('user "alice" { transaction_timeout = 1s }\n'
                  'user "bob" { query_timeout = 1s }')
    with client(sluice, user="alice") as a, client(sluice) as other, \
            client(sluice, user="bob") as b:
        a.ask("BEGIN")
        other.ask("BEGIN")
        b.send(rawpg.query("SELECT pg_sleep(20)"))
        closed_in_time(a, "25P04")
        closed_in_time(b, "57014")
        assert other.ask_rows("SELECT 1") == [("1",)]
        other.ask("COMMIT")
        reload(sluice, 'user "app" { client_idle_timeout = 1s }')
        assert other.ask_rows("SELECT 1") == [("1",)]
        closed_in_time(other, "57P05")


# -- the reserve of a pool ----------------------------------------------------

RESERVE = """
auth = "trust"
admin_users = {"app"}
pool_size = 1
reserve_pool_timeout = 1s
$LIMIT
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" $OTHER }
database "app" { backend = "main" }
"""
PID = "SELECT pg_backend_pid()"


def test_the_reserve_is_for_long_waits(pg, db, pgsluice):
    """The second server comes when the wait has lasted, a third never does,
    and when nobody waits any more the first is left alone."""
    sluice = pgsluice(RESERVE, LIMIT="reserve_pool_size = 7",
                      OTHER="reserve_pool_size = 1")
    with client(sluice) as a, client(sluice) as b, client(sluice) as c:
        a.ask("BEGIN")
        first = a.ask_rows(PID)
        began = time.monotonic()
        b.ask("BEGIN")
        second = b.ask_rows(PID)
        assert 0.9 < time.monotonic() - began < 4
        assert second != first
        c.send(rawpg.query(PID))
        assert c.recv_nothing(2.5)
        b.ask("COMMIT")
        # The reserve's server goes on, as somebody waits.
        assert rawpg.text_rows(c.read_until_ready()) == second
        a.ask("COMMIT")
        until(lambda: len(pg.pids(datname=db)) == 1)
        assert a.ask_rows("SELECT 1") == [("1",)]
    [row] = sluice.console("SHOW DATABASES")[:1]
    assert int(row["reserve_pool"]) == 1


def test_one_too_many_is_one_to_close(pg, db, pgsluice):
    """Two servers come back at the same moment, on two workers, to a pool that
    has become one too small for them."""
    conf = """
workers = 2
auth = "trust"
admin_users = {"app"}
pool_size = $SIZE
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
"""
    sluice = pgsluice(conf, SIZE=2)
    with client(sluice) as a, client(sluice) as b:
        for _ in range(25):
            pids = []
            for c in a, b:
                c.ask("BEGIN")
                pids.append(c.ask_rows(PID))
            assert pids[0] != pids[1]
            sluice.rewrite(conf.replace("$SIZE", "1"))
            sluice.reload()
            a.send(rawpg.query("COMMIT"))
            b.send(rawpg.query("COMMIT"))
            a.read_until_ready()
            b.read_until_ready()
            until(lambda: len(pg.pids(datname=db)) < 2)
            assert len(pg.pids(datname=db)) == 1
            sluice.rewrite(conf.replace("$SIZE", "2"))
            sluice.reload()


def test_short_waits_take_no_reserve(pg, db, pgsluice):
    sluice = pgsluice(RESERVE, LIMIT="reserve_pool_size = 1", OTHER="")
    with client(sluice) as a, client(sluice) as b:
        for _ in range(20):
            a.send(rawpg.query("SELECT pg_sleep(0.02)"))
            b.send(rawpg.query("SELECT pg_sleep(0.02)"))
            a.read_until_ready()
            b.read_until_ready()
        assert sluice.metric("pgsluice_server_connects_total") == 1


# -- the sockets --------------------------------------------------------------

def keepalive(sluice, c):
    """Seconds until the next probe on the daemon's side of a connection, as
    the kernel has it; None: no probe is due."""
    ends = f":{sluice.port:04X}", f":{c.sock.getsockname()[1]:04X}"
    with open("/proc/net/tcp", encoding="ascii") as f:
        for words in (line.split() for line in f):
            if (words[1][8:], words[2][8:]) == ends:
                timer, _, when = words[5].partition(":")
                return int(when, 16) / 100 if timer == "02" else None
    raise AssertionError("no such connection")


def test_keepalive_of_clients(make):
    """As the kernel has it in force; a reload counts for new clients."""
    sluice = make("tcp_keepidle = 77s")
    with client(sluice) as c:
        assert 60 < keepalive(sluice, c) <= 77
        reload(sluice, "tcp_keepalive = false")
        with client(sluice) as fresh:
            assert keepalive(sluice, fresh) is None
        assert 60 < keepalive(sluice, c) <= 77
