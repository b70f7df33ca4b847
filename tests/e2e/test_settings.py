# SPDX-License-Identifier: PostgreSQL
"""What a session sets follows it from server to server, in transaction pooling
and with the cache on, and never reaches anybody else."""

import threading

import psycopg
import pytest

import rawpg
from harness import until
from rawpg import bind, describe, execute, parse, query, sync

CONF = """
auth = "trust"
admin_users = {"app"}
workers = 2
pool_size = $SIZE
query_wait_timeout = "20s"
cache_memory = "8MB"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" pool_mode = "$MODE" }
cache "dates" { tables = {"dates"} ttl = "1h" }
"""

MODES = ["transaction", "session"]


@pytest.fixture
def make(pg, db, pgsluice):
    pg.psql("CREATE TABLE dates AS SELECT timestamptz "
            "'2024-03-05 12:00:00+00' AS at; GRANT ALL ON dates TO public",
            db)

    def start(size=1, mode="transaction"):
        return pgsluice(CONF, SIZE=size, MODE=mode)
    return start


def client(sluice):
    return rawpg.RawConn("127.0.0.1", sluice.port, "app", "app")


def pins(sluice):
    return [row["pin"] for row in sluice.console("SHOW CLIENTS")
            if row["database"] == "app" and row["pin"]]


def show(conn, name):
    return conn.execute(f"SHOW {name}").fetchone()[0]


@pytest.fixture(params=[1, 2])
def pair(make, request):
    """Two sessions that share the servers of a pool."""
    sluice = make(request.param)
    with sluice.connect() as a, sluice.connect() as b:
        yield sluice, a, b


# Name, value as SHOW tells it, ways to set it.
WAYS = [
    ("work_mem", "8MB", "SET work_mem = '8MB'"),
    ("work_mem", "8MB", "SET SESSION work_mem TO 8192"),
    ("work_mem", "8MB", "SELECT set_config('work_mem', '8MB', false)"),
    ("work_mem", "8MB", "SELECT pg_catalog.set_config('Work_Mem', '8MB', "
     "1 > 2)"),
    ("search_path", 'other, "a b", public',
     'SET search_path = other, "a b", public'),
    ("DateStyle", "ISO, DMY", "SET datestyle = 'dmy'"),
    ("TimeZone", "Asia/Tokyo", "SET TIME ZONE 'Asia/Tokyo'"),
    ("TimeZone", "<-08>+08", "SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE"),
    ("app.usr", "it's \\ me", "SET app.usr = E'it''s \\\\ me'"),
    ("app.usr", "", "SET app.usr = ''"),
    ("default_transaction_isolation", "serializable",
     "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL "
     "SERIALIZABLE"),
    ("client_encoding", "UTF8", "SET NAMES 'utf8'"),
    ("role", "app", "SET ROLE app"),
]


@pytest.mark.parametrize("name,value,sql", WAYS)
def test_set_follows_its_session(pair, name, value, sql):
    sluice, a, b = pair
    before = b.execute("SELECT current_setting(%s, true)", (name,)).fetchone()
    a.execute(sql)
    for _ in range(4):
        assert show(a, name) == value
        got = b.execute("SELECT current_setting(%s, true)",
                        (name,)).fetchone()
        assert got == before or (got, before) == (("",), (None,))
    assert pins(sluice) == []


def test_set_config_by_execute(make):
    sluice = make()
    with sluice.connect() as a, sluice.connect() as b:
        a.execute("PREPARE p AS SELECT set_config('app.n', 'x', false)")
        a.execute("EXECUTE p")
        for _ in range(2):
            assert b.execute("SELECT nullif(current_setting('app.n', true), "
                             "'')").fetchone() == (None,)
            assert show(a, "app.n") == "x"


def test_parameters_name_the_setting(make):
    sluice = make()
    with sluice.connect() as a, sluice.connect() as b:
        for prepare in (False, True):
            a.execute("SELECT set_config(%s, %s, false)",
                      ("app.tenant", str(prepare)), prepare=prepare)
            assert show(b, "work_mem") == "4MB"
            assert show(a, "app.tenant") == str(prepare)
    assert sluice.count("settings_replays") > 0


