# SPDX-License-Identifier: PostgreSQL
"""The console database `pgsluice`: readable by psql and by every driver,
closed to those who have no business there."""

import threading

import psycopg
import psycopg2
import pytest

from harness import Deadline, until

CONF = """
auth = "trust"
admin_users = {"app"}
operator_users = {"oncall"}
stats_users = {"alice"}
max_client_conn = 20
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB
    application_name=canary" }
database "app" { backend = "main" cache = true }
table "app.events" {
    variant "only" { kind = "plain" backend = "main" relation = "app.e" }
}
cache "items" { tables = {"item"} ttl = "60s" l2 = false }
""".replace("$DB\n    app", "$DB app")

SHOWS = ["HELP", "VERSION", "STATS", "STATS_TOTALS", "STATS_AVERAGES",
         "TOTALS", "COUNTERS", "LATENCY", "CLIENTS", "SERVERS", "SOCKETS",
         "ACTIVE_SOCKETS", "POOLS", "BACKENDS", "DATABASES", "USERS",
         "PREPARED_STATEMENTS", "ROUTES", "CACHE", "CONFIG", "WORKERS",
         "LISTS", "MEM", "STATE"]


@pytest.fixture
def sluice(pg, db, pgsluice):
    pg.psql("SET ROLE app; CREATE TABLE item (id int)", db)
    return pgsluice(CONF)


@pytest.mark.parametrize("what", SHOWS)
def test_show(sluice, what):
    sluice.query("SELECT 1")
    with sluice.connect() as conn:
        conn.execute("SELECT %s", (1,), prepare=True)
        rows = sluice.console(f"SHOW {what}")
        assert rows and all(rows[0])
        # psql too, in lower case and with a semicolon.
        assert sluice.psql(f"show {what.lower()};\n", "pgsluice")[1]


def test_drivers_habits(sluice):
    """Transactions around everything, SETs at the start."""
    conn = psycopg2.connect(sluice.dsn("pgsluice", "app"))
    with conn, conn.cursor() as cur:
        cur.execute("SET application_name = 'x'")
        cur.execute("SHOW VERSION")
        assert cur.fetchall()
    conn.close()
    with sluice.connect(dbname="pgsluice") as conn:
        assert conn.execute("SHOW VERSION").fetchall()


def text_of(rows):
    return " ".join(str(v) for row in rows for v in row.values())


def test_what_is_shown(sluice, pg, db):
    with sluice.connect(application_name="my program") as conn:
        conn.execute("BEGIN")
        pid = conn.execute("SELECT pg_backend_pid()").fetchone()[0]
        assert "app" in text_of(sluice.console("SHOW CLIENTS"))
        assert str(pid) in text_of(sluice.console("SHOW SERVERS"))
        assert "main" in text_of(sluice.console("SHOW POOLS"))
        assert "main" in text_of(sluice.console("SHOW BACKENDS"))
        assert "app.events" in text_of(sluice.console("SHOW ROUTES"))
        assert "items" in text_of(sluice.console("SHOW CACHE"))
        config = text_of(sluice.console("SHOW CONFIG"))
        assert "max_client_conn" in config and "query_wait_timeout" in config


ROLES = {"alice": "read", "oncall": "operate", "app": "admin"}
EXAMPLES = {"#": "1", "$": "app", "%": "query_timeout", "+": "30s",
            "&": "DateStyle", "*": "x"}


def example(words):
    return " ".join(EXAMPLES.get(w, w) for w in words.split())


@pytest.mark.parametrize("user", ROLES)
def test_every_command_by_every_role(sluice, user):
    """Rows and permissions as the table says them; what ends the process or
    changes what others see is left out where it is allowed."""
    order = list(ROLES.values())
    rows = sluice.console("SHOW HELP", user=user)
    assert len(rows) > 20
    conn = psycopg2.connect(sluice.dsn("pgsluice", user))
    conn.autocommit = True
    for row in rows:
        allowed = order.index(ROLES[user]) >= order.index(row["permission"])
        if allowed and row["permission"] != "read":
            continue
        code = None
        try:
            conn.cursor().execute(example(row["command"]))
        except psycopg2.Error as e:
            code = e.pgcode
        assert (code != "42501") == allowed, row
    conn.close()


def test_who_may_what(sluice):
    assert sluice.console("SHOW POOLS", user="alice") is not None
    assert sluice.console("RECONNECT", user="oncall") == []
    with pytest.raises(psycopg2.Error) as e:
        sluice.console("RELOAD", user="oncall")
    assert e.value.pgcode == "42501" and "admin_users" in e.value.pgerror
    with pytest.raises(psycopg2.OperationalError):
        sluice.console("SHOW VERSION", user="bob")
    assert sluice.query("SELECT 1") == [(1,)]


