# SPDX-License-Identifier: PostgreSQL
"""Users looked up in the database: auth_query."""

import itertools
import os
import socket
import threading

import psycopg
import pytest

import rawpg
from harness import TOP, Deadline, private_file, until

CONF = """
auth = "scram-sha-256"
auth_user = "looker"
auth_cache_ttl = "$TTL"
server_connect_timeout = "5s"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
database "other" { backend = "main" }
"""

_serial = itertools.count()


@pytest.fixture
def role(pg):
    """Factory: a new role with these attributes; its name."""
    made = []
    pg.psql("DO $$BEGIN IF to_regrole('looker') IS NULL THEN "
            "CREATE ROLE looker SUPERUSER LOGIN; END IF; END$$")

    def make(attributes="LOGIN PASSWORD 'right'", name=None):
        name = name or f"q{next(_serial)}"
        quoted = '"' + name.replace('"', '""') + '"'
        pg.psql(f"CREATE ROLE {quoted} {attributes}")
        made.append(quoted)
        return name
    yield make
    for quoted in made:
        pg.psql(f"DROP OWNED BY {quoted}; DROP ROLE {quoted}")


@pytest.fixture
def sluice(pg, db, pgsluice):
    return lambda extra="", ttl="10s", conf=CONF, **kw: pgsluice(
        conf + extra, TTL=ttl, **kw)


def answer(sluice, user, password="right", **kw):
    """None: logged in; else the server's words."""
    try:
        with sluice.connect(user=user, password=password, sslmode="disable",
                            **kw) as conn:
            assert conn.execute("SELECT current_user").fetchone() == (user,)
        return None
    except psycopg.OperationalError as e:
        return str(e)


FAILED = "password authentication failed"


def test_verifier_from_the_database(sluice, role):
    s, user = sluice(), role()
    with s.counting(auth_queries=1, auth_query_hits=1):
        assert answer(s, user) is None
        assert FAILED in answer(s, user, "wrong")
    assert FAILED in answer(s, "nobody-here")


@pytest.mark.parametrize("method", ["md5", "password"])
def test_md5_from_the_database(sluice, role, pg, method):
    user = role("LOGIN")
    pg.psql(f"SET password_encryption = 'md5'; "
            f"ALTER ROLE {user} PASSWORD 'right'")
    other = role()
    s = sluice(conf=CONF.replace("scram-sha-256", method) if method == "md5"
               else CONF.replace('auth = "scram-sha-256"',
                                 'auth = "hba"\nauth_hba_file = "$HBA"'),
               HBA=hba_file(pg, method))
    for name in (user, other):
        assert answer(s, name) is None
        assert FAILED in answer(s, name, "wrong")


def hba_file(pg, method):
    path = f"{pg.lab.work}/auth-query.hba"
    with open(path, "w") as f:
        f.write(f"host all all all {method}\n")
    return path


def test_the_users_file_comes_first(sluice, role, lab):
    user, other = role(), role()
    users = private_file(f"{lab.work}/first.txt", f'"{user}" "mine"\n')
    s = sluice(f'users_file = "{users}"\n')
    assert answer(s, user, "mine") is None
    assert FAILED in answer(s, user, "right")
    assert answer(s, other) is None


# What PostgreSQL itself refuses with the right password.
@pytest.mark.parametrize("attributes, ok", [
    ("LOGIN PASSWORD 'right'", True),
    ("LOGIN PASSWORD 'right' VALID UNTIL 'infinity'", True),
    ("LOGIN PASSWORD 'right' VALID UNTIL '2200-01-01'", True),
    ("LOGIN PASSWORD 'right' VALID UNTIL '2001-01-01'", False),
    ("NOLOGIN PASSWORD 'right'", False),
    ("LOGIN PASSWORD 'right' CONNECTION LIMIT 0", False),
    ("LOGIN", False),
    ("LOGIN PASSWORD ''", False)])
@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("documented", [False, True])
def test_as_postgresql_would(sluice, role, pg, db, attributes, ok, warm,
                             documented):
    if documented:
        pg.psql(documented_function(), dbname=db)
    s = sluice('auth_query = "SELECT rolname, secret FROM '
               'public.user_lookup($1)"\nauth_dbname = "app"\n'
               if documented else "", ttl="0")
    user = role() if warm else role(attributes)
    if warm:
        # A server is waiting, and the user was let in a moment ago.
        assert answer(s, user) is None
        pg.psql(f"ALTER ROLE {user} {attributes}" + (
            "" if "PASSWORD" in attributes else " PASSWORD NULL"))
    direct = pg.login(user, "right")
    assert (direct is None) == ok
    through = answer(s, user)
    assert (through is None) == ok
    # Nobody learns more than that the password does not let him in.
    wrong = answer(s, user, "wrong")
    assert FAILED in wrong
    assert ok or without_port(through) == without_port(wrong)
    assert answer(s, user, "") is not None