@pytest.mark.parametrize("sql,value", [
    ("SET work_mem = '1GB'; ROLLBACK", "8MB"),
    ("SET work_mem = '1GB'; COMMIT", "1GB"),
    ("SAVEPOINT s; SET work_mem = '1GB'; ROLLBACK TO s; COMMIT", "8MB"),
    ("SAVEPOINT s; SET work_mem = '1GB'; RELEASE s; COMMIT", "1GB"),
    ("SET work_mem = '1GB'; SAVEPOINT s; RESET work_mem; ROLLBACK TO s; "
     "COMMIT", "1GB"),
    ("SET LOCAL work_mem = '1GB'; COMMIT", "8MB"),
    ("SET work_mem = '1GB'; SET LOCAL work_mem = '2GB'; COMMIT", "1GB"),
    ("SELECT set_config('work_mem', '1GB', true); COMMIT", "8MB"),
    ("RESET work_mem; COMMIT", "4MB"),
    ("RESET ALL; COMMIT", "4MB"),
    ("RESET ALL; ROLLBACK", "8MB"),
    ("SET work_mem TO DEFAULT; COMMIT", "4MB"),
])
def test_transactions_decide(pair, sql, value):
    """One statement at a time, so that BEGIN is held back, too."""
    sluice, a, b = pair
    a.execute("SET work_mem = '8MB'")
    assert show(b, "work_mem") == "4MB"
    for one in ["BEGIN", *sql.split("; ")]:
        a.execute(one)
    for _ in range(3):
        assert show(a, "work_mem") == value
        assert show(b, "work_mem") == "4MB"
    assert pins(sluice) == []


def test_what_fails_sets_nothing(pair):
    sluice, a, b = pair
    a.execute("SET work_mem = '8MB'")
    for sql in ["SET work_mem = 'much'", "SET work_mem = '1GB'; SELECT 1/0",
                "SELECT set_config('work_mem', '1GB', false), 1/0"]:
        with pytest.raises(psycopg.Error):
            a.execute(sql)
        assert show(b, "work_mem") == "4MB"
        assert show(a, "work_mem") == "8MB"


@pytest.mark.parametrize("sql", [
    "SET log_statement = 'all'",
    "SELECT set_config('log_statement', 'all', false)"])
def test_what_only_superusers_may_set(pair, sql):
    """Refused, it is not asked for on the next server."""
    sluice, a, b = pair
    for begin in (False, True):
        if begin:
            a.execute("BEGIN")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            a.execute(sql)
        if begin:
            a.execute("ROLLBACK")
        assert show(b, "log_statement") == "none"
        for _ in range(3):
            assert show(a, "log_statement") == "none"


def test_several_statements_in_one_query(pair):
    sluice, a, b = pair
    a.execute("SET work_mem = '8MB'; SET TIME ZONE 'Asia/Tokyo'; SELECT 1")
    assert (show(b, "work_mem"), show(b, "timezone")) != ("8MB", "Asia/Tokyo")
    assert (show(a, "work_mem"), show(a, "timezone")) == ("8MB", "Asia/Tokyo")


@pytest.mark.parametrize("sql", ["RESET ALL", "DISCARD ALL"])
def test_all_is_forgotten(pair, sql):
    sluice, a, b = pair
    a.execute("SET work_mem = '8MB'")
    a.execute("SET search_path = other")
    a.execute("SET app.usr = 'x'")
    assert show(b, "search_path") == '"$user", public'
    a.execute(sql)
    for _ in range(3):
        assert show(a, "work_mem") == "4MB"
        assert show(a, "search_path") == '"$user", public'
        assert show(b, "work_mem") == "4MB"
    assert pins(sluice) == []


def test_a_reset_session_shares_its_key_again(make):
    """RESET leads back to the settings all sessions begin with."""
    sluice = make(2)
    with sluice.connect() as a:
        a.execute("SET TIME ZONE 'Asia/Tokyo'")
        for end in ("RESET timezone", "SET timezone TO DEFAULT"):
            a.execute("SET TIME ZONE 'Asia/Tokyo'")
            a.execute(end)
            a.execute("SELECT count(*) FROM dates")
        with sluice.counting(cache_hits_l1=1):
            sluice.query("SELECT count(*) FROM dates")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("prepare", [False, True])
def test_cached_answers_are_of_the_sessions_own_settings(make, mode, prepare):
    sluice = make(4, mode)
    zones = {"UTC": 12, "Asia/Tokyo": 21, "America/New_York": 7}
    sql = "SELECT at::text FROM dates"
    conns = {}
    for zone in zones:
        conns[zone] = sluice.connect()
        conns[zone].execute(f"SET TIME ZONE '{zone}'")
    for _ in range(4):
        for zone, hour in zones.items():
            got = conns[zone].execute(sql, prepare=prepare).fetchone()[0]
            assert got[11:13] == f"{hour:02d}", (zone, got)
    assert sluice.count("cache_hits_l1") > 0
    assert pins(sluice) == []
    # The same settings, the same key.
    with sluice.connect() as late:
        late.execute("SET TIME ZONE 'Asia/Tokyo'")
        before = sluice.count("cache_misses")
        assert late.execute(sql).fetchone()[0][11:13] == "21"
        if not prepare:
            assert sluice.count("cache_misses") == before
    for c in conns.values():
        c.close()


