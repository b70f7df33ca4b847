# SPDX-License-Identifier: PostgreSQL
"""A session that keeps its server because of temporary tables, session locks,
cursors WITH HOLD or LISTEN lets it go when these are over, and not before."""

import psycopg
import pytest

from harness import bound, until, whole
from rawpg import (RawConn, bind, close, execute, flush, notices, parse,
                   query, sqlstates, statuses, sync, tags, terminate,
                   text_rows, types)

CONF = """
auth = "trust"
admin_users = {"app"}
pool_size = 1
query_wait_timeout = "20s"
shared_listen=false
cache_memory = "8MB"
max_statement_size = "1kB"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" pool_mode = "$MODE" }
cache "dates" { tables = {"dates"} ttl = "1h" }
"""

ASK = "SELECT EXISTS (SELECT FROM pg_catalog."


@pytest.fixture
def sluice(pg, db, pgsluice):
    pg.psql("GRANT CREATE ON SCHEMA public TO app; CREATE TABLE dates (a int);"
            "INSERT INTO dates VALUES (1); GRANT ALL ON dates TO app", db)
    return pgsluice(CONF, MODE="transaction")


@pytest.fixture
def raw(sluice):
    with RawConn("127.0.0.1", sluice.port, "app", "app") as c:
        yield c


def pins(sluice):
    return [row["pin"] for row in sluice.console("SHOW CLIENTS")
            if row["database"] == "app" and row["pin"]]


def say(c, *sqls):
    """Each in a Query of its own, one after the other."""
    out = []
    for sql in sqls:
        c.send(query(sql))
        out += c.read_until_ready()
    return out


def free(sluice):
    """The pool's only server is another session's."""
    assert sluice.query("SELECT 1") == [(1,)]
    assert pins(sluice) == []


def kept(sluice, reason):
    until(lambda: pins(sluice) == [reason])


# Reason; what begins it; what ends it; a question that tells whether it is there.
KINDS = [
    ("temp_table", "CREATE TEMP TABLE tmp AS SELECT 5 AS a", "DROP TABLE tmp",
     "SELECT a FROM tmp"),
    ("temp_table", "SELECT 5 AS a INTO TEMP tmp", "DISCARD TEMP",
     "SELECT a FROM tmp"),
    ("temp_table", "CREATE TEMP VIEW tmp AS SELECT 5 AS a", "DROP VIEW tmp",
     "SELECT a FROM tmp"),
    ("temp_table", "CREATE TEMP SEQUENCE tmp START 5", "DROP SEQUENCE tmp",
     "SELECT last_value FROM tmp"),
    ("temp_table", "CREATE FUNCTION pg_temp.tmp() RETURNS int LANGUAGE sql AS "
     "'SELECT 5'", "DROP FUNCTION pg_temp.tmp",
     "SELECT count(*) + 4 FROM pg_proc WHERE proname = 'tmp'"),
    ("temp_table", "CREATE TYPE pg_temp.tmp AS ENUM ('a')",
     "DROP TYPE pg_temp.tmp",
     "SELECT count(*) + 4 FROM pg_type WHERE typname = 'tmp'"),
    ("advisory_lock", "SELECT pg_advisory_lock(5)",
     "SELECT pg_advisory_unlock(5)",
     "SELECT objid FROM pg_locks WHERE locktype = 'advisory'"),
    ("advisory_lock", "SELECT pg_try_advisory_lock_shared(0, 5)",
     "SELECT pg_advisory_unlock_all()",
     "SELECT objid FROM pg_locks WHERE locktype = 'advisory'"),
    ("cursor_with_hold", "DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT 5",
     "CLOSE c", "FETCH ABSOLUTE 1 FROM c"),
    ("cursor_with_hold", "DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT 5",
     "CLOSE ALL", "FETCH ABSOLUTE 1 FROM c"),
    ("listen", "LISTEN five", "UNLISTEN five",
     "SELECT 5 FROM pg_listening_channels() WHERE "
     "pg_listening_channels = 'five'"),
    ("listen", "LISTEN five", "UNLISTEN *",
     "SELECT 5 FROM pg_listening_channels()"),
]
# One of each.
FOUR = [KINDS[0], KINDS[6], KINDS[8], KINDS[10]]


def there(c, question):
    assert text_rows(say(c, question)) == [("5",)]