def documented_function():
    """As doc/authentication.md has it, for those who want no superuser."""
    with open(os.path.join(TOP, "doc", "authentication.md")) as f:
        text = f.read()
    begin = text.index("CREATE FUNCTION public.user_lookup")
    sql = text[begin:text.index("```", begin)]
    assert "TO pgsluice_auth" in sql
    return sql.replace("TO pgsluice_auth", "TO looker")


def without_port(text):
    return text.partition("failed: ")[2]


def test_answers_are_remembered_for_a_while(sluice, role, pg):
    s, user = sluice(ttl="2s"), role()
    assert answer(s, user) is None
    pg.psql(f"ALTER ROLE {user} NOLOGIN")
    with s.counting(auth_queries=0):
        assert answer(s, user) is None
    until(lambda: answer(s, user) is not None, timeout=5)


def test_a_new_password_counts_at_the_second_try(sluice, role, pg):
    """A secret that does not fit is forgotten, unless it is brand-new."""
    s, user = sluice(ttl="1h"), role()
    assert answer(s, user) is None
    pg.psql(f"ALTER ROLE {user} PASSWORD 'new'")
    until(lambda: answer(s, user, "new") is None, timeout=5)
    assert FAILED in answer(s, user)


def test_reload_forgets(sluice, role, pg):
    s, user = sluice(ttl="1h"), role()
    assert answer(s, user) is None
    pg.psql(f"ALTER ROLE {user} NOLOGIN")
    s.hangup()
    until(lambda: answer(s, user) is not None, timeout=5)


def test_names_that_are_no_users_are_remembered_too(sluice, role, pg):
    s = sluice(ttl="1h")
    role()
    with s.counting(auth_queries=1):
        for _ in range(5):
            assert FAILED in answer(s, "not-yet")
    # The doubt that a failed login raises counts here, too.
    role(name="not-yet")
    until(lambda: answer(s, "not-yet") is None, timeout=5)