def test_literals_are_read_with_the_sessions_own_settings(make):
    """A literal becomes a value when a statement is prepared: sessions of
    other settings must not share the statement."""
    sluice = make()
    sql = "SELECT '2024-01-02 00:00'::timestamptz = '2024-01-02 00:00Z'"
    with sluice.connect() as a, sluice.connect() as b:
        a.execute("SET TIME ZONE 'Asia/Tokyo'")
        b.execute("SET TIME ZONE 'UTC'")
        for _ in range(3):
            assert a.execute(sql, prepare=True).fetchone() == (False,)
            assert b.execute(sql, prepare=True).fetchone() == (True,)
        # Not those prepared in a transaction that has set something either.
        with a.transaction():
            a.execute("SET LOCAL TIME ZONE 'UTC'")
            assert a.execute(sql + " AND true", prepare=True
                             ).fetchone() == (True,)
        with sluice.connect() as c:
            c.execute("SET TIME ZONE 'Asia/Tokyo'")
            assert c.execute(sql + " AND true", prepare=True
                             ).fetchone() == (False,)
        assert a.execute(sql + " AND true", prepare=True
                         ).fetchone() == (False,)


def test_tables_are_found_by_the_sessions_own_path(pair, pg, db):
    sluice, a, b = pair
    pg.psql("CREATE SCHEMA one; CREATE SCHEMA two; "
            "CREATE TABLE one.t AS SELECT 1 AS n; "
            "CREATE TABLE two.t AS SELECT 'two'::text AS n; "
            "GRANT USAGE ON SCHEMA one, two TO public; "
            "GRANT SELECT ON one.t, two.t TO public", db)
    a.execute("SET search_path = one")
    b.execute("SET search_path = two")
    for prepare in (False, True, True, True):
        assert a.execute("SELECT n FROM t", prepare=prepare
                         ).fetchone() == (1,)
        assert b.execute("SELECT n FROM t", prepare=prepare
                         ).fetchone() == ("two",)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("local", ["", "LOCAL "])
def test_a_second_setting_in_a_transaction_counts_as_the_first(
        make, pg, db, mode, local):
    """What is prepared after it must not be what was prepared before it: there
    a literal is read by other rules, a table found in another schema."""
    pg.psql("CREATE SCHEMA one; CREATE SCHEMA two; "
            "CREATE TABLE one.t AS SELECT 1 AS n; "
            "CREATE TABLE two.t AS SELECT 'two'::text AS n; "
            "GRANT USAGE ON SCHEMA one, two TO public; "
            "GRANT SELECT ON one.t, two.t TO public", db)
    with client(make(1, mode)) as c:
        c.ask("BEGIN")
        for n, (path, style, row, read) in enumerate((
                ("one", "MDY", b"1", b"2024-02-03"),
                ("two", "DMY", b"two", b"2024-03-02"),
                ("one", "MDY", b"1", b"2024-02-03"))):
            c.ask(f"SET {local}search_path = {path}; "
                  f"SET {local}datestyle = 'ISO, {style}'")
            for kind, sql, wanted in (("path", "SELECT n FROM t", row),
                                      ("day", DAY, read)):
                assert run(c, f"{kind}{n}", sql) == [(wanted,)]
        c.ask("COMMIT")


DAY = "SELECT ('02/03/2024'::date)::text"


def run(c, name, sql):
    """Rows of a statement that is prepared for it."""
    c.send(parse(name, sql) + describe("S", name) + bind("", name) +
           execute("") + sync())
    return rawpg.rows(c.read_until_ready())