@pytest.mark.parametrize("reason,begin,end,question", KINDS)
def test_over(sluice, raw, reason, begin, end, question):
    assert sqlstates(say(raw, begin)) == []
    kept(sluice, reason)
    there(raw, question)
    # Neither what others do nor what fails ends it.
    say(raw, "SELECT 1", "BEGIN", "SELECT 1 / 0", "ROLLBACK", "DROP TABLE no")
    there(raw, question)
    kept(sluice, reason)
    assert sqlstates(say(raw, end)) == []
    free(sluice)
    say(raw, begin)
    kept(sluice, reason)
    say(raw, end)
    free(sluice)


@pytest.mark.parametrize("reason,begin,end,question", FOUR)
def test_in_transactions(sluice, raw, reason, begin, end, question):
    say(raw, "BEGIN", begin, "COMMIT")
    kept(sluice, reason)
    say(raw, "BEGIN", end, "COMMIT")
    free(sluice)
    say(raw, "BEGIN", begin, end, "COMMIT")
    free(sluice)
    say(raw, begin + ";" + end)
    free(sluice)
    # An end that is undone is none; but cursors and locks go at once.
    say(raw, begin, "BEGIN", end, "ROLLBACK")
    if reason in ("temp_table", "listen"):
        kept(sluice, reason)
        there(raw, question)
        say(raw, end)
    free(sluice)


@pytest.mark.parametrize("undo", [
    ["ROLLBACK"], ["SELECT 1 / 0", "COMMIT"], ["ROLLBACK TO a", "COMMIT"],
    ["SELECT 1 / 0", "ROLLBACK TO a", "COMMIT"]])
@pytest.mark.parametrize("reason,begin,end,question", FOUR)
def test_undone(sluice, raw, reason, begin, end, question, undo):
    say(raw, "BEGIN", "SELECT 1", "SAVEPOINT a", begin, *undo)
    if reason == "advisory_lock":
        kept(sluice, reason)
        there(raw, question)
        say(raw, end)
    free(sluice)


@pytest.mark.parametrize("sql", [
    "CREATE TEMP TABLE tmp AS SELECT 1 / 0", "CREATE TEMP TABLE tmp (a nosuch)",
    "SELECT pg_advisory_lock(nosuch)", "SELECT * FROM pg_temp.nosuch",
    "DECLARE c CURSOR WITH HOLD FOR SELECT 1 / 0",
    "LISTEN five; SELECT 1 / 0"])
def test_never_came_to_be(sluice, raw, sql):
    assert len(sqlstates(say(raw, sql))) == 1
    free(sluice)
    raw.send(whole(sql))
    assert len(sqlstates(raw.read_until_ready())) == 1
    free(sluice)


def test_a_lock_that_another_holds(pg, db, sluice, raw):
    with pg.connect(db, user="app") as other:
        other.execute("SELECT pg_advisory_lock(5)")
        for _ in range(3):
            assert text_rows(say(raw, "SELECT pg_try_advisory_lock(5)")) == [
                ("f",)]
            free(sluice)
    until(lambda: text_rows(say(raw, "SELECT pg_try_advisory_lock(5)")) == [
        ("t",)])
    kept(sluice, "advisory_lock")


def test_locks_nest(sluice, raw):
    say(raw, "SELECT pg_advisory_lock(5)", "SELECT pg_advisory_lock(5)",
        "SELECT pg_advisory_unlock(5)")
    kept(sluice, "advisory_lock")
    assert text_rows(say(raw, "SELECT pg_advisory_unlock(5)")) == [("t",)]
    free(sluice)


@pytest.mark.parametrize("sql", [
    "CREATE TEMP TABLE tmp (a int) ON COMMIT DROP",
    "CREATE TEMP TABLE tmp ON COMMIT DROP AS SELECT 1 AS a"])
def test_on_commit_drop(sluice, raw, sql):
    say(raw, "BEGIN", sql, "INSERT INTO tmp VALUES (1)", "COMMIT")
    free(sluice)
    say(raw, sql)
    free(sluice)
    say(raw, "CREATE TEMP TABLE other (a int)", "BEGIN", sql, "COMMIT")
    kept(sluice, "temp_table")


def test_several_kinds(sluice, raw):
    for _, begin, _, _ in FOUR:
        say(raw, begin)
    kept(sluice, "listen,temp_table,cursor_with_hold,advisory_lock")
    say(raw, "CLOSE ALL")
    kept(sluice, "listen,temp_table,advisory_lock")
    say(raw, "BEGIN", "DROP TABLE tmp", "UNLISTEN *", "COMMIT")
    kept(sluice, "advisory_lock")
    say(raw, "SELECT pg_advisory_unlock_all()")
    free(sluice)