def test_a_crowd_asks_once(sluice, role):
    s, user = sluice(), role()
    found = []

    def one():
        found.append(answer(s, user))
    threads = [threading.Thread(target=one) for _ in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found == [None] * 12
    with s.counting(auth_queries=0, auth_query_hits=1):
        assert answer(s, user) is None


# -- nothing of the client's reaches the question --------------------------------

EVIL = """
CREATE SCHEMA evil;
GRANT USAGE ON SCHEMA evil TO PUBLIC;
CREATE TABLE evil.pg_authid AS SELECT 'victim'::name AS rolname,
    NULL::text AS rolpassword, true AS rolcanlogin, false AS rolsuper,
    -1 AS rolconnlimit, NULL::timestamptz AS rolvaliduntil;
CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE plpgsql AS
    $$BEGIN RAISE EXCEPTION 'evil was called'; END$$;
CREATE FUNCTION evil.eq(name, name) RETURNS bool LANGUAGE plpgsql AS
    $$BEGIN RAISE EXCEPTION 'evil was called'; END$$;
CREATE OPERATOR evil.= (FUNCTION = evil.eq, LEFTARG = name, RIGHTARG = name);
CREATE TABLE seen (what text);
"""


def test_a_client_cannot_bend_the_question(sluice, role, pg, db):
    pg.psql(EVIL, dbname=db)
    s, user = sluice(ttl="0"), role()
    for options in ("-c search_path=evil,pg_catalog",
                    "-csearch_path=evil -c is.superuser=on"):
        with s.connect(user=user, password="right", options=options,
                       sslmode="disable") as conn:
            assert "evil" in conn.execute("SHOW search_path").fetchone()[0]
    # As operators might have it: a function that shows what it runs under.
    pg.psql("""
        CREATE FUNCTION public.who(IN asked text, OUT name text,
            OUT secret text) LANGUAGE sql SECURITY DEFINER AS $$
            SELECT rolname, current_setting('search_path') || '|' ||
                current_setting('application_name') || '|' ||
                coalesce(current_setting('my.canary', true), '')
            FROM pg_catalog.pg_authid WHERE rolname = asked $$
        """, dbname=db)
    s = sluice('auth_query = "SELECT name, secret FROM public.who($1)"\n',
               ttl="0")
    with s.connect(user=user, password="|pgsluice auth_query|",
                   sslmode="disable", options="-c search_path=evil "
                   "-c my.canary=client", application_name="me") as conn:
        assert conn.execute("SHOW my.canary").fetchone() == ("client",)


@pytest.mark.parametrize("name", [
    'quo"te', "apo'strophe", "back\\slash", "new\nline", "$1", "%s", "sp ace",
    "'; DROP TABLE seen; --", "x" * 63, "\u00fcml\u00e4ut"])
def test_odd_names(sluice, role, name):
    s, user = sluice(), role(name=name)
    with rawpg.RawConn(s.host, s.port, user=user, database="app",
                       password="right") as conn:
        assert conn.ask_rows("SELECT current_user") == [(name,)]
    with pytest.raises(rawpg.ServerError) as e:
        rawpg.RawConn(s.host, s.port, user=user, database="app",
                      password="wrong")
    assert FAILED in str(e.value)


@pytest.mark.parametrize("name", [b"\xff\xfe", b"\xc3", b"y" * 64, b"z" * 900])
def test_names_that_cannot_be(sluice, role, name):
    s = sluice()
    role(name="y" * 63)
    with pytest.raises(rawpg.ServerError) as e:
        rawpg.RawConn(s.host, s.port, user=name, database="app",
                      password="right")
    assert FAILED in str(e.value)


# -- when it goes wrong ------------------------------------------------------------

@pytest.mark.parametrize("query, words", [
    ("SELECT rolname, $1::pg_catalog.text FROM authid", "does not exist"),
    ("SELECT $1::pg_catalog.text", "gave one column"),
    ("SELECT $1::pg_catalog.text, 'x' FROM pg_catalog.generate_series(1, 2)",
     "several rows"),
    ("SELECT 1/0, $1::pg_catalog.text", None),
    ("BEGIN", "supplies 1 parameters"),
    ("SELECT", "supplies 1 parameters"),
])
def test_bad_queries(sluice, role, query, words):
    s, user = sluice(f'auth_query = "{query}"\n', ttl="0"), role()
    text = answer(s, user)
    if words is None:
        assert FAILED in text
        return
    assert "could not be looked up" in text and words not in text
    until(lambda: words in s.log)
    # The thread has not lost its wits.
    assert "could not be looked up" in answer(s, user)


@pytest.mark.parametrize("secret", ["SCRAM-SHA-256$4096:bad", "md5"])
def test_unusable_secrets(sluice, role, secret):
    s = sluice(f"""auth_query = "SELECT $1::pg_catalog.text, '{secret}'"\n""",
               ttl="0")
    text = answer(s, role(), "wrong")
    assert FAILED in text and secret not in text + s.log


def test_the_backend_is_gone_and_comes_back(sluice, role, pg, db):
    s, user = sluice(ttl="0"), role()
    assert answer(s, user) is None
    pg.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
            "application_name = 'pgsluice auth_query'")
    # A resting connection that died is not the user's fault.
    assert answer(s, user) is None
    pg.stop()
    try:
        with Deadline(20):
            for _ in range(5):
                assert "could not be looked up" in answer(s, user)
    finally:
        pg.start()
    until(lambda: answer(s, user) is None, timeout=20)


DEAF = """
auth_dbname = "deaf"
client_login_timeout = "20s"
backend "deaf" { conninfo = "host=127.0.0.1 port=$DEAF sslmode=disable" }
database "deaf" { backend = "deaf" }
"""


@pytest.fixture
def deaf():
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_silent_backend_holds_up_nobody_else(lab, role, sluice, deaf):
    """Who is in the users file logs in; the others are told, in time."""
    user = role()
    users = private_file(f"{lab.work}/silent.txt", f'"{user}" "right"\n')
    s = sluice(DEAF + f'users_file = "{users}"\n', DEAF=deaf,
               conf=CONF.replace('"5s"', '"1s"'))
    waiting = threading.Thread(target=answer, args=(s, "stranger"))
    waiting.start()
    with Deadline(3):
        assert answer(s, user) is None
    waiting.join()
    assert "could not be looked up" in answer(s, "stranger")


def test_stop_while_a_lookup_hangs(role, sluice, deaf):
    s = sluice(DEAF, DEAF=deaf, conf=CONF.replace('"5s"', '"30s"'))
    before = s.count("client_connections")
    waiting = threading.Thread(target=answer, args=(s, "stranger"))
    waiting.start()
    until(lambda: s.count("client_connections") > before)
    with Deadline(10):
        s.stop()
    waiting.join()


def test_unknown_auth_dbname(pgsluice, pg, db):
    s = pgsluice(CONF + 'auth_dbname = "nowhere"\n', start=False, TTL="1s")
    with pytest.raises(Exception) as e:
        s.start()
    assert "auth_dbname: there is no such database block" in str(e.value)
    s.proc = None