@pytest.mark.parametrize("mode", MODES)
def test_what_a_transaction_takes_back_counts_as_a_setting(make, mode):
    """As above, where the setting goes back by itself."""
    with client(make(1, mode)) as c:
        c.ask("BEGIN; SET LOCAL datestyle = 'ISO, YMD'; SAVEPOINT a; "
              "SET LOCAL datestyle = 'ISO, DMY'")
        assert run(c, "one", DAY) == [(b"2024-03-02",)]
        c.ask("ROLLBACK TO a; SET LOCAL datestyle = 'ISO, MDY'; SAVEPOINT b")
        assert run(c, "two", DAY) == [(b"2024-02-03",)]
        c.ask("SET LOCAL datestyle = 'ISO, DMY'")
        assert run(c, "three", DAY) == [(b"2024-03-02",)]
        c.ask("ROLLBACK TO b")
        assert run(c, "four", DAY) == [(b"2024-02-03",)]
        # The end of the transaction, not known yet.
        c.send(b"".join(
            parse("", sql) + bind("", "") + execute("") for sql in (
                "SET LOCAL datestyle = 'ISO, DMY'", DAY, "COMMIT")) +
            parse("five", DAY) + bind("", "five") + execute("") + sync())
        assert rawpg.rows(c.read_until_ready()) == [
            (b"2024-03-02",), (b"2024-02-03",)]


# -- roles ----------------------------------------------------------------------

@pytest.fixture
def roles(pg, db):
    pg.psql("DROP ROLE IF EXISTS actor; CREATE ROLE actor; "
            "GRANT actor TO app")
    yield "actor"
    pg.psql("DROP ROLE actor")


WHO = "SELECT current_user, session_user"


def test_roles_follow(pair, roles):
    sluice, a, b = pair
    a.execute("SET work_mem = '8MB'")
    a.execute("SET ROLE actor")
    a.execute("SET search_path = mine")
    for _ in range(3):
        assert a.execute(WHO).fetchone() == ("actor", "app")
        assert show(a, "work_mem") == "8MB"
        assert show(a, "search_path") == "mine"
        assert b.execute(WHO).fetchone() == ("app", "app")
        assert show(b, "search_path") != "mine"
    a.execute("RESET ROLE")
    assert b.execute(WHO).fetchone() == ("app", "app")
    assert a.execute(WHO).fetchone() == ("app", "app")
    assert pins(sluice) == []


def test_session_authorization_follows(make, roles):
    sluice = make()
    with sluice.connect(user="postgres") as a, \
            sluice.connect(user="postgres") as b:
        a.execute("SET SESSION AUTHORIZATION app")
        a.execute("SET ROLE actor")
        for _ in range(3):
            assert a.execute(WHO).fetchone() == ("actor", "app")
            assert b.execute(WHO).fetchone() == ("postgres", "postgres")
        a.execute("RESET SESSION AUTHORIZATION")
        for _ in range(2):
            assert b.execute(WHO).fetchone() == ("postgres", "postgres")
            assert a.execute(WHO).fetchone() == ("postgres", "postgres")
    assert sluice.query(WHO, user="postgres") == [("postgres", "postgres")]


def test_a_role_is_part_of_the_key(make, roles, pg, db):
    sluice = make(2)
    pg.psql("ALTER TABLE dates ENABLE ROW LEVEL SECURITY; "
            "CREATE POLICY mine ON dates USING (current_user = 'app')", db)
    with sluice.connect() as a, sluice.connect() as b:
        a.execute("SET ROLE actor")
        for _ in range(3):
            assert a.execute("SELECT count(*) FROM dates").fetchone() == (0,)
            assert b.execute("SELECT count(*) FROM dates").fetchone() == (1,)
        a.execute("RESET ROLE")
        assert a.execute("SELECT count(*) FROM dates").fetchone() == (1,)


def test_a_role_that_is_gone_ends_the_session(make, pg):
    """What its session was cannot be had any more; it is told so, and nobody
    else is."""
    pg.psql("CREATE ROLE passing; GRANT passing TO app")
    sluice = make()
    with sluice.connect() as a, sluice.connect() as b:
        a.execute("SET ROLE passing")
        assert b.execute(WHO).fetchone() == ("app", "app")
        pg.psql("DROP ROLE passing")
        with pytest.raises(psycopg.OperationalError) as e:
            a.execute(WHO)
        assert 'role "passing" does not exist' in str(e.value)
        assert b.execute(WHO).fetchone() == ("app", "app")


# -- what cannot be followed ------------------------------------------------------

@pytest.mark.parametrize("sql", [
    "SELECT set_config('work' || '_mem', '9MB', false)",
    "SET temp_buffers = '9MB'", "SET seed = 0.5",
    "SET app.usr = 'J\u00fcrgen'",
    "DO $$ BEGIN PERFORM set_config('work_mem', '9MB', false); END $$",
])
def test_what_cannot_be_followed_pins(make, sql):
    sluice = make(2)
    with sluice.connect() as a, sluice.connect() as b:
        a.execute(sql)
        # A value that cannot be kept is known a moment after the reply.
        until(lambda: len(pins(sluice)) == 1)
        pids = {a.execute("SELECT pg_backend_pid()").fetchone()
                for _ in range(3)}
        assert len(pids) == 1
        assert b.execute("SELECT pg_backend_pid()").fetchone() not in pids
    for _ in range(2):
        assert sluice.query("SHOW work_mem") == [("4MB",)]
        assert sluice.query("SHOW temp_buffers") == [("8MB",)]
        assert sluice.query("SELECT current_setting('app.usr', true)"
                            ) in ([(None,)], [("",)])