def test_a_reason_that_nobody_can_tell_of(pg, sluice, raw):
    say(raw, "DO 'BEGIN END'", "CREATE TEMP TABLE tmp (a int)", "DROP TABLE tmp")
    kept(sluice, "temp_table,code")
    say(raw, "DISCARD ALL")
    free(sluice)


def test_discard_all_among_others(sluice, raw):
    say(raw, "CREATE TEMP TABLE tmp (a int)")
    raw.send(query("SELECT 1") + query("DISCARD ALL") + query("SELECT 2"))
    for _ in range(3):
        assert sqlstates(raw.read_until_ready()) == []
    free(sluice)


# ------------------------------------------------------ the extended protocol


@pytest.mark.parametrize("reason,begin,end,question", FOUR)
def test_extended(sluice, raw, reason, begin, end, question):
    for name in ("", "named"):
        raw.send(parse(name, begin) + bound(name))
        assert sqlstates(raw.read_until_ready()) == []
        kept(sluice, reason)
        there(raw, question)
        raw.send(parse(name + name, end) + bound(name + name))
        assert sqlstates(raw.read_until_ready()) == []
        free(sluice)
        if name:
            break
    # The same statements once more, by their names.
    raw.send(bound("named"))
    assert sqlstates(raw.read_until_ready()) == []
    kept(sluice, reason)
    raw.send(bound("namednamed"))
    assert sqlstates(raw.read_until_ready()) == []
    free(sluice)


def test_close_of_the_portal(sluice, raw):
    say(raw, "DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT 5")
    kept(sluice, "cursor_with_hold")
    raw.send(close("P", "other") + sync())
    assert types(raw.read_until_ready()) == "3Z"
    there(raw, "FETCH c")
    raw.send(close("P", "c") + sync())
    assert types(raw.read_until_ready()) == "3Z"
    free(sluice)


def test_sql_execute(sluice, raw):
    say(raw, "PREPARE l AS SELECT pg_advisory_lock($1)",
        "PREPARE u AS SELECT pg_advisory_unlock($1)", "EXECUTE l(5)")
    kept(sluice, "advisory_lock")
    assert text_rows(say(raw, "EXECUTE u(5)")) == [("t",)]
    free(sluice)


@pytest.mark.parametrize("reason,begin,end,question", FOUR)
def test_flush(sluice, raw, reason, begin, end, question):
    def step(sql):
        return parse("", sql) + bind("", "") + execute() + flush()
    raw.send(step(begin))
    raw.recv_until("C")
    raw.send(step(end))
    raw.recv_until("C")
    raw.send(sync())
    assert types(raw.read_until_ready()) == "Z"
    free(sluice)


# -------------------------------------------------------------------- pipelines


@pytest.mark.parametrize("reason,begin,end,question", FOUR)
def test_pipelines(sluice, raw, reason, begin, end, question):
    for build in (query, whole):
        # Over, and there again behind the question.
        raw.send(build(begin) + build(end) + build(begin) + build(question))
        for _ in range(3):
            assert sqlstates(raw.read_until_ready()) == []
        assert text_rows(raw.read_until_ready()) == [("5",)]
        kept(sluice, reason)
        raw.send(build(end))
        assert sqlstates(raw.read_until_ready()) == []
        free(sluice)


@pytest.mark.parametrize("reason,begin,end,question", FOUR)
def test_what_follows_at_once(sluice, raw, reason, begin, end, question):
    # The next messages meet the question in every state of its way.
    for _ in range(50):
        raw.send(query(begin))
        raw.read_until_ready()
        raw.send(query(end))
        raw.read_until_ready()
        raw.send(query(begin) + query(question))
        raw.read_until_ready()
        assert text_rows(raw.read_until_ready()) == [("5",)]
        raw.send(query("BEGIN") + query(end))
        raw.read_until_ready()
        raw.read_until_ready()
        raw.send(query("COMMIT"))
        assert statuses(raw.read_until_ready()) == "I"
    free(sluice)


def test_many_sessions_share_one_server(sluice):
    clients = [RawConn("127.0.0.1", sluice.port, "app", "app")
               for _ in range(4)]
    for i in range(40):
        c = clients[i % 4]
        say(c, "CREATE TEMP TABLE tmp AS SELECT %d AS a" % i)
        assert text_rows(say(c, "SELECT a FROM tmp")) == [(str(i),)]
        say(c, "DROP TABLE tmp")
    for c in clients:
        c.close()
    assert sluice.count("server_connects") <= 2


# ----------------------------------------------------------------- not noticed


def logged(pg, pgsluice, db, mode):
    """A daemon whose servers log what they are sent."""
    pg.psql(f"ALTER DATABASE {db} SET log_statement = 'all'")
    return pgsluice(CONF, MODE=mode)