@pytest.mark.parametrize("sql, code", [
    ("SELECT 1", "0A000"), ("DROP TABLE item", "0A000"),
    ("SHOW NOTHING", "42601"), ("SHOW", "42601"), ("RELOAD NOW", "42601"),
    ("KILL_CLIENT", "42601"), ("KILL_CLIENT x", "42601"),
    ("KILL_CLIENT 99999999999999999999", "42601"),
    ("KILL_CLIENT 1", "42704"), ("KILL_CLIENT $1", "0A000"),
    ("SHOW VERSION; SHOW LISTS", "42601"), ("SHOW 'VERSION", "42601"),
    ("SET nothing = 1", "42704"), ("SHOW " + "x" * 9000, "54000")])
def test_what_is_refused(sluice, sql, code):
    conn = psycopg2.connect(sluice.dsn("pgsluice", "app"))
    try:
        conn.autocommit = True
        with pytest.raises(psycopg2.Error) as e:
            conn.cursor().execute(sql)
        assert e.value.pgcode == code and "HINT" in e.value.pgerror
        conn.cursor().execute("SHOW VERSION")
    finally:
        conn.close()


def test_psql_describes_nothing(sluice):
    """What \\d asks is SQL: a clear answer, and the session goes on."""
    status, out, err = sluice.psql("\\d\nSHOW VERSION;", "pgsluice",
                                   check=False)
    assert "commands, not SQL" in err, (status, out)
    assert "pgsluice" in sluice.psql("SHOW VERSION", "pgsluice")[1]


def test_pause_and_resume(sluice):
    with sluice.connect() as inside, sluice.connect() as conn:
        inside.execute("BEGIN")
        inside.execute("SELECT 1")
        paused = threading.Thread(target=sluice.console, args=("PAUSE",))
        paused.start()
        until(lambda: sluice.metric("pgsluice_paused") == 1)
        # Who holds a server may finish.
        assert inside.execute("SELECT 2").fetchone() == (2,)
        inside.execute("COMMIT")
        paused.join(20)
        assert not paused.is_alive()
        answer = []
        asking = threading.Thread(target=lambda: answer.append(
            conn.execute("SELECT 3").fetchone()))
        asking.start()
        until(lambda: sluice.metric("pgsluice_pool_waiting") == 1)
        assert not answer
        sluice.console("RESUME")
        asking.join(20)
        assert answer == [(3,)]


def test_flush_cache(sluice, pg, db):
    ask = "SELECT count(*) FROM item"
    assert sluice.query(ask) == [(0,)]
    pg.psql("INSERT INTO item VALUES (1)", db)
    with sluice.counting(cache_hits_l1=1):
        assert sluice.query(ask) == [(0,)]
    sluice.console("FLUSH CACHE")
    assert sluice.query(ask) == [(1,)]


def test_reconnect(sluice):
    with sluice.connect() as conn:
        ask = "SELECT pg_backend_pid()"
        first = conn.execute(ask).fetchone()
        sluice.console("RECONNECT")
        until(lambda: conn.execute(ask).fetchone() != first)


def test_kill_client(sluice):
    with sluice.connect(user="bob") as victim:
        victim.execute("SELECT 1")
        (row,) = [r for r in sluice.console("SHOW CLIENTS")
                  if "bob" in map(str, r.values())]
        number = next(v for k, v in row.items() if k.lower() == "id")
        sluice.console(f"KILL_CLIENT {number}")
        with pytest.raises(psycopg.OperationalError):
            victim.execute("SELECT 1")
    assert sluice.query("SELECT 1") == [(1,)]


def test_shutdown_waits_for_transactions(sluice):
    conn = sluice.connect()
    conn.execute("BEGIN")
    conn.execute("INSERT INTO item VALUES (1)")
    sluice.console("SHUTDOWN")

    def closed_to_others():
        try:
            sluice.connect().close()
        except psycopg.OperationalError:
            return True
        return False
    until(closed_to_others)
    conn.execute("COMMIT")
    conn.close()
    with Deadline(15):
        assert sluice.proc.wait(20) == 0
    sluice.stop()


def test_console_is_reachable_when_clients_are_too_many(sluice):
    clients = [sluice.connect() for _ in range(20)]
    assert sluice.console("SHOW CLIENTS")
    for c in clients:
        c.close()


def test_no_secret_is_shown(pg, db, pgsluice, lab):
    from harness import ROLES, private_file
    path = private_file(f"{lab.work}/canary.txt", '"app" "canary-of-app"\n')
    sluice = pgsluice("""
        log_level = "debug"
        auth = "scram-sha-256"
        admin_users = {"app"}
        users_file = "$USERS"
        backend "main" { conninfo =
            "host=127.0.0.1 port=$PG dbname=$DB user=scram password=$SECRET" }
        database "app" { backend = "main" }
    """, USERS=path, SECRET=ROLES["scram"])
    secret = "canary-of-app"
    with sluice.connect(password=secret) as conn:
        conn.execute("SELECT %s", ("a value",))
    said = sluice.log + sluice.http("/metrics")[1]
    with sluice.connect(dbname="pgsluice", password=secret) as conn:
        for what in SHOWS:
            said += str(conn.execute(f"SHOW {what}").fetchall())
    for word in (secret, ROLES["scram"]):
        assert word not in said
    assert "***" in said