def test_too_many_settings_pin(make):
    sluice = make(2)
    with sluice.connect() as a:
        for n in range(70):
            a.execute(f"SET app.s{n} = '{n}'")
        assert pins(sluice) == ["setting"]
        assert [show(a, f"app.s{n}") for n in range(70)] == \
            [str(n) for n in range(70)]


# -- the wire -----------------------------------------------------------------------

def test_the_client_sees_its_own_messages_only(make):
    sluice = make()
    with client(sluice) as a, client(sluice) as b:
        m = a.ask("SET TIME ZONE 'Asia/Tokyo'")
        assert rawpg.types(m) == "CSZ"
        assert rawpg.parameter_statuses(m) == {"TimeZone": "Asia/Tokyo"}
        for _ in range(2):
            assert rawpg.types(b.ask("SELECT 1")) == "TDCZ"
            assert rawpg.types(a.ask("SELECT 1")) == "TDCZ"
        m = a.ask("SET app.usr = 'x'; SET work_mem = '8MB'; SELECT 1")
        assert rawpg.types(m) == "CCTDCZ"
        assert rawpg.types(b.ask("SELECT 1")) == "TDCZ"


def test_set_in_a_pipeline(make):
    """Statements behind a SET, sent with it, follow it on its server."""
    sluice = make(2)
    with client(sluice) as a, client(sluice) as b:
        for n in range(20):
            a.send(query(f"SET app.n = '{n}'") + query("SHOW app.n") +
                   parse("", "SHOW app.n") + bind("", "") + describe("P") +
                   execute() + sync() + query("BEGIN") +
                   query(f"SET app.n = 'never'") + query("ROLLBACK") +
                   query("SHOW app.n"))
            m = a.read_until_ready(7)
            assert rawpg.text_rows(m) == [(str(n),)] * 3
            assert b.ask_rows("SELECT coalesce(nullif(current_setting("
                              "'app.n', true), ''), 'none')") == [("none",)]
            assert a.ask_rows("SHOW app.n") == [(str(n),)]


def test_a_client_that_vanishes_leaves_nothing(make):
    sluice = make()
    for _ in range(5):
        a = client(sluice)
        a.send(query("SET work_mem = '9MB'") + query("SET app.u = 'secret'"))
        a.reset()
        assert sluice.query("SHOW work_mem") == [("4MB",)]
        assert sluice.query("SELECT current_setting('app.u', true)"
                            ) in ([(None,)], [("",)])


# -- everybody at once ----------------------------------------------------------------

@pytest.mark.parametrize("mode,clients,size", [
    ("transaction", 32, 4), ("session", 4, 4)])
def test_nobody_sees_anothers_settings(make, mode, clients, size):
    sluice = make(size, mode)
    failed = []

    def client(n):
        try:
            with sluice.connect() as conn:
                conn.execute(f"SET app.me = '{n}'")
                conn.execute(f"SET TIME ZONE INTERVAL '+{n % 12}:00' "
                             "HOUR TO MINUTE")
                for k in range(25):
                    own = f"{n}-{k}"
                    row = conn.execute(
                        "SELECT current_setting('app.me'), at::text, %s "
                        "FROM dates", (own,), prepare=k % 2 == 0).fetchone()
                    hour = f"{12 + n % 12:02d}"
                    assert (row[0], row[1][11:13], row[2]) == \
                        (str(n), hour, own)
                    assert conn.execute("SELECT at::text FROM dates"
                                        ).fetchone()[0][11:13] == hour
                    if k % 5 == 0:
                        with conn.transaction(force_rollback=True):
                            conn.execute("SET app.me = 'nobody'")
                            conn.execute("SET LOCAL TIME ZONE 'UTC'")
                    if k == 12:
                        conn.execute(f"SET work_mem = '{n + 1}MB'")
                assert show(conn, "work_mem") == f"{n + 1}MB"
        except BaseException as e:
            failed.append(e)
    threads = [threading.Thread(target=client, args=(n,))
               for n in range(clients)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    if failed:
        raise failed[0]
    assert pins(sluice) == []
    if mode == "transaction":
        assert sluice.count("settings_replays") > clients