def test_it_is_asked_only_where_it_may_be_over(pg, db, pgsluice):
    sluice = logged(pg, pgsluice, db, "transaction")
    raw = RawConn("127.0.0.1", sluice.port, "app", "app")
    before = pg.log.count(ASK)
    say(raw, "CREATE TEMP TABLE tmp (a int)", "INSERT INTO tmp VALUES (1)",
        "BEGIN", "SELECT * FROM tmp", "COMMIT", "BEGIN", "SELECT 1",
        "ROLLBACK", "SELECT 1 / 0", "SELECT pg_advisory_unlock(1)", "CLOSE ALL",
        "UNLISTEN *", "DELETE FROM tmp")
    assert pg.log.count(ASK) == before
    say(raw, "DROP TABLE tmp")
    free(sluice)
    until(lambda: pg.log.count(ASK) > before)
    assert pg.log.count(ASK) == before + 1
    raw.close()


def test_session_pooling_never_asks(pg, db, pgsluice):
    sluice = logged(pg, pgsluice, db, "session")
    with RawConn("127.0.0.1", sluice.port, "app", "app") as raw:
        before = pg.log.count(ASK)
        for _, begin, end, _ in KINDS:
            say(raw, begin, end)
        assert pg.log.count(ASK) == before


@pytest.mark.parametrize("setting", [
    "SET client_min_messages = debug5", "SET search_path = no",
    "SET default_transaction_isolation = serializable",
    "SET default_transaction_read_only = on",
    "SET standard_conforming_strings = off", "SET DateStyle = 'German'",
    "SET enable_indexscan = off", "SET debug_print_plan = on",
    "SET bytea_output = 'escape'", "SET transform_null_equals = on"])
def test_settings_of_the_client(sluice, raw, setting):
    say(raw, setting)
    free(sluice)
    say(raw, "SELECT pg_advisory_lock(5)")
    kept(sluice, "advisory_lock")
    raw.send(query("SELECT pg_advisory_unlock(5)"))
    got = raw.read_until_ready()
    assert tags(got) == ["SELECT 1"] and statuses(got) == "I"
    free(sluice)
    raw.send(query("SELECT 7"))
    got = raw.read_until_ready()
    assert text_rows(got) == [("7",)]
    assert not [n for n in notices(got) if "EXISTS" in n.get("M", "")]


def test_nothing_is_told(sluice, raw):
    """No byte but the answer, even if the question is full of notices."""
    say(raw, "SET client_min_messages = debug5", "SET debug_print_parse = on",
        "SELECT pg_advisory_lock(5)")
    for _ in range(20):
        say(raw, "SELECT pg_advisory_unlock(6)")
    raw.send(query("SELECT 7"))
    told = [n["M"] + n.get("D", "") for n in notices(raw.read_until_ready())]
    assert not [t for t in told if "pg_cursors" in t or "pg_locks" in t]


def test_a_question_that_fails(pg, db, sluice, raw):
    """It keeps the server, and is asked again."""
    pg.psql("REVOKE SELECT ON pg_catalog.pg_locks FROM public", db)
    say(raw, "SELECT pg_advisory_lock(5)")
    for _ in range(3):
        raw.send(query("SELECT pg_advisory_unlock_all()"))
        got = raw.read_until_ready()
        assert types(got) == "TDCZ" and statuses(got) == "I"
        kept(sluice, "advisory_lock")
    raw.send(query("SELECT 1") + query("SELECT 2"))
    assert text_rows(raw.read_until_ready()) == [("1",)]
    assert text_rows(raw.read_until_ready()) == [("2",)]
    kept(sluice, "advisory_lock")
    pg.psql("GRANT SELECT ON pg_catalog.pg_locks TO public", db)
    say(raw, "SELECT 1")
    free(sluice)


def test_users_objects_do_not_answer(pg, db, sluice, raw):
    pg.psql("CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO app;"
            "CREATE VIEW evil.pg_locks AS SELECT * FROM pg_catalog.pg_locks "
            "WHERE false;"
            "CREATE FUNCTION evil.no(oid, oid) RETURNS bool LANGUAGE sql "
            "AS 'SELECT false';"
            "CREATE OPERATOR evil.= (FUNCTION = evil.no, LEFTARG = oid, "
            "RIGHTARG = oid);"
            "CREATE FUNCTION evil.pg_backend_pid() RETURNS int LANGUAGE sql "
            "AS 'SELECT 0'", db)
    say(raw, "SET search_path = evil, pg_catalog",
        "SELECT pg_advisory_lock(5)", "CREATE TEMP TABLE tmp (a int)",
        "SELECT pg_advisory_unlock(6)", "DROP TABLE IF EXISTS nosuch")
    kept(sluice, "temp_table,advisory_lock")
    say(raw, "SELECT pg_advisory_unlock(5)", "DROP TABLE tmp")
    free(sluice)


def test_disconnect_behind_it(sluice):
    """Terminate may overtake the question; the server lives on."""
    for _ in range(20):
        with RawConn("127.0.0.1", sluice.port, "app", "app") as c:
            say(c, "SELECT pg_advisory_lock(5)",
                "SELECT pg_advisory_unlock(5)")
            c.send(terminate())
    free(sluice)


def test_the_cache_is_used_again(sluice):
    with sluice.connect() as conn:
        def look():
            assert conn.execute("SELECT * FROM dates").fetchall() == [(1,)]
        look()
        with sluice.counting(cache_hits_l1=1):
            look()
        conn.execute("CREATE TEMP TABLE tmp (a int)")
        with sluice.counting(cache_hits_l1=0):
            look()
        conn.execute("DROP TABLE tmp")
        sluice.wait_watched()
        look()
        with sluice.counting(cache_hits_l1=1):
            look()


def test_prepared_statements_mean_what_they_say(sluice):
    """A statement that was prepared while a temporary table hid another."""
    with sluice.connect(prepare_threshold=0) as a, \
            sluice.connect(prepare_threshold=0) as b:
        sql = "SELECT a + 0 FROM dates"
        assert b.execute(sql).fetchall() == [(1,)]
        with a.transaction():
            a.execute("CREATE TEMP TABLE dates ON COMMIT DROP AS "
                      "SELECT 2 AS a")
            assert a.execute(sql).fetchall() == [(2,)]
        assert b.execute(sql).fetchall() == [(1,)]
        assert a.execute(sql).fetchall() == [(1,)]
        a.execute("CREATE TEMP TABLE dates AS SELECT 3 AS a")
        assert a.execute(sql).fetchall() == [(3,)]
        a.execute("DROP TABLE pg_temp.dates")
        assert b.execute(sql).fetchall() == [(1,)]
        assert a.execute(sql).fetchall() == [(1,)]


# ------------------------------------------------- text that cannot be read

LONG = "SELECT '" + "x" * 2000 + "'"  # fine, but too long to be looked at
WRONG = ["SELEC 1", "SELECT 1 1 1;", "SELECT 'x", "SELECT 1; SELEC 2",
         "SELEC" + LONG[6:], "CREATE TEMP TABLE (a int)"]


@pytest.mark.parametrize("sql", WRONG)
@pytest.mark.parametrize("build", [query, whole])
def test_a_syntax_error_leaves_nothing(sluice, raw, sql, build):
    say(raw, "SELECT * FROM dates")
    for begin, status in ((False, "I"), (True, "E")):
        if begin:
            say(raw, "BEGIN")
        raw.send(build(sql))
        got = raw.read_until_ready()
        assert sqlstates(got) == ["42601"] and statuses(got) == status
        if begin:
            say(raw, "ROLLBACK")
        free(sluice)
    # Nor are results that were kept forgotten, or the server closed.
    with sluice.counting(cache_hits_l1=1):
        say(raw, "SELECT * FROM dates")
    assert sluice.count("server_connects") == 1


@pytest.mark.parametrize("before,behind", [
    (LONG, "SELEC 1"), ("SELEC 1", LONG),
    (LONG, "SELECT 1 / 0"), ("SELECT 1 / 0", LONG)])
def test_what_was_run_counts(sluice, raw, before, behind):
    raw.send(query(before) + query(behind))
    raw.read_until_ready(2)
    kept(sluice, "unparsed")
    # It is not the last one's to end.
    assert sqlstates(say(raw, "SELEC 1")) == ["42601"]
    kept(sluice, "unparsed")
    say(raw, "DISCARD ALL")
    free(sluice)


@pytest.mark.parametrize("sql", [
    LONG + "; SELECT wrong()", "SELECT wrong(), '" + "x" * 2000 + "'"])
def test_a_syntax_error_further_in(pg, db, sluice, raw, sql):
    pg.psql("CREATE FUNCTION wrong() RETURNS int LANGUAGE plpgsql AS "
            "$$ BEGIN EXECUTE 'SELEC 1'; END $$", db)
    assert sqlstates(say(raw, sql)) == ["42601"]
    kept(sluice, "unparsed")
